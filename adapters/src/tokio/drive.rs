//! The step loop: each step of the machine is one piece of I/O.

use std::sync::Arc;
use std::time::Duration;

use mta_sts::lookup::{FetchPolicy, Head, QueryTxt, ReadBody, Store as StoreStep};
use mta_sts::{
    DnsFailure, DnsFailureKind, FetchFailure, Held, Limits, Lookup, Outcome, PolicyDomain, Step,
};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::{Instrument, debug_span};

use crate::keeper::Keeper;
use crate::observe;
use crate::{Body, Dns, Https, Request, TxtAnswer};

/// What a lookup needs.
#[derive(Debug)]
pub(super) struct Driver {
    pub(super) keeper: Arc<Keeper>,
    pub(super) dns: Arc<dyn Dns>,
    pub(super) https: Arc<dyn Https>,
    pub(super) limits: Limits,
    /// How many fetches may be under way at a time.
    pub(super) fetches: Semaphore,
}

impl Driver {
    /// What is held for a lookup.
    pub(super) async fn read(&self, domain: PolicyDomain) -> Held {
        if !self.keeper.has_store() {
            return self.keeper.read(&domain);
        }
        let (keeper, span) = (Arc::clone(&self.keeper), debug_span!("store_read", %domain));
        let read = spawn_blocking(move || span.in_scope(|| keeper.read(&domain)));
        // A store that panics has not said what it holds.
        read.await.unwrap_or(Held::Unreadable)
    }

    /// Drives a lookup to its end, given what is held, within these limits.
    pub(super) async fn run(&self, lookup: Lookup, held: Held, limits: Limits) -> Outcome {
        let span = debug_span!("lookup", domain = lookup.domain().as_str());
        let step = lookup.held(held).limits(limits).start(self.keeper.now());
        self.steps(step).instrument(span).await
    }

    async fn steps(&self, mut step: Step) -> Outcome {
        let mut fetch_took = None;
        let outcome = loop {
            step = match step {
                Step::QueryTxt(state) => self.query(state).await,
                Step::FetchPolicy(state) => {
                    let span = debug_span!("fetch", host = state.host());
                    let (step, took) = self.fetch(state).instrument(span).await;
                    fetch_took = Some(took);
                    step
                }
                // `fetch` goes on to the end of the body, so that one connection has one owner.
                Step::ReadBody(state) => state.failed(FetchFailure::Abandoned, self.keeper.now()),
                Step::Store(state) => self.write(state).await,
                Step::Done(outcome) => break outcome,
            }
        };
        if let Some(took) = fetch_took {
            self.keeper.metrics.fetched(&outcome, took);
        }
        observe::looked_up(&outcome, self.keeper.now());
        outcome
    }

    async fn query(&self, state: QueryTxt) -> Step {
        let (begun, span) = (Instant::now(), debug_span!("txt", name = state.name()));
        let asked = self.dns.txt(state.name()).instrument(span);
        let answer = match timeout(state.timeout(), asked).await {
            Ok(answer) => answer,
            Err(_) => TxtAnswer::Failed(DnsFailure::new(DnsFailureKind::Timeout)),
        };
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
    async fn fetch(&self, state: FetchPolicy) -> (Step, Duration) {
        // It is never closed.
        let _turn = self.fetches.acquire().await;
        let begun = Instant::now();
        let step = self.respond(state, begun).await;
        (step, begun.elapsed())
    }

    async fn respond(&self, state: FetchPolicy, begun: Instant) -> Step {
        let until = begun + state.timeout();
        let request = Request { host: state.host(), path: state.path(), timeout: state.timeout() };
        let response = match timeout_at(until, self.https.fetch(request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(failure)) => return state.failed(failure, self.keeper.now()),
            Err(_) => return state.failed(FetchFailure::Timeout, self.keeper.now()),
        };
        let head = Head {
            status: response.status,
            content_type: response.content_type.as_deref(),
            content_encoding: response.content_encoding.as_deref(),
        };
        match state.responded(response.verified, head, self.keeper.now()) {
            Step::ReadBody(state) => self.read_body(state, response.body, until).await,
            other => other,
        }
    }

    async fn read_body(
        &self,
        mut state: ReadBody,
        mut body: Box<dyn Body>,
        until: Instant,
    ) -> Step {
        loop {
            let failure = match timeout_at(until, body.chunk()).await {
                Ok(Ok(Some(bytes))) => {
                    if state.chunk(&bytes).is_continue() {
                        continue;
                    }
                    return state.ended(self.keeper.now());
                }
                Ok(Ok(None)) => return state.ended(self.keeper.now()),
                Ok(Err(failure)) => failure,
                Err(_) => FetchFailure::Timeout,
            };
            return state.failed(failure, self.keeper.now());
        }
    }

    async fn write(&self, state: StoreStep) -> Step {
        let written = if self.keeper.has_store() {
            let (entry, urgency) = (state.entry().clone(), state.urgency());
            let (keeper, span) = (Arc::clone(&self.keeper), debug_span!("store_write", ?urgency));
            let written = spawn_blocking(move || span.in_scope(|| keeper.write(&entry, urgency)));
            let written = written.await;
            written.is_ok_and(|written| written.is_ok())
        } else {
            self.keeper.write(state.entry(), state.urgency()).is_ok()
        };
        if written { state.stored() } else { state.failed() }
    }
}
