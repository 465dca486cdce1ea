//! A list of millions that grows without being moved.

use alloc::vec::Vec;

/// In pieces, of which all but the last are full. One long piece would have to be copied each time
/// that it is full, and would leave a hole in memory of half its size.
#[derive(Debug)]
pub(super) struct Chunks<T>(Vec<Vec<T>>);

impl<T> Default for Chunks<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Chunks<T> {
    const EACH: usize = 1_024;

    pub(super) fn len(&self) -> usize {
        let last = self.0.last().map_or(0, Vec::len);
        self.0.len().saturating_sub(1).saturating_mul(Self::EACH).saturating_add(last)
    }

    pub(super) fn push(&mut self, item: T) {
        match self.0.last_mut().filter(|last| last.len() < Self::EACH) {
            Some(last) => last.push(item),
            None => self.0.push(Vec::from([item])),
        }
    }

    pub(super) fn get(&self, index: usize) -> Option<&T> {
        self.0.get(index / Self::EACH)?.get(index % Self::EACH)
    }

    pub(super) fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        self.0.get_mut(index / Self::EACH)?.get_mut(index % Self::EACH)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().flatten()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.0.iter_mut().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_it_is_a_list() {
        let mut chunks = Chunks::default();
        assert_eq!((chunks.len(), chunks.get(0)), (0, None));
        for n in 0..3_000 {
            chunks.push(n);
            assert_eq!((chunks.len(), chunks.get(n), chunks.get(n + 1)), (n + 1, Some(&n), None));
        }
        for n in chunks.iter_mut() {
            *n += 1;
        }
        *chunks.get_mut(2_048).unwrap() = 0;
        let expected = (1..=3_000).map(|n| if n == 2_049 { 0 } else { n });
        assert!(chunks.iter().copied().eq(expected));
    }
}
