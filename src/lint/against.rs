//! The MX hosts and the policy, each in the light of the other.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::fields::lines;
use super::{Code, Diagnostic, Severity, Source, chars, finish, nearly, quoted};
use crate::error::Place;
use crate::mx::MxPattern;
use crate::name::DnsName;
use crate::policy::{Mode, PolicyRef, Profile};

/// An MX host as DNS and, if it was asked, the host itself present it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiveMx<'a> {
    /// The name in the MX record, as text.
    pub host: &'a str,
    /// The DNS names (SAN) of the host's certificate, if it was looked at.
    pub certificate: Option<&'a [&'a str]>,
}

impl<'a> LiveMx<'a> {
    /// A host whose certificate was not looked at.
    pub const fn new(host: &'a str) -> Self {
        Self { host, certificate: None }
    }

    /// The host with the DNS names of its certificate.
    #[must_use]
    pub const fn with_certificate(self, names: &'a [&'a str]) -> Self {
        Self { certificate: Some(names), ..self }
    }
}

pub(super) fn judge(policy: PolicyRef<'_>, hosts: &[LiveMx<'_>]) -> Vec<Diagnostic> {
    // Under `testing` the mail comes all the same; under `none` there is nothing to be covered by.
    let severity = match policy.mode() {
        Mode::Enforce => Some(Severity::Error),
        Mode::Testing => Some(Severity::Warning),
        Mode::None => None,
    };
    let mut diagnostics = Vec::new();
    let mut names = Vec::new();
    for (mx, number) in hosts.iter().zip(1_usize..) {
        let at = Place { line: number, column: 1 };
        let new = |severity, code: Code, message: String| {
            Diagnostic::new(severity, code, Source::Mx, message).at(at, chars(mx.host))
        };
        if mx.host == "." {
            let message = "a null MX: the domain takes no mail".into();
            diagnostics.push(
                new(Severity::Note, Code::NullMx, message)
                    .help("a domain that takes no mail has no use for a policy"),
            );
            continue;
        }
        let host = match DnsName::parse(mx.host) {
            Ok(host) => host,
            Err(error) => {
                let message = format!("{} is no host name: {error}", quoted(mx.host));
                let severity = severity.unwrap_or(Severity::Warning);
                diagnostics.push(
                    new(severity, Code::MxNotAName, message)
                        .help("an MX record holds the name of a host: correct it in DNS"),
                );
                continue;
            }
        };
        if let Some(severity) = severity {
            if !policy.matches(&host) {
                let message = format!(
                    "no pattern of the policy covers the MX host {}",
                    quoted(host.as_str())
                );
                diagnostics
                    .push(new(severity, Code::MxNotCovered, message).help(why_not(policy, &host)));
            }
            if let Some(certificate) = mx.certificate.filter(|names| !vouches(names, &host)) {
                let message = format!(
                    "the certificate of {} is for {}",
                    quoted(host.as_str()),
                    listed(certificate)
                );
                diagnostics.push(new(severity, Code::CertificateMismatch, message).help(format!(
                    "the certificate must name {} as a DNS name (SAN)",
                    quoted(host.as_str())
                )));
            }
        }
        names.push(host);
    }
    if severity.is_some() && !names.is_empty() {
        unused(policy, &names, &mut diagnostics);
    }
    finish(diagnostics)
}

/// Whether one of a certificate's names is the host's (RFC 8461 §4.2).
fn vouches(names: &[&str], host: &DnsName) -> bool {
    names
        .iter()
        .any(|name| MxPattern::parse(name, Profile::Tolerant).is_ok_and(|san| san.matches(host)))
}

fn listed(names: &[&str]) -> String {
    const MAX: usize = 4;
    if names.is_empty() {
        return "no DNS name at all".into();
    }
    let mut list = String::new();
    for name in names.iter().take(MAX) {
        if !list.is_empty() {
            list.push_str(", ");
        }
        list.push_str(&quoted(name));
    }
    match names.len().saturating_sub(MAX) {
        0 => list,
        more => format!("{list} and {more} more"),
    }
}

/// What to do about a host that no pattern covers, and why those that nearly do don't.
fn why_not(policy: PolicyRef<'_>, host: &DnsName) -> String {
    let name = host.as_str();
    let add = quoted(&format!("mx: {name}"));
    for pattern in policy.mx().filter(|pattern| pattern.is_wildcard()) {
        let text = pattern.as_str().to_ascii_lowercase();
        let parent = text.strip_prefix('*').unwrap_or_default();
        let wildcard = quoted(pattern.as_str());
        if name.ends_with(parent) {
            return format!("{wildcard} covers one label only, not hosts deeper below: add {add}");
        }
        if parent.strip_prefix('.') == Some(name) {
            return format!("{wildcard} does not cover the domain itself: add {add}");
        }
    }
    let near = policy
        .mx()
        .find(|pattern| nearly::distance(&pattern.as_str().to_ascii_lowercase(), name) <= 2);
    match near {
        Some(near) => format!("add {add}; {} is nearly its name", quoted(near.as_str())),
        None => format!("add {add}, or remove the host from the MX records"),
    }
}

/// Patterns that none of the hosts needs.
fn unused(policy: PolicyRef<'_>, hosts: &[DnsName], diagnostics: &mut Vec<Diagnostic>) {
    for line in lines(policy.as_str(), policy.profile()).filter(|line| line.name == Some("mx")) {
        let Ok(pattern) = MxPattern::parse(line.value, policy.profile()) else { continue };
        let text = pattern.as_str();
        // What can match nothing at all is said of the policy itself.
        let alive = DnsName::parse(text.strip_prefix("*.").unwrap_or(text)).is_ok();
        if alive && !hosts.iter().any(|host| pattern.matches(host)) {
            let message =
                format!("the pattern {} matches none of the MX hosts", quoted(pattern.as_str()));
            diagnostics.push(
                Diagnostic::new(Severity::Note, Code::PatternUnused, Source::Policy, message)
                    .at(line.value_place(), chars(line.value))
                    .help("remove the line, unless the host is to come"),
            );
        }
    }
}
