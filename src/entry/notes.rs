//! The part of an entry that may be lost: what DNS said, which fetches failed, how many fetches
//! remain, and the day of last use. Each part is a join of its own, so merging entries merges them.

use alloc::vec::Vec;

use crate::record::PolicyId;
use crate::time::{DAY, HOUR, MINUTE, UnixTime, Wait};

/// A TXT outcome, as far as it is worth remembering.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Remembered {
    /// One record with this id. It confirms a held policy of the same id and nothing else.
    Id(PolicyId),
    /// No record.
    Absent,
    /// Several records, or a malformed one.
    Malformed,
    /// No answer.
    NoAnswer,
}

impl Remembered {
    /// The shortest and longest time to remember it, in seconds. A forged answer must not suppress
    /// discovery for long (RFC 8461 §10.2); a flood of mail must not ask for every message.
    const fn bounds(self) -> (u64, u64) {
        match self {
            Self::Id(_) => (MINUTE, DAY),
            Self::Absent | Self::Malformed => (MINUTE, HOUR),
            Self::NoAnswer => (MINUTE, MINUTE),
        }
    }
}

/// The last TXT outcome. The later stamp wins. Like the entry's generation, the stamp grows with
/// each change of one entry, whatever the clock does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Memory {
    pub(super) stamp: u64,
    pub(super) what: Option<Remembered>,
    pub(super) until: UnixTime,
}

impl Memory {
    /// The outcome, if it is within its time.
    pub(super) fn recall(&self, now: UnixTime) -> Option<Remembered> {
        let what = self.what?;
        let (_, longest) = what.bounds();
        // To forget a TXT outcome costs one question, so the word of a wrong clock is not believed.
        (Wait::until(self.until, longest, now) == Wait::Pending).then_some(what)
    }

    /// Remembers the outcome of a question that was asked at `asked_at`.
    pub(super) fn remember(&mut self, what: Remembered, ttl: u32, asked_at: UnixTime) {
        let (shortest, longest) = what.bounds();
        self.what = Some(what);
        self.until = asked_at.plus_secs(u64::from(ttl).clamp(shortest, longest));
        self.stamp = next_stamp(self.stamp, asked_at);
    }

    /// Remembers that the question asked at `asked_at` left nothing to remember.
    pub(super) fn forget(&mut self, asked_at: UnixTime) {
        *self = Self { stamp: next_stamp(self.stamp, asked_at), ..Self::default() };
    }
}

/// The largest number of a logical clock that the stored form admits. It lies far above the latest
/// time, so a number can always grow, whatever a clock did.
pub(super) const MAX_STAMP: u64 = 1 << 62;

/// The next value of a hybrid logical clock: later than `last`, and not before `now`.
pub(super) const fn next_stamp(last: u64, now: UnixTime) -> u64 {
    let next = if last < MAX_STAMP { last.saturating_add(1) } else { MAX_STAMP };
    if next > now.as_secs() { next } else { now.as_secs() }
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
    /// The number of failures in a row, less one.
    pub(super) repeats: u8,
}

impl Failure {
    fn wait(&self, now: UnixTime) -> Wait {
        Wait::until(self.until, Failures::LONGEST_WAIT, now)
    }
}

impl Failures {
    /// The number of ids that are remembered.
    pub(super) const MAX: usize = 4;
    /// The wait after a first failure, in seconds; it doubles with each repetition.
    const FIRST_WAIT: u64 = 300;
    /// The longest wait, in seconds.
    const LONGEST_WAIT: u64 = HOUR;
    /// A failure that comes this many seconds after the end of the last wait is a first one again.
    const FORGOTTEN_AFTER: u64 = DAY;

    /// The ids that must not be fetched now, and the end of each wait.
    pub(super) fn active(&self, now: UnixTime) -> impl Iterator<Item = (PolicyId, UnixTime)> + '_ {
        self.0.iter().filter_map(move |failure| match failure.wait(now) {
            Wait::Over => None,
            Wait::Pending => Some((failure.id, failure.until)),
            // The failure is real whatever the clock said: it is waited for at its longest.
            Wait::Astray => Some((failure.id, now.plus_secs(Self::LONGEST_WAIT))),
        })
    }

    pub(super) fn any_active(&self, now: UnixTime) -> bool {
        self.active(now).next().is_some()
    }

    /// Puts each wait that a wrong clock stamped at the longest wait from now. Returns `true` if
    /// there was one.
    pub(super) fn anchor(&mut self, now: UnixTime) -> bool {
        // The latest comes first, and stays the latest.
        let astray = self.0.iter().rev().filter(|failure| failure.wait(now) == Wait::Astray);
        let astray: Vec<_> = astray.copied().collect();
        for failure in &astray {
            self.note(Failure { until: now.plus_secs(Self::LONGEST_WAIT), ..*failure }, now);
        }
        !astray.is_empty()
    }

    pub(super) fn add(&mut self, id: PolicyId, now: UnixTime) {
        let last = self.0.iter().find(|f| f.id == id);
        let recent = last.filter(|f| now.secs_since(f.until) < Self::FORGOTTEN_AFTER);
        let repeats = recent.map_or(0, |f| f.repeats.saturating_add(1));
        let wait = Self::FIRST_WAIT.saturating_mul(1 << repeats.min(4)).min(Self::LONGEST_WAIT);
        self.note(Failure { stamp: 0, id, until: now.plus_secs(wait), repeats }, now);
    }

    /// Ends the failures of an id whose fetch succeeded. A note says so, because a failure that is
    /// merely left out would come back from a store by the next merge.
    pub(super) fn succeeded(&mut self, id: PolicyId, now: UnixTime) {
        if self.0.iter().any(|f| f.id == id) {
            self.note(Failure { stamp: 0, id, until: UnixTime::EPOCH, repeats: 0 }, now);
        }
    }

    /// Adds a note, later than all others.
    fn note(&mut self, note: Failure, now: UnixTime) {
        let newest = self.0.iter().map(|f| f.stamp).max().unwrap_or(0);
        self.merge(Self([Failure { stamp: next_stamp(newest, now), ..note }].into()));
    }

    /// Keeps of each id the latest failure, and of all ids the latest few, latest first.
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

/// A time that only grows, unless it is found to be the word of a wrong clock. The later of two
/// wins, and a time that was set again wins over every time before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Latest {
    pub(super) restarts: u64,
    pub(super) at: UnixTime,
}

impl Latest {
    /// Takes the later time.
    pub(super) fn raise(&mut self, at: UnixTime) {
        self.at = self.at.max(at);
    }

    /// Takes this time in the place of a later one.
    pub(super) fn restart(&mut self, at: UnixTime) {
        *self = Self { restarts: self.restarts.saturating_add(1).min(MAX_STAMP), at };
    }
}

/// The fetches of any outcome that may still be made: a burst of 4, then one in 300 s, so that
/// forged ids cannot make a sender hammer a Policy Host. It is the generic cell rate algorithm: the
/// time at which the whole burst may be made again says it all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Budget {
    pub(super) debt: Latest,
    /// The first time at which the debt was seen to be larger than a debt can be.
    pub(super) seen_ahead_at: Option<UnixTime>,
}

impl Budget {
    const INTERVAL: u64 = 300;
    const BURST: u64 = 4;
    /// The time after which a spent budget is whole again.
    const WHOLE: u64 = Self::INTERVAL * Self::BURST;

    pub(super) fn is_full(self, now: UnixTime) -> bool {
        match Wait::until(self.debt.at, Self::WHOLE, now) {
            Wait::Over => true,
            Wait::Pending => false,
            Wait::Astray => now >= self.whole_at(now),
        }
    }

    /// When a debt that a wrong clock stamped is paid: as long after it was seen as the largest debt
    /// takes. A clock that is set back therefore costs a wait, and never gives another burst.
    fn whole_at(self, now: UnixTime) -> UnixTime {
        self.seen_ahead_at.map_or(now, |seen| seen.min(now)).plus_secs(Self::WHOLE)
    }

    /// Notes a debt that a wrong clock stamped, and forgets it once it is paid.
    ///
    /// Until then it stands as it is. This clock may be the one that is behind, and a debt that it
    /// lowers would be a budget for all the others. As long as they spend, it waits.
    pub(super) fn anchor(&mut self, now: UnixTime) {
        if Wait::until(self.debt.at, Self::WHOLE, now) != Wait::Astray {
            return;
        }
        if self.is_full(now) {
            self.debt.restart(now);
            self.seen_ahead_at = None;
            return;
        }
        match self.seen_ahead_at {
            None => self.seen_ahead_at = Some(now),
            // The clock was set back again. That this is the later note must show in a merge.
            Some(seen) if Wait::until(seen, 0, now) == Wait::Astray => {
                self.debt.restart(self.debt.at);
                self.seen_ahead_at = Some(now);
            }
            Some(_) => {}
        }
    }

    /// Takes one fetch.
    ///
    /// # Errors
    /// The time of the next fetch, if the budget is spent.
    pub(super) fn spend(&mut self, now: UnixTime) -> Result<(), UnixTime> {
        self.anchor(now);
        let next = match Wait::until(self.debt.at, Self::WHOLE, now) {
            Wait::Astray => self.whole_at(now),
            _ => self.debt.at.minus_secs(Self::INTERVAL.saturating_mul(Self::BURST - 1)),
        };
        if now < next {
            return Err(next);
        }
        self.debt.raise(now);
        self.debt.at = self.debt.at.plus_secs(Self::INTERVAL);
        self.seen_ahead_at = None;
        Ok(())
    }
}

/// The start of the UTC day on which a delivery last asked for the domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct LastUsed(pub(super) Latest);

impl LastUsed {
    pub(super) const fn day(self) -> UnixTime {
        self.0.at
    }

    /// Notes a use. Returns `true` if it is the first of its day.
    pub(super) fn touch(&mut self, now: UnixTime) -> bool {
        let today = now.start_of_day();
        let is_news = today > self.day();
        self.0.raise(today);
        is_news
    }

    /// Puts a day that a wrong clock stamped at today. Returns `true` if it changed.
    pub(super) fn anchor(&mut self, now: UnixTime) -> bool {
        // The day before may be the truth where a clock is a little behind at midnight.
        let is_ahead = Wait::until(self.day(), 0, now) == Wait::Astray;
        if is_ahead {
            self.0.restart(now.start_of_day());
        }
        is_ahead
    }
}
