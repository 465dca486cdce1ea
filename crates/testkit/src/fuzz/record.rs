//! The TXT record (RFC 8461 §3.1).

use mta_sts::{Record, SelectionError, record};

use super::split;
use crate::oracle;

/// A TXT record: against the oracle, whole and in pieces. The octet 0xff separates strings, two of
/// them records.
///
/// # Panics
/// Where the core disagrees with the oracle or with itself.
pub fn record(data: &[u8]) {
    let records: Vec<Vec<Vec<u8>>> = split(data, &[0xff, 0xff])
        .map(|record| split(record, &[0xff]).map(<[u8]>::to_vec).collect())
        .collect();
    let selected = record::select(&records);
    let verdict = selected.clone().map(|id| id.to_string()).map_err(|error| match error {
        SelectionError::Absent => "none",
        SelectionError::Several { .. } => "multiple",
        _ => "invalid",
    });
    assert_eq!(verdict, oracle::record_set(&records));
    for strings in &records {
        let joined = strings.concat();
        let whole = Record::parse(&joined);
        let code = whole.clone().map(|r| r.id().to_string()).map_err(|e| e.code());
        assert_eq!(code, oracle::record(&joined));
        assert_eq!(
            record::select([strings]).ok().map(|id| id.to_string()),
            whole.as_ref().ok().map(|r| r.id().to_string())
        );
        if let Ok(record) = whole {
            assert_eq!(record.to_string().as_bytes(), joined);
            assert_eq!(
                Record::parse(Record::from(record.id()).as_str().as_bytes()).map(|r| r.id()),
                Ok(record.id())
            );
        }
    }
}
