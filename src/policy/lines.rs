//! The text as lines and fields: what the grammar says of any field, known or not.

use super::{Profile, Tolerance, ToleranceKind};
use crate::error::{Place, PolicyError};
use crate::mx::MxPattern;

const BYTE_ORDER_MARK: char = '\u{feff}';
/// Characters of a field name (RFC 8461 §3.2: sts-policy-ext-name).
const MAX_NAME: usize = 32;

/// Splits on LF and CRLF, and nothing else. The end of the last line may be missing.
#[derive(Clone)]
struct Lines<'a>(&'a str);

impl<'a> Iterator for Lines<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        if self.0.is_empty() {
            return None;
        }
        // RFC 8461 §3.2: sts-policy-term = LF / CRLF.
        let Some((line, rest)) = self.0.split_once('\n') else {
            return Some(core::mem::take(&mut self.0));
        };
        self.0 = rest;
        Some(line.strip_suffix('\r').unwrap_or(line))
    }
}

/// A field of the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field<'a> {
    /// A field `mx`.
    Mx(MxPattern<'a>),
    /// Any other. Its value may hold control characters yet: whoever knows what the value is to be
    /// need not look for those apart.
    Other(Pair<'a>),
}

/// Name, colon, value without the white space around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pair<'a> {
    pub(super) name: &'a str,
    pub(super) value: &'a str,
}

/// The fields of a text, as the profile admits them.
pub(super) struct Fields<'a> {
    text: &'a str,
    lines: Lines<'a>,
    profile: Profile,
}

impl<'a> Fields<'a> {
    pub(super) const fn new(text: &'a str, profile: Profile) -> Self {
        Self { text, lines: Lines(text), profile }
    }

    /// The line without what the tolerant profile overlooks; empty where nothing is left.
    fn admit(&self, mut line: &'a str) -> Result<&'a str, PolicyError> {
        let tolerant = self.profile == Profile::Tolerant;
        let is_first = line.as_ptr() == self.text.as_ptr();
        let marked = if is_first { line.strip_prefix(BYTE_ORDER_MARK) } else { None };
        if let Some(rest) = marked {
            if !tolerant {
                return Err(PolicyError::ByteOrderMark { at: place(self.text, line) });
            }
            line = rest;
        }
        let rest = trim_start(line);
        if !tolerant && rest.is_empty() {
            return Err(PolicyError::BlankLine { at: place(self.text, line) });
        }
        if !tolerant && rest.len() < line.len() {
            return Err(PolicyError::LeadingSpace { at: place(self.text, line) });
        }
        Ok(rest)
    }

    fn field(&self, line: &'a str) -> Result<Field<'a>, PolicyError> {
        let pair = pair(self.text, line)?;
        if pair.name != "mx" {
            return Ok(Field::Other(pair));
        }
        MxPattern::parse(pair.value, self.profile).map(Field::Mx).map_err(|error| {
            let wrong = PolicyError::Mx { error, at: place(self.text, pair.value) };
            check_controls(self.text, pair.value).err().unwrap_or(wrong)
        })
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, PolicyError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let line = self.lines.next()?;
            match self.admit(line) {
                Ok("") => {}
                Ok(line) => return Some(self.field(line)),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// Reads a line of the text.
fn pair<'a>(text: &'a str, line: &'a str) -> Result<Pair<'a>, PolicyError> {
    let name_end = line.bytes().position(|b| !is_name_character(b)).unwrap_or(line.len());
    let (name, rest) = line.split_at_checked(name_end).unwrap_or((line, ""));
    let Some(after_colon) = rest.strip_prefix(':') else {
        let at = place(text, rest);
        return Err(if line.contains(':') {
            PolicyError::FieldName { at }
        } else {
            PolicyError::MissingColon { at }
        });
    };
    // RFC 8461 §3.2: a name begins with a letter or digit and has at most 32 characters.
    if !name.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric()) {
        return Err(PolicyError::FieldName { at: place(text, name) });
    }
    if let Some(more) = name.get(MAX_NAME..).filter(|more| !more.is_empty()) {
        return Err(PolicyError::FieldName { at: place(text, more) });
    }
    // RFC 8461 §3.2: white space may follow the colon and the value.
    Ok(Pair { name, value: trim_end(trim_start(after_colon)) })
}

/// RFC 8461 §3.2: a value has no control characters.
///
/// # Errors
/// The first of them.
pub(super) fn check_controls(text: &str, value: &str) -> Result<(), PolicyError> {
    match value.char_indices().find(|(_, c)| c.is_ascii_control()) {
        None => Ok(()),
        Some((octet, found)) => {
            let at = place(text, value.get(octet..).unwrap_or_default());
            Err(PolicyError::Control { found, at })
        }
    }
}

/// The place of a part in the text that it is a part of.
#[cold]
pub(super) fn place(text: &str, part: &str) -> Place {
    let before = part.as_ptr().addr().saturating_sub(text.as_ptr().addr());
    place_after(text.as_bytes().get(..before).unwrap_or_default())
}

/// The place of what follows these octets.
pub(super) fn place_after(octets: &[u8]) -> Place {
    let line = octets.split(|b| *b == b'\n').count();
    let in_line = octets.rsplit(|b| *b == b'\n').next().unwrap_or_default();
    // Octets that continue a character are not counted.
    let column = in_line.iter().filter(|b| (**b & 0xc0) != 0x80).count().saturating_add(1);
    Place { line, column }
}

const fn is_name_character(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || matches!(octet, b'_' | b'-' | b'.')
}

/// RFC 5234 §B.1: WSP.
const SPACE: [char; 2] = [' ', '\t'];

fn trim_start(text: &str) -> &str {
    text.trim_start_matches(SPACE)
}

fn trim_end(text: &str) -> &str {
    text.trim_end_matches(SPACE)
}

/// Every departure from the grammar in a text that the tolerant profile has taken.
pub(super) fn tolerances(text: &str) -> impl Iterator<Item = Tolerance> + '_ {
    Lines(text).zip(1..).flat_map(|(line, number)| {
        let body = line.strip_prefix(BYTE_ORDER_MARK).filter(|_| number == 1).unwrap_or(line);
        let inner = trim_start(body);
        let blank = inner.is_empty();
        let indented = !blank && inner.len() < body.len();
        let mx = pair(line, inner).ok().filter(|pair| pair.name == "mx").map(|mx| mx.value);
        // Counted from the line, and not from the text: there may be as many as there are lines.
        let at = |found: bool, kind, part: &str| {
            let at = Place { line: number, ..place(line, part) };
            found.then_some(Tolerance { kind, at })
        };
        let dotted = mx.and_then(|value| value.get(value.len().checked_sub(1)?..));
        let underscored = mx.and_then(|value| value.get(value.find('_')?..));
        [
            at(body.len() < line.len(), ToleranceKind::ByteOrderMark, line),
            at(blank, ToleranceKind::BlankLine, body),
            at(indented, ToleranceKind::LeadingSpace, body),
            at(dotted == Some("."), ToleranceKind::TrailingDot, dotted.unwrap_or(line)),
            at(underscored.is_some(), ToleranceKind::Underscore, underscored.unwrap_or(line)),
        ]
        .into_iter()
        .flatten()
    })
}
