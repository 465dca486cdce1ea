//! The TXT record `_smtp._tls` (RFC 8460 §3).

use mta_sts_tlsrpt::TlsrptRecord;
use mta_sts_tlsrpt::{ReportUri, TlsrptRecordError, TlsrptSelectionError, select};

use super::split;

/// The TXT records of the name, in the form of the target `record`: each alone against a naive
/// reading of the grammar, all together against a naive selection; what is read prints as it was.
///
/// # Panics
/// Where the core disagrees.
pub fn tlsrpt_record(data: &[u8]) {
    let records: Vec<Vec<&[u8]>> =
        split(data, &[0xff, 0xff]).map(|record| split(record, &[0xff]).collect()).collect();
    for strings in &records {
        let text = strings.concat();
        match (TlsrptRecord::parse(&text), naive(&text)) {
            (Ok(record), Some(uris)) => {
                assert_eq!(record.to_string().as_bytes(), text);
                let found: Vec<&str> = record.rua().map(ReportUri::as_str).collect();
                let supported: Vec<_> =
                    uris.iter().map(String::as_str).filter(|uri| is_supported(uri)).collect();
                assert_eq!(found, supported);
                assert!(!found.is_empty());
                assert_eq!(record.unsupported_rua().count(), uris.len() - found.len());
                let again = TlsrptRecord::new(found.iter().copied());
                let again = again.expect("its own URIs make a record");
                assert!(again.rua().map(ReportUri::as_str).eq(found));
            }
            (Err(error), None) => {
                assert!(error.column().is_none_or(|column| (1..=text.len() + 1).contains(&column)));
            }
            (core, naive) => panic!("{core:?} is not {naive:?}"),
        }
    }
    selected(&records);
}

/// RFC 8460 §3: of several those count that begin with `v=TLSRPTv1;`, and there must be one.
fn selected(records: &[Vec<&[u8]>]) {
    let mut texts: Vec<Vec<u8>> = records.iter().map(|strings| strings.concat()).collect();
    if texts.len() > 1 {
        texts.retain(|text| text.starts_with(b"v=TLSRPTv1;"));
    }
    match (select(records), texts.as_slice()) {
        (Ok(record), [text]) => assert_eq!(record.as_str().as_bytes(), text),
        (Err(TlsrptSelectionError::Absent), []) => {}
        (Err(TlsrptSelectionError::Absent), [text]) => {
            assert_eq!(TlsrptRecord::parse(text), Err(TlsrptRecordError::NotTlsrpt));
        }
        (Err(TlsrptSelectionError::Several { count }), texts) => {
            assert!(count > 1 && count == texts.len());
        }
        (Err(_), [text]) => assert!(TlsrptRecord::parse(text).is_err()),
        (core, texts) => panic!("{core:?} of {texts:?}"),
    }
}

/// The URIs of a record, if it is one: split, collected and compared. Whether one of them is a URI
/// that a report can go to is asked of the core, by itself.
fn naive(bytes: &[u8]) -> Option<Vec<String>> {
    let text = std::str::from_utf8(bytes).ok().filter(|text| text.is_ascii())?;
    let is_wsp = |c: char| c == ' ' || c == '\t';
    let rest = text.strip_prefix("v=TLSRPTv1").filter(|_| text.len() <= 65_535)?;
    let mut pieces = rest.split(';');
    if !pieces.next()?.trim_matches(is_wsp).is_empty() {
        return None;
    }
    let pieces: Vec<&str> = pieces.collect();
    let (last, others) = pieces.split_last()?;
    let mut fields: Vec<&str> = others.iter().map(|field| field.trim_matches(is_wsp)).collect();
    let last = last.trim_start_matches(is_wsp);
    if !last.is_empty() {
        fields.push(last);
    }
    let mut uris = Vec::new();
    for field in fields {
        let (name, value) = field.split_once('=')?;
        if !is_field_name(name) {
            return None;
        }
        if name == "rua" {
            // The field may stand more than once.
            for uri in value.split(',') {
                uris.push(uri.trim_matches(is_wsp).to_owned());
            }
            // White space stands beside the commas alone.
            if value.starts_with(is_wsp) || value.ends_with(is_wsp) {
                return None;
            }
        } else {
            let is_value = |c: char| ('!'..='~').contains(&c) && c != ';' && c != '=';
            if value.is_empty() || !value.chars().all(is_value) {
                return None;
            }
        }
    }
    let is_uri = |uri: &String| match TlsrptRecord::new([uri.as_str()]) {
        Ok(_) => is_supported(uri),
        Err(TlsrptRecordError::Unsupported) => !is_supported(uri),
        Err(_) => false,
    };
    (uris.iter().all(is_uri) && uris.iter().any(|uri| is_supported(uri))).then_some(uris)
}

fn is_field_name(name: &str) -> bool {
    (1..=32).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || ['_', '-', '.'].contains(&c))
}

fn is_supported(uri: &str) -> bool {
    let scheme = uri.split(':').next().unwrap_or_default().to_ascii_lowercase();
    scheme == "mailto" || scheme == "https"
}
