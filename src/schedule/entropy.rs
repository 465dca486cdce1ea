//! Numbers for the times that are drawn while the caller gives no entropy.

/// A `splitmix64` generator, fed with every number that the caller gives.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Entropy(u64);

impl Entropy {
    /// Mixes in a number of the caller's.
    pub(super) const fn add(&mut self, entropy: u64) {
        self.0 = self.0.rotate_left(23) ^ entropy;
    }

    /// Returns the next number.
    pub(super) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_depend_on_all_that_was_added() {
        let first = |added: &[u64]| {
            let mut entropy = Entropy::default();
            for number in added {
                entropy.add(*number);
            }
            entropy.next()
        };
        assert_eq!(first(&[1, 2]), first(&[1, 2]));
        assert_ne!(first(&[1, 2]), first(&[3, 2]));
        assert_ne!(first(&[1, 2]), first(&[1, 3]));
        assert_ne!(first(&[1, 2]), first(&[2, 1]));
    }

    #[test]
    fn numbers_are_even() {
        let mut entropy = Entropy::default();
        let mut counts = [0_u32; 16];
        for _ in 0..16_000 {
            counts[usize::try_from(entropy.next() >> 60).unwrap()] += 1;
        }
        assert!(counts.iter().all(|count| (850..=1_150).contains(count)), "{counts:?}");
    }
}
