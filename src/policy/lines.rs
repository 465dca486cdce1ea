//! The text as lines and fields: what the grammar says of any field, known or not.

use super::{Profile, Tolerance, ToleranceKind};
use crate::error::{Place, PolicyError};

const BYTE_ORDER_MARK: char = '\u{feff}';
/// Characters of a field name (RFC 8461 §3.2: sts-policy-ext-name).
const MAX_NAME: usize = 32;

/// A line without its end.
#[derive(Clone, Copy)]
struct Line<'a> {
    number: usize,
    text: &'a str,
    /// Characters that stood before `text` in the line.
    skipped: usize,
}

impl Line<'_> {
    fn place(self, octet: usize) -> Place {
        let before = self.text.get(..octet).unwrap_or(self.text).chars().count();
        Place { line: self.number, column: before.saturating_add(self.skipped).saturating_add(1) }
    }
}

/// Splits on LF and CRLF, and nothing else. The end of the last line may be missing.
#[derive(Clone)]
struct Lines<'a> {
    rest: &'a str,
    number: usize,
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        // RFC 8461 §3.2: sts-policy-term = LF / CRLF.
        let (text, rest) = match self.rest.split_once('\n') {
            Some((text, rest)) => (text.strip_suffix('\r').unwrap_or(text), rest),
            None => (self.rest, ""),
        };
        self.rest = rest;
        self.number = self.number.saturating_add(1);
        Some(Line { number: self.number, text, skipped: 0 })
    }
}

/// A field of the policy: name, colon, value without the white space around it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field<'a> {
    pub(super) name: &'a str,
    pub(super) value: &'a str,
    /// The place of the value.
    pub(super) at: Place,
}

/// The fields of a text, as the profile admits them.
pub(super) struct Fields<'a> {
    lines: Lines<'a>,
    profile: Profile,
}

impl<'a> Fields<'a> {
    pub(super) fn new(text: &'a str, profile: Profile) -> Self {
        Self { lines: Lines { rest: text, number: 0 }, profile }
    }

    /// The line without what the tolerant profile overlooks; `None` where nothing is left.
    fn admit(&self, mut line: Line<'a>) -> Result<Option<Line<'a>>, PolicyError> {
        let tolerant = self.profile == Profile::Tolerant;
        let at = line.place(0);
        if let Some(text) = line.text.strip_prefix(BYTE_ORDER_MARK).filter(|_| line.number == 1) {
            if !tolerant {
                return Err(PolicyError::ByteOrderMark { at });
            }
            line = Line { text, skipped: 1, ..line };
        }
        let text = line.text.trim_start_matches([' ', '\t']);
        if text.is_empty() {
            return if tolerant { Ok(None) } else { Err(PolicyError::BlankLine { at }) };
        }
        let spaces = line.text.len().saturating_sub(text.len());
        if spaces > 0 && !tolerant {
            return Err(PolicyError::LeadingSpace { at });
        }
        Ok(Some(Line { text, skipped: line.skipped.saturating_add(spaces), ..line }))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, PolicyError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let line = self.lines.next()?;
            match self.admit(line) {
                Ok(Some(line)) => return Some(field(line)),
                Ok(None) => {}
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

fn field(line: Line<'_>) -> Result<Field<'_>, PolicyError> {
    let name_end = line.text.find(|c: char| !is_name_character(c)).unwrap_or(line.text.len());
    let (name, rest) = line.text.split_at_checked(name_end).unwrap_or((line.text, ""));
    let Some(after_colon) = rest.strip_prefix(':') else {
        let at = line.place(name_end);
        return Err(if line.text.contains(':') {
            PolicyError::FieldName { at }
        } else {
            PolicyError::MissingColon { at }
        });
    };
    // RFC 8461 §3.2: a name begins with a letter or digit and has at most 32 characters.
    if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return Err(PolicyError::FieldName { at: line.place(0) });
    }
    if name.len() > MAX_NAME {
        return Err(PolicyError::FieldName { at: line.place(MAX_NAME) });
    }
    // RFC 8461 §3.2: white space may follow the colon and the value.
    let value = after_colon.trim_matches([' ', '\t']);
    let lead = after_colon.trim_start_matches([' ', '\t']);
    let start = line.text.len().saturating_sub(lead.len());
    if let Some((octet, found)) = value.char_indices().find(|(_, c)| c.is_ascii_control()) {
        return Err(PolicyError::Control { found, at: line.place(start.saturating_add(octet)) });
    }
    Ok(Field { name, value, at: line.place(start) })
}

fn is_name_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')
}

/// Every departure from the grammar in a text that the tolerant profile has taken.
pub(super) fn tolerances(text: &str) -> impl Iterator<Item = Tolerance> + '_ {
    Lines { rest: text, number: 0 }.flat_map(|line| {
        let mark = line.number == 1 && line.text.starts_with(BYTE_ORDER_MARK);
        let body = if mark { line.text.trim_start_matches(BYTE_ORDER_MARK) } else { line.text };
        let start = Line { text: body, skipped: usize::from(mark), ..line };
        let blank = body.trim_matches([' ', '\t']).is_empty();
        let indented = !blank && body.starts_with([' ', '\t']);
        let inner = body.trim_start_matches([' ', '\t']);
        let skipped = start.skipped.saturating_add(body.len().saturating_sub(inner.len()));
        let mx = field(Line { text: inner, skipped, ..line }).ok().filter(|f| f.name == "mx");
        let dotted = mx.filter(|f| f.value.ends_with('.'));
        let underscored = mx.filter(|f| f.value.contains('_'));
        let at_line = |found: bool, kind, at| found.then_some(Tolerance { kind, at });
        [
            at_line(mark, ToleranceKind::ByteOrderMark, line.place(0)),
            at_line(blank, ToleranceKind::BlankLine, start.place(0)),
            at_line(indented, ToleranceKind::LeadingSpace, start.place(0)),
            dotted.map(|f| Tolerance { kind: ToleranceKind::TrailingDot, at: last(f) }),
            underscored.map(|f| Tolerance { kind: ToleranceKind::Underscore, at: underscore(f) }),
        ]
        .into_iter()
        .flatten()
    })
}

fn last(field: Field<'_>) -> Place {
    let before = field.value.chars().count().saturating_sub(1);
    Place { column: field.at.column.saturating_add(before), ..field.at }
}

fn underscore(field: Field<'_>) -> Place {
    let before = field.value.chars().take_while(|c| *c != '_').count();
    Place { column: field.at.column.saturating_add(before), ..field.at }
}
