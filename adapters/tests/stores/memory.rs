//! The store in memory: the laws, its bound, and a flood.

use std::fs;
use std::sync::Arc;

use mta_sts_adapters::{Held, Memory, Store, StoreError, Urgency};

use super::entries::{DAY, NOW, WEEK, domains, fetched, first, found, get, id, nothing};
use super::{Place, check};

struct InMemory(Arc<Memory>);

impl Place for InMemory {
    fn handle(&self) -> Arc<dyn Store> {
        Arc::<Memory>::clone(&self.0)
    }

    fn spoil(&self, _: &str, _: &[u8]) -> bool {
        false
    }
}

#[test]
fn ok_memory_is_a_store() {
    for capacity in [20_000, 1_000_000] {
        check(|| InMemory(Arc::new(Memory::with_clock(capacity, Arc::new(|| NOW)))));
    }
}

#[test]
fn ok_memory_is_bounded_and_a_flood_pushes_no_policy_out() {
    let memory = Memory::with_clock(10, Arc::new(|| NOW));
    for number in 0..5 {
        let held = first(&format!("held-{number}.example"), "1");
        assert_eq!(memory.merge(&held, Urgency::Durable).map(drop), Ok(()));
    }
    for number in 0..1_000 {
        let entry = nothing(&format!("flood-{number}.example"), NOW);
        assert_eq!(memory.merge(&entry, Urgency::Lazy).map(drop), Ok(()));
    }
    assert_eq!(memory.len(), 10);
    for number in 0..5 {
        assert!(id(&memory, &format!("held-{number}.example")).is_some());
    }
    // The oldest of the flood went first.
    assert!(domains(&memory).contains(&"flood-999.example".to_owned()));
}

/// Run `cargo test --release -p mta-sts-adapters --all-features --test stores flood -- --nocapture`
/// for the figures of a large one.
#[test]
fn ok_a_flood_of_unknown_domains_takes_expired_and_negative_entries_alone() {
    const CAPACITY: usize = 100_000;
    const KINDS: usize = 20_000;
    let flood = if cfg!(debug_assertions) { 200_000 } else { 1_000_000 };
    let memory = Memory::with_clock(CAPACITY, Arc::new(|| NOW));
    let short = format!("version: STSv1\nmode: enforce\nmx: a.example\nmax_age: {DAY}\n");
    let long_ago = NOW.minus_secs(WEEK);
    for number in 0..KINDS {
        let held = first(&format!("held-{number}.example"), "1");
        let name = format!("expired-{number}.example");
        let expired = fetched(Held::Nothing, &name, "1", &short, long_ago);
        let negative = nothing(&format!("negative-{number}.example"), NOW);
        for entry in [held, expired, negative] {
            assert_eq!(memory.merge(&entry, Urgency::Durable).map(drop), Ok(()));
        }
    }
    let (before, resident_before) = (memory.len(), resident_kib());
    for number in 0..flood {
        let entry = nothing(&format!("flood-{number}.example"), NOW);
        // Where nothing may go, nothing new is taken.
        assert!(matches!(
            memory.merge(&entry, Urgency::Lazy).map(drop),
            Ok(()) | Err(StoreError::Full)
        ));
    }
    let held = |kind: &str| {
        (0..KINDS).filter(|n| get(&memory, &format!("{kind}-{n}.example")).is_some()).count()
    };
    let (policies, expired, negative) = (held("held"), held("expired"), held("negative"));
    println!(
        "flood of {flood}: entries {before} before, {} after, of them {policies} unexpired \
         policies, {expired} expired, {negative} earlier negative; resident {resident_before:?} \
         KiB before, {:?} KiB after",
        memory.len(),
        resident_kib(),
    );
    assert_eq!(policies, KINDS);
    assert!(memory.len() <= CAPACITY);
    assert_eq!((expired, negative), (0, 0), "they went first");
}

/// What the process has in memory, where the system tells.
fn resident_kib() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[test]
fn err_memory_full_of_policies_takes_nothing_new() {
    let memory = Memory::with_clock(3, Arc::new(|| NOW));
    for number in 0..3 {
        let held = first(&format!("held-{number}.example"), "1");
        assert_eq!(memory.merge(&held, Urgency::Durable).map(drop), Ok(()));
    }
    assert_eq!(memory.merge(&nothing("new.example", NOW), Urgency::Lazy), Err(StoreError::Full));
    assert_eq!(memory.merge(&first("new.example", "1"), Urgency::Durable), Err(StoreError::Full));
    // What it has it still takes news of.
    let known = get(&memory, "held-1.example").expect("an entry");
    let news = found(Held::Entry(known), "held-1.example", "2", NOW.plus_secs(9));
    assert_eq!(memory.merge(&news, Urgency::Durable).map(drop), Ok(()));
    assert_eq!(id(&memory, "held-1.example").as_deref(), Some("2"));
}

#[test]
fn ok_memory_drops_expired_policies() {
    let memory = Memory::with_clock(3, Arc::new(|| NOW.plus_secs(7 * DAY)));
    for number in 0..9 {
        let held = first(&format!("held-{number}.example"), "1");
        assert_eq!(memory.merge(&held, Urgency::Durable).map(drop), Ok(()));
    }
    assert_eq!(memory.len(), 3);
}
