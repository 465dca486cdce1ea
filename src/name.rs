//! Names of hosts and of Policy Domains, in the one form in which they are compared: A-labels in
//! lower case without a trailing dot (RFC 8461 §3.2, RFC 5890).

#[cfg(feature = "idna")]
use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;
use core::net::IpAddr;

use crate::error::NameError;

/// Octets of a domain name in text form, without the trailing dot (RFC 1035 §2.3.4).
const MAX_NAME: usize = 253;
/// Bytes of the name of a service (RFC 6335 §5.1).
const MAX_SERVICE: usize = 15;
/// Octets of a label (RFC 1035 §2.3.4).
const MAX_LABEL: usize = 63;
/// What the TXT record's name begins with; the Policy Host's begins with all but the underscore.
const TXT_PREFIX: &str = "_mta-sts.";

/// The name of a host, such as an MX: A-labels, lower case, at most 253 octets, never an address.
///
/// U-labels are converted by IDNA where the feature `idna` is on and refused where it is off;
/// text that is ASCII already reads the same with and without the feature. One trailing dot is
/// dropped. Underscores are taken, as hosts in use have them. Cloning costs no allocation.
///
/// ```
/// use mta_sts::DnsName;
///
/// let name = DnsName::parse("MX1.Example.COM.")?;
/// assert_eq!(name.as_str(), "mx1.example.com");
/// assert!(DnsName::parse("192.0.2.1").is_err());
/// assert!(DnsName::parse("mx1..example.com").is_err());
/// # Ok::<(), mta_sts::NameError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DnsName(Arc<str>);

impl DnsName {
    /// Reads a host name.
    ///
    /// # Errors
    /// Says which rule the text breaks: see [`NameError`].
    pub fn parse(text: &str) -> Result<Self, NameError> {
        normal_form("", text).map(Self)
    }

    /// Checks the text of a host name without making one; nothing is allocated. Of U-labels only
    /// the ASCII characters are checked, so that the result is the same with and without the feature
    /// `idna`.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn check(text: &str) -> Result<(), NameError> {
        if text.is_ascii() { check_ascii(text) } else { check_ascii_characters(text) }
    }

    /// The name in its normal form.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name for people to read: its U-labels where [`parse`](Self::parse) reads them back as
    /// this very name, and else its A-labels.
    ///
    /// So two names that differ never look the same, and what is shown can be copied back. A name
    /// with one label that IDNA refuses, such as `xn--a`, keeps all its A-labels.
    ///
    /// ```
    /// use mta_sts::DnsName;
    ///
    /// let name = DnsName::parse("mx.xn--mnchen-3ya.example")?;
    /// assert_eq!(name.to_unicode(), "mx.münchen.example");
    /// assert_eq!(DnsName::parse("mx.xn--a.example")?.to_unicode(), "mx.xn--a.example");
    /// # Ok::<(), mta_sts::NameError>(())
    /// ```
    #[cfg(feature = "idna")]
    pub fn to_unicode(&self) -> String {
        to_unicode(&self.0)
    }

    /// The part after the left-most label, with the dot in front: `.example.com`; empty for a
    /// name of one label.
    pub(crate) fn parent_with_dot(&self) -> &str {
        let dot = self.0.bytes().position(|b| b == b'.');
        dot.and_then(|dot| self.0.get(dot..)).unwrap_or("")
    }
}

/// The domain that a policy is looked up for: the next hop of the mail (RFC 8461 §3.4), short
/// enough that the names of its TXT record and of its Policy Host are names too.
///
/// ```
/// use mta_sts::PolicyDomain;
///
/// let domain = PolicyDomain::parse("Example.com")?;
/// assert_eq!(domain.as_str(), "example.com");
/// assert_eq!(domain.txt_name(), "_mta-sts.example.com");
/// assert_eq!(domain.policy_host(), "mta-sts.example.com");
/// assert!(PolicyDomain::parse("[192.0.2.1]").is_err());
/// # Ok::<(), mta_sts::NameError>(())
/// ```
///
/// A next hop as configurations write it has brackets or a port around its name. The name has a
/// policy, and only an address has none, so the errors tell the two apart:
/// ```
/// use mta_sts::{NameError, PolicyDomain};
///
/// let Err(NameError::NextHop { host }) = PolicyDomain::parse("[relay.example]:587") else {
///     panic!("the name has a policy of its own")
/// };
/// assert_eq!(PolicyDomain::parse(host.as_str())?.as_str(), "relay.example");
/// assert_eq!(PolicyDomain::parse("[192.0.2.1]:587"), Err(NameError::Address));
/// # Ok::<(), NameError>(())
/// ```
// The text is the TXT record's name: the other two names are its tails.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyDomain(Arc<str>);

impl PolicyDomain {
    /// Reads a Policy Domain; see [`DnsName`] for the rules that its text must keep.
    ///
    /// # Errors
    /// As [`DnsName::parse`], and [`NameError::TooLong`] where the name of the TXT record would
    /// have more than 253 octets.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        // RFC 8461 §3.1, §3.2: both prefixed names must be names themselves.
        normal_form(TXT_PREFIX, text).map(Self)
    }

    /// The domain itself: `example.com`.
    pub fn as_str(&self) -> &str {
        self.tail(TXT_PREFIX.len())
    }

    /// The name of the TXT record (RFC 8461 §3.1): `_mta-sts.example.com`.
    pub fn txt_name(&self) -> &str {
        &self.0
    }

    /// The Policy Host (RFC 8461 §3.2): `mta-sts.example.com`.
    pub fn policy_host(&self) -> &str {
        self.tail(1)
    }

    /// The domain as the name of a host: the implicit MX (RFC 5321 §5.1).
    pub fn to_dns_name(&self) -> DnsName {
        DnsName(self.as_str().into())
    }

    /// The domain for people to read: see [`DnsName::to_unicode`].
    #[cfg(feature = "idna")]
    pub fn to_unicode(&self) -> String {
        to_unicode(self.as_str())
    }

    fn tail(&self, from: usize) -> &str {
        self.0.get(from..).unwrap_or_default()
    }
}

macro_rules! text_traits {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($name)).field(&self.as_str()).finish()
            }
        }

        impl core::str::FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::parse(text)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }
    };
}
text_traits!(DnsName);
text_traits!(PolicyDomain);

#[cfg(feature = "idna")]
fn to_unicode(name: &str) -> String {
    // IDNA judges a name as a whole (RFC 5893 §2), so one refused label leaves no U-label: text of
    // both would not be read again.
    match idna::domain_to_unicode(name) {
        (shown, Ok(())) if normal_form("", &shown).is_ok_and(|read| &*read == name) => shown,
        _ => name.into(),
    }
}

/// The normal form of `text`, behind `prefix`.
fn normal_form(prefix: &str, text: &str) -> Result<Arc<str>, NameError> {
    alone(prefix, text).map_err(|error| next_hop(text).unwrap_or(error))
}

/// The error for an address, and for a name with brackets or a port around it; `None` for any other
/// text.
fn next_hop(text: &str) -> Option<NameError> {
    if text.parse::<IpAddr>().is_ok() {
        return Some(NameError::Address);
    }
    let (host, port) = match text.strip_prefix('[') {
        Some(inside) => inside.split_once(']')?,
        None => text.split_at_checked(text.find(':')?)?,
    };
    let has_port = match port.strip_prefix(':') {
        Some(port) => is_service(port),
        None => port.is_empty(),
    };
    if !has_port {
        return None;
    }
    // RFC 8461 §3.4: an address literal has no policy.
    if text.starts_with('[') && is_literal(host) {
        return Some(NameError::Address);
    }
    match alone("", host) {
        Ok(host) => Some(NameError::NextHop { host: DnsName(host) }),
        Err(NameError::Address) => Some(NameError::Address),
        Err(_) => None,
    }
}

/// Returns `true` for a port's number or the name of a service (RFC 6335 §5.1).
fn is_service(text: &str) -> bool {
    (1..=MAX_SERVICE).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// Returns `true` for the inside of an address literal (RFC 5321 §4.1.3). Of its tags only `IPv6` is
/// registered.
fn is_literal(inside: &str) -> bool {
    let is_tagged =
        inside.split_at_checked(5).is_some_and(|(tag, _)| tag.eq_ignore_ascii_case("IPv6:"));
    is_tagged || inside.parse::<IpAddr>().is_ok()
}

/// The normal form of `text`, which is to be a name without anything around it.
fn alone(prefix: &str, text: &str) -> Result<Arc<str>, NameError> {
    if text.is_ascii() {
        return lower_case(prefix, text);
    }
    #[cfg(feature = "idna")]
    {
        use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
        // ASCII characters and lengths are judged below, alike for every input. A hyphen at the
        // end of a U-label must be seen here: in the A-label it no longer stands there.
        let ascii = Uts46::new()
            .to_ascii(
                text.as_bytes(),
                AsciiDenyList::EMPTY,
                Hyphens::CheckFirstLast,
                DnsLength::Ignore,
            )
            .map_err(|_| NameError::Idna)?;
        lower_case(prefix, &ascii)
    }
    #[cfg(not(feature = "idna"))]
    Err(NameError::NotAscii)
}

/// Checks a name of ASCII characters, without an allocation.
fn check_ascii(text: &str) -> Result<(), NameError> {
    check(text.strip_suffix('.').unwrap_or(text))
}

/// Checks the ASCII characters of a name, whose others are still to be converted.
fn check_ascii_characters(name: &str) -> Result<(), NameError> {
    check_characters(name, |c| c.is_ascii() && !is_of_names(c))
}

fn check_characters(name: &str, is_forbidden: impl Fn(char) -> bool) -> Result<(), NameError> {
    match name.chars().enumerate().find(|(_, c)| is_forbidden(*c)) {
        Some((position, found)) => {
            Err(NameError::Character { found, column: position.saturating_add(1) })
        }
        None => Ok(()),
    }
}

/// Returns `true` for a character that names in A-labels have.
const fn is_of_names(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}

fn lower_case(prefix: &str, text: &str) -> Result<Arc<str>, NameError> {
    let name = text.strip_suffix('.').unwrap_or(text);
    check(name)?;
    let octets = prefix.len().saturating_add(name.len());
    // A buffer keeps the common case free of an allocation of its own.
    let mut buffer = [0_u8; MAX_NAME];
    let Some(lower) = buffer.get_mut(..octets) else {
        return Err(NameError::TooLong { octets });
    };
    for (to, from) in lower.iter_mut().zip(prefix.bytes().chain(name.bytes())) {
        *to = from.to_ascii_lowercase();
    }
    Ok(core::str::from_utf8(lower).unwrap_or_default().into())
}

fn check(name: &str) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    check_characters(name, |c| !is_of_names(c))?;
    let mut last = "";
    for label in name.split('.') {
        if label.is_empty() {
            return Err(NameError::EmptyLabel);
        }
        if label.len() > MAX_LABEL {
            return Err(NameError::LabelTooLong { octets: label.len() });
        }
        if label.starts_with('-') || label.ends_with('-') {
            return Err(NameError::Hyphen);
        }
        last = label;
    }
    if name.len() > MAX_NAME {
        return Err(NameError::TooLong { octets: name.len() });
    }
    if is_number(last) {
        return Err(NameError::Address);
    }
    Ok(())
}

/// Whether a name that ends in this label would be read as an IPv4 address somewhere: no top-level
/// domain is a number, in any of the notations that resolvers take.
fn is_number(label: &str) -> bool {
    let hexadecimal = label.strip_prefix("0x").or_else(|| label.strip_prefix("0X"));
    match hexadecimal {
        Some(digits) => digits.bytes().all(|b| b.is_ascii_hexdigit()),
        None => label.bytes().all(|b| b.is_ascii_digit()),
    }
}

#[cfg(feature = "arbitrary")]
mod arbitrary_names {
    use super::{DnsName, PolicyDomain};
    use arbitrary::{Arbitrary, Error, Result, Unstructured};

    /// Text of one to four labels, most often a name.
    fn text(u: &mut Unstructured<'_>) -> Result<alloc::string::String> {
        const LETTERS: &[u8] = b"abcxyz09-_AZ";
        let mut text = alloc::string::String::new();
        for label in 0..u.int_in_range(1..=4_u8)? {
            if label > 0 {
                text.push('.');
            }
            for _ in 0..u.int_in_range(1..=8_u8)? {
                text.push(char::from(*u.choose(LETTERS)?));
            }
        }
        Ok(text)
    }

    impl<'a> Arbitrary<'a> for DnsName {
        fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
            Self::parse(&text(u)?).map_err(|_| Error::IncorrectFormat)
        }
    }

    impl<'a> Arbitrary<'a> for PolicyDomain {
        fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
            Self::parse(&text(u)?).map_err(|_| Error::IncorrectFormat)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    #[cfg(feature = "idna")]
    use proptest::prelude::*;

    #[test]
    fn ok_normal_forms() {
        let cases = [
            ("example.com", "example.com"),
            ("Example.COM.", "example.com"),
            ("mx_1.example.com", "mx_1.example.com"),
            ("localhost", "localhost"),
            ("1.example", "1.example"),
            ("xn--mnchen-3ya.example", "xn--mnchen-3ya.example"),
        ];
        for (text, expected) in cases {
            assert_eq!(DnsName::parse(text).unwrap().as_str(), expected);
        }
    }

    #[test]
    fn err_each_rule_has_its_error() {
        let long_label = "a".repeat(64);
        let long_name = format!("{0}.{0}.{0}.{0}", "a".repeat(63));
        let cases = [
            ("", NameError::Empty),
            (".", NameError::Empty),
            ("..", NameError::EmptyLabel),
            (".example.com", NameError::EmptyLabel),
            ("a..b", NameError::EmptyLabel),
            ("a.b..", NameError::EmptyLabel),
            ("example.com:", NameError::Character { found: ':', column: 12 }),
            ("example.com:80/", NameError::Character { found: ':', column: 12 }),
            ("https://example.com", NameError::Character { found: ':', column: 6 }),
            ("user:secret@example", NameError::Character { found: ':', column: 5 }),
            ("[example.com", NameError::Character { found: '[', column: 1 }),
            ("[example.com]x", NameError::Character { found: '[', column: 1 }),
            ("[example.com]:", NameError::Character { found: '[', column: 1 }),
            ("[example.com]:80:80", NameError::Character { found: '[', column: 1 }),
            ("[example.com:80]", NameError::Character { found: '[', column: 1 }),
            ("[relay:25]", NameError::Character { found: '[', column: 1 }),
            ("[[example.com]]", NameError::Character { found: '[', column: 1 }),
            ("[a..b]:25", NameError::Character { found: '[', column: 1 }),
            ("[]", NameError::Character { found: '[', column: 1 }),
            ("example.com/x", NameError::Character { found: '/', column: 12 }),
            ("a@b", NameError::Character { found: '@', column: 2 }),
            ("a b", NameError::Character { found: ' ', column: 2 }),
            ("a\r\nb", NameError::Character { found: '\r', column: 2 }),
            ("*.example.com", NameError::Character { found: '*', column: 1 }),
            ("-a.example", NameError::Hyphen),
            ("a-.example", NameError::Hyphen),
            ("192.0.2.1", NameError::Address),
            ("192.0.2.1.", NameError::Address),
            ("1", NameError::Address),
            ("a.0x7f", NameError::Address),
            ("[192.0.2.1]", NameError::Address),
            ("[IPv6:2001:db8::1]", NameError::Address),
            (long_label.as_str(), NameError::LabelTooLong { octets: 64 }),
            (long_name.as_str(), NameError::TooLong { octets: 255 }),
        ];
        for (text, expected) in cases {
            assert_eq!(DnsName::parse(text), Err(expected), "{text:?}");
        }
    }

    /// The ways in which a next hop is written around its name or address, as Postfix has them.
    const NEXT_HOPS: [(&str, &str); 5] =
        [("[", "]"), ("", ":587"), ("[", "]:587"), ("", ":submission"), ("[", "]:smtp")];

    #[test]
    fn next_hop_names_the_host_to_look_up() {
        let longest = format!("{0}.{0}.{0}.{1}", "a".repeat(63), "a".repeat(61));
        for host in ["relay.example", "Relay.Example.", "localhost", "mx_1.example", &longest] {
            let expected = NameError::NextHop { host: DnsName::parse(host).unwrap() };
            for (before, after) in NEXT_HOPS {
                let text = format!("{before}{host}{after}");
                assert_eq!(DnsName::parse(&text), Err(expected.clone()), "{text}");
                assert_eq!(PolicyDomain::parse(&text), Err(expected.clone()), "{text}");
            }
        }
        let error = DnsName::parse("[relay.example]:587").unwrap_err();
        let said = "expected a domain name alone, found a next hop: look up `relay.example`, \
                    without brackets and port";
        assert_eq!(alloc::string::ToString::to_string(&error), said);
    }

    #[cfg(feature = "idna")]
    #[test]
    fn next_hop_may_have_u_labels() {
        let host = DnsName::parse("relay.münchen.example").unwrap();
        for (before, after) in NEXT_HOPS {
            let text = format!("{before}relay.MÜNCHEN.example{after}");
            let expected = NameError::NextHop { host: host.clone() };
            assert_eq!(PolicyDomain::parse(&text), Err(expected), "{text}");
        }
        assert!(matches!(DnsName::parse("[אב]:25"), Err(NameError::NextHop { .. })));
    }

    #[test]
    fn address_is_no_next_hop_with_a_policy() {
        let bare = ["192.0.2.1", "1", "0x7f.1", "2001:db8::1", "::1", "::ffff:192.0.2.1"];
        let bracketed = ["[192.0.2.1]", "[2001:db8::1]", "[IPv6:2001:db8::1]", "[ipv6:::1]"];
        for text in bare.iter().chain(&bracketed) {
            assert_eq!(DnsName::parse(text), Err(NameError::Address), "{text}");
            assert_eq!(PolicyDomain::parse(text), Err(NameError::Address), "{text}");
        }
        for text in ["192.0.2.1", "1", "0x7f.1", "2001:db8::1", "IPv6:2001:db8::1"] {
            let text = format!("[{text}]:587");
            assert_eq!(DnsName::parse(&text), Err(NameError::Address), "{text}");
        }
        for text in ["192.0.2.1:587", "192.0.2.1:smtp", "1:25"] {
            assert_eq!(DnsName::parse(text), Err(NameError::Address), "{text}");
        }
    }

    #[test]
    fn err_the_prefixes_must_fit() {
        let just = format!("{0}.{0}.{0}.{1}", "a".repeat(63), "a".repeat(52));
        let domain = PolicyDomain::parse(&just).unwrap();
        assert_eq!(domain.txt_name().len(), MAX_NAME);
        assert_eq!(domain.policy_host(), format!("mta-sts.{just}"));
        let over = format!("{just}b");
        assert!(DnsName::parse(&over).is_ok());
        let longest = format!("{over}{}", "b".repeat(8));
        assert_eq!(DnsName::parse(&longest).unwrap().as_str().len(), MAX_NAME);
        let label = format!("{longest}b");
        assert_eq!(DnsName::parse(&label), Err(NameError::TooLong { octets: 254 }));
        assert_eq!(PolicyDomain::parse(&over), Err(NameError::TooLong { octets: 254 }));
    }

    #[cfg(feature = "idna")]
    #[test]
    fn ok_u_labels_become_a_labels_and_back() {
        let domain = PolicyDomain::parse("MÜNCHEN.example.").unwrap();
        assert_eq!(domain.as_str(), "xn--mnchen-3ya.example");
        assert_eq!(domain.to_unicode(), "münchen.example");
        // An ideographic full stop separates labels as well.
        let host = DnsName::parse("例え。test").unwrap();
        assert_eq!((host.as_str(), host.to_unicode().as_str()), ("xn--r8jz45g.test", "例え.test"));
        assert_eq!(DnsName::parse("１.２.３.４"), Err(NameError::Address));
        assert_eq!(DnsName::parse("é-.example"), Err(NameError::Idna));
        assert_eq!(DnsName::parse("a\u{200b}\u{ad}\u{fffd}.example"), Err(NameError::Idna));
    }

    /// Labels that an attacker may choose: Punycode that decodes to nothing, to what IDNA refuses,
    /// to the text of another label, or to letters of the other direction.
    #[cfg(feature = "idna")]
    fn hostile_label() -> impl Strategy<Value = String> {
        let decoded = prop_oneof![
            "[a-z]{0,3}[äßéλя例אب٣\u{200d}\u{200b}\u{fffd}\u{ad}]{1,3}[a-z0-9-]{0,2}",
            "[ÄÉΛЯⅣ①ﬁ½℀Ａ。．]{1,2}[a-z]{0,2}",
        ];
        let encoded = decoded.prop_filter_map("Punycode of some label", |text| {
            idna::punycode::encode_str(&text).map(|ascii| format!("xn--{ascii}"))
        });
        prop_oneof!["xn--[a-z0-9-]{0,8}", encoded, "[a-z0-9_-]{1,4}", "xn-{0,3}[a-z]{0,2}"]
    }

    #[cfg(feature = "idna")]
    proptest! {
        #[test]
        fn unicode_form_reads_back_as_the_same_name(
            labels in proptest::collection::vec(hostile_label(), 1..4),
        ) {
            let Ok(name) = DnsName::parse(&labels.join(".")) else { return Ok(()) };
            let shown = name.to_unicode();
            prop_assert_eq!(DnsName::parse(&shown), Ok(name.clone()), "{}", shown);
            let domain = PolicyDomain::parse(name.as_str()).unwrap();
            prop_assert_eq!(domain.to_unicode(), shown);
        }

        #[test]
        fn names_that_differ_are_shown_differently(a in hostile_label(), b in hostile_label()) {
            let (Ok(a), Ok(b)) = (DnsName::parse(&a), DnsName::parse(&b)) else { return Ok(()) };
            prop_assert_eq!(a.to_unicode() == b.to_unicode(), a == b, "{} {}", a, b);
        }
    }

    #[cfg(feature = "idna")]
    #[test]
    fn refused_labels_are_shown_as_a_labels() {
        let names = [
            "xn--a",
            "xn--0",
            "xn--a-xda",
            "xn--a-ecp",
            "xn--mnchen-3ya.xn--a.example",
            // "é-", which no U-label is, and a right-to-left label beside one that begins with a
            // digit (RFC 5893 §2).
            "xn----9fa.example",
            "xn--9dbne9b.1a",
        ];
        for name in names {
            assert_eq!(DnsName::parse(name).unwrap().to_unicode(), name);
        }
    }

    #[cfg(not(feature = "idna"))]
    #[test]
    fn err_u_labels_need_the_feature() {
        assert_eq!(DnsName::parse("münchen.example"), Err(NameError::NotAscii));
    }
}
