//! Wall time, as an argument: the machine owns no clock.

use core::fmt;
use core::time::Duration;

/// Seconds since 1970-01-01T00:00:00Z, as the caller's wall clock tells them.
///
/// Every point of time that the crate takes or returns is a `UnixTime`. The value lies between
/// [`EPOCH`](Self::EPOCH) and [`LATEST`](Self::LATEST), and the arithmetic saturates at both ends.
/// A clock that jumps, in either direction, therefore cannot make it overflow.
///
/// ```
/// use mta_sts::UnixTime;
///
/// let noon = UnixTime::from_secs(1_800_000_000);
/// let later = noon.plus_secs(90);
/// assert_eq!(later.secs_since(noon), 90);
/// assert_eq!(noon.secs_since(later), 0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UnixTime(u64);

impl UnixTime {
    /// The start of the epoch. It is before every time that a working clock tells.
    pub const EPOCH: Self = Self(0);

    /// The last second of the year 9999. It is after every time that a working clock tells.
    pub const LATEST: Self = Self(253_402_300_799);

    /// Returns the time `secs` seconds after the start of the epoch, at most
    /// [`LATEST`](Self::LATEST).
    ///
    /// A larger number is the word of a clock that failed: `time(2)` returns -1, which is
    /// `u64::MAX` without its sign. The bound leaves room above every stamp, so that a stamp which
    /// such a clock left in a store can be replaced.
    ///
    /// ```
    /// use mta_sts::UnixTime;
    ///
    /// assert_eq!(UnixTime::from_secs(u64::MAX), UnixTime::LATEST);
    /// ```
    pub const fn from_secs(secs: u64) -> Self {
        if secs < Self::LATEST.0 { Self(secs) } else { Self::LATEST }
    }

    /// Whole seconds since the start of the epoch.
    pub const fn as_secs(self) -> u64 {
        self.0
    }

    /// Returns the time `secs` seconds later, at most [`LATEST`](Self::LATEST).
    #[must_use]
    pub const fn plus_secs(self, secs: u64) -> Self {
        Self::from_secs(self.0.saturating_add(secs))
    }

    /// Returns the time `secs` seconds earlier, at least [`EPOCH`](Self::EPOCH).
    #[must_use]
    pub const fn minus_secs(self, secs: u64) -> Self {
        Self(self.0.saturating_sub(secs))
    }

    /// Returns the seconds from `earlier` to this time; 0 if `earlier` is not earlier.
    pub const fn secs_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Returns the time from `earlier` to this time; zero if `earlier` is not earlier.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_secs(self.secs_since(earlier))
    }

    /// Returns the start of the UTC day that this time lies in.
    #[must_use]
    pub const fn start_of_day(self) -> Self {
        Self(self.0.saturating_sub(self.0 % DAY))
    }
}

/// Prints the seconds.
impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The difference, in seconds, that two working clocks may have: each is within a minute of the
/// true time. It is wide against NTP and small against every wait that it is compared with.
pub(crate) const CLOCK_TOLERANCE: u64 = 2 * MINUTE;

/// The state of a wait that ends at a stored time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// The end has come.
    Over,
    /// The end is still to come.
    Pending,
    /// The end is further away than the longest wait and the tolerance of clocks: the clock that
    /// stamped it was wrong, or this one is. The end says nothing.
    Astray,
}

impl Wait {
    /// The one rule by which a stored end is believed. `longest` is the longest wait in seconds.
    pub(crate) const fn until(end: UnixTime, longest: u64, now: UnixTime) -> Self {
        match end.secs_since(now) {
            0 => Self::Over,
            left if left <= longest.saturating_add(CLOCK_TOLERANCE) => Self::Pending,
            _ => Self::Astray,
        }
    }
}

#[cfg(feature = "arbitrary")]
impl<'a> arbitrary::Arbitrary<'a> for UnixTime {
    fn arbitrary(u: &mut arbitrary::Unstructured<'a>) -> arbitrary::Result<Self> {
        u.arbitrary().map(Self::from_secs)
    }
}

/// Seconds of a minute.
pub(crate) const MINUTE: u64 = 60;
/// Seconds of an hour.
pub(crate) const HOUR: u64 = 3_600;
/// Seconds of a day.
pub(crate) const DAY: u64 = 86_400;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        let end = UnixTime::LATEST;
        assert_eq!(end.as_secs(), 253_402_300_799);
        assert_eq!([0, 1, u64::MAX].map(|secs| end.plus_secs(secs)), [end; 3]);
        let secs = end.as_secs();
        for (given, kept) in
            [(secs - 1, secs - 1), (secs, secs), (secs + 1, secs), (u64::MAX, secs)]
        {
            assert_eq!(UnixTime::from_secs(given).as_secs(), kept);
        }
        assert_eq!(UnixTime::EPOCH.minus_secs(1), UnixTime::EPOCH);
        assert_eq!(UnixTime::EPOCH.since(end), Duration::ZERO);
    }

    #[test]
    fn wait_is_believed_up_to_its_longest_and_the_tolerance() {
        let now = UnixTime::from_secs(1_800_000_000);
        let cases = [
            (0, Wait::Over),
            (1, Wait::Pending),
            (300, Wait::Pending),
            (301, Wait::Pending),
            (420, Wait::Pending),
            (421, Wait::Astray),
            (u64::MAX, Wait::Astray),
        ];
        for (left, expected) in cases {
            assert_eq!(Wait::until(now.plus_secs(left), 300, now), expected, "{left}");
        }
        assert_eq!(Wait::until(now.minus_secs(1), 300, now), Wait::Over);
    }

    #[test]
    fn ok_start_of_day_is_a_multiple_of_a_day() {
        let time = UnixTime::from_secs(3 * DAY + 5);
        assert_eq!(time.start_of_day(), UnixTime::from_secs(3 * DAY));
        assert_eq!(time.start_of_day().start_of_day(), time.start_of_day());
    }
}
