//! What the client does beside the machine: patience, bounds, refreshing, counting, over real servers
//! on loopback.
#![cfg(all(feature = "tokio", feature = "hickory-resolver"))]

mod bounds;
mod client;
mod counting;
mod delivery;
#[path = "../support/lab_client.rs"]
mod lab_client;
mod patience;
mod refreshing;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mta_sts_adapters::{Clock, PolicyDomain, UnixTime, system_clock};
use mta_sts_lab::{DnsAnswer, Gate, Lab, RecordType};

const DAY: u64 = 86_400;
/// How long a test waits for what must come.
const LIMIT: Duration = Duration::from_secs(20);

fn domain(name: &str) -> PolicyDomain {
    PolicyDomain::parse(name).expect("a domain")
}

fn record(domain: &str) -> String {
    format!("_mta-sts.{domain}")
}

/// A lab where these domains enforce.
fn lab<const N: usize>(domains: [&str; N]) -> Lab {
    let lab = Lab::start().expect("the lab starts");
    for domain in domains {
        lab.domain(domain).id("1").mode("enforce").mx(["mx.example.com"]).publish();
    }
    lab
}

/// Holds the answer to the domain's TXT question back.
fn hold_txt(lab: &Lab, domain: &str) -> Gate {
    let gate = Gate::closed();
    let answer = DnsAnswer::txt(["v=STSv1; id=1;"], 60).held_by(&gate);
    lab.dns().set(&record(domain), RecordType::Txt, answer);
    gate
}

fn txt_queries(lab: &Lab, domain: &str) -> usize {
    let name = record(domain);
    let asked = lab.dns().queries().all();
    asked.iter().filter(|query| query.name.trim_end_matches('.') == name).count()
}

/// A clock that stands until it is moved on, and its seconds.
fn clock() -> (Clock, Arc<AtomicU64>) {
    let secs = Arc::new(AtomicU64::new(system_clock().as_secs()));
    let reads = Arc::clone(&secs);
    (Arc::new(move || UnixTime::from_secs(reads.load(Ordering::SeqCst))), secs)
}
