//! What is valid and still unwise in a policy.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::fields::Line;
use super::{Code, Diagnostic, Severity, Source, chars, hosts, nearly, quoted};
use mta_sts::DnsName;
use mta_sts::MxPattern;
use mta_sts::{MaxAge, Mode, Profile};

/// Seconds of a day.
const DAY: u64 = 86_400;

/// What the sound lines of a text say.
#[derive(Debug, Default)]
pub(super) struct Facts<'a> {
    pub(super) mode: Option<(Mode, Line<'a>)>,
    pub(super) max_age: Option<(u64, Line<'a>)>,
    pub(super) mx: Vec<Line<'a>>,
}

/// Everything there is to say of the facts.
pub(super) fn judge(facts: &Facts<'_>, diagnostics: &mut Vec<Diagnostic>) {
    let mode = facts.mode.as_ref().map(|(mode, _)| *mode);
    if let Some((mode, line)) = &facts.mode {
        diagnostics.extend(judge_mode(*mode, line));
    }
    if let Some((secs, line)) = &facts.max_age {
        diagnostics.extend(judge_max_age(*secs, mode, line));
    }
    if let Some(first) = facts.mx.first().filter(|_| mode == Some(Mode::None)) {
        diagnostics.push(
            new(Severity::Note, Code::NoneWithMx, first, "mode `none` has no use for `mx`")
                .help("the fields `mx` may be removed"),
        );
    }
    let mut seen = BTreeMap::new();
    for line in &facts.mx {
        diagnostics.extend(judge_mx(line, &mut seen));
    }
    covered(&facts.mx, &seen, diagnostics);
}

fn new(severity: Severity, code: Code, line: &Line<'_>, message: impl Into<String>) -> Diagnostic {
    Diagnostic::new(severity, code, Source::Policy, message)
        .at(line.value_place(), chars(line.value))
}

fn judge_mode(mode: Mode, line: &Line<'_>) -> Option<Diagnostic> {
    match mode {
        Mode::Enforce => None,
        Mode::Testing => Some(
            new(
                Severity::Note,
                Code::ModeTesting,
                line,
                "mode `testing` protects nothing: mail that fails is delivered and reported",
            )
            .help("write `mode: enforce` when the reports (TLSRPT) show no failures"),
        ),
        Mode::None => Some(
            new(
                Severity::Note,
                Code::ModeNone,
                line,
                "mode `none` says that the domain does without MTA-STS",
            )
            .help("keep it until every policy served before has expired, then remove it all"),
        ),
    }
}

fn judge_max_age(secs: u64, mode: Option<Mode>, line: &Line<'_>) -> Option<Diagnostic> {
    const TWO_WEEKS: u64 = 14_u64.saturating_mul(DAY);
    // RFC 8461 §3.3: senders may limit their fetches; "five minutes or longer" after one that
    // failed, and this library in general after the first few.
    const REFETCH: u64 = 300;
    let longest = u64::from(MaxAge::LONGEST.as_secs());
    if secs > longest {
        let message = format!("`max_age` is more than {longest}, and read as that");
        let help = format!("write `max_age: {longest}`, about a year, or less");
        return Some(new(Severity::Warning, Code::MaxAgeCapped, line, message).help(help));
    }
    // RFC 8461 §8.3: before a removal the age is to be small.
    if mode == Some(Mode::None) {
        return None;
    }
    // RFC 8461 §3.2: "typically be in the range of weeks or greater".
    if secs < REFETCH {
        let message = match secs {
            0 => {
                "a policy for no time at all protects nothing: it has expired when it comes".into()
            }
            _ => format!(
                "a policy for {secs} seconds leaves gaps: a sender that limits its fetches, to one \
                 in {REFETCH} seconds, is without a policy between them"
            ),
        };
        return Some(
            new(Severity::Warning, Code::MaxAgeUnderDay, line, message)
                .help("write `max_age: 86400` while testing, `max_age: 1209600` or more after"),
        );
    }
    if secs < DAY {
        let message = "a policy for less than a day hardly protects: whoever blocks its refresh \
                       is soon rid of it";
        return Some(
            new(Severity::Warning, Code::MaxAgeUnderDay, line, message)
                .help("write `max_age: 86400` while testing, `max_age: 1209600` or more after"),
        );
    }
    (secs < TWO_WEEKS && mode == Some(Mode::Enforce)).then(|| {
        let message = "`enforce` for less than two weeks: an attacker need not wait long";
        new(Severity::Note, Code::MaxAgeUnderWeeks, line, message)
            .help("write `max_age: 1209600`, two weeks, or more when the MX hosts are settled")
    })
}

/// The patterns in the form in which they are compared, and where each stood first.
type Seen = BTreeMap<String, usize>;

fn judge_mx(line: &Line<'_>, seen: &mut Seen) -> Option<Diagnostic> {
    let pattern = MxPattern::parse(line.value, Profile::Tolerant).ok()?;
    let key = pattern.as_str().to_ascii_lowercase();
    if let Some(first) = seen.get(&key) {
        let message = format!("the pattern stands in line {first} already");
        return Some(
            new(Severity::Warning, Code::DuplicatePattern, line, message).help("remove the line"),
        );
    }
    seen.insert(key, line.number);
    let name = pattern.as_str();
    let name = name.strip_prefix("*.").unwrap_or(name);
    if name.parse::<core::net::IpAddr>().is_ok() {
        let message = "an address: MX hosts have names, so it matches none";
        return Some(
            new(Severity::Warning, Code::AddressAsMx, line, message)
                .help("write the name that the MX record holds"),
        );
    }
    if let Err(error) = DnsName::parse(name) {
        let message = format!("no host can have this name, so it matches none: {error}");
        return Some(
            new(Severity::Warning, Code::DeadPattern, line, message)
                .help("write the name that the MX record holds"),
        );
    }
    if nearly::is_placeholder(name) || hosts::is_example(name) {
        let template = nearly::is_placeholder(name);
        let severity = if template { Severity::Warning } else { Severity::Note };
        let message = format!("{} is the name of an example or a template", quoted(name));
        return Some(
            new(severity, Code::Placeholder, line, message)
                .help("write the name that your MX record holds"),
        );
    }
    if pattern.is_wildcard() { wildcard(name, line) } else { single_label(name, line) }
}

fn single_label(name: &str, line: &Line<'_>) -> Option<Diagnostic> {
    (!name.contains('.')).then(|| {
        let message = format!("{} is a name without a domain", quoted(name));
        new(Severity::Warning, Code::SingleLabel, line, message)
            .help("write it in full, as the MX record holds it")
    })
}

fn wildcard(parent: &str, line: &Line<'_>) -> Option<Diagnostic> {
    let help = "name the MX hosts one by one";
    if hosts::is_registry(parent) {
        let message = format!("the wildcard covers every domain directly below {}", quoted(parent));
        return Some(new(Severity::Warning, Code::BroadWildcard, line, message).help(help));
    }
    // RFC 8461 §10.4: whoever has a name below the domain is a valid MX host.
    hosts::is_shared(parent).then(|| {
        let message = format!(
            "{} has hosts of many: the wildcard covers those of strangers, and none that is \
             more than one label deep",
            quoted(parent)
        );
        new(Severity::Warning, Code::SharedWildcard, line, message).help(help)
    })
}

/// Patterns that a wildcard of the same policy covers.
fn covered(mx: &[Line<'_>], seen: &Seen, diagnostics: &mut Vec<Diagnostic>) {
    for line in mx {
        let key = line.value.trim_end_matches('.').to_ascii_lowercase();
        let stands_first = seen.get(&key) == Some(&line.number);
        let parent = key.split_once('.').map(|(_, parent)| format!("*.{parent}"));
        let Some(wildcard) = parent.filter(|_| stands_first && !key.starts_with('*')) else {
            continue;
        };
        if let Some(by) = seen.get(&wildcard).filter(|_| DnsName::parse(&key).is_ok()) {
            let message = format!("{} in line {by} covers this host", quoted(&wildcard));
            diagnostics.push(
                new(Severity::Note, Code::CoveredPattern, line, message)
                    .help("remove this line, or better the wildcard if every host is named"),
            );
        }
    }
}
