//! How to point a sender at the servers.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;

use mta_sts_lab::{Domain, Lab, MxHost, POLICY_PATH};
use mta_sts_terminal::style::{FAINT, STRONG, styled};
use mta_sts_terminal::text::{self, harmless};
use serde::Serialize;

/// The most lines of a policy that are shown to people.
const MAX_LINES: usize = 20;

/// The addresses, the root certificate and the domains. The names of the fields are a promise to
/// scripts.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    dns: SocketAddr,
    https: SocketAddr,
    /// The path of the file.
    ca: String,
    domains: Vec<Published>,
    mx_hosts: Vec<MxAddress>,
}

#[derive(Debug, Serialize)]
struct MxAddress {
    name: String,
    smtp: SocketAddr,
}

#[derive(Debug, Serialize)]
struct Published {
    domain: String,
    txt_name: String,
    record: String,
    policy_host: String,
    policy_url: String,
    policy: String,
}

impl Report {
    pub(super) fn new(lab: &Lab, ca: &Path, domains: &[Domain], mx_hosts: &[MxHost]) -> Self {
        Self {
            dns: lab.dns_addr(),
            https: lab.https_addr(),
            ca: ca.display().to_string(),
            domains: domains.iter().map(Published::new).collect(),
            mx_hosts: mx_hosts
                .iter()
                .map(|host| MxAddress { name: host.name().to_owned(), smtp: host.address() })
                .collect(),
        }
    }

    /// The same facts for people.
    pub(super) fn human(&self) -> String {
        let mut out = String::new();
        let names = text::list(self.domains.iter().map(|published| published.domain.as_str()));
        let title = format!("DNS, HTTPS and SMTP servers for {names} run on this machine.");
        let _ = writeln!(out, "{}\n", styled(STRONG, title));
        let _ = writeln!(out, "Point a sender at them with these settings:");
        let port = self.https.port();
        for (number, setting) in (1..).zip([
            format!("resolver: {}, UDP and TCP, instead of the system's", self.dns),
            format!("port of Policy Hosts: {port} instead of 443 (the server is {})", self.https),
            format!("trusted root certificate (PEM): {}", self.ca),
            format!("allow connections to Policy Hosts at {}", self.https.ip()),
            "port of MX hosts: as listed below, instead of 25".to_owned(),
        ]) {
            let _ = writeln!(out, "  {number}. {setting}");
        }
        let _ = writeln!(out, "\nFor the program of this project:");
        let _ = writeln!(
            out,
            "  mta-sts check {} --dns {} --policy-port {port} --ca {} --allow-private",
            self.domains.first().map_or("DOMAIN", |first| &first.domain),
            self.dns,
            quoted(&self.ca),
        );
        for published in &self.domains {
            let _ = write!(out, "\n{}", published.human());
        }
        let _ = writeln!(out, "\n{}", styled(STRONG, "MX hosts"));
        for MxAddress { name, smtp } in &self.mx_hosts {
            let _ = writeln!(out, "  {} at {smtp}", harmless(name));
        }
        let _ = writeln!(out, "\nThe servers stop at Ctrl-C or at the end of the standard input.");
        out
    }
}

impl Published {
    fn new(domain: &Domain) -> Self {
        let policy_host = domain.policy_host();
        let txt_name = domain.record_name();
        Self {
            domain: txt_name.strip_prefix("_mta-sts.").unwrap_or(&txt_name).to_owned(),
            txt_name,
            record: domain.record_text(),
            policy_url: format!("https://{policy_host}{POLICY_PATH}"),
            policy_host,
            policy: String::from_utf8_lossy(&domain.policy_text()).into_owned(),
        }
    }

    fn human(&self) -> String {
        let mut out = String::new();
        let _ = writeln!(out, "{} publishes", styled(STRONG, &self.domain));
        let _ = writeln!(out, "  {} TXT \"{}\"", self.txt_name, self.record);
        let _ = writeln!(out, "  {}", self.policy_url);
        let mut lines = self.policy.lines();
        for line in lines.by_ref().take(MAX_LINES) {
            let _ = writeln!(out, "    {}", styled(FAINT, harmless(line)));
        }
        match lines.count() {
            0 => {}
            more => {
                let _ = writeln!(out, "    … and {more} more lines");
            }
        }
        out
    }
}

/// The text as one word for a shell.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/\\:._-+".contains(c);
    if text.chars().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}
