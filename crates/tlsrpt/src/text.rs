//! Text that others wrote, within bounds.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;

/// How much of any one text of a report that is read is kept, in octets; what is longer is cut.
#[cfg(feature = "serde")]
pub(super) const MAX_TEXT: usize = 4_096;
/// How much of the lines of a policy is kept, in octets with their ends: twice the longest policy.
pub(super) const MAX_LINES: usize = 131_072;

/// As much of the text as fits `limit` octets.
pub(super) fn cut(text: &str, limit: usize) -> Box<str> {
    let mut end = limit.min(text.len());
    while !text.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    text.get(..end).unwrap_or_default().into()
}

/// RFC 5322 §3.2.3: dot-atom-text.
pub(super) fn is_dot_atom(text: &str) -> bool {
    let is_atext = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b);
    text.split('.').all(|atom| !atom.is_empty() && atom.bytes().all(is_atext))
}

/// A value that RFC 8460 names, or the text that stood in its place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Named<T> {
    Known(T),
    #[cfg_attr(
        not(feature = "serde"),
        allow(dead_code, reason = "only a report that is read has it")
    )]
    Other(Box<str>),
}

impl<T: Copy> Named<T> {
    pub(super) const fn known(&self) -> Option<T> {
        match self {
            Self::Known(value) => Some(*value),
            Self::Other(_) => None,
        }
    }
}

/// Lines in one piece of memory, which clones share. None has a line end within.
#[derive(Clone, Default)]
pub(super) struct Lines(Option<Arc<str>>);

impl Lines {
    pub(super) const EMPTY: Self = Self(None);

    /// These lines, as far as they fit.
    pub(super) fn collect<'a>(lines: impl Iterator<Item = &'a str>) -> Self {
        let mut builder = LinesBuilder::default();
        for line in lines {
            if builder.push(line).is_err() {
                break;
            }
        }
        builder.build()
    }

    pub(super) fn iter(&self) -> core::str::Lines<'_> {
        self.0.as_deref().unwrap_or_default().lines()
    }
}

/// There is no place for the line.
#[derive(Debug)]
pub(super) struct Full;

/// Lines to be.
#[derive(Default)]
pub(super) struct LinesBuilder(String);

impl LinesBuilder {
    /// Appends a line; several, where the text has line ends within.
    pub(super) fn push(&mut self, text: &str) -> Result<(), Full> {
        let lines = if text.is_empty() { "\n".lines() } else { text.lines() };
        for line in lines {
            let octets = self.0.len().saturating_add(line.len()).saturating_add(1);
            if octets > MAX_LINES {
                return Err(Full);
            }
            // Without the CR that a line end would swallow when the lines are read again.
            self.0.push_str(line.trim_end_matches('\r'));
            self.0.push('\n');
        }
        Ok(())
    }

    pub(super) fn build(self) -> Lines {
        Lines((!self.0.is_empty()).then(|| self.0.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn ok_text_is_cut_between_characters() {
        assert_eq!(&*cut("aä", 3), "aä");
        assert_eq!(&*cut("aä", 2), "a");
        assert_eq!(&*cut("ä", 1), "");
    }

    #[test]
    fn ok_lines_are_read_as_they_were_collected() {
        let cases: [(&[&str], &[&str]); 5] = [
            (&[], &[]),
            (&["a", "b"], &["a", "b"]),
            (&["a\r\nb\n", "c\r"], &["a", "b", "c"]),
            (&["a", "", "b"], &["a", "", "b"]),
            (&["a", ""], &["a", ""]),
        ];
        for (given, expected) in cases {
            let lines = Lines::collect(given.iter().copied());
            assert_eq!(lines.iter().collect::<Vec<_>>(), expected, "{given:?}");
        }
    }

    #[test]
    fn err_lines_are_bounded() {
        let mut builder = LinesBuilder::default();
        assert!(builder.push(&"a".repeat(MAX_LINES - 1)).is_ok());
        assert!(builder.push("").is_err());
    }
}
