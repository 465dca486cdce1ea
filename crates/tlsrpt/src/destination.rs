//! The destination of a report: the mail address or the host of a URI (RFC 6068, RFC 9110 §4.2.2).

use alloc::boxed::Box;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::error::MailboxFault;
use super::text::is_dot_atom;
use mta_sts::DnsName;
use mta_sts::NameError;

/// Bytes of a mail address (RFC 5321 §4.5.3.1: 64, `@`, 255).
pub(super) const MAX_ADDRESS: usize = 320;
/// Bytes of a local part (RFC 5321 §4.5.3.1.1).
const MAX_LOCAL_PART: usize = 64;

/// A mail address that reports go to. Its text is safe in an SMTP command and in a header field:
/// the local part is a dot-atom (RFC 5322 §3.2.3), and the domain is a name in A-labels.
///
/// ```
/// use mta_sts_tlsrpt::TlsrptRecord;
///
/// let record = TlsrptRecord::parse(b"v=TLSRPTv1; rua=mailto:tls%2Bin@Example.com?subject=x")?;
/// let address = record.rua().next().and_then(|uri| uri.mail_address()).expect("an address");
/// assert_eq!(address.to_string(), "tls+in@example.com");
/// assert_eq!((address.local_part(), address.domain().as_str()), ("tls+in", "example.com"));
/// # Ok::<(), mta_sts_tlsrpt::TlsrptRecordError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MailAddress {
    local_part: Box<str>,
    domain: DnsName,
}

impl MailAddress {
    /// The address of a `mailto` URI without its header fields; `None` where it is not one that
    /// this type can hold.
    pub(super) fn of(hierarchy: &[u8]) -> Option<Self> {
        let mut buffer = [0; MAX_ADDRESS];
        let (local_part, domain) = mailbox(hierarchy, &mut buffer).ok()?;
        let fits = is_dot_atom(local_part) && local_part.len() <= MAX_LOCAL_PART;
        let domain = DnsName::parse(domain).ok().filter(|_| fits)?;
        Some(Self { local_part: local_part.into(), domain })
    }

    /// The part before the `@`.
    pub fn local_part(&self) -> &str {
        &self.local_part
    }

    /// The domain, whose MX hosts take the report.
    pub const fn domain(&self) -> &DnsName {
        &self.domain
    }
}

/// Prints `local-part@domain`.
impl fmt::Display for MailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local_part, self.domain)
    }
}

/// The host of an `https` URI.
///
/// The domain's owner chooses the host. [`policy_host_address`](mta_sts::policy_host_address) tells
/// the addresses that a request may go to from those of the sender's own network: a driver asks it
/// about an `Address`, and about each address of a `Name` before it connects.
///
/// ```
/// use mta_sts::policy_host_address;
/// use mta_sts_tlsrpt::{ReportHost, TlsrptRecord};
///
/// let record = TlsrptRecord::parse(b"v=TLSRPTv1; rua=https://[::ffff:10.0.0.1]:8443/tls")?;
/// let uri = record.rua().next().expect("a record that was read has one");
/// let Some(ReportHost::Address(address)) = uri.host() else { panic!("an address") };
/// assert!(policy_host_address(address).is_err());
/// assert_eq!(uri.port(), Some(8443));
/// # Ok::<(), mta_sts_tlsrpt::TlsrptRecordError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReportHost {
    /// A name, to be looked up.
    Name(DnsName),
    /// An address, which may be one of the sender's own network.
    Address(IpAddr),
}

impl ReportHost {
    /// The host of an authority that was checked; `None` for U-labels that cannot be converted.
    pub(super) fn of(host: &[u8]) -> Option<Self> {
        if let Some(address) = address(host) {
            return Some(Self::Address(address));
        }
        let mut buffer = [0; MAX_ADDRESS];
        DnsName::parse(decode(host, &mut buffer).ok()?).ok().map(Self::Name)
    }
}

/// Prints the name or the address, an IPv6 address without brackets.
impl fmt::Display for ReportHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => name.fmt(f),
            Self::Address(address) => address.fmt(f),
        }
    }
}

/// Checks the host of an `https` URI.
pub(super) fn check_host(host: &[u8]) -> Result<(), NameError> {
    if address(host).is_some() {
        return Ok(());
    }
    match decode(host, &mut [0; MAX_ADDRESS]) {
        Ok(name) => DnsName::check(name),
        Err(MailboxFault::TooLong { .. }) => Err(NameError::TooLong { octets: host.len() }),
        // Bytes that are no text are no U-labels.
        Err(_) => Err(NameError::Idna),
    }
}

/// Checks the text between `mailto:` and the header fields.
pub(super) fn check_mailbox(hierarchy: &[u8]) -> Result<(), MailboxFault> {
    mailbox(hierarchy, &mut [0; MAX_ADDRESS]).map(|_| ())
}

/// The local part and the domain of a `mailto` URI, decoded into the buffer.
fn mailbox<'b>(
    hierarchy: &[u8],
    buffer: &'b mut [u8; MAX_ADDRESS],
) -> Result<(&'b str, &'b str), MailboxFault> {
    // RFC 3986 §3: a path after an authority; RFC 6068 §2: there is none.
    if hierarchy.starts_with(b"//") {
        return Err(MailboxFault::Slashes);
    }
    let address = decode(hierarchy, buffer)?;
    // RFC 6068 §2: addr-spec = local-part "@" domain.
    let (local_part, domain) = address.rsplit_once('@').unwrap_or((address, ""));
    let is_quoted =
        local_part.len() > 1 && local_part.starts_with('"') && local_part.ends_with('"');
    let never = |c: char| c.is_control() || matches!(c, '<' | '>');
    if address.contains(never) || !is_quoted && address.contains(char::is_whitespace) {
        return Err(MailboxFault::Character);
    }
    if local_part.contains('@') && !is_quoted {
        return Err(MailboxFault::SeveralAts);
    }
    DnsName::check(domain).map_err(MailboxFault::Domain)?;
    Ok((local_part, domain))
}

fn address(host: &[u8]) -> Option<IpAddr> {
    let text = core::str::from_utf8(host).ok()?;
    match text.strip_prefix('[') {
        Some(inside) => inside.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => text.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
    }
}

/// Text with its percent-encodings decoded (RFC 3986 §2.1).
fn decode<'b>(text: &[u8], buffer: &'b mut [u8; MAX_ADDRESS]) -> Result<&'b str, MailboxFault> {
    let hex =
        |byte: Option<&u8>| char::from(*byte?).to_digit(16).and_then(|d| u8::try_from(d).ok());
    let (mut bytes, mut used) = (text.iter(), 0_usize);
    while let Some(byte) = bytes.next() {
        let decoded = match byte {
            b'%' => hex(bytes.next()).zip(hex(bytes.next())).map(|(high, low)| (high << 4) | low),
            byte => Some(*byte),
        };
        let room = buffer.get_mut(used).ok_or(MailboxFault::TooLong { limit: MAX_ADDRESS })?;
        *room = decoded.ok_or(MailboxFault::Character)?;
        used = used.saturating_add(1);
    }
    let decoded = buffer.get(..used).unwrap_or_default();
    core::str::from_utf8(decoded).map_err(|_| MailboxFault::Character)
}
