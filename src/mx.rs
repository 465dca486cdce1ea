//! MX patterns and what they match (RFC 8461 §3.2, §4.1).

use core::fmt;

use crate::error::MxPatternError;
use crate::name::DnsName;
use crate::profile::Profile;

/// One value of the field `mx`: a host name, or `*.` and the rest of one.
///
/// It borrows the policy's text and keeps its letter case; matching ignores it.
///
/// ```
/// use mta_sts::{DnsName, MxPattern, Profile};
///
/// let pattern = MxPattern::parse("*.Example.com", Profile::Strict)?;
/// assert!(pattern.matches(&DnsName::parse("mx1.example.com")?));
/// // RFC 8461 §4.1: the wildcard is exactly one label.
/// assert!(!pattern.matches(&DnsName::parse("example.com")?));
/// assert!(!pattern.matches(&DnsName::parse("a.mx1.example.com")?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MxPattern<'a>(&'a str);

impl<'a> MxPattern<'a> {
    /// Reads a pattern by the rules of `profile`: `Tolerant` also takes `_` in labels, and drops
    /// one dot at the end.
    ///
    /// Names longer than any host name and addresses are valid syntax and match nothing.
    ///
    /// # Errors
    /// What is wrong with the value: see [`MxPatternError`].
    pub fn parse(text: &'a str, profile: Profile) -> Result<Self, MxPatternError> {
        let wildcard_free = text.strip_prefix("*.").unwrap_or(text);
        let (text, name) = match profile {
            Profile::Strict => (text, wildcard_free),
            Profile::Tolerant => (
                text.strip_suffix('.').unwrap_or(text),
                wildcard_free.strip_suffix('.').unwrap_or(wildcard_free),
            ),
        };
        if name.is_empty() {
            return Err(MxPatternError::Empty);
        }
        // RFC 5321 §4.1.2: sub-domain = Let-dig [Ldh-str].
        name.split('.').try_for_each(|label| check_label(label, profile))?;
        Ok(Self(text))
    }

    /// The pattern of a text that is known to be one.
    pub(crate) const fn from_checked(text: &'a str) -> Self {
        Self(text)
    }

    /// The pattern as text, in the letter case of the policy.
    pub const fn as_str(self) -> &'a str {
        self.0
    }

    /// Whether its left-most label is `*`.
    pub fn is_wildcard(self) -> bool {
        self.0.starts_with('*')
    }

    /// Whether `host`, the name of an MX record, matches (RFC 8461 §4.1).
    pub fn matches(self, host: &DnsName) -> bool {
        // RFC 8461 §4.1: '*' stands for the entire left-most label, and for nothing else.
        let (text, name) = match self.0.strip_prefix('*') {
            Some(parent) => (parent, host.parent_with_dot()),
            None => (self.0, host.as_str()),
        };
        text.eq_ignore_ascii_case(name)
    }
}

impl fmt::Display for MxPattern<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0)
    }
}

fn check_label(label: &str, profile: Profile) -> Result<(), MxPatternError> {
    if label.is_empty() {
        return Err(MxPatternError::EmptyLabel);
    }
    let fits = |c: char| {
        c.is_ascii_alphanumeric() || c == '-' || (c == '_' && profile == Profile::Tolerant)
    };
    if let Some(found) = label.chars().find(|c| !fits(*c)) {
        return Err(match found {
            '*' => MxPatternError::Wildcard,
            found => MxPatternError::Character { found },
        });
    }
    if label.starts_with('-') || label.ends_with('-') {
        return Err(MxPatternError::Hyphen);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn err_each_fault_has_its_variant() {
        let cases = [
            ("", MxPatternError::Empty),
            ("*.", MxPatternError::Empty),
            (".example.com", MxPatternError::EmptyLabel),
            ("a..b", MxPatternError::EmptyLabel),
            ("*..", MxPatternError::EmptyLabel),
            ("a.", MxPatternError::EmptyLabel),
            ("*", MxPatternError::Wildcard),
            ("*.*.example", MxPatternError::Wildcard),
            ("a.*.example", MxPatternError::Wildcard),
            ("a*.example", MxPatternError::Wildcard),
            ("-a.example", MxPatternError::Hyphen),
            ("a.example-", MxPatternError::Hyphen),
            ("a_b.example", MxPatternError::Character { found: '_' }),
            ("a b", MxPatternError::Character { found: ' ' }),
            ("[192.0.2.1]", MxPatternError::Character { found: '[' }),
            ("münchen.example", MxPatternError::Character { found: 'ü' }),
        ];
        for (text, expected) in cases {
            assert_eq!(MxPattern::parse(text, Profile::Strict), Err(expected), "{text}");
        }
    }

    #[test]
    fn ok_the_tolerant_profile_takes_two_things_more() {
        let parse = |text| MxPattern::parse(text, Profile::Tolerant).map(MxPattern::as_str);
        assert_eq!(parse("a.example."), Ok("a.example"));
        assert_eq!(parse("*.a.example."), Ok("*.a.example"));
        assert_eq!(parse("_dc-mx.a_b.example"), Ok("_dc-mx.a_b.example"));
        assert_eq!(parse("a.example.."), Err(MxPatternError::EmptyLabel));
        assert_eq!(parse("*.."), Err(MxPatternError::Empty));
        assert_eq!(parse("*."), Err(MxPatternError::Empty));
        assert_eq!(parse("."), Err(MxPatternError::Empty));
    }

    #[test]
    fn ok_a_pattern_alone_keeps_the_rules_of_matching() {
        let cases = [
            ("*.example.com", "MX.Example.com", true),
            ("*.Example.com", "mx.example.com.", true),
            ("*.example.com", "example.com", false),
            ("*.example.com", "a.mx.example.com", false),
            ("*.example.com", "mx.example.net", false),
            ("*.example.com", "notexample.com", false),
            ("mx.Example.com", "MX.example.COM", true),
            ("mx.example.com", "amx.example.com", false),
            ("mx.example.com", "a.mx.example.com", false),
        ];
        for (pattern, host, expected) in cases {
            let text = pattern;
            let pattern = MxPattern::parse(text, Profile::Strict).unwrap();
            assert_eq!(alloc::string::ToString::to_string(&pattern), text);
            assert_eq!(
                pattern.matches(&DnsName::parse(host).unwrap()),
                expected,
                "{pattern} {host}"
            );
        }
    }

    #[test]
    fn ok_a_host_of_one_label_matches_no_wildcard() {
        let host = DnsName::parse("localhost").unwrap();
        assert!(MxPattern::parse("LocalHost", Profile::Strict).unwrap().matches(&host));
        assert!(!MxPattern::parse("*.localhost", Profile::Strict).unwrap().matches(&host));
    }
}
