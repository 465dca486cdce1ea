//! What an administrator should be told (RFC 8461 §10.2).

use core::fmt;
use core::time::Duration;

use crate::lookup::PolicyChange;
use crate::name::PolicyDomain;
use crate::time::{DAY, UnixTime};

/// A message for an administrator. Its text is one line for a log.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Alert {
    /// The refresh of a held policy keeps failing: an attacker may be waiting for it to run out
    /// (RFC 8461 §10.2). It comes with the second failure in a row, again where half, a quarter and
    /// an eighth of the policy's life is left, and in between once a day; never for mode `none`.
    RefreshFailing {
        /// The domain.
        domain: PolicyDomain,
        /// The kind of the latest problem, as [`Problem::code`](crate::Problem::code); its evidence
        /// is in the outcome. `unknown` where the outcome names none.
        problem: &'static str,
        /// How many refreshes failed in a row, at least 2.
        failures: u32,
        /// When the first of them failed.
        since: UnixTime,
        /// For how long the policy will still protect.
        expires_in: Duration,
    },
    /// A refresh found a policy that protects less than the one it replaced.
    PolicyWeaker {
        /// The domain.
        domain: PolicyDomain,
        /// What changed.
        change: PolicyChange,
    },
}

impl Alert {
    /// The domain that it is about.
    pub const fn domain(&self) -> &PolicyDomain {
        match self {
            Self::RefreshFailing { domain, .. } | Self::PolicyWeaker { domain, .. } => domain,
        }
    }
}

impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RefreshFailing { domain, problem, failures, since, expires_in } => write!(
                f,
                "the policy of {domain} cannot be refreshed ({problem}): {failures} failures in a \
                 row since {since}, it expires in {} s",
                expires_in.as_secs()
            ),
            Self::PolicyWeaker { domain, change } => {
                let ((mode, new_mode), (age, new_age)) = (change.mode, change.max_age);
                write!(f, "the policy of {domain} protects less than before: mode {mode}")?;
                if mode != new_mode {
                    write!(f, " to {new_mode}")?;
                }
                write!(f, ", max_age {}", age.as_secs())?;
                if age != new_age {
                    write!(f, " to {}", new_age.as_secs())?;
                }
                f.write_str(if change.mx_added { ", mx added" } else { "" })
            }
        }
    }
}

/// Failures in a row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Failing {
    pub(super) failures: u32,
    pub(super) since: UnixTime,
    /// When an alert was last given, and at which stage.
    alerted: Option<(UnixTime, Stage)>,
}

/// The part of a policy's life that is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    More,
    Half,
    Quarter,
    Eighth,
}

impl Stage {
    const fn of(left: u64, life: u64) -> Self {
        match left {
            _ if left <= life / 8 => Self::Eighth,
            _ if left <= life / 4 => Self::Quarter,
            _ if left <= life / 2 => Self::Half,
            _ => Self::More,
        }
    }
}

impl Failing {
    /// The first is quiet: hosts restart.
    const QUIET: u32 = 1;

    pub(super) const fn new(now: UnixTime) -> Self {
        Self { failures: 0, since: now, alerted: None }
    }

    /// Counts a failure, with so many seconds of the policy's life left. `true` if an
    /// administrator should be told.
    pub(super) fn count(&mut self, left: u64, life: u64, now: UnixTime) -> bool {
        self.failures = self.failures.saturating_add(1);
        let stage = Stage::of(left, life);
        // RFC 8461 §10.2: "alert administrators to repeated policy refresh failures long before".
        let news = self.failures > Self::QUIET
            && self.alerted.is_none_or(|(at, last)| {
                let since = now.secs_since(at).max(at.secs_since(now));
                stage > last || since >= DAY
            });
        if news {
            self.alerted = Some((now, stage));
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{MaxAge, Mode};
    use crate::time::HOUR;
    use alloc::string::ToString;
    use alloc::vec::Vec;

    #[test]
    fn ok_alerts_come_at_the_second_failure_daily_and_at_each_stage() {
        let life = 10 * DAY;
        let end = UnixTime::from_secs(100 * DAY);
        let mut failing = Failing::new(end.minus_secs(life));
        let mut alerts = Vec::new();
        for hour in 0..10 * 24 {
            let now = end.minus_secs(life).plus_secs(hour * HOUR);
            if failing.count(end.secs_since(now), life, now) {
                alerts.push(hour);
            }
        }
        // Half at hour 120, a quarter at 180, an eighth at 210: the daily ones count from them.
        assert_eq!(alerts, [1, 25, 49, 73, 97, 120, 144, 168, 180, 204, 210, 234]);
        assert_eq!(failing.failures, 10 * 24);
    }

    #[test]
    fn ok_a_clock_set_back_does_not_silence_alerts() {
        let life = 90 * DAY;
        let now = UnixTime::from_secs(1_000 * DAY);
        let mut failing = Failing::new(now);
        assert!(!failing.count(life, life, now));
        assert!(failing.count(life, life, now));
        assert!(!failing.count(life, life, now));
        assert!(failing.count(life, life, now.minus_secs(400 * DAY)));
    }

    #[test]
    fn ok_texts() {
        let domain = PolicyDomain::parse("example.com").unwrap();
        let failing = Alert::RefreshFailing {
            domain: domain.clone(),
            problem: "policy-certificate",
            failures: 3,
            since: UnixTime::from_secs(1_800_000_000),
            expires_in: Duration::from_secs(7_200),
        };
        assert_eq!(
            failing.to_string(),
            "the policy of example.com cannot be refreshed (policy-certificate): 3 failures in a \
             row since 1800000000, it expires in 7200 s"
        );
        let ages = (MaxAge::from_secs(86_400), MaxAge::from_secs(60));
        let change = PolicyChange {
            mode: (Mode::Enforce, Mode::Testing),
            max_age: ages,
            mx_added: true,
            mx_removed: true,
        };
        let weaker = Alert::PolicyWeaker { domain, change };
        assert_eq!(
            weaker.to_string(),
            "the policy of example.com protects less than before: mode enforce to testing, \
             max_age 86400 to 60, mx added"
        );
        assert_eq!(weaker.domain(), failing.domain());
    }
}
