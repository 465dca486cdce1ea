//! Lanes: which refreshes share which part of the concurrent refreshes.

use core::time::Duration;

use super::plan;
use crate::lookup::Limits;
use crate::name::PolicyDomain;

/// A class of refreshes. A policy has a lane of its own by its `max_age`, and uses
/// [`Lane::Slow`] as well while its host is slow or fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    /// Policies of 36 hours or more.
    Regular,
    /// Policies of less than 36 hours.
    Short,
    /// Policies whose last refresh failed, or took longer than [`plan::PROMPT`].
    Slow,
}

impl Lane {
    /// The lane of a prompt host whose policy has this `max_age`.
    pub(super) const fn of_prompt(max_age: u64) -> Self {
        if max_age < plan::REGULAR_LIFE { Self::Short } else { Self::Regular }
    }

    /// `true` if refreshes of this lane have the short timeouts.
    pub(super) const fn is_prompt(self) -> bool {
        !matches!(self, Self::Slow)
    }
}

/// A domain whose refresh begins now.
///
/// ```
/// # use mta_sts::{Held, Limits, Lookup, Recheck, UnixTime, lookup::Start, schedule::Due};
/// # fn held(of: &mta_sts::PolicyDomain) -> Held { Held::Nothing }
/// fn begin(due: Due, base: Limits, now: UnixTime) -> Start {
///     let (held, limits) = (held(due.domain()), due.limits(base));
///     let lookup = Lookup::new(due.into_domain(), held).limits(limits);
///     lookup.recheck(Recheck::Refresh).start(now)
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "the domain is not returned again for 15 minutes"]
pub struct Due {
    pub(super) domain: PolicyDomain,
    pub(super) lane: Lane,
}

impl Due {
    /// The longest time for the TXT query of a prompt host.
    const QUERY: Duration = Duration::from_secs(4);
    /// The longest time for the fetch from a prompt host.
    const FETCH: Duration = Duration::from_secs(8);

    /// The domain to refresh.
    pub const fn domain(&self) -> &PolicyDomain {
        &self.domain
    }

    /// The domain to refresh, to keep.
    pub fn into_domain(self) -> PolicyDomain {
        self.domain
    }

    /// Returns the limits of this refresh, for
    /// [`Lookup::limits`](crate::Lookup::limits).
    ///
    /// For a host that was prompt, the TXT query has at most 4 seconds and the fetch at most 8, so
    /// that slow hosts cannot hold up the others. A refresh that these timeouts end is tried again
    /// with all of `base`.
    ///
    /// ```
    /// # use mta_sts::{Limits, schedule::Due};
    /// # fn f(due: Due) {
    /// let base = Limits::default();
    /// assert!(due.limits(base).fetch_timeout() <= base.fetch_timeout());
    /// # }
    /// ```
    pub fn limits(&self, base: Limits) -> Limits {
        if !self.lane.is_prompt() {
            return base;
        }
        base.with_query_timeout(base.query_timeout().min(Self::QUERY))
            .with_fetch_timeout(base.fetch_timeout().min(Self::FETCH))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{DAY, HOUR};

    #[test]
    fn lane_of_a_prompt_host_depends_on_max_age() {
        for (max_age, lane) in [
            (HOUR, Lane::Short),
            (DAY, Lane::Short),
            (36 * HOUR - 1, Lane::Short),
            (36 * HOUR, Lane::Regular),
            (365 * DAY, Lane::Regular),
        ] {
            assert_eq!(Lane::of_prompt(max_age), lane, "{max_age}");
        }
    }

    #[test]
    fn prompt_lanes_tighten_limits_and_never_widen_them() {
        let secs = Duration::from_secs;
        let times = |lane, query, fetch| {
            let base = Limits::default()
                .with_query_timeout(secs(query))
                .with_fetch_timeout(secs(fetch))
                .with_policy_octets(1_000);
            let due = Due { domain: PolicyDomain::parse("a.example").unwrap(), lane };
            let limits = due.limits(base);
            assert_eq!(limits.policy_octets(), 1_000);
            (limits.query_timeout().as_secs(), limits.fetch_timeout().as_secs())
        };
        for lane in [Lane::Regular, Lane::Short] {
            assert_eq!(times(lane, 20, 60), (4, 8));
            assert_eq!(times(lane, 2, 60), (2, 8));
            assert_eq!(times(lane, 20, 3), (4, 3));
        }
        assert_eq!(times(Lane::Slow, 20, 60), (20, 60));
    }
}
