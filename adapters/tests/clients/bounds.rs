//! How much may be under way at a time.

use std::thread;
use std::time::Duration;

use mta_sts_adapters::{Problem, Status};
use mta_sts_lab::{Gate, Https};

use crate::client::{Client, builder};
use crate::{LIMIT, domain, hold_txt, lab, txt_queries};

#[test]
fn ok_no_lookup_begins_in_the_background_beyond_the_bound() {
    let lab = lab(["a.example", "b.example"]);
    let gate = hold_txt(&lab, "a.example");
    let builder = builder(&lab).concurrent_lookups(1).patience(Duration::from_millis(1));
    let client = Client::build(builder);
    assert_eq!(client.policy_for(&domain("a.example")).status(), Status::Unknown);
    assert!(lab.dns().queries().wait_for_blocking(1, LIMIT));
    let outcome = client.policy_for(&domain("b.example"));
    assert_eq!(outcome.problem(), Some(&Problem::NotAwaited));
    gate.open();
    assert!(lab.https().requests().wait_for_blocking(1, LIMIT));
    // This one waits for its turn, which comes when the first has ended.
    assert_eq!(client.recheck(&domain("a.example")).status(), Status::Confirmed);
    assert_eq!(txt_queries(&lab, "b.example"), 0);
}

#[test]
fn ok_who_waits_for_a_turn_gets_it() {
    let names = ["a.example", "b.example", "c.example", "d.example"];
    let lab = lab(names);
    let client = Client::build(builder(&lab).concurrent_lookups(1).concurrent_fetches(1));
    let callers = names.map(|name| {
        let client = client.clone();
        thread::spawn(move || client.policy_for(&domain(name)).status())
    });
    for caller in callers {
        assert_eq!(caller.join().expect("no panic"), Status::Found);
    }
}

#[test]
fn ok_one_address_is_dialled_by_no_more_than_may_be() {
    let lab = lab(["a.example", "b.example"]);
    let gate = Gate::closed();
    let text = "version: STSv1\nmode: enforce\nmx: mx.example.com\nmax_age: 604800\n";
    lab.https().set("mta-sts.a.example", Https::policy(text).held_by(&gate));
    let client = Client::build(builder(&lab).fetches_per_address(1));
    let ask = |name: &'static str| {
        let client = client.clone();
        thread::spawn(move || client.policy_for(&domain(name)).status())
    };
    let first = ask("a.example");
    assert!(lab.https().requests().wait_for_blocking(1, LIMIT));
    let asked = lab.dns().queries().count();
    let second = ask("b.example");
    // TXT, A and AAAA: after these nothing keeps it from dialling but the bound.
    assert!(lab.dns().queries().wait_for_blocking(asked + 3, LIMIT));
    assert_eq!(lab.https().connections(), 1);
    gate.open();
    assert_eq!(first.join().expect("no panic"), Status::Found);
    assert_eq!(second.join().expect("no panic"), Status::Found);
    let hosts: Vec<_> =
        lab.https().requests().all().iter().filter_map(|r| r.host().map(str::to_owned)).collect();
    assert_eq!(hosts.len(), 2, "{hosts:?}");
}
