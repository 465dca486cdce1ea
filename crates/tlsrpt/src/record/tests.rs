use super::super::text::is_dot_atom;
use super::super::{
    MailboxFault, ReportHost, ReportScheme, TlsrptRecordError as Error, TlsrptSelectionError,
};
use super::*;
use alloc::string::ToString;
use alloc::vec;
use proptest::prelude::*;

const HEAD: &str = "v=TLSRPTv1; rua=";

fn parse(text: &str) -> Result<Vec<String>, Error> {
    let record = TlsrptRecord::parse(text.as_bytes())?;
    Ok(record.rua().map(|uri| uri.to_string()).collect())
}

#[test]
fn ok_records() {
    let long = "v=TLSRPTv1;".to_string() + &"a".repeat(32) + "=1;rua=mailto:a@b";
    let cases: [(&str, &[&str]); 14] = [
        // RFC 8460 §3.1.1, §3.1.2.
        ("v=TLSRPTv1;rua=mailto:reports@example.com", &["mailto:reports@example.com"]),
        (
            "v=TLSRPTv1; rua=https://reporting.example.com/v1/tlsrpt",
            &["https://reporting.example.com/v1/tlsrpt"],
        ),
        ("v=TLSRPTv1 \t ; \t rua=mailto:a@b \t ; \t", &["mailto:a@b"]),
        ("v=TLSRPTv1;x=1;rua=mailto:a@b;y=2", &["mailto:a@b"]),
        ("v=TLSRPTv1;rua=mailto:a@b \t , \t HTTPS://b;", &["mailto:a@b", "HTTPS://b"]),
        ("v=TLSRPTv1;rua=mailto:b@b;x=1;rua=mailto:a@b", &["mailto:b@b", "mailto:a@b"]),
        ("v=TLSRPTv1;rua=http://a,mailto:a@b,urn:x", &["mailto:a@b"]),
        ("v=TLSRPTv1;rua=mailto:a%21%2c%3B@b?subject=x", &["mailto:a%21%2c%3B@b?subject=x"]),
        ("v=TLSRPTv1;rua=https://a/?b=c&d=(e)*'$#f", &["https://a/?b=c&d=(e)*'$#f"]),
        ("v=TLSRPTv1;rua=https://a.example:443/@", &["https://a.example:443/@"]),
        ("v=TLSRPTv1;rua=https://[2001:db8::1]:8443/x", &["https://[2001:db8::1]:8443/x"]),
        ("v=TLSRPTv1;rua=https://a:?x", &["https://a:?x"]),
        ("v=TLSRPTv1;RUA=x;rua=mailto:a@b", &["mailto:a@b"]),
        (long.as_str(), &["mailto:a@b"]),
    ];
    for (text, expected) in cases {
        assert_eq!(parse(text).as_deref(), Ok(&*expected.map_to_strings()), "{text}");
    }
}

trait MapToStrings {
    fn map_to_strings(&self) -> Vec<String>;
}

impl MapToStrings for [&str] {
    fn map_to_strings(&self) -> Vec<String> {
        self.iter().map(ToString::to_string).collect()
    }
}

#[test]
fn err_each_fault_of_the_fields_has_its_variant_and_column() {
    let long = "v=TLSRPTv1; ".to_string() + &"a".repeat(33) + "=1";
    let huge = "v=TLSRPTv1; rua=mailto:a@b; x=".to_string() + &"1".repeat(65_506);
    let cases = [
        ("", Error::NotTlsrpt),
        ("v=TLSRPTv2; rua=mailto:a@b", Error::NotTlsrpt),
        (" v=TLSRPTv1; rua=mailto:a@b", Error::NotTlsrpt),
        ("v=tlsrptv1; rua=mailto:a@b", Error::NotTlsrpt),
        ("v=TLSRPTv10; rua=mailto:a@b", Error::Version { column: 11 }),
        ("v=TLSRPTv1", Error::MissingRua),
        ("v=TLSRPTv1 ; ", Error::MissingRua),
        ("v=TLSRPTv1; ruf=mailto:a@b", Error::MissingRua),
        ("v=TLSRPTv1; RUA=mailto:a@b", Error::MissingRua),
        ("v=TLSRPTv1 rua=mailto:a@b", Error::Delimiter { column: 12 }),
        ("v=TLSRPTv1 ", Error::Delimiter { column: 11 }),
        ("v=TLSRPTv1; rua=mailto:a@b ", Error::Delimiter { column: 27 }),
        ("v=TLSRPTv1; rua=mailto:a@b x=1", Error::Delimiter { column: 28 }),
        ("v=TLSRPTv1; x=1 ", Error::Delimiter { column: 16 }),
        ("v=TLSRPTv1;; rua=mailto:a@b", Error::FieldName { column: 12 }),
        ("v=TLSRPTv1; _a=1", Error::FieldName { column: 13 }),
        ("v=TLSRPTv1; r!=1", Error::FieldName { column: 14 }),
        (long.as_str(), Error::FieldName { column: 45 }),
        ("v=TLSRPTv1; rua", Error::MissingEquals { column: 16 }),
        ("v=TLSRPTv1; rua =mailto:a@b", Error::MissingEquals { column: 16 }),
        ("v=TLSRPTv1; x;", Error::MissingEquals { column: 14 }),
        ("v=TLSRPTv1; x=", Error::FieldValue { column: 15 }),
        ("v=TLSRPTv1; x= ;", Error::FieldValue { column: 15 }),
        ("v=TLSRPTv1; x=a=b", Error::FieldValue { column: 16 }),
        ("v=TLSRPTv1; x=ä", Error::FieldValue { column: 15 }),
        (huge.as_str(), Error::TooLong { limit: 65_535 }),
    ];
    for (text, expected) in cases {
        assert_eq!(parse(text), Err(expected), "{text:.80}");
    }
    assert!(parse(huge.get(..65_535).unwrap()).is_ok());
}

#[test]
fn err_each_fault_of_a_uri_has_its_variant_and_column() {
    let host = |error| Error::UriHostName { error, column: 25 };
    let cases = [
        ("http://r.example/tls", Error::Unsupported),
        ("urn:x, ftp://a", Error::Unsupported),
        ("", Error::EmptyUri { column: 17 }),
        (",mailto:a@b", Error::EmptyUri { column: 17 }),
        (" mailto:a@b", Error::EmptyUri { column: 17 }),
        ("mailto:a@b,", Error::EmptyUri { column: 28 }),
        ("mailto:a@b, ;", Error::EmptyUri { column: 29 }),
        ("mailto:a@b,,mailto:a@b", Error::EmptyUri { column: 28 }),
        ("a@example.com", Error::UriScheme { column: 17 }),
        ("mailto", Error::UriScheme { column: 17 }),
        (":a@b", Error::UriScheme { column: 17 }),
        ("1a:b", Error::UriScheme { column: 17 }),
        ("mailto:a@b!10m", Error::UriCharacter { column: 27 }),
        ("mailto:a%2@b", Error::UriCharacter { column: 25 }),
        ("mailto:a@b%", Error::UriCharacter { column: 27 }),
        ("mailto:ä@b", Error::UriCharacter { column: 24 }),
        ("mailto:<a@b>", Error::UriCharacter { column: 24 }),
        ("mailto:a@[192.0.2.1]", Error::UriCharacter { column: 26 }),
        ("https://a/#x#y", Error::UriCharacter { column: 29 }),
        ("https://a[b/", Error::UriCharacter { column: 26 }),
        ("https://a/[", Error::UriCharacter { column: 27 }),
        ("https://[::1/", Error::UriCharacter { column: 25 }),
        ("https://[x]/", Error::UriCharacter { column: 25 }),
        ("https://a:8x/", Error::UriCharacter { column: 28 }),
        ("https://[::1]x/", Error::UriCharacter { column: 30 }),
        ("https://u[@a/", Error::UriCharacter { column: 26 }),
        ("https://a%40b%2f/", host(NameError::Character { found: '@', column: 2 })),
        ("https://a..b/", host(NameError::EmptyLabel)),
        ("https://1.2.3.4.5/", host(NameError::Address)),
        ("https://0x7f.1/", host(NameError::Address)),
        ("https://2130706433/", host(NameError::Address)),
        ("https://127.1:443/", host(NameError::Address)),
        ("https://u@b@c/", Error::UriCharacter { column: 28 }),
        ("mailto:", Error::UriAddress { column: 24 }),
        ("mailto:a", Error::UriAddress { column: 24 }),
        ("mailto:@b", Error::UriAddress { column: 24 }),
        ("mailto:a@?x=@b", Error::UriAddress { column: 24 }),
        ("https:", Error::UriHost { column: 23 }),
        ("https://u:p@a.example:443/", Error::UriUser { column: 25 }),
        ("https://@a.example/", Error::UriUser { column: 25 }),
        ("https://a.example:0/", Error::UriPort { column: 35 }),
        ("https://a.example:65536/", Error::UriPort { column: 35 }),
        ("https://[::1]:99999/", Error::UriPort { column: 31 }),
        ("https:a", Error::UriHost { column: 23 }),
        ("https:///a", Error::UriHost { column: 23 }),
        ("https://:443/", Error::UriHost { column: 23 }),
        ("https://u@/", Error::UriHost { column: 23 }),
    ];
    for (text, expected) in cases {
        assert_eq!(parse(&format!("{HEAD}{text}")), Err(expected), "{text}");
    }
}

/// The mail address of a record's one URI.
fn address(uri: &str) -> Result<Option<String>, Error> {
    let text = format!("{HEAD}{uri}");
    let record = TlsrptRecord::parse(text.as_bytes())?;
    let uri = record.rua().next().unwrap();
    assert_eq!((uri.host(), uri.port()), (None, None));
    Ok(uri.mail_address().map(|address| address.to_string()))
}

#[test]
fn mail_addresses_are_decoded_without_header_fields() {
    let cases = [
        ("mailto:tls@example.com", Some("tls@example.com")),
        ("MAILTO:TLS@Example.COM.", Some("TLS@example.com")),
        ("mailto:a@b.c?cc=v@w", Some("a@b.c")),
        ("mailto:a@b.c?to=v@w&bcc=x#y", Some("a@b.c")),
        ("mailto:a@b.c?subject=%0d%0aRCPT", Some("a@b.c")),
        ("mailto:a/b@c", Some("a/b@c")),
        ("mailto:a@%65xample.com", Some("a@example.com")),
        // RFC 6068 §6.1, and characters that RFC 8460 §3 has encoded.
        ("mailto:gorby%25kremvax@example.com", Some("gorby%kremvax@example.com")),
        ("mailto:unlikely%3Faddress@example.com", Some("unlikely?address@example.com")),
        ("mailto:Mike%26family@example.org", Some("Mike&family@example.org")),
        ("mailto:tls%21in@example.org", Some("tls!in@example.org")),
        // Valid URIs whose address is no dot-atom.
        ("mailto:a%2Cb@example.com", None),
        ("mailto:a%3Bb@example.com", None),
        ("mailto:a..b@example.com", None),
        ("mailto:.a@example.com", None),
        ("mailto:%22not%40me%22@example.org", None),
        ("mailto:%22not%20me%22@example.org", None),
        ("mailto:caf%C3%A9@example.org", None),
    ];
    for (uri, expected) in cases {
        assert_eq!(address(uri), Ok(expected.map(String::from)), "{uri}");
    }
    let local_part = "a".repeat(65);
    assert_eq!(address(&format!("mailto:{local_part}@b")), Ok(None));
    let of_64 = format!("{}@b", "a".repeat(64));
    assert_eq!(address(&format!("mailto:{of_64}")), Ok(Some(of_64)));
    // RFC 6068 §6.3.
    let idn = "mailto:user@%E7%B4%8D%E8%B1%86.example.org";
    let expected = cfg!(feature = "idna").then(|| "user@xn--99zt52a.example.org".to_string());
    assert_eq!(address(idn), Ok(expected));
}

#[test]
fn mail_addresses_that_could_reach_others_are_refused() {
    let long = format!("mailto:{}@{}", "a".repeat(300), "b".repeat(20));
    let domain = |error| MailboxFault::Domain(error);
    let cases = [
        ("mailto:a%0d%0aRCPT%20TO:%3Cv@w%3E@b.c", MailboxFault::Character),
        ("mailto:a%0d%0aRCPT@b.c", MailboxFault::Character),
        ("mailto:a@b.c%0a", MailboxFault::Character),
        ("mailto:a@b%00.c", MailboxFault::Character),
        ("mailto:a%7f@b.c", MailboxFault::Character),
        ("mailto:a%C2%85@b.c", MailboxFault::Character),
        ("mailto:a%E2%80%A8@b.c", MailboxFault::Character),
        ("mailto:a%ff@b.c", MailboxFault::Character),
        ("mailto:a%20b@b.c", MailboxFault::Character),
        ("mailto:%3Ca@b%3E", MailboxFault::Character),
        ("mailto:%22%0d%0a%22@b.c", MailboxFault::Character),
        ("mailto:%22%3E%22@b.c", MailboxFault::Character),
        ("mailto:a@b@c", MailboxFault::SeveralAts),
        ("mailto:a@b%40c", MailboxFault::SeveralAts),
        ("mailto:a%40b@c", MailboxFault::SeveralAts),
        ("mailto:%22@a@c", MailboxFault::SeveralAts),
        ("mailto://a@b", MailboxFault::Slashes),
        ("mailto:a@..", domain(NameError::EmptyLabel)),
        ("mailto:a@192.0.2.1", domain(NameError::Address)),
        ("mailto:a@%5B192.0.2.1%5D", domain(NameError::Character { found: '[', column: 1 })),
        ("mailto:a@b:25", domain(NameError::Character { found: ':', column: 2 })),
        ("mailto:a@b%2Cv", domain(NameError::Character { found: ',', column: 2 })),
        (long.as_str(), MailboxFault::TooLong { limit: 320 }),
    ];
    for (uri, fault) in cases {
        let expected = Error::UriMailbox { fault, column: 24 };
        assert_eq!(address(uri), Err(expected.clone()), "{uri}");
        assert_eq!(TlsrptRecord::new([uri]), Err(expected), "{uri}");
    }
}

#[test]
fn hosts_and_ports_of_https_uris() {
    let name = |text| ReportHost::Name(DnsName::parse(text).unwrap());
    let ip = |text: &str| ReportHost::Address(text.parse().unwrap());
    let cases = [
        ("https://r.example/v1", name("r.example"), 443),
        ("HTTPS://R.Example.", name("r.example"), 443),
        ("https://r.example:?x=@", name("r.example"), 443),
        ("https://r.example:08443#a:b", name("r.example"), 8443),
        ("https://%72.example/", name("r.example"), 443),
        ("https://192.0.2.1:1/", ip("192.0.2.1"), 1),
        ("https://[2001:db8::1]:65535", ip("2001:db8::1"), 65_535),
    ];
    for (uri, host, port) in cases {
        let record = TlsrptRecord::new([uri]).unwrap();
        let uri = record.rua().next().unwrap();
        assert_eq!((uri.host(), uri.port()), (Some(host), Some(port)), "{uri}");
        assert_eq!(uri.mail_address(), None, "{uri}");
    }
    let record = TlsrptRecord::new(["https://%C3%A9.example/"]).unwrap();
    let host = record.rua().next().unwrap().host();
    assert_eq!(host, cfg!(feature = "idna").then(|| name("xn--9ca.example")));
    let record = TlsrptRecord::parse(b"v=TLSRPTv1; rua=mailto:a@b, urn://a:1/").unwrap();
    let other = record.unsupported_rua().next().unwrap();
    assert_eq!((other.host(), other.port(), other.mail_address()), (None, None, None));
}

#[test]
fn host_on_the_own_network_is_recognised() {
    let literals = [
        "127.0.0.1",
        "10.1.2.3",
        "192.168.0.1",
        "169.254.169.254",
        "0.0.0.0",
        "[::1]",
        "[fd00::1]",
        "[fe80::1]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::a00:1]",
    ];
    for literal in literals {
        let record = TlsrptRecord::new([format!("https://{literal}:8443/tls").as_str()]).unwrap();
        let Some(ReportHost::Address(address)) = record.rua().next().unwrap().host() else {
            panic!("{literal}")
        };
        assert!(mta_sts::policy_host_address(address).is_err(), "{literal}");
    }
}

#[test]
fn ok_what_reports_cannot_use_is_listed_apart() {
    let text = b"v=TLSRPTv1; a=b; rua=http://a, mailto:a@b; rua=urn:x; c=d";
    let record = TlsrptRecord::parse(text).unwrap();
    let others: Vec<_> = record.unsupported_rua().map(ReportUri::as_str).collect();
    assert_eq!(others, ["http://a", "urn:x"]);
    assert_eq!(record.extensions().collect::<Vec<_>>(), [("a", "b"), ("c", "d")]);
    let schemes: Vec<_> = record.rua().map(ReportUri::scheme).collect();
    assert_eq!(schemes, [Some(ReportScheme::Mailto)]);
    assert_eq!(record.clone().into_owned(), record);
}

#[test]
fn ok_one_record_is_selected() {
    let text = "v=TLSRPTv1;rua=mailto:a@b";
    let cases = [
        vec![vec![text]],
        vec![vec!["v=TLS", "", "RPTv1;rua=mailto:", "a@b"]],
        vec![vec!["v=spf1 -all"], vec![text], vec![]],
        vec![vec!["v=TLSRPTv2;rua=mailto:a@b"], vec![text]],
        // Only a record that stands alone may have white space before the first delimiter.
        vec![vec!["v=TLSRPTv1 ;rua=mailto:x@y"], vec![text]],
    ];
    for records in cases {
        assert_eq!(select(&records).unwrap().as_str(), text, "{records:?}");
    }
    let spaced = "v=TLSRPTv1 ;rua=mailto:x@y";
    assert_eq!(select([[spaced]]).unwrap().as_str(), spaced);
}

#[test]
fn err_each_failed_selection_has_its_variant() {
    let text = "v=TLSRPTv1;rua=mailto:a@b";
    let cases = [
        (vec![], TlsrptSelectionError::Absent),
        (vec![vec![]], TlsrptSelectionError::Absent),
        (vec![vec!["v=spf1 -all"]], TlsrptSelectionError::Absent),
        (vec![vec!["v=TLSRPTv2;"], vec!["x"]], TlsrptSelectionError::Absent),
        (vec![vec![text], vec![text]], TlsrptSelectionError::Several { count: 2 }),
        (vec![vec![text], vec!["v=TLSRPTv1", ";"]], TlsrptSelectionError::Several { count: 2 }),
        (vec![vec!["v=TLSRPTv1;"], vec!["x"]], TlsrptSelectionError::Malformed(Error::MissingRua)),
    ];
    for (records, expected) in cases {
        assert_eq!(select(&records).unwrap_err(), expected, "{records:?}");
    }
    let long = [[HEAD.as_bytes(), b"mailto:a@b;x=", &vec![b'1'; 70_000]]];
    assert_eq!(select(long).unwrap_err(), Error::TooLong { limit: 65_535 }.into());
}

#[test]
fn err_a_published_record_has_uris_and_nothing_else() {
    assert_eq!(TlsrptRecord::new([]), Err(Error::EmptyUri { column: 17 }));
    assert_eq!(TlsrptRecord::new(["urn:x"]), Err(Error::Unsupported));
    for uri in ["mailto:a@b;x=1", "mailto:a@b,mailto:c@d"] {
        assert_eq!(TlsrptRecord::new([uri]), Err(Error::UriCharacter { column: 27 }), "{uri}");
    }
}

#[test]
fn ok_reading_a_record_allocates_nothing() {
    let text = b"v=TLSRPTv1; x=1; rua=mailto:a%2B@b, https://[::1]:1/x, https://%C3%A9/; rua=urn:y";
    let info = allocation_counter::measure(|| {
        let record = TlsrptRecord::parse(text).unwrap();
        assert_eq!(record.rua().count() + record.unsupported_rua().count(), 4);
        assert_eq!(record.extensions().count(), 1);
    });
    assert_eq!(info.count_total, 0);
}

proptest! {
    #[test]
    fn mail_address_is_safe_in_a_command_whatever_the_uri(
        uri in "mailto:/{0,2}([a-z]|%[0-9a-fA-F]{2}|[%.@+/?#]){0,12}@([a-z]|%[0-9a-f]{2}|[.@:]){1,8}",
    ) {
        if let Ok(Some(address)) = address(&uri) {
            let (local_part, domain) = address.split_once('@').unwrap();
            prop_assert!(is_dot_atom(local_part), "{}", address);
            prop_assert!(DnsName::parse(domain).is_ok_and(|name| name.as_str() == domain));
        }
    }

    #[test]
    fn ok_any_octets_are_read_alike_whole_and_in_strings(
        bytes in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..60),
            "v=TLSRPTv1[ ;]{0,2}(rua|x|ru)=?(mailto:a@b|https://a|[!-~ ]{0,8})[;, ]{0,3}(x=1|rua=a:b)?"
                .prop_map(String::into_bytes),
        ],
        at in 0_usize..60,
    ) {
        let (head, tail) = bytes.split_at(at.min(bytes.len()));
        let whole = TlsrptRecord::parse(&bytes);
        let column = whole.as_ref().err().and_then(Error::column);
        prop_assert!(column.is_none_or(|column| (1..=bytes.len() + 1).contains(&column)));
        match select([[head, tail]]) {
            Ok(record) => prop_assert_eq!(Ok(record), whole),
            Err(TlsrptSelectionError::Absent) => prop_assert_eq!(whole, Err(Error::NotTlsrpt)),
            Err(TlsrptSelectionError::Malformed(error)) => prop_assert_eq!(whole, Err(error)),
            Err(error) => prop_assert!(false, "{}", error),
        }
    }

    #[test]
    fn ok_a_published_record_reads_as_its_uris(
        uris in proptest::collection::vec(
            "mailto:[a-z0-9%.+]{1,8}@[a-z]{1,4}([.][a-z]{1,4})?|[hH]ttps://[a-z]{1,9}(:([1-9][0-9]{0,2})?)?/[a-z?=&]{0,9}",
            1..5,
        )
    ) {
        let uris: Vec<_> = uris.iter().map(|uri| uri.replace('%', "%2C")).collect();
        let record = TlsrptRecord::new(uris.iter().map(String::as_str)).unwrap();
        for uri in record.rua() {
            prop_assert!(uri.scheme() == Some(ReportScheme::Mailto) || uri.host().is_some());
        }
        let text = record.to_string();
        prop_assert_eq!(parse(&text), Ok(uris));
    }
}
