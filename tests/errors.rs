//! The chain of each error: a text that repeats its cause is printed twice by whatever prints the
//! chain.

use std::error::Error;

use mta_sts::lookup::Problem;
use mta_sts::{
    AddressClass, CertificateFault, DnsFailure, DnsFailureKind, DnsName, EntryError, FetchFailure,
    MergeError, Mode, MxPatternError, NameError, Place, PolicyError, RecordError, SelectionError,
    UnknownResultType,
};
use mta_sts_lint::publish::PublishError;
use mta_sts_tlsrpt::{
    DateRangeError, MailboxFault, ReportError, TallyMergeError, TlsrptRecordError,
    TlsrptSelectionError,
};

/// A value of each variant that holds another error, and of each type of error.
fn errors() -> Vec<Box<dyn Error>> {
    let at = Place { line: 1, column: 2 };
    let name = || NameError::Character { found: '@', column: 3 };
    let host = DnsName::parse("relay.example").unwrap();
    let text = || Box::<str>::from("");
    vec![
        Box::new(name()),
        Box::new(NameError::NextHop { host }),
        Box::new(RecordError::IdEmpty { column: 5 }),
        Box::new(SelectionError::Absent),
        Box::new(SelectionError::Several { count: 2 }),
        Box::new(SelectionError::Malformed(RecordError::IdEmpty { column: 5 })),
        Box::new(PolicyError::Mx { error: MxPatternError::Wildcard, at }),
        Box::new(PolicyError::Version { at }),
        Box::new(at),
        Box::new(MxPatternError::Wildcard),
        Box::new(EntryError::Corrupt),
        Box::new(MergeError),
        Box::new(AddressClass::Loopback),
        Box::new(PublishError::Name { pattern: "a@b".into(), error: name() }),
        Box::new(PublishError::Pattern { pattern: "*".into(), error: MxPatternError::Wildcard }),
        Box::new(PublishError::MissingMx { mode: Mode::Enforce }),
        Box::new(TlsrptRecordError::MissingRua),
        Box::new(TlsrptRecordError::UriHostName { error: name(), column: 25 }),
        Box::new(TlsrptRecordError::UriMailbox { fault: MailboxFault::Domain(name()), column: 24 }),
        Box::new(MailboxFault::Domain(name())),
        Box::new(TlsrptSelectionError::Absent),
        Box::new(TlsrptSelectionError::Malformed(TlsrptRecordError::MissingRua)),
        Box::new(UnknownResultType),
        Box::new(TallyMergeError),
        Box::new(DateRangeError::Reversed),
        Box::new(ReportError::ReportId),
        Box::new(DnsFailure::new(DnsFailureKind::Timeout)),
        Box::new(CertificateFault::Expired),
        Box::new(FetchFailure::Dns(DnsFailureKind::Timeout.into())),
        Box::new(FetchFailure::Certificate(CertificateFault::Expired)),
        Box::new(FetchFailure::Address(AddressClass::Loopback)),
        Box::new(Problem::NoAnswer(Some(DnsFailureKind::Timeout.into()))),
        Box::new(Problem::Fetch(FetchFailure::Timeout)),
        Box::new(Problem::RecordMalformed { error: Some(RecordError::MissingId), text: text() }),
        Box::new(Problem::PolicyInvalid { error: PolicyError::MissingMx, text: text() }),
    ]
}

#[test]
fn no_text_repeats_the_text_of_its_cause() {
    for error in errors() {
        let mut link: &dyn Error = &*error;
        while let Some(cause) = link.source() {
            let (text, repeated) = (link.to_string(), cause.to_string());
            assert!(!text.contains(&repeated), "{text:?} repeats its cause {repeated:?}");
            link = cause;
        }
    }
}

#[test]
fn texts_are_lower_case_without_a_full_stop() {
    for error in errors() {
        let text = error.to_string();
        assert!(!text.ends_with('.') && !text.contains('\n'), "{text}");
        let first = text.split(' ').next().unwrap_or_default();
        let is_term = first.chars().skip(1).any(|c| c.is_ascii_uppercase());
        assert!(is_term || !first.starts_with(|c: char| c.is_ascii_uppercase()), "{text}");
    }
}

#[test]
fn malformed_record_has_the_fault_as_its_cause() {
    let sts = SelectionError::from(RecordError::MissingId);
    assert_eq!(sts.to_string(), "the MTA-STS record is malformed");
    assert_eq!(sts.source().unwrap().to_string(), RecordError::MissingId.to_string());
    let tlsrpt = TlsrptSelectionError::from(TlsrptRecordError::MissingRua);
    assert_eq!(tlsrpt.to_string(), "the TLSRPT record is malformed");
    assert_eq!(tlsrpt.source().unwrap().to_string(), TlsrptRecordError::MissingRua.to_string());
}
