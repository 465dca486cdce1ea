//! Evidence: the claims of a driver that the machine cannot check for itself.
//!
//! Each is made by one function that can be searched for, names the host that it is about, and is
//! consumed by the one state that it is for, which compares the name. There is no other way to make
//! one: no conversion, no deserialisation, no generator for tests.

use alloc::boxed::Box;

use crate::name::DnsName;

/// The driver's assertion that a Policy Host's certificate was verified for a name: chain, time, and
/// a SAN DNS-ID (RFC 8461 §3.3), before anything was read from the connection.
#[derive(Debug)]
pub struct PolicyHostVerified(Box<str>);

impl PolicyHostVerified {
    /// Asserts that the certificate was verified for `host`, the name that was sent as SNI.
    pub fn assertion(host: &str) -> Self {
        Self(host.into())
    }

    /// Consumes the assertion. Returns `true` if it names `host`.
    pub(crate) fn names(self, host: &str) -> bool {
        let Self(name) = self;
        name.eq_ignore_ascii_case(host)
    }
}

/// The driver's assertion that an MX host's certificate was verified for a name (RFC 8461 §4.2).
///
/// ```
/// use mta_sts::{DnsName, MxVerified};
///
/// let mx = DnsName::parse("mx.example.com")?;
/// // ... after a TLS handshake with that server name, validated against the trusted roots ...
/// let verified = MxVerified::assertion(&mx);
/// # let _ = verified;
/// # Ok::<(), mta_sts::NameError>(())
/// ```
#[derive(Debug)]
pub struct MxVerified(DnsName);

impl MxVerified {
    /// Asserts that the certificate was verified for `host`, the name that was sent as SNI.
    pub fn assertion(host: &DnsName) -> Self {
        Self(host.clone())
    }

    /// Consumes the assertion. Returns `true` if it names `host`.
    pub(crate) fn names(self, host: &DnsName) -> bool {
        let Self(name) = self;
        name == *host
    }
}

/// The driver's assertion that DANE passed for an MX host (RFC 7672): the MX records and the TLSA
/// records are both DNSSEC-secure (§2.2), and the host's certificate fits one of the TLSA records.
///
/// Where the MX records are not secure, a forger chose the host: that is no assertion, whatever TLSA
/// records the host has.
#[derive(Debug)]
pub struct DaneVerified(DnsName);

impl DaneVerified {
    /// Asserts that DANE passed for `host`, the name of the MX record.
    pub fn assertion(host: &DnsName) -> Self {
        Self(host.clone())
    }

    /// Consumes the assertion. Returns `true` if it names `host`.
    pub(crate) fn names(self, host: &DnsName) -> bool {
        let Self(name) = self;
        name == *host
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assertion_is_good_for_its_host_alone() {
        let policy_host = || PolicyHostVerified::assertion("MTA-STS.example.com");
        assert!(policy_host().names("mta-sts.example.com"));
        assert!(!policy_host().names("mta-sts.example.net"));
        let host = DnsName::parse("mx.example.com").unwrap();
        let other = DnsName::parse("mx.example.net").unwrap();
        assert!(MxVerified::assertion(&host).names(&host));
        assert!(!MxVerified::assertion(&host).names(&other));
        assert!(DaneVerified::assertion(&host).names(&host));
        assert!(!DaneVerified::assertion(&host).names(&other));
    }
}
