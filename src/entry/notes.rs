//! The part of an entry that may be lost: what DNS said, which fetches failed, and how many may
//! still be made. Each part is a join of its own, so that merging entries merges them.

use alloc::vec::Vec;

use crate::record::PolicyId;
use crate::time::{DAY, HOUR, MINUTE, UnixTime};

/// What DNS said, as far as it is worth remembering.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Remembered {
    /// The id of the held policy.
    SameId,
    /// There is no record.
    Absent,
    /// There are several records, or a malformed one.
    Malformed,
    /// Nothing.
    NoAnswer,
}

impl Remembered {
    /// The shortest and longest time to remember it, in seconds. A forged answer must not suppress
    /// discovery for long (RFC 8461 §10.2); a flood of mail must not ask for every message.
    const fn bounds(self) -> (u64, u64) {
        match self {
            Self::SameId => (MINUTE, DAY),
            Self::Absent | Self::Malformed => (MINUTE, HOUR),
            Self::NoAnswer => (MINUTE, MINUTE),
        }
    }
}

/// The last TXT outcome. The later stamp wins; like the entry's generation it grows with each
/// change of one entry, whatever the clock does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Memory {
    pub(super) stamp: u64,
    pub(super) what: Option<Remembered>,
    pub(super) until: UnixTime,
    /// The generation of the policy that [`Remembered::SameId`] speaks of.
    pub(super) generation: u64,
}

impl Memory {
    pub(super) fn recall(&self, generation: u64, now: UnixTime) -> Option<Remembered> {
        let what = self.what?;
        let (_, longest) = what.bounds();
        // An end further away than any wait is that of a clock which has since been set back.
        let in_time = now < self.until && self.until.secs_since(now) <= longest;
        let applies = what != Remembered::SameId || self.generation == generation;
        (in_time && applies).then_some(what)
    }

    pub(super) fn remember(&mut self, what: Remembered, generation: u64, ttl: u32, now: UnixTime) {
        let (shortest, longest) = what.bounds();
        self.what = Some(what);
        self.until = now.plus_secs(u64::from(ttl).clamp(shortest, longest));
        self.generation = generation;
        self.advance(now);
    }

    pub(super) fn forget(&mut self, now: UnixTime) {
        *self = Self { stamp: self.stamp, ..Self::default() };
        self.advance(now);
    }

    fn advance(&mut self, now: UnixTime) {
        self.stamp = self.stamp.saturating_add(1).max(now.as_secs());
    }
}

/// The last few ids whose fetch failed: RFC 8461 §3.3 wants five minutes or longer between
/// attempts "per version ID".
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Failures(pub(super) Vec<Failure>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Failure {
    /// Grows with each failure of one entry; the latest few are kept.
    pub(super) stamp: u64,
    pub(super) id: PolicyId,
    pub(super) until: UnixTime,
    /// How many failures in a row, less one.
    pub(super) repeats: u8,
}

impl Failures {
    /// How many ids are remembered.
    pub(super) const MAX: usize = 4;
    /// The wait after a first failure, in seconds; it doubles with each repetition.
    const FIRST_WAIT: u64 = 300;
    /// The longest wait, in seconds.
    const LONGEST_WAIT: u64 = HOUR;
    /// A failure that much after the end of the last wait is a first one again.
    const FORGOTTEN_AFTER: u64 = DAY;

    /// Those not to be fetched now, and until when.
    pub(super) fn active(&self, now: UnixTime) -> impl Iterator<Item = (PolicyId, UnixTime)> + '_ {
        self.0
            .iter()
            .filter(move |f| now < f.until && f.until.secs_since(now) <= Self::LONGEST_WAIT)
            .map(|f| (f.id, f.until))
    }

    pub(super) fn any_active(&self, now: UnixTime) -> bool {
        self.active(now).next().is_some()
    }

    pub(super) fn add(&mut self, id: PolicyId, now: UnixTime) {
        let last = self.0.iter().find(|f| f.id == id);
        let recent = last.filter(|f| now.secs_since(f.until) < Self::FORGOTTEN_AFTER);
        let repeats = recent.map_or(0, |f| f.repeats.saturating_add(1));
        let wait = Self::FIRST_WAIT.saturating_mul(1 << repeats.min(4)).min(Self::LONGEST_WAIT);
        self.note(Failure { stamp: 0, id, until: now.plus_secs(wait), repeats }, now);
    }

    /// A fetch for the id succeeded: its failures are over. A note says so, for what is merely left
    /// out would come back from a store by the next merge.
    pub(super) fn succeeded(&mut self, id: PolicyId, now: UnixTime) {
        if self.0.iter().any(|f| f.id == id) {
            self.note(Failure { stamp: 0, id, until: UnixTime::EPOCH, repeats: 0 }, now);
        }
    }

    /// Adds a note, later than all others.
    fn note(&mut self, note: Failure, now: UnixTime) {
        let newest = self.0.iter().map(|f| f.stamp).max().unwrap_or(0);
        let stamp = newest.saturating_add(1).max(now.as_secs());
        self.merge(Self([Failure { stamp, ..note }].into()));
    }

    /// Of each id the latest failure, of all ids the latest few, latest first.
    pub(super) fn merge(&mut self, other: Self) {
        self.0.extend(other.0);
        self.0.sort_unstable_by(|a, b| b.cmp(a));
        let mut kept = 0;
        let mut seen = [None; Self::MAX];
        self.0.retain(|f| {
            let fresh = !seen.contains(&Some(f.id));
            match seen.get_mut(kept).filter(|_| fresh) {
                Some(place) => {
                    *place = Some(f.id);
                    kept = kept.saturating_add(1);
                    true
                }
                None => false,
            }
        });
    }
}

/// How many fetches of any outcome may still be made: a burst of 4, then one in 300 s, so that
/// forged ids cannot make a sender hammer a Policy Host. It is the generic cell rate algorithm:
/// one time says it all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Budget {
    /// Grows where `full_at` was found too far away, as after a clock was set back, and started
    /// anew: so that the new one wins.
    pub(super) restarts: u64,
    /// When the whole burst may be made again.
    pub(super) full_at: UnixTime,
}

impl Budget {
    const INTERVAL: u64 = 300;
    const BURST: u64 = 4;

    pub(super) fn is_full(&self, now: UnixTime) -> bool {
        now >= self.full_at || self.is_astray(now)
    }

    pub(super) fn spend(&mut self, now: UnixTime) -> Result<(), UnixTime> {
        if self.is_astray(now) {
            self.restarts = self.restarts.saturating_add(1);
            self.full_at = now;
        }
        let next = self.full_at.minus_secs(Self::INTERVAL.saturating_mul(Self::BURST - 1));
        if now < next {
            return Err(next);
        }
        self.full_at = self.full_at.max(now).plus_secs(Self::INTERVAL);
        Ok(())
    }

    fn is_astray(&self, now: UnixTime) -> bool {
        self.full_at.secs_since(now) > Self::INTERVAL.saturating_mul(Self::BURST)
    }
}
