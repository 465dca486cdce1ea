//! What every client must do, whatever it is made of: run against a real DNS and HTTPS server on
//! loopback, one table for all.

pub(crate) mod dns;
pub(crate) mod https;

use std::time::Duration;

use mta_sts_adapters::{Limits, Mode, Outcome, PolicyDomain, Recheck, Status};
use mta_sts_testkit::lab::Lab;

/// A client under test, seen from a thread that may block.
pub(crate) trait Client {
    /// One that asks the lab, trusts it and has these limits.
    fn new(lab: &Lab, limits: Limits) -> Self;
    fn lookup(&self, domain: &PolicyDomain, recheck: Recheck) -> Outcome;
}

/// One fault, or one thing that must not be taken for a fault.
pub(crate) struct Case {
    pub(crate) what: &'static str,
    /// Changes what a published domain, with the mode `enforce` and the id `2`, would answer.
    pub(crate) arrange: fn(&Lab, &Names),
    pub(crate) expect: Expect,
    /// Whether it can only end by the deadline.
    pub(crate) stalls: bool,
}

/// What a first lookup finds.
pub(crate) enum Expect {
    /// The published policy.
    Found,
    /// There is no record.
    NoRecord,
    /// Not found, with this status and the reason code and result type of a report.
    Problem(Status, &'static str, &'static str),
}

/// The names of a domain under test.
pub(crate) struct Names {
    pub(crate) record: String,
    pub(crate) host: String,
}

pub(crate) const fn found(what: &'static str, arrange: fn(&Lab, &Names)) -> Case {
    Case { what, arrange, expect: Expect::Found, stalls: false }
}

pub(crate) const fn no_record(what: &'static str, arrange: fn(&Lab, &Names)) -> Case {
    Case { what, arrange, expect: Expect::NoRecord, stalls: false }
}

pub(crate) const fn unknown(
    what: &'static str,
    reason: &'static str,
    arrange: fn(&Lab, &Names),
) -> Case {
    let expect = Expect::Problem(Status::Unknown, reason, "sts-policy-fetch-error");
    Case { what, arrange, expect, stalls: false }
}

pub(crate) const fn absent(
    what: &'static str,
    reason: &'static str,
    arrange: fn(&Lab, &Names),
) -> Case {
    let expect = Expect::Problem(Status::Absent, reason, "sts-policy-fetch-error");
    Case { what, arrange, expect, stalls: false }
}

pub(crate) const fn untrusted(
    what: &'static str,
    reason: &'static str,
    arrange: fn(&Lab, &Names),
) -> Case {
    let expect = Expect::Problem(Status::Absent, reason, "sts-webpki-invalid");
    Case { what, arrange, expect, stalls: false }
}

pub(crate) const fn invalid(
    what: &'static str,
    reason: &'static str,
    arrange: fn(&Lab, &Names),
) -> Case {
    let expect = Expect::Problem(Status::Absent, reason, "sts-policy-invalid");
    Case { what, arrange, expect, stalls: false }
}

pub(crate) const fn stalls(case: Case) -> Case {
    Case { stalls: true, ..case }
}

/// Runs all cases twice: with nothing known, and with an older policy held, which every fault must
/// leave in place.
pub(crate) fn run<C: Client>(cases: &[Case]) {
    let lab = Lab::start().expect("the lab starts");
    let patient = C::new(&lab, Limits::default());
    let limits = Limits::default()
        .with_query_timeout(Duration::from_millis(250))
        .with_fetch_timeout(Duration::from_millis(250));
    let impatient = C::new(&lab, limits);
    assert!(!cases.is_empty());
    for (number, case) in cases.iter().enumerate() {
        let client = if case.stalls { &impatient } else { &patient };
        first_contact(&lab, client, case, &format!("first-{number}.example"));
        // To hold a policy it must have been found by the same client in good time.
        if !case.stalls {
            while_held(&lab, client, case, &format!("held-{number}.example"));
        }
    }
}

fn arrange(lab: &Lab, case: &Case, domain: &str) {
    let published = lab.domain(domain).id("2").mode("enforce");
    published.publish();
    let names = Names { record: published.record_name(), host: published.policy_host() };
    (case.arrange)(lab, &names);
}

fn first_contact(lab: &Lab, client: &impl Client, case: &Case, domain: &str) {
    let what = case.what;
    arrange(lab, case, domain);
    let domain = PolicyDomain::parse(domain).expect("a domain");
    let outcome = client.lookup(&domain, Recheck::WhenDue);
    match case.expect {
        Expect::Found => {
            assert_eq!(outcome.status(), Status::Found, "{what}: {:?}", outcome.problem());
            assert_eq!(outcome.problem(), None, "{what}");
            let held = outcome.policy().expect(what);
            assert_eq!((held.id().as_str(), held.policy().mode()), ("2", Mode::Enforce), "{what}");
        }
        Expect::NoRecord => {
            assert_eq!(outcome.status(), Status::Absent, "{what}: {:?}", outcome.problem());
            assert_eq!(outcome.problem(), None, "{what}");
        }
        Expect::Problem(status, reason, result) => {
            assert_eq!(outcome.status(), status, "{what}: {:?}", outcome.problem());
            check_problem(what, &outcome, reason, result);
            assert!(outcome.policy().is_none(), "{what}");
        }
    }
}

fn while_held(lab: &Lab, client: &impl Client, case: &Case, domain: &str) {
    let what = case.what;
    lab.domain(domain).id("1").mode("testing").publish();
    let name = PolicyDomain::parse(domain).expect("a domain");
    assert_eq!(client.lookup(&name, Recheck::WhenDue).status(), Status::Found, "{what}");
    lab.domain(domain).withdraw();
    arrange(lab, case, domain);
    let outcome = client.lookup(&name, Recheck::Always);
    let held = outcome.policy().expect(what);
    let id = held.id();
    match case.expect {
        Expect::Found => {
            assert_eq!((outcome.status(), id.as_str()), (Status::Found, "2"), "{what}");
        }
        Expect::NoRecord => {
            assert_eq!((outcome.status(), id.as_str()), (Status::Held, "1"), "{what}");
            check_problem(what, &outcome, "dns-record-absent", "sts-policy-fetch-error");
        }
        Expect::Problem(_, reason, result) => {
            assert_eq!((outcome.status(), id.as_str()), (Status::Held, "1"), "{what}");
            check_problem(what, &outcome, reason, result);
        }
    }
}

fn check_problem(what: &str, outcome: &Outcome, reason: &str, result: &str) {
    let problem = outcome.problem().unwrap_or_else(|| panic!("{what}: no problem"));
    assert_eq!(problem.reason_code(), reason, "{what}: {problem:?}");
    assert_eq!(problem.result_type().as_str(), result, "{what}: {problem:?}");
}
