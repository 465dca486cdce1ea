//! The life cycles of `flows.json`, each written out under the words of its case.

use std::collections::BTreeSet;

use mta_sts::delivery::{
    Attempt, Candidate, Conclusion, Dane, DaneFault, Delivery, FailureKind, Mx, Requirements,
    Retry, Session, SessionCount, Verdict,
};
use mta_sts::{
    DnsFailure, DnsFailureKind, DnsName, FetchFailure, Held, Limits, Lookup, Mode, MxVerified,
    Outcome, PolicyDomain, Problem, ResultType, Status,
};
use mta_sts_testkit::script::{self, HttpsAnswer, TxtAnswer};
use mta_sts_testkit::vectors;

use super::{
    DAY, NOW, WEEK, at, code, domain, fails, holding, id, keep, look, mode, records, serves,
};

/// The words of a case, the words of its outcome, and the scenario.
type Flow = (&'static str, &'static str, fn());

const FLOWS: &[Flow] = &[
    ("cache enforce unexpired; TXT SERVFAIL", "apply cached", servfail),
    ("cache enforce unexpired; two valid TXT", "apply cached", two_records),
    (
        "cache enforce unexpired id=1; TXT id=2; HTTPS fetch fails",
        "apply cached, emit refresh_failed, retry not before 5 min for id=2",
        new_id_fails,
    ),
    (
        "cache enforce unexpired id=1; TXT id=2; HTTPS 200 but policy invalid",
        "apply cached; report sts-policy-invalid",
        new_policy_invalid,
    ),
    ("cache enforce expired; TXT id same; HTTPS fails", "no policy", expired_same_id),
    ("cache enforce unexpired id=1; TXT id=1", "use cached, no HTTPS", same_id),
    (
        "cache mode none unexpired; TXT gone",
        "held, mode none: delivery as without a policy",
        none_and_no_record,
    ),
    (
        "cache enforce id=1; TXT id=2; HTTPS gives mode none",
        "replaced at once: mode none",
        replaced_by_none,
    ),
    (
        "no cache; TXT ok; HTTPS fails",
        "deliver without STS; sts-policy-fetch-error; no retry for id within 5 min",
        first_fetch_fails,
    ),
    (
        "no cache; TXT ok; HTTPS fails; 1 min later TXT id changes",
        "fetch at once",
        another_id_a_minute_later,
    ),
    ("no cache; TXT none", "no HTTPS fetch at all", no_record),
    ("max_age 0 enforce fetched", "applies to this delivery, not kept", max_age_0),
    (
        "enforce; MX not in policy; another MX matches",
        "skip the first, use the next",
        the_next_mx_matches,
    ),
    (
        "enforce; all MX fail; fresh TXT id == cached id",
        "transient failure (queue), retry",
        all_fail_is_transient,
    ),
    (
        "enforce; all MX fail; fresh TXT id != cached id; new policy ok",
        "re-run with the new policy",
        all_fail_and_there_is_a_new_policy,
    ),
    (
        "enforce; all MX fail; message at end of queue life; DNS asked again after the last failure, answered, nothing unread",
        "permanent failure allowed",
        the_end_of_the_queue,
    ),
    (
        "testing; MX not in policy",
        "deliver; validation-failure in TLSRPT",
        testing_and_a_foreign_mx,
    ),
    (
        "mode none",
        "as if there were no active policy; no alert; refresh failures of the held none are not reported",
        mode_none,
    ),
    ("enforce + usable TLSA at MX and TLSA fails", "fail: STS must not override DANE", dane_fails),
    ("enforce + smart host configured", "Policy Domain = smart host name", smart_host),
    (
        "recipient domain sub.example.com without record, example.com enforces",
        "no policy (no parent lookup)",
        subdomain,
    ),
    ("recipient user@[192.0.2.1]", "no policy", address_literal),
    ("MX RRset empty, implicit MX", "host = domain itself must match policy", implicit_mx),
    ("MX \".\" (null MX)", "no delivery; STS not consulted", null_mx),
    ("MX target is a CNAME", "match the MX name as listed, cert for that name too", mx_is_a_cname),
    (
        "cache mode none unexpired id=1; TXT id=2; HTTPS fails",
        "the held none stays; the failure is remembered for id=2; nothing is alerted",
        none_and_a_new_id_that_fails,
    ),
    (
        "first fetch failed for id=1; 4 minutes later same id",
        "no request (300 s are not over)",
        four_minutes_later,
    ),
    (
        "held enforce id=1; attacker sequence: TXT removed, SERVFAIL, id=2 + 500, id=3 + no address; then owner publishes testing with id=4",
        "enforce,enforce,enforce,enforce,testing",
        attacker,
    ),
    ("expired enforce, new id, HTTPS fails", "no policy", expired_new_id),
];

#[test]
fn every_flow() {
    for (input, _, flow) in FLOWS {
        // Shown where the flow fails.
        println!("{input}");
        flow();
    }
}

#[test]
fn every_case_has_its_flow() {
    let rows = vectors::flows();
    let cases: BTreeSet<_> =
        rows.iter().map(|row| (row.input["case"].as_str(), row.expect.as_str())).collect();
    let flows: BTreeSet<_> = FLOWS.iter().map(|(input, expect, _)| (*input, *expect)).collect();
    assert_eq!(flows, cases);
    assert_eq!(FLOWS.len(), rows.len());
}

const LATER: u64 = NOW + 3_600;

fn servfail_answer() -> TxtAnswer {
    TxtAnswer::Failed(DnsFailure::new(DnsFailureKind::ServerFailure))
}

fn delivery(outcome: &Outcome) -> Delivery {
    Delivery::new(outcome, Requirements::default())
}

/// An outcome under which a delivery happens, with a policy of this mode.
fn outcome(mode: Mode) -> Outcome {
    look(holding(mode), &id("1"), &fails(), LATER).outcome
}

fn connect(delivery: &mut Delivery, mx: &Mx) -> Attempt {
    match delivery.candidate(mx) {
        Candidate::Connect(attempt) => attempt,
        Candidate::Skip(result) => panic!("{result:?}"),
    }
}

/// The verdict on a session with a host that may be connected to.
fn judged(delivery: &mut Delivery, mx: &Mx, session: Session) -> Verdict {
    let attempt = connect(delivery, mx);
    delivery.judge(attempt, session)
}

fn skip(delivery: &mut Delivery, mx: &Mx) -> FailureKind {
    match delivery.candidate(mx) {
        Candidate::Connect(attempt) => panic!("{attempt:?}"),
        Candidate::Skip(result) => result.failure().expect("a reason").kind(),
    }
}

fn verified(name: &str) -> Session {
    Session::Verified(MxVerified::assertion(&DnsName::parse(name).unwrap()))
}

fn servfail() {
    let run = look(holding(Mode::Enforce), &servfail_answer(), &fails(), LATER);
    assert_eq!((run.outcome.status(), mode(&run)), (Status::Held, Some(Mode::Enforce)));
}

fn two_records() {
    let txt = records(&[&["v=STSv1; id=1;"], &["v=STSv1; id=2;"]]);
    let run = look(holding(Mode::Enforce), &txt, &fails(), LATER);
    assert_eq!((run.outcome.status(), mode(&run)), (Status::Held, Some(Mode::Enforce)));
    assert!(run.asked_https.is_empty());
}

fn new_id_fails() {
    let run = look(holding(Mode::Enforce), &id("2"), &fails(), LATER);
    assert_eq!((run.outcome.status(), mode(&run)), (Status::Held, Some(Mode::Enforce)));
    let alert = run.outcome.alert(at(LATER)).map(|(problem, _)| problem.code());
    assert_eq!(alert, Some("policy-fetch"));
    let early = look(keep(run.outcome), &id("2"), &fails(), LATER + 299);
    assert!(early.asked_https.is_empty());
    assert_eq!((mode(&early), code(&early)), (Some(Mode::Enforce), Some("backing-off")));
    let due = look(keep(early.outcome), &id("2"), &fails(), LATER + 300);
    assert_eq!(due.asked_https.len(), 1);
}

fn new_policy_invalid() {
    let https = HttpsAnswer::policy("version: STSv1\nmode: maybe\n");
    let run = look(holding(Mode::Enforce), &id("2"), &https, LATER);
    assert_eq!(mode(&run), Some(Mode::Enforce));
    let reported = run.outcome.problem().map(Problem::result_type);
    assert_eq!(reported, Some(ResultType::StsPolicyInvalid));
    assert!(run.outcome.is_reportable());
}

fn expired_same_id() {
    let run = look(holding(Mode::Enforce), &id("1"), &fails(), NOW + WEEK);
    assert_eq!((run.asked_https.len(), mode(&run)), (1, None));
}

fn same_id() {
    let run = look(holding(Mode::Enforce), &id("1"), &serves(Mode::None, DAY), LATER);
    assert_eq!((run.asked_https.len(), mode(&run)), (0, Some(Mode::Enforce)));
}

fn none_and_no_record() {
    let run = look(holding(Mode::None), &TxtAnswer::Absent(60), &fails(), LATER);
    assert_eq!((run.outcome.status(), mode(&run)), (Status::Held, Some(Mode::None)));
    let mut delivery = delivery(&run.outcome);
    let verdict = judged(&mut delivery, &Mx::parse("mx.example.net"), Session::NoStarttls);
    let count = verdict.result().count();
    assert_eq!((verdict.is_refused(), count), (false, SessionCount::NotCounted));
}

fn replaced_by_none() {
    let run = look(holding(Mode::Enforce), &id("2"), &serves(Mode::None, DAY), LATER);
    assert_eq!((run.outcome.status(), mode(&run)), (Status::Found, Some(Mode::None)));
    assert!(run.outcome.change().is_some_and(|change| change.is_weaker()));
}

fn first_fetch_fails() {
    let run = look(Held::Nothing, &id("1"), &fails(), NOW);
    assert_eq!(mode(&run), None);
    let reported = run.outcome.problem().map(Problem::result_type);
    assert_eq!(reported, Some(ResultType::StsPolicyFetchError));
    assert!(run.outcome.is_reportable());
    let mut delivery = delivery(&run.outcome);
    let session = Session::NoStarttls;
    assert!(!judged(&mut delivery, &Mx::parse("mx.example.net"), session).is_refused());
    let again = look(keep(run.outcome), &id("1"), &fails(), NOW + 299);
    assert!(again.asked_https.is_empty());
}

fn another_id_a_minute_later() {
    let held = keep(look(Held::Nothing, &id("1"), &fails(), NOW).outcome);
    let run = look(held, &id("2"), &serves(Mode::Enforce, WEEK), NOW + 60);
    assert_eq!((run.asked_https.len(), run.outcome.status()), (1, Status::Found));
}

fn no_record() {
    let run = look(Held::Nothing, &TxtAnswer::Absent(60), &serves(Mode::Enforce, WEEK), NOW);
    assert!(run.asked_https.is_empty());
    assert_eq!((run.outcome.status(), code(&run)), (Status::Absent, None));
}

fn max_age_0() {
    let run = look(Held::Nothing, &id("1"), &serves(Mode::Enforce, 0), NOW);
    assert_eq!((run.outcome.status(), mode(&run)), (Status::Found, Some(Mode::Enforce)));
    assert_eq!(
        skip(&mut delivery(&run.outcome), &Mx::parse("mx.example.net")),
        FailureKind::MxMismatch
    );
    let next = look(keep(run.outcome), &servfail_answer(), &fails(), NOW);
    assert_eq!((next.outcome.status(), mode(&next)), (Status::Unknown, None));
}

fn the_next_mx_matches() {
    let mut delivery = delivery(&outcome(Mode::Enforce));
    assert_eq!(skip(&mut delivery, &Mx::parse("mx.example.net")), FailureKind::MxMismatch);
    let session = verified("mx.example.com");
    assert!(!judged(&mut delivery, &Mx::parse("mx.example.com"), session).is_refused());
}

/// Every candidate fails: what is left to do.
fn all_fail(outcome: &Outcome) -> Retry {
    let mut delivery = delivery(outcome);
    assert_eq!(skip(&mut delivery, &Mx::parse("mx.example.net")), FailureKind::MxMismatch);
    let session = Session::NoStarttls;
    assert!(judged(&mut delivery, &Mx::parse("mx.example.com"), session).is_refused());
    match delivery.conclude() {
        Conclusion::Retry(retry) => retry,
        other => panic!("{other:?}"),
    }
}

fn all_fail_is_transient() {
    let outcome = outcome(Mode::Enforce);
    let run = look(keep(outcome.clone()), &id("1"), &fails(), LATER + 600);
    assert_eq!(run.outcome.status(), Status::Confirmed);
    let now = at(LATER + 600);
    let (_, gate) = all_fail(&outcome).recheck(keep(outcome.clone()), Limits::default(), now);
    assert!(gate.permit(&run.outcome, now).is_none(), "it is no lookup of the gate");
    assert_eq!(all_fail(&outcome).domain(), &domain());
}

fn all_fail_and_there_is_a_new_policy() {
    let outcome = outcome(Mode::Enforce);
    let retry = all_fail(&outcome);
    let text = script::policy_text("enforce", WEEK).replace("example.com", "example.net");
    let (https, now) = (HttpsAnswer::policy(&text), at(LATER + 600));
    let (run, token) = script::gate(retry, keep(outcome), &id("2"), &https, now);
    assert_eq!((run.outcome.status(), token.is_some()), (Status::Found, false));
    let mut again = delivery(&run.outcome);
    let session = verified("mx.example.net");
    assert!(!judged(&mut again, &Mx::parse("mx.example.net"), session).is_refused());
}

fn the_end_of_the_queue() {
    let outcome = outcome(Mode::Enforce);
    let retry = all_fail(&outcome);
    let (_, token) = script::gate(retry, keep(outcome), &id("1"), &fails(), at(LATER + 600));
    assert_eq!(token.map(|token| token.domain().clone()), Some(domain()));
}

fn testing_and_a_foreign_mx() {
    let mut delivery = delivery(&outcome(Mode::Testing));
    let session = verified("mx.example.net");
    let verdict = judged(&mut delivery, &Mx::parse("mx.example.net"), session);
    assert!(!verdict.is_refused());
    let failure = verdict.failure().expect("it is reported");
    assert_eq!(failure.result_type(), Some(ResultType::ValidationFailure));
}

fn mode_none() {
    let run =
        super::look_for(mta_sts::Recheck::Refresh, holding(Mode::None), &id("1"), &fails(), LATER);
    assert_eq!((run.asked_https.len(), mode(&run)), (1, Some(Mode::None)));
    assert!(run.outcome.alert(at(LATER)).is_none());
    assert!(!run.outcome.is_reportable());
    let mut delivery = delivery(&run.outcome);
    let verdict = judged(&mut delivery, &Mx::parse("mx.example.net"), Session::NoStarttls);
    assert_eq!(verdict.result().count(), SessionCount::NotCounted);
    assert!(matches!(delivery.conclude(), Conclusion::Open));
}

fn dane_fails() {
    let mx = Mx::parse("mx.example.com");
    let mut early = delivery(&outcome(Mode::Enforce));
    let failed = || Dane::Failed(DaneFault::TlsaInvalid);
    let Candidate::Skip(result) = early.candidate_with_dane(&mx, failed()) else {
        panic!("it has failed already")
    };
    let kind = result.failure().map(mta_sts::delivery::Failure::kind);
    assert_eq!(kind, Some(FailureKind::Dane(DaneFault::TlsaInvalid)));
    let mut late = delivery(&outcome(Mode::Enforce));
    let attempt = connect(&mut late, &mx).with_dane(failed());
    assert!(late.judge(attempt, verified("mx.example.com")).is_refused());
}

fn smart_host() {
    // The mail goes to example.com by way of relay.example.net: the relay's policy is looked up.
    let relay = PolicyDomain::parse("relay.example.net").unwrap();
    let text = script::policy_text("enforce", WEEK).replace("mx.example.com", "relay.example.net");
    let https = HttpsAnswer::policy(&text);
    let run =
        script::run(Lookup::new(relay.clone(), Held::Nothing), &id("1"), &https, true, at(NOW));
    assert_eq!(run.asked_txt, ["_mta-sts.relay.example.net"]);
    let mut delivery = delivery(&run.outcome);
    assert_eq!(delivery.domain(), Some(&relay));
    let attempt = connect(&mut delivery, &Mx::implicit(&relay));
    assert!(!delivery.judge(attempt, verified("relay.example.net")).is_refused());
}

fn subdomain() {
    let sub = PolicyDomain::parse("sub.example.com").unwrap();
    let txt = TxtAnswer::Absent(60);
    let run = script::run(
        Lookup::new(sub, Held::Nothing),
        &txt,
        &serves(Mode::Enforce, DAY),
        true,
        at(NOW),
    );
    assert_eq!(run.asked_txt, ["_mta-sts.sub.example.com"]);
    assert_eq!((run.asked_https.len(), mode(&run)), (0, None));
}

fn address_literal() {
    assert!(PolicyDomain::parse("[192.0.2.1]").is_err());
    let mut delivery = Delivery::without_policy(Requirements::default());
    let session = Session::NoStarttls;
    assert!(!judged(&mut delivery, &Mx::parse("[192.0.2.1]"), session).is_refused());
}

fn implicit_mx() {
    let mx = Mx::implicit(&domain());
    assert_eq!(skip(&mut delivery(&outcome(Mode::Enforce)), &mx), FailureKind::MxMismatch);
    let text = script::policy_text("enforce", WEEK).replace("mx.example.com", "example.com");
    let outcome = look(Held::Nothing, &id("1"), &HttpsAnswer::policy(&text), NOW).outcome;
    let attempt = connect(&mut delivery(&outcome), &mx);
    assert_eq!(attempt.host().map(DnsName::as_str), Some("example.com"));
}

fn null_mx() {
    for mode in [Mode::Enforce, Mode::Testing, Mode::None] {
        let mut delivery = delivery(&outcome(mode));
        let Candidate::Skip(result) = delivery.candidate(&Mx::parse(".")) else { panic!("no") };
        let failure = result.failure().expect("a reason");
        assert_eq!((failure.kind(), failure.result_type()), (FailureKind::NullMx, None));
        assert!(matches!(delivery.conclude(), Conclusion::Open));
    }
}

fn mx_is_a_cname() {
    // mx.example.com is an alias of host.example.net: the MX record's name is what counts.
    let mut delivery = delivery(&outcome(Mode::Enforce));
    let attempt = connect(&mut delivery, &Mx::parse("mx.example.com"));
    assert_eq!(attempt.host().map(DnsName::as_str), Some("mx.example.com"));
    assert!(delivery.judge(attempt, verified("host.example.net")).is_refused());
    let session = verified("mx.example.com");
    assert!(!judged(&mut delivery, &Mx::parse("mx.example.com"), session).is_refused());
}

fn none_and_a_new_id_that_fails() {
    let run = look(holding(Mode::None), &id("2"), &fails(), LATER);
    assert_eq!((run.outcome.status(), mode(&run)), (Status::Held, Some(Mode::None)));
    let failing: Vec<_> = run.outcome.entry().backing_off(at(LATER)).collect();
    assert_eq!(failing.len(), 1);
    assert_eq!((failing[0].0.as_str(), failing[0].1), ("2", at(LATER + 300)));
    assert!(run.outcome.alert(at(LATER)).is_none());
}

fn four_minutes_later() {
    let held = keep(look(Held::Nothing, &id("1"), &fails(), NOW).outcome);
    let run = look(held, &id("1"), &serves(Mode::Enforce, WEEK), NOW + 240);
    assert_eq!((run.asked_txt.len(), run.asked_https.len(), mode(&run)), (1, 0, None));
    let run = look(keep(run.outcome), &id("1"), &serves(Mode::Enforce, WEEK), NOW + 300);
    assert_eq!((run.asked_https.len(), mode(&run)), (1, Some(Mode::Enforce)));
}

fn attacker() {
    let status_500 = HttpsAnswer::Failed(FetchFailure::Status(500));
    let no_address = HttpsAnswer::Failed(FetchFailure::NoAddress);
    let days = [
        (TxtAnswer::Absent(60), fails()),
        (servfail_answer(), fails()),
        (id("2"), status_500),
        (id("3"), no_address),
        (id("4"), serves(Mode::Testing, WEEK)),
    ];
    let mut held = holding(Mode::Enforce);
    let mut modes = Vec::new();
    for ((txt, https), day) in days.into_iter().zip(1..) {
        let run = look(held, &txt, &https, NOW + day * DAY);
        modes.push(mode(&run).map_or("-", Mode::as_str));
        held = keep(run.outcome);
    }
    assert_eq!(modes, ["enforce", "enforce", "enforce", "enforce", "testing"]);
}

fn expired_new_id() {
    let run = look(holding(Mode::Enforce), &id("2"), &fails(), NOW + WEEK);
    assert_eq!((run.outcome.status(), mode(&run)), (Status::Absent, None));
}
