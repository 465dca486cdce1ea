//! Judgement for people.

use mta_sts::{PolicyRef, Profile, record};
use mta_sts_lint::{self as lint, Diagnostic, LiveMx, MAX_DIAGNOSTICS, Severity, Source};

use super::split;

/// A policy text, and after two octets 0xfe the TXT records (as in the target `record`), and after
/// two more the MX hosts, one a line: the verdict is the parser's, what is refused has an error,
/// the answer is short and plain, and each position lies inside the text.
///
/// # Panics
/// Where one of these does not hold.
pub fn lint(data: &[u8]) {
    let mut parts = split(data, &[0xfe, 0xfe]);
    let mut next = || parts.next().unwrap_or_default();
    let (text, records, hosts) = (next(), next(), next());
    for profile in [Profile::Strict, Profile::Tolerant] {
        let report = lint::policy(text, profile);
        assert_eq!(report.verdict, PolicyRef::parse(text, profile));
        check(&report.diagnostics, report.verdict.is_err());
        policy_places(text, &report.diagnostics);
        if let Ok(policy) = report.verdict {
            against(policy, hosts);
        }
    }
    let records: Vec<Vec<&[u8]>> =
        split(records, &[0xff, 0xff]).map(|record| split(record, &[0xff]).collect()).collect();
    let report = lint::records(&records);
    assert_eq!(report.verdict, record::select(&records));
    check(&report.diagnostics, report.verdict.is_err());
    for diagnostic in &report.diagnostics {
        let Some(at) = diagnostic.at else { continue };
        assert_eq!(diagnostic.source, Source::Record);
        let record = records[at.line - 1].concat();
        inside(diagnostic, at.column, record.len());
    }
}

fn against(policy: PolicyRef<'_>, hosts: &[u8]) {
    let hosts = String::from_utf8_lossy(hosts);
    // A tab stands before each name of the host's certificate.
    let hosts: Vec<(&str, Vec<&str>)> = hosts
        .lines()
        .map(|line| {
            let mut names = line.split('\t');
            (names.next().unwrap_or_default(), names.collect())
        })
        .collect();
    let live: Vec<LiveMx<'_>> = hosts
        .iter()
        .map(|(host, names)| match names.as_slice() {
            [] => LiveMx::new(host),
            names => LiveMx::new(host).with_certificate(names),
        })
        .collect();
    let diagnostics = lint::against(policy, &live);
    check(&diagnostics, false);
    for diagnostic in &diagnostics {
        let Some(at) = diagnostic.at else { continue };
        match diagnostic.source {
            Source::Mx => inside(diagnostic, at.column, chars(live[at.line - 1].host)),
            Source::Policy => {
                policy_places(policy.as_str().as_bytes(), std::slice::from_ref(diagnostic));
            }
            Source::Record => panic!("there is no record: {diagnostic:?}"),
        }
    }
}

fn check(diagnostics: &[Diagnostic], is_refused: bool) {
    assert!(diagnostics.len() <= MAX_DIAGNOSTICS);
    if is_refused {
        assert!(diagnostics.iter().any(|d| d.severity == Severity::Error), "{diagnostics:?}");
    }
    for diagnostic in diagnostics {
        for text in [Some(&diagnostic.message), diagnostic.help.as_ref()].into_iter().flatten() {
            assert!(!text.contains(char::is_control), "{diagnostic:?}");
            // Longer than any of its own words and the longest quotation, escapes included.
            assert!(text.len() <= 2_000, "{diagnostic:?}");
        }
        assert!(!diagnostic.message.ends_with('.'), "{diagnostic:?}");
    }
}

fn policy_places(text: &[u8], diagnostics: &[Diagnostic]) {
    let lines: Vec<String> = text
        .split(|octet| *octet == b'\n')
        .map(|line| String::from_utf8_lossy(line).into_owned())
        .collect();
    for diagnostic in diagnostics {
        let Some(at) = diagnostic.at else { continue };
        assert_eq!(diagnostic.source, Source::Policy);
        assert!((1..=lines.len()).contains(&at.line), "{diagnostic:?}");
        inside(diagnostic, at.column, chars(&lines[at.line - 1]));
    }
}

/// Columns count from one; one past the end is where a line ends.
fn inside(diagnostic: &Diagnostic, column: usize, length: usize) {
    assert!((1..=length + 1).contains(&column), "{diagnostic:?} in {length}");
    assert!(column - 1 + diagnostic.length <= length, "{diagnostic:?} in {length}");
}

fn chars(text: &str) -> usize {
    text.chars().count()
}
