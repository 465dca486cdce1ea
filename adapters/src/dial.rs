//! Which addresses of a Policy Host are dialled, and what it means that none of them would do.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use mta_sts::{FetchFailure, TlsFailure, policy_host_address};

/// How many addresses of one host are tried.
const MAX_ADDRESSES: usize = 4;
/// The largest head of a response, in octets.
pub(crate) const MAX_HEAD: usize = 32 * 1024;
/// What a fetch says of itself unless set.
pub(crate) const USER_AGENT: &str = concat!("mta-sts/", env!("CARGO_PKG_VERSION"), " (RFC 8461)");

/// Leads from an address that may be dialled to the one that is.
type Detour = Arc<dyn Fn(SocketAddr) -> SocketAddr + Send + Sync>;

/// Where Policy Hosts are dialled.
#[derive(Clone)]
pub(crate) struct Dial {
    pub(crate) port: u16,
    /// Whether the filter lets every address pass.
    pub(crate) any_address: bool,
    pub(crate) detour: Option<Detour>,
    /// How many connections to one address there may be.
    pub(crate) per_address: usize,
}

impl Dial {
    /// The port of `https`, and only what the filter lets pass.
    pub(crate) fn new() -> Self {
        Self { port: 443, any_address: false, detour: None, per_address: 8 }
    }

    /// Where to dial for these addresses of a host, at most [`MAX_ADDRESSES`] of them.
    pub(crate) fn targets(&self, addresses: &[IpAddr]) -> Result<Vec<SocketAddr>, FetchFailure> {
        let mut refused = None;
        let mut allowed = Vec::with_capacity(MAX_ADDRESSES);
        for address in addresses {
            match policy_host_address(*address) {
                Err(class) if !self.any_address => refused = refused.or(Some(class)),
                _ if allowed.len() < MAX_ADDRESSES => allowed.push(self.target(*address)),
                _ => {}
            }
        }
        match refused {
            Some(class) if allowed.is_empty() => Err(FetchFailure::Address(class)),
            _ if allowed.is_empty() => Err(FetchFailure::NoAddress),
            _ => Ok(allowed),
        }
    }

    fn target(&self, address: IpAddr) -> SocketAddr {
        let target = SocketAddr::new(address, self.port);
        self.detour.as_ref().map_or(target, |detour| detour(target))
    }
}

impl fmt::Debug for Dial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dial")
            .field("port", &self.port)
            .field("any_address", &self.any_address)
            .finish_non_exhaustive()
    }
}

/// The share of one of `left` addresses in the time that is left for all of them.
pub(crate) fn share(time: Duration, left: usize) -> Duration {
    time / u32::try_from(left).unwrap_or(1).max(1)
}

/// The rank of a failure: of several addresses' failures, the one that says the most is told. The
/// further an attempt came, the more its failure says.
pub(crate) fn telling(failure: &FetchFailure) -> u8 {
    match failure {
        FetchFailure::Certificate(_) => 6,
        FetchFailure::Tls(TlsFailure::Timeout) => 2,
        FetchFailure::Tls(TlsFailure::Closed) => 4,
        FetchFailure::Tls(_) => 5,
        FetchFailure::Timeout => 1,
        FetchFailure::NoAddress => 0,
        _ => 3,
    }
}

/// Whether the transfer coding can be understood. As none was offered (RFC 9112 §7.4) it has to be
/// chunks, which HTTP/1.0 does not know (§6.1), or none at all.
pub(crate) fn check_coding(coding: Option<&[u8]>, is_http_1_1: bool) -> Result<(), FetchFailure> {
    match coding {
        Some(coding) if !is_http_1_1 || !coding.trim_ascii().eq_ignore_ascii_case(b"chunked") => {
            Err(FetchFailure::Http)
        }
        _ => Ok(()),
    }
}

/// The value of a field of the head; those of several fields of one name are joined by commas.
pub(crate) fn joined<'a>(values: impl Iterator<Item = &'a [u8]>) -> Option<Vec<u8>> {
    let values: Vec<_> = values.collect();
    (!values.is_empty()).then(|| values.join(&b", "[..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mta_sts::AddressClass::{Loopback, Private};

    fn addresses(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().expect("an address")).collect()
    }

    /// The addresses of a host, and which of them are dialled.
    type Case<'a> = (&'a [&'a str], Result<&'a [&'a str], FetchFailure>);

    #[test]
    fn ok_each_address_is_judged_for_itself() {
        let dial = Dial::new();
        let cases: [Case; 7] = [
            (&[], Err(FetchFailure::NoAddress)),
            (&["10.0.0.1", "::1"], Err(FetchFailure::Address(Private))),
            (&["::ffff:127.0.0.1"], Err(FetchFailure::Address(Loopback))),
            (&["1.1.1.1", "10.0.0.1", "2606:4700::1"], Ok(&["1.1.1.1", "2606:4700::1"])),
            (&["10.0.0.1", "1.1.1.1", "127.0.0.1"], Ok(&["1.1.1.1"])),
            // A host of many addresses gets four attempts, whatever else it names.
            (
                &["1.0.0.1", "1.0.0.2", "1.0.0.3", "1.0.0.4", "1.0.0.5"],
                Ok(&["1.0.0.1", "1.0.0.2", "1.0.0.3", "1.0.0.4"]),
            ),
            (
                &["1.0.0.1", "1.0.0.2", "1.0.0.3", "1.0.0.4", "10.0.0.1"],
                Ok(&["1.0.0.1", "1.0.0.2", "1.0.0.3", "1.0.0.4"]),
            ),
        ];
        let at = |address| SocketAddr::new(address, 443);
        let sockets = |texts: &[&str]| addresses(texts).into_iter().map(at).collect::<Vec<_>>();
        for (given, expected) in cases {
            assert_eq!(dial.targets(&addresses(given)), expected.map(sockets), "{given:?}");
        }
        let (own, any) = (["10.0.0.1", "::1"], Dial { any_address: true, ..dial });
        assert_eq!(any.targets(&addresses(&own)), Ok(sockets(&own)));
    }
}
