//! Where reports go: the URIs of the field `rua` (RFC 8460 §3, RFC 3986).

use core::fmt;
use core::net::Ipv6Addr;

use super::destination::{MailAddress, ReportHost, check_host, check_mailbox};
use super::error::TlsrptRecordError as Error;

/// How a report travels (RFC 8460 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum ReportScheme {
    /// As mail to an address (RFC 6068).
    Mailto,
    /// As the body of an HTTPS POST.
    Https,
}

/// A URI of the field `rua`, as it was written.
///
/// ```
/// use mta_sts_tlsrpt::{ReportScheme, TlsrptRecord};
///
/// let record = TlsrptRecord::parse(b"v=TLSRPTv1; rua=MailTo:tls@example.com")?;
/// let uri = record.rua().next().expect("a record that was read has one");
/// assert_eq!(uri.as_str(), "MailTo:tls@example.com");
/// assert_eq!(uri.scheme(), Some(ReportScheme::Mailto));
/// let address = uri.mail_address().expect("a dot-atom at a domain");
/// assert_eq!(address.to_string(), "tls@example.com");
/// # Ok::<(), mta_sts_tlsrpt::TlsrptRecordError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReportUri<'a> {
    text: &'a str,
    scheme: Option<ReportScheme>,
}

impl<'a> ReportUri<'a> {
    /// The URI of a text that was checked.
    pub(super) fn from_checked(text: &'a str) -> Self {
        let scheme = text.split_once(':').and_then(|(scheme, _)| known(scheme.as_bytes()));
        Self { text, scheme }
    }

    /// The URI, exactly as it was written.
    pub const fn as_str(self) -> &'a str {
        self.text
    }

    /// How the report travels; `None` for a scheme that RFC 8460 does not support.
    pub const fn scheme(self) -> Option<ReportScheme> {
        self.scheme
    }

    /// The address of a `mailto` URI, decoded and checked. Header fields such as `?cc=` are not
    /// honoured: a report goes to this address alone.
    ///
    /// `None` for another scheme, and for an address that [`MailAddress`] does not hold: a local
    /// part in quotes or with a comma, U-labels that IDNA refuses, or any in a build without the
    /// feature `idna`.
    pub fn mail_address(self) -> Option<MailAddress> {
        let is_mail = self.scheme == Some(ReportScheme::Mailto);
        is_mail.then(|| MailAddress::of(hierarchy(self.rest()))).flatten()
    }

    /// The host of an `https` URI. `None` for another scheme, and for U-labels that IDNA refuses,
    /// or any in a build without the feature `idna`.
    pub fn host(self) -> Option<ReportHost> {
        ReportHost::of(host(self.authority()?))
    }

    /// The port of an `https` URI, 443 where the URI has none; `None` for another scheme.
    pub fn port(self) -> Option<u16> {
        port(self.authority()?)
    }

    /// The authority of an `https` URI.
    fn authority(self) -> Option<&'a [u8]> {
        let is_https = self.scheme == Some(ReportScheme::Https);
        is_https.then(|| authority(self.rest())).flatten()
    }

    /// The text after the scheme and its colon.
    fn rest(self) -> &'a [u8] {
        self.text.split_once(':').map_or(&[], |(_, rest)| rest.as_bytes())
    }
}

impl fmt::Display for ReportUri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.text)
    }
}

/// RFC 3986 §3.1: schemes are compared without regard to case.
fn known(scheme: &[u8]) -> Option<ReportScheme> {
    if scheme.eq_ignore_ascii_case(b"mailto") {
        Some(ReportScheme::Mailto)
    } else if scheme.eq_ignore_ascii_case(b"https") {
        Some(ReportScheme::Https)
    } else {
        None
    }
}

/// Checks a URI that begins in `column`; gives its scheme.
pub(super) fn check(uri: &[u8], column: usize) -> Result<Option<ReportScheme>, Error> {
    if uri.is_empty() {
        return Err(Error::EmptyUri { column });
    }
    let after = |octets: usize| column.saturating_add(octets);
    // RFC 3986 §3.1: scheme = ALPHA *( ALPHA / DIGIT / "+" / "-" / "." )
    let is_scheme = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
    let length = uri.iter().take_while(|b| is_scheme(b)).count();
    let (scheme, rest) = uri.split_at_checked(length).unwrap_or((uri, &[]));
    let (Some(rest), true) =
        (rest.strip_prefix(b":"), scheme.first().is_some_and(u8::is_ascii_alphabetic))
    else {
        return Err(Error::UriScheme { column });
    };
    let start = length.saturating_add(1);
    check_characters(rest, after(start))?;
    let scheme = known(scheme);
    let authority = authority(rest);
    let server = after(start.saturating_add(2));
    if let Some(authority) = authority {
        check_authority(authority, server)?;
    }
    match scheme {
        // RFC 9110 §4.2.2: an https URI with an empty host is not valid.
        Some(ReportScheme::Https) if authority.is_none_or(|a| host(a).is_empty()) => {
            return Err(Error::UriHost { column: after(start) });
        }
        Some(ReportScheme::Https) => check_server(authority.unwrap_or_default(), server)?,
        Some(ReportScheme::Mailto) if !is_address(hierarchy(rest)) => {
            return Err(Error::UriAddress { column: after(start) });
        }
        Some(ReportScheme::Mailto) | None => {}
    }
    // RFC 3986 §3.2.2: square brackets stand around an address in the host, and nowhere else.
    let outside = authority.map_or(0, |a| a.len().saturating_add(2));
    let bracket = rest.iter().skip(outside).position(|b| matches!(b, b'[' | b']'));
    match bracket {
        Some(at) => Err(Error::UriCharacter {
            column: after(start.saturating_add(outside).saturating_add(at)),
        }),
        None if scheme == Some(ReportScheme::Mailto) => {
            let checked = check_mailbox(hierarchy(rest));
            let bad = |fault| Error::UriMailbox { fault, column: after(start) };
            checked.map(|()| scheme).map_err(bad)
        }
        None => Ok(scheme),
    }
}

/// The part after the scheme, without query and fragment (RFC 3986 §3).
fn hierarchy(rest: &[u8]) -> &[u8] {
    part(rest, |b| matches!(b, b'?' | b'#'))
}

/// The part between `//` and the path (RFC 3986 §3.2); `None` where there is no `//`.
fn authority(rest: &[u8]) -> Option<&[u8]> {
    hierarchy(rest).strip_prefix(b"//").map(|more| part(more, |b| b == b'/'))
}

/// Checks an authority, whose form was checked, for a server that reports can go to.
fn check_server(authority: &[u8], column: usize) -> Result<(), Error> {
    // RFC 9110 §4.2.4: a user in front is to be treated as an error.
    if authority.contains(&b'@') {
        return Err(Error::UriUser { column });
    }
    let host = host(authority);
    check_host(host).map_err(|error| Error::UriHostName { error, column })?;
    match port(authority) {
        Some(_) => Ok(()),
        None => Err(Error::UriPort { column: column.saturating_add(host.len()).saturating_add(1) }),
    }
}

/// The port of an authority without a user, 443 where there is none (RFC 9110 §4.2.2); `None` for
/// one that is out of range.
fn port(authority: &[u8]) -> Option<u16> {
    match authority.get(host(authority).len()..)?.strip_prefix(b":") {
        None | Some([]) => Some(443),
        Some(digits) => core::str::from_utf8(digits).ok()?.parse().ok().filter(|port| *port > 0),
    }
}

/// The octets before the first that ends the part.
fn part(text: &[u8], ends: impl Fn(u8) -> bool) -> &[u8] {
    let length = text.iter().take_while(|b| !ends(**b)).count();
    text.get(..length).unwrap_or(text)
}

fn check_characters(text: &[u8], column: usize) -> Result<(), Error> {
    let mut fragment = false;
    for (at, byte) in text.iter().enumerate() {
        let is_hex =
            |place: usize| text.get(at.saturating_add(place)).is_some_and(u8::is_ascii_hexdigit);
        let fits = match byte {
            b'%' => is_hex(1) && is_hex(2),
            b'#' => !core::mem::replace(&mut fragment, true),
            // RFC 8460 §3: commas, exclamation points and semicolons MUST be encoded.
            b',' | b'!' | b';' => false,
            // RFC 3986 §2: unreserved, gen-delims, sub-delims.
            b'-' | b'.' | b'_' | b'~' | b':' | b'/' | b'?' | b'[' | b']' | b'@' => true,
            b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b'=' => true,
            other => other.is_ascii_alphanumeric(),
        };
        if !fits {
            return Err(Error::UriCharacter { column: column.saturating_add(at) });
        }
    }
    Ok(())
}

/// RFC 3986 §3.2: authority = [ userinfo "@" ] host [ ":" port ]
fn check_authority(text: &[u8], column: usize) -> Result<(), Error> {
    let bad = |at: usize| Error::UriCharacter { column: column.saturating_add(at) };
    let user = part(text, |b| b == b'@');
    let (start, place) = if user.len() < text.len() {
        if let Some(at) = user.iter().position(|b| matches!(b, b'[' | b']')) {
            return Err(bad(at));
        }
        let start = user.len().saturating_add(1);
        (start, text.get(start..).unwrap_or_default())
    } else {
        (0, text)
    };
    let host = host(text);
    let is_literal = |inner: &[u8]| {
        core::str::from_utf8(inner).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok())
    };
    match host.strip_prefix(b"[") {
        Some(rest) if rest.strip_suffix(b"]").is_some_and(is_literal) => {}
        Some(_) => return Err(bad(start)),
        None => {
            if let Some(at) = host.iter().position(|b| matches!(b, b'[' | b']' | b'@')) {
                return Err(bad(start.saturating_add(at)));
            }
        }
    }
    let rest = place.get(host.len()..).unwrap_or_default();
    // What follows the host is nothing, or a colon and digits.
    let wrong = rest.iter().enumerate().position(|(at, byte)| match at {
        0 => *byte != b':',
        _ => !byte.is_ascii_digit(),
    });
    let before = start.saturating_add(host.len());
    wrong.map_or(Ok(()), |at| Err(bad(before.saturating_add(at))))
}

/// The host of an authority.
fn host(authority: &[u8]) -> &[u8] {
    let user = part(authority, |b| b == b'@').len();
    let place = authority.get(user.saturating_add(1)..).unwrap_or(authority);
    if place.starts_with(b"[") {
        let inside = part(place, |b| b == b']').len();
        place.get(..=inside).unwrap_or(place)
    } else {
        part(place, |b| b == b':')
    }
}

/// RFC 6068 §2: something before an `@` and something after it.
fn is_address(text: &[u8]) -> bool {
    let first = text.iter().position(|b| *b == b'@');
    first.is_some_and(|at| at > 0) && text.last() != Some(&b'@')
}
