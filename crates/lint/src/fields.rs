//! The lines of a policy text, each with the parser's own judgement of it.

use alloc::string::String;
use core::fmt::Write;

use mta_sts::{Place, PolicyError};
use mta_sts::{PolicyRef, Profile};

/// A line of the text.
#[derive(Debug, Clone)]
pub(super) struct Line<'a> {
    /// Counted from 1.
    pub(super) number: usize,
    /// Without its end, without what the tolerant profile overlooks at its start.
    pub(super) text: &'a str,
    /// What stands before a colon, if there is one.
    pub(super) name: Option<&'a str>,
    /// What stands after it, without the white space around.
    pub(super) value: &'a str,
    /// The column of the value.
    pub(super) column: usize,
    /// The column of the first character of `text`.
    pub(super) start: usize,
    /// What the parser says of the line: the error, with the place in the whole text.
    pub(super) fault: Option<PolicyError>,
    /// A field that may stand once, and stood before.
    pub(super) repeated: bool,
}

impl Line<'_> {
    /// The place of `column`.
    pub(super) fn place(&self, column: usize) -> Place {
        Place { line: self.number, column }
    }

    /// The place of the value.
    pub(super) fn value_place(&self) -> Place {
        self.place(self.column)
    }

    /// The place of the first character.
    pub(super) fn start_place(&self) -> Place {
        self.place(self.start)
    }
}

/// Reads every line of `text`. No line's fault hides another's.
pub(super) fn lines(text: &str, profile: Profile) -> impl Iterator<Item = Line<'_>> {
    let mut judge = LineJudge { profile, seen: [false; 3], buffer: String::new() };
    text.split_inclusive('\n').zip(1_usize..).map(move |(raw, number)| {
        let ended = raw.strip_suffix('\n').map_or(raw, |l| l.strip_suffix('\r').unwrap_or(l));
        let marked = if number == 1 { ended.strip_prefix('\u{feff}') } else { None };
        let text = marked.unwrap_or(ended).trim_start_matches([' ', '\t']);
        let before = |rest: &str| {
            let octets = ended.len().saturating_sub(rest.len());
            super::chars(ended.get(..octets).unwrap_or_default()).saturating_add(1)
        };
        let (name, rest) = match text.split_once(':') {
            Some((name, rest)) => (Some(name), rest),
            None => (None, ""),
        };
        let value = rest.trim_start_matches([' ', '\t']);
        let column = match name {
            Some(_) => before(value),
            None => super::chars(ended).saturating_add(1),
        };
        let start = before(text);
        let value = value.trim_end_matches([' ', '\t']);
        let (fault, repeated) = judge.judge(raw, name, number);
        Line { number, text, name, value, column, start, fault, repeated }
    })
}

/// Puts each line to the parser, in the company of what a line can depend on: whether it is the
/// first, and which of the fields that count once have been there. So there is one grammar.
struct LineJudge {
    profile: Profile,
    seen: [bool; 3],
    buffer: String,
}

impl LineJudge {
    const ONCE: [&str; 3] = ["version: STSv1", "mode: none", "max_age: 1"];

    fn judge(
        &mut self,
        raw: &str,
        name: Option<&str>,
        number: usize,
    ) -> (Option<PolicyError>, bool) {
        self.buffer.clear();
        let company =
            Self::ONCE.into_iter().zip(self.seen).filter_map(|(l, seen)| seen.then_some(l));
        for line in company.chain((number > 1).then_some("x: x")) {
            // Writing to a string cannot fail.
            let _ = writeln!(self.buffer, "{line}");
        }
        self.buffer.push_str(raw);
        let fault = PolicyRef::parse(self.buffer.as_bytes(), self.profile).err();
        // The company has no fault of a line: what is without a place is missing in it.
        let fault = fault.filter(|error| error.at().is_some());
        let fault = fault.map(|error| moved(error, number));
        let mut repeated = false;
        for (line, seen) in Self::ONCE.into_iter().zip(&mut self.seen) {
            if line.split(':').next() == name {
                repeated = core::mem::replace(seen, true);
            }
        }
        (fault, repeated)
    }
}

/// The error with its place in line `line`.
fn moved(mut error: PolicyError, line: usize) -> PolicyError {
    use PolicyError as E;
    match &mut error {
        E::Encoding { at }
        | E::ByteOrderMark { at }
        | E::BlankLine { at }
        | E::LeadingSpace { at }
        | E::FieldName { at }
        | E::MissingColon { at }
        | E::EmptyValue { at }
        | E::Control { at, .. }
        | E::Version { at }
        | E::Mode { at }
        | E::MaxAge { at }
        | E::Mx { at, .. } => at.line = line,
        // The others are faults of the whole text.
        _ => {}
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    fn first_fault(text: &str, profile: Profile) -> Option<PolicyError> {
        lines(text, profile).find_map(|line| line.fault)
    }

    fn located(text: &str, profile: Profile) -> Option<PolicyError> {
        PolicyRef::parse(text.as_bytes(), profile).err().filter(|error| error.at().is_some())
    }

    #[test]
    fn ok_names_values_and_columns() {
        let text = "\u{feff}version:  STSv1 \r\n\tmx:ü.example\nnothing\n";
        let read: Vec<_> = lines(text, Profile::Tolerant)
            .map(|l| (l.number, l.name, l.value, l.start, l.column))
            .collect();
        assert_eq!(
            read,
            [
                (1, Some("version"), "STSv1", 2, 12),
                (2, Some("mx"), "ü.example", 2, 5),
                (3, None, "", 1, 8),
            ]
        );
    }

    #[test]
    fn err_a_fault_does_not_hide_the_next() {
        let text = "mode: x\nmode: \nmax_age: y\nmx: -\n\u{feff}version: STSv1\n\n";
        let faults: Vec<_> = lines(text, Profile::Tolerant)
            .filter_map(|l| l.fault.map(|f| (l.number, f.code(), f.at())))
            .collect();
        let at = |line, column| Some(Place { line, column });
        assert_eq!(
            faults,
            [
                (1, "bad_mode", at(1, 7)),
                (2, "bad_syntax", at(2, 7)),
                (3, "bad_max_age", at(3, 10)),
                (4, "bad_mx", at(4, 5)),
                (5, "bad_syntax", at(5, 1)),
            ]
        );
    }

    proptest! {
        #[test]
        fn ok_the_first_fault_is_the_parsers(
            parts in proptest::collection::vec(
                prop_oneof![
                    Just("version: STSv1"), Just("version: x"), Just("mode: enforce"),
                    Just("mode: x"), Just("mode:"), Just("mx: a.example"), Just("mx: a_b."),
                    Just("mx: -"), Just("max_age: 86400"), Just("max_age: 1 2"), Just("x: y"),
                    Just("x:"), Just(" "), Just("\t"), Just("\n"), Just("\r\n"), Just("\r"),
                    Just("\u{feff}"), Just("ü"), Just(":"), Just("\n"), Just("\n"),
                ],
                0..16,
            ),
            strict: bool,
        ) {
            let profile = if strict { Profile::Strict } else { Profile::Tolerant };
            let text: String = parts.concat();
            prop_assert_eq!(first_fault(&text, profile), located(&text, profile));
        }
    }
}
