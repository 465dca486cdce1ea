//! The client and a store that fails, comes back, or is shared.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use mta_sts_adapters::delivery::{Candidate, Conclusion, Mx, Requirements};
use mta_sts_adapters::tokio::MtaSts;
use mta_sts_adapters::{
    Bounce, Entry, EntryError, Memory, Outcome, PolicyDomain, Problem, Status, Store, StoreError,
    Stored, Urgency,
};
use mta_sts_lab::{DnsAnswer, Gate, Https, Lab, RecordType};

use crate::builder;
use crate::client::clock;

const DOMAIN: &str = "example.com";
const RECORD: &str = "_mta-sts.example.com";

/// A store whose reads and writes fail on demand, and are counted.
#[derive(Debug, Default)]
struct Flaky {
    inner: Memory,
    reads_fail: AtomicBool,
    writes_fail: AtomicBool,
    /// The other entries of a merge of many meet a damaged row.
    others_damaged: AtomicBool,
    reads: AtomicUsize,
    writes: AtomicUsize,
    durable: AtomicUsize,
}

impl Flaky {
    fn down(&self, down: bool) {
        self.reads_fail.store(down, Ordering::SeqCst);
        self.writes_fail.store(down, Ordering::SeqCst);
    }

    fn counts(&self) -> (usize, usize) {
        (self.reads.load(Ordering::SeqCst), self.writes.load(Ordering::SeqCst))
    }

    fn check(fails: &AtomicBool, count: &AtomicUsize) -> Result<(), StoreError> {
        count.fetch_add(1, Ordering::SeqCst);
        if fails.load(Ordering::SeqCst) { Err(down()) } else { Ok(()) }
    }
}

fn down() -> StoreError {
    StoreError::Backend("down".to_owned())
}

impl Store for Flaky {
    fn get(&self, domain: &PolicyDomain) -> Result<Option<Entry>, StoreError> {
        Self::check(&self.reads_fail, &self.reads)?;
        self.inner.get(domain)
    }

    fn merge(&self, entry: &Entry, urgency: Urgency) -> Result<Entry, StoreError> {
        Self::check(&self.writes_fail, &self.writes)?;
        if self.others_damaged.load(Ordering::SeqCst) && entry.domain() != &domain() {
            return Err(StoreError::Entry(EntryError::Corrupt));
        }
        if urgency == Urgency::Durable {
            self.durable.fetch_add(1, Ordering::SeqCst);
        }
        self.inner.merge(entry, urgency)
    }

    fn remove(&self, domain: &PolicyDomain) -> Result<bool, StoreError> {
        Self::check(&self.writes_fail, &self.writes)?;
        self.inner.remove(domain)
    }

    fn visit(&self, visit: &mut dyn FnMut(Stored) -> ControlFlow<()>) -> Result<(), StoreError> {
        Self::check(&self.reads_fail, &self.reads)?;
        self.inner.visit(visit)
    }
}

fn domain() -> PolicyDomain {
    PolicyDomain::parse(DOMAIN).expect("a domain")
}

fn world() -> (Lab, Arc<Flaky>, MtaSts) {
    let lab = Lab::start().expect("the lab starts");
    lab.domain(DOMAIN).mode("enforce").publish();
    let store = Arc::new(Flaky::default());
    let client = builder(&lab).store(Arc::clone(&store)).build().expect("a client");
    (lab, store, client)
}

#[tokio::test]
async fn ok_memory_answers_without_the_store() {
    let (_lab, store, client) = world();
    assert_eq!(client.policy_for(&domain()).await.status(), Status::Found);
    assert_eq!(store.counts(), (1, 1));
    assert_eq!(client.policy_for(&domain()).await.status(), Status::Confirmed);
    assert_eq!(store.counts(), (1, 1));
}

#[tokio::test]
async fn ok_what_one_client_found_another_confirms() {
    let (lab, store, client) = world();
    assert_eq!(client.policy_for(&domain()).await.status(), Status::Found);
    let other = builder(&lab).store(store).build().expect("a client");
    assert_eq!(other.policy_for(&domain()).await.status(), Status::Confirmed);
    assert_eq!(lab.https().requests().count(), 1);
}

#[tokio::test]
async fn ok_a_policy_is_found_though_the_store_is_down_and_written_once_it_is_back() {
    let (_lab, store, client) = world();
    store.down(true);
    let outcome = client.policy_for(&domain()).await;
    assert_eq!(outcome.status(), Status::Found);
    assert!(!outcome.is_persisted());
    assert_eq!(client.store_trouble(), Some(down()));
    // The decision is not lost while the store is down.
    assert_eq!(client.policy_for(&domain()).await.status(), Status::Confirmed);
    assert_eq!(client.flush().await, Err(down()));
    assert_eq!(store.inner.get(&domain()), Ok(None));
    store.down(false);
    assert_eq!(client.flush().await, Ok(()));
    assert_eq!(client.store_trouble(), None);
    let stored = store.inner.get(&domain()).expect("readable").expect("an entry");
    assert_eq!(stored.policy(client.now()), outcome.policy());
}

#[tokio::test]
async fn ok_a_policy_that_waited_is_written_durably_beside_a_damaged_row_too() {
    let (_lab, store, client) = world();
    store.down(true);
    assert!(!client.policy_for(&domain()).await.is_persisted());
    for name in ["a.example", "z.example"] {
        client.policy_for(&PolicyDomain::parse(name).expect("a domain")).await;
    }
    store.down(false);
    store.others_damaged.store(true, Ordering::SeqCst);
    assert_eq!(client.flush().await, Ok(()));
    assert_eq!(store.durable.load(Ordering::SeqCst), 1);
    let stored = store.inner.get(&domain()).expect("readable").expect("an entry");
    assert!(stored.policy(client.now()).is_some());
}

#[tokio::test]
async fn ok_a_store_that_cannot_be_read_is_not_an_empty_store() {
    let (lab, store, client) = world();
    lab.dns().set(RECORD, RecordType::Txt, DnsAnswer::nxdomain(300));
    store.down(true);
    for _ in 0..2 {
        let outcome = client.policy_for(&domain()).await;
        assert_eq!(outcome.status(), Status::Unknown);
        assert_eq!(outcome.problem(), Some(&Problem::StoreUnreadable));
    }
    assert!(client.policy_in_memory(&domain()).is_none());
    store.down(false);
    assert_eq!(client.policy_for(&domain()).await.status(), Status::Absent);
}

#[tokio::test]
async fn ok_a_store_that_comes_back_brings_the_policy_it_held() {
    let (lab, store, client) = world();
    client.policy_for(&domain()).await;
    lab.dns().set(RECORD, RecordType::Txt, DnsAnswer::nxdomain(300));
    let other = builder(&lab).store(Arc::clone(&store)).build().expect("a client");
    store.down(true);
    assert_eq!(other.policy_for(&domain()).await.status(), Status::Unknown);
    store.down(false);
    let outcome = other.policy_for(&domain()).await;
    assert_eq!(outcome.status(), Status::Held);
    assert!(outcome.policy().is_some());
}

#[tokio::test]
async fn back_off_holds_while_the_store_cannot_be_read() {
    let (lab, store, client) = world();
    lab.https().remove("mta-sts.example.com");
    store.down(true);
    let fetches = || lab.https().connections();
    let failed = client.policy_for(&domain()).await;
    assert_eq!(failed.status(), Status::Unknown);
    assert!(matches!(failed.problem(), Some(Problem::Fetch(_))), "{failed:?}");
    assert_eq!(fetches(), 1);
    for _ in 0..3 {
        let outcome = client.recheck(&domain()).await;
        // The store may hold a policy, so nothing is said of its absence.
        assert_eq!(outcome.status(), Status::Unknown);
        assert!(matches!(outcome.problem(), Some(Problem::BackingOff { .. })), "{outcome:?}");
    }
    assert_eq!(fetches(), 1);
}

/// The outcome of another machine that finds another policy, five seconds later.
async fn later_elsewhere(store: &Arc<Flaky>) -> Outcome {
    let lab = Lab::start().expect("the lab starts");
    lab.domain(DOMAIN).id("later").mode("enforce").publish();
    let (clock, secs) = clock();
    secs.fetch_add(5, Ordering::SeqCst);
    let other = builder(&lab).store(Arc::clone(store)).clock(clock).build().expect("a client");
    let later = other.recheck(&domain()).await;
    assert_eq!(later.status(), Status::Found);
    later
}

/// Another machine wrote a later policy between the read and the write of a lookup.
#[tokio::test]
async fn outcome_speaks_of_the_later_policy_that_the_store_holds() {
    let (lab, store, client) = world();
    let gate = Gate::closed();
    let text = "version: STSv1\nmode: testing\nmx: mx.example.com\nmax_age: 604800\n";
    lab.https().set("mta-sts.example.com", Https::policy(text).held_by(&gate));
    let delayed = tokio::spawn(async move { client.policy_for(&domain()).await });
    lab.https().requests().wait_for(1).await;
    let later = later_elsewhere(&store).await;
    gate.open();
    let outcome = delayed.await.expect("no panic");
    assert_eq!(outcome.policy(), later.policy());
    assert!(outcome.is_persisted());
    assert_eq!(outcome.status(), Status::Confirmed);
}

/// A gate speaks of what the store holds after its question, not only of what its client knows.
#[tokio::test]
async fn gate_defers_if_another_machine_found_a_later_policy_meanwhile() {
    let (lab, store, client) = world();
    let (mut delivery, _) = client.delivery(&domain(), Requirements::default()).await;
    assert!(matches!(delivery.candidate(&Mx::parse("mx.invalid")), Candidate::Skip(_)));
    let Conclusion::Retry(retry) = delivery.conclude() else { panic!("the policy refused it") };
    // DNS as this client sees it is behind: it announces the old policy still.
    let gate = Gate::closed();
    lab.dns().set(RECORD, RecordType::Txt, DnsAnswer::txt(["v=STSv1; id=1;"], 60).held_by(&gate));
    let asked = lab.dns().queries().count();
    let gated = tokio::spawn(async move { client.gate(retry).await });
    lab.dns().queries().wait_for(asked + 1).await;
    let later = later_elsewhere(&store).await;
    gate.open();
    match gated.await.expect("no panic") {
        Bounce::Deferred(outcome) => assert_eq!(outcome.policy(), later.policy()),
        Bounce::Permitted(_) => panic!("the store holds another policy"),
    }
}

#[tokio::test]
async fn ok_a_held_policy_applies_while_the_store_is_down() {
    let (lab, store, client) = world();
    client.policy_for(&domain()).await;
    store.down(true);
    lab.domain(DOMAIN).withdraw();
    assert_eq!(client.recheck(&domain()).await.status(), Status::Held);
}

#[tokio::test]
async fn ok_what_is_not_urgent_is_written_later() {
    let (lab, store, client) = world();
    lab.dns().set(RECORD, RecordType::Txt, DnsAnswer::nxdomain(300));
    let outcome = client.policy_for(&domain()).await;
    assert_eq!((outcome.status(), outcome.is_persisted()), (Status::Absent, true));
    assert_eq!(client.flush().await, Ok(()));
    let stored = store.inner.get(&domain()).expect("readable").expect("an entry");
    let remembered = stored.decide(&domain(), client.now()).expect("remembered");
    assert_eq!(remembered.status(), Status::Absent);
}

#[tokio::test]
async fn ok_the_day_of_use_is_written_once_a_day() {
    let lab = Lab::start().expect("the lab starts");
    lab.domain(DOMAIN).mode("enforce").ttl(86_400).publish();
    let (clock, secs) = clock();
    let store = Arc::new(Flaky::default());
    let client = builder(&lab).store(Arc::clone(&store)).clock(clock).build().expect("a client");
    let noon = 86_400 - secs.load(Ordering::SeqCst) % 86_400 + 43_200;
    secs.fetch_add(noon, Ordering::SeqCst);
    client.policy_for(&domain()).await;
    let first = store.inner.get(&domain()).expect("readable").expect("an entry").last_used();
    secs.fetch_add(43_200, Ordering::SeqCst);
    assert!(client.policy_in_memory(&domain()).is_some());
    assert!(client.policy_in_memory(&domain()).is_some());
    assert_eq!(client.flush().await, Ok(()));
    assert_eq!(store.counts(), (1, 2));
    let second = store.inner.get(&domain()).expect("readable").expect("an entry").last_used();
    assert_eq!(second.secs_since(first), 86_400);
}

#[tokio::test]
async fn ok_a_panic_of_the_store_is_a_failure_of_the_store() {
    #[derive(Debug)]
    struct Broken;
    impl Store for Broken {
        fn get(&self, _: &PolicyDomain) -> Result<Option<Entry>, StoreError> {
            panic!("the store panics, as this test wants")
        }
        fn merge(&self, _: &Entry, _: Urgency) -> Result<Entry, StoreError> {
            panic!("the store panics, as this test wants")
        }
        fn remove(&self, _: &PolicyDomain) -> Result<bool, StoreError> {
            Err(down())
        }
        fn visit(&self, _: &mut dyn FnMut(Stored) -> ControlFlow<()>) -> Result<(), StoreError> {
            Err(down())
        }
    }
    let lab = Lab::start().expect("the lab starts");
    lab.domain(DOMAIN).mode("enforce").publish();
    let client = builder(&lab).store(Broken).build().expect("a client");
    let outcome = client.policy_for(&domain()).await;
    assert_eq!((outcome.status(), outcome.is_persisted()), (Status::Found, false));
}
