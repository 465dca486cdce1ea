//! A resolver that remembers what DNS said of the records, so that a report can show them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mta_sts::DnsFailure;
use mta_sts_adapters::{BoxFuture, Dns, HickoryDns, MxAnswer, TxtAnswer};

/// Passes every question on and keeps the answers to those for TXT: the outcome of a lookup has the
/// text of a record only where something is wrong with it.
///
/// What it keeps is bounded by the number of domains that were asked for. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Witness {
    dns: HickoryDns,
    seen: Arc<Mutex<HashMap<String, TxtAnswer>>>,
}

impl Witness {
    pub(super) fn new(dns: HickoryDns) -> Self {
        Self { dns, seen: Arc::default() }
    }

    /// The last answer to the question for the TXT records of `name`; `None` where none came.
    pub(super) fn txt_seen(&self, name: &str) -> Option<TxtAnswer> {
        self.seen().get(name).cloned()
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<String, TxtAnswer>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Dns for Witness {
    fn txt<'a>(&'a self, name: &'a str) -> BoxFuture<'a, TxtAnswer> {
        Box::pin(async move {
            let answer = self.dns.txt(name).await;
            self.seen().insert(name.to_owned(), answer.clone());
            answer
        })
    }

    fn addresses<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, DnsFailure>> {
        self.dns.addresses(host)
    }

    fn mx<'a>(&'a self, domain: &'a str) -> BoxFuture<'a, MxAnswer> {
        self.dns.mx(domain)
    }
}
