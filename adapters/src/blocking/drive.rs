//! The step loop: each step of the machine is one piece of I/O.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mta_sts::lookup::{FetchPolicy, Head, QueryTxt, ReadBody, Store as StoreStep};
use mta_sts::{FetchFailure, Held, Limits, Lookup, Outcome, PolicyDomain, Step};
use tracing::debug_span;

use super::fetch::left;
use super::turns::Turns;
use super::{Body, Dns, Https};
use crate::keeper::Keeper;
use crate::observe;
use crate::{Request, TxtAnswer};

/// What a lookup needs.
#[derive(Debug)]
pub(super) struct Driver {
    pub(super) keeper: Arc<Keeper>,
    pub(super) dns: Arc<dyn Dns>,
    pub(super) https: Arc<dyn Https>,
    pub(super) limits: Limits,
    /// How many fetches may be under way at a time.
    pub(super) fetches: Arc<Turns>,
}

impl Driver {
    /// What is held for a lookup.
    pub(super) fn read(&self, domain: &PolicyDomain) -> Held {
        debug_span!("store_read", %domain).in_scope(|| self.keeper.read(domain))
    }

    /// Drives a lookup to its end, given what is held, within these limits.
    pub(super) fn run(&self, lookup: Lookup, held: Held, limits: Limits) -> Outcome {
        let span = debug_span!("lookup", domain = lookup.domain().as_str());
        let step = lookup.held(held).limits(limits).start(self.keeper.now());
        span.in_scope(|| self.steps(step))
    }

    fn steps(&self, mut step: Step) -> Outcome {
        let mut fetch_took = None;
        let outcome = loop {
            step = match step {
                Step::QueryTxt(state) => self.query(state),
                Step::FetchPolicy(state) => {
                    let span = debug_span!("fetch", host = state.host());
                    let (step, took) = span.in_scope(|| self.fetch(state));
                    fetch_took = Some(took);
                    step
                }
                // `fetch` goes on to the end of the body, so that one connection has one owner.
                Step::ReadBody(state) => state.failed(FetchFailure::Abandoned, self.keeper.now()),
                Step::Store(state) => self.write(state),
                Step::Done(outcome) => break outcome,
            }
        };
        if let Some(took) = fetch_took {
            self.keeper.metrics.fetched(&outcome, took);
        }
        observe::looked_up(&outcome, self.keeper.now());
        outcome
    }

    fn query(&self, state: QueryTxt) -> Step {
        let (begun, span) = (Instant::now(), debug_span!("txt", name = state.name()));
        let answer = span.in_scope(|| self.dns.txt(state.name(), state.timeout()));
        self.keeper.metrics.queried(&answer, begun.elapsed());
        let now = self.keeper.now();
        match answer {
            TxtAnswer::Records { records, ttl } => state.answered(&records, ttl, now),
            TxtAnswer::Absent { ttl } => state.absent(ttl, now),
            TxtAnswer::Failed(failure) => state.failed(failure, now),
        }
    }

    /// The fetch, and how long it took without the wait for a turn: that is not the Policy Host's
    /// fault, and not part of its time.
    fn fetch(&self, state: FetchPolicy) -> (Step, Duration) {
        let _turn = self.fetches.take();
        let begun = Instant::now();
        let step = self.respond(state, begun);
        (step, begun.elapsed())
    }

    fn respond(&self, state: FetchPolicy, begun: Instant) -> Step {
        let until = begun + state.timeout();
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
        let span = debug_span!("store_write", urgency = ?state.urgency());
        let written = span.in_scope(|| self.keeper.write(state.entry(), state.urgency()));
        if written.is_ok() { state.stored() } else { state.failed() }
    }
}
