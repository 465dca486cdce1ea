//! The names of all domains in one piece of memory.

use alloc::vec::Vec;

/// Where a name stands among [`Names`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Name(u32);

/// Names one after the other, each behind an octet that says how long it is: a name takes one octet
/// more than it has, and no allocation. They are in pieces for the reason that
/// [`Chunks`](super::chunks::Chunks) are.
#[derive(Debug, Default)]
pub(super) struct Names {
    chunks: Vec<Vec<u8>>,
    /// How many octets belong to names that are in.
    live: usize,
    /// How many octets belong to names that were taken out.
    dead: usize,
}

impl Names {
    const EACH: usize = 1 << 16;

    /// Puts in a name of at most 255 octets; `None` where it has more, or there are 4 GiB of names.
    pub(super) fn push(&mut self, text: &str) -> Option<Name> {
        let length = u8::try_from(text.len()).ok()?;
        let octets = text.len().saturating_add(1);
        let is_room = |last: &Vec<u8>| last.len().saturating_add(octets) <= Self::EACH;
        if !self.chunks.last().is_some_and(is_room) {
            self.chunks.push(Vec::new());
        }
        let before = self.chunks.len().saturating_sub(1).saturating_mul(Self::EACH);
        let chunk = self.chunks.last_mut()?;
        let name = Name(u32::try_from(before.saturating_add(chunk.len())).ok()?);
        chunk.push(length);
        chunk.extend_from_slice(text.as_bytes());
        self.live = self.live.saturating_add(octets);
        Some(name)
    }

    pub(super) fn get(&self, name: Name) -> &str {
        core::str::from_utf8(self.find(name).unwrap_or_default()).unwrap_or_default()
    }

    fn find(&self, Name(start): Name) -> Option<&[u8]> {
        let start = usize::try_from(start).ok()?;
        let chunk = self.chunks.get(start / Self::EACH)?;
        let (length, names) = chunk.get(start % Self::EACH..)?.split_first()?;
        names.get(..usize::from(*length))
    }

    /// Takes out a name. Its octets stay until all the others are moved to a new place.
    pub(super) fn remove(&mut self, name: Name) {
        let octets = self.find(name).map_or(0, <[u8]>::len).saturating_add(1);
        self.live = self.live.saturating_sub(octets);
        self.dead = self.dead.saturating_add(octets);
    }

    /// How many octets belong to names that were taken out.
    pub(super) const fn dead(&self) -> usize {
        self.dead
    }

    /// How many octets belong to names that are in.
    pub(super) const fn live(&self) -> usize {
        self.live
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.chunks.iter().map(Vec::capacity).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_names_are_kept_one_after_the_other() {
        let mut names = Names::default();
        let long = "x".repeat(255);
        let all = ["example.com", "a", "", &long].map(|text| (names.push(text).unwrap(), text));
        for (name, text) in all {
            assert_eq!(names.get(name), text);
        }
        assert_eq!((names.live(), names.dead()), (12 + 2 + 1 + 256, 0));
        names.remove(all[0].0);
        assert_eq!((names.live(), names.dead()), (2 + 1 + 256, 12));
    }

    #[test]
    fn ok_no_name_lies_in_two_pieces() {
        let mut names = Names::default();
        let text = |n: usize| "x".repeat(n % 200 + 50);
        let all: Vec<_> = (0..2_000).map(|n| names.push(&text(n)).unwrap()).collect();
        for (n, name) in all.iter().enumerate() {
            assert_eq!(names.get(*name), text(n), "{n}");
        }
        assert_eq!(names.chunks.len(), 5);
        assert!(names.chunks.iter().all(|chunk| chunk.len() <= Names::EACH));
    }

    #[test]
    fn err_a_name_too_long_is_not_taken() {
        let mut names = Names::default();
        assert_eq!(names.push(&"x".repeat(256)), None);
        assert_eq!(names.live(), 0);
    }
}
