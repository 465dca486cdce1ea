//! The client for threads against a real DNS and HTTPS server on loopback: what its callers see of
//! the client behind it, and of its runtime.
#![cfg(all(feature = "blocking", feature = "hickory-resolver"))]

mod dns;
#[path = "../support/lab_client.rs"]
mod lab_client;
mod runtime;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use mta_sts_adapters::blocking::{Builder, MtaSts};
use mta_sts_adapters::delivery::{Candidate, Conclusion, Mx, Requirements, Retry};
use mta_sts_adapters::schedule::Alert;
use mta_sts_adapters::{
    Bounce, BuildError, Clock, HickoryDns, Limits, Memory, Mode, PolicyDomain, Recheck, Snapshot,
    Status, UnixTime, system_clock,
};
use mta_sts_lab::{DnsAnswer, Gate, Lab, Rcode, RecordType};

const DOMAIN: &str = "example.com";
const RECORD: &str = "_mta-sts.example.com";
const HOST: &str = "mta-sts.example.com";
const DAY: u64 = 86_400;
/// How long a test waits for what must come.
const LIMIT: Duration = Duration::from_secs(20);

fn builder(lab: &Lab) -> Builder {
    lab_client::trusting(MtaSts::builder().dns(HickoryDns::servers([lab.dns_addr()])), lab)
}

fn client(lab: &Lab) -> MtaSts {
    builder(lab).build().expect("a client")
}

fn domain() -> PolicyDomain {
    PolicyDomain::parse(DOMAIN).expect("a domain")
}

fn lab() -> Lab {
    let lab = Lab::start().expect("the lab starts");
    lab.domain(DOMAIN).id("1").mode("enforce").mx(["mx.example.com"]).publish();
    lab
}

/// Holds the answer to the TXT question back.
fn hold_txt(lab: &Lab) -> Gate {
    let gate = Gate::closed();
    let answer = DnsAnswer::txt(["v=STSv1; id=1;"], 60).held_by(&gate);
    lab.dns().set(RECORD, RecordType::Txt, answer);
    gate
}

/// A clock that stands until it is moved on, and its seconds.
fn clock() -> (Clock, Arc<AtomicU64>) {
    let secs = Arc::new(AtomicU64::new(system_clock().as_secs()));
    let reads = Arc::clone(&secs);
    (Arc::new(move || UnixTime::from_secs(reads.load(Ordering::SeqCst))), secs)
}

/// The numbers of TXT questions and of requests for a policy.
fn asked(lab: &Lab) -> (usize, usize) {
    let txt = lab.dns().queries().all();
    let txt = txt.iter().filter(|query| query.rtype == RecordType::Txt).count();
    (txt, lab.https().requests().count())
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

/// A delivery that the policy refused.
fn refused(client: &MtaSts) -> Retry {
    let (mut delivery, outcome) = client.delivery(&domain(), Requirements::default());
    assert!(outcome.policy().is_some());
    let Candidate::Skip(_) = delivery.candidate(&Mx::parse("mx.example.net")) else {
        panic!("no pattern allows it")
    };
    let Conclusion::Retry(retry) = delivery.conclude() else { panic!("a policy refused it") };
    retry
}

#[test]
fn what_was_found_is_confirmed_from_memory() {
    let lab = lab();
    let client = client(&lab);
    assert!(client.policy_in_memory(&domain()).is_none());
    assert_eq!(client.policy_for(&domain()).status(), Status::Found);
    assert_eq!(client.policy_for(&domain()).status(), Status::Confirmed);
    assert_eq!(client.policy_in_memory(&domain()).map(|o| o.status()), Some(Status::Confirmed));
    assert_eq!(asked(&lab), (1, 1));
}

#[test]
fn threads_that_ask_at_once_share_one_lookup() {
    let lab = lab();
    let gate = hold_txt(&lab);
    let client = client(&lab);
    thread::scope(|scope| {
        let ask = || scope.spawn(|| client.policy_for(&domain()));
        let callers: Vec<_> = (0..20).map(|_| ask()).collect();
        assert!(lab.dns().queries().wait_for_blocking(1, LIMIT));
        gate.open();
        for caller in callers {
            assert!(caller.join().expect("no panic").policy().is_some());
        }
    });
    assert_eq!(asked(&lab), (1, 1));
}

#[test]
fn each_rule_of_a_lookup_asks_what_it_must() {
    let lab = lab();
    let client = client(&lab);
    for (recheck, status, expected) in [
        (Recheck::WhenDue, Status::Found, (1, 1)),
        (Recheck::WhenDue, Status::Confirmed, (1, 1)),
        (Recheck::Always, Status::Confirmed, (2, 1)),
        (Recheck::Refresh, Status::Found, (3, 2)),
    ] {
        assert_eq!(client.lookup(&domain(), recheck).status(), status, "{recheck:?}");
        assert_eq!(asked(&lab), expected, "{recheck:?}");
    }
    assert_eq!(Snapshot::count(&client.metrics().refreshes, "ok"), 1);
}

#[test]
fn candidates_come_in_their_order() {
    let lab = lab();
    lab.dns().mx(DOMAIN, [(20, "mx2.example.net"), (10, "mx1.example.com")], 60);
    let expected = vec![Mx::parse("mx1.example.com"), Mx::parse("mx2.example.net")];
    assert_eq!(client(&lab).candidates(&domain()), Ok(expected));
}

#[test]
fn gate_permits_a_bounce_only_after_dns_answered() {
    let lab = lab();
    let client = client(&lab);
    let retry = refused(&client);
    lab.dns().set(RECORD, RecordType::Txt, DnsAnswer::rcode(Rcode::SERVFAIL));
    match client.gate(retry) {
        Bounce::Deferred(silent) => assert_eq!(silent.status(), Status::Held),
        Bounce::Permitted(_) => panic!("silence permits nothing"),
    }
    lab.dns().set(RECORD, RecordType::Txt, DnsAnswer::txt(["v=STSv1; id=1;"], 60));
    let token = client.gate(refused(&client)).permitted().expect("nothing newer is published");
    assert_eq!(token.domain(), &domain());
}

#[test]
fn policy_used_a_day_later_is_refreshed_in_the_background() {
    let lab = lab();
    let (clock, secs) = clock();
    let client = builder(&lab).clock(clock).build().expect("a client");
    assert_eq!(client.policy_for(&domain()).status(), Status::Found);
    secs.fetch_add(DAY, Ordering::SeqCst);
    assert_eq!(client.policy_for(&domain()).status(), Status::Confirmed);
    assert!(lab.https().requests().wait_for_blocking(2, LIMIT));
}

#[test]
fn refresher_finds_a_weaker_policy_until_it_is_shut_down() {
    let lab = lab();
    let (clock, secs) = clock();
    let client = builder(&lab).clock(clock).build().expect("a client");
    let (told, alerts) = channel();
    let refresher = client.refresher(move |alert, outcome| {
        told.send((alert, outcome.status())).expect("the test listens");
    });
    assert_eq!(client.policy_for(&domain()).status(), Status::Found);
    // Nothing but a refresh asks for a policy whose id is known.
    lab.domain(DOMAIN).id("1").mode("testing").mx(["mx.example.com"]).publish();
    let (alert, status) = as_time_passes(&secs, || {
        refresher.wake();
        alerts.recv_timeout(STEP).ok()
    });
    let Alert::PolicyWeaker { domain: weaker, change } = alert else { panic!("{alert:?}") };
    assert_eq!((weaker, status), (domain(), Status::Found));
    assert_eq!(change.mode, (Mode::Enforce, Mode::Testing));
    refresher.shutdown();
    // The alert's function is gone, so nothing of the refresher is left.
    assert_eq!(alerts.recv_timeout(LIMIT).err(), Some(RecvTimeoutError::Disconnected));
}

#[test]
fn store_is_written_pruned_and_forgotten_through_the_client() {
    let lab = lab();
    let (clock, secs) = clock();
    let store = Arc::new(Memory::new(10));
    let builder = builder(&lab).store(Arc::clone(&store)).clock(clock);
    let client = builder.build().expect("a client");
    assert_eq!(client.policy_for(&domain()).status(), Status::Found);
    assert_eq!(client.flush(), Ok(()));
    assert_eq!(client.metrics().entries_pending, 0);
    assert_eq!(client.store_trouble(), None);
    assert_eq!(client.forget(&domain()), Ok(true));
    assert_eq!(client.forget(&domain()), Ok(false));
    lab.domain(DOMAIN).withdraw();
    assert_eq!(client.policy_for(&domain()).status(), Status::Absent);
    assert_eq!(client.flush(), Ok(()));
    secs.fetch_add(400 * DAY, Ordering::SeqCst);
    assert_eq!(client.prune(), Ok(1));
}

#[test]
fn settings_reach_the_client() {
    let (clock, secs) = clock();
    let limits = Limits::default().with_fetch_timeout(Duration::from_secs(7));
    let client = builder(&lab()).limits(limits).clock(clock).build().expect("a client");
    assert_eq!(client.limits(), limits);
    assert_eq!(client.now().as_secs(), secs.load(Ordering::SeqCst));
}

#[test]
fn user_agent_that_is_no_header_is_an_error() {
    let error = builder(&lab()).user_agent("a\nb").build().expect_err("it cannot be sent");
    assert_eq!(error, BuildError::UserAgent("a\nb".to_owned()));
}
