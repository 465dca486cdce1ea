//! Records and codes of DNS.

use std::net::IpAddr;

/// A DNS record type (RFC 1035 §3.2.2 and later).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RecordType {
    /// An IPv4 address.
    A,
    /// An IPv6 address.
    Aaaa,
    /// An alias.
    Cname,
    /// An MX host.
    Mx,
    /// Text.
    Txt,
    /// TLSA, for DANE.
    Tlsa,
    /// In [`Zone::set`](crate::Zone::set): every type of the name that has no answer of its own.
    Any,
    /// Another type, by number.
    Other(u16),
}

impl RecordType {
    /// The number on the wire.
    pub fn number(self) -> u16 {
        match self {
            Self::A => 1,
            Self::Aaaa => 28,
            Self::Cname => 5,
            Self::Mx => 15,
            Self::Txt => 16,
            Self::Tlsa => 52,
            Self::Any => 255,
            Self::Other(number) => number,
        }
    }
}

impl From<u16> for RecordType {
    fn from(number: u16) -> Self {
        match number {
            1 => Self::A,
            28 => Self::Aaaa,
            5 => Self::Cname,
            15 => Self::Mx,
            16 => Self::Txt,
            52 => Self::Tlsa,
            255 => Self::Any,
            other => Self::Other(other),
        }
    }
}

/// A DNS response code (RFC 1035 §4.1.1, RFC 6895 §2.3). Those above 15 need a client that speaks
/// EDNS; any other gets SERVFAIL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rcode(pub u16);

impl Rcode {
    /// No error.
    pub const NOERROR: Self = Self(0);
    /// The server could not read the question.
    pub const FORMERR: Self = Self(1);
    /// The server failed.
    pub const SERVFAIL: Self = Self(2);
    /// The name does not exist.
    pub const NXDOMAIN: Self = Self(3);
    /// Not implemented.
    pub const NOTIMP: Self = Self(4);
    /// Refused by policy.
    pub const REFUSED: Self = Self(5);
    /// A name exists when it should not.
    pub const YXDOMAIN: Self = Self(6);
    /// A record set exists when it should not.
    pub const YXRRSET: Self = Self(7);
    /// A record set that should exist does not.
    pub const NXRRSET: Self = Self(8);
    /// Not authoritative.
    pub const NOTAUTH: Self = Self(9);
    /// A name is not in the zone.
    pub const NOTZONE: Self = Self(10);
    /// A bad EDNS version; the first of the extended codes.
    pub const BADVERS: Self = Self(16);
}

/// A record of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsRecord {
    /// The name that has the record; `None` for the name that was asked.
    pub owner: Option<String>,
    /// Seconds; any value, 0 and `u32::MAX` too.
    pub ttl: u32,
    /// What the record says.
    pub data: RecordData,
}

impl DnsRecord {
    /// A record of the name that was asked.
    pub fn new(ttl: u32, data: RecordData) -> Self {
        Self { owner: None, ttl, data }
    }

    /// The same record under another name.
    #[must_use]
    pub fn owned_by(mut self, owner: impl Into<String>) -> Self {
        self.owner = Some(owner.into());
        self
    }
}

/// The data of a record.
///
/// What has no form on the wire (a name that is none, a character-string of more than 255 octets)
/// is answered with SERVFAIL and an extended error that names it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecordData {
    /// An A or AAAA record.
    Address(IpAddr),
    /// The target of an alias; `@` is the name that was asked.
    Cname(String),
    /// Preference and exchange.
    Mx(u16, String),
    /// Character-strings of up to 255 octets each, of any octets.
    Txt(Vec<Vec<u8>>),
    /// The type and the RDATA, as they are.
    Raw(u16, Vec<u8>),
}

pub(crate) fn txt_data<S: AsRef<[u8]>>(strings: impl IntoIterator<Item = S>) -> RecordData {
    RecordData::Txt(strings.into_iter().map(|string| string.as_ref().to_vec()).collect())
}
