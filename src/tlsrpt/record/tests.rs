use super::super::{ReportScheme, TlsrptRecordError as Error, TlsrptSelectionError};
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
        ("v=TLSRPTv1;rua=https://u:p@a.example:443/", &["https://u:p@a.example:443/"]),
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
        ("https://u@b@c/", Error::UriCharacter { column: 28 }),
        ("mailto:", Error::UriAddress { column: 24 }),
        ("mailto:a", Error::UriAddress { column: 24 }),
        ("mailto:@b", Error::UriAddress { column: 24 }),
        ("mailto:a@?x=@b", Error::UriAddress { column: 24 }),
        ("https:", Error::UriHost { column: 23 }),
        ("https:a", Error::UriHost { column: 23 }),
        ("https:///a", Error::UriHost { column: 23 }),
        ("https://:443/", Error::UriHost { column: 23 }),
        ("https://u@/", Error::UriHost { column: 23 }),
    ];
    for (text, expected) in cases {
        assert_eq!(parse(&format!("{HEAD}{text}")), Err(expected), "{text}");
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
    let text = b"v=TLSRPTv1; x=1; rua=mailto:a@b, https://[::1]:1/x; rua=urn:y";
    let info = allocation_counter::measure(|| {
        let record = TlsrptRecord::parse(text).unwrap();
        assert_eq!(record.rua().count() + record.unsupported_rua().count(), 3);
        assert_eq!(record.extensions().count(), 1);
    });
    assert_eq!(info.count_total, 0);
}

proptest! {
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
            "mailto:[a-z0-9%.+]{1,8}@[a-z.]{1,8}|[hH]ttps://[a-z.]{1,9}(:[0-9]{0,3})?/[a-z?=&]{0,9}",
            1..5,
        )
    ) {
        let uris: Vec<_> = uris.iter().map(|uri| uri.replace('%', "%2C")).collect();
        let record = TlsrptRecord::new(uris.iter().map(String::as_str)).unwrap();
        let text = record.to_string();
        prop_assert_eq!(parse(&text), Ok(uris));
    }
}
