//! The names of all domains in one piece of memory.

use alloc::vec::Vec;

/// Where a name stands among [`Names`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Name(u32);

/// Names one after the other, each behind an octet that says how long it is: a name takes one octet
/// more than it has, and no allocation.
#[derive(Debug, Default)]
pub(super) struct Names {
    octets: Vec<u8>,
    /// How many of the octets belong to names that were taken out.
    dead: usize,
}

impl Names {
    /// Puts in a name of at most 255 octets; `None` where it has more, or there are 4 GiB of names.
    pub(super) fn push(&mut self, text: &str) -> Option<Name> {
        let (start, length) = (u32::try_from(self.octets.len()), u8::try_from(text.len()));
        let (name, length) = (Name(start.ok()?), length.ok()?);
        self.octets.push(length);
        self.octets.extend_from_slice(text.as_bytes());
        Some(name)
    }

    pub(super) fn get(&self, name: Name) -> &str {
        core::str::from_utf8(self.find(name).unwrap_or_default()).unwrap_or_default()
    }

    fn find(&self, Name(start): Name) -> Option<&[u8]> {
        let start = usize::try_from(start).ok()?;
        let (length, names) = self.octets.get(start..)?.split_first()?;
        names.get(..usize::from(*length))
    }

    /// Takes out a name. Its octets stay until all the others are moved to a new place.
    pub(super) fn remove(&mut self, name: Name) {
        let octets = self.find(name).map_or(0, <[u8]>::len).saturating_add(1);
        self.dead = self.dead.saturating_add(octets);
    }

    /// How many octets belong to names that were taken out.
    pub(super) const fn dead(&self) -> usize {
        self.dead
    }

    /// How many octets belong to names that are in.
    pub(super) fn live(&self) -> usize {
        self.octets.len().saturating_sub(self.dead)
    }

    /// None yet, with room for all names that are in.
    pub(super) fn emptied(&self) -> Self {
        Self { octets: Vec::with_capacity(self.live()), dead: 0 }
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.octets.capacity()
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
        assert_eq!(names.emptied().capacity(), 2 + 1 + 256);
    }

    #[test]
    fn err_a_name_too_long_is_not_taken() {
        let mut names = Names::default();
        assert_eq!(names.push(&"x".repeat(256)), None);
        assert_eq!(names.live(), 0);
    }
}
