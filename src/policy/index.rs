//! A policy's text and, behind it in the same piece of memory, where its patterns lie.
//!
//! So a policy takes one allocation and is cloned by counting, and to match a host is to look at
//! two octets a pattern, however the patterns read.

use alloc::string::String;
use alloc::sync::Arc;

use crate::mx::MxPattern;
use crate::name::DnsName;

/// The text, then the index: ASCII all of it, so that the whole is text.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Indexed {
    all: Arc<str>,
    text_octets: usize,
}

/// An entry of the index: a sum of what the pattern begins with, its length, and its start; seven
/// bits an octet, the lowest first. So it begins with the pattern's [`Key`].
const ENTRY_OCTETS: usize = 7;

/// What tells apart almost all patterns and names that do not match: a sum of the first four
/// octets, in whichever letter case, and the length, of each seven bits.
type Key = [u8; 2];

fn key(first: Option<&[u8; 4]>, octets: usize) -> Key {
    let first = first.unwrap_or(&[0; 4]).map(|octet| octet | 0x20);
    let [a, b, c, d] = first;
    let [low, ..] = octets.to_le_bytes();
    [(a ^ (b << 1) ^ (c << 2) ^ (d << 3)) & 0x7f, low & 0x7f]
}

impl Indexed {
    pub(super) fn as_str(&self) -> &str {
        self.all.get(..self.text_octets).unwrap_or_default()
    }

    /// All patterns, in the order of the text.
    pub(super) fn patterns(&self) -> impl ExactSizeIterator<Item = MxPattern<'_>> {
        self.index().map(|entry| self.pattern(entry))
    }

    /// Those that may match the host, in the order of the text.
    pub(super) fn candidates(&self, host: &DnsName) -> impl Iterator<Item = MxPattern<'_>> {
        let (name, parent) = (host.as_str().as_bytes(), host.parent_with_dot().as_bytes());
        let exact = key(name.first_chunk(), name.len());
        // The key of `*` and the parent.
        let first = parent.first_chunk().map(|[a, b, c]| [b'*', *a, *b, *c]);
        let wildcard = key(first.as_ref(), parent.len().saturating_add(1));
        self.index()
            .filter(move |entry| entry.starts_with(&exact) || entry.starts_with(&wildcard))
            .map(|entry| self.pattern(entry))
    }

    fn index(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.all.as_bytes().get(self.text_octets..).unwrap_or_default().chunks_exact(ENTRY_OCTETS)
    }

    fn pattern(&self, entry: &[u8]) -> MxPattern<'_> {
        let [_, len @ .., a, b, c] =
            *entry.first_chunk::<ENTRY_OCTETS>().unwrap_or(&[0; ENTRY_OCTETS]);
        let (len, start) = (number(len), number([a, b, c]));
        MxPattern::from_checked(self.all.get(start..start.saturating_add(len)).unwrap_or_default())
    }
}

/// A number of the index.
fn number([low, middle, high]: [u8; 3]) -> usize {
    usize::from(low) | (usize::from(middle) << 7) | (usize::from(high) << 14)
}

/// An index in the making, behind the text.
pub(super) struct Builder<'a> {
    text: &'a str,
    all: String,
}

impl<'a> Builder<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        // A line with a pattern is seldom less than twice as long as its entry.
        let mut all = String::with_capacity(text.len().saturating_add(text.len() / 2));
        all.push_str(text);
        Self { text, all }
    }

    /// Adds a pattern of the text.
    pub(super) fn add(&mut self, pattern: MxPattern<'a>) {
        let pattern = pattern.as_str();
        let start = pattern.as_ptr().addr().saturating_sub(self.text.as_ptr().addr());
        let [sum, _] = key(pattern.as_bytes().first_chunk(), pattern.len());
        self.all.push(char::from(sum));
        for number in [pattern.len(), start] {
            for shift in [0, 7, 14] {
                let [septet, ..] = (number >> shift).to_le_bytes();
                self.all.push(char::from(septet & 0x7f));
            }
        }
    }

    pub(super) fn build(self) -> Indexed {
        Indexed { text_octets: self.text.len(), all: self.all.into() }
    }
}
