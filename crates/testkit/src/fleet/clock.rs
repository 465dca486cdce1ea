//! The clock of one sender.

use std::fmt;

use arbitrary::{Arbitrary, Result, Unstructured};
use mta_sts::UnixTime;

use super::random::pick;

/// The largest error, in seconds, of a clock that counts as right.
pub const SKEW: i64 = 60;

/// A setting of a clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// Set right: within [`SKEW`] of the true time.
    Right,
    /// Set wrong by so many seconds, ahead of the true time or behind it.
    Off(i64),
    /// Set to 0, from where it runs on: the clock of a computer without a battery.
    Zero,
    /// It fails: `-1` without its sign.
    Fails,
}

/// A sender's clock: the true time, with an error.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    skew: i64,
    /// Parts in a million.
    drift: i64,
    setting: Setting,
    /// The true time at which it was set.
    set_at: u64,
}

impl Clock {
    pub(super) const fn new(skew: i64, drift: i64, start: u64) -> Self {
        Self { skew, drift, setting: Setting::Right, set_at: start }
    }

    pub(super) fn set(&mut self, setting: Setting, now: u64) {
        if setting == Setting::Right && self.setting == Setting::Right {
            return;
        }
        self.setting = setting;
        self.set_at = now;
    }

    /// The reading at a true time.
    pub(super) fn read(self, now: u64) -> UnixTime {
        let elapsed = i64::try_from(now.saturating_sub(self.set_at)).unwrap_or(i64::MAX);
        let secs = match self.setting {
            Setting::Right => {
                // The drift is slow, and the time service bounds the error.
                let drifted = elapsed.saturating_mul(self.drift) / 1_000_000;
                now.saturating_add_signed((self.skew + drifted).clamp(-SKEW, SKEW))
            }
            Setting::Off(secs) => now.saturating_add_signed(secs),
            Setting::Zero => now.saturating_sub(self.set_at),
            Setting::Fails => u64::MAX,
        };
        UnixTime::from_secs(secs)
    }
}

impl<'a> Arbitrary<'a> for Setting {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        const DAY: i64 = 86_400;
        pick(
            u,
            &[
                Self::Right,
                Self::Right,
                Self::Right,
                Self::Off(90),
                Self::Off(-90),
                Self::Off(600),
                Self::Off(-600),
                Self::Off(DAY),
                Self::Off(-DAY),
                Self::Off(10 * DAY),
                Self::Off(-10 * DAY),
                Self::Off(3_653 * DAY),
                Self::Off(-3_653 * DAY),
                Self::Zero,
                Self::Fails,
            ],
        )
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Right => write!(f, "right"),
            Self::Off(secs @ 0..) => write!(f, "{secs} s ahead"),
            Self::Off(secs) => write!(f, "{} s behind", secs.unsigned_abs()),
            Self::Zero => write!(f, "to 0"),
            Self::Fails => write!(f, "to u64::MAX, where it stays"),
        }
    }
}
