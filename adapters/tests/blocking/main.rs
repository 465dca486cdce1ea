//! The blocking client against a real DNS and HTTPS server on loopback.
#![cfg(all(feature = "blocking", feature = "hickory-resolver"))]

#[path = "../support/lab_client.rs"]
mod lab_client;

use std::thread;
use std::time::Duration;

use mta_sts_adapters::blocking::{Builder, DnsThread, MtaSts};
use mta_sts_adapters::{HickoryDns, PolicyDomain, Status};
use mta_sts_lab::{DnsAnswer, Gate, Lab, RecordType};

const HOST: &str = "mta-sts.example.com";
const PATIENCE: Duration = Duration::from_secs(20);

fn builder(lab: &Lab) -> Builder {
    let dns = DnsThread::new(HickoryDns::servers([lab.dns_addr()])).expect("a thread");
    lab_client::trusting(MtaSts::builder().dns(dns), lab)
}

fn domain() -> PolicyDomain {
    PolicyDomain::parse("example.com").expect("a domain")
}

fn lab() -> Lab {
    let lab = Lab::start().expect("the lab starts");
    lab.domain("example.com").mode("enforce").mx(["mx.example.com"]).publish();
    lab
}

fn asked(lab: &Lab) -> (usize, usize) {
    let txt = lab.dns().queries().all();
    let txt = txt.iter().filter(|query| query.rtype == RecordType::Txt).count();
    (txt, lab.https().requests().count())
}

#[test]
fn ok_what_was_found_is_confirmed_from_memory() {
    let lab = lab();
    let client = builder(&lab).build().expect("a client");
    assert_eq!(client.policy_for(&domain()).status(), Status::Found);
    assert_eq!(client.policy_for(&domain()).status(), Status::Confirmed);
    assert_eq!(asked(&lab), (1, 1));
}

#[test]
fn ok_many_who_ask_at_once_share_one_question_and_one_fetch() {
    let lab = lab();
    let gate = Gate::closed();
    let answer = DnsAnswer::txt(["v=STSv1; id=1;"], 60).held_by(&gate);
    lab.dns().set("_mta-sts.example.com", RecordType::Txt, answer);
    let client = builder(&lab).build().expect("a client");
    thread::scope(|scope| {
        let ask = || scope.spawn(|| client.policy_for(&domain()));
        let callers: Vec<_> = (0..20).map(|_| ask()).collect();
        assert!(lab.dns().queries().wait_for_blocking(1, PATIENCE));
        gate.open();
        for caller in callers {
            assert!(caller.join().expect("no panic").policy().is_some());
        }
    });
    assert_eq!(asked(&lab), (1, 1));
}

#[test]
fn recheck_waits_for_the_lookup_in_progress_and_asks_dns_itself() {
    let lab = lab();
    let gate = Gate::closed();
    let answer = DnsAnswer::nxdomain(60).held_by(&gate);
    lab.dns().set("_mta-sts.example.com", RecordType::Txt, answer);
    let client = builder(&lab).build().expect("a client");
    thread::scope(|scope| {
        let waiting = scope.spawn(|| client.policy_for(&domain()));
        assert!(lab.dns().queries().wait_for_blocking(1, PATIENCE));
        let recheck = scope.spawn(|| client.recheck(&domain()));
        gate.open();
        assert_eq!(waiting.join().expect("no panic").status(), Status::Absent);
        // DNS says the same, and was asked for it.
        assert_eq!(recheck.join().expect("no panic").status(), Status::Absent);
    });
    assert_eq!(asked(&lab), (2, 0));
}

#[test]
fn ok_the_request_says_no_more_than_it_must() {
    let lab = lab();
    builder(&lab).build().expect("a client").policy_for(&domain());
    let hellos = lab.https().hellos().all();
    let [hello] = &hellos[..] else { panic!("{hellos:?}") };
    assert_eq!(hello.sni.as_deref(), Some(HOST));
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
