//! One call counts a session: which tally it belongs to, and as what (RFC 8460 §4.4, RFC 8461 §6).

use mta_sts::delivery::{
    Candidate, Dane, DaneFault, Delivery, Demand, Mx, Requirements, Session, SessionResult,
};
use mta_sts::{
    CertificateFault, DaneVerified, DnsName, FetchFailure, Held, MxVerified, Outcome, Recheck,
    ResultType, TlsAlert, TlsFailure,
};
use mta_sts_testkit::script::{self, HttpsAnswer, TxtAnswer};
use mta_sts_tlsrpt::{FailureDetails, PolicyType, Tallies, Tally};

use super::{NONE, NOW, TESTING, domain, held, look};

const MX: &str = "mx.example.com";
const ENFORCE: &str = "version: STSv1\r\nmode: enforce\r\nmx: *.example.com\r\nmax_age: 86400\r\n";

fn host() -> DnsName {
    DnsName::parse(MX).unwrap()
}

fn verified() -> Session {
    Session::Verified(MxVerified::assertion(&host()))
}

fn session(outcome: &Outcome, name: &str, dane: Dane, session: Session) -> SessionResult {
    let mut delivery = Delivery::new(outcome, Requirements::default());
    match delivery.candidate(&Mx::parse(name)) {
        Candidate::Skip(result) => result,
        Candidate::Connect(attempt) => {
            delivery.judge(attempt.with_dane(dane), session).result().clone()
        }
    }
}

/// A tally in one line: its type, the sessions that succeeded and failed, and its details.
fn line(tally: &Tally) -> String {
    let mut line = format!(
        "{} +{} -{}",
        tally.policy().policy_type_str(),
        tally.successful_sessions(),
        tally.failed_sessions()
    );
    for details in tally.details() {
        let reason = details.failure_reason_code().unwrap_or_default();
        line = format!("{line} {}/{reason}", details.result_type_str());
    }
    line
}

/// The tallies after one session.
fn counted(outcome: &Outcome, result: &SessionResult) -> Vec<String> {
    let mut tallies = Tallies::default();
    tallies.count(outcome, result);
    tallies.iter().map(line).collect()
}

fn nothing() -> Outcome {
    let lookup = mta_sts::Lookup::new(domain(), Held::Nothing);
    let https = HttpsAnswer::Failed(FetchFailure::Timeout);
    script::run(lookup, &TxtAnswer::Absent(60), &https, true, NOW).outcome
}

#[test]
fn sessions_in_clear_text_are_never_successes() {
    let alert = Session::TlsFailed(TlsFailure::Alert(TlsAlert(40)));
    let faults = [
        (Session::NoStarttls, "starttls-not-supported/starttls-not-offered"),
        (Session::StarttlsRefused(454), "starttls-not-supported/starttls-refused-454"),
        (alert, "validation-failure/tls-alert-handshake-failure"),
        (Session::TlsFailed(TlsFailure::NotTls), "validation-failure/tls-not-spoken"),
        (Session::TlsFailed(TlsFailure::Timeout), "validation-failure/tls-timeout"),
        (Session::TlsFailed(TlsFailure::Closed), "validation-failure/tls-closed"),
        (Session::TlsFailed(TlsFailure::Other), "validation-failure/tls-handshake-failed"),
    ];
    for (fault, expected) in faults {
        let fault = || match &fault {
            Session::NoStarttls => Session::NoStarttls,
            Session::StarttlsRefused(code) => Session::StarttlsRefused(*code),
            Session::TlsFailed(failure) => Session::TlsFailed(*failure),
            other => panic!("{other:?}"),
        };
        let without = nothing();
        let result = session(&without, MX, Dane::NotKnown, fault());
        assert_eq!(counted(&without, &result), [format!("no-policy-found +0 -1 {expected}")]);
        for text in [ENFORCE, TESTING] {
            let outcome = look(held(text), "1", &Ok(text));
            let result = session(&outcome, MX, Dane::NotKnown, fault());
            assert_eq!(counted(&outcome, &result), [format!("sts +0 -1 {expected}")]);
        }
        // RFC 8461 §6: "except if that policy's mode is none".
        let outcome = look(held(NONE), "1", &Ok(NONE));
        let result = session(&outcome, MX, Dane::NotKnown, fault());
        assert_eq!(counted(&outcome, &result), [""; 0]);
    }
}

#[test]
fn sessions_over_tls_count_by_the_policy() {
    let wrong = || Session::CertificateInvalid(CertificateFault::BadSignature);
    let fault = "certificate-not-trusted/certificate-bad-signature";
    for (text, kind) in [(ENFORCE, "sts"), (TESTING, "sts"), (NONE, "no-policy-found")] {
        let outcome = look(held(text), "1", &Ok(text));
        let good = session(&outcome, MX, Dane::NotKnown, verified());
        assert_eq!(counted(&outcome, &good), [format!("{kind} +1 -0")]);
        let bad = session(&outcome, MX, Dane::NotKnown, wrong());
        let expected = if kind == "sts" {
            format!("sts +0 -1 {fault}")
        } else {
            "no-policy-found +1 -0".to_owned()
        };
        assert_eq!(counted(&outcome, &bad), [expected]);
        let unreachable = session(&outcome, MX, Dane::NotKnown, Session::NotReached);
        assert_eq!(counted(&outcome, &unreachable), [""; 0]);
    }
    let outcome = look(held(ENFORCE), "1", &Ok(ENFORCE));
    let foreign = session(&outcome, "mx.example.net", Dane::NotKnown, verified());
    let expected = "sts +0 -1 validation-failure/mx-not-in-policy";
    assert_eq!(counted(&outcome, &foreign), [expected]);
}

#[test]
fn dane_has_a_tally_of_its_own() {
    let passed = || Dane::Passed(DaneVerified::assertion(&host()));
    let failed = |fault| Dane::Failed(fault);
    let none = nothing();
    let sts = look(held(ENFORCE), "1", &Ok(ENFORCE));
    let cases: [(&Outcome, Dane, Session, &[&str]); 6] = [
        (&none, passed(), verified(), &["tlsa +1 -0"]),
        (&sts, passed(), verified(), &["tlsa +1 -0", "sts +1 -0"]),
        (
            &sts,
            passed(),
            Session::CertificateInvalid(CertificateFault::Expired),
            &["tlsa +1 -0", "sts +0 -1 certificate-expired/certificate-expired"],
        ),
        (
            &sts,
            failed(DaneFault::TlsaInvalid),
            verified(),
            &["tlsa +0 -1 tlsa-invalid/dane-tlsa-mismatch"],
        ),
        (
            &none,
            failed(DaneFault::DnssecInvalid),
            verified(),
            &["tlsa +0 -1 dnssec-invalid/dane-dnssec-bogus"],
        ),
        (
            &none,
            passed(),
            Session::NoStarttls,
            &["tlsa +0 -1 starttls-not-supported/starttls-not-offered"],
        ),
    ];
    for (outcome, dane, course, expected) in cases {
        let result = session(outcome, MX, dane, course);
        assert_eq!(counted(outcome, &result), expected);
    }
    // An assertion for another host fails, and a host that was not tried is no success.
    let other = || Dane::Passed(DaneVerified::assertion(&DnsName::parse("b.example.net").unwrap()));
    let mismatch = "certificate-host-mismatch/certificate-host-mismatch";
    let skipped = session(&none, MX, other(), verified());
    assert_eq!(counted(&none, &skipped), [format!("tlsa +0 -1 {mismatch}")]);
    let foreign = "mx.example.net";
    let vouched = Dane::Passed(DaneVerified::assertion(&DnsName::parse(foreign).unwrap()));
    let skipped = session(&sts, foreign, vouched, verified());
    assert_eq!(counted(&sts, &skipped), ["sts +0 -1 validation-failure/mx-not-in-policy"]);
    // A policy of mode "none" excuses no session that DANE refused.
    let off = look(held(NONE), "1", &Ok(NONE));
    let refused = session(&off, MX, passed(), Session::NoStarttls);
    let expected = "tlsa +0 -1 starttls-not-supported/starttls-not-offered";
    assert_eq!(counted(&off, &refused), [expected]);
    let mut tallies = Tallies::default();
    let result = session(&none, MX, passed(), verified());
    tallies.count_with(&none, &result, ["3 1 1 AB"], |details| details);
    let tally = tallies.iter().next().unwrap();
    assert_eq!(tally.policy().policy_type(), Some(PolicyType::Tlsa));
    assert_eq!(tally.policy().policy_string().collect::<Vec<_>>(), ["3 1 1 AB"]);
    assert_eq!(tally.policy().mx_host().collect::<Vec<_>>(), [MX]);
}

#[test]
fn policy_that_cannot_be_fetched_fails_the_session_between_two_attempts_too() {
    let failure = Err(FetchFailure::Status(500));
    let first = look(Held::Nothing, "1", &failure);
    let result = session(&first, MX, Dane::NotKnown, verified());
    assert_eq!(counted(&first, &result), ["sts +0 -1 sts-policy-fetch-error/http-status-500"]);
    let entry = first.into_entry();
    let back_off = look(Held::Entry(entry), "1", &failure);
    let result = session(&back_off, MX, Dane::NotKnown, verified());
    assert_eq!(counted(&back_off, &result), ["sts +0 -1 sts-policy-fetch-error/backing-off"]);
    let result = session(&back_off, MX, Dane::NotKnown, Session::NoStarttls);
    assert_eq!(
        counted(&back_off, &result),
        ["sts +0 -1 starttls-not-supported/starttls-not-offered \
          sts-policy-fetch-error/backing-off"]
    );
    // The domain's budget is spent, as by forged ids.
    let mut held = Held::Entry(back_off.into_entry());
    for id in ["2", "3", "4"] {
        held = Held::Entry(look(held, id, &failure).into_entry());
    }
    let limited = look(held, "5", &failure);
    let result = session(&limited, MX, Dane::NotKnown, verified());
    assert_eq!(counted(&limited, &result), ["sts +0 -1 sts-policy-fetch-error/fetch-limited"]);
}

#[test]
fn held_policy_counts_by_its_tls_and_the_failed_lookup_is_noted() {
    let outcome = look(held(ENFORCE), "2", &Err(FetchFailure::Timeout));
    let result = session(&outcome, MX, Dane::NotKnown, verified());
    assert_eq!(
        counted(&outcome, &result),
        ["sts +1 -0 sts-policy-fetch-error/timeout; held policy applied"]
    );
    // A fetch that succeeded is no failure, though the record is missing.
    let lookup = mta_sts::Lookup::new(domain(), held(ENFORCE)).recheck(Recheck::Refresh);
    let https = HttpsAnswer::policy(ENFORCE);
    let refreshed = script::run(lookup, &TxtAnswer::Absent(60), &https, true, NOW).outcome;
    assert!(refreshed.problem().is_some() && !refreshed.is_reportable());
    assert!(refreshed.alert(NOW).is_none());
    let result = session(&refreshed, MX, Dane::NotKnown, verified());
    assert_eq!(counted(&refreshed, &result), ["sts +1 -0"]);
}

#[test]
fn policy_that_the_operator_switched_off_is_not_reported_as_applied() {
    let outcome = look(held(ENFORCE), "2", &Err(FetchFailure::Timeout));
    let requirements = Requirements::default().with_demand(Demand::Off);
    let mut delivery = Delivery::new(&outcome, requirements);
    let Candidate::Connect(attempt) = delivery.candidate(&Mx::parse(MX)) else { panic!("{MX}") };
    let verdict = delivery.judge(attempt, verified());
    assert_eq!(counted(&outcome, verdict.result()), ["no-policy-found +1 -0"]);
}

#[test]
fn tallies_add_up_in_any_order() {
    let none = nothing();
    let sts = look(held(ENFORCE), "1", &Ok(ENFORCE));
    let count = |tallies: &mut Tallies, outcome: &Outcome, course: Session| {
        let result = session(outcome, MX, Dane::NotKnown, course);
        tallies.count_with(outcome, &result, [], |details| {
            details.with_receiving_ip("192.0.2.1".parse().unwrap())
        });
    };
    let [mut a, mut b] = [Tallies::default(), Tallies::default()];
    assert!(a.is_empty());
    count(&mut a, &none, Session::NoStarttls);
    count(&mut a, &sts, verified());
    count(&mut b, &sts, Session::NoStarttls);
    count(&mut b, &none, Session::Unverified);
    let (mut ab, mut ba) = (a.clone(), b.clone());
    ab.merge(b);
    ba.merge(a);
    assert_eq!(ab, ba);
    let lines: Vec<_> = ab.iter().map(line).collect();
    let fault = "starttls-not-supported/starttls-not-offered";
    assert_eq!(lines.len(), 2);
    assert!(lines.iter().all(|line| line.ends_with(&format!("+1 -1 {fault}"))), "{lines:?}");
    let ip = |tally: &Tally| tally.details().next().and_then(|details| details.receiving_ip());
    assert!(ab.iter().all(|tally| ip(tally).is_some()));
    assert_eq!(ab.into_iter().count(), 2);
}

#[test]
fn failed_candidate_becomes_a_detail_and_the_senders_own_demand_does_not() {
    let outcome = look(held(ENFORCE), "1", &Ok(ENFORCE));
    let foreign = session(&outcome, "mx.example.net", Dane::NotKnown, verified());
    let details = FailureDetails::of_delivery(foreign.failure().unwrap()).unwrap();
    assert_eq!(details.result_type(), Some(ResultType::ValidationFailure));
    assert_eq!(details.failure_reason_code(), Some("mx-not-in-policy"));
    assert_eq!(details.receiving_mx_hostname(), Some("mx.example.net"));
    let demand = Demand::forced(["mx.example.org"]).unwrap();
    let mut delivery = Delivery::without_policy(Requirements::default().with_demand(demand));
    let Candidate::Skip(result) = delivery.candidate(&Mx::parse("mx.example.net")) else {
        panic!("no pattern matches")
    };
    assert_eq!(FailureDetails::of_delivery(result.failure().unwrap()), None);
    assert_eq!(counted(&outcome, &result), [""; 0]);
}
