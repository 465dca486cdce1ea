//! Two clocks: the wall's, by which policies expire, and one that only goes forward, by which the
//! schedule waits.

use crate::time::{DAY, MINUTE, UnixTime};

/// A wall clock may be set. What the schedule waits for is counted in ticks: seconds that passed
/// while it was driven. A clock set back leaves every wait as long as it was, and so as spread.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Clock {
    wall: UnixTime,
    ticks: u64,
}

impl Clock {
    /// Calls that overtake one another tell times that are a little out of order. So small a step is
    /// no clock set back.
    const TOLERANCE: u64 = MINUTE;
    /// It is more than any wait. A longer step forward does nothing more, and the ticks cannot run
    /// out.
    const LONGEST_STEP: u64 = 2 * DAY;

    pub(super) fn advance(&mut self, now: UnixTime) {
        let step = now.secs_since(self.wall).min(Self::LONGEST_STEP);
        self.ticks = self.ticks.saturating_add(step);
        if now > self.wall || self.wall.secs_since(now) > Self::TOLERANCE {
            self.wall = now;
        }
    }

    /// The latest time that was told, or the time after a clock was set back.
    pub(super) const fn now(&self) -> UnixTime {
        self.wall
    }

    pub(super) const fn ticks(&self) -> u64 {
        self.ticks
    }

    /// Seconds until the tick, or 0 if it has come.
    pub(super) const fn until(&self, tick: u64) -> u64 {
        tick.saturating_sub(self.ticks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> UnixTime {
        UnixTime::from_secs(secs)
    }

    #[test]
    fn ok_ticks_follow_the_wall_forward_and_never_go_back() {
        let mut clock = Clock::default();
        clock.advance(at(1_000_000));
        let start = clock.ticks();
        clock.advance(at(1_000_100));
        assert_eq!(clock.ticks(), start + 100);
        clock.advance(at(900_000));
        assert_eq!((clock.now(), clock.ticks()), (at(900_000), start + 100));
        clock.advance(at(900_007));
        assert_eq!(clock.ticks(), start + 107);
    }

    #[test]
    fn ok_times_a_little_out_of_order_do_not_add_up() {
        let mut clock = Clock::default();
        clock.advance(at(1_000_000));
        let start = clock.ticks();
        for _ in 0..1_000 {
            clock.advance(at(1_000_000 - 60));
            clock.advance(at(1_000_000));
        }
        assert_eq!((clock.now(), clock.ticks()), (at(1_000_000), start));
    }

    #[test]
    fn ok_a_leap_counts_no_more_than_two_days() {
        let mut clock = Clock::default();
        clock.advance(at(1_000_000));
        let start = clock.ticks();
        clock.advance(at(u64::MAX));
        assert_eq!(clock.ticks(), start + 2 * DAY);
        assert_eq!(clock.until(clock.ticks() + 5), 5);
    }
}
