//! From a domain to the permission to bounce.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use mta_sts_adapters::delivery::{Candidate, Conclusion, Mx, Retry};
use mta_sts_adapters::{Bounce, DnsFailureKind, Problem, Status};
use mta_sts_lab::{DnsAnswer, Gate, Https, Lab, Rcode, RecordType};

use crate::client::{Client, builder};
use crate::{DAY, LIMIT, clock, domain, lab, record, txt_queries};

#[test]
fn ok_candidates_come_in_their_order_and_unfiltered() {
    let lab = lab(["a.example"]);
    let client = Client::build(builder(&lab));
    let of = |name: &str| client.candidates(&domain(name));
    lab.dns().mx("a.example", [(20, "mx2.example.net"), (10, "mx1.example.com")], 60);
    assert_eq!(
        of("a.example"),
        Ok(vec![Mx::parse("mx1.example.com"), Mx::parse("mx2.example.net")])
    );
    lab.dns().mx("null.example", [(0, "")], 60);
    assert_eq!(of("null.example"), Ok(vec![Mx::Null]));
    lab.dns().set("none.example", RecordType::Mx, DnsAnswer::no_data(60));
    assert_eq!(of("none.example"), Ok(vec![Mx::parse("none.example")]));
    lab.dns().set("down.example", RecordType::Mx, DnsAnswer::rcode(Rcode::SERVFAIL));
    let failure = of("down.example").expect_err("DNS is down");
    assert_eq!(failure.kind(), DnsFailureKind::ServerFailure);
}

#[test]
fn ok_mail_that_a_policy_refused_bounces_only_after_dns_was_asked_again() {
    let lab = lab(["a.example"]);
    let client = Client::build(builder(&lab));
    let refused = || refused(&client);
    lab.dns().set(&record("a.example"), RecordType::Txt, DnsAnswer::txt(["v=STSv1; id=1;"], 600));
    let retry = refused();
    lab.dns().set(&record("a.example"), RecordType::Txt, DnsAnswer::rcode(Rcode::SERVFAIL));
    match client.gate(retry) {
        Bounce::Deferred(silent) => assert_eq!(silent.status(), Status::Held),
        Bounce::Permitted(_) => panic!("silence permits nothing"),
    }
    lab.domain("a.example").id("1").mode("enforce").mx(["mx.example.com"]).publish();
    let asked = txt_queries(&lab, "a.example");
    let answered = client.gate(refused());
    assert!(txt_queries(&lab, "a.example") > asked);
    let token = answered.permitted().expect("nothing newer is published");
    assert_eq!(token.domain(), &domain("a.example"));
}

/// A delivery that the policy of `a.example` refused.
fn refused(client: &Client) -> Retry {
    let (mut delivery, outcome) = client.delivery(&domain("a.example"));
    assert!(outcome.policy().is_some());
    let Candidate::Skip(_) = delivery.candidate(&Mx::parse("mx.example.net")) else {
        panic!("no pattern allows it")
    };
    let Conclusion::Retry(retry) = delivery.conclude() else { panic!("a policy refused it") };
    retry
}

const HOST: &str = "mta-sts.a.example";
/// Long enough for a question to reach the lab, if one is asked.
const A_WHILE: Duration = Duration::from_millis(100);

/// A second policy is published, and its fetch is held back.
fn hold_fetch(lab: &Lab) -> Gate {
    let gate = Gate::closed();
    lab.domain("a.example").id("2").mode("testing").mx(["mx.example.net"]).publish();
    let text = "version: STSv1\nmode: testing\nmx: mx.example.net\nmax_age: 604800\n";
    lab.https().set(HOST, Https::policy(text).held_by(&gate));
    gate
}

#[test]
fn gate_waits_for_the_lookup_in_progress() {
    let lab = lab(["a.example"]);
    let client = Client::build(builder(&lab));
    let retry = refused(&client);
    let held = hold_fetch(&lab);
    let (asked, fetched) = (txt_queries(&lab, "a.example"), lab.https().requests().count());
    thread::scope(|scope| {
        let rechecked = scope.spawn(|| client.recheck(&domain("a.example")));
        assert!(lab.https().requests().wait_for_blocking(fetched + 1, LIMIT));
        let gated = scope.spawn(|| client.gate(retry));
        thread::sleep(A_WHILE);
        assert_eq!(txt_queries(&lab, "a.example"), asked + 1, "the gate waits");
        held.open();
        assert_eq!(rechecked.join().expect("no panic").status(), Status::Found);
        let Bounce::Deferred(outcome) = gated.join().expect("no panic") else {
            panic!("another policy is published")
        };
        // It asked DNS itself, and began from what the lookup before had learnt.
        assert_eq!(outcome.status(), Status::Confirmed);
        assert_eq!(outcome.policy().map(|held| held.id().to_string()).as_deref(), Some("2"));
    });
    assert_eq!(txt_queries(&lab, "a.example"), asked + 2);
    assert_eq!(lab.https().requests().count(), fetched + 1);
}

#[test]
fn gates_of_one_domain_ask_each_for_itself() {
    let lab = lab(["a.example"]);
    let client = Client::build(builder(&lab));
    let retries: Vec<_> = (0..5).map(|_| refused(&client)).collect();
    let asked = txt_queries(&lab, "a.example");
    thread::scope(|scope| {
        let gates: Vec<_> =
            retries.into_iter().map(|retry| scope.spawn(|| client.gate(retry))).collect();
        for gate in gates {
            assert!(gate.join().expect("no panic").permitted().is_some());
        }
    });
    assert_eq!(txt_queries(&lab, "a.example"), asked + 5);
}

#[test]
fn gates_that_wait_while_dns_is_silent_are_deferred_together() {
    let lab = lab(["a.example"]);
    let client = Client::build(builder(&lab));
    let retries: Vec<_> = (0..20).map(|_| refused(&client)).collect();
    let silence = Gate::closed();
    let answer = DnsAnswer::rcode(Rcode::SERVFAIL).held_by(&silence);
    lab.dns().set(&record("a.example"), RecordType::Txt, answer);
    let asked = txt_queries(&lab, "a.example");
    thread::scope(|scope| {
        let gates: Vec<_> =
            retries.into_iter().map(|retry| scope.spawn(|| client.gate(retry))).collect();
        assert!(lab.dns().queries().wait_for_blocking(asked + 1, LIMIT));
        thread::sleep(A_WHILE);
        silence.open();
        for gate in gates {
            match gate.join().expect("no panic") {
                Bounce::Deferred(outcome) => assert_eq!(outcome.status(), Status::Held),
                Bounce::Permitted(_) => panic!("silence permits nothing"),
            }
        }
    });
    // The first, and the first that came after it had asked; DNS is asked a few times by each.
    let metrics = client.metrics();
    let failed = metrics.txt_queries.iter().find(|count| count.label == "failed");
    assert!(failed.is_some_and(|count| (1..=2).contains(&count.count)), "{failed:?}");
    // Once DNS answers, the next gate asks for itself.
    lab.dns().set(&record("a.example"), RecordType::Txt, DnsAnswer::txt(["v=STSv1; id=1;"], 60));
    assert!(client.gate(refused(&client)).permitted().is_some());
}

#[test]
fn impatient_delivery_does_not_wait_for_another_lookup() {
    let lab = lab(["a.example"]);
    let (clock, secs) = clock();
    let builder = builder(&lab).patience(Duration::from_millis(1)).clock(clock);
    let client = Client::build(builder);
    assert_eq!(client.recheck(&domain("a.example")).status(), Status::Found);
    // What DNS said is over, so that a delivery would look it up.
    secs.fetch_add(DAY, Ordering::SeqCst);
    let held = hold_fetch(&lab);
    let fetched = lab.https().requests().count();
    thread::scope(|scope| {
        let rechecked = scope.spawn(|| client.recheck(&domain("a.example")));
        assert!(lab.https().requests().wait_for_blocking(fetched + 1, LIMIT));
        let outcome = client.policy_for(&domain("a.example"));
        assert_eq!(outcome.status(), Status::Held);
        assert_eq!(outcome.problem(), Some(&Problem::NotAwaited));
        held.open();
        assert_eq!(rechecked.join().expect("no panic").status(), Status::Found);
    });
}
