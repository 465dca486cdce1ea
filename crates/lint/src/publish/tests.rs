//! What is built reads back; what cannot be published is refused.

use super::*;
use alloc::string::ToString;
use proptest::prelude::*;

fn enforce() -> PolicyBuilder {
    PolicyBuilder::new(Mode::Enforce, MaxAge::from_secs(86_400))
}

#[test]
fn ok_the_text_and_both_line_ends() {
    let policy = enforce().mx("MX1.Example.com.").mx("*.example.net").mx("mx1.example.com");
    let policy = policy.extension("contact", "postmaster at example.com").build().unwrap();
    let text = "version: STSv1\nmode: enforce\nmx: mx1.example.com\nmx: *.example.net\n\
                max_age: 86400\ncontact: postmaster at example.com\n";
    assert_eq!(policy.as_str(), text);
    assert_eq!(policy.to_crlf(), text.replace('\n', "\r\n"));
}

#[test]
fn ok_mode_none_needs_no_mx() {
    let policy = PolicyBuilder::new(Mode::None, MaxAge::from_secs(86_400)).build().unwrap();
    assert_eq!(policy.as_str(), "version: STSv1\nmode: none\nmax_age: 86400\n");
    assert_eq!(policy, PolicyText::none(MaxAge::from_secs(86_400)));
}

#[cfg(feature = "idna")]
#[test]
fn ok_u_labels_become_a_labels() {
    let policy = enforce().mx("*.münchen.example").build().unwrap();
    assert!(policy.as_str().contains("\nmx: *.xn--mnchen-3ya.example\n"));
}

#[test]
fn err_each_fault_has_its_variant() {
    let name = |pattern: &str, error| PublishError::Name { pattern: pattern.into(), error };
    let missing = |mode| PublishError::MissingMx { mode };
    let testing = PolicyBuilder::new(Mode::Testing, MaxAge::ZERO);
    let cases = [
        (enforce(), missing(Mode::Enforce)),
        (testing, missing(Mode::Testing)),
        (enforce().mx("192.0.2.1"), name("192.0.2.1", NameError::Address)),
        (enforce().mx("*"), name("*", NameError::Character { found: '*', column: 1 })),
        (enforce().mx("*."), name("*.", NameError::Empty)),
        (
            enforce().mx("a\nmode: none"),
            name("a\nmode: none", NameError::Character { found: '\n', column: 2 }),
        ),
        (
            enforce().mx("a_b.example").mx("-"),
            PublishError::Pattern {
                pattern: "a_b.example".into(),
                error: MxPatternError::Character { found: '_' },
            },
        ),
        (enforce().extension("mx", "a"), PublishError::Reserved { name: "mx".into() }),
    ];
    for (builder, expected) in cases {
        assert_eq!(builder.build(), Err(expected));
    }
    for (key, value) in [
        ("", "a"),
        ("a b", "a"),
        ("a", ""),
        ("a", " b"),
        ("a", "b\nc: d"),
        ("a", "b\r"),
        ("a\nb", "c"),
        ("a", "b\u{7f}"),
        ("a:", "b"),
    ] {
        let error = PublishError::Extension { name: key.into(), value: value.into() };
        assert_eq!(
            enforce().mx("m").extension(key, value).build(),
            Err(error),
            "{key:?} {value:?}"
        );
    }
}

#[test]
fn err_a_policy_has_at_most_65536_octets_with_crlf() {
    let build = |octets: usize| {
        // "version: STSv1", "mode: enforce", "mx: a", "max_age: 86400", "x: " and CRLF each.
        let rest = octets - (14 + 13 + 5 + 14 + 3 + 10);
        enforce().mx("a").extension("x", &"v".repeat(rest)).build()
    };
    assert_eq!(build(65_536).unwrap().to_crlf().len(), 65_536);
    assert_eq!(build(65_537), Err(PublishError::TooLarge { octets: 65_537 }));
}

#[test]
fn ok_the_hash_is_fnv_1a() {
    let hash = |text| derive_id(text).to_string();
    // From the test vectors of the hash's authors.
    assert_eq!(hash(""), "6c62272e07bb014262b821756295c58d");
    assert_eq!(hash("a"), "d228cb696f1a8caf78912b704e4a8964");
    assert_eq!(hash("foobar"), "343e1662793c64bf6f0d3597ba446f18");
    assert_eq!(hash("a\r\nb"), hash("a\nb"));
    assert_ne!(hash("a\rb"), hash("ab"));
}

fn label() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9]{1,8}(-[a-z0-9]{1,4})?"
}

proptest! {
    #[test]
    fn ok_what_is_built_reads_back_under_the_strict_profile(
        mode in prop_oneof![Just(Mode::None), Just(Mode::Testing), Just(Mode::Enforce)],
        secs in 0_u64..=40_000_000,
        hosts in proptest::collection::vec((any::<bool>(), label(), label()), 1..8),
        extensions in proptest::collection::vec(("x[a-z0-9_.-]{0,31}", "\\PC{1,40}"), 0..4),
    ) {
        let mut builder = PolicyBuilder::new(mode, MaxAge::from_secs(secs));
        for (wildcard, host, domain) in &hosts {
            let star = if *wildcard { "*." } else { "" };
            builder = builder.mx(&format!("{star}{host}.x{domain}"));
        }
        for (name, value) in &extensions {
            builder = builder.extension(name, value);
        }
        let wants_trim = |v: &str| v != v.trim_matches([' ', '\t']) || v.is_empty();
        let refusable = extensions.iter().any(|(_, v)| wants_trim(v));
        match builder.build() {
            Err(error) => {
                let of_extension = matches!(error, PublishError::Extension { .. });
                prop_assert!(of_extension && refusable, "{error}");
            }
            Ok(policy) => {
                prop_assert!(!refusable);
                for text in [policy.as_str().into(), policy.to_crlf()] {
                    let read = PolicyRef::parse(text.as_bytes(), Profile::Strict).unwrap();
                    prop_assert_eq!(read.mode(), mode);
                    prop_assert_eq!(read.max_age(), MaxAge::from_secs(secs));
                    for (wildcard, host, domain) in &hosts {
                        let any = if *wildcard { "any." } else { "" };
                        let name = format!("{any}{host}.x{domain}");
                        prop_assert!(read.matches(&DnsName::parse(&name).unwrap()));
                    }
                    let kept: Vec<_> = extensions.iter().map(|(n, v)| (&**n, &**v)).collect();
                    prop_assert_eq!(read.extensions().collect::<Vec<_>>(), kept);
                    prop_assert_eq!(derive_id(&text), policy.id());
                }
                let record = policy.record();
                prop_assert_eq!(Record::parse(record.as_str().as_bytes()).unwrap().id(), policy.id());
            }
        }
    }
}
