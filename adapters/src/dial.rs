//! Which addresses of a Policy Host are dialled, and what it means that none of them would do.

use std::net::IpAddr;
use std::time::Duration;

use mta_sts::{FetchFailure, policy_host_address};

/// How many addresses of one host are tried.
const MAX_ADDRESSES: usize = 4;
/// The largest head of a response, in octets.
pub(crate) const MAX_HEAD: usize = 32 * 1024;
/// What a fetch says of itself unless set.
pub(crate) const USER_AGENT: &str = concat!("mta-sts/", env!("CARGO_PKG_VERSION"), " (RFC 8461)");

/// The addresses that may be dialled, at most [`MAX_ADDRESSES`].
pub(crate) fn dialable(addresses: &[IpAddr], any: bool) -> Result<Vec<IpAddr>, FetchFailure> {
    let mut refused = None;
    let mut allowed = Vec::with_capacity(MAX_ADDRESSES);
    for address in addresses {
        match policy_host_address(*address) {
            Err(class) if !any => refused = refused.or(Some(class)),
            _ if allowed.len() < MAX_ADDRESSES => allowed.push(*address),
            _ => {}
        }
    }
    match refused {
        Some(class) if allowed.is_empty() => Err(FetchFailure::Address(class)),
        _ if allowed.is_empty() => Err(FetchFailure::NoAddress),
        _ => Ok(allowed),
    }
}

/// The share of one of `left` addresses in the time that is left for all of them.
pub(crate) fn share(time: Duration, left: usize) -> Duration {
    time / u32::try_from(left).unwrap_or(1).max(1)
}

/// Which of several failures says the most.
pub(crate) fn telling(failure: &FetchFailure) -> u8 {
    match failure {
        FetchFailure::Certificate(_) => 4,
        FetchFailure::Tls => 3,
        FetchFailure::Timeout => 1,
        FetchFailure::NoAddress => 0,
        _ => 2,
    }
}

/// The value of a field of the head; those of several fields of one name are joined by commas.
pub(crate) fn joined<'a>(values: impl Iterator<Item = &'a [u8]>) -> Option<Vec<u8>> {
    let values: Vec<_> = values.collect();
    (!values.is_empty()).then(|| values.join(&b", "[..]))
}
