//! Resolvers that are not the lab's.

use std::net::IpAddr;
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Mutex, OnceLock};

use mta_sts_adapters::blocking::MtaSts;
use mta_sts_adapters::{BoxFuture, Dns, DnsFailure, HickoryDns, MxAnswer, PolicyDomain, TxtAnswer};

/// A resolver that panics.
#[derive(Debug)]
pub(crate) struct Panics;

impl Dns for Panics {
    fn txt<'a>(&'a self, _: &'a str) -> BoxFuture<'a, TxtAnswer> {
        panic!("this resolver panics")
    }

    fn addresses<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, DnsFailure>> {
        panic!("this resolver panics")
    }

    fn mx<'a>(&'a self, _: &'a str) -> BoxFuture<'a, MxAnswer> {
        panic!("this resolver panics")
    }
}

/// A resolver that asks its own client about `other.example` before it answers about another
/// domain.
#[derive(Debug, Clone)]
pub(crate) struct Reenters(pub(crate) HickoryDns, pub(crate) Arc<OnceLock<MtaSts>>);

impl Dns for Reenters {
    fn txt<'a>(&'a self, name: &'a str) -> BoxFuture<'a, TxtAnswer> {
        Box::pin(async move {
            if !name.ends_with("other.example")
                && let Some(client) = self.1.get()
            {
                let other = PolicyDomain::parse("other.example").expect("a domain");
                assert!(client.policy_for(&other).policy().is_some());
            }
            self.0.txt(name).await
        })
    }

    fn addresses<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, DnsFailure>> {
        self.0.addresses(host)
    }

    fn mx<'a>(&'a self, domain: &'a str) -> BoxFuture<'a, MxAnswer> {
        self.0.mx(domain)
    }
}

/// A resolver that blocks its thread for a name that begins so, after it has told so, until it is
/// released.
#[derive(Debug)]
pub(crate) struct Blocks {
    pub(crate) dns: HickoryDns,
    pub(crate) begin: &'static str,
    pub(crate) entered: Sender<()>,
    pub(crate) released: Arc<Mutex<Receiver<()>>>,
}

impl Dns for Blocks {
    fn txt<'a>(&'a self, name: &'a str) -> BoxFuture<'a, TxtAnswer> {
        if name.starts_with(self.begin) {
            self.entered.send(()).expect("the test listens");
            // An error says that the test has let go of all that wait.
            let _ = self.released.lock().map(|released| released.recv());
        }
        self.dns.txt(name)
    }

    fn addresses<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, DnsFailure>> {
        self.dns.addresses(host)
    }

    fn mx<'a>(&'a self, domain: &'a str) -> BoxFuture<'a, MxAnswer> {
        self.dns.mx(domain)
    }
}
