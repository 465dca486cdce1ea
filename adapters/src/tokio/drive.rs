//! The course of a lookup: each state of the machine is one piece of I/O.

use std::sync::Arc;
use std::time::Duration;

use mta_sts::lookup::{
    AfterHead, AfterTxt, FetchPolicy, Head, QueryTxt, ReadBody, Start, Store as Storing,
};
use mta_sts::{DnsFailure, DnsFailureKind, FetchFailure, Held, Lookup, Outcome, PolicyDomain};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::{Instrument, debug_span};

use crate::keeper::{Keeper, Writes};
use crate::observe;
use crate::{Body, Dns, Https, Request, TxtAnswer};

/// The time by which the driver's own deadline for the head comes after that of [`Https`]: an HTTPS
/// client that keeps its deadline knows in which part of the fetch the time passed.
const AFTER_HTTPS: Duration = Duration::from_millis(100);

/// The parts that a lookup needs.
#[derive(Debug)]
pub(super) struct Driver {
    pub(super) keeper: Arc<Keeper>,
    pub(super) dns: Arc<dyn Dns>,
    pub(super) https: Arc<dyn Https>,
    /// The number of fetches that may be in progress at a time.
    pub(super) fetches: Semaphore,
}

impl Driver {
    /// Reads what is held for a lookup.
    pub(super) async fn read(&self, domain: &PolicyDomain) -> Held {
        if !self.keeper.has_store() {
            return self.keeper.read(domain);
        }
        let (keeper, span) = (Arc::clone(&self.keeper), debug_span!("store_read", %domain));
        let read = {
            let domain = domain.clone();
            spawn_blocking(move || span.in_scope(|| keeper.read(&domain)))
        };
        // A store that panics has not said what it holds.
        read.await.unwrap_or_else(|_| self.keeper.unread(domain))
    }

    /// Drives a lookup to its end.
    pub(super) async fn run(&self, lookup: Lookup) -> Outcome {
        let domain = lookup.domain().clone();
        match lookup.start(self.keeper.now()) {
            Start::Done(outcome) => outcome,
            Start::QueryTxt(query) => self.ask(&domain, query, Writes::ByUrgency).await,
        }
    }

    /// Drives a lookup from its question to DNS to its end.
    pub(super) async fn ask(
        &self,
        domain: &PolicyDomain,
        query: QueryTxt,
        writes: Writes,
    ) -> Outcome {
        let span = debug_span!("lookup", domain = domain.as_str());
        let asking = async {
            let (storing, fetch_took) = match self.query(query).await {
                AfterTxt::Store(storing) => (storing, None),
                AfterTxt::FetchPolicy(fetch) => {
                    let span = debug_span!("fetch", host = fetch.host());
                    let (storing, took) = self.fetch(fetch).instrument(span).await;
                    (storing, Some(took))
                }
            };
            let outcome = self.write(storing, writes).await;
            if let Some(took) = fetch_took {
                self.keeper.metrics.fetched(&outcome, took);
            }
            observe::looked_up(&outcome, self.keeper.now());
            outcome
        };
        asking.instrument(span).await
    }

    async fn query(&self, query: QueryTxt) -> AfterTxt {
        let (begun, span) = (Instant::now(), debug_span!("txt", name = query.name()));
        let asked = self.dns.txt(query.name()).instrument(span);
        let answer = match timeout(query.timeout(), asked).await {
            Ok(answer) => answer,
            Err(_) => TxtAnswer::Failed(DnsFailure::new(DnsFailureKind::Timeout)),
        };
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
    async fn fetch(&self, fetch: FetchPolicy) -> (Storing, Duration) {
        self.keeper.fetch_begins(fetch.entry());
        // The semaphore is never closed.
        let _permit = self.fetches.acquire().await;
        let begun = Instant::now();
        let storing = self.respond(fetch, begun).await;
        (storing, begun.elapsed())
    }

    async fn respond(&self, fetch: FetchPolicy, begun: Instant) -> Storing {
        let until = begun + fetch.timeout();
        let request = Request { host: fetch.host(), path: fetch.path(), timeout: fetch.timeout() };
        let responding = timeout_at(until + AFTER_HTTPS, self.https.fetch(request));
        let response = match responding.await {
            Ok(Ok(response)) => response,
            Ok(Err(failure)) => return fetch.failed(failure, self.keeper.now()),
            Err(_) => return fetch.failed(FetchFailure::Timeout, self.keeper.now()),
        };
        let head = Head {
            status: response.status,
            content_type: response.content_type.as_deref(),
            content_encoding: response.content_encoding.as_deref(),
        };
        match fetch.responded(response.verified, head, self.keeper.now()) {
            AfterHead::Store(storing) => storing,
            AfterHead::ReadBody(reading) => self.read_body(reading, response.body, until).await,
        }
    }

    async fn read_body(
        &self,
        mut reading: ReadBody,
        mut body: Box<dyn Body>,
        until: Instant,
    ) -> Storing {
        loop {
            let failure = match timeout_at(until, body.chunk()).await {
                Ok(Ok(Some(bytes))) => {
                    if reading.chunk(&bytes).is_continue() {
                        continue;
                    }
                    return reading.ended(self.keeper.now());
                }
                Ok(Ok(None)) => return reading.ended(self.keeper.now()),
                Ok(Err(failure)) => failure,
                Err(_) => FetchFailure::Timeout,
            };
            return reading.failed(failure, self.keeper.now());
        }
    }

    async fn write(&self, storing: Storing, writes: Writes) -> Outcome {
        let (entry, urgency) = (storing.entry().clone(), storing.urgency());
        let (keeper, span) = (Arc::clone(&self.keeper), debug_span!("store_write", ?urgency));
        let write = move || keeper.write(&entry, urgency, writes);
        let merged = if self.keeper.has_store() {
            // A store that panics has not taken the entry.
            spawn_blocking(move || span.in_scope(write)).await.ok().and_then(Result::ok)
        } else {
            write().ok()
        };
        match merged {
            Some(merged) => storing.stored(merged),
            None => storing.failed(),
        }
    }
}
