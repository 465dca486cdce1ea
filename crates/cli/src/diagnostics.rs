//! Diagnostics for people, with the line and a caret under the fault, and as JSON.

use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};
use mta_sts_lint::{Diagnostic, Severity, Source};
use mta_sts_terminal::text::{harmless, is_hidden};
use serde::Serialize;

/// A text that diagnostics are about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Text<'a> {
    pub(crate) source: Source,
    /// The file's name, or what it is.
    pub(crate) name: &'a str,
    pub(crate) lines: &'a [Line<'a>],
}

/// A line of a text: for records and MX hosts, one of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line<'a>(pub(crate) &'a [u8]);

impl<'a> Line<'a> {
    /// The lines of a file, split as the parser does.
    pub(crate) fn of_file(octets: &'a [u8]) -> Vec<Self> {
        let lines = octets.split(|octet| *octet == b'\n');
        lines.map(|line| Self(line.strip_suffix(b"\r").unwrap_or(line))).collect()
    }
}

/// Columns of the terminal that the excerpt of a long line may take.
const WIDTH: usize = 120;
/// Characters that are kept behind a fault: what the excerpt could show at most.
const BEHIND: usize = 2 * WIDTH;

/// The diagnostics as people read them.
pub(crate) fn human(diagnostics: &[Diagnostic], texts: &[Text<'_>]) -> String {
    let renderer = Renderer::styled().decor_style(DecorStyle::Ascii).term_width(WIDTH);
    let mut out = String::new();
    for diagnostic in diagnostics {
        let level = match diagnostic.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
            Severity::Note => Level::NOTE,
        };
        let title = level.primary_title(&diagnostic.message).id(diagnostic.code);
        let help = diagnostic.help.as_ref().map(|help| Level::HELP.message(help));
        let text = texts.iter().find(|text| text.source == diagnostic.source);
        let group = match text.and_then(|text| Some((text, Excerpt::of(diagnostic, text)?))) {
            Some((text, excerpt)) => {
                let annotation = AnnotationKind::Primary.span(excerpt.span);
                let snippet = Snippet::source(excerpt.line)
                    .path(harmless(text.name))
                    .line_start(excerpt.number)
                    .annotation(annotation);
                title.element(snippet)
            }
            None => title.elements(text.map(|text| Origin::path(harmless(text.name)))),
        };
        out.push_str(&renderer.render(&[group.elements(help)]));
        out.push_str("\n\n");
    }
    out
}

/// The line of a fault.
struct Excerpt {
    number: usize,
    line: String,
    /// What to underline, in octets of `line`.
    span: Range<usize>,
}

impl Excerpt {
    fn of(diagnostic: &Diagnostic, text: &Text<'_>) -> Option<Self> {
        let at = diagnostic.at?;
        let whole = text.lines.get(at.line.checked_sub(1)?)?;
        // Columns of a record count octets; up to its first fault these are characters.
        let start = at.column.saturating_sub(1);
        let end = start.saturating_add(diagnostic.length);
        let whole = String::from_utf8_lossy(whole.0);
        let line: String = whole.chars().take(end.saturating_add(BEHIND)).map(visible).collect();
        let octets = |chars: usize| line.char_indices().nth(chars).map_or(line.len(), |(at, _)| at);
        Some(Self { number: at.line, span: octets(start)..octets(end), line })
    }
}

/// A character that takes a place of its own and cannot steer a terminal. To escape it here would
/// move the columns of all that stands behind it.
fn visible(c: char) -> char {
    match c {
        '\t' => ' ',
        c if is_hidden(c) => '\u{fffd}',
        c => c,
    }
}

/// A diagnostic as JSON.
#[derive(Debug, Serialize)]
pub(crate) struct Json<'a> {
    severity: &'static str,
    code: &'static str,
    source: &'static str,
    line: Option<usize>,
    column: Option<usize>,
    message: &'a str,
    help: Option<&'a str>,
}

impl<'a> From<&'a Diagnostic> for Json<'a> {
    fn from(diagnostic: &'a Diagnostic) -> Self {
        Self {
            severity: diagnostic.severity.as_str(),
            code: diagnostic.code,
            source: diagnostic.source.as_str(),
            line: diagnostic.at.map(|at| at.line),
            column: diagnostic.at.map(|at| at.column),
            message: &diagnostic.message,
            help: diagnostic.help.as_deref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use mta_sts::Profile;
    use mta_sts_lint as lint;

    use super::*;

    #[test]
    fn err_an_excerpt_hides_and_obeys_nothing_and_keeps_its_columns() {
        let hidden = "\u{61c}\u{ad}\u{2028}\u{2029}\u{202e}\u{a0}\u{feff}\u{1b}\u{9b}\u{e0041}";
        let policy = format!("version: STSv1\nmode: {hidden}x\n");
        let report = lint::policy(policy.as_bytes(), Profile::Tolerant);
        let lines = Line::of_file(policy.as_bytes());
        let texts = [Text { source: Source::Policy, name: "pol\u{61c}icy", lines: &lines }];
        let plain = anstream::adapter::strip_str(&human(&report.diagnostics, &texts)).to_string();
        let seen = plain.chars().filter(|c| *c != '\n' && is_hidden(*c)).count();
        assert_eq!(seen, 0, "{plain:?}");
        // One place each, so what is behind stays in its column.
        let shown = format!("mode: {}x", "\u{fffd}".repeat(hidden.chars().count()));
        assert!(plain.contains(&shown), "{plain}");
        let column = 7 + hidden.chars().position(|c| c == '\u{1b}').unwrap();
        assert!(plain.contains(&format!("--> pol\\u{{61c}}icy:2:{column}\n")), "{plain}");
    }
}
