//! Taking MTA-STS away without losing mail (RFC 8461 §8.3).

use super::PolicyText;
use mta_sts::MaxAge;
use mta_sts::Record;
use mta_sts::UnixTime;

/// Seconds of a day.
const DAY: u64 = 86_400;

/// A step of a removal. It is done after the step before, and no earlier than
/// [`not_before`](Self::not_before).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemovalStep {
    /// The earliest time for the step, if those before it are done at once.
    pub earliest: UnixTime,
    /// The time that must pass after the first step was done, because senders fetch the old policy
    /// until then.
    pub after_first: MaxAge,
    /// The action.
    pub action: RemovalAction,
}

impl RemovalStep {
    /// The time before which the step must not be done, where the first step was done at
    /// `first_done`.
    ///
    /// ```
    /// use mta_sts_lint::publish::removal;
    /// use mta_sts::{MaxAge, UnixTime};
    ///
    /// let now = UnixTime::from_secs(1_800_000_000);
    /// let [_, _, last] = removal(MaxAge::from_secs(604_800), now, now);
    /// // The policy of mode `none` is served two days later than planned.
    /// let first_done = now.plus_secs(172_800);
    /// assert_eq!(last.not_before(first_done), first_done.plus_secs(604_800));
    /// ```
    #[must_use]
    pub fn not_before(&self, first_done: UnixTime) -> UnixTime {
        self.earliest.max(first_done.plus_secs(u64::from(self.after_first.as_secs())))
    }
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
/// `longest` is the greatest `max_age` that any policy of the domain had of late. `last_served` is
/// the time at which the last policy of a mode other than `none` was served. If that is not before
/// `now`, the policy is served until the first step is done, so the last step waits from then.
///
/// ```
/// use mta_sts_lint::publish::{RemovalAction, removal};
/// use mta_sts::{MaxAge, UnixTime};
///
/// let now = UnixTime::from_secs(1_800_000_000);
/// let week = MaxAge::from_secs(604_800);
/// let steps = removal(week, now, now);
/// assert_eq!(steps.len(), 3);
/// assert_eq!(steps[0].earliest, now);
/// assert_eq!(steps[2].action, RemovalAction::RemoveAll);
/// assert_eq!(steps[2].earliest, now.plus_secs(604_800));
/// assert_eq!(steps[2].after_first, week);
/// ```
pub fn removal(longest: MaxAge, last_served: UnixTime, now: UnixTime) -> [RemovalStep; 3] {
    // RFC 8461 §8.3: "a small "max_age" (e.g., one day)".
    let policy = PolicyText::none(MaxAge::from_secs(DAY));
    let record = policy.record();
    let step = |action| RemovalStep { earliest: now, after_first: MaxAge::ZERO, action };
    // RFC 8461 §8.3: "the time the previously published policy was last served plus that
    // policy's "max_age"", for the policy that lives longest. A policy that is served still is
    // last served when the first step is done, which may be later than now.
    let is_served = last_served >= now;
    let expired = last_served.plus_secs(u64::from(longest.as_secs())).max(now);
    [
        step(RemovalAction::ServePolicy(policy)),
        step(RemovalAction::PublishRecord(record)),
        RemovalStep {
            earliest: expired,
            after_first: if is_served { longest } else { MaxAge::ZERO },
            action: RemovalAction::RemoveAll,
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use mta_sts::{Mode, PolicyRef, Profile};

    const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);

    fn end(longest: u64, last_served: UnixTime) -> UnixTime {
        let [_, _, last] = removal(MaxAge::from_secs(longest), last_served, NOW);
        assert_eq!(last.action, RemovalAction::RemoveAll);
        last.earliest
    }

    #[test]
    fn ok_the_steps_in_order() {
        let [first, second, _] = removal(MaxAge::LONGEST, NOW, NOW);
        let RemovalAction::ServePolicy(policy) = first.action else { panic!("{first:?}") };
        let read = PolicyRef::parse(policy.as_str().as_bytes(), Profile::Strict).unwrap();
        assert_eq!((read.mode(), read.max_age().as_secs()), (Mode::None, 86_400));
        assert_eq!(second.action, RemovalAction::PublishRecord(policy.record()));
        assert_eq!((first.earliest, second.earliest), (NOW, NOW));
        let later = NOW.plus_secs(9);
        assert_eq!(second.not_before(later), later);
    }

    #[test]
    fn no_sender_holds_the_old_policy_at_the_end_whenever_the_steps_are_done() {
        for longest in [0, 1, 86_400, 604_800, 31_557_600] {
            // Seconds since the last policy was served, none if it still is; the delay of step 1.
            for served_ago in [None, Some(1), Some(3_600), Some(604_800), Some(99_999_999)] {
                for delay in [0, 1, 3_600, 172_800, 604_800, 99_999_999] {
                    let last_served = NOW.minus_secs(served_ago.unwrap_or(0));
                    let [first, _, last] = removal(MaxAge::from_secs(longest), last_served, NOW);
                    let first_done = first.earliest.plus_secs(delay);
                    // The last fetch of the old policy that a sender can have made.
                    let fetched = if served_ago.is_some() { last_served } else { first_done };
                    let end = last.not_before(first_done);
                    assert!(end >= fetched.plus_secs(longest), "{longest} {served_ago:?} {delay}");
                    assert!(end >= first_done, "{longest} {served_ago:?} {delay}");
                }
            }
        }
        // A time that lies ahead is a plan: the first step may be done before it or after it.
        let planned = NOW.plus_secs(1_000);
        let [_, _, last] = removal(MaxAge::from_secs(60), planned, NOW);
        assert_eq!(last.not_before(NOW), planned.plus_secs(60));
        assert_eq!(last.not_before(planned.plus_secs(9)), planned.plus_secs(69));
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
