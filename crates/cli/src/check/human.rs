//! A finding for people.

use std::borrow::Cow;
use std::fmt::{Display, Write};

use mta_sts::{HeldPolicy, Mode, MxPattern, Policy, SelectionError, Status, record};
use mta_sts_adapters::TxtAnswer;
use mta_sts_terminal::style::{BAD, FAINT, GOOD, STRONG, style_of, styled};
use mta_sts_terminal::text::{self, harmless};
use mta_sts_terminal::words;

use super::Finding;
use super::mx::{Hosts, Live};
use super::remarks;

/// The most MX hosts, and the most patterns, that are listed.
const MAX_ROWS: usize = 40;

/// The whole report.
pub(super) fn report(finding: &Finding) -> String {
    let mut sheet = Sheet::new(&with_unicode(
        finding.outcome.domain().as_str(),
        &finding.outcome.domain().to_unicode(),
    ));
    let status = finding.outcome.status();
    sheet.line("status", styled(style_of(status), status));
    sheet.line("record", record_line(finding));
    if let Some(held) = finding.outcome.policy() {
        policy_lines(&mut sheet, held, finding);
    }
    host_lines(&mut sheet, finding);
    if let Some(problem) = finding.outcome.problem() {
        // In the terms of a report; in words it is told below.
        let codes = format!("{} ({})", problem.result_type(), problem.reason_code());
        sheet.line("problem", styled(BAD, codes));
    }
    sheet.text.push('\n');
    sheet.text.push_str(&remarks::human(finding));
    for sentence in sentences(finding) {
        sheet.text.push_str(&sentence);
        sheet.text.push('\n');
    }
    sheet.text
}

/// Lines with a label each; the label stands once where a thing takes several lines.
#[derive(Debug)]
pub(crate) struct Sheet {
    text: String,
    last: &'static str,
}

impl Sheet {
    pub(crate) fn new(title: &str) -> Self {
        Self { text: format!("{}\n", styled(STRONG, title)), last: "" }
    }

    pub(crate) fn line(&mut self, label: &'static str, text: impl Display) {
        let shown = if label == self.last { "" } else { label };
        self.last = label;
        // Writing to a string does not fail.
        let _ = writeln!(self.text, "  {} {text}", styled(FAINT, format_args!("{shown:<8}")));
    }

    /// The MX patterns of a policy.
    pub(crate) fn patterns(&mut self, policy: &Policy) {
        for pattern in policy.mx().take(MAX_ROWS) {
            self.line("patterns", harmless(pattern.as_str()));
        }
        rest(self, "patterns", policy.mx().len());
    }

    pub(crate) fn into_text(self) -> String {
        self.text
    }
}

pub(crate) fn with_unicode<'a>(name: &'a str, unicode: &str) -> Cow<'a, str> {
    if name == unicode { name.into() } else { format!("{name} ({})", harmless(unicode)).into() }
}

fn record_line(finding: &Finding) -> String {
    let name = finding.outcome.domain().txt_name();
    match &finding.records {
        None => format!("no answer for {name}"),
        Some(TxtAnswer::Failed(failure)) => format!("no answer for {name}: {failure}"),
        Some(TxtAnswer::Absent { .. }) => format!("none at {name}"),
        Some(TxtAnswer::Records { records, .. }) => match record::select(records) {
            Ok(id) => format!("id {id}, at {name}"),
            Err(SelectionError::Absent) => format!("none at {name} (there are other TXT records)"),
            Err(SelectionError::Several { count }) => format!("{count} instead of one, at {name}"),
            Err(_) => format!("malformed, at {name}"),
        },
    }
}

fn policy_lines(sheet: &mut Sheet, held: &HeldPolicy, finding: &Finding) {
    let policy = held.policy();
    let max_age = policy.max_age().as_secs();
    let mode = styled(STRONG, policy.mode());
    sheet.line("policy", format!("{mode}, {}", words::until(held, finding.now)));
    sheet.line(
        "policy",
        format!(
            "id {}, max_age {max_age} ({}), fetched {}",
            held.id(),
            text::span(u64::from(max_age)),
            match finding.outcome.status() {
                Status::Found => "now".to_owned(),
                _ => text::date(held.fetched_at()),
            }
        ),
    );
    sheet.patterns(policy);
}

fn rest(sheet: &mut Sheet, label: &'static str, count: usize) {
    if let Some(more) = count.checked_sub(MAX_ROWS).filter(|more| *more > 0) {
        sheet.line(label, format!("… and {more} more"));
    }
}

fn host_lines(sheet: &mut Sheet, finding: &Finding) {
    let binds = finding.binds_hosts();
    match &finding.hosts {
        Hosts::Failed(failure) => sheet.line("MX hosts", format!("not known: {failure}")),
        Hosts::Null(_) => sheet.line("MX hosts", "none: the null MX says that it takes no mail"),
        Hosts::Implicit { host, has_address } => {
            let note = match has_address {
                Some(false) => "no MX record, and no address",
                Some(true) | None => "no MX record: the domain itself takes its mail",
            };
            sheet.line("MX hosts", row(host, host.host.chars().count(), binds, Some(note)));
        }
        Hosts::Listed(hosts) => {
            let width = hosts.iter().map(|host| shown(host).chars().count()).max().unwrap_or(0);
            for host in hosts.iter().take(MAX_ROWS) {
                sheet.line("MX hosts", row(host, width.min(60), binds, None));
            }
            rest(sheet, "MX hosts", hosts.len());
        }
    }
}

fn shown(host: &Live) -> String {
    let unicode = mta_sts::DnsName::parse(&host.host).map(|name| name.to_unicode());
    let name = harmless(&host.host);
    with_unicode(&name, unicode.as_deref().unwrap_or(&name)).into_owned()
}

fn row(host: &Live, width: usize, binds: bool, note: Option<&str>) -> String {
    let (mark, verdict) = match (&host.matched, binds) {
        (Some(pattern), true) => (styled(GOOD, '✓'), format!("matches {}", harmless(pattern))),
        (None, true) => (styled(BAD, '✗'), styled(BAD, "no pattern covers it")),
        (_, false) => ("·".to_owned(), String::new()),
    };
    let name = format!("{:<width$}", shown(host));
    let mut parts = match note {
        None => vec![format!("{mark} {:>5}", host.preference), name],
        Some(_) => vec![format!("{mark} {name}")],
    };
    parts.push(verdict);
    parts.push(note.map_or_else(String::new, |note| format!("({note})")));
    parts.retain(|part| !part.is_empty());
    parts.join("  ").trim_end().to_owned()
}

/// The decision.
fn sentences(finding: &Finding) -> Vec<String> {
    let domain = finding.outcome.domain().as_str();
    let mut sentences = vec![words::standing(&finding.outcome, finding.now)];
    if finding.has_near_miss() {
        sentences.push("What it publishes there looks like a record gone wrong.".to_owned());
    }
    if let Some(held) = finding.outcome.policy() {
        let hosts = match &finding.hosts {
            Hosts::Listed(_) | Hosts::Implicit { .. } => {
                text::list(finding.hosts.covered().map(|host| host.host.as_str()))
            }
            Hosts::Null(_) | Hosts::Failed(_) => {
                text::list(held.policy().mx().map(MxPattern::as_str))
            }
        };
        if hosts.is_empty() && finding.binds_hosts() {
            sentences.push(nowhere(domain, held));
        } else {
            sentences.push(words::effect(domain, held, &hosts));
            sentences.extend(uncovered(finding, held));
        }
    }
    if let Hosts::Implicit { has_address: Some(false), .. } = &finding.hosts {
        sentences.push(format!(
            "{domain} has neither an MX record nor an address: no mail can be delivered to it."
        ));
    }
    if !finding.outcome.is_persisted() {
        sentences.push("The store did not take what was learnt.".to_owned());
    }
    sentences
}

fn nowhere(domain: &str, held: &HeldPolicy) -> String {
    match held.policy().mode() {
        Mode::Enforce => format!(
            "The policy covers none of the MX hosts: senders that go by it cannot deliver any mail \
             to {domain}."
        ),
        _ => format!(
            "The policy covers none of the MX hosts: were it enforced, no mail could be delivered \
             to {domain}."
        ),
    }
}

fn uncovered(finding: &Finding, held: &HeldPolicy) -> Option<String> {
    if !finding.binds_hosts() {
        return None;
    }
    if let Hosts::Failed(_) = &finding.hosts {
        return Some("Whether the policy covers the MX hosts is not known.".to_owned());
    }
    let hosts = text::list(finding.hosts.uncovered().map(|host| host.host.as_str()));
    (!hosts.is_empty()).then(|| match held.policy().mode() {
        Mode::Enforce => format!("Senders that go by it never deliver to {hosts}."),
        _ => format!("Were it enforced, no mail would go to {hosts}."),
    })
}
