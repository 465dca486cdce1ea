//! The faults of a policy's lines in words, with what to write instead.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::fields::Line;
use super::{Code, Diagnostic, Severity, Source, chars, hosts, nearly, quoted};
use mta_sts::DnsName;
use mta_sts::MxPattern;
use mta_sts::Profile;
use mta_sts::{MxPatternError, PolicyError};

/// The fault that the parser finds in `line`, explained.
pub(super) fn fault(line: &Line<'_>, error: &PolicyError) -> Diagnostic {
    let at = error.at().unwrap_or_else(|| line.start_place());
    let value = chars(line.value);
    let new = |message: String| {
        Diagnostic::new(Severity::Error, error.code(), Source::Policy, message).at(at, 1)
    };
    if let Some(diagnostic) = swallowed(line, error) {
        return diagnostic;
    }
    match error {
        PolicyError::Version { .. } => {
            let found = expected("`STSv1`, exactly", line);
            new(found).at(at, value).help("write `version: STSv1`")
        }
        PolicyError::Mode { .. } => mode(line, new(String::new()).at(at, value)),
        PolicyError::MaxAge { .. } => {
            max_age(line, new(String::new()).at(line.value_place(), value))
        }
        PolicyError::Mx { error, .. } => mx(line, *error, new(String::new()).at(at, value)),
        PolicyError::ByteOrderMark { .. } => new("a byte order mark stands before the text".into())
            .help("save the file as UTF-8 without a byte order mark"),
        PolicyError::BlankLine { .. } => {
            new("a blank line; in a policy each line is a field".into()).at(at, 0).help("remove it")
        }
        PolicyError::LeadingSpace { .. } => new("white space stands before the field name".into())
            .at(at, line.start.saturating_sub(at.column))
            .help("begin the line with the name"),
        PolicyError::EmptyValue { .. } => {
            let name = quoted(line.name.unwrap_or_default());
            new(format!("the field {name} has no value"))
                .at(at, 0)
                .help("give it a value, or remove the line")
        }
        PolicyError::Control { found, .. } => {
            let help = match found {
                '\r' => "end lines with LF or CRLF, and have CR nowhere else",
                '\t' => "a tab may stand before and behind a value, but not within: write a space",
                _ => "remove it",
            };
            new(format!("the control character U+{:04X} stands in a value", u32::from(*found)))
                .help(help)
        }
        PolicyError::MissingColon { .. } => not_a_field(line, new(String::new())),
        PolicyError::FieldName { .. } => field_name(line, new(String::new())),
        // Of the whole text, not of a line.
        other => new(other.to_string()),
    }
}

/// Another field, or text of a template, in a value.
fn swallowed(line: &Line<'_>, error: &PolicyError) -> Option<Diagnostic> {
    use PolicyError::{MaxAge, Mode, Mx, Version};
    if !matches!(error, Version { .. } | Mode { .. } | MaxAge { .. } | Mx { .. }) {
        return None;
    }
    let name = fields_within(line.value).next()?;
    let found = format!("`{name}:` stands in the line of `{}`", line.name.unwrap_or_default());
    let diagnostic = Diagnostic::new(Severity::Error, error.code(), Source::Policy, found);
    let help = format!("each field has a line of its own: end the line before `{name}:`");
    Some(diagnostic.at(line.value_place(), chars(line.value)).help(help))
}

/// The RFC's fields that stand, with their colon, within a text.
pub(super) fn fields_within(text: &str) -> impl Iterator<Item = &'static str> + '_ {
    nearly::FIELDS.into_iter().filter(|field| {
        text.match_indices(field).any(|(at, name)| {
            let after = text.get(at.saturating_add(name.len())..).unwrap_or_default();
            let before = text.get(..at).unwrap_or_default();
            let joined = before.ends_with(|c: char| c.is_ascii_alphabetic() || "_-.".contains(c));
            after.starts_with(':') && (!joined || *field != "mx")
        })
    })
}

fn mode(line: &Line<'_>, diagnostic: Diagnostic) -> Diagnostic {
    let message = expected("`enforce`, `testing` or `none`", line);
    let template = nearly::is_placeholder(line.value) && !line.value.starts_with('#');
    let help = match nearly::mode(line.value) {
        _ if template && line.value.contains('|') => "choose one: this is a template".to_string(),
        Some(mode) => format!("write `mode: {mode}`{}", why_bare(line.value)),
        None if template => "this is a template that was not filled in: write `mode: testing` or \
                             `mode: enforce`"
            .to_string(),
        None => "write `mode: testing` to begin with, `mode: enforce` when it has proved itself"
            .to_string(),
    };
    Diagnostic { message, ..diagnostic }.help(help)
}

fn max_age(line: &Line<'_>, diagnostic: Diagnostic) -> Diagnostic {
    let message = expected("1 to 10 digits, seconds", line);
    let help = match nearly::seconds(line.value).filter(|secs| *secs <= 9_999_999_999) {
        Some(secs) => format!("write `max_age: {secs}`{}", why_bare(line.value)),
        None if line.value.starts_with('-') => {
            "an age cannot be negative: write `max_age: 1209600` for two weeks".to_string()
        }
        None => "write `max_age: 1209600` for two weeks; at most 31557600".to_string(),
    };
    Diagnostic { message, ..diagnostic }.help(help)
}

fn mx(line: &Line<'_>, error: MxPatternError, diagnostic: Diagnostic) -> Diagnostic {
    let value = line.value;
    if value.is_empty() {
        let message = "expected a host name after `mx:`, found nothing".into();
        let help = "write the name of an MX host, or remove the line";
        return Diagnostic { message, ..diagnostic }.help(help);
    }
    let what = match error {
        MxPatternError::Wildcard => "`*` only as the whole left-most label",
        MxPatternError::Hyphen => "labels that neither begin nor end with a hyphen",
        MxPatternError::EmptyLabel => "a label on either side of each dot",
        _ => "a host name or `*.` and a domain",
    };
    let message = expected(what, line);
    Diagnostic { message, ..diagnostic }.help(mx_help(value, error))
}

fn mx_help(value: &str, error: MxPatternError) -> String {
    let bare = nearly::bare(value);
    if nearly::is_placeholder(value) || nearly::is_placeholder(bare) {
        return "this is a template that was not filled in: write the name of an MX host".into();
    }
    if bare.parse::<core::net::IpAddr>().is_ok() {
        return "name the host: an address matches no MX host".into();
    }
    if bare.contains(|c: char| c.is_alphabetic() && !c.is_ascii()) {
        return match a_labels(bare) {
            Some(name) => format!("write the name in A-labels: `mx: {name}`"),
            None => "write the name in A-labels (`xn--…`)".into(),
        };
    }
    let is_host = |text: &str| {
        text.contains('.') && MxPattern::parse(text, Profile::Strict).is_ok() && is_live(text)
    };
    let separators = |c: char| !(c.is_ascii_alphanumeric() || "-_.*".contains(c));
    let hosts: Vec<&str> = bare
        .split(separators)
        .map(|word| word.trim_matches('.'))
        .filter(|word| is_host(word))
        .take(4)
        .collect();
    match hosts.as_slice() {
        [host] => format!("write `mx: {host}`{}", why_bare(value)),
        [first, second, ..] => {
            format!("write each host in a line of its own: `mx: {first}`, `mx: {second}`, …")
        }
        [] if error == MxPatternError::Wildcard => {
            let parent = bare.rsplit_once('*').map_or("", |(_, rest)| rest);
            let parent = parent.split_once('.').map_or("", |(_, rest)| rest);
            if !parent.is_empty() && (hosts::is_shared(parent) || hosts::is_registry(parent)) {
                "name each host in a line of its own".into()
            } else if parent.is_empty() {
                "no pattern matches every host: name each, or write `*.` and their domain".into()
            } else {
                format!("name each host, or write {} if you trust all of it", star(parent))
            }
        }
        [] if bare.contains('_') => {
            "`_` cannot stand in a host name: give the MX host another name".into()
        }
        [] => "write the name of an MX host, such as `mx: mail.example.org`".into(),
    }
}

/// The name in A-labels. The conversion takes more than linear time, so that what is too long to
/// be a name is not put to it.
fn a_labels(text: &str) -> Option<DnsName> {
    // An A-label has no fewer octets than its U-label has characters, of 4 octets at most.
    const MAX_OCTETS: usize = 4 * 253;
    (text.len() <= MAX_OCTETS).then(|| DnsName::parse(text).ok())?
}

fn is_live(text: &str) -> bool {
    DnsName::parse(text.strip_prefix("*.").unwrap_or(text)).is_ok()
}

fn star(parent: &str) -> String {
    quoted(&format!("*.{parent}"))
}

/// A line without a colon.
fn not_a_field(line: &Line<'_>, diagnostic: Diagnostic) -> Diagnostic {
    let text = line.text.trim_end();
    let diagnostic = diagnostic.at(line.start_place(), chars(text));
    if let Some((name, value)) = text.split_once('=') {
        if let Some(field) = nearly::field(name.trim()) {
            let message = format!("expected `:` after `{field}`, found `=`");
            let value = quoted(&format!("{field}: {}", value.trim()));
            return Diagnostic { message, ..diagnostic }.help(format!("write {value}"));
        }
    }
    if let Some((name, value)) = text.split_once(['：', ' ', '\t', ';', '\u{a0}']) {
        if let Some(field) = nearly::field(name) {
            let message = format!("expected `:` after {}", quoted(name));
            let value = quoted(&format!("{field}: {}", value.trim()));
            return Diagnostic { message, ..diagnostic }.help(format!("write {value}"));
        }
    }
    let message = format!("expected a field `name: value`, found {}", quoted(text));
    let help = match nearly::field(text) {
        Some(field) => format!("write `{field}: ` and a value"),
        None => "remove the line".to_string(),
    };
    Diagnostic { message, ..diagnostic }.help(help)
}

/// What stands before the colon is no field name.
fn field_name(line: &Line<'_>, diagnostic: Diagnostic) -> Diagnostic {
    let name = line.name.unwrap_or_default();
    let found = if name.is_empty() { "nothing".to_string() } else { quoted(name) };
    let message = format!("expected a field name before the colon, found {found}");
    let word = name.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let first = word.split_ascii_whitespace().next().unwrap_or_default();
    let help = match nearly::field(word).or_else(|| nearly::field(first)) {
        Some(_) if name.contains(nearly::is_invisible) => {
            "remove the invisible character before the colon".to_string()
        }
        Some(field) => format!("write `{field}: ` and the value"),
        None => "remove the line; a name has 1 to 32 letters, digits, `_`, `-`, `.`".to_string(),
    };
    Diagnostic { message, ..diagnostic }.at(line.start_place(), chars(name).max(1)).help(help)
}

fn expected(what: &str, line: &Line<'_>) -> String {
    match line.value {
        "" => format!("expected {what}, found nothing"),
        value => format!("expected {what}, found {}", quoted(value)),
    }
}

/// Why a suggestion is shorter than the value.
fn why_bare(value: &str) -> &'static str {
    if value.contains(" #") || value.contains("\t#") || value.contains(" //") {
        ": a policy has no comments"
    } else if value.contains(nearly::is_invisible) {
        ": an invisible character is part of the value"
    } else {
        ""
    }
}

/// A run of lines that begin like comments.
pub(super) fn comment(line: &Line<'_>) -> Option<Diagnostic> {
    let marks = ["#", "//", ";", "/*", "--", "<!--"];
    let text = line.text.trim_end();
    // A line around PEM is none: whoever has published a key must hear of that.
    let is_comment = marks.iter().any(|mark| text.starts_with(mark)) && !text.starts_with("-----");
    is_comment.then(|| {
        let message = "a line of comment; a policy has none";
        Diagnostic::new(Severity::Error, Code::Comment, Source::Policy, message)
            .at(line.start_place(), chars(text))
            .help("remove it: one such line makes the whole policy invalid")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "idna")]
    #[test]
    fn ok_only_what_can_be_a_name_is_put_into_a_labels() {
        let name = a_labels("mx.müller.test").unwrap();
        assert_eq!(name.as_str(), "mx.xn--mller-kva.test");
        // A soft hyphen is left out of the A-label: the text would be a name, were it not so long.
        let padded = |count: usize| format!("m{}ü.test", "\u{ad}".repeat(count));
        assert!(a_labels(&padded(400)).is_some());
        assert_eq!(a_labels(&padded(40_000)), None);
    }
}
