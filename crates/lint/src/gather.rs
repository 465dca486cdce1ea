//! Faults that come by the dozen: the first of each, with the number of the others.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::{Code, Diagnostic, Severity, Source};
use mta_sts::Place;
use mta_sts::{PolicyRef, ToleranceKind};

/// What the tolerant profile overlooks in the policy.
pub(super) fn tolerances(policy: PolicyRef<'_>) -> Vec<Diagnostic> {
    let mut kinds: Vec<(ToleranceKind, Place, usize)> = Vec::new();
    for tolerance in policy.tolerances() {
        match kinds.iter_mut().find(|(kind, ..)| *kind == tolerance.kind) {
            Some((.., more)) => *more = more.saturating_add(1),
            None => kinds.push((tolerance.kind, tolerance.at, 0)),
        }
    }
    kinds.into_iter().map(|(kind, at, more)| tolerance(kind, at, more)).collect()
}

fn tolerance(kind: ToleranceKind, at: Place, more: usize) -> Diagnostic {
    let (code, message, help) = match kind {
        ToleranceKind::ByteOrderMark => (
            Code::ByteOrderMark,
            "a byte order mark stands before the text",
            "save the file as UTF-8 without a byte order mark",
        ),
        ToleranceKind::BlankLine => (Code::BlankLine, "a blank line", "remove it"),
        ToleranceKind::LeadingSpace => (
            Code::LeadingSpace,
            "white space stands before the field name",
            "begin the line with the name",
        ),
        ToleranceKind::TrailingDot => {
            (Code::TrailingDot, "a dot at the end of the name", "remove the dot")
        }
        ToleranceKind::Underscore => {
            (Code::Underscore, "`_` cannot stand in a host name", "give the MX host another name")
        }
    };
    let length = usize::from(kind != ToleranceKind::BlankLine);
    let message = format!("{message}: a sender that is strict refuses the policy");
    Diagnostic::new(Severity::Warning, code, Source::Policy, and_more(message, more))
        .at(at, length)
        .help(help)
}

/// Keeps the first of the faults that say the same, with the number of the others.
pub(super) fn together(diagnostics: &mut Vec<Diagnostic>) {
    const KINDS: [&str; 3] = ["comment", "yaml", "bad_syntax"];
    diagnostics.sort_by_key(|d| (d.at.is_none(), d.at));
    // A message that quotes nothing says the same wherever it stands.
    let mut counts: BTreeMap<&'static str, BTreeMap<String, usize>> = BTreeMap::new();
    diagnostics.retain(|diagnostic| {
        if !KINDS.contains(&diagnostic.code) {
            return true;
        }
        let counts = counts.entry(diagnostic.code).or_default();
        if let Some(more) = counts.get_mut(diagnostic.message.as_str()) {
            *more = more.saturating_add(1);
            return false;
        }
        counts.insert(diagnostic.message.clone(), 0);
        true
    });
    for diagnostic in diagnostics {
        let more = counts.get(diagnostic.code).and_then(|c| c.get(diagnostic.message.as_str()));
        let more = more.copied().unwrap_or_default();
        diagnostic.message = and_more(core::mem::take(&mut diagnostic.message), more);
    }
}

fn and_more(message: String, more: usize) -> String {
    match more {
        0 => message,
        1 => format!("{message} (1 more line like it)"),
        _ => format!("{message} ({more} more lines like it)"),
    }
}
