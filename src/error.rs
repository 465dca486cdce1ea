//! Errors, grouped by whose fault they are.
//!
//! * the caller's input: [`NameError`], [`EntryError`];
//! * the domain owner's publication: [`RecordError`], [`SelectionError`], [`PolicyError`], with the
//!   place of the fault and the code under which it is known to scripts;
//! * the network's, or the other side's: [`DnsFailure`](crate::DnsFailure),
//!   [`FetchFailure`](crate::FetchFailure), in [`failure`](crate::failure).

use thiserror::Error;

use crate::name::DnsName;

/// Why text is not a name: [`DnsName::parse`](crate::DnsName::parse),
/// [`PolicyDomain::parse`](crate::PolicyDomain::parse).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NameError {
    /// Nothing, or a single dot.
    #[error("expected a domain name, found nothing")]
    Empty,
    /// Two dots in a row, or a dot in front.
    #[error("expected a label, found nothing between two dots")]
    EmptyLabel,
    /// A label of more than 63 octets.
    #[error("expected a label of at most 63 octets, found one of {octets}")]
    LabelTooLong {
        /// Its length.
        octets: usize,
    },
    /// More than 253 octets, counting the longest prefix that discovery puts in front.
    #[error("expected a name of at most 253 octets with its prefix, found {octets}")]
    TooLong {
        /// The length, prefix and all.
        octets: usize,
    },
    /// A character that no host name has.
    #[error("expected letters, digits, hyphens and dots, found {found:?} in column {column}")]
    Character {
        /// The first such character.
        found: char,
        /// Its place, counted from 1 (after conversion to A-labels).
        column: usize,
    },
    /// A label that begins or ends with a hyphen.
    #[error("a label may not begin or end with a hyphen")]
    Hyphen,
    /// An IP address, an address literal, or either with a port: no policy can belong to it
    /// (RFC 8461 §3.4).
    #[error("expected a domain name, found an address")]
    Address,
    /// A name with brackets, a port or both around it, as configurations write a next hop:
    /// `[relay.example]:587`. A policy can belong to `host` (RFC 8461 §3.4), so the caller looks
    /// that up and never takes the text for an address.
    #[error(
        "expected a domain name alone, found a next hop: look up `{host}`, without brackets and port"
    )]
    NextHop {
        /// The name inside.
        host: DnsName,
    },
    /// U-labels that IDNA refuses.
    #[error("a label is not valid under IDNA")]
    Idna,
    /// U-labels, in a build without the feature `idna`.
    #[error("expected A-labels: this build converts no U-labels")]
    NotAscii,
}

/// Why a TXT record is not an MTA-STS record (RFC 8461 §3.1). Columns count octets of the joined
/// strings from 1.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RecordError {
    /// It does not begin with `v=STSv1`: the record of something else.
    #[error("expected a record that begins with `v=STSv1`")]
    NotSts,
    /// `v=STSv1` goes on with a letter or digit: another version.
    #[error("expected the version `STSv1`, found more of it in column {column}")]
    Version {
        /// Where the version goes on.
        column: usize,
    },
    /// No field `id`.
    #[error("expected the field `id`, found none")]
    MissingId,
    /// `id=` and nothing.
    #[error("expected 1 to 32 letters and digits after `id=` in column {column}, found nothing")]
    IdEmpty {
        /// Where the value should be.
        column: usize,
    },
    /// More than 32 characters of `id`.
    #[error("expected an `id` of at most 32 letters and digits, found more from column {column}")]
    IdTooLong {
        /// The first character too many.
        column: usize,
    },
    /// A character in `id` that is no ASCII letter or digit.
    #[error("expected letters and digits in `id`, found {} in column {column}", Octet(*found))]
    IdCharacter {
        /// The octet.
        found: u8,
        /// Its place.
        column: usize,
    },
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
    /// A field value that is empty or has a character out of place.
    #[error("expected a field value of visible ASCII without `=` in column {column}")]
    FieldValue {
        /// The first octet that does not fit.
        column: usize,
    },
}

impl RecordError {
    /// The short name of the class of fault, stable for scripts: `not_sts`, `bad_version`,
    /// `missing_id`, `bad_id` or `bad_syntax`.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotSts => "not_sts",
            Self::Version { .. } => "bad_version",
            Self::MissingId => "missing_id",
            Self::IdEmpty { .. } | Self::IdTooLong { .. } | Self::IdCharacter { .. } => "bad_id",
            Self::Delimiter { .. }
            | Self::FieldName { .. }
            | Self::MissingEquals { .. }
            | Self::FieldValue { .. } => "bad_syntax",
        }
    }

    /// The place of the fault: the octet of the joined strings, counted from 1.
    pub const fn column(&self) -> Option<usize> {
        match self {
            Self::NotSts | Self::MissingId => None,
            Self::Version { column }
            | Self::IdEmpty { column }
            | Self::IdTooLong { column }
            | Self::IdCharacter { column, .. }
            | Self::Delimiter { column }
            | Self::FieldName { column }
            | Self::MissingEquals { column }
            | Self::FieldValue { column } => Some(*column),
        }
    }
}

/// Why the TXT records of a name announce no policy (RFC 8461 §3.1).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SelectionError {
    /// None of them is an MTA-STS record.
    #[error("no MTA-STS record is published")]
    Absent,
    /// More than one begins with `v=STSv1;`: all are to be ignored.
    #[error("expected one MTA-STS record, found {count}")]
    Several {
        /// How many.
        count: usize,
    },
    /// The one record is not valid. The source says why.
    #[error("the MTA-STS record is malformed")]
    Malformed(#[from] RecordError),
}

/// Why text is not a policy (RFC 8461 §3.2). Lines, and columns in characters, count from 1.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// More than 65,536 octets (RFC 8461 §3.3 suggests the limit).
    #[error("expected at most 65536 octets, found {octets}")]
    TooLarge {
        /// How many were seen.
        octets: usize,
    },
    /// Octets that are not UTF-8.
    #[error("expected UTF-8, found octets that are not, in {at}")]
    Encoding {
        /// The place of the first.
        at: Place,
    },
    /// A byte order mark (strict profile).
    #[error("expected a field, found a byte order mark, in {at}")]
    ByteOrderMark {
        /// Its place.
        at: Place,
    },
    /// A blank line (strict profile).
    #[error("expected a field, found a blank line, in {at}")]
    BlankLine {
        /// Its place.
        at: Place,
    },
    /// White space before a field name (strict profile).
    #[error("expected a field name, found white space, in {at}")]
    LeadingSpace {
        /// Its place.
        at: Place,
    },
    /// A field name that is empty, too long (more than 32) or has a character out of place.
    #[error("expected a field name of 1 to 32 letters, digits, `_`, `-`, `.`, in {at}")]
    FieldName {
        /// The first character that does not fit.
        at: Place,
    },
    /// A line without a colon.
    #[error("expected `:` after the field name, in {at}")]
    MissingColon {
        /// The end of the line.
        at: Place,
    },
    /// An unknown or repeated field without a value.
    #[error("expected a value after the colon, found nothing, in {at}")]
    EmptyValue {
        /// Where it should be.
        at: Place,
    },
    /// A control character in a value, a lone CR among them.
    #[error("expected text, found the control character {found:?}, in {at}")]
    Control {
        /// The character.
        found: char,
        /// Its place.
        at: Place,
    },
    /// A version other than `STSv1`.
    #[error("expected the version `STSv1`, in {at}")]
    Version {
        /// The place of the value.
        at: Place,
    },
    /// A mode other than `enforce`, `testing` and `none`.
    #[error("expected the mode `enforce`, `testing` or `none`, in {at}")]
    Mode {
        /// The place of the value.
        at: Place,
    },
    /// A `max_age` that is not 1 to 10 digits.
    #[error("expected a `max_age` of 1 to 10 digits, in {at}")]
    MaxAge {
        /// The first character that does not fit, or the place of the value.
        at: Place,
    },
    /// An `mx` that is no pattern.
    #[error("{error}, in {at}")]
    Mx {
        /// What is wrong with it.
        error: MxPatternError,
        /// The place of the value.
        at: Place,
    },
    /// No field `version`.
    #[error("expected the field `version`, found none")]
    MissingVersion,
    /// No field `mode`.
    #[error("expected the field `mode`, found none")]
    MissingMode,
    /// No field `max_age`.
    #[error("expected the field `max_age`, found none")]
    MissingMaxAge,
    /// No field `mx`, and the mode is not `none`.
    #[error("expected at least one field `mx`, found none")]
    MissingMx,
}

impl PolicyError {
    /// The short name of the class of fault, stable for scripts: `too_large`, `bad_encoding`,
    /// `bad_syntax`, `bad_version|mode|max_age|mx` or `missing_version|mode|max_age|mx`.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "too_large",
            Self::Encoding { .. } => "bad_encoding",
            Self::ByteOrderMark { .. }
            | Self::BlankLine { .. }
            | Self::LeadingSpace { .. }
            | Self::FieldName { .. }
            | Self::MissingColon { .. }
            | Self::EmptyValue { .. }
            | Self::Control { .. } => "bad_syntax",
            Self::Version { .. } => "bad_version",
            Self::Mode { .. } => "bad_mode",
            Self::MaxAge { .. } => "bad_max_age",
            Self::Mx { .. } => "bad_mx",
            Self::MissingVersion => "missing_version",
            Self::MissingMode => "missing_mode",
            Self::MissingMaxAge => "missing_max_age",
            Self::MissingMx => "missing_mx",
        }
    }

    /// The place of the fault, where it has one.
    pub const fn at(&self) -> Option<Place> {
        match self {
            Self::Encoding { at }
            | Self::ByteOrderMark { at }
            | Self::BlankLine { at }
            | Self::LeadingSpace { at }
            | Self::FieldName { at }
            | Self::MissingColon { at }
            | Self::EmptyValue { at }
            | Self::Control { at, .. }
            | Self::Version { at }
            | Self::Mode { at }
            | Self::MaxAge { at }
            | Self::Mx { at, .. } => Some(*at),
            Self::TooLarge { .. }
            | Self::MissingVersion
            | Self::MissingMode
            | Self::MissingMaxAge
            | Self::MissingMx => None,
        }
    }
}

/// A place in a policy text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Error)]
#[error("line {line}, column {column}")]
pub struct Place {
    /// The line, counted from 1.
    pub line: usize,
    /// The character of the line, counted from 1.
    pub column: usize,
}

/// Why the value of a field `mx` is no pattern (RFC 8461 §3.2, RFC 5321 §4.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MxPatternError {
    /// Nothing, or `*.` and nothing.
    #[error("expected a host name after `mx:`, found nothing")]
    Empty,
    /// Two dots in a row, a dot in front, or (strict profile) a dot at the end.
    #[error("expected a label in `mx`, found nothing beside a dot")]
    EmptyLabel,
    /// A `*` that is not the whole left-most label.
    #[error("expected `*` in `mx` only as the whole left-most label")]
    Wildcard,
    /// A label that begins or ends with a hyphen.
    #[error("a label of `mx` may not begin or end with a hyphen")]
    Hyphen,
    /// Something other than ASCII letters, digits, hyphens and dots.
    #[error("expected letters, digits, hyphens and dots in `mx`, found {found:?}")]
    Character {
        /// The first such character.
        found: char,
    },
}

/// Why bytes are no entry: [`Entry::from_bytes`](crate::Entry::from_bytes). The caller tells the
/// machine [`Held::Unreadable`](crate::Held::Unreadable).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EntryError {
    /// They do not begin like an entry.
    #[error("expected an MTA-STS entry, found other bytes")]
    Foreign,
    /// An entry of a version that this build does not read.
    #[error("expected an entry of version {supported}, found version {found}")]
    Version {
        /// The version that this build writes.
        supported: u8,
        /// The version of the bytes.
        found: u8,
    },
    /// Bytes are missing or too many, or the checksum does not fit.
    #[error("the entry is truncated or corrupt")]
    Corrupt,
    /// An entry of another domain.
    #[error("the entry belongs to another domain")]
    OtherDomain,
}

/// Why two entries cannot be merged: they belong to different domains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("cannot merge the entries of two domains")]
pub struct MergeError;

/// Why the machine will not have a Policy Host dialled at an address:
/// [`policy_host_address`](crate::policy_host_address).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[non_exhaustive]
pub enum AddressClass {
    /// `0.0.0.0/8`, `::`.
    #[error("unspecified address")]
    Unspecified,
    /// This machine.
    #[error("loopback address")]
    Loopback,
    /// Private use, unique local, site local.
    #[error("private address")]
    Private,
    /// Shared by a carrier's customers (RFC 6598).
    #[error("shared address")]
    Shared,
    /// This link only; cloud machines serve their credentials here.
    #[error("link-local address")]
    LinkLocal,
    /// For examples in documents.
    #[error("documentation address")]
    Documentation,
    /// For benchmarks of network gear (RFC 2544, RFC 5180).
    #[error("benchmarking address")]
    Benchmarking,
    /// Leads to an IPv4 address by a mechanism that cannot be judged (6to4, Teredo, local NAT64).
    #[error("translated address")]
    Translated,
    /// Many hosts.
    #[error("multicast address")]
    Multicast,
    /// Unassigned, or assigned to something that is no web server.
    #[error("reserved address")]
    Reserved,
}

/// An octet as people read it in an error: printable characters in quotes, others as `0x1f`.
struct Octet(u8);

impl core::fmt::Display for Octet {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.0 {
            0x20..=0x7e => write!(f, "{:?}", char::from(self.0)),
            other => write!(f, "{other:#04x}"),
        }
    }
}
