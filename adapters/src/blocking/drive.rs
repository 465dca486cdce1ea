//! The step loop: each step of the machine is one piece of I/O.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Instant;

use mta_sts::lookup::{FetchPolicy, Head, QueryTxt, ReadBody, Store as StoreStep};
use mta_sts::{FetchFailure, Limits, Lookup, Outcome, Step};

use super::fetch::left;
use super::{Body, Dns, Https};
use crate::keeper::Keeper;
use crate::{Request, TxtAnswer};

/// What a lookup needs.
#[derive(Debug)]
pub(super) struct Driver {
    pub(super) keeper: Arc<Keeper>,
    pub(super) dns: Arc<dyn Dns>,
    pub(super) https: Arc<dyn Https>,
    pub(super) limits: Limits,
    pub(super) fetches: Turns,
}

impl Driver {
    pub(super) fn run(&self, lookup: Lookup) -> Outcome {
        let held = self.keeper.read(lookup.domain());
        let mut step = lookup.held(held).limits(self.limits).start(self.keeper.now());
        loop {
            step = match step {
                Step::QueryTxt(state) => self.query(state),
                Step::FetchPolicy(state) => self.fetch(state),
                // `fetch` goes on to the end of the body, so that one connection has one owner.
                Step::ReadBody(state) => state.failed(FetchFailure::Abandoned, self.keeper.now()),
                Step::Store(state) => self.write(state),
                Step::Done(outcome) => return outcome,
            }
        }
    }

    fn query(&self, state: QueryTxt) -> Step {
        let answer = self.dns.txt(state.name(), state.timeout());
        let now = self.keeper.now();
        match answer {
            TxtAnswer::Records { records, ttl } => state.answered(&records, ttl, now),
            TxtAnswer::Absent { ttl } => state.absent(ttl, now),
            TxtAnswer::Failed(failure) => state.failed(failure, now),
        }
    }

    fn fetch(&self, state: FetchPolicy) -> Step {
        // The wait for a turn is not the Policy Host's fault, and not part of its time.
        let _turn = self.fetches.take();
        let until = Instant::now() + state.timeout();
        let request = Request { host: state.host(), path: state.path(), timeout: state.timeout() };
        let response = match self.https.fetch(request) {
            Ok(response) => response,
            Err(failure) => return state.failed(failure, self.keeper.now()),
        };
        let head = Head {
            status: response.status,
            content_type: response.content_type.as_deref(),
            content_encoding: response.content_encoding.as_deref(),
        };
        match state.responded(response.verified, head, self.keeper.now()) {
            Step::ReadBody(state) => self.read_body(state, response.body, until),
            other => other,
        }
    }

    fn read_body(&self, mut state: ReadBody, mut body: Box<dyn Body>, until: Instant) -> Step {
        loop {
            let failure = match body.chunk() {
                _ if left(until).is_zero() => FetchFailure::Timeout,
                Ok(Some(bytes)) => {
                    if state.chunk(&bytes).is_continue() {
                        continue;
                    }
                    return state.ended(self.keeper.now());
                }
                Ok(None) => return state.ended(self.keeper.now()),
                Err(failure) => failure,
            };
            return state.failed(failure, self.keeper.now());
        }
    }

    fn write(&self, state: StoreStep) -> Step {
        let written = self.keeper.write(state.entry(), state.urgency());
        if written.is_ok() { state.stored() } else { state.failed() }
    }
}

/// How many may do something at a time.
#[derive(Debug)]
pub(super) struct Turns {
    free: Mutex<usize>,
    freed: Condvar,
}

impl Turns {
    pub(super) fn new(count: usize) -> Self {
        Self { free: Mutex::new(count), freed: Condvar::new() }
    }

    fn take(&self) -> Turn<'_> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let free = self.freed.wait_while(free, |free| *free == 0);
        let mut free = free.unwrap_or_else(PoisonError::into_inner);
        *free = free.saturating_sub(1);
        Turn(self)
    }
}

/// A turn; over when it is dropped.
struct Turn<'a>(&'a Turns);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut free = self.0.free.lock().unwrap_or_else(PoisonError::into_inner);
        *free = free.saturating_add(1);
        self.0.freed.notify_one();
    }
}
