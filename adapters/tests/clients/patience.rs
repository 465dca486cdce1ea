//! Whoever does not wait for a lookup is told what is held, and the lookup goes on.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use mta_sts_adapters::{FirstContact, Memory, Problem, Status};

use crate::client::{Client, builder};
use crate::{LIMIT, clock, domain, hold_txt, lab, txt_queries};

const SHORT: Duration = Duration::from_millis(1);

#[test]
fn ok_impatience_without_a_policy_learns_nothing_and_the_lookup_goes_on() {
    let lab = lab(["a.example"]);
    let gate = hold_txt(&lab, "a.example");
    let client = Client::build(builder(&lab).patience(SHORT));
    for _ in 0..2 {
        let outcome = client.policy_for(&domain("a.example"));
        assert_eq!((outcome.status(), outcome.policy()), (Status::Unknown, None));
        assert_eq!(outcome.problem(), Some(&Problem::NotAwaited));
        assert!(!outcome.is_reportable());
    }
    gate.open();
    assert!(lab.https().requests().wait_for_blocking(1, LIMIT));
    assert_eq!(txt_queries(&lab, "a.example"), 1, "the second shared the lookup of the first");
}

#[test]
fn ok_impatience_gets_the_policy_that_the_store_holds() {
    let lab = lab(["a.example"]);
    let store = Arc::new(Memory::new(100));
    let (clock, secs) = clock();
    let patient = Client::build(builder(&lab).store(Arc::clone(&store)).clock(clock.clone()));
    let found = patient.policy_for(&domain("a.example"));
    assert_eq!(found.status(), Status::Found);
    secs.fetch_add(3_600, Ordering::SeqCst);
    let gate = hold_txt(&lab, "a.example");
    // It is another client: only the store knows.
    let client = Client::build(builder(&lab).store(store).clock(clock).patience(SHORT));
    let outcome = client.policy_for(&domain("a.example"));
    assert_eq!(outcome.status(), Status::Held);
    assert_eq!(outcome.policy(), found.policy());
    assert_eq!(outcome.problem(), Some(&Problem::NotAwaited));
    let fetched_at = found.policy().expect("found").fetched_at();
    assert_eq!(outcome.alert(fetched_at), None, "nothing went wrong");
    gate.open();
    assert_eq!(client.recheck(&domain("a.example")).status(), Status::Confirmed);
}

#[test]
fn ok_a_first_contact_is_answered_at_once_and_found_in_the_background() {
    let lab = lab(["a.example"]);
    let gate = hold_txt(&lab, "a.example");
    let client = Client::build(builder(&lab).first_contact(FirstContact::AnswerAtOnce));
    let outcome = client.policy_for(&domain("a.example"));
    assert_eq!((outcome.status(), outcome.policy()), (Status::Unknown, None));
    gate.open();
    assert!(lab.https().requests().wait_for_blocking(1, LIMIT));
    assert!(client.recheck(&domain("a.example")).policy().is_some());
}

#[test]
fn ok_a_policy_that_is_held_is_no_first_contact() {
    let lab = lab(["a.example"]);
    let (clock, secs) = clock();
    let builder = builder(&lab).first_contact(FirstContact::AnswerAtOnce).clock(clock);
    let client = Client::build(builder);
    assert_eq!(client.recheck(&domain("a.example")).status(), Status::Found);
    secs.fetch_add(3_600, Ordering::SeqCst);
    // Something is due, and it is waited for.
    assert_eq!(client.policy_for(&domain("a.example")).status(), Status::Confirmed);
}

#[test]
fn ok_patience_that_lasts_gets_the_outcome() {
    let lab = lab(["a.example"]);
    let client = Client::build(builder(&lab).patience(LIMIT));
    assert!(client.in_memory(&domain("a.example")).is_none());
    assert_eq!(client.policy_for(&domain("a.example")).status(), Status::Found);
    let remembered = client.in_memory(&domain("a.example")).expect("nothing is due");
    assert_eq!(remembered.status(), Status::Confirmed);
}
