//! What is asked of HTTPS, and what may come back.

use std::fmt;
use std::time::Duration;

use mta_sts::{FetchFailure, PolicyHostVerified};

use crate::BoxFuture;

/// An HTTPS client for one GET.
///
/// What it owes is in the [driver contract](mta_sts): HTTPS only; the certificate verified for
/// `host` by a SAN DNS-ID, with `host` as SNI; TLS 1.2 or later; no redirect followed, no cache, no
/// cookies, no content coding offered; and only such addresses dialled as
/// [`policy_host_address`](mta_sts::policy_host_address) allows.
pub trait Https: fmt::Debug + Send + Sync + 'static {
    /// Asks for the policy, and returns as soon as the head of the response has come.
    ///
    /// # Errors
    /// Why there is no response. The status of a response is no failure here.
    fn fetch<'a>(&'a self, request: Request<'a>) -> BoxFuture<'a, Result<Response, FetchFailure>>;
}

/// What to ask for.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The Policy Host.
    pub host: &'a str,
    /// The path.
    pub path: &'a str,
    /// The time there is for all of it, the body included. The client sees to it; it is told so
    /// that several addresses can have a share each.
    pub timeout: Duration,
}

/// The head of a response, and the body to come.
#[derive(Debug)]
pub struct Response {
    /// Whose certificate was verified.
    pub verified: PolicyHostVerified,
    /// The status code, 1xx left out.
    pub status: u16,
    /// The values of `Content-Type`, joined by commas.
    pub content_type: Option<Vec<u8>>,
    /// The values of `Content-Encoding`, joined by commas.
    pub content_encoding: Option<Vec<u8>>,
    /// The body.
    pub body: Box<dyn Body>,
}

/// The body of a response. Dropping it closes the connection.
pub trait Body: fmt::Debug + Send {
    /// The next part of it; `None` where it has come whole.
    ///
    /// # Errors
    /// [`FetchFailure::Truncated`] where it was cut: also where its end is told by the end of the
    /// connection alone, and that came without `close_notify`.
    fn chunk(&mut self) -> BoxFuture<'_, Result<Option<Vec<u8>>, FetchFailure>>;
}
