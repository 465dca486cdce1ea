//! What the client does beside the machine: memory, shared lookups, addresses, requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mta_sts_adapters::tokio::MtaSts;
use mta_sts_adapters::{Clock, PolicyDomain, Problem, Recheck, Status, UnixTime, system_clock};
use mta_sts_lab::{DnsAnswer, Fate, Gate, Https, Lab, Moment, RecordType, Response};

use tokio::task::JoinHandle;

use crate::builder;

const DOMAIN: &str = "example.com";
const RECORD: &str = "_mta-sts.example.com";
const HOST: &str = "mta-sts.example.com";
const DAY: u64 = 86_400;

fn domain() -> PolicyDomain {
    PolicyDomain::parse(DOMAIN).expect("a domain")
}

fn lab() -> Lab {
    let lab = Lab::start().expect("the lab starts");
    lab.domain(DOMAIN).mode("enforce").mx(["mx.example.com"]).publish();
    lab
}

/// A clock that stands until it is moved on, and its seconds.
pub(crate) fn clock() -> (Clock, Arc<AtomicU64>) {
    let secs = Arc::new(AtomicU64::new(system_clock().as_secs()));
    let reads = Arc::clone(&secs);
    (Arc::new(move || UnixTime::from_secs(reads.load(Ordering::SeqCst))), secs)
}

fn asked(lab: &Lab) -> (usize, usize) {
    let txt = lab.dns().queries().all();
    let txt = txt.iter().filter(|query| query.rtype == RecordType::Txt).count();
    (txt, lab.https().requests().count())
}

/// A delivery that waits for the policy.
fn waiting(client: &MtaSts) -> JoinHandle<Status> {
    let client = client.clone();
    tokio::spawn(async move { client.policy_for(&domain()).await.status() })
}

fn client(lab: &Lab) -> MtaSts {
    builder(lab).build().expect("a client")
}

#[tokio::test]
async fn ok_what_was_found_is_confirmed_from_memory() {
    let lab = lab();
    let client = client(&lab);
    assert!(client.policy_in_memory(&domain()).is_none());
    assert_eq!(client.policy_for(&domain()).await.status(), Status::Found);
    for _ in 0..3 {
        assert_eq!(client.policy_for(&domain()).await.status(), Status::Confirmed);
    }
    let outcome = client.clone().policy_in_memory(&domain()).expect("known");
    assert!(outcome.is_persisted());
    assert_eq!(asked(&lab), (1, 1));
}

#[tokio::test]
async fn ok_when_the_ttl_is_over_dns_is_asked_and_nothing_fetched() {
    let lab = lab();
    let (clock, secs) = clock();
    let client = builder(&lab).clock(clock).build().expect("a client");
    assert_eq!(client.policy_for(&domain()).await.status(), Status::Found);
    secs.fetch_add(301, Ordering::SeqCst);
    assert_eq!(client.policy_for(&domain()).await.status(), Status::Confirmed);
    assert_eq!(asked(&lab), (2, 1));
}

#[tokio::test]
async fn ok_a_held_policy_outlives_dns_and_https_until_it_expires() {
    let lab = lab();
    let (clock, secs) = clock();
    let client = builder(&lab).clock(clock).build().expect("a client");
    assert_eq!(client.policy_for(&domain()).await.status(), Status::Found);
    lab.domain(DOMAIN).withdraw();
    secs.fetch_add(6 * DAY, Ordering::SeqCst);
    let outcome = client.policy_for(&domain()).await;
    assert_eq!(outcome.status(), Status::Held);
    assert_eq!(outcome.problem(), Some(&Problem::RecordAbsent));
    secs.fetch_add(DAY, Ordering::SeqCst);
    let outcome = client.policy_for(&domain()).await;
    assert_eq!((outcome.status(), outcome.policy()), (Status::Absent, None));
}

#[tokio::test]
async fn ok_a_refresh_fetches_without_a_record() {
    let lab = lab();
    let client = client(&lab);
    assert_eq!(client.policy_for(&domain()).await.status(), Status::Found);
    lab.dns().set(RECORD, RecordType::Txt, DnsAnswer::nxdomain(60));
    assert_eq!(client.refresh(&domain()).await.status(), Status::Found);
    assert_eq!(asked(&lab), (2, 2));
}

#[tokio::test]
async fn ok_many_who_ask_at_once_share_one_question_and_one_fetch() {
    let lab = lab();
    let gate = Gate::closed();
    lab.dns().set(RECORD, RecordType::Txt, DnsAnswer::txt(["v=STSv1; id=1;"], 60).held_by(&gate));
    let client = client(&lab);
    let ask = || {
        let client = client.clone();
        tokio::spawn(async move { client.policy_for(&domain()).await })
    };
    let callers: Vec<_> = (0..50).map(|_| ask()).collect();
    lab.dns().queries().wait_for(1).await;
    gate.open();
    for caller in callers {
        let outcome = caller.await.expect("no panic");
        assert_eq!(outcome.status(), Status::Found);
        assert!(outcome.policy().is_some());
    }
    assert_eq!(asked(&lab), (1, 1));
}

#[tokio::test]
async fn ok_who_ceases_to_wait_takes_nothing_from_others() {
    let lab = lab();
    let gate = Gate::closed();
    lab.https().set(HOST, Https::policy(policy()).held_by(&gate));
    let client = client(&lab);
    let first = waiting(&client);
    lab.https().requests().wait_for(1).await;
    let second = waiting(&client);
    first.abort();
    assert!(first.await.is_err());
    gate.open();
    assert!(matches!(second.await, Ok(Status::Found | Status::Confirmed)));
    assert_eq!(asked(&lab), (1, 1));
}

#[tokio::test]
async fn ok_a_lookup_that_nobody_waits_for_ends_in_memory() {
    let lab = lab();
    let gate = Gate::closed();
    lab.https().set(HOST, Https::policy(policy()).held_by(&gate));
    let client = client(&lab);
    let waiting = waiting(&client);
    lab.https().requests().wait_for(1).await;
    waiting.abort();
    assert!(waiting.await.is_err());
    gate.open();
    // It joins the flight or comes after it; either way there is no second one.
    assert!(client.policy_for(&domain()).await.policy().is_some());
    assert_eq!(asked(&lab), (1, 1));
}

#[tokio::test]
async fn recheck_waits_for_the_lookup_in_progress_and_asks_dns_itself() {
    let lab = lab();
    let gate = Gate::closed();
    lab.dns().set(RECORD, RecordType::Txt, DnsAnswer::nxdomain(60).held_by(&gate));
    let client = client(&lab);
    let waiting = waiting(&client);
    lab.dns().queries().wait_for(1).await;
    let recheck = tokio::spawn({
        let client = client.clone();
        async move { client.recheck(&domain()).await }
    });
    tokio::task::yield_now().await;
    gate.open();
    assert_eq!(waiting.await.expect("no panic"), Status::Absent);
    // DNS says the same, and was asked for it.
    assert_eq!(recheck.await.expect("no panic").status(), Status::Absent);
    assert_eq!(asked(&lab), (2, 0));
}

#[tokio::test]
async fn rechecks_ask_each_for_itself_and_one_after_the_other() {
    let lab = lab();
    let gate = Gate::closed();
    lab.dns().set(RECORD, RecordType::Txt, DnsAnswer::nxdomain(60).held_by(&gate));
    let client = client(&lab);
    let asking = (0..4).map(|_| {
        let client = client.clone();
        tokio::spawn(async move { client.lookup(&domain(), Recheck::Always).await.status() })
    });
    let asking: Vec<_> = asking.collect();
    lab.dns().queries().wait_for(1).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(asked(&lab), (1, 0), "the others wait for the one in progress");
    gate.open();
    for status in asking {
        assert_eq!(status.await.expect("no panic"), Status::Absent);
    }
    assert_eq!(asked(&lab), (4, 0));
}

/// A lookup that its runtime gave up in the middle of a fetch has taken the fetch from the budget.
#[test]
fn fetch_counts_though_its_lookup_was_abandoned() {
    let lab = lab();
    let client = client(&lab);
    lab.https().set(HOST, Https::fails(Moment::AfterRequest, Fate::Stall));
    let runtime =
        || tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    for fetch in 1..=4 {
        lab.dns().txt(RECORD, [format!("v=STSv1; id={fetch};").as_str()], 60);
        runtime().block_on(async {
            let _abandoned = waiting(&client);
            lab.https().requests().wait_for(fetch).await;
        });
    }
    lab.dns().txt(RECORD, ["v=STSv1; id=5;"], 60);
    let outcome = runtime().block_on(client.policy_for(&domain()));
    assert!(matches!(outcome.problem(), Some(Problem::FetchLimited { .. })), "{outcome:?}");
    assert_eq!(asked(&lab).1, 4);
}

#[tokio::test]
async fn ok_the_request_says_no_more_than_it_must() {
    let lab = lab();
    client(&lab).policy_for(&domain()).await;
    let hellos = lab.https().hellos().all();
    let [hello] = &hellos[..] else { panic!("{hellos:?}") };
    assert_eq!(hello.sni.as_deref(), Some(HOST));
    assert_eq!(hello.alpn, ["http/1.1"]);
    let requests = lab.https().requests().all();
    let [request] = &requests[..] else { panic!("{requests:?}") };
    assert_eq!((&*request.method, &*request.path), ("GET", "/.well-known/mta-sts.txt"));
    assert_eq!(request.host(), Some(&*format!("{HOST}:{}", lab.https_port())));
    let agent = concat!("mta-sts/", env!("CARGO_PKG_VERSION"), " (RFC 8461)");
    assert_eq!(request.user_agent(), Some(agent));
    let mut names: Vec<_> =
        request.headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
    names.sort();
    assert_eq!(names, ["accept", "connection", "host", "user-agent"]);
}

#[tokio::test]
async fn ok_a_failed_fetch_is_not_tried_again_for_every_delivery() {
    let lab = lab();
    lab.https().set(HOST, Https::respond(Response::new(503)));
    let client = client(&lab);
    for _ in 0..5 {
        assert_eq!(client.policy_for(&domain()).await.status(), Status::Absent);
    }
    assert_eq!(asked(&lab).1, 1);
    let backing_off = client.policy_for(&domain()).await;
    assert!(matches!(backing_off.problem(), Some(Problem::BackingOff { .. })));
}

#[tokio::test]
async fn ok_what_was_forgotten_is_looked_up_again() {
    let lab = lab();
    let client = client(&lab);
    assert_eq!(client.forget(&domain()).await, Ok(false));
    client.policy_for(&domain()).await;
    assert_eq!(client.forget(&domain()).await, Ok(true));
    assert!(client.policy_in_memory(&domain()).is_none());
    assert_eq!(client.policy_for(&domain()).await.status(), Status::Found);
    assert_eq!(asked(&lab), (2, 2));
}

#[tokio::test]
async fn ok_fetches_wait_for_their_turn() {
    let lab = lab();
    let gate = Gate::closed();
    lab.domain("example.net").publish();
    lab.https().set(HOST, Https::policy(policy()).held_by(&gate));
    let client = builder(&lab).concurrent_fetches(1).build().expect("a client");
    let first = waiting(&client);
    lab.https().requests().wait_for(1).await;
    let second = tokio::spawn({
        let client = client.clone();
        let domain = PolicyDomain::parse("example.net").expect("a domain");
        async move { client.policy_for(&domain).await.status() }
    });
    lab.dns().queries().wait_for(4).await;
    assert_eq!(lab.https().connections(), 1);
    gate.open();
    assert_eq!(first.await.expect("no panic"), Status::Found);
    assert_eq!(second.await.expect("no panic"), Status::Found);
}

fn policy() -> &'static str {
    "version: STSv1\nmode: enforce\nmx: mx.example.com\nmax_age: 604800\n"
}
