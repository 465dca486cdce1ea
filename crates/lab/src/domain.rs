//! A whole policy domain at once: record, policy host, policy, MX hosts.

use std::net::{IpAddr, Ipv4Addr};

use crate::dns::Zone;
use crate::dns_record::RecordType;
use crate::https::{Hosts, Https};
use crate::tls::Certificate;

/// A policy domain in the making, from [`Lab::domain`](crate::Lab::domain); [`publish`] puts it
/// into the zone and onto the web. Publish again to change it: what this sets is replaced, and
/// nothing else.
///
/// Unless set otherwise the id is `1`, the mode `testing`, `max_age` a week, the MX host
/// `mx.` and the domain, the policy host's address 127.0.0.1, the TTL 300 seconds.
///
/// [`publish`]: Domain::publish
#[derive(Clone, Debug)]
#[must_use = "nothing changes before `publish` or `withdraw`"]
pub struct Domain {
    zone: Zone,
    hosts: Hosts,
    name: String,
    id: String,
    mode: String,
    max_age: u64,
    mx: Vec<String>,
    policy: Option<Vec<u8>>,
    certificate: Certificate,
    addresses: Vec<IpAddr>,
    ttl: u32,
}

impl Domain {
    pub(crate) fn new(zone: Zone, hosts: Hosts, name: &str) -> Self {
        let name = name.strip_suffix('.').unwrap_or(name).to_owned();
        Self {
            zone,
            hosts,
            mx: vec![format!("mx.{name}")],
            name,
            id: "1".to_owned(),
            mode: "testing".to_owned(),
            max_age: 604_800,
            policy: None,
            certificate: Certificate::Good,
            addresses: vec![Ipv4Addr::LOCALHOST.into()],
            ttl: 300,
        }
    }

    /// The id of the record (RFC 8461 §3.1).
    pub fn id(mut self, id: &str) -> Self {
        id.clone_into(&mut self.id);
        self
    }

    /// The mode: `enforce`, `testing` or `none`.
    pub fn mode(mut self, mode: &str) -> Self {
        mode.clone_into(&mut self.mode);
        self
    }

    /// How long the policy may be held, in seconds.
    pub fn max_age(mut self, seconds: u64) -> Self {
        self.max_age = seconds;
        self
    }

    /// The MX hosts: MX records in this order, and the policy's `mx` patterns. A pattern
    /// such as `*.example.com` is a pattern only.
    pub fn mx<S: Into<String>>(mut self, hosts: impl IntoIterator<Item = S>) -> Self {
        self.mx = hosts.into_iter().map(Into::into).collect();
        self
    }

    /// The text of the policy, in place of one made of mode, `max_age` and MX hosts.
    pub fn policy(mut self, text: impl Into<Vec<u8>>) -> Self {
        self.policy = Some(text.into());
        self
    }

    /// The certificate of the policy host.
    pub fn certificate(mut self, certificate: Certificate) -> Self {
        self.certificate = certificate;
        self
    }

    /// The addresses of the policy host, of either family; the lab listens on 127.0.0.1.
    pub fn addresses(mut self, addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        self.addresses = addresses.into_iter().collect();
        self
    }

    /// The TTL of all records, in seconds.
    pub fn ttl(mut self, seconds: u32) -> Self {
        self.ttl = seconds;
        self
    }

    /// The name of the TXT record.
    pub fn record_name(&self) -> String {
        format!("_mta-sts.{}", self.name)
    }

    /// The name of the policy host.
    pub fn policy_host(&self) -> String {
        format!("mta-sts.{}", self.name)
    }

    /// The MX hosts with an MX record, in their order: those that are no wildcard.
    pub fn mx_hosts(&self) -> impl Iterator<Item = &str> {
        self.mx.iter().map(String::as_str).filter(|host| !host.starts_with('*'))
    }

    /// The text of the TXT record as it is published: `v=STSv1; id=1;`.
    pub fn record_text(&self) -> String {
        format!("v=STSv1; id={};", self.id)
    }

    /// The policy as it is published.
    pub fn policy_text(&self) -> Vec<u8> {
        if let Some(text) = &self.policy {
            return text.clone();
        }
        let mut lines = vec!["version: STSv1".to_owned(), format!("mode: {}", self.mode)];
        lines.extend(self.mx.iter().map(|host| format!("mx: {host}")));
        lines.push(format!("max_age: {}", self.max_age));
        lines.push(String::new());
        lines.join("\r\n").into_bytes()
    }

    /// Sets the TXT record, the address and the behaviour of the policy host, and the MX records.
    pub fn publish(&self) {
        self.zone.txt(&self.record_name(), [self.record_text()], self.ttl);
        self.zone.addresses(&self.policy_host(), self.addresses.iter().copied(), self.ttl);
        let hosts = self.mx_hosts();
        let mx = hosts.zip(1_u16..).map(|(host, n)| (n.saturating_mul(10), host));
        self.zone.mx(&self.name, mx, self.ttl);
        let https = Https::policy(self.policy_text()).certificate(self.certificate.clone());
        self.hosts.set(&self.policy_host(), https);
    }

    /// Takes record, policy host and MX records away.
    pub fn withdraw(&self) {
        self.zone.remove_name(&self.record_name());
        self.zone.remove_name(&self.policy_host());
        self.zone.remove(&self.name, RecordType::Mx);
        self.hosts.remove(&self.policy_host());
    }
}
