//! A million domains: what they take in memory, and what the schedule needs for each.

use std::sync::Arc;

use cpu_time::ThreadTime;
use mailrs_mta_sts::{Cache, CachedPolicy, InMemoryCache, Policy};
use mta_sts::schedule::Schedule;
use mta_sts::{PolicyDomain, Urgency};
use mta_sts_adapters::{Memory, Store};

use crate::Anything;
use crate::makings::{NOW, domain, entry, policy_of, shuffled};
use crate::reading::{Goal, Reading};

pub(crate) const MILLION: usize = 1_000_000;
/// What the peer is filled with: it is linear.
const PEER_ENTRIES: usize = 200_000;

pub(crate) fn readings() -> Result<Vec<Reading>, Anything> {
    let empty = resident()?;
    let memory = filled(MILLION)?;
    let store = (resident()? - empty) / MILLION as f64;
    let mut schedule = Schedule::new();
    follow(MILLION, &mut schedule);
    let both = (resident()? - empty) / MILLION as f64;
    // Beside ours, so that nothing of that is used again: a cache of the patterns alone.
    eprintln!("mailrs: {:.0} octets", peer_octets()?);
    drop((memory, schedule));
    Ok(vec![
        Reading::new("memory of a held policy of 3 mx", store, "octets", Goal::AtMost(320.0)),
        Reading::new("… and its place in the schedule", both, "octets", Goal::AtMost(800.0)),
    ])
}

/// A memory store of so many policies.
pub(crate) fn filled(count: usize) -> Result<Memory, Anything> {
    let memory = Memory::with_clock(count * 2, Arc::new(|| NOW));
    for number in shuffled(count) {
        memory.merge(&entry(&domain(number)), Urgency::Durable)?;
    }
    Ok(memory)
}

/// Tells of each policy once, as whoever writes it does. To visit the store instead makes a list of
/// all names, which is given back, but not to the system: some 65 octets a domain more.
fn follow(count: usize, schedule: &mut Schedule) {
    for number in shuffled(count) {
        schedule.handle_entry(&entry(&domain(number)), entropy(number), NOW);
    }
}

/// Octets of a policy in the peer's cache.
fn peer_octets() -> Result<f64, Anything> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let (before, cache) = (resident()?, InMemoryCache::new());
    for number in shuffled(PEER_ENTRIES) {
        let name = domain(number);
        let policy = Policy::parse(&policy_of(&name))?;
        let id = "20260101T000000".into();
        let cached = CachedPolicy { id, policy, fetched_at_unix_secs: NOW.as_secs() };
        runtime.block_on(cache.put(name.as_str(), cached));
    }
    assert_eq!(runtime.block_on(cache.len()), PEER_ENTRIES);
    Ok((resident()? - before) / PEER_ENTRIES as f64)
}

/// Octets of this process in memory.
pub(crate) fn resident() -> Result<f64, Anything> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib * 1024.0)
}

/// What nobody is to foretell, here foretold.
pub(crate) fn entropy(number: usize) -> u64 {
    (number as u64).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31)
}

pub(crate) fn schedule_readings() -> Result<Vec<Reading>, Anything> {
    let costs = schedule_costs(MILLION);
    let reading = |what: &str, ns| {
        Reading::new(format!("schedule of a million: {what}"), ns, "ns", Goal::AtMost(6_000.0))
    };
    Ok(vec![
        reading("a new domain", costs.new),
        reading("a known domain", costs.known),
        reading("a due one, begun", costs.begun),
        reading("its outcome", costs.settled),
    ])
}

/// Nanoseconds of processor time of each.
pub(crate) struct ScheduleCosts {
    pub(crate) new: f64,
    pub(crate) known: f64,
    pub(crate) begun: f64,
    pub(crate) settled: f64,
}

pub(crate) fn schedule_costs(count: usize) -> ScheduleCosts {
    let mut schedule = Schedule::new().with_max_in_flight(usize::MAX);
    let some = 100_000.min(count);
    let mut spent = 0.0;
    let order = shuffled(count);
    // Entries are made apart, so that making them is not measured.
    for numbers in order.chunks(some) {
        let entries: Vec<_> = numbers.iter().map(|number| entry(&domain(*number))).collect();
        let start = ThreadTime::now();
        for (number, entry) in entries.iter().enumerate() {
            schedule.handle_entry(entry, entropy(number), NOW);
        }
        spent += start.elapsed().as_nanos() as f64;
    }
    let entries: Vec<_> = order.iter().rev().take(some).map(|n| entry(&domain(*n))).collect();
    let start = ThreadTime::now();
    for (number, entry) in entries.iter().enumerate() {
        schedule.handle_entry(entry, entropy(number), NOW.plus_secs(1));
    }
    let known = start.elapsed().as_nanos() as f64 / some as f64;
    let (mut begun_in, mut settled_in, mut taken) = (0.0, 0.0, 0);
    let mut now = NOW;
    while taken < some {
        now = schedule.poll_timeout().filter(|then| *then > now).unwrap_or(now.plus_secs(1));
        let mut begun: Vec<PolicyDomain> = Vec::new();
        let start = ThreadTime::now();
        while let Some(due) = schedule.poll_due(now) {
            begun.push(due.into_domain());
        }
        begun_in += start.elapsed().as_nanos() as f64;
        let outcomes: Vec<_> =
            begun.iter().map(|domain| crate::makings::refreshed(domain, now)).collect();
        let start = ThreadTime::now();
        for (number, outcome) in outcomes.iter().enumerate() {
            schedule.handle_outcome(outcome, entropy(number), now);
        }
        settled_in += start.elapsed().as_nanos() as f64;
        taken += begun.len();
    }
    let each = |spent: f64| spent / taken as f64;
    let (begun, settled) = (each(begun_in), each(settled_in));
    ScheduleCosts { new: spent / count as f64, known, begun, settled }
}
