//! The oracles against the vectors and the corpus, and against the grammar's own edges.

use std::net::IpAddr;

use mta_sts_testkit::oracle::{self, MediaType, Parsed, Profile};
use mta_sts_testkit::vectors;

#[test]
fn every_record_of_the_vectors() {
    let rows = vectors::records();
    for row in rows {
        let verdict = oracle::record(&row.input).map_err(str::to_owned);
        assert_eq!(verdict, row.expect, "{:?}", String::from_utf8_lossy(&row.input));
    }
}

#[test]
fn every_record_of_the_corpus() {
    let Some(rows) = vectors::corpus_records() else { return };
    for row in rows {
        let verdict = oracle::record(&row.input).map_err(str::to_owned);
        assert_eq!(verdict, row.expect, "{:?}", String::from_utf8_lossy(&row.input));
        let set = oracle::record_set(&[vec![row.input.clone()]]);
        assert_eq!(set.ok(), row.expect.ok());
    }
}

#[test]
fn every_record_set_of_the_vectors() {
    let rows = vectors::txt_sets();
    for row in rows {
        let verdict = oracle::record_set(&row.input).map_err(str::to_owned);
        assert_eq!(verdict, row.expect, "{:?}", row.input);
    }
}

#[test]
fn every_policy_of_the_vectors() {
    let rows = vectors::policies();
    rows.iter().for_each(check_policy);
}

#[test]
fn every_policy_of_the_corpus() {
    let Some(rows) = vectors::corpus_policies() else { return };
    rows.iter().for_each(check_policy);
}

fn check_policy(row: &vectors::Policy) {
    let strict = oracle::policy(&row.input, Profile::Strict).map_err(str::to_owned);
    assert_eq!(strict, row.strict, "{} strict", row.name);
    let tolerant = oracle::policy(&row.input, Profile::Tolerant).map_err(str::to_owned);
    assert_eq!(tolerant, row.tolerant, "{} tolerant", row.name);
}

/// The A-label form of the U-labels in the vectors; an oracle has no tables of Unicode.
fn a_labels(host: &str) -> String {
    host.to_lowercase().replace("münchen", "xn--mnchen-3ya")
}

#[test]
fn every_match_of_the_vectors() {
    let rows = vectors::matches();
    for row in rows {
        let host = oracle::host(&a_labels(&row.host));
        let one_matches = row.mx.iter().any(|mx| {
            let text = format!("version: STSv1\nmode: enforce\nmx: {mx}\nmax_age: 1\n");
            let (Some(host), Ok(policy)) = (&host, oracle::policy(text.as_bytes(), row.profile))
            else {
                return false;
            };
            policy.mx.iter().any(|pattern| oracle::matches(pattern, host))
        });
        assert_eq!(one_matches, row.matches, "{row:?}");
    }
}

#[test]
fn every_content_type_of_the_vectors() {
    let rows = vectors::content_types();
    for row in rows {
        let input = row.input.as_deref();
        assert_eq!(oracle::content_type(input, Profile::Strict), row.strict, "{row:?}");
        assert_eq!(oracle::content_type(input, Profile::Tolerant), row.tolerant, "{row:?}");
    }
}

#[test]
fn ok_a_list_of_media_types_is_none() {
    for (value, verdict) in [
        ("text/plain;a=b, text/html", MediaType::Reject),
        ("text/plain;a=\"b, c\"", MediaType::Accept),
        ("text/plain;a=\"b\\\", c\"", MediaType::Accept),
        ("text/plain;a=\"b\", text/html", MediaType::Reject),
    ] {
        assert_eq!(oracle::content_type(Some(value), Profile::Strict), verdict, "{value}");
    }
}

#[test]
fn every_address_of_the_vectors() {
    let rows = vectors::addresses();
    for row in rows {
        assert_eq!(oracle::may_dial(row.input), row.allowed, "{}", row.input);
    }
}

#[test]
fn every_other_file_of_the_vectors_can_be_read() {
    let urls = vectors::policy_urls();
    assert!(urls.iter().any(|row| row.expect.is_ok()));
    assert!(urls.iter().any(|row| row.expect.is_err()));
    let rows = vectors::tlsrpt_records();
    assert!(rows.iter().any(|row| row.rua.is_some()));
    assert!(rows.iter().any(|row| row.rua.is_none()));
    for cases in [vectors::flows(), vectors::dns_answers(), vectors::http_responses()] {
        assert!(cases.iter().all(|case| !case.input.is_empty() && !case.expect.is_empty()));
    }
}

#[test]
fn ok_records_at_the_edges_of_the_grammar() {
    for (text, id) in [
        ("v=STSv1;id=a;", "a"),
        ("v=STSv1;id=a ;\t ", "a"),
        ("v=STSv1\t;\tid=A1", "A1"),
        ("v=STSv1; a=b; id=c", "c"),
        ("v=STSv1; id=a; x=<>:", "a"),
    ] {
        assert_eq!(oracle::record(text.as_bytes()), Ok(id.to_owned()), "{text:?}");
    }
}

#[test]
fn err_records_at_the_edges_of_the_grammar() {
    for (text, code) in [
        ("", "not_sts"),
        ("v=STSv", "not_sts"),
        (" v=STSv1; id=a", "not_sts"),
        ("v=STSv1;;id=a", "bad_syntax"),
        ("v=STSv1; id=a;;", "bad_syntax"),
        ("v=STSv1; id=a; ;", "bad_syntax"),
        ("v=STSv1; id=a ", "bad_id"),
        ("v=STSv1; id=a; id=b=", "bad_syntax"),
        ("v=STSv1; id=a; id=", "bad_syntax"),
        ("v=STSv1; id =a", "bad_syntax"),
        ("v=STSv1; id= a", "bad_id"),
        ("v=STSv1; =a", "bad_syntax"),
        ("v=STSv1; .a=b; id=a", "bad_syntax"),
        ("v=STSv1; id=a; x=\u{7f}", "bad_syntax"),
    ] {
        assert_eq!(oracle::record(text.as_bytes()), Err(code), "{text:?}");
    }
    assert_eq!(oracle::record(b"v=STSv1; id=a\xff"), Err("bad_id"));
}

#[test]
fn record_sets_keep_only_what_begins_with_the_version() {
    let set = |texts: &[&str]| {
        let records: Vec<_> = texts.iter().map(|text| vec![text.as_bytes().to_vec()]).collect();
        oracle::record_set(&records)
    };
    assert_eq!(set(&["v=spf1 -all"]), Err("none"));
    assert_eq!(set(&["v=spf1 -all", "v=STSv2; id=a"]), Err("none"));
    assert_eq!(set(&["v=STSv1 ; id=a", "v=STSv1 ; id=b"]), Err("none"));
    assert_eq!(set(&["v=STSv1; id=a", "v=STSv1; id=a"]), Err("multiple"));
    assert_eq!(set(&["v=spf1 -all", "v=STSv1; id=-"]), Err("invalid"));
    assert_eq!(set(&["", "v=STSv1; id=a"]), Ok("a".to_owned()));
    assert_eq!(oracle::record_set(&[vec![]]), Err("none"));
}

#[test]
fn policies_at_the_edges_of_the_grammar() {
    let both = |text: &str| {
        let verdict = |profile| oracle::policy(text.as_bytes(), profile).map(|p| p.mx.len());
        (verdict(Profile::Strict), verdict(Profile::Tolerant))
    };
    let head = "version: STSv1\nmode: enforce\nmax_age: 1\n";
    for (tail, strict, tolerant) in [
        ("mx: a", Ok(1), Ok(1)),
        ("mx: a \t", Ok(1), Ok(1)),
        ("mx: a\n ", Err("bad_syntax"), Ok(1)),
        ("mx: a\r", Err("bad_syntax"), Err("bad_syntax")),
        ("mx: a\r\r\n", Err("bad_syntax"), Err("bad_syntax")),
        ("mx: a..", Err("bad_mx"), Err("bad_mx")),
        ("mx: .", Err("bad_mx"), Err("bad_mx")),
        ("mx: *.a.", Err("bad_mx"), Ok(1)),
        ("mx: *._a", Err("bad_mx"), Ok(1)),
        ("mx: a\n\u{feff}x: y", Err("bad_syntax"), Err("bad_syntax")),
        ("mx: a\nmode:", Err("bad_syntax"), Err("bad_syntax")),
        ("mx: a\nx: \u{80}", Ok(1), Ok(1)),
        ("mx: a\n x: y", Err("bad_syntax"), Ok(1)),
        ("mx: a\nx : y", Err("bad_syntax"), Err("bad_syntax")),
    ] {
        assert_eq!(both(&format!("{head}{tail}")), (strict, tolerant), "{tail:?}");
    }
    let twice = format!("\u{feff}\u{feff}{head}mx: a");
    assert_eq!(both(&twice), (Err("bad_syntax"), Err("bad_syntax")));
    assert_eq!(oracle::policy(b"version: STSv1\nx: \xff", Profile::Tolerant), Err("bad_encoding"));
}

#[test]
fn a_policy_of_the_largest_size_is_read_and_one_octet_more_is_not() {
    let head = "version: STSv1\nmode: none\nmax_age: 9999999999\nx: ";
    let text = |size: usize| format!("{head}{}", "y".repeat(size - head.len()));
    let parsed = Parsed { mode: "none".to_owned(), max_age: 31_557_600, mx: vec![] };
    assert_eq!(oracle::policy(text(65_536).as_bytes(), Profile::Strict), Ok(parsed));
    assert_eq!(oracle::policy(text(65_537).as_bytes(), Profile::Strict), Err("too_large"));
}

#[test]
fn a_wildcard_is_one_whole_label() {
    assert!(oracle::matches("*.Example.com", "mail.eXample.com"));
    for host in ["example.com", "a.b.example.com", ".example.com", "mail.example.net"] {
        assert!(!oracle::matches("*.example.com", host), "{host}");
    }
    assert!(oracle::matches("*.com", "example.com"));
    assert!(!oracle::matches("*", "com"));
}

#[test]
fn hosts_are_names() {
    assert_eq!(oracle::host("Mail.Example.COM.").as_deref(), Some("mail.example.com"));
    let long = vec!["a".repeat(63); 4].join(".");
    for text in ["", ".", "a..", ".a", "a b", "192.0.2.1", "192.0.2.1.", "*.a", long.as_str()] {
        assert_eq!(oracle::host(text), None, "{text:?}");
    }
}

#[test]
fn a_content_type_is_one_media_type_with_parameters() {
    for (value, accepted) in [
        (" text/plain\t", true),
        ("text/plain;", true),
        ("text/plain, text/plain", false),
        ("text/plain charset=utf-8", false),
        ("text/ plain", false),
        ("", false),
        (";text/plain", false),
    ] {
        let verdict = oracle::content_type(Some(value), Profile::Tolerant);
        assert_eq!(verdict == MediaType::Accept, accepted, "{value:?}");
    }
}

/// The first and last address of each special-purpose block, and what stands in disguise.
#[test]
fn addresses_that_are_not_global_unicast_are_blocked() {
    for text in [
        "0.255.255.255",
        "10.0.0.0",
        "10.255.255.255",
        "100.127.255.255",
        "127.255.255.255",
        "169.254.0.0",
        "172.31.255.255",
        "192.0.0.8",
        "192.0.0.9",
        "192.0.0.10",
        "192.0.0.170",
        "192.0.0.255",
        "192.0.2.255",
        "192.88.99.2",
        "192.168.0.0",
        "192.168.255.255",
        "198.18.0.0",
        "198.51.100.255",
        "203.0.113.255",
        "224.0.0.0",
        "239.255.255.255",
        "240.0.0.0",
        "255.255.255.255",
        // IPv4 in disguise: compatible, mapped, translated, NAT64, 6to4, Teredo.
        "::5db8:d822",
        "::127.0.0.1",
        "::ffff:0.0.0.0",
        "::ffff:169.254.169.254",
        "::ffff:192.168.1.1",
        "::ffff:255.255.255.255",
        "::ffff:0:127.0.0.1",
        "64:ff9b::",
        "64:ff9b::a00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b::c0a8:101",
        "64:ff9b::e000:1",
        "64:ff9b::1:5db8:d822",
        "64:ff9b:1:ffff:ffff:ffff:ffff:ffff",
        "2002::",
        "2002:7f00:1::",
        "2002:a00:1::1",
        "2002:c0a8:101::1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "2001:0:7f00:1::",
        // Protocol assignments: PCP and TURN anycast, benchmarking, AMT, ORCHID, remote ids.
        "2001:1::1",
        "2001:1::2",
        "2001:2::1",
        "2001:3::1",
        "2001:10::1",
        "2001:20::1",
        "2001:2f:ffff::1",
        "2001:30::1",
        "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
        // Documentation, discard, dummy, segment routing.
        "2001:db8::",
        "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
        "3fff::",
        "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff",
        "100::",
        "100::ffff:ffff:ffff:ffff",
        "100:0:0:1::1",
        "5f00::1",
        "5f00:ffff::",
        // Local, multicast and what is not given out.
        "::2",
        "fc00::",
        "fdff:ffff::1",
        "fe80::",
        "febf::1",
        "fec0::",
        "feff::1",
        "ff00::1",
        "ff0e::1",
        "1fff:ffff::1",
        "4000::",
        "4001:db8::1",
        "8000::1",
        "fe00::1",
        "200::1",
        "400::1",
    ] {
        let address: IpAddr = text.parse().expect("an address");
        assert!(!oracle::may_dial(address), "{text}");
    }
}

#[test]
fn addresses_that_are_global_unicast_are_allowed() {
    for text in [
        "1.0.0.0",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "169.253.255.255",
        "169.255.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "191.255.255.255",
        "192.0.1.0",
        "192.0.1.255",
        "192.0.3.0",
        "192.88.98.255",
        "192.88.100.0",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "198.51.99.255",
        "198.51.101.0",
        "203.0.112.255",
        "203.0.114.0",
        "223.255.255.255",
        "2000::1",
        "2000:ffff::1",
        "2001:200::",
        "2001:db7:ffff::1",
        "2001:db9::",
        "2001:4860::1",
        "2003::1",
        "2606:4700:4700::1111",
        "2a00:1450:4001::1",
        "3ffe:ffff::1",
        "3fff:1000::",
        "3fff:ffff::1",
        "::ffff:93.184.216.34",
        "64:ff9b::101:101",
    ] {
        let address: IpAddr = text.parse().expect("an address");
        assert!(oracle::may_dial(address), "{text}");
    }
}
