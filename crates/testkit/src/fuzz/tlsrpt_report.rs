//! Reports in JSON, and the tallies they are made of (RFC 8460 §4).

use arbitrary::{Arbitrary, Result, Unstructured};
use mta_sts::PolicyDomain;
use mta_sts_tlsrpt::{DateRange, Report, ReportFormat, Tally};

/// After an octet below 0x80 a report in JSON: refused, or read as a report that is written and read
/// alike. After any other octet the tallies of a report: so are they, whatever order they are added
/// up in.
///
/// # Panics
/// Where one of these does not hold.
pub fn tlsrpt_report(data: &[u8]) {
    match data.split_first() {
        Some((0..0x80, json)) => {
            if let Ok(report) = serde_json::from_slice::<Report>(json) {
                same_again(&report);
            }
        }
        // Bytes that run out make a small report; there is no wrong input.
        Some((_, rest)) => drop(tallied(&mut Unstructured::new(rest))),
        None => {}
    }
}

fn same_again(report: &Report) {
    let json = serde_json::to_string(report).expect("a report can be written");
    let again: Report = serde_json::from_str(&json).expect("what is written can be read");
    assert_eq!(again, *report);
    assert_eq!(serde_json::to_string(&again).expect("written before"), json);
    let domain = PolicyDomain::parse("example.com").expect("a name");
    let name = report.filename(&domain, None, ReportFormat::Gzip);
    assert_eq!(name.is_some(), report.submitter().is_some());
    assert!(name.is_none_or(|name| !name.contains(['/', '\0', '\n', '\r'])));
    let subject = report.subject(&domain);
    assert!(subject.is_none_or(|subject| !subject.contains(char::is_control)));
}

fn tallied(u: &mut Unstructured<'_>) -> Result<()> {
    let (range, tallies) = (DateRange::arbitrary(u)?, Vec::<Tally>::arbitrary(u)?);
    let made = |tallies: Vec<Tally>| {
        Report::new("Sender", "reports@example.net", "2026", range, tallies)
            .expect("few tallies, and the words are valid")
    };
    let report = made(tallies.clone());
    same_again(&report);
    let backwards = made(tallies.iter().rev().cloned().collect());
    assert_eq!(backwards, report, "the order of adding up does not matter");
    let sessions = |report: &Report| -> u64 {
        let total = |p: &mta_sts_tlsrpt::PolicyReport| {
            p.total_successful_session_count().saturating_add(p.total_failure_session_count())
        };
        report.policies().iter().map(total).fold(0, u64::saturating_add)
    };
    let added = tallies
        .iter()
        .map(|t| t.successful_sessions().saturating_add(t.failed_sessions()))
        .fold(0, u64::saturating_add);
    // Below the largest number that JSON carries exactly, nothing is lost.
    assert!(added >= mta_sts_tlsrpt::MAX_COUNT || sessions(&report) == added);
    Ok(())
}
