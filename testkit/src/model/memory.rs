//! What a sender remembers beside its policy, and for how long.

use super::{
    BACKOFF_MAX, BACKOFF_MIN, BURST, CONFIRMED_MAX, FAILURES, Failure, INTERVAL, NEGATIVE_MAX,
    NO_ANSWER, Problem, Remembered, Sender, Store, TXT_MIN, Txt,
};

impl Sender {
    /// The remembered TXT outcome, if it is within its time and still means something.
    pub(super) fn remembered(&self, now: u64, held_id: Option<&str>) -> Option<Remembered> {
        let (memory, until) = self.memory.clone()?;
        let longest = match &memory {
            Remembered::Id(id) if held_id == Some(id) => CONFIRMED_MAX,
            Remembered::Id(_) => return None,
            Remembered::Absent | Remembered::Malformed => NEGATIVE_MAX,
            Remembered::NoAnswer => NO_ANSWER,
        };
        is_waiting(now, until, longest).then_some(memory)
    }

    /// Why the policy for this id must not be fetched now.
    pub(super) fn hindrance(&self, now: u64, id: &str) -> Option<Problem> {
        let failure = self.failures.iter().find(|failure| failure.id == id);
        if failure.is_some_and(|failure| is_waiting(now, failure.not_before, BACKOFF_MAX)) {
            return Some(Problem::BackingOff);
        }
        // One more fetch must leave the bucket within its burst.
        (self.busy_until(now) - now + INTERVAL > BURST * INTERVAL).then_some(Problem::FetchLimited)
    }

    /// When the budget is whole again; one that lies too far away is whole now.
    fn busy_until(&self, now: u64) -> u64 {
        if is_waiting(now, self.full_at, BURST * INTERVAL) { self.full_at } else { now }
    }

    /// Takes one fetch from the budget.
    pub(super) fn spend(&mut self, now: u64) {
        self.full_at = self.busy_until(now).saturating_add(INTERVAL);
    }

    /// Remembers a failure of this id, at the cost of the oldest.
    pub(super) fn fail(&mut self, now: u64, id: &str) {
        let before = self.failures.iter().find(|failure| failure.id == id);
        let count = before.map_or(0, |failure| failure.count) + 1;
        let mut wait = BACKOFF_MIN;
        for _ in 1..count {
            wait = (wait * 2).min(BACKOFF_MAX);
        }
        self.failures.retain(|failure| failure.id != id);
        self.failures.push(Failure {
            id: id.to_owned(),
            count,
            not_before: now.saturating_add(wait),
        });
        while self.failures.len() > FAILURES {
            self.failures.remove(0);
        }
    }

    /// What the store makes of an entry that was written without having read the one before: the
    /// later fetch rules, and neither a negative nor a failure displaces a policy.
    pub(super) fn merge_blind(&mut self, blind: Self, asks_txt: bool, store: Store) {
        let stored_at = self.policy.as_ref().map(|policy| policy.fetched_at);
        let blind_at = blind.policy.as_ref().map(|policy| policy.fetched_at);
        if store == Store::Put && blind_at >= stored_at {
            self.policy = blind.policy;
            self.generation += 1;
        }
        if asks_txt {
            self.memory = blind.memory;
        }
        for failure in blind.failures {
            let before = self.failures.iter().find(|before| before.id == failure.id).cloned();
            self.failures.retain(|before| before.id != failure.id);
            self.failures.push(match before {
                Some(before) if before.not_before > failure.not_before => before,
                _ => failure,
            });
        }
        while self.failures.len() > FAILURES {
            self.failures.remove(0);
        }
        self.full_at = self.full_at.max(blind.full_at);
    }
}

/// What is remembered of an answer, and until when.
pub(super) fn remember(txt: &Txt, now: u64) -> (Remembered, u64) {
    let (outcome, seconds) = match txt {
        Txt::Id(id, ttl) => (Remembered::Id(id.clone()), *ttl.clamp(&TXT_MIN, &CONFIRMED_MAX)),
        Txt::Absent(ttl) => (Remembered::Absent, *ttl.clamp(&TXT_MIN, &NEGATIVE_MAX)),
        Txt::Several(ttl) | Txt::Malformed(ttl) => {
            (Remembered::Malformed, *ttl.clamp(&TXT_MIN, &NEGATIVE_MAX))
        }
        Txt::NoAnswer => (Remembered::NoAnswer, NO_ANSWER),
    };
    (outcome, now.saturating_add(seconds))
}

/// Whether `until` is still to come. One further away than it can have been set is over: the clock
/// has jumped back.
fn is_waiting(now: u64, until: u64, longest: u64) -> bool {
    now < until && until - now <= longest
}
