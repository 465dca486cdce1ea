//! A policy's text and, behind it in the same piece of memory, where its patterns lie.
//!
//! So a policy takes one allocation and is cloned by counting, and to match a host is to look at
//! two octets a pattern, however the patterns read.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::mx::MxPattern;
use crate::name::DnsName;

/// The text, then the index: ASCII all of it, so that the whole is text.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Indexed {
    all: Arc<str>,
    text_octets: usize,
}

/// An entry of the index, seven bits an octet, the lowest first: a sum of what the pattern begins
/// with (14 bits), its length and its start (21 bits each). So it begins with the pattern's key.
type Entry = u64;
const ENTRY_OCTETS: usize = size_of::<Entry>();

/// What tells apart almost all patterns and names that do not match: the sum of the first four
/// octets, in whichever letter case, and the lowest seven bits of the length.
const KEY: Entry = 0x7f_7f7f;

/// Where in an entry the length and the start begin, in bits.
const LENGTH: u32 = 16;
const START: u32 = 40;

/// Sum and length of an entry.
#[inline]
fn begin(first: Option<[u8; 4]>, octets: usize) -> Entry {
    let first = first.map_or(0, u32::from_le_bytes) | 0x2020_2020;
    // The highest octets of the product depend on all four.
    let [.., low, high] = first.wrapping_mul(0x9e37_79b1).to_le_bytes();
    Entry::from(u16::from_le_bytes([low, high]) & 0x7f7f) | (spread(octets) << LENGTH)
}

/// A number below 2^21 as three octets of seven bits.
#[inline]
fn spread(number: usize) -> Entry {
    let number = Entry::try_from(number).unwrap_or_default();
    (number & 0x7f) | ((number << 1) & 0x7f00) | ((number << 2) & 0x7f_0000)
}

/// The number that was spread there.
#[inline]
fn gather(octets: Entry) -> usize {
    let number = (octets & 0x7f) | ((octets >> 1) & 0x3f80) | ((octets >> 2) & 0x1f_c000);
    usize::try_from(number).unwrap_or_default()
}

impl Indexed {
    pub(super) fn as_str(&self) -> &str {
        self.all.get(..self.text_octets).unwrap_or_default()
    }

    /// Returns `true` if both lie in the same piece of memory.
    pub(super) fn is_clone_of(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.all, &other.all)
    }

    /// All patterns, in the order of the text.
    pub(super) fn patterns(&self) -> impl ExactSizeIterator<Item = MxPattern<'_>> {
        self.index().map(|entry| self.pattern(entry))
    }

    /// Those that may match the host, in the order of the text.
    pub(super) fn candidates(&self, host: &DnsName) -> impl Iterator<Item = MxPattern<'_>> {
        let (name, parent) = (host.as_str().as_bytes(), host.parent_with_dot().as_bytes());
        let exact = begin(name.first_chunk().copied(), name.len()) & KEY;
        // The key of `*` and the parent.
        let first = parent.first_chunk().map(|[a, b, c]| [b'*', *a, *b, *c]);
        let wildcard = begin(first, parent.len().saturating_add(1)) & KEY;
        self.index()
            .filter(move |entry| entry & KEY == exact || entry & KEY == wildcard)
            .map(|entry| self.pattern(entry))
    }

    fn index(&self) -> impl ExactSizeIterator<Item = Entry> {
        let index = self.all.as_bytes().get(self.text_octets..).unwrap_or_default();
        let entries = index.chunks_exact(ENTRY_OCTETS);
        entries.map(|entry| entry.first_chunk().map_or(0, |entry| Entry::from_le_bytes(*entry)))
    }

    fn pattern(&self, entry: Entry) -> MxPattern<'_> {
        let (len, start) = (gather(entry >> LENGTH), gather(entry >> START));
        MxPattern::from_checked(self.all.get(start..start.saturating_add(len)).unwrap_or_default())
    }
}

/// An index in the making, behind the text.
pub(super) struct Builder<'a> {
    text: &'a str,
    all: Vec<u8>,
}

impl<'a> Builder<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        // A line with a pattern is seldom less than twice as long as its entry.
        let mut all = Vec::with_capacity(text.len().saturating_add(text.len() / 2));
        all.extend_from_slice(text.as_bytes());
        Self { text, all }
    }

    /// Adds a pattern of the text.
    pub(super) fn add(&mut self, pattern: MxPattern<'a>) {
        let pattern = pattern.as_str();
        let start = pattern.as_ptr().addr().saturating_sub(self.text.as_ptr().addr());
        let begin = begin(pattern.as_bytes().first_chunk().copied(), pattern.len());
        let entry = begin | (spread(start) << START);
        self.all.extend_from_slice(&entry.to_le_bytes());
    }

    pub(super) fn build(self) -> Indexed {
        // Text and septets are text; were they not, there would be no patterns, and nothing matched.
        let all = core::str::from_utf8(&self.all).unwrap_or(self.text);
        Indexed { text_octets: self.text.len(), all: all.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Policy, Profile};
    use alloc::format;
    use alloc::string::String;

    /// Names of one to four labels of one or two letters: every length from 1 to 11 octets.
    fn names() -> Vec<String> {
        let labels = ["a", "b", "aa", "ab", "A1"];
        let mut names: Vec<String> = labels.map(String::from).into();
        for start in [0, 5, 30] {
            let more = names.get(start..).unwrap_or_default().iter();
            let longer: Vec<_> =
                more.flat_map(|name| labels.map(|label| format!("{label}.{name}"))).collect();
            names.extend(longer.into_iter().step_by(1 + start / 10));
        }
        names
    }

    #[test]
    fn ok_the_candidates_are_all_that_match_and_few_more() {
        let names = names();
        let mut text = String::from("version: STSv1\nmode: testing\nmax_age: 60\n");
        for name in &names {
            text.extend(["mx: ", name, "\nmx: *.", name, "\n"]);
        }
        let policy = Policy::parse(text.as_bytes(), Profile::Strict).unwrap();
        assert_eq!(policy.mx().len(), 2 * names.len());
        assert!(policy.mx().eq(policy.as_policy_ref().mx()));
        let (mut matching, mut candidates) = (0, 0);
        for name in &names {
            let host = DnsName::parse(name).unwrap();
            let naive: Vec<_> = policy.mx().filter(|pattern| pattern.matches(&host)).collect();
            let found = || policy.text.candidates(&host);
            assert!(found().filter(|pattern| pattern.matches(&host)).eq(naive.iter().copied()));
            matching += naive.len();
            candidates += found().count();
        }
        assert!(matching > names.len() && candidates < 20 * matching, "{matching} {candidates}");
    }

    #[test]
    fn ok_the_longest_and_the_last_pattern_lie_at_their_place() {
        let label = "a".repeat(60_000);
        let text = format!("version: STSv1\nmode: enforce\nmax_age: 1\nmx: b.{label}");
        let policy = Policy::parse(text.as_bytes(), Profile::Strict).unwrap();
        let patterns: Vec<_> = policy.mx().map(MxPattern::as_str).collect();
        assert_eq!(patterns, [format!("b.{label}")]);
        let padding = "z".repeat(65_000);
        let text = format!("version: STSv1\nmode: enforce\nmax_age: 1\nx: {padding}\nmx: b.c");
        let policy = Policy::parse(text.as_bytes(), Profile::Strict).unwrap();
        assert_eq!(policy.mx().map(MxPattern::as_str).collect::<Vec<_>>(), ["b.c"]);
    }
}
