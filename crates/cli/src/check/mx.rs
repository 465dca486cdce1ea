//! The live MX hosts of a domain, in the light of its policy.

use std::time::Duration;

use mta_sts::{DnsFailure, DnsFailureKind, DnsName, Policy, PolicyDomain};
use mta_sts_adapters::{Dns, MxAnswer, MxHost};
use tokio::time::timeout;

/// Where mail to the domain goes.
#[derive(Debug)]
pub(super) enum Hosts {
    /// To these MX hosts, by preference, then by name.
    Listed(Vec<Live>),
    /// To the domain itself, as it has no MX record (RFC 5321 §5.1).
    Implicit {
        host: Live,
        /// Whether the domain has an address, where DNS told.
        has_address: Option<bool>,
    },
    /// Nowhere: the null MX (RFC 7505).
    Null(Live),
    /// DNS did not tell.
    Failed(DnsFailure),
}

/// A host that takes mail for the domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Live {
    /// In its normal form if it is a host name, else as DNS has it; `.` for the null MX.
    pub(crate) host: String,
    /// The preference of its MX record; 0 where it has none.
    pub(crate) preference: u16,
    /// The pattern of the policy that covers it.
    pub(crate) matched: Option<String>,
}

impl Live {
    fn new(host: &str, preference: u16) -> Self {
        let host = DnsName::parse(host).map_or_else(|_| host.to_owned(), |n| n.as_str().to_owned());
        Self { host, preference, matched: None }
    }

    fn compare(&mut self, policy: &Policy) {
        let host = DnsName::parse(&self.host).ok();
        let pattern = host.and_then(|host| policy.matching(&host).map(|p| p.as_str().to_owned()));
        self.matched = pattern;
    }
}

impl Hosts {
    /// Asks for them, for at most `limit` a question.
    pub(super) async fn ask(dns: &impl Dns, domain: &PolicyDomain, limit: Duration) -> Self {
        let late = DnsFailure::new(DnsFailureKind::Timeout);
        match timeout(limit, dns.mx(domain.as_str())).await.unwrap_or(MxAnswer::Failed(late)) {
            MxAnswer::Records(records) if !records.is_empty() => Self::listed(&records),
            MxAnswer::Records(_) | MxAnswer::Absent => {
                let addresses = timeout(limit, dns.addresses(domain.as_str())).await;
                let has_address = match addresses {
                    Ok(Ok(addresses)) => Some(!addresses.is_empty()),
                    Ok(Err(_)) | Err(_) => None,
                };
                Self::Implicit { host: Live::new(domain.as_str(), 0), has_address }
            }
            MxAnswer::Failed(failure) => Self::Failed(failure),
        }
    }

    fn listed(records: &[MxHost]) -> Self {
        // RFC 7505 §3: a null MX stands alone.
        if let [MxHost { preference, exchange }] = records
            && exchange.is_empty()
        {
            let host = Live { host: ".".to_owned(), preference: *preference, matched: None };
            return Self::Null(host);
        }
        let live = |record: &MxHost| match record.exchange.as_str() {
            "" => Live::new(".", record.preference),
            host => Live::new(host, record.preference),
        };
        let mut hosts: Vec<_> = records.iter().map(live).collect();
        hosts.sort_by(|a, b| (a.preference, &a.host).cmp(&(b.preference, &b.host)));
        Self::Listed(hosts)
    }

    /// Notes which pattern of `policy` covers which host.
    pub(super) fn compare(&mut self, policy: Option<&Policy>) {
        let Some(policy) = policy else { return };
        match self {
            Self::Listed(hosts) => hosts.iter_mut().for_each(|host| host.compare(policy)),
            Self::Implicit { host, .. } => host.compare(policy),
            Self::Null(_) | Self::Failed(_) => {}
        }
    }

    /// All of them, the null MX included.
    pub(super) fn all(&self) -> &[Live] {
        match self {
            Self::Listed(hosts) => hosts,
            Self::Implicit { host, .. } | Self::Null(host) => std::slice::from_ref(host),
            Self::Failed(_) => &[],
        }
    }

    /// Those that take mail and that no pattern covers; all of them where there is no policy.
    pub(super) fn uncovered(&self) -> impl Iterator<Item = &Live> {
        let hosts = match self {
            Self::Null(_) => &[],
            other => other.all(),
        };
        hosts.iter().filter(|host| host.matched.is_none())
    }

    /// Those that a pattern covers.
    pub(super) fn covered(&self) -> impl Iterator<Item = &Live> {
        self.all().iter().filter(|host| host.matched.is_some())
    }
}

#[cfg(test)]
mod tests {
    use mta_sts::Profile;

    use super::*;

    fn record(preference: u16, exchange: &str) -> MxHost {
        MxHost { preference, exchange: exchange.to_owned() }
    }

    fn names(hosts: &Hosts) -> Vec<&str> {
        hosts.all().iter().map(|host| host.host.as_str()).collect()
    }

    #[test]
    fn ok_hosts_stand_by_preference_then_by_name() {
        let hosts =
            Hosts::listed(&[record(20, "a.test"), record(10, "C.test"), record(10, "b.test")]);
        assert_eq!(names(&hosts), ["b.test", "c.test", "a.test"]);
    }

    #[test]
    fn ok_a_null_mx_is_neither_covered_nor_uncovered() {
        let hosts = Hosts::listed(&[record(0, "")]);
        assert!(matches!(hosts, Hosts::Null(_)));
        assert_eq!(names(&hosts), ["."]);
        assert_eq!((hosts.covered().count(), hosts.uncovered().count()), (0, 0));
    }

    #[test]
    fn err_an_empty_exchange_beside_others_is_a_host_that_nothing_covers() {
        let mut hosts = Hosts::listed(&[record(0, ""), record(10, "mx.test")]);
        let text = b"version: STSv1\nmode: enforce\nmx: *.test\nmax_age: 60\n";
        hosts.compare(Policy::parse(text, Profile::Strict).ok().as_ref());
        let uncovered: Vec<_> = hosts.uncovered().map(|host| host.host.as_str()).collect();
        assert_eq!(uncovered, ["."]);
        assert_eq!(hosts.covered().next().and_then(|h| h.matched.as_deref()), Some("*.test"));
    }
}
