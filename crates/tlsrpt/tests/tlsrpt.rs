//! TLSRPT (RFC 8460): what lookups report, how sessions are added up, and the report as JSON.

#[path = "tlsrpt/json.rs"]
mod json;
#[path = "tlsrpt/report.rs"]
mod report;
#[path = "tlsrpt/tallies.rs"]
mod tallies;
#[path = "tlsrpt/tally.rs"]
mod tally;

use mta_sts::{
    Entry, FetchFailure, Held, Lookup, Outcome, Policy, PolicyDomain, Profile, Recheck, ResultType,
    UnixTime,
};
use mta_sts_testkit::script::{self, HttpsAnswer, TxtAnswer};
use mta_sts_tlsrpt::{
    DateRange, FailureDetails, MAX_COUNT, PolicyType, Report, ReportedPolicy, Tally, TlsrptRecord,
};

const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);
const TESTING: &str = "version: STSv1\r\nmode: testing\r\nmx: *.example.com\r\nmax_age: 86400\r\n";
const NONE: &str = "version: STSv1\r\nmode: none\r\nmax_age: 86400\r\n";

fn domain() -> PolicyDomain {
    PolicyDomain::parse("example.com").unwrap()
}

fn policy(text: &str) -> Policy {
    Policy::parse(text.as_bytes(), Profile::Strict).unwrap()
}

fn tally() -> Tally {
    Tally::new(ReportedPolicy::applied(&domain(), Some(&policy(TESTING))))
}

fn day() -> DateRange {
    DateRange::day(NOW)
}

fn report(tallies: impl IntoIterator<Item = Tally>) -> Report {
    Report::new("Sender", "tls@sender.example", "id-1", day(), tallies).unwrap()
}

#[test]
fn ok_records_agree_with_the_vectors() {
    let rows = mta_sts_testkit::vectors::tlsrpt_records();
    assert!(!rows.is_empty(), "there are no vectors");
    for row in rows {
        let read = TlsrptRecord::parse(&row.input)
            .map(|record| record.rua().map(|uri| uri.as_str().to_owned()).collect::<Vec<_>>());
        assert_eq!(read.ok(), row.rua, "{}", String::from_utf8_lossy(&row.input));
    }
}

fn look(held: Held, id: &str, fetched: &Result<&str, FetchFailure>) -> Outcome {
    let https = match fetched {
        Ok(text) => HttpsAnswer::policy(text),
        Err(failure) => HttpsAnswer::Failed(failure.clone()),
    };
    let lookup = Lookup::new(domain(), held).recheck(Recheck::Always);
    script::run(lookup, &TxtAnswer::id(id, 60), &https, true, NOW).outcome
}

fn held(text: &str) -> Held {
    Held::Entry(entry(text))
}

fn entry(text: &str) -> Entry {
    look(Held::Nothing, "1", &Ok(text)).into_entry()
}

#[test]
fn ok_a_lookup_reports_the_policy_and_the_failure() {
    let sts = Some(PolicyType::Sts);
    let none = Some(PolicyType::NoPolicyFound);
    let lines: Vec<_> = TESTING.lines().collect();
    let failure = || Err(FetchFailure::Status(503));
    let bad = "version: STSv1\nmode: enforced\n";
    let cases = [
        (look(Held::Nothing, "1", &Ok(TESTING)), sts, lines.clone(), None),
        (look(Held::Nothing, "1", &Ok(NONE)), none, vec![], None),
        (
            look(Held::Nothing, "1", &failure()),
            sts,
            vec![],
            Some(("sts-policy-fetch-error", "http-status-503")),
        ),
        (
            look(Held::Nothing, "1", &Ok(bad)),
            sts,
            bad.lines().collect(),
            Some(("sts-policy-invalid", "policy-bad-mode")),
        ),
        (
            look(held(TESTING), "2", &failure()),
            sts,
            lines.clone(),
            Some(("sts-policy-fetch-error", "http-status-503; held policy applied")),
        ),
        (
            look(held(TESTING), "2", &Ok(bad)),
            sts,
            lines,
            Some(("sts-policy-invalid", "policy-bad-mode; held policy applied")),
        ),
        // RFC 8461 §3.3: where the policy is `none`, failures are not to be reported.
        (look(held(NONE), "2", &failure()), none, vec![], None),
    ];
    for (number, (outcome, policy_type, lines, failure)) in cases.into_iter().enumerate() {
        let policy = ReportedPolicy::of_lookup(&outcome);
        assert_eq!(policy.policy_type(), policy_type, "case {number}");
        assert_eq!(policy.policy_string().collect::<Vec<_>>(), lines, "case {number}");
        assert_eq!(policy.policy_domain(), "example.com");
        let details = FailureDetails::of_lookup(&outcome);
        let details = details.as_ref().map(|details| {
            (details.result_type_str(), details.failure_reason_code().unwrap_or_default())
        });
        assert_eq!(details, failure, "case {number}");
    }
}

#[test]
fn ok_a_decision_from_memory_reports_like_its_lookup() {
    let outcome = look(held(TESTING), "1", &Err(FetchFailure::Timeout));
    let decision = outcome.entry().decide(&domain(), NOW).expect("nothing is due");
    assert_eq!(
        ReportedPolicy::of_decision(&domain(), &decision),
        ReportedPolicy::of_lookup(&outcome)
    );
    assert_eq!(FailureDetails::of_decision(&decision), None);

    let ask = |text| {
        let lookup = Lookup::new(domain(), held(text)).recheck(Recheck::Always);
        let https = HttpsAnswer::Failed(FetchFailure::Timeout);
        let outcome = script::run(lookup, &TxtAnswer::Absent(60), &https, true, NOW).outcome;
        let decision = outcome.entry().decide(&domain(), NOW).expect("nothing is due");
        let details = FailureDetails::of_decision(&decision);
        assert_eq!(details, FailureDetails::of_lookup(&outcome));
        details
    };
    let details = ask(TESTING).expect("the record of a held policy is gone");
    assert_eq!(details.failure_reason_code(), Some("dns-record-absent; held policy applied"));
    assert_eq!(ask(NONE), None);
}

#[test]
fn ok_the_mark_of_a_held_policy_is_set_once() {
    let details = FailureDetails::new(ResultType::StsWebpkiInvalid);
    assert!(!details.is_held());
    let held = details.clone().held();
    assert_eq!(held.failure_reason_code(), Some("held policy applied"));
    assert_eq!(held.clone().held(), held);
    assert!(!details.is_like(&held));
}

#[test]
fn ok_a_strangers_text_is_bounded() {
    let long = "ä".repeat(3_000);
    let details = FailureDetails::new(ResultType::ValidationFailure)
        .with_receiving_mx_helo(&long)
        .with_additional_information(&long)
        .with_failure_reason_code(&long)
        .with_failed_session_count(u64::MAX);
    assert_eq!(details.receiving_mx_helo().map(str::len), Some(254));
    assert_eq!(details.additional_information().map(str::len), Some(2_048));
    assert_eq!(details.failure_reason_code().map(str::len), Some(1_024));
    assert_eq!(details.failed_session_count(), MAX_COUNT);
}
