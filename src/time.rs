//! Wall time, as an argument: the machine owns no clock.

use core::fmt;
use core::time::Duration;

/// Seconds since 1970-01-01T00:00:00Z, as the caller's wall clock tells them.
///
/// Every point of time that the crate takes or gives is one of these. The arithmetic saturates,
/// so a clock that jumps, in either direction, cannot make it overflow.
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
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct UnixTime(u64);

impl UnixTime {
    /// The start of the epoch: before every time that a working clock tells.
    pub const EPOCH: Self = Self(0);

    /// The time `secs` seconds after the start of the epoch.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs)
    }

    /// Whole seconds since the start of the epoch.
    pub const fn as_secs(self) -> u64 {
        self.0
    }

    /// This time, `secs` seconds later; the end of time where that would overflow.
    #[must_use]
    pub const fn plus_secs(self, secs: u64) -> Self {
        Self(self.0.saturating_add(secs))
    }

    /// This time, `secs` seconds earlier; the start of the epoch where that would be before it.
    #[must_use]
    pub const fn minus_secs(self, secs: u64) -> Self {
        Self(self.0.saturating_sub(secs))
    }

    /// Seconds from `earlier` to this time; 0 if it is not earlier.
    pub const fn secs_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The time from `earlier` to this time; zero if it is not earlier.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_secs(self.secs_since(earlier))
    }

    /// The start of the UTC day that this time lies in.
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
    fn ok_arithmetic_saturates() {
        let end = UnixTime::from_secs(u64::MAX);
        assert_eq!(end.plus_secs(1), end);
        assert_eq!(UnixTime::EPOCH.minus_secs(1), UnixTime::EPOCH);
        assert_eq!(UnixTime::EPOCH.since(end), Duration::ZERO);
    }

    #[test]
    fn ok_start_of_day_is_a_multiple_of_a_day() {
        let time = UnixTime::from_secs(3 * DAY + 5);
        assert_eq!(time.start_of_day(), UnixTime::from_secs(3 * DAY));
        assert_eq!(time.start_of_day().start_of_day(), time.start_of_day());
    }
}
