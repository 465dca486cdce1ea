//! The clients: what is held, asked for from two threads.

use std::hint::black_box;
use std::net::IpAddr;
use std::thread;
use std::time::Duration;

use cpu_time::ThreadTime;
use mta_sts::{DnsFailure, FetchFailure, PolicyDomain, PolicyHostVerified, Status};
use mta_sts_adapters::{Body, BoxFuture, MxAnswer, Request, Response, TxtAnswer, blocking, tokio};

use crate::Anything;
use crate::makings::{domain, policy_of, shuffled};
use crate::reading::{Goal, Reading};

const THREADS: usize = 2;
const CALLS: usize = 1_000_000;
const DOMAINS: usize = 100_000;

pub(crate) fn readings() -> Result<Vec<Reading>, Anything> {
    let spread: Vec<_> = shuffled(DOMAINS).into_iter().map(domain).collect();
    let hot = vec![domain(7); 100];
    let runtime =
        ::tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let asynchronous = tokio_client(DOMAINS)?;
    let blocking = blocking_client(DOMAINS)?;
    let mut readings = Vec::new();
    for (what, domains) in [("one hot domain", &hot), ("100,000 domains", &spread)] {
        fill(&runtime, &asynchronous, domains);
        let ask = |domain: &PolicyDomain| runtime.block_on(asynchronous.policy_for(domain));
        let many = rate(domains, |some| {
            runtime.block_on(async {
                for domain in some {
                    black_box(asynchronous.policy_for(domain).await);
                }
            });
        });
        assert_eq!(ask(&domains[0]).status(), Status::Confirmed);
        readings.push(reading("tokio", what, many));
        for domain in domains {
            assert!(blocking.policy_for(domain).policy().is_some());
        }
        let many = rate(domains, |some| {
            for domain in some {
                black_box(blocking.policy_for(domain));
            }
        });
        readings.push(reading("blocking", what, many));
    }
    Ok(readings)
}

pub(crate) fn tokio_client(entries: usize) -> Result<tokio::MtaSts, Anything> {
    let builder = tokio::MtaSts::builder().memory_entries(entries * 2);
    Ok(builder.dns(World).https(World).build()?)
}

fn blocking_client(entries: usize) -> Result<blocking::MtaSts, Anything> {
    let builder = blocking::MtaSts::builder().memory_entries(entries * 2);
    Ok(builder.dns(World).https(World).build()?)
}

pub(crate) fn fill(
    runtime: &::tokio::runtime::Runtime,
    client: &tokio::MtaSts,
    domains: &[PolicyDomain],
) {
    runtime.block_on(async {
        for domain in domains {
            assert!(client.policy_for(domain).await.policy().is_some());
        }
    });
}

fn reading(client: &str, what: &str, many: f64) -> Reading {
    let what = format!("policy_for ({client}), {THREADS} threads, {what}");
    Reading::new(what, many / 1e6, "M/s a core", Goal::AtLeast(1.0))
}

/// Calls in a second of processor time, on all threads at once.
pub(crate) fn rate(domains: &[PolicyDomain], ask: impl Fn(&[PolicyDomain]) + Sync) -> f64 {
    let spent: Duration = thread::scope(|scope| {
        let run = |number: usize| {
            // Each thread begins elsewhere, and with names that it has read itself, as a server
            // does for each message: those of one reading share a count of their owners.
            let own = |domain: &PolicyDomain| domain.as_str().parse().expect("a domain");
            let mut order: Vec<PolicyDomain> = domains.iter().map(own).collect();
            order.rotate_left(number * domains.len() / THREADS);
            let start = ThreadTime::now();
            for _ in 0..CALLS.div_ceil(order.len()) {
                ask(&order);
            }
            start.elapsed()
        };
        let threads: Vec<_> = (0..THREADS).map(|n| scope.spawn(move || run(n))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
    });
    let calls = CALLS.div_ceil(domains.len()) * domains.len() * THREADS;
    calls as f64 / spent.as_secs_f64()
}

/// Every domain has a policy, and answers at once.
#[derive(Debug)]
struct World;

fn record() -> TxtAnswer {
    TxtAnswer::Records { records: vec![vec![b"v=STSv1; id=20260101T000000".to_vec()]], ttl: 86_400 }
}

fn response(host: &str, body: Box<dyn Body>) -> Response {
    let verified = PolicyHostVerified::assertion(host);
    let content_type = Some(b"text/plain".to_vec());
    Response { verified, status: 200, content_type, content_encoding: None, body }
}

fn text(host: &str) -> Vec<u8> {
    let domain = host.trim_start_matches("mta-sts.").parse().expect("a domain");
    policy_of(&domain).into_bytes()
}

#[derive(Debug)]
struct Text(Option<Vec<u8>>);

impl mta_sts_adapters::Dns for World {
    fn txt<'a>(&'a self, _: &'a str) -> BoxFuture<'a, TxtAnswer> {
        Box::pin(async { record() })
    }

    fn addresses<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, DnsFailure>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn mx<'a>(&'a self, _: &'a str) -> BoxFuture<'a, MxAnswer> {
        Box::pin(async { MxAnswer::Absent })
    }
}

impl mta_sts_adapters::Https for World {
    fn fetch<'a>(&'a self, request: Request<'a>) -> BoxFuture<'a, Result<Response, FetchFailure>> {
        let body = Box::new(Text(Some(text(request.host))));
        Box::pin(async move { Ok(response(request.host, body)) })
    }
}

impl Body for Text {
    fn chunk(&mut self) -> BoxFuture<'_, Result<Option<Vec<u8>>, FetchFailure>> {
        Box::pin(async { Ok(self.0.take()) })
    }
}
