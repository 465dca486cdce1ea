//! Text that others wrote, within bounds.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};

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

/// Lines in one piece of memory, which clones share. Two are equal if their lines are, however
/// those end.
#[derive(Clone, Default)]
pub(super) struct Lines(Arc<str>);

impl Lines {
    /// The lines of a text as it stands.
    pub(super) const fn of(text: Arc<str>) -> Self {
        Self(text)
    }

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
        self.0.lines()
    }

    #[cfg(feature = "serde")]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl PartialEq for Lines {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.iter().eq(other.iter())
    }
}

impl Eq for Lines {}

impl PartialOrd for Lines {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Lines {
    fn cmp(&self, other: &Self) -> Ordering {
        self.iter().cmp(other.iter())
    }
}

impl Hash for Lines {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.iter().for_each(|line| line.hash(state));
    }
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
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
        Lines(self.0.into())
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
    fn ok_lines_are_equal_however_they_end() {
        let a = Lines::of("a\r\nb".into());
        assert_eq!(a, Lines::collect(["a", "b"].into_iter()));
        assert_eq!(a, Lines::collect(["a\nb\n"].into_iter()));
        let other = Lines::collect(["a", "", "b"].into_iter());
        assert_ne!(a, other);
        assert_eq!(other.partial_cmp(&a), Some(Ordering::Less));
        let same = Lines::of("a\nb\n".into());
        assert_eq!(a.partial_cmp(&same), Some(Ordering::Equal));
        let hash = |lines: &Lines| {
            let mut state = std::hash::DefaultHasher::new();
            lines.hash(&mut state);
            state.finish()
        };
        assert_eq!(hash(&a), hash(&same));
        assert_ne!(hash(&a), hash(&other));
        assert_eq!(Lines::collect(["a", ""].into_iter()).iter().collect::<Vec<_>>(), ["a", ""]);
    }

    #[test]
    fn err_lines_are_bounded() {
        let mut builder = LinesBuilder::default();
        assert!(builder.push(&"a".repeat(MAX_LINES - 1)).is_ok());
        assert!(builder.push("").is_err());
    }
}
