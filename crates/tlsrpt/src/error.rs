//! What can be wrong with a record, a report, or the adding of two tallies.

use thiserror::Error;

use mta_sts::NameError;

/// Why a TXT record is not a TLSRPT record (RFC 8460 §3). Columns count octets of the joined
/// strings from 1.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TlsrptRecordError {
    /// It does not begin with `v=TLSRPTv1`: the record of something else, or of another version.
    #[error("expected a record that begins with `v=TLSRPTv1`")]
    NotTlsrpt,
    /// `v=TLSRPTv1` goes on with a letter or digit: another version.
    #[error("expected the version `TLSRPTv1`, found more of it in column {column}")]
    Version {
        /// Where the version goes on.
        column: usize,
    },
    /// More octets than a TXT record can have.
    #[error("expected at most {limit} octets, found more")]
    TooLong {
        /// The limit.
        limit: usize,
    },
    /// No field `rua`.
    #[error("expected the field `rua`, found none")]
    MissingRua,
    /// No URI of `rua` is one that reports can go to.
    #[error("expected a `mailto` or `https` URI in `rua`, found other schemes only")]
    Unsupported,
    /// Something other than `;` between two fields.
    #[error("expected `;` between fields in column {column}")]
    Delimiter {
        /// Where the delimiter should be.
        column: usize,
    },
    /// A field name that is empty, too long (more than 32) or has a character out of place.
    #[error("expected a field name of 1 to 32 letters, digits, `_`, `-`, `.` in column {column}")]
    FieldName {
        /// The first octet that does not fit.
        column: usize,
    },
    /// A field without `=`.
    #[error("expected `=` after a field name in column {column}")]
    MissingEquals {
        /// Where it should be.
        column: usize,
    },
    /// The value of a field other than `rua` that is empty or has a character out of place.
    #[error("expected a field value of visible ASCII without `=` in column {column}")]
    FieldValue {
        /// The first octet that does not fit.
        column: usize,
    },
    /// Nothing where a URI should be.
    #[error("expected a URI in `rua`, found nothing in column {column}")]
    EmptyUri {
        /// Where it should be.
        column: usize,
    },
    /// A URI without a scheme.
    #[error("expected a URI with a scheme, such as `mailto:`, in column {column}")]
    UriScheme {
        /// Where the URI begins.
        column: usize,
    },
    /// An octet that may not stand there in a URI; `!` must be percent-encoded everywhere.
    #[error("expected a URI, found an octet that must be percent-encoded in column {column}")]
    UriCharacter {
        /// The octet.
        column: usize,
    },
    /// `mailto:` without an address.
    #[error("expected a mail address after `mailto:` in column {column}")]
    UriAddress {
        /// Where it should be.
        column: usize,
    },
    /// `mailto:` with something that is no mail address (RFC 6068 §2), such as a line break, which
    /// must never reach an SMTP command.
    #[error("expected one mail address after `mailto:` in column {column}, found {fault}")]
    UriMailbox {
        /// The text that was found in its place.
        fault: MailboxFault,
        /// The column in which the address should begin.
        column: usize,
    },
    /// `https:` without a host.
    #[error("expected `//` and a host after `https:` in column {column}")]
    UriHost {
        /// Where it should be.
        column: usize,
    },
    /// A host that is neither a name nor an address.
    #[error("expected the name or address of a host in column {column}: {error}")]
    UriHostName {
        /// The reason why it is no name.
        error: NameError,
        /// The column in which the host begins.
        column: usize,
    },
    /// A user in an `https` URI, which RFC 9110 §4.2.4 has treated as an error.
    #[error("expected a host after `https://` in column {column}, found a user and `@`")]
    UriUser {
        /// The column in which the user begins.
        column: usize,
    },
    /// A port other than 1 to 65,535.
    #[error("expected a port of 1 to 65535 in column {column}")]
    UriPort {
        /// The column in which the port begins.
        column: usize,
    },
}

/// The reason why a `mailto` URI names no mail address, or not one alone (RFC 6068 §2).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MailboxFault {
    /// `//` in front, as though a server followed.
    #[error("`//`")]
    Slashes,
    /// More bytes than an address can have (RFC 5321 §4.5.3.1).
    #[error("more than {limit} bytes")]
    TooLong {
        /// The limit.
        limit: usize,
    },
    /// A control character, an angle bracket, white space outside quotes, or bytes that are no
    /// text.
    #[error("a character that no mail address has")]
    Character,
    /// More than one `@` outside quotes.
    #[error("more than one `@`")]
    SeveralAts,
    /// A domain that is no name; addresses are none.
    #[error("a domain that is none: {0}")]
    Domain(NameError),
}

impl TlsrptRecordError {
    /// The short name of the class of fault, stable for scripts: `not_tlsrpt`, `bad_version`,
    /// `too_large`, `missing_rua`, `bad_rua` or `bad_syntax`.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotTlsrpt => "not_tlsrpt",
            Self::Version { .. } => "bad_version",
            Self::TooLong { .. } => "too_large",
            Self::MissingRua => "missing_rua",
            Self::Unsupported
            | Self::EmptyUri { .. }
            | Self::UriScheme { .. }
            | Self::UriCharacter { .. }
            | Self::UriAddress { .. }
            | Self::UriMailbox { .. }
            | Self::UriHost { .. }
            | Self::UriHostName { .. }
            | Self::UriUser { .. }
            | Self::UriPort { .. } => "bad_rua",
            Self::Delimiter { .. }
            | Self::FieldName { .. }
            | Self::MissingEquals { .. }
            | Self::FieldValue { .. } => "bad_syntax",
        }
    }

    /// The place of the fault: the octet of the joined strings, counted from 1.
    pub const fn column(&self) -> Option<usize> {
        match self {
            Self::NotTlsrpt | Self::TooLong { .. } | Self::MissingRua | Self::Unsupported => None,
            Self::Version { column }
            | Self::Delimiter { column }
            | Self::FieldName { column }
            | Self::MissingEquals { column }
            | Self::FieldValue { column }
            | Self::EmptyUri { column }
            | Self::UriScheme { column }
            | Self::UriCharacter { column }
            | Self::UriAddress { column }
            | Self::UriMailbox { column, .. }
            | Self::UriHost { column }
            | Self::UriHostName { column, .. }
            | Self::UriUser { column }
            | Self::UriPort { column } => Some(*column),
        }
    }
}

/// Why the TXT records of a name ask for no reports (RFC 8460 §3).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TlsrptSelectionError {
    /// None of them is a TLSRPT record.
    #[error("no TLSRPT record is published")]
    Absent,
    /// More than one begins with `v=TLSRPTv1;`: all are to be ignored.
    #[error("expected one TLSRPT record, found {count}")]
    Several {
        /// How many.
        count: usize,
    },
    /// The one record is not valid. The source says why.
    #[error("the TLSRPT record is malformed")]
    Malformed(#[from] TlsrptRecordError),
}

/// Two tallies cannot be merged: they are of different policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("cannot merge the tallies of two policies")]
pub struct TallyMergeError;

/// Why two times are no range of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DateRangeError {
    /// The end lies before the start.
    #[error("expected a range of time that ends after its start")]
    Reversed,
    /// A time that RFC 3339 cannot write: its years have four digits.
    #[error("expected a time before the end of the year 9999")]
    TooLate,
}

/// Why there can be no such report (RFC 8460 §4.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ReportError {
    /// The name of the organization is empty, over 255 octets, or has control characters.
    #[error("expected an organization name of 1 to 255 octets without control characters")]
    OrganizationName,
    /// The contact is no mail address at a domain.
    #[error("expected contact information of the form `local-part@domain`")]
    ContactInfo,
    /// The id is not what the subject of a mail can hold (RFC 5322 §3.6.4).
    #[error(
        "expected a report id of 1 to 255 letters, digits and `!#$%&'*+-/=?^_`{{|}}~`, with single \
         dots between them and at most one `@`"
    )]
    ReportId,
    /// Tallies of more policies than a report may have.
    #[error("expected at most {limit} policies, found more")]
    TooManyPolicies {
        /// The limit.
        limit: usize,
    },
}

#[cfg(test)]
mod record_tests {
    use super::{MailboxFault, TlsrptRecordError as Error};
    use mta_sts::NameError;

    #[test]
    fn err_each_fault_of_a_record_has_its_class_and_its_place() {
        let column = 7;
        let cases = [
            (Error::NotTlsrpt, "not_tlsrpt", None),
            (Error::Version { column }, "bad_version", Some(7)),
            (Error::TooLong { limit: 1 }, "too_large", None),
            (Error::MissingRua, "missing_rua", None),
            (Error::Unsupported, "bad_rua", None),
            (Error::Delimiter { column }, "bad_syntax", Some(7)),
            (Error::FieldName { column }, "bad_syntax", Some(7)),
            (Error::MissingEquals { column }, "bad_syntax", Some(7)),
            (Error::FieldValue { column }, "bad_syntax", Some(7)),
            (Error::EmptyUri { column }, "bad_rua", Some(7)),
            (Error::UriScheme { column }, "bad_rua", Some(7)),
            (Error::UriCharacter { column }, "bad_rua", Some(7)),
            (Error::UriAddress { column }, "bad_rua", Some(7)),
            (Error::UriMailbox { fault: MailboxFault::Slashes, column }, "bad_rua", Some(7)),
            (Error::UriHost { column }, "bad_rua", Some(7)),
            (Error::UriHostName { error: NameError::Empty, column }, "bad_rua", Some(7)),
            (Error::UriUser { column }, "bad_rua", Some(7)),
            (Error::UriPort { column }, "bad_rua", Some(7)),
        ];
        for (error, code, column) in cases {
            assert_eq!((error.code(), error.column()), (code, column), "{error}");
        }
    }
}
