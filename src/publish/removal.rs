//! Taking MTA-STS away without losing mail (RFC 8461 §8.3).

use super::PolicyText;
use crate::policy::MaxAge;
use crate::record::Record;
use crate::time::{DAY, UnixTime};

/// A step of a removal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemovalStep {
    /// It may be done at this time, and no earlier; and after the step before.
    pub not_before: UnixTime,
    /// What to do.
    pub action: RemovalAction,
}

/// What is done in a step of a removal.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RemovalAction {
    /// Serve this policy, of mode `none`, in place of the old one.
    ServePolicy(PolicyText),
    /// Publish this record in place of the old one, so that senders fetch the policy.
    PublishRecord(Record<'static>),
    /// Remove the TXT record, then the policy and its host.
    RemoveAll,
}

/// The steps by which a domain leaves MTA-STS, in order (RFC 8461 §8.3).
///
/// `longest` is the greatest `max_age` that any policy of the domain had of late; `last_served` is
/// when the last policy of a mode other than `none` was served: `now`, if it still is. A time
/// later than now is taken at its word.
///
/// ```
/// use mta_sts::publish::{RemovalAction, removal};
/// use mta_sts::{MaxAge, UnixTime};
///
/// let now = UnixTime::from_secs(1_800_000_000);
/// let steps = removal(MaxAge::from_secs(604_800), now, now);
/// assert_eq!(steps.len(), 3);
/// assert_eq!(steps[0].not_before, now);
/// assert_eq!(steps[2].not_before, now.plus_secs(604_800));
/// assert_eq!(steps[2].action, RemovalAction::RemoveAll);
/// ```
pub fn removal(longest: MaxAge, last_served: UnixTime, now: UnixTime) -> [RemovalStep; 3] {
    // RFC 8461 §8.3: "a small "max_age" (e.g., one day)".
    let policy = PolicyText::none(MaxAge::from_secs(DAY));
    let record = policy.record();
    // RFC 8461 §8.3: "the time the previously published policy was last served plus that
    // policy's "max_age"", for the policy that lives longest.
    let expired = last_served.plus_secs(u64::from(longest.as_secs())).max(now);
    [
        RemovalStep { not_before: now, action: RemovalAction::ServePolicy(policy) },
        RemovalStep { not_before: now, action: RemovalAction::PublishRecord(record) },
        RemovalStep { not_before: expired, action: RemovalAction::RemoveAll },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Mode, PolicyRef, Profile};

    const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);

    fn end(longest: u64, last_served: UnixTime) -> UnixTime {
        let [_, _, last] = removal(MaxAge::from_secs(longest), last_served, NOW);
        assert_eq!(last.action, RemovalAction::RemoveAll);
        last.not_before
    }

    #[test]
    fn ok_the_steps_in_order() {
        let [first, second, _] = removal(MaxAge::LONGEST, NOW, NOW);
        let RemovalAction::ServePolicy(policy) = first.action else { panic!("{first:?}") };
        let read = PolicyRef::parse(policy.as_str().as_bytes(), Profile::Strict).unwrap();
        assert_eq!((read.mode(), read.max_age().as_secs()), (Mode::None, 86_400));
        assert_eq!(second.action, RemovalAction::PublishRecord(policy.record()));
        assert_eq!((first.not_before, second.not_before), (NOW, NOW));
    }

    #[test]
    fn ok_the_end_waits_for_the_policy_that_lives_longest() {
        assert_eq!(end(604_800, NOW), NOW.plus_secs(604_800));
        assert_eq!(end(604_800, NOW.minus_secs(600_000)), NOW.plus_secs(4_800));
        // All of it has expired: at once, but never in the past.
        assert_eq!(end(604_800, NOW.minus_secs(604_801)), NOW);
        assert_eq!(end(0, NOW), NOW);
        assert_eq!(end(u64::MAX, NOW), NOW.plus_secs(31_557_600));
        assert_eq!(end(60, UnixTime::from_secs(u64::MAX)), UnixTime::from_secs(u64::MAX));
    }
}
