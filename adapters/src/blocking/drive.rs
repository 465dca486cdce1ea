//! The course of a lookup: each state of the machine is one piece of I/O.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mta_sts::lookup::{
    AfterHead, AfterTxt, FetchPolicy, Head, QueryTxt, ReadBody, Start, Store as Storing,
};
use mta_sts::{FetchFailure, Held, Lookup, Outcome, PolicyDomain};
use tracing::debug_span;

use super::fetch::left;
use super::turns::Turns;
use super::{Body, Dns, Https};
use crate::keeper::{Keeper, Writes};
use crate::observe;
use crate::{Request, TxtAnswer};

/// The parts that a lookup needs.
#[derive(Debug)]
pub(super) struct Driver {
    pub(super) keeper: Arc<Keeper>,
    pub(super) dns: Arc<dyn Dns>,
    pub(super) https: Arc<dyn Https>,
    /// The number of fetches that may be in progress at a time.
    pub(super) fetches: Arc<Turns>,
}

impl Driver {
    /// Reads what is held for a lookup.
    pub(super) fn read(&self, domain: &PolicyDomain) -> Held {
        debug_span!("store_read", %domain).in_scope(|| self.keeper.read(domain))
    }

    /// Drives a lookup to its end.
    pub(super) fn run(&self, lookup: Lookup) -> Outcome {
        let domain = lookup.domain().clone();
        match lookup.start(self.keeper.now()) {
            Start::Done(outcome) => outcome,
            Start::QueryTxt(query) => self.ask(&domain, query, Writes::ByUrgency),
        }
    }

    /// Drives a lookup from its question to DNS to its end.
    pub(super) fn ask(&self, domain: &PolicyDomain, query: QueryTxt, writes: Writes) -> Outcome {
        let _span = debug_span!("lookup", domain = domain.as_str()).entered();
        let (storing, fetch_took) = match self.query(query) {
            AfterTxt::Store(storing) => (storing, None),
            AfterTxt::FetchPolicy(fetch) => {
                let span = debug_span!("fetch", host = fetch.host());
                let (storing, took) = span.in_scope(|| self.fetch(fetch));
                (storing, Some(took))
            }
        };
        let outcome = self.write(storing, writes);
        if let Some(took) = fetch_took {
            self.keeper.metrics.fetched(&outcome, took);
        }
        observe::looked_up(&outcome, self.keeper.now());
        outcome
    }

    fn query(&self, query: QueryTxt) -> AfterTxt {
        let (begun, span) = (Instant::now(), debug_span!("txt", name = query.name()));
        let answer = span.in_scope(|| self.dns.txt(query.name(), query.timeout()));
        self.keeper.metrics.queried(&answer, begun.elapsed());
        let now = self.keeper.now();
        match answer {
            TxtAnswer::Records { records, ttl } => query.answered(&records, ttl, now),
            TxtAnswer::Absent { ttl } => query.absent(ttl, now),
            TxtAnswer::Failed(failure) => query.failed(failure, now),
        }
    }

    /// Fetches the policy. Returns also the time that it took, without the wait for a permit, which
    /// is no part of the Policy Host's time.
    fn fetch(&self, fetch: FetchPolicy) -> (Storing, Duration) {
        self.keeper.fetch_begins(fetch.entry());
        let _permit = self.fetches.take();
        let begun = Instant::now();
        let storing = self.respond(fetch, begun);
        (storing, begun.elapsed())
    }

    fn respond(&self, fetch: FetchPolicy, begun: Instant) -> Storing {
        let until = begun + fetch.timeout();
        let request = Request { host: fetch.host(), path: fetch.path(), timeout: fetch.timeout() };
        let response = match self.https.fetch(request) {
            Ok(response) => response,
            Err(failure) => return fetch.failed(failure, self.keeper.now()),
        };
        let head = Head {
            status: response.status,
            content_type: response.content_type.as_deref(),
            content_encoding: response.content_encoding.as_deref(),
        };
        match fetch.responded(response.verified, head, self.keeper.now()) {
            AfterHead::Store(storing) => storing,
            AfterHead::ReadBody(reading) => self.read_body(reading, response.body, until),
        }
    }

    fn read_body(&self, mut reading: ReadBody, mut body: Box<dyn Body>, until: Instant) -> Storing {
        loop {
            let failure = match body.chunk() {
                _ if left(until).is_zero() => FetchFailure::Timeout,
                Ok(Some(bytes)) => {
                    if reading.chunk(&bytes).is_continue() {
                        continue;
                    }
                    return reading.ended(self.keeper.now());
                }
                Ok(None) => return reading.ended(self.keeper.now()),
                Err(failure) => failure,
            };
            return reading.failed(failure, self.keeper.now());
        }
    }

    fn write(&self, storing: Storing, writes: Writes) -> Outcome {
        let (entry, urgency) = (storing.entry(), storing.urgency());
        let span = debug_span!("store_write", ?urgency);
        match span.in_scope(|| self.keeper.write(entry, urgency, writes)) {
            Ok(merged) => storing.stored(merged),
            Err(_) => storing.failed(),
        }
    }
}
