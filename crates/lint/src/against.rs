//! The MX hosts and the policy, each in the light of the other.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::fields::lines;
use super::{
    Code, Diagnostic, MAX_DIAGNOSTICS, MAX_MX_HOSTS, Severity, Source, chars, finish, nearly,
    quoted,
};
use mta_sts::DnsName;
use mta_sts::MxPattern;
use mta_sts::Place;
use mta_sts::{Mode, PolicyRef, Profile};

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

/// The part after the left-most label, with the dot in front; empty for a name of one label.
fn parent_with_dot(name: &DnsName) -> &str {
    name.as_str().find('.').and_then(|dot| name.as_str().get(dot..)).unwrap_or_default()
}

/// Patterns that an uncovered host is compared with, to find one that is misspelt.
const MAX_COMPARED: usize = 200;

pub(super) fn judge(policy: PolicyRef<'_>, hosts: &[LiveMx<'_>]) -> Vec<Diagnostic> {
    let mut diagnostics = found(policy, hosts.get(..MAX_MX_HOSTS).unwrap_or(hosts));
    let Some(first) = hosts.get(MAX_MX_HOSTS) else { return finish(diagnostics, MAX_DIAGNOSTICS) };
    // A host that was not looked at may be the one that a pattern is for.
    diagnostics.retain(|d| d.code != <&str>::from(Code::PatternUnused));
    let message = format!("only the first {MAX_MX_HOSTS} of {} MX hosts are judged", hosts.len());
    let at = Place { line: MAX_MX_HOSTS.saturating_add(1), column: 1 };
    let more = Diagnostic::new(Severity::Note, Code::TooManyHosts, Source::Mx, message)
        .at(at, chars(first.host))
        .help("senders try a few hosts of a domain at most: publish fewer MX records");
    let mut diagnostics = finish(diagnostics, MAX_DIAGNOSTICS.saturating_sub(1));
    diagnostics.push(more);
    diagnostics
}

/// Everything there is to say; help only with as many as can be shown.
fn found(policy: PolicyRef<'_>, hosts: &[LiveMx<'_>]) -> Vec<Diagnostic> {
    // Under `testing` the mail comes all the same; under `none` there is nothing to be covered by.
    let severity = match policy.mode() {
        Mode::Enforce => Some(Severity::Error),
        Mode::Testing => Some(Severity::Warning),
        Mode::None => None,
    };
    let patterns = Patterns::new(policy);
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
            if !patterns.cover(&host) {
                let message = format!(
                    "no pattern of the policy covers the MX host {}",
                    quoted(host.as_str())
                );
                let diagnostic = new(severity, Code::MxNotCovered, message);
                // Whatever is cut off later stands behind as many as these.
                diagnostics.push(if diagnostics.len() < MAX_DIAGNOSTICS {
                    diagnostic.help(patterns.why_not(&host))
                } else {
                    diagnostic
                });
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
        unused(policy, &Names::new(&names), &mut diagnostics);
    }
    diagnostics
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

/// The patterns of a policy, to be found without going through all of them for each host.
struct Patterns<'a> {
    /// In the order of the text.
    all: Vec<MxPattern<'a>>,
    /// In lower case, without the `*`: what a host's name, or its parent with the dot, is equal to.
    sorted: Vec<(String, MxPattern<'a>)>,
}

impl<'a> Patterns<'a> {
    fn new(policy: PolicyRef<'a>) -> Self {
        let all: Vec<_> = policy.mx().collect();
        let key = |pattern: &MxPattern<'a>| {
            let text = pattern.as_str();
            (text.strip_prefix('*').unwrap_or(text).to_ascii_lowercase(), *pattern)
        };
        let mut sorted: Vec<_> = all.iter().map(key).collect();
        sorted.sort();
        Self { all, sorted }
    }

    fn get(&self, key: &str) -> Option<MxPattern<'a>> {
        let found = self.sorted.binary_search_by(|(entry, _)| entry.as_str().cmp(key)).ok()?;
        self.sorted.get(found).map(|(_, pattern)| *pattern)
    }

    fn cover(&self, host: &DnsName) -> bool {
        let keys = [host.as_str(), parent_with_dot(host)];
        keys.into_iter().filter_map(|key| self.get(key)).any(|pattern| pattern.matches(host))
    }

    /// What to do about a host that no pattern covers, and why those that nearly do don't.
    fn why_not(&self, host: &DnsName) -> String {
        let name = host.as_str();
        let add = quoted(&format!("mx: {name}"));
        let parents = name.match_indices('.').filter_map(|(dot, _)| name.get(dot..));
        if let Some(above) = parents.skip(1).find_map(|parent| self.get(parent)) {
            let wildcard = quoted(above.as_str());
            return format!("{wildcard} covers one label only, not hosts deeper below: add {add}");
        }
        if let Some(below) = self.get(&format!(".{name}")) {
            let wildcard = quoted(below.as_str());
            return format!("{wildcard} does not cover the domain itself: add {add}");
        }
        match nearest(self.all.iter().copied(), name) {
            Some(near) => format!("add {add}; {} is nearly its name", quoted(near.as_str())),
            None => format!("add {add}, or remove the host from the MX records"),
        }
    }
}

/// The first pattern that is nearly `name`, of as many as a policy that people write has.
fn nearest<'a>(patterns: impl Iterator<Item = MxPattern<'a>>, name: &str) -> Option<MxPattern<'a>> {
    const NEAR: usize = 2;
    let near = |pattern: &MxPattern<'_>| {
        let text = pattern.as_str();
        text.len().abs_diff(name.len()) <= NEAR
            && nearly::distance(&text.to_ascii_lowercase(), name) <= NEAR
    };
    patterns.take(MAX_COMPARED).find(near)
}

/// The names of the hosts and of the domains right above them, sorted.
struct Names<'a> {
    hosts: Vec<&'a str>,
    /// With the dot in front.
    parents: Vec<&'a str>,
}

impl<'a> Names<'a> {
    fn new(names: &'a [DnsName]) -> Self {
        let mut hosts: Vec<_> = names.iter().map(DnsName::as_str).collect();
        let mut parents: Vec<_> = names.iter().map(parent_with_dot).collect();
        hosts.sort_unstable();
        parents.sort_unstable();
        Self { hosts, parents }
    }

    fn need(&self, pattern: MxPattern<'_>) -> bool {
        let text = pattern.as_str().to_ascii_lowercase();
        match text.strip_prefix('*') {
            Some(parent) => self.parents.binary_search(&parent).is_ok(),
            None => self.hosts.binary_search(&text.as_str()).is_ok(),
        }
    }
}

/// Patterns that none of the hosts needs.
fn unused(policy: PolicyRef<'_>, hosts: &Names<'_>, diagnostics: &mut Vec<Diagnostic>) {
    for line in lines(policy.as_str(), policy.profile()).filter(|line| line.name == Some("mx")) {
        let Ok(pattern) = MxPattern::parse(line.value, policy.profile()) else { continue };
        if hosts.need(pattern) {
            continue;
        }
        let text = pattern.as_str();
        // What can match nothing at all is said of the policy itself.
        if DnsName::parse(text.strip_prefix("*.").unwrap_or(text)).is_ok() {
            let message = format!("the pattern {} matches none of the MX hosts", quoted(text));
            diagnostics.push(
                Diagnostic::new(Severity::Note, Code::PatternUnused, Source::Policy, message)
                    .at(line.value_place(), chars(line.value))
                    .help("remove the line, unless the host is to come"),
            );
        }
    }
}

#[cfg(test)]
mod tests;
