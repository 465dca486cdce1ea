//! Repeatable chance.

use arbitrary::Unstructured;

/// `SplitMix64`: a trace is known by its seed.
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Fills the buffer: the bytes of a random trace.
    pub(super) fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
    }
}

/// Returns a number below `end`, by one byte.
pub(super) fn below(u: &mut Unstructured<'_>, end: u8) -> arbitrary::Result<u8> {
    let byte: u8 = u.arbitrary()?;
    Ok(byte % end)
}

/// Returns one of the values, by one byte.
pub(super) fn pick<T: Copy>(u: &mut Unstructured<'_>, all: &[T]) -> arbitrary::Result<T> {
    let byte: u8 = u.arbitrary()?;
    Ok(all[usize::from(byte) % all.len()])
}
