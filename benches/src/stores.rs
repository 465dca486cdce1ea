//! The SQLite store of a million entries; and a first contact over loopback.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use cpu_time::ThreadTime;
use mta_sts::{Entry, PolicyDomain, Urgency};
use mta_sts_adapters::tokio::MtaSts;
use mta_sts_adapters::{HickoryDns, Roots, Sqlite, Store};
use mta_sts_lab::Lab;

use crate::Anything;
use crate::makings::{domain, entry, shuffled};
use crate::memory::MILLION;
use crate::reading::{Goal, Reading};

const READS: usize = 100_000;
/// Of entries that are written in one step.
const BATCH: usize = 256;
const BATCHES: usize = 40;
const CONTACTS: usize = 300;

pub(crate) fn readings() -> Result<Vec<Reading>, Anything> {
    let path = million()?;
    let start = Instant::now();
    let store = Sqlite::open(&path)?;
    let first = store.get(&domain(MILLION / 2))?;
    let opened = start.elapsed().as_secs_f64() * 1_000.0;
    assert!(first.is_some());
    let domains: Vec<_> = shuffled(MILLION).into_iter().take(READS).map(domain).collect();
    let start = ThreadTime::now();
    for domain in &domains {
        assert!(store.get(domain)?.is_some());
    }
    let reads = READS as f64 / start.elapsed().as_secs_f64();
    let of_million = |what| format!("SQLite, 1,000,000 entries: {what}");
    Ok(vec![
        Reading::new(of_million("opened and first answer"), opened, "ms", Goal::AtMost(1_000.0)),
        Reading::new(of_million("reads"), reads / 1e3, "k/s a core", Goal::AtLeast(50.0)),
        Reading::new("SQLite: durable writes by 256", writes()? / 1e3, "k/s", Goal::AtLeast(10.0)),
        contact()?,
    ])
}

/// Beside this program: it is made once.
fn file(name: &str) -> Result<PathBuf, Anything> {
    Ok(std::env::current_exe()?.with_file_name(name))
}

/// A store of a million entries.
fn million() -> Result<PathBuf, Anything> {
    let path = file("million.db")?;
    let order = shuffled(MILLION);
    let last = order.last().map_or(0, |number| *number);
    let store = Sqlite::open(&path)?;
    if store.get(&domain(last))?.is_none() {
        for numbers in order.chunks(10_000) {
            let entries: Vec<Entry> = numbers.iter().map(|n| entry(&domain(*n))).collect();
            store.merge_all(&entries, Urgency::Lazy)?;
        }
    }
    Ok(path)
}

/// Entries in a second that are on the disk.
fn writes() -> Result<f64, Anything> {
    let path = file("writes.db")?;
    let remove = || {
        for end in ["", "-wal", "-shm"] {
            let _ = fs::remove_file(format!("{}{end}", path.display()));
        }
    };
    remove();
    let store = Sqlite::open(&path)?;
    let entries: Vec<_> = (0..BATCH * BATCHES).map(|number| entry(&domain(number))).collect();
    let start = Instant::now();
    for batch in entries.chunks(BATCH) {
        store.merge_all(batch, Urgency::Durable)?;
    }
    let rate = entries.len() as f64 / start.elapsed().as_secs_f64();
    drop(store);
    remove();
    Ok(rate)
}

/// The time of a first contact, to that of its TXT question and its fetch alone.
fn contact() -> Result<Reading, Anything> {
    let lab = Lab::start()?;
    let domains: Vec<PolicyDomain> = (0..CONTACTS).map(domain).collect();
    for domain in &domains {
        lab.domain(domain.as_str()).id("1").mode("enforce").mx(["mx.example.com"]).publish();
    }
    let client = MtaSts::builder()
        .dns(HickoryDns::servers([lab.dns_addr()]))
        .roots(Roots::GivenOnly)
        .extra_root(lab.ca_pem())
        .policy_port(lab.https_port())
        .allow_private_addresses(true);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let client = client.build()?;
        let start = Instant::now();
        for domain in &domains {
            assert!(client.policy_for(domain).await.policy().is_some());
        }
        let all = start.elapsed().as_secs_f64() * 1e6 / CONTACTS as f64;
        let alone: f64 = client
            .metrics()
            .durations
            .iter()
            .filter(|durations| matches!(durations.label, "txt" | "fetch"))
            .map(|durations| durations.total.as_secs_f64() * 1e6)
            .sum();
        let reading = Reading::new("first contact over loopback", all, "µs", Goal::AtMost(1.1));
        Ok(reading.against("its TXT question and GET", alone / CONTACTS as f64, None))
    })
}
