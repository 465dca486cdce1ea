//! Each code has an input that brings it about, and stands in the table of the module's docs.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use super::*;
use mta_sts::record::select;
use proptest::prelude::*;

mod amounts;
mod tables;
mod words;
use tables::{AGAINST, Expected, POLICIES, RECORDS, STRICT};

fn summary(diagnostics: &[Diagnostic]) -> Vec<(&'static str, Severity)> {
    diagnostics.iter().map(|d| (d.code, d.severity)).collect()
}

/// Runs one input, keeps what it brought about, compares.
fn expect(seen: &mut BTreeSet<String>, found: &[Diagnostic], expected: Expected, input: &str) {
    assert_eq!(summary(found), expected, "{input}\n{found:#?}");
    for diagnostic in found {
        let letter = match diagnostic.severity {
            Severity::Error => 'E',
            Severity::Warning => 'W',
            Severity::Note => 'N',
        };
        seen.insert(format!("{} {letter}", diagnostic.code));
        assert!(!diagnostic.message.contains(char::is_control), "{diagnostic:?}");
        assert!(!diagnostic.message.ends_with('.'), "{diagnostic:?}");
    }
}

fn run_all() -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    for (profile, table) in [(Profile::Tolerant, POLICIES), (Profile::Strict, STRICT)] {
        for (text, expected) in table {
            let report = policy(text.as_bytes(), profile);
            assert_eq!(report.verdict, PolicyRef::parse(text.as_bytes(), profile));
            expect(&mut seen, &report.diagnostics, expected, text);
        }
    }
    for (set, expected) in RECORDS {
        let report = records(set.iter().map(|text| [*text]));
        assert_eq!(report.verdict, select(set.iter().map(|text| [*text])));
        expect(&mut seen, &report.diagnostics, expected, &format!("{set:?}"));
    }
    for ((mode, mx, hosts), expected) in AGAINST {
        let text = format!("version: STSv1\nmode: {mode}\nmx: {mx}\nmax_age: 1209600\n");
        let policy = PolicyRef::parse(text.as_bytes(), Profile::Strict).unwrap();
        let live: Vec<_> = hosts
            .iter()
            .map(|(host, names)| match names {
                Some(names) => LiveMx::new(host).with_certificate(names),
                None => LiveMx::new(host),
            })
            .collect();
        expect(&mut seen, &against(policy, &live), expected, &format!("{mode} {mx} {hosts:?}"));
    }
    let none = b"version: STSv1\nmode: none\nmax_age: 86400\n";
    let many = vec![LiveMx::new("mx.test"); MAX_MX_HOSTS + 1];
    expect(
        &mut seen,
        &against(PolicyRef::parse(none, Profile::Strict).unwrap(), &many),
        &[("too_many_hosts", Severity::Note)],
        "1,001 hosts",
    );
    let large = vec![b'a'; 65_537];
    expect(
        &mut seen,
        &policy(&large, Profile::Tolerant).diagnostics,
        &[("too_large", Severity::Error)],
        "a…",
    );
    let latin: &[u8] = b"version: STSv1\nx: \xfc\n";
    expect(
        &mut seen,
        &policy(latin, Profile::Tolerant).diagnostics,
        &[("bad_encoding", Severity::Error)],
        "ü",
    );
    let utf16 = b"\xff\xfev\0e\0r\0".as_slice();
    expect(
        &mut seen,
        &policy(utf16, Profile::Tolerant).diagnostics,
        &[("utf16", Severity::Error)],
        "utf-16",
    );
    seen
}

/// The codes and the severities of the table in the docs.
fn documented() -> BTreeSet<String> {
    let rows = include_str!("lib.rs").lines().filter_map(|line| line.strip_prefix("//! | `"));
    let mut codes = BTreeSet::new();
    for row in rows {
        let (code, rest) = row.split_once("` | ").unwrap();
        let (severities, _) = rest.split_once('|').unwrap();
        for severity in severities.trim().split('/') {
            assert!(codes.insert(format!("{code} {severity}")), "{code} stands there twice");
        }
    }
    codes
}

#[test]
fn ok_the_table_names_exactly_what_is_brought_about() {
    let mut documented = documented();
    assert!(documented.remove("more "), "`more` has no severity of its own");
    let mut seen = run_all();
    // Beside a sound record these only stand in the way.
    for (stray, code) in [
        ("\"v=STSv1; id=1;\"", "quoted_record"),
        ("a IN TXT \"v=STSv1; id=1;\"", "zone_line"),
        ("mode: none", "policy_in_record"),
    ] {
        let report = records([["v=STSv1; id=1;"], [stray]]);
        assert_eq!(summary(&report.diagnostics), [(code, Severity::Warning)]);
        seen.insert(format!("{code} W"));
    }
    assert_eq!(seen, documented);
}

#[test]
fn ok_every_code_of_the_enumeration_is_in_the_table() {
    let documented = documented();
    let names: BTreeSet<&str> = documented.iter().filter_map(|row| row.split(' ').next()).collect();
    for code in Code::ALL {
        assert!(names.contains(<&str>::from(*code)), "{code:?}");
    }
}

#[test]
fn ok_an_age_shorter_than_the_time_between_fetches_leaves_gaps() {
    let message = |mode: &str, secs: u64| {
        let text = format!("version: STSv1\nmode: {mode}\nmax_age: {secs}\nmx: mx.test\n");
        let report = policy(text.as_bytes(), Profile::Strict);
        let found = report.diagnostics.iter().find(|d| d.code == "max_age_under_day");
        found.map(|d| (d.severity, d.message.clone(), d.at.map(|at| (at.line, at.column))))
    };
    for mode in ["enforce", "testing"] {
        let (severity, nothing, at) = message(mode, 0).unwrap();
        assert_eq!((severity, at), (Severity::Warning, Some((3, 10))));
        assert!(nothing.contains("protects nothing"), "{nothing}");
        for secs in [1, 299] {
            let (_, gaps, _) = message(mode, secs).unwrap();
            assert!(gaps.contains(&format!("for {secs} seconds leaves gaps")), "{gaps}");
        }
        let (_, short, _) = message(mode, 300).unwrap();
        assert!(short.contains("hardly protects"), "{short}");
    }
    // RFC 8461 §8.3: a removal is to be short.
    assert_eq!(message("none", 0), None);
}

#[test]
fn ok_places_and_helps() {
    type Span = Option<(usize, usize, usize)>;
    let at = |line, column, length| Some((line, column, length));
    let cases: &[(&str, &str, Span, &str)] = &[
        ("mode:\t[testing] ", "bad_mode", at(1, 7, 9), "write `mode: testing`"),
        (
            "mode: testing # x",
            "bad_mode",
            at(1, 7, 11),
            "write `mode: testing`: a policy has no comments",
        ),
        (
            "mode: enforce\u{a0}",
            "bad_mode",
            at(1, 7, 8),
            "write `mode: enforce`: an invisible character is part of the value",
        ),
        (
            "mode: MODE",
            "bad_mode",
            at(1, 7, 4),
            "this is a template that was not filled in: write `mode: testing` or `mode: enforce`",
        ),
        ("max_age: 604,800", "bad_max_age", at(1, 10, 7), "write `max_age: 604800`"),
        ("max_age: 14d", "bad_max_age", at(1, 10, 3), "write `max_age: 1209600`"),
        (
            "max_age: -1",
            "bad_max_age",
            at(1, 10, 2),
            "an age cannot be negative: write `max_age: 1209600` for two weeks",
        ),
        ("max_age=604800", "bad_syntax", at(1, 1, 14), "write `max_age: 604800`"),
        ("mx: Priority 1: SMTP.GOOGLE.COM", "bad_mx", at(1, 5, 27), "write `mx: SMTP.GOOGLE.COM`"),
        ("mx: 10 mail.test.org.", "bad_mx", at(1, 5, 17), "write `mx: mail.test.org`"),
        (
            "mx: a.test, b.test",
            "bad_mx",
            at(1, 5, 14),
            "write each host in a line of its own: `mx: a.test`, `mx: b.test`, …",
        ),
        ("mx: ://a.test", "bad_mx", at(1, 5, 9), "write `mx: a.test`"),
        ("mx: .a.test", "bad_mx", at(1, 5, 7), "write `mx: a.test`"),
        ("mx: [192.0.2.1]", "bad_mx", at(1, 5, 11), "name the host: an address matches no MX host"),
        (
            "mx: alt*.a.test",
            "bad_mx",
            at(1, 5, 11),
            "name each host, or write `*.a.test` if you trust all of it",
        ),
        (
            "mx: *",
            "bad_mx",
            at(1, 5, 1),
            "no pattern matches every host: name each, or write `*.` and their domain",
        ),
        (
            "mx: PRIMARY_HOSTNAME!",
            "bad_mx",
            at(1, 5, 17),
            "this is a template that was not filled in: write the name of an MX host",
        ),
        (
            "version: STSv1 mode: none",
            "bad_version",
            at(1, 10, 16),
            "each field has a line of its own: end the line before `mode:`",
        ),
    ];
    for (text, code, place, help) in cases {
        let report = policy(text.as_bytes(), Profile::Tolerant);
        let found = report.diagnostics.iter().find(|d| d.code == *code).unwrap();
        let found_at = found.at.map(|at| (at.line, at.column, found.length));
        assert_eq!((found_at, found.help.as_deref()), (*place, Some(*help)), "{text}");
    }
    let cases: &[(&str, Option<usize>, &str)] = &[
        ("v=STSv1; id=2025-11-09", Some(17), "write `id=20251109`"),
        ("v=STSv1; id=2025-11-09T10:00:00Z;", Some(17), "write `id=20251109T100000Z`"),
        ("v=STSv1; id=\"a\"", Some(13), "write `id=a`"),
        (
            "v=STSv1\\; id=a",
            Some(8),
            "remove the backslash: it belongs to the zone file, not to the record",
        ),
        ("v=STSv1; id:a", Some(12), "write `=` between a name and its value, not a colon"),
        ("v=STSv1 id=a", Some(9), "write `;` before it"),
        ("v=STSv1; id =a", Some(12), "write `id=`, without the space"),
        ("v=STSv1; Id=a", Some(1), "write `id`, in these letters, where `Id` stands"),
        ("v=stsv1; id=a", Some(1), "write `v=STSv1;`, in exactly these letters"),
        (
            "\"v=STSv1; id=a\"",
            Some(1),
            "publish `v=STSv1; id=a`: without quotes, if the form adds its own",
        ),
        ("a. TXT \"v=STSv1; id=a\"", Some(1), "publish only `v=STSv1; id=a`"),
    ];
    for (text, column, help) in cases {
        let report = records([[*text]]);
        let [found] = report.diagnostics.as_slice() else { panic!("{report:?}") };
        let found_at = found.at.map(|at| at.column);
        assert_eq!((found_at, found.help.as_deref()), (*column, Some(*help)), "{text}");
    }
}

#[test]
fn ok_why_a_host_is_not_covered() {
    let text =
        "version: STSv1\nmode: enforce\nmx: *.example.org\nmx: mial.test\nmax_age: 1209600\n";
    let policy = PolicyRef::parse(text.as_bytes(), Profile::Strict).unwrap();
    for (host, help) in [
        (
            "a.b.example.org",
            "`*.example.org` covers one label only, not hosts deeper below: add `mx: a.b.example.org`",
        ),
        ("example.org", "`*.example.org` does not cover the domain itself: add `mx: example.org`"),
        ("mail.test", "add `mx: mail.test`; `mial.test` is nearly its name"),
        ("elsewhere.test", "add `mx: elsewhere.test`, or remove the host from the MX records"),
    ] {
        let found = against(policy, &[LiveMx::new(host)]);
        let found = found.iter().find(|d| d.code == "mx_not_covered").unwrap();
        assert_eq!(found.help.as_deref(), Some(help));
        assert_eq!(
            found.to_string(),
            format!(
                "error[mx_not_covered]: no pattern of the policy covers the MX host `{host}` (mx, line 1, column 1)"
            )
        );
    }
}

#[test]
fn ok_quoted_text_cannot_steer_a_terminal_or_grow() {
    let text = format!("version: STSv1\nmode: \u{1b}[31m\u{202e}{}\n", "x".repeat(1000));
    let report = policy(text.as_bytes(), Profile::Tolerant);
    for diagnostic in &report.diagnostics {
        assert!(diagnostic.message.len() < 300, "{diagnostic}");
        assert!(!diagnostic.message.contains(['\u{1b}', '\u{202e}']), "{diagnostic}");
    }
}

/// Pieces of policies, records and other files.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        proptest::sample::select(vec![
            "version: STSv1",
            "mode: enforce",
            "mode: none",
            "Mode:",
            "mx: a.test",
            "mx:",
            "nmx: b",
            "max_age: 86400",
            "max_age=1",
            "\n",
            "\n",
            "\n",
            "\r\n",
            "\r",
            " ",
            "- ",
            "---",
            "#",
            ":",
            "*.",
            "ü",
            "\u{feff}",
            "v=STSv1;",
            "id=",
            "id=1",
            ";",
            "\"",
            "IN TXT ",
            "\\n",
            "=",
            "x",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
        proptest::collection::vec(any::<u8>(), 0..6),
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn ok_whatever_the_text_a_refusal_is_explained(octets in pieces(), strict: bool) {
        let profile = if strict { Profile::Strict } else { Profile::Tolerant };
        let report = policy(&octets, profile);
        prop_assert_eq!(&report.verdict, &PolicyRef::parse(&octets, profile));
        let refused = report.worst() == Some(Severity::Error);
        prop_assert_eq!(refused, report.verdict.is_err(), "{:?}", report);
        let lines = octets.split(|b| *b == b'\n').count();
        for at in report.diagnostics.iter().filter_map(|d| d.at) {
            prop_assert!((1..=lines).contains(&at.line) && at.column > 0);
        }
        prop_assert!(report.diagnostics.len() <= MAX_DIAGNOSTICS);
    }

    #[test]
    fn ok_whatever_the_records_a_refusal_is_explained(
        set in proptest::collection::vec(pieces(), 0..4),
    ) {
        let report = records(set.iter().map(|record| [record]));
        prop_assert_eq!(&report.verdict, &select(set.iter().map(|record| [record])));
        let refused = report.worst() == Some(Severity::Error);
        prop_assert_eq!(refused, report.verdict.is_err(), "{:?}", report);
    }
}

#[test]
fn ok_what_is_underlined_is_part_of_the_record() {
    for (octets, column, length) in [
        (&b"v=STSv1; \xe9"[..], 10, 1),
        (b"v=STSv1; \xe9\xe9=1", 10, 1),
        (b"v=STSv1; id=\xff", 13, 1),
        (b"v=STSv1; id=1\xfe", 14, 1),
        (b"v=STSv1;\xff\xff", 9, 1),
        ("v=STSv1; é=1".as_bytes(), 10, 2),
        (b"v=STSv1; id =1", 12, 1),
        (b"v=STSv1; id=1; x", 17, 0),
    ] {
        let found = &records([[octets]]).diagnostics[0];
        let at = found.at.map(|at| (at.line, at.column));
        assert_eq!((at, found.length), (Some((1, column)), length), "{found:?}");
    }
    // The whole record, where no column is to blame.
    let no_id = b"v=STSv1; a=b;";
    assert_eq!(records([[no_id]]).diagnostics[0].length, no_id.len());
}
