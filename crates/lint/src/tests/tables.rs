//! Inputs, and exactly what is to be said about each.

use crate::Severity::{self, Error as E, Note as N, Warning as W};
use mta_sts::Mode;

pub(super) type Expected = &'static [(&'static str, Severity)];

/// Policies that the tolerant profile judges.
pub(super) const POLICIES: &[(&str, Expected)] = &[
    ("", &[("empty", E)]),
    ("\r\n \t\n", &[("empty", E)]),
    ("a\n", &[("not_a_policy", E)]),
    ("Not found: here\n", &[("not_a_policy", E)]),
    ("{\"version\": \"STSv1\", \"mode\": \"enforce\"}", &[("json", E)]),
    ("[\n  {\"mode\": 1}]", &[("json", E)]),
    ("{version: STSv1, mode: enforce}", &[("json", E)]),
    ("{mode: enforce}", &[("json", E)]),
    ("{\"error\": 404}", &[("json", E)]),
    ("{}", &[("json", E)]),
    ("{error}", &[("not_a_policy", E)]),
    ("---\nversion: STSv1\nmode: testing\n", &[("yaml", E)]),
    ("%YAML 1.2\n---\nversion: STSv1\n", &[("yaml", E)]),
    ("---\nlayout: none\n---\nversion: STSv1\n", &[("front_matter", E)]),
    ("{\\rtf1\\ansi version: STSv1}", &[("rtf", E)]),
    ("\u{feff}\n<!DOCTYPE html><p>mode: none", &[("html", E)]),
    ("<?php echo 'version: STSv1';", &[("html", E)]),
    ("```\nversion: STSv1\n```\n", &[("markdown", E)]),
    ("v\0e\0r\0s\0i\0o\0n\0", &[("utf16", E)]),
    ("%PDF-1.4", &[("binary", E)]),
    ("-----BEGIN PRIVATE KEY-----\nAAAA\n", &[("pem", E)]),
    (
        "version: STSv1\nmode: none\nmax_age: 86400\n```\n-----BEGIN PRIVATE KEY-----\nAAAA\n\
         -----END PRIVATE KEY-----\n-- the end\n",
        &[
            ("mode_none", N),
            ("markdown", E),
            ("pem", E),
            ("bad_syntax", E),
            ("bad_syntax", E),
            ("comment", E),
        ],
    ),
    ("$TTL 300\n@ IN SOA a b 1\n", &[("zone_file", E)]),
    ("example.com. 300 IN MX 10 mail.example.com.\n", &[("zone_file", E)]),
    ("mx IN A 192.0.2.1\nmode IN A 192.0.2.2\n", &[("zone_file", E)]),
    (
        "mx: MX 10 a.test\nversion: STSv1\nmode: none\nmax_age: 86400\n",
        &[("bad_mx", E), ("mode_none", N)],
    ),
    (
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nversion: STSv1\r\n",
        &[("http_response", E)],
    ),
    ("v=STSv1; id=1;", &[("record_in_policy", E)]),
    ("_mta-sts IN TXT \"v=STSv1; id=1;\"\n", &[("record_in_policy", E)]),
    ("version: STSv1\\nmode: none\\nmax_age: 86400\\n", &[("literal_newline", E)]),
    ("version: STSv1\nmode: none\nmax_age: 86400\\n", &[("literal_newline", E)]),
    ("version: STSv1\rmode: none\rmax_age: 86400\r", &[("cr_line_ends", E)]),
    ("version: STSv1 mode: none mx: a.test max_age: 86400", &[("bad_version", E)]),
    ("version: STSv1; mode: none; max_age: 86400;", &[("bad_version", E)]),
    ("version: STSv1 mode: enforce\nmax_age: 1209600\n", &[("bad_version", E), ("missing_mx", E)]),
    (
        "# a policy\nversion: STSv1\n# mode: x\nmode: none\nmax_age: 86400\n",
        &[("comment", E), ("mode_none", N)],
    ),
    (
        "version: STSv1\nmode: none\nmax_age: 86400\nv=STSv1; id=1\n",
        &[("mode_none", N), ("record_in_policy", E)],
    ),
    (
        "version: STSv1\nmode: none\nmax_age: 86400\nnote: v=STSv1; id=1\n",
        &[("mode_none", N), ("record_in_policy", W)],
    ),
    (
        "version: STSv1\nmode: testing\nmx:\n  - a.test\n  - b.test\nmax_age: 86400\n",
        &[("mode_testing", N), ("yaml", E)],
    ),
    (
        "version: STSv1\nmode: none\nmax_age: 86400\nmx: a b\n- c.test\n",
        &[("mode_none", N), ("bad_mx", E), ("bad_syntax", E)],
    ),
    ("version: STSv1\nmode:\nmx: a.test\nmax_age:\n", &[("bad_mode", E), ("bad_max_age", E)]),
    (
        "version: STSv1\nmode: none\nmax_age: 86400\nmx: a b\nmx: a b\n",
        &[("mode_none", N), ("bad_mx", E), ("bad_mx", E)],
    ),
    (
        "version: STSv1\nmode: none\nmax_age: 86400\nversion: STSv1\nmode: none\n",
        &[("mode_none", N), ("two_policies", W)],
    ),
    (
        "version: STSv1\nmode: none\nmax_age: 86400version: STSv1\nmode: none\nmax_age: 1\n",
        &[("mode_none", N), ("two_policies", E), ("bad_max_age", E)],
    ),
    (
        "version: STSv1\nmode: none\nmax_age: 1d\nversion: STSv1\nmode: none\n",
        &[("mode_none", N), ("bad_max_age", E), ("two_policies", E)],
    ),
    (
        "version: STSv1\nmode: none\nmax_age: 86400\nversion: STSv1\n",
        &[("mode_none", N), ("repeated_field", W)],
    ),
    (
        "version: STSv1\nmode: none\nmax_age: 86400\nmode: enforce\n",
        &[("mode_none", N), ("repeated_field", W)],
    ),
    ("mode: none\nmax_age: 86400\n", &[("mode_none", N), ("missing_version", E)]),
    ("version: STSv1\nmax_age: 86400\nmx: a.test\n", &[("missing_mode", E)]),
    ("version: STSv1\nmode: none\n", &[("mode_none", N), ("missing_max_age", E)]),
    ("version: STSv1\nmode: enforce\nmax_age: 1209600\n", &[("missing_mx", E)]),
    ("version: STSv1\nmode: enforce\nmax_age: 1209600\nnmx: a.test\n", &[("missing_mx", E)]),
    (
        "version: STSv1\nMode: enforce\nmax-age: 1209600\nMX: a.test\nMX: b.test\n",
        &[("missing_mode", E), ("missing_max_age", E), ("missing_mx", E), ("misspelt_field", W)],
    ),
    (
        "version: STSv1\nmode: enforce\nmax_age=1209600\nmx a.test\n",
        &[("bad_syntax", E), ("bad_syntax", E)],
    ),
    (
        "version: STSv2\nmode: enforced\nmax_age: 1 week\nmx: a b\nx y: z\n",
        &[
            ("bad_version", E),
            ("bad_mode", E),
            ("bad_max_age", E),
            ("bad_mx", E),
            ("bad_syntax", E),
        ],
    ),
    (
        "version: STSv1\nmode: enforce\nmax_age: 1209600\nmx: a.test\nms: b.test\ncontact: c\n",
        &[("misspelt_field", W), ("unknown_field", N)],
    ),
    (
        "\u{feff}version: STSv1\n\n mode: enforce\n\nmax_age: 1209600\nmx: a_b.test.\n",
        &[
            ("byte_order_mark", W),
            ("blank_line", W),
            ("leading_space", W),
            ("underscore", W),
            ("trailing_dot", W),
        ],
    ),
    (
        "version: STSv1\nmode: none\nmax_age: 60\nmx: a.test\n",
        &[("mode_none", N), ("none_with_mx", N)],
    ),
    (
        "version: STSv1\nmode: testing\nmax_age: 86399\nmx: a.test\n",
        &[("mode_testing", N), ("max_age_under_day", W)],
    ),
    (
        "version: STSv1\nmode: enforce\nmax_age: 1209599\nmx: a.test\n",
        &[("max_age_under_weeks", N)],
    ),
    ("version: STSv1\nmode: enforce\nmax_age: 31557601\nmx: a.test\n", &[("max_age_capped", W)]),
    (
        "version: STSv1\nmode: enforce\nmax_age: 31557600\nmx: mail.example.com\nmx: yourdomain.com\n",
        &[("placeholder", N), ("placeholder", W)],
    ),
    (
        "version: STSv1\nmode: enforce\nmax_age: 1209600\nmx: 192.0.2.1\nmx: a.1\nmx: mail\n\
         mx: A.test\nmx: a.TEST\nmx: *.test\nmx: *.co.uk\nmx: *.outlook.com\nmx: *.a.b\nmx: c.a.b\n",
        &[
            ("address_as_mx", W),
            ("dead_pattern", W),
            ("single_label", W),
            ("covered_pattern", N),
            ("duplicate_pattern", W),
            ("broad_wildcard", W),
            ("broad_wildcard", W),
            ("shared_wildcard", W),
            ("covered_pattern", N),
        ],
    ),
    ("version: STSv1\r\nmode: enforce\r\nmax_age: 1209600\r\nmx: *.a.test\r\n", &[]),
];

/// What only the strict profile refuses.
pub(super) const STRICT: &[(&str, Expected)] = &[
    ("version: STSv1\nmode: none\nmax_age: 86400\n\n\n", &[("mode_none", N), ("bad_syntax", E)]),
    (
        "\u{feff}version: STSv1\n mode: none\nmax_age: 86400\n",
        &[("bad_syntax", E), ("bad_syntax", E)],
    ),
    (
        "version: STSv1\nmode: enforce\nmax_age: 1209600\nmx: a.test.\nmx: a_b.test\n",
        &[("bad_mx", E), ("bad_mx", E)],
    ),
];

pub(super) const RECORDS: &[(&[&str], Expected)] = &[
    (&["v=STSv1; id=20261109;"], &[]),
    (&["v=STSv1; id=20261109"], &[]),
    (&[], &[("not_sts", E)]),
    (&[""], &[("not_sts", E)]),
    (&["V=STSv1; id=1;"], &[("not_sts", E)]),
    (&["v=STSv2; id=1;"], &[("not_sts", E)]),
    (&[" v=STSv1; id=1;"], &[("not_sts", E)]),
    (&["v=STSv10; id=1;"], &[("bad_version", E)]),
    (&["v=STSv1id=1;"], &[("bad_version", E)]),
    (&["v=STSv1;"], &[("missing_id", E)]),
    (&["v=STSv1; ID=1;"], &[("missing_id", E)]),
    (&["v=STSv1; id=;"], &[("bad_id", E)]),
    (&["v=STSv1; id=2025-11-09;"], &[("bad_id", E)]),
    (&["v=STSv1; id=aaaaaaaaaabbbbbbbbbbccccccccccddd;"], &[("bad_id", E)]),
    (&["v=STSv1\\; id=1"], &[("bad_syntax", E)]),
    (&["v=STSv1, id=1"], &[("bad_syntax", E)]),
    (&["v=STSv1; id:1"], &[("bad_syntax", E)]),
    (&["v=STSv1; id =1"], &[("bad_syntax", E)]),
    (&["v=STSv1; id=1; x=a b;"], &[("bad_syntax", E)]),
    (&["v=STSv1; id=1; x=2; id=3"], &[("unknown_field", N), ("repeated_field", W)]),
    (&["v=STSv1; id=1;", "v=STSv1; id=2;"], &[("several_records", E)]),
    (&["\"v=STSv1; id=1;\""], &[("quoted_record", E)]),
    (&["_mta-sts.example.com. 300 IN TXT \"v=STSv1; id=1;\""], &[("zone_line", E)]),
    (&["version: STSv1\nmode: enforce\n"], &[("policy_in_record", E)]),
    (&["v=TLSRPTv1; rua=mailto:a@b.test"], &[("other_record", E)]),
    (&["v=spf1 -all", "v=STSv1; id=1;"], &[("other_record", W)]),
    (&["hello", "v=STSv1; id=1;", "v=STSv1 ; id=2"], &[("stray_record", W), ("stray_record", W)]),
    (&["v=STSv1 ; id=1", "x"], &[("not_sts", E), ("not_sts", E)]),
    (&["v=STSv1; id=-;", "v=DMARC1; p=none"], &[("bad_id", E), ("other_record", W)]),
];

/// A policy's mode, its patterns, the hosts with their certificates' names.
pub(super) type Against =
    (Mode, &'static str, &'static [(&'static str, Option<&'static [&'static str]>)]);

pub(super) const AGAINST: &[(Against, Expected)] = &[
    ((Mode::Enforce, "a.test\nmx: 192.0.2.1", &[("a.test", None)]), &[]),
    ((Mode::Enforce, "*.a.test", &[("MX.a.test.", Some(&["*.a.test"]))]), &[]),
    (
        (Mode::Enforce, "*.a.test", &[("x.mx.a.test", None), ("mx.a.test", None)]),
        &[("mx_not_covered", E)],
    ),
    (
        (Mode::Testing, "*.a.test", &[("a.test", None)]),
        &[("pattern_unused", N), ("mx_not_covered", W)],
    ),
    ((Mode::None, "*.a.test", &[("b.test", Some(&[]))]), &[]),
    ((Mode::Enforce, "a.test", &[("a.test", Some(&["b.test", "*.test"]))]), &[]),
    ((Mode::Enforce, "a.test", &[("a.test", Some(&["b.test"]))]), &[("certificate_mismatch", E)]),
    ((Mode::Testing, "a.test", &[("a.test", Some(&[]))]), &[("certificate_mismatch", W)]),
    (
        (Mode::Enforce, "a.test", &[("192.0.2.1", None), ("a..b", None)]),
        &[("mx_not_a_name", E), ("mx_not_a_name", E)],
    ),
    ((Mode::None, "a.test", &[("a b", None)]), &[("mx_not_a_name", W)]),
    ((Mode::Enforce, "a.test", &[(".", None)]), &[("null_mx", N)]),
];
