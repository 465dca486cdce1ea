//! The Policy Host is asked for the policy (RFC 8461 §3.3).

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::rules::{self, Fetch};
use super::{AfterHead, Problem, ReadBody, Store};
use crate::entry::{Entry, HeldPolicy};
use crate::evidence::PolicyHostVerified;
use crate::failure::FetchFailure;
use crate::policy::Profile;
use crate::time::UnixTime;

/// Where a Policy Host keeps the policy (RFC 8461 §3.2).
pub const POLICY_PATH: &str = "/.well-known/mta-sts.txt";

/// Fetch the policy by HTTPS from [`host`](Self::host), then reply by one of
/// [`responded`](Self::responded) and [`failed`](Self::failed).
///
/// What the connection must fulfil is in the
/// [driver contract](crate#what-the-driver-owes-the-machine), 2 to 6 and 9.
#[derive(Debug)]
#[must_use = "a lookup goes on only by a reply"]
pub struct FetchPolicy(pub(super) Box<Fetch>);

/// A departure of a response's head from RFC 8461 §3.2 that the tolerant profile overlooks and the
/// strict one refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HeadTolerance {
    /// No `Content-Type`.
    NoMediaType,
    /// Several `Content-Type` fields, or several values in one, each of them `text/plain`.
    SeveralMediaTypes,
}

/// The head of an HTTP response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head<'a> {
    /// The status code of the response to the request, 1xx left out.
    pub status: u16,
    /// The value of `Content-Type`; those of several such fields joined by commas.
    pub content_type: Option<&'a [u8]>,
    /// The value of `Content-Encoding`; those of several such fields joined by commas.
    pub content_encoding: Option<&'a [u8]>,
}

impl FetchPolicy {
    /// The Policy Host: the name to resolve, to send as SNI and in `Host`, and to verify the
    /// certificate for.
    pub fn host(&self) -> &str {
        self.0.context.entry.domain().policy_host()
    }

    /// The path to ask for.
    pub const fn path(&self) -> &'static str {
        POLICY_PATH
    }

    /// Host and path as a URL; always `https`, without a port.
    pub fn url(&self) -> String {
        policy_url(self.host())
    }

    /// For how long to wait until the body has come whole, from the question for the host's
    /// addresses on, before replying [`FetchFailure::Timeout`].
    pub fn timeout(&self) -> Duration {
        self.0.context.limits.fetch_timeout()
    }

    /// The policy that may be applied while the fetch is under way.
    pub fn interim(&self, now: UnixTime) -> Option<&HeldPolicy> {
        self.0.context.entry.policy(now)
    }

    /// The entry as it stands while the fetch is in progress: the fetch is taken from the budget.
    ///
    /// If it is merged into a store that several lookups share before the fetch begins, every lookup
    /// that starts after that knows of the fetch; see the
    /// [driver contract](crate#what-the-driver-owes-the-machine), 11. It also makes a fetch count
    /// that is later dropped without a reply.
    pub fn entry(&self) -> &Entry {
        &self.0.context.entry
    }

    /// The head of the response has come, over TLS with a certificate that was `verified`. If the
    /// head is acceptable, the body is to be read, else the fetch has failed.
    pub fn responded(
        mut self,
        verified: PolicyHostVerified,
        head: Head<'_>,
        now: UnixTime,
    ) -> AfterHead {
        match self.check(verified, head) {
            Ok(tolerance) => {
                self.0.head_tolerance = tolerance;
                AfterHead::ReadBody(ReadBody { fetch: self.0, body: Vec::new(), overflow: false })
            }
            Err(failure) => AfterHead::Store(self.failed(failure, now)),
        }
    }

    /// The fetch failed.
    pub fn failed(self, failure: FetchFailure, now: UnixTime) -> Store {
        rules::fetch_failed(self.0, Problem::Fetch(failure), now)
    }

    fn check(
        &self,
        verified: PolicyHostVerified,
        head: Head<'_>,
    ) -> Result<Option<HeadTolerance>, FetchFailure> {
        // RFC 8461 §3.3: the certificate must be valid for the Policy Host.
        if !verified.names(self.host()) {
            return Err(FetchFailure::OtherHostVerified);
        }
        // RFC 8461 §3.3: "only valid if the HTTP response code is 200"; no redirect is followed.
        if head.status != 200 {
            return Err(FetchFailure::Status(head.status));
        }
        // RFC 8461 §3.2: the media type is to be text/plain.
        let is_strict = self.0.context.limits.profile() == Profile::Strict;
        let tolerance = match head.content_type.map(|value| (value, MediaTypes::of(value))) {
            Some((_, MediaTypes::TextPlain)) => None,
            Some((_, MediaTypes::SeveralTextPlain)) if !is_strict => {
                Some(HeadTolerance::SeveralMediaTypes)
            }
            None if !is_strict => Some(HeadTolerance::NoMediaType),
            None => return Err(FetchFailure::NoMediaType),
            Some((value, MediaTypes::Other)) => {
                return Err(FetchFailure::MediaType(excerpt(value)));
            }
            Some((value, MediaTypes::SeveralTextPlain | MediaTypes::Several)) => {
                return Err(FetchFailure::SeveralMediaTypes(excerpt(value)));
            }
        };
        match head.content_encoding {
            Some(value) if !is_identity(value) => Err(FetchFailure::ContentCoding(excerpt(value))),
            _ => Ok(tolerance),
        }
    }
}

/// The URL of the policy of a Policy Host.
pub(crate) fn policy_url(host: &str) -> String {
    alloc::format!("https://{host}{POLICY_PATH}")
}

/// The media types that `Content-Type` names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MediaTypes {
    /// One: `text/plain`.
    TextPlain,
    /// One: another.
    Other,
    /// Several, all of them `text/plain`.
    SeveralTextPlain,
    /// Several that are not all `text/plain`.
    Several,
}

impl MediaTypes {
    /// Reads the value of `Content-Type`; those of several fields are joined by commas
    /// (RFC 9110 §5.2).
    fn of(value: &[u8]) -> Self {
        let (mut quoted, mut escaped) = (false, false);
        // A comma inside a quoted string is part of a parameter.
        let is_separator = |byte: &u8| match byte {
            _ if core::mem::take(&mut escaped) => false,
            b'\\' if quoted => {
                escaped = true;
                false
            }
            b'"' => {
                quoted = !quoted;
                false
            }
            byte => *byte == b',' && !quoted,
        };
        let (mut count, mut all_plain) = (0_usize, true);
        for media_type in value.split(is_separator) {
            count = count.saturating_add(1);
            all_plain &= is_text_plain(media_type);
        }
        match (count, all_plain) {
            (1, true) => Self::TextPlain,
            (1, false) => Self::Other,
            (_, true) => Self::SeveralTextPlain,
            (_, false) => Self::Several,
        }
    }
}

/// Returns `true` if a media type is `text/plain`, in any letter case; parameters are ignored
/// (RFC 8461 §3.2).
fn is_text_plain(media_type: &[u8]) -> bool {
    let name = media_type.split(|byte| *byte == b';').next().unwrap_or_default();
    name.trim_ascii().eq_ignore_ascii_case(b"text/plain")
}

fn is_identity(value: &[u8]) -> bool {
    let coding = value.trim_ascii();
    coding.is_empty() || coding.eq_ignore_ascii_case(b"identity")
}

fn excerpt(value: &[u8]) -> Box<str> {
    const MAX: usize = 128;
    crate::lookup::problem::lossy(value, MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types_by_their_values() {
        use MediaTypes::{Other, Several, SeveralTextPlain, TextPlain};
        for (value, expected) in [
            ("text/plain", TextPlain),
            ("TEXT/Plain", TextPlain),
            (" text/plain ;charset=x", TextPlain),
            ("text/plain;", TextPlain),
            ("text/plain;x=\"a,b\\\",\"", TextPlain),
            ("", Other),
            ("text", Other),
            ("text/html", Other),
            ("text/plainx", Other),
            ("text /plain", Other),
            ("text/plain, text/plain", SeveralTextPlain),
            ("text/plain;charset=utf-8,Text/Plain,text/plain", SeveralTextPlain),
            ("text/plain, text/html", Several),
            ("text/html, text/plain", Several),
            ("text/html, text/html", Several),
            ("text/plain,", Several),
            ("text/plain;a=b, text/html", Several),
            ("text/plain;a=\"b\\\"\", text/html", Several),
            // A backslash escapes within quotes only.
            ("text/plain;a=\\, text/html", Several),
        ] {
            assert_eq!(MediaTypes::of(value.as_bytes()), expected, "{value}");
        }
    }

    #[test]
    fn ok_codings() {
        assert!(is_identity(b"") && is_identity(b"Identity"));
        assert!(!is_identity(b"gzip") && !is_identity(b"identity, gzip"));
    }

    #[test]
    fn ok_excerpts_are_bounded() {
        assert_eq!(&*excerpt(&[b'a'; 300]), "a".repeat(128));
    }
}
