//! What a domain owner publishes: a policy that cannot be invalid, the id that belongs to it, the
//! record that announces it, and how to take it all away again (RFC 8461 §3, §8).
//!
//! ```
//! use mta_sts_lint::publish::PolicyBuilder;
//! use mta_sts::{MaxAge, Mode};
//!
//! let policy = PolicyBuilder::new(Mode::Enforce, MaxAge::from_secs(1_209_600))
//!     .mx("mail.example.com")
//!     .mx("*.example.net")
//!     .build()?;
//! // First the text at https://mta-sts.<domain>/.well-known/mta-sts.txt,
//! assert!(policy.to_crlf().starts_with("version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\n"));
//! // then the record at _mta-sts.<domain>.
//! assert_eq!(policy.record().as_str(), "v=STSv1; id=e7955471374363a2cd7cfd3d4ee30f2c;");
//! # Ok::<(), mta_sts_lint::publish::PublishError>(())
//! ```

mod removal;
#[cfg(test)]
mod tests;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

use thiserror::Error;

use mta_sts::DnsName;
use mta_sts::MxPattern;
use mta_sts::{MAX_POLICY_OCTETS, MaxAge, Mode, PolicyRef, Profile};
use mta_sts::{MxPatternError, NameError};
use mta_sts::{PolicyId, Record};

pub use removal::{RemovalAction, RemovalStep, removal};

/// Why no policy can be published as asked.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PublishError {
    /// A name that no MX host can have, so that the pattern would match nothing.
    #[error("{pattern:?} can match no MX host: {error}")]
    Name {
        /// The pattern as it was given.
        pattern: String,
        /// What is wrong with the name in it.
        error: NameError,
    },
    /// A pattern that the RFC's grammar does not admit.
    #[error("{pattern:?} is no MX pattern: {error}")]
    Pattern {
        /// The pattern as it was given.
        pattern: String,
        /// What is wrong with it.
        error: MxPatternError,
    },
    /// No pattern, and the mode is not `none`.
    #[error("expected at least one MX pattern for the mode `{mode}`, found none")]
    MissingMx {
        /// The mode.
        mode: Mode,
    },
    /// An extension whose name is one of the RFC's.
    #[error("{name:?} is a field of the policy, not an extension")]
    Reserved {
        /// The name.
        name: String,
    },
    /// An extension that the RFC's grammar does not admit.
    #[error("{name:?} with the value {value:?} is no field of a policy")]
    Extension {
        /// The name.
        name: String,
        /// The value.
        value: String,
    },
    /// All of it together is longer than a policy may be.
    #[error("expected at most 65536 octets, found {octets}")]
    TooLarge {
        /// The length with CRLF at the ends of lines.
        octets: usize,
    },
}

/// Gathers a policy. What is wrong is said by [`build`](Self::build), the first fault first.
#[derive(Debug, Clone)]
#[must_use = "nothing is built before `build` is called"]
pub struct PolicyBuilder {
    mode: Mode,
    max_age: MaxAge,
    mx: Vec<String>,
    extensions: Vec<(String, String)>,
    fault: Option<PublishError>,
}

impl PolicyBuilder {
    /// A policy of this mode, to be held for `max_age` seconds after each fetch.
    pub const fn new(mode: Mode, max_age: MaxAge) -> Self {
        Self { mode, max_age, mx: Vec::new(), extensions: Vec::new(), fault: None }
    }

    /// Adds a host name, or `*.` and a domain. U-labels become A-labels (RFC 8461 §3.2), letters
    /// lower case; a dot at the end is dropped, and so is a pattern that is there already.
    pub fn mx(mut self, pattern: &str) -> Self {
        match normal_form(pattern) {
            Ok(pattern) if self.mx.contains(&pattern) => {}
            Ok(pattern) => self.mx.push(pattern),
            Err(error) => self.fault = self.fault.or(Some(error)),
        }
        self
    }

    /// Adds a field that the RFC does not define: a name of 1 to 32 letters, digits, `_`, `-`,
    /// `.`, and text without control characters.
    pub fn extension(mut self, name: &str, value: &str) -> Self {
        match checked_extension(name, value) {
            Ok(extension) => self.extensions.push(extension),
            Err(error) => self.fault = self.fault.or(Some(error)),
        }
        self
    }

    /// The policy.
    ///
    /// # Errors
    /// The first fault of a pattern or an extension, [`PublishError::MissingMx`] for `enforce` or
    /// `testing` without a pattern, [`PublishError::TooLarge`] beyond [`MAX_POLICY_OCTETS`].
    pub fn build(self) -> Result<PolicyText, PublishError> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        // RFC 8461 §3.2: "mx" is required at least once, except when the mode is "none".
        if self.mx.is_empty() && self.mode != Mode::None {
            return Err(PublishError::MissingMx { mode: self.mode });
        }
        let mut text = format!("version: STSv1\nmode: {}\n", self.mode);
        for pattern in &self.mx {
            push_field(&mut text, "mx", pattern);
        }
        push_field(&mut text, "max_age", &format!("{}", self.max_age));
        for (name, value) in &self.extensions {
            push_field(&mut text, name, value);
        }
        let octets = text.len().saturating_add(text.matches('\n').count());
        if octets > MAX_POLICY_OCTETS {
            return Err(PublishError::TooLarge { octets });
        }
        Ok(PolicyText { text })
    }
}

/// A policy to publish: a text that the strict profile reads, its id and its record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyText {
    /// With LF at the end of each line.
    text: String,
}

impl PolicyText {
    /// A policy of mode `none`, which needs no MX pattern: so it has no faults either.
    pub fn none(max_age: MaxAge) -> Self {
        Self { text: format!("version: STSv1\nmode: none\nmax_age: {max_age}\n") }
    }

    /// The text with LF at the end of each line.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The text with CRLF at the end of each line.
    pub fn to_crlf(&self) -> String {
        self.text.replace('\n', "\r\n")
    }

    /// The id of exactly this policy: see [`derive_id`].
    pub fn id(&self) -> PolicyId {
        derive_id(&self.text)
    }

    /// The TXT record that announces it: `v=STSv1; id=…;`.
    pub fn record(&self) -> Record<'static> {
        Record::from(self.id())
    }
}

/// The id that belongs to a policy text: 32 hexadecimal digits, the 128-bit FNV-1a hash of the
/// text with each CRLF taken as LF. The function does not change from version to version, so the
/// same policy always has the same id.
///
/// An id need only differ from that of the policy before (RFC 8461 §3.1), and both texts are their
/// owner's: nobody who could choose a text to make two ids meet has anything to gain by it. So a
/// hash that spreads well suffices, and none that withstands an adversary is needed.
///
/// ```
/// use mta_sts_lint::publish::derive_id;
///
/// let id = derive_id("version: STSv1\nmode: none\nmax_age: 86400\n");
/// assert_eq!(id, derive_id("version: STSv1\r\nmode: none\r\nmax_age: 86400\r\n"));
/// assert_ne!(id, derive_id("version: STSv1\nmode: none\nmax_age: 86401\n"));
/// ```
pub fn derive_id(text: &str) -> PolicyId {
    const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    let mut hash = OFFSET;
    let mut octets = text.bytes().peekable();
    while let Some(octet) = octets.next() {
        if octet == b'\r' && octets.peek() == Some(&b'\n') {
            continue;
        }
        hash = (hash ^ u128::from(octet)).wrapping_mul(PRIME);
    }
    id_of_hash(hash)
}

fn id_of_hash(hash: u128) -> PolicyId {
    // 32 hexadecimal digits are an id.
    PolicyId::parse(&format!("{hash:032x}")).unwrap_or_else(|| id_of_hash(0))
}

fn normal_form(pattern: &str) -> Result<String, PublishError> {
    let (wildcard, name) = match pattern.strip_prefix("*.") {
        Some(name) => ("*.", name),
        None => ("", pattern),
    };
    let name = DnsName::parse(name)
        .map_err(|error| PublishError::Name { pattern: pattern.into(), error })?;
    let normal = format!("{wildcard}{name}");
    match MxPattern::parse(&normal, Profile::Strict) {
        Ok(_) => Ok(normal),
        Err(error) => Err(PublishError::Pattern { pattern: pattern.into(), error }),
    }
}

/// Puts the field to the parser, so that there is one grammar.
fn checked_extension(name: &str, value: &str) -> Result<(String, String), PublishError> {
    let (name, value) = (String::from(name), String::from(value));
    if matches!(&*name, "version" | "mode" | "max_age" | "mx") {
        return Err(PublishError::Reserved { name });
    }
    let mut text = String::from("version: STSv1\nmode: none\nmax_age: 0\n");
    push_field(&mut text, &name, &value);
    let policy = PolicyRef::parse(text.as_bytes(), Profile::Strict).ok();
    // A value with white space around it, or with lines of its own, reads as another.
    let same = policy.is_some_and(|policy| policy.extensions().eq([(&*name, &*value)]));
    if same { Ok((name, value)) } else { Err(PublishError::Extension { name, value }) }
}

fn push_field(text: &mut String, name: &str, value: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{name}: {value}");
}
