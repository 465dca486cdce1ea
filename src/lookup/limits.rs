//! What bounds a lookup.

use core::time::Duration;

use crate::policy::{MAX_POLICY_OCTETS, Profile};

/// Bounds of a lookup: how long, how large, how strict.
///
/// ```
/// use core::time::Duration;
/// use mta_sts::{Limits, Profile};
///
/// let limits = Limits::default()
///     .with_fetch_timeout(Duration::from_secs(30))
///     .with_profile(Profile::Strict);
/// assert_eq!(limits.fetch_timeout(), Duration::from_secs(30));
/// assert_eq!(limits.policy_octets(), 65_536);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    query_timeout: Duration,
    fetch_timeout: Duration,
    policy_octets: u32,
    profile: Profile,
}

/// 20 s for DNS, and what RFC 8461 §3.3 suggests for HTTPS: one minute and 64 KiB. The profile is
/// [`Profile::Tolerant`].
impl Default for Limits {
    fn default() -> Self {
        Self {
            query_timeout: Duration::from_secs(20),
            fetch_timeout: Duration::from_secs(60),
            policy_octets: 65_536,
            profile: Profile::default(),
        }
    }
}

impl Limits {
    const TIMEOUT: (Duration, Duration) = (Duration::from_millis(1), Duration::from_secs(300));

    /// With this much time for the TXT question; held between 1 ms and 300 s.
    #[must_use]
    pub fn with_query_timeout(self, timeout: Duration) -> Self {
        let (shortest, longest) = Self::TIMEOUT;
        Self { query_timeout: timeout.clamp(shortest, longest), ..self }
    }

    /// With this much time for the whole fetch: addresses, connection, TLS, head and body; held
    /// between 1 ms and 300 s.
    #[must_use]
    pub fn with_fetch_timeout(self, timeout: Duration) -> Self {
        let (shortest, longest) = Self::TIMEOUT;
        Self { fetch_timeout: timeout.clamp(shortest, longest), ..self }
    }

    /// With policies of at most this many octets; held between 1 and 65,536.
    #[must_use]
    pub fn with_policy_octets(self, octets: u32) -> Self {
        let most = u32::try_from(MAX_POLICY_OCTETS).unwrap_or(u32::MAX);
        Self { policy_octets: octets.clamp(1, most), ..self }
    }

    /// With this profile for policies and their media type.
    #[must_use]
    pub const fn with_profile(self, profile: Profile) -> Self {
        Self { profile, ..self }
    }

    /// The time for the TXT question.
    pub const fn query_timeout(&self) -> Duration {
        self.query_timeout
    }

    /// The time for the whole fetch.
    pub const fn fetch_timeout(&self) -> Duration {
        self.fetch_timeout
    }

    /// The largest policy, in octets.
    pub const fn policy_octets(&self) -> u32 {
        self.policy_octets
    }

    /// The profile.
    pub const fn profile(&self) -> Profile {
        self.profile
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_each_limit_is_set_for_itself_and_kept_within_its_bounds() {
        const MS: Duration = Duration::from_millis(1);
        let secs = Duration::from_secs;
        let all = |limits: Limits| {
            (
                limits.query_timeout(),
                limits.fetch_timeout(),
                limits.policy_octets(),
                limits.profile(),
            )
        };
        let limits = Limits::default();
        assert_eq!(all(limits), (secs(20), secs(60), 65_536, Profile::Tolerant));
        for (given, kept) in
            [(secs(0), MS), (MS, MS), (secs(300), secs(300)), (secs(301), secs(300))]
        {
            let tolerant = Profile::Tolerant;
            assert_eq!(all(limits.with_query_timeout(given)), (kept, secs(60), 65_536, tolerant));
            assert_eq!(all(limits.with_fetch_timeout(given)), (secs(20), kept, 65_536, tolerant));
        }
        for (given, kept) in [(0, 1), (1, 1), (65_536, 65_536), (65_537, 65_536)] {
            assert_eq!(limits.with_policy_octets(given).policy_octets(), kept);
        }
        assert_eq!(limits.with_profile(Profile::Strict).profile(), Profile::Strict);
    }
}
