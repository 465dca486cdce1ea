//! What lint has to say about what was found.

use std::cmp::Reverse;
use std::fmt::Write;

use mta_sts::{Problem, Profile, SelectionError};
use mta_sts_adapters::TxtAnswer;
use mta_sts_lint::{self as lint, Diagnostic, LiveMx, Severity, Source};
use mta_sts_terminal::style::{BAD, DOUBTFUL, FAINT, styled};
use mta_sts_terminal::text::harmless;

use super::Finding;
use crate::diagnostics::{self, Line, Text};

/// As much of an invalid policy is at hand, in octets: one of that length may be cut.
const EVIDENCE_OCTETS: usize = 4_096;

/// Faults with the place, notes in a line each.
pub(super) fn human(finding: &Finding) -> String {
    let records = finding.joined_records();
    let (text, mut found) = match (finding.outcome.policy(), finding.outcome.problem()) {
        (_, Some(Problem::PolicyInvalid { text, .. })) if text.len() < EVIDENCE_OCTETS => {
            (&**text, lint::policy(text.as_bytes(), Profile::Tolerant).diagnostics)
        }
        (Some(held), _) => {
            let text = held.policy().as_str();
            (text, lint::policy(text.as_bytes(), held.policy().profile()).diagnostics)
        }
        _ => ("", Vec::new()),
    };
    found.splice(0..0, finding.record_diagnostics());
    let hosts: Vec<&str> = finding.hosts.all().iter().map(|host| host.host.as_str()).collect();
    if let Some(held) = finding.outcome.policy() {
        let live: Vec<_> = hosts.iter().map(|host| LiveMx::new(host)).collect();
        let against = lint::against(held.policy().as_policy_ref(), &live);
        // Its own place in the held policy is not to be shown in another text.
        found.extend(
            against
                .into_iter()
                .filter(|d| d.source == Source::Mx || text == held.policy().as_str()),
        );
    }
    let record_lines: Vec<_> = records.iter().map(|record| Line(record)).collect();
    let texts = [
        Text { source: Source::Record, name: "TXT record", lines: &record_lines },
        Text { source: Source::Policy, name: "policy", lines: &Line::of_file(text.as_bytes()) },
    ];
    // A host stands in the table already, with a mark.
    let is_drawn = |d: &Diagnostic| d.severity != Severity::Note && d.source != Source::Mx;
    let (drawn, mut told): (Vec<_>, Vec<_>) = found.into_iter().partition(is_drawn);
    told.sort_by_key(|remark| Reverse(remark.severity));
    let mut out = diagnostics::human(&drawn, &texts);
    for remark in &told {
        let style = match remark.severity {
            Severity::Note => FAINT,
            Severity::Warning => DOUBTFUL,
            Severity::Error => BAD,
        };
        let help = remark.help.as_ref().map_or_else(String::new, |help| format!("; {help}"));
        let message = format!("{}{help}", remark.message);
        // Writing to a string does not fail.
        let _ = writeln!(out, "{}: {}", styled(style, remark.severity), harmless(&message));
    }
    if !told.is_empty() {
        out.push('\n');
    }
    out
}

impl Finding {
    /// The TXT records, each of its strings joined.
    fn joined_records(&self) -> Vec<Vec<u8>> {
        match &self.records {
            Some(TxtAnswer::Records { records, .. }) => {
                records.iter().map(|r| r.concat()).collect()
            }
            _ => Vec::new(),
        }
    }

    /// What lint says of the records. Where none is meant for MTA-STS (any TXT record may turn up
    /// here, by a wildcard), only what looks like a failed attempt at one.
    fn record_diagnostics(&self) -> Vec<Diagnostic> {
        let records = self.joined_records();
        if records.is_empty() {
            return Vec::new();
        }
        let report = lint::records(records.iter().map(|record| [record]));
        let mut found = report.diagnostics;
        if report.verdict == Err(SelectionError::Absent) {
            found.retain(|d| !matches!(d.code, "not_sts" | "other_record" | "stray_record"));
        }
        found
    }

    /// Whether there is no record that counts, and what is there was clearly meant to be one.
    pub(super) fn has_near_miss(&self) -> bool {
        let records = self.joined_records();
        let counts = mta_sts::record::select(records.iter().map(|record| [record]));
        counts == Err(SelectionError::Absent)
            && lint::worst(&self.record_diagnostics()) == Some(Severity::Error)
    }
}
