//! Policies are fetched again ahead of their end: by a refresher, or by whoever uses them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use mta_sts_adapters::schedule::Alert;
use mta_sts_adapters::{Memory, Mode, Snapshot, Status};
use mta_sts_lab::{Https, Response};

use crate::client::{Client, builder};
use crate::{DAY, LIMIT, clock, domain, lab};

#[test]
fn ok_a_policy_that_is_used_a_day_later_is_refreshed_in_the_background() {
    let lab = lab(["a.example"]);
    let (clock, secs) = clock();
    let client = Client::build(builder(&lab).clock(clock));
    assert_eq!(client.policy_for(&domain("a.example")).status(), Status::Found);
    secs.fetch_add(DAY, Ordering::SeqCst);
    // Its id is known: for the delivery there is nothing to fetch.
    assert_eq!(client.policy_for(&domain("a.example")).status(), Status::Confirmed);
    assert!(lab.https().requests().wait_for_blocking(2, LIMIT));
}

#[test]
fn ok_use_refreshes_at_most_once_in_five_minutes() {
    let lab = lab(["a.example"]);
    let (clock, secs) = clock();
    let client = Client::build(builder(&lab).clock(clock));
    assert_eq!(client.policy_for(&domain("a.example")).status(), Status::Found);
    secs.fetch_add(DAY, Ordering::SeqCst);
    lab.https().set("mta-sts.a.example", Https::respond(Response::new(503)));
    for _ in 0..3 {
        assert!(client.policy_for(&domain("a.example")).policy().is_some());
    }
    assert!(lab.https().requests().wait_for_blocking(2, LIMIT));
    // A lookup of its own comes after those that began before it, were there any.
    client.recheck(&domain("a.example"));
    assert_eq!(lab.https().requests().count(), 2);
    // It fails at this time, not at the next: from then on it is five minutes.
    let begun = Instant::now();
    while Snapshot::count(&client.metrics().refreshes, "failed") == 0 {
        assert!(begun.elapsed() < LIMIT, "the refresh has no end");
        std::thread::yield_now();
    }
    lab.domain("a.example").id("1").mode("enforce").publish();
    secs.fetch_add(301, Ordering::SeqCst);
    assert!(client.policy_for(&domain("a.example")).policy().is_some());
    assert!(lab.https().requests().wait_for_blocking(3, LIMIT));
}

/// The time that a step of the clock is given to have its effect.
const STEP: Duration = Duration::from_millis(50);

/// Sets the clock forward by half an hour at a time, until something comes of it. What a longer step
/// makes due is spread over hours.
fn as_time_passes<T>(secs: &AtomicU64, mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..100 {
        secs.fetch_add(DAY / 48, Ordering::SeqCst);
        if let Some(seen) = look() {
            return seen;
        }
    }
    panic!("two days have passed")
}

#[test]
fn ok_a_refresher_finds_a_weaker_policy_and_tells() {
    let lab = lab(["a.example"]);
    let (clock, secs) = clock();
    let client = Client::build(builder(&lab).clock(clock));
    let (told, alerts) = channel();
    let refresher = client.refresher(move |alert, outcome| {
        told.send((alert, outcome.status())).expect("the test listens");
    });
    assert_eq!(client.policy_for(&domain("a.example")).status(), Status::Found);
    // Nothing but a refresh asks for a policy whose id is known.
    lab.domain("a.example").id("1").mode("testing").mx(["mx.example.com"]).publish();
    let (alert, status) = as_time_passes(&secs, || {
        refresher.wake();
        alerts.recv_timeout(STEP).ok()
    });
    let Alert::PolicyWeaker { domain: weaker, change } = alert else { panic!("{alert:?}") };
    assert_eq!((weaker, status), (domain("a.example"), Status::Found));
    assert_eq!(change.mode, (Mode::Enforce, Mode::Testing));
    refresher.shutdown();
    let snapshot = client.metrics();
    assert_eq!(Snapshot::count(&snapshot.refreshes, "ok"), 1);
    assert_eq!(snapshot.policies_weakened, 1);
    let held = client.policy_for(&domain("a.example"));
    assert_eq!(held.policy().map(|held| held.policy().mode()), Some(Mode::Testing));
}

#[test]
fn ok_a_refresher_begins_with_what_the_store_holds() {
    let lab = lab(["a.example"]);
    let (clock, secs) = clock();
    let store = std::sync::Arc::new(Memory::new(100));
    let first = Client::build(builder(&lab).store(store.clone()).clock(clock.clone()));
    assert_eq!(first.policy_for(&domain("a.example")).status(), Status::Found);
    let client = Client::build(builder(&lab).store(store).clock(clock));
    let refresher = client.refresher(|_, _| {});
    let store_was_read = || {
        let durations = client.metrics().durations;
        durations.iter().any(|durations| durations.label == "store_read" && durations.count > 0)
    };
    while !store_was_read() {
        std::thread::yield_now();
    }
    as_time_passes(&secs, || {
        refresher.wake();
        lab.https().requests().wait_for_blocking(2, STEP).then_some(())
    });
    refresher.shutdown();
}

#[test]
fn ok_where_a_refresher_runs_use_begins_no_refresh() {
    let lab = lab(["a.example"]);
    let (clock, secs) = clock();
    let client = Client::build(builder(&lab).clock(clock));
    assert_eq!(client.policy_for(&domain("a.example")).status(), Status::Found);
    secs.fetch_add(DAY, Ordering::SeqCst);
    let refresher = client.refresher(|_, _| {});
    // What is overdue when a refresher begins is spread over hours.
    assert_eq!(client.policy_for(&domain("a.example")).status(), Status::Confirmed);
    assert_eq!(client.recheck(&domain("a.example")).status(), Status::Confirmed);
    assert_eq!(lab.https().requests().count(), 1);
    refresher.shutdown();
    // Nobody else sees to it now.
    assert_eq!(client.policy_for(&domain("a.example")).status(), Status::Confirmed);
    assert!(lab.https().requests().wait_for_blocking(2, LIMIT));
}

#[test]
fn ok_a_refresher_that_is_dropped_stops() {
    let lab = lab(["a.example"]);
    let client = Client::build(builder(&lab));
    drop(client.refresher(|_, _| {}));
    // Another may take its place.
    client.refresher(|_, _| {}).shutdown();
    assert_eq!(client.policy_for(&domain("a.example")).status(), Status::Found);
}
