//! MX patterns and the hosts they match (RFC 8461 §4.1).

use mta_sts::{DnsName, MxPattern, Profile};

use crate::oracle;

/// A pattern and, after the first line end, a host: what is one, and whether they match, by both
/// profiles against the oracle.
///
/// # Panics
/// Where the core disagrees with the oracle.
pub fn mx(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (value, name) = text.split_once('\n').unwrap_or((&text, ""));
    let host = DnsName::parse(name);
    // The oracle has no tables of Unicode.
    if name.is_ascii() {
        assert_eq!(host.as_ref().ok().map(|host| host.as_str().to_owned()), dns_name(name));
    }
    for (profile, naive) in
        [(Profile::Strict, oracle::Profile::Strict), (Profile::Tolerant, oracle::Profile::Tolerant)]
    {
        let pattern = MxPattern::parse(value, profile);
        let expected = oracle::mx_value(value, naive);
        assert_eq!(pattern.as_ref().ok().map(|pattern| pattern.as_str()), expected.as_deref());
        let Ok(pattern) = pattern else { continue };
        assert_eq!(pattern.is_wildcard(), value.starts_with("*."));
        let Ok(host) = &host else { continue };
        let matches = oracle::matches(pattern.as_str(), host.as_str());
        assert_eq!(pattern.matches(host), matches, "{pattern:?} {host:?}");
    }
    if let Ok(host) = host {
        let again = DnsName::parse(host.as_str()).expect("a name in its normal form is a name");
        assert_eq!(again, host);
        let upper = DnsName::parse(&format!("{}.", host.as_str().to_ascii_uppercase()));
        assert_eq!(upper.as_ref(), Ok(&host));
    }
}

/// What the oracle takes as the name of a host, less what no host can be named: labels that begin
/// or end with a hyphen, and what other software reads as an address (a number at the end).
fn dns_name(text: &str) -> Option<String> {
    let name = oracle::host(text)?;
    let is_number = |label: &str| match label.strip_prefix("0x") {
        Some(digits) => digits.chars().all(|c| c.is_ascii_hexdigit()),
        None => label.chars().all(|c| c.is_ascii_digit()),
    };
    let is_bad = |label: &str| label.starts_with('-') || label.ends_with('-');
    let refused = name.split('.').any(is_bad) || name.rsplit('.').next().is_some_and(is_number);
    (!refused).then_some(name)
}
