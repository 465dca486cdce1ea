//! §3.2: the policy, and §4.1: what it allows.

use mta_sts::{
    DnsName, Held, Mode, MxPatternError, Place, Policy, PolicyError, PolicyRef, Profile, Record,
};
use mta_sts_testkit::script::HttpsAnswer;

use super::{NOW, code, id, look, mode};

fn parse(text: &str) -> Result<Policy, PolicyError> {
    let tolerant = Policy::parse(text.as_bytes(), Profile::Tolerant);
    let strict = Policy::parse(text.as_bytes(), Profile::Strict);
    assert_eq!(
        tolerant.as_ref().map(ToString::to_string),
        strict.as_ref().map(ToString::to_string)
    );
    strict
}

const EXAMPLE: &str = "version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\n\
    mx: *.example.net\r\nmx: backupmx.example.com\r\nmax_age: 604800\r\n";

#[test]
fn s3_1_the_example_record() {
    let record = Record::parse(b"v=STSv1; id=20160831085700Z;").unwrap();
    assert_eq!(record.id().as_str(), "20160831085700Z");
}

#[test]
fn s3_2_the_example_policy() {
    let policy = parse(EXAMPLE).unwrap();
    let mx: Vec<_> = policy.mx().map(mta_sts::MxPattern::as_str).collect();
    assert_eq!(mx, ["mail.example.com", "*.example.net", "backupmx.example.com"]);
    assert_eq!((policy.mode(), policy.max_age().as_secs()), (Mode::Enforce, 604_800));
    // It prints as it stands, whatever the ends of its lines.
    assert_eq!(policy.to_string(), EXAMPLE);
    assert_eq!(parse(&EXAMPLE.replace("\r\n", "\n")).unwrap().to_string(), EXAMPLE);
    let extended = format!("{EXAMPLE}x-new: a value\r\n");
    assert_eq!(parse(&extended).unwrap().to_string(), extended);
    for profile in [Profile::Strict, Profile::Tolerant] {
        let read = PolicyRef::parse(EXAMPLE.as_bytes(), profile).unwrap();
        assert_eq!((read.profile(), Policy::from(read).profile()), (profile, profile));
    }
}

#[test]
fn s3_2_unknown_fields_are_ignored() {
    let policy =
        parse(&format!("x-new: a value\r\n{EXAMPLE}later.field_1: \u{fc}ber\r\n")).unwrap();
    assert_eq!(policy.mode(), Mode::Enforce);
    assert!(Record::parse(b"v=STSv1; new=value; id=1; a.b_c-d=!").is_ok());
}

#[test]
fn s3_2_of_a_repeated_field_the_first_counts() {
    let again = "version: STSv2\r\nmode: none\r\nmax_age: 1\r\n";
    let policy = parse(&format!("{EXAMPLE}{again}")).unwrap();
    assert_eq!((policy.mode(), policy.max_age().as_secs()), (Mode::Enforce, 604_800));
    let record = Record::parse(b"v=STSv1; id=1; id=2;").unwrap();
    assert_eq!(record.id().as_str(), "1");
}

#[test]
fn s3_2_each_required_field_is_required() {
    for field in ["version", "mode", "max_age"] {
        let without: String =
            EXAMPLE.split_inclusive('\n').filter(|line| !line.starts_with(field)).collect();
        assert!(parse(&without).is_err(), "{field}");
    }
    let without: String =
        EXAMPLE.split_inclusive('\n').filter(|line| !line.starts_with("mx")).collect();
    assert_eq!(parse(&without), Err(PolicyError::MissingMx));
    assert!(parse(&without.replace("enforce", "none")).is_ok(), "mode none needs no mx");
}

#[test]
fn s3_2_only_the_known_version_and_modes_are_taken() {
    for (from, to) in [("STSv1", "STSv2"), ("STSv1", "stsv1"), ("enforce", "Enforce")] {
        assert!(parse(&EXAMPLE.replace(from, to)).is_err(), "{to}");
    }
    let https = HttpsAnswer::policy(&EXAMPLE.replace("STSv1", "STSv2"));
    let run = look(Held::Nothing, &id("1"), &https, NOW);
    assert_eq!((mode(&run), code(&run)), (None, Some("policy-invalid")));
}

#[test]
fn s3_2_max_age_is_ten_digits_at_most() {
    let with = |age: &str| parse(&EXAMPLE.replace("604800", age));
    assert_eq!(with("0").unwrap().max_age().as_secs(), 0);
    assert_eq!(with("9999999999").unwrap().max_age().as_secs(), 31_557_600);
    for bad in ["", "-1", "1.5", "00000000001", "1e3", "ten"] {
        assert!(with(bad).is_err(), "{bad}");
    }
}

#[test]
fn s3_2_mx_values_are_a_labels() {
    let ulabel = EXAMPLE.replace("mail.example.com", "m\u{fc}nchen.example.com");
    assert!(parse(&ulabel).is_err());
    let policy = parse(&EXAMPLE.replace("mail.example.com", "xn--mnchen-3ya.example.com")).unwrap();
    assert!(policy.matches(&DnsName::parse("xn--mnchen-3ya.example.com").unwrap()));
}

#[test]
fn s4_1_the_wildcard_is_one_whole_left_most_label() {
    let policy = parse(&EXAMPLE.replace("*.example.net", "*.example.com")).unwrap();
    let matches = |host: &str| policy.matches(&DnsName::parse(host).unwrap());
    assert!(matches("mail2.example.com") && matches("MAIL2.Example.COM."));
    assert!(!matches("example.com") && !matches("foo.bar.example.com"));
    for bad in ["*", "m*.example.com", "*mx.example.com", "mx.*.example.com", "*.*.example.com"] {
        assert!(parse(&EXAMPLE.replace("*.example.net", bad)).is_err(), "{bad}");
    }
}

#[test]
fn s3_2_a_fault_is_placed_by_characters_from_the_start_of_its_line() {
    for (text, line, column) in [
        (&b"mode: any\n"[..], 1, 7),
        ("\u{feff}mode: any\n".as_bytes(), 1, 8),
        ("\u{feff} \tmode: any\n".as_bytes(), 1, 10),
        (b"\n\r\n  mode:any\n", 3, 8),
        (b"\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\nmode: any\n", 21, 7),
        ("x: \u{fc}\u{1}\n".as_bytes(), 1, 5),
        (b"max_age: 12x\n", 1, 12),
        (b"\xff", 1, 1),
        (b"x: a\ny: \xc3\xbc\xff\n", 2, 5),
    ] {
        let error = Policy::parse(text, Profile::Tolerant).unwrap_err();
        let at = error.at().map(|at| (at.line, at.column));
        assert_eq!(at, Some((line, column)), "{error}");
    }
}

#[test]
fn s3_2_the_grammar_to_the_letter_tolerates_nothing() {
    let at = |line, column| Place { line, column };
    let mx = |error| PolicyError::Mx { error, at: at(3, 5) };
    for (from, to, expected) in [
        ("version", "\u{feff}version", PolicyError::ByteOrderMark { at: at(1, 1) }),
        ("mode", "\nmode", PolicyError::BlankLine { at: at(2, 1) }),
        ("mode", " mode", PolicyError::LeadingSpace { at: at(2, 1) }),
        ("mail.example.com", "mail.example.", mx(MxPatternError::EmptyLabel)),
        ("mail.", "mail_1.", mx(MxPatternError::Character { found: '_' })),
    ] {
        let text = EXAMPLE.replace(from, to);
        assert_eq!(PolicyRef::parse(text.as_bytes(), Profile::Strict), Err(expected), "{to:?}");
        assert!(PolicyRef::parse(text.as_bytes(), Profile::Tolerant).is_ok(), "{to:?}");
    }
}

#[test]
fn ok_what_is_tolerated_is_named_with_its_place() {
    use mta_sts::ToleranceKind::{BlankLine, ByteOrderMark, LeadingSpace, TrailingDot, Underscore};
    let text = "\u{feff}\n  mx: a_b.example.\nversion: STSv1\nmode: enforce\nmax_age: 1\n";
    let policy = PolicyRef::parse(text.as_bytes(), Profile::Tolerant).unwrap();
    let found: Vec<_> = policy.tolerances().map(|t| (t.kind, t.at.line, t.at.column)).collect();
    let expected = [
        (ByteOrderMark, 1, 1),
        (BlankLine, 1, 2),
        (LeadingSpace, 2, 1),
        (TrailingDot, 2, 18),
        (Underscore, 2, 8),
    ];
    assert_eq!(found, expected);
    assert!(PolicyRef::parse(text.as_bytes(), Profile::Strict).is_err());
}
