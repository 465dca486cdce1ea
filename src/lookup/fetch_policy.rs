//! The Policy Host is asked for the policy (RFC 8461 §3.3).

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::decide::{self, Fetch};
use super::{Problem, ReadBody, Step};
use crate::entry::HeldPolicy;
use crate::failure::{FetchFailure, PolicyHostVerified};
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

    /// The head of the response has come, over TLS with a certificate that was `verified`. If it is
    /// acceptable the next step is to read the body, else the fetch has failed.
    pub fn responded(self, verified: PolicyHostVerified, head: Head<'_>, now: UnixTime) -> Step {
        match self.check(verified, head) {
            Ok(()) => Step::ReadBody(ReadBody { fetch: self.0, body: Vec::new(), overflow: false }),
            Err(failure) => self.failed(failure, now),
        }
    }

    /// The fetch failed.
    pub fn failed(self, failure: FetchFailure, now: UnixTime) -> Step {
        decide::fetch_failed(self.0, Problem::Fetch(failure), now)
    }

    fn check(&self, verified: PolicyHostVerified, head: Head<'_>) -> Result<(), FetchFailure> {
        // RFC 8461 §3.3: the certificate must be valid for the Policy Host.
        if !verified.vouches_for(self.host()) {
            return Err(FetchFailure::OtherHostVerified);
        }
        // RFC 8461 §3.3: "only valid if the HTTP response code is 200"; no redirect is followed.
        if head.status != 200 {
            return Err(FetchFailure::Status(head.status));
        }
        // RFC 8461 §3.2: the media type is to be text/plain.
        match head.content_type {
            Some(value) if !is_text_plain(value) => {
                return Err(FetchFailure::MediaType(excerpt(value)));
            }
            None if self.0.context.limits.profile() == Profile::Strict => {
                return Err(FetchFailure::NoMediaType);
            }
            _ => {}
        }
        match head.content_encoding {
            Some(value) if !is_identity(value) => Err(FetchFailure::ContentCoding(excerpt(value))),
            _ => Ok(()),
        }
    }
}

/// The URL of the policy of a Policy Host.
pub(crate) fn policy_url(host: &str) -> String {
    alloc::format!("https://{host}{POLICY_PATH}")
}

/// Whether a `Content-Type` is `text/plain`, in any letter case; parameters are ignored
/// (RFC 8461 §3.2).
pub(crate) fn is_text_plain(value: &[u8]) -> bool {
    let end = value.iter().position(|b| *b == b';').unwrap_or(value.len());
    let (media_type, parameters) = value.split_at_checked(end).unwrap_or((value, b""));
    media_type.trim_ascii().eq_ignore_ascii_case(b"text/plain") && is_one_value(parameters)
}

/// Whether no further value follows after a comma: one inside a quoted string is part of it.
fn is_one_value(parameters: &[u8]) -> bool {
    let (mut quoted, mut escaped) = (false, false);
    !parameters.iter().any(|byte| {
        let literal = core::mem::take(&mut escaped);
        match byte {
            _ if literal => false,
            b'\\' if quoted => {
                escaped = true;
                false
            }
            b'"' => {
                quoted = !quoted;
                false
            }
            byte => *byte == b',' && !quoted,
        }
    })
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
    fn ok_media_types() {
        for value in [
            "text/plain",
            "TEXT/Plain",
            " text/plain ;charset=x",
            "text/plain;",
            "text/plain;x=\"a,b\\\",\"",
        ] {
            assert!(is_text_plain(value.as_bytes()), "{value}");
        }
        for value in [
            "",
            "text",
            "text/html",
            "text/plainx",
            "text/plain, text/html",
            "text /plain",
            "text/plain;a=b, text/html",
            "text/plain;a=\"b\\\"\", text/html",
            // A backslash escapes within quotes only.
            "text/plain;a=\\, text/html",
        ] {
            assert!(!is_text_plain(value.as_bytes()), "{value}");
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
