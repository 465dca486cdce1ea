//! What is said of a fault, and what to write instead.

use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use crate::{LiveMx, Severity, Source, against, policy, quoted, records};
use mta_sts::Place;
use mta_sts::{PolicyRef, Profile};

/// A text, the code, what is said of it, the advice.
type Words = (&'static str, &'static str, &'static str, &'static str);

/// Lines of a policy.
const LINES: &[Words] = &[
    (
        "version: STSv2",
        "bad_version",
        "expected `STSv1`, exactly, found `STSv2`",
        "write `version: STSv1`",
    ),
    (
        "version: STSv1nmx: a.test",
        "bad_version",
        "expected `STSv1`, exactly, found `STSv1nmx: a.test`",
        "write `version: STSv1`",
    ),
    (
        "version: STSv1 a.mx: a.test",
        "bad_version",
        "expected `STSv1`, exactly, found `STSv1 a.mx: a.test`",
        "write `version: STSv1`",
    ),
    (
        "version: STSv1 mx: a.test",
        "bad_version",
        "`mx:` stands in the line of `version`",
        "each field has a line of its own: end the line before `mx:`",
    ),
    (
        "version: STSv1max_age: 1",
        "bad_version",
        "`max_age:` stands in the line of `version`",
        "each field has a line of its own: end the line before `max_age:`",
    ),
    (
        "version: the mode",
        "bad_version",
        "expected `STSv1`, exactly, found `the mode`",
        "write `version: STSv1`",
    ),
    (
        "mode:",
        "bad_mode",
        "expected `enforce`, `testing` or `none`, found nothing",
        "write `mode: testing` to begin with, `mode: enforce` when it has proved itself",
    ),
    (
        "mode: strict",
        "bad_mode",
        "expected `enforce`, `testing` or `none`, found `strict`",
        "write `mode: testing` to begin with, `mode: enforce` when it has proved itself",
    ),
    (
        "mode: #MODE|",
        "bad_mode",
        "expected `enforce`, `testing` or `none`, found `#MODE|`",
        "write `mode: testing` to begin with, `mode: enforce` when it has proved itself",
    ),
    (
        "mode: enforce|testing|none",
        "bad_mode",
        "expected `enforce`, `testing` or `none`, found `enforce|testing|none`",
        "choose one: this is a template",
    ),
    (
        "mode: test // x",
        "bad_mode",
        "expected `enforce`, `testing` or `none`, found `test // x`",
        "write `mode: testing`: a policy has no comments",
    ),
    (
        "max_age: soon",
        "bad_max_age",
        "expected 1 to 10 digits, seconds, found `soon`",
        "write `max_age: 1209600` for two weeks; at most 31557600",
    ),
    (
        "max_age: 99999999999",
        "bad_max_age",
        "expected 1 to 10 digits, seconds, found `99999999999`",
        "write `max_age: 1209600` for two weeks; at most 31557600",
    ),
    (
        "mx:",
        "bad_mx",
        "expected a host name after `mx:`, found nothing",
        "write the name of an MX host, or remove the line",
    ),
    (
        "mx: -a.test",
        "bad_mx",
        "expected labels that neither begin nor end with a hyphen, found `-a.test`",
        "write the name of an MX host, such as `mx: mail.example.org`",
    ),
    (
        "mx: a..test",
        "bad_mx",
        "expected a label on either side of each dot, found `a..test`",
        "write the name of an MX host, such as `mx: mail.example.org`",
    ),
    (
        "mx: a b",
        "bad_mx",
        "expected a host name or `*.` and a domain, found `a b`",
        "write the name of an MX host, such as `mx: mail.example.org`",
    ),
    (
        "mx: 10 192.0.2.1",
        "bad_mx",
        "expected a host name or `*.` and a domain, found `10 192.0.2.1`",
        "write the name of an MX host, such as `mx: mail.example.org`",
    ),
    (
        "mx: {{ mx }}",
        "bad_mx",
        "expected a host name or `*.` and a domain, found `{{ mx }}`",
        "this is a template that was not filled in: write the name of an MX host",
    ),
    (
        "mx: \"MX_HOST\"",
        "bad_mx",
        "expected a host name or `*.` and a domain, found `\"MX_HOST\"`",
        "this is a template that was not filled in: write the name of an MX host",
    ),
    (
        "mx: m*.outlook.com",
        "bad_mx",
        "expected `*` only as the whole left-most label, found `m*.outlook.com`",
        "name each host in a line of its own",
    ),
    (
        "mx: m*.co.uk",
        "bad_mx",
        "expected `*` only as the whole left-most label, found `m*.co.uk`",
        "name each host in a line of its own",
    ),
    (
        "mx: m*",
        "bad_mx",
        "expected `*` only as the whole left-most label, found `m*`",
        "no pattern matches every host: name each, or write `*.` and their domain",
    ),
    (
        "mx: a_b@",
        "bad_mx",
        "expected a host name or `*.` and a domain, found `a_b@`",
        "`_` cannot stand in a host name: give the MX host another name",
    ),
    ("x:", "bad_syntax", "the field `x` has no value", "give it a value, or remove the line"),
    (
        "x: a\rb",
        "bad_syntax",
        "the control character U+000D stands in a value",
        "end lines with LF or CRLF, and have CR nowhere else",
    ),
    (
        "x: a\tb",
        "bad_syntax",
        "the control character U+0009 stands in a value",
        "a tab may stand before and behind a value, but not within: write a space",
    ),
    ("x: a\u{7f}b", "bad_syntax", "the control character U+007F stands in a value", "remove it"),
    ("mode=none", "bad_syntax", "expected `:` after `mode`, found `=`", "write `mode: none`"),
    ("mode none", "bad_syntax", "expected `:` after `mode`", "write `mode: none`"),
    (
        "mode",
        "bad_syntax",
        "expected a field `name: value`, found `mode`",
        "write `mode: ` and a value",
    ),
    ("nothing", "bad_syntax", "expected a field `name: value`, found `nothing`", "remove the line"),
    (
        ": x",
        "bad_syntax",
        "expected a field name before the colon, found nothing",
        "remove the line; a name has 1 to 32 letters, digits, `_`, `-`, `.`",
    ),
    (
        "a b: x",
        "bad_syntax",
        "expected a field name before the colon, found `a b`",
        "remove the line; a name has 1 to 32 letters, digits, `_`, `-`, `.`",
    ),
    (
        "mode x: y",
        "bad_syntax",
        "expected a field name before the colon, found `mode x`",
        "write `mode: ` and the value",
    ),
    (
        "\"mode\": y",
        "bad_syntax",
        "expected a field name before the colon, found `\"mode\"`",
        "write `mode: ` and the value",
    ),
    (
        "mode\u{a0}: x",
        "bad_syntax",
        "expected a field name before the colon, found `mode\\u{a0}`",
        "remove the invisible character before the colon",
    ),
];

/// TXT records, of which the first has the fault.
const RECORDS: &[(&[&str], &str, &str, &str)] = &[
    (
        &[""],
        "not_sts",
        "expected a record that begins with `v=STSv1;`, found nothing",
        "publish `v=STSv1; id=20261109;` with an id of your own",
    ),
    (
        &["hello"],
        "not_sts",
        "expected a record that begins with `v=STSv1;`, found `hello`",
        "publish `v=STSv1; id=20261109;` with an id of your own",
    ),
    (
        &[" v=STSv1; id=1;"],
        "not_sts",
        "expected a record that begins with `v=STSv1;`, found ` v=STSv1; id=1;`",
        "remove the white space around it",
    ),
    (
        &["v=STSv1\\; id=1", "x"],
        "not_sts",
        "expected a record that begins with `v=STSv1;`, found `v=STSv1\\; id=1`",
        "remove the backslash: it belongs to the zone file, not to the record",
    ),
    (
        &["v=STSv1 ; id=1", "x"],
        "not_sts",
        "expected a record that begins with `v=STSv1;`, found `v=STSv1 ; id=1`",
        "write `v=STSv1;`, nothing between: where there are several records, one that begins otherwise does not count",
    ),
    (
        &["V=stsv1; id=1"],
        "not_sts",
        "expected a record that begins with `v=STSv1;`, found `V=stsv1; id=1`",
        "write `v=STSv1;`, in exactly these letters",
    ),
    (
        &["V=stsv1; id=1", "x"],
        "not_sts",
        "expected a record that begins with `v=STSv1;`, found `V=stsv1; id=1`",
        "write `v=STSv1;`, in exactly these letters",
    ),
    (
        &["id=1; v=STSv1;"],
        "not_sts",
        "expected a record that begins with `v=STSv1;`, found `id=1; v=STSv1;`",
        "the record must begin with `v=STSv1;`, nothing before it",
    ),
    (
        &["STSv1; id=1;"],
        "not_sts",
        "expected a record that begins with `v=STSv1;`, found `STSv1; id=1;`",
        "the record must begin with `v=STSv1;`, nothing before it",
    ),
    (
        &["id=20261109"],
        "not_sts",
        "expected a record that begins with `v=STSv1;`, found `id=20261109`",
        "begin it with `v=STSv1; `",
    ),
    (
        &["v=STS1; id=1"],
        "not_sts",
        "expected a record that begins with `v=STSv1;`, found `v=STS1; id=1`",
        "the one version there is is `v=STSv1;`",
    ),
    (
        &["v=MTA-STS1; id=1"],
        "not_sts",
        "expected a record that begins with `v=STSv1;`, found `v=MTA-STS1; id=1`",
        "the one version there is is `v=STSv1;`",
    ),
    (
        &["v=STSv10; id=1;"],
        "bad_version",
        "the version goes on after `STSv1` with `0`",
        "write `v=STSv1;`: there is no other version",
    ),
    (
        &["v=STSv1id=1;"],
        "bad_version",
        "the version goes on after `STSv1` with `id`",
        "write `v=STSv1; id=…`, with the semicolon",
    ),
    (
        &["v=STSv1; a=1; uid=2"],
        "missing_id",
        "expected the field `id`, found none",
        "write `id`, in these letters, where `uid` stands",
    ),
    (
        &["v=STSv1; di=1"],
        "missing_id",
        "expected the field `id`, found none",
        "add a field `id`: publish `v=STSv1; id=20261109;` with an id of your own",
    ),
    (
        &["v=STSv1; i=1"],
        "missing_id",
        "expected the field `id`, found none",
        "write `id`, in these letters, where `i` stands",
    ),
    (
        &["v=STSv1; id=;"],
        "bad_id",
        "expected 1 to 32 letters and digits after `id=`, found nothing",
        "write an id, such as the date: `id=20261109`",
    ),
    (
        &["v=STSv1; id=aaaaaaaaaabbbbbbbbbbccccccccccddd;"],
        "bad_id",
        "expected at most 32 letters and digits, found 33",
        "write `id=aaaaaaaaaabbbbbbbbbbccccccccccdd`",
    ),
    (
        &["v=STSv1; a=b; id=1-2;"],
        "bad_id",
        "expected letters and digits in the id, found `1-2`",
        "write `id=12`",
    ),
    (
        &["v=STSv1, id=1"],
        "bad_syntax",
        "expected `;` between fields, found `,`",
        "write `;`, not a comma",
    ),
    (
        &["v=STSv1\"; id=1"],
        "bad_syntax",
        "expected `;` between fields, found `\"`",
        "remove the quote: it belongs to the zone file, not to the record",
    ),
    (
        &["v=STSv1 x=1"],
        "bad_syntax",
        "expected `;` between fields, found `x`",
        "write `;` before it",
    ),
    (
        &["v=STSv1 ="],
        "bad_syntax",
        "expected `;` between fields, found `=`",
        "write `;` between fields, and nothing else",
    ),
    (
        &["v=STSv1; id=1; x"],
        "bad_syntax",
        "expected `=` after the field name `x`",
        "write `name=value`, or remove it",
    ),
    (
        &["v=STSv1; id=1; x ="],
        "bad_syntax",
        "expected `=` after the field name `x`",
        "write `x=`, without the space",
    ),
    (
        &["v=STSv1;; id=1"],
        "bad_syntax",
        "expected a field `name=value`, found nothing",
        "remove the second `;`",
    ),
    (
        &["v=STSv1; \"id=1\""],
        "bad_syntax",
        "expected a field `name=value`, found `\"id=1\"`",
        "remove the quote: it belongs to the zone file, not to the record",
    ),
    (
        &["v=STSv1; \u{200b}id=1"],
        "bad_syntax",
        "expected a field `name=value`, found `\\u{200b}id=1`",
        "remove the invisible character",
    ),
    (
        &["v=STSv1; _id=1"],
        "bad_syntax",
        "expected a field `name=value`, found `_id=1`",
        "a name has 1 to 32 letters, digits, `_`, `-`, `.`; begin it with a letter or digit",
    ),
    (
        &["v=STSv1; id=1; x=a=b"],
        "bad_syntax",
        "expected visible ASCII without `=` in the value of a field",
        "remove what does not belong to it; a value has neither spaces nor `=` nor `;`",
    ),
    (
        &["'v=STSv1; id=1'"],
        "quoted_record",
        "quotes are part of the record",
        "publish `v=STSv1; id=1`: without quotes, if the form adds its own",
    ),
    (
        &["_mta-sts IN TXT v=STSv1; id=1"],
        "zone_line",
        "a whole line of a zone file is the value of the record",
        "publish `v=STSv1; id=20261109;` with an id of your own",
    ),
    (
        &["V=DMARC1; p=none"],
        "other_record",
        "this is a DMARC record",
        "publish it at `_dmarc.<domain>`, not at `_mta-sts.<domain>`",
    ),
    (
        &["MAX_AGE: 1"],
        "policy_in_record",
        "this is the text of a policy, not of a record",
        "serve it at `https://mta-sts.<domain>/.well-known/mta-sts.txt`; here publish `v=STSv1; id=20261109;` with an id of your own",
    ),
];

#[test]
fn ok_the_words_for_a_line() {
    for (line, code, message, help) in LINES {
        let text = format!("contact: x\n{line}\nmax_age: 1209600\n");
        let report = policy(text.as_bytes(), Profile::Tolerant);
        let found =
            report.diagnostics.iter().find(|d| d.at.is_some_and(|at| at.line == 2)).unwrap();
        let said = (found.code, &*found.message, found.help.as_deref());
        assert_eq!(said, (*code, *message, Some(*help)), "{line}");
    }
}

#[test]
fn ok_a_missing_field_is_found_under_another_name() {
    let text = b"version: STSv1\nmode: enforce\nmax_age: 1209600\nnmx:  a.test\n";
    let report = policy(text, Profile::Tolerant);
    let [found] = report.diagnostics.as_slice() else { panic!("{report:?}") };
    assert_eq!(
        found.to_string(),
        "error[missing_mx]: expected the field `mx`, found `nmx` (policy, line 4, column 1)"
    );
    assert_eq!((found.length, found.help.as_deref()), (3, Some("write `mx: a.test`")));
}

#[test]
fn ok_what_a_strict_sender_refuses_is_underlined() {
    let text = "\u{feff}version: STSv1\n\n mode: enforce\n\nmax_age: 1209600\nmx: a_b.test.\n";
    let report = policy(text.as_bytes(), Profile::Tolerant);
    let found: Vec<_> = report.diagnostics.iter().map(|d| (d.code, d.at, d.length)).collect();
    let at = |line, column| Some(Place { line, column });
    assert_eq!(
        found,
        [
            ("byte_order_mark", at(1, 1), 1),
            ("blank_line", at(2, 1), 0),
            ("leading_space", at(3, 1), 1),
            ("underscore", at(6, 6), 1),
            ("trailing_dot", at(6, 13), 1),
        ]
    );
    let blank = "a blank line: a sender that is strict refuses the policy (1 more line like it)";
    assert_eq!(report.diagnostics[1].message, blank);
}

#[test]
fn ok_the_words_for_a_record() {
    for (set, code, message, help) in RECORDS {
        let report = records(set.iter().map(|text| [*text]));
        let found = &report.diagnostics[0];
        let said = (found.code, &*found.message, found.help.as_deref());
        assert_eq!(said, (*code, *message, Some(*help)), "{set:?}");
    }
}

#[test]
fn ok_a_certificate_is_named_by_its_names() {
    let text = b"version: STSv1\nmode: enforce\nmx: a.test\nmax_age: 1209600\n";
    let policy = PolicyRef::parse(text, Profile::Strict).unwrap();
    let cases: [(&[&str], &str); 4] = [
        (&[], "no DNS name at all"),
        (&["b.test"], "`b.test`"),
        (&["b.test", "*.c", "d", "e"], "`b.test`, `*.c`, `d`, `e`"),
        (&["b.test", "*.c", "d", "e", "f"], "`b.test`, `*.c`, `d`, `e` and 1 more"),
    ];
    for (names, listed) in cases {
        let found = against(policy, &[LiveMx::new("a.test").with_certificate(names)]);
        let messages: Vec<_> = found.iter().map(|d| d.message.clone()).collect();
        assert_eq!(messages, [format!("the certificate of `a.test` is for {listed}")]);
    }
}

#[test]
fn ok_what_is_quoted_is_clipped_and_shows_what_cannot_be_seen() {
    assert_eq!(quoted("a\u{1b}b"), "`a\\u{1b}b`");
    assert_eq!(quoted("a\u{200b}b"), "`a\\u{200b}b`");
    assert_eq!(quoted(&"ü".repeat(60)), format!("`{}`", "ü".repeat(60)));
    assert_eq!(quoted(&"ü".repeat(61)), format!("`{}…`", "ü".repeat(60)));
}

#[test]
fn ok_severities_and_sources_have_names() {
    let severities = [Severity::Note, Severity::Warning, Severity::Error];
    assert_eq!(severities.map(|s| s.to_string()), ["note", "warning", "error"]);
    let sources = [Source::Record, Source::Policy, Source::Mx];
    assert_eq!(sources.map(|s| s.to_string()), ["record", "policy", "mx"]);
}
