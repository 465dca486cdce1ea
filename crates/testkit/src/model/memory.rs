//! What a sender remembers beside its policy, and for how long.

use super::{
    BACKOFF_MAX, BACKOFF_MIN, BURST, CLOCK_TOLERANCE, CONFIRMED_MAX, COUNTED_STEP, FAILURES,
    FORGOTTEN_AFTER, Failure, INTERVAL, NEGATIVE_MAX, NO_ANSWER, Problem, Remembered, Sender,
    Store, TXT_MIN, Txt,
};

impl Sender {
    /// Deals with what a clock that ran ahead has stamped: back-off is put at its largest, the budget
    /// is all spent, the age of a policy is counted. Returns `true` if the age was counted.
    pub(super) fn anchor(&mut self, now: u64) -> bool {
        let mut counts_anew = false;
        if is_astray(now, self.full_at, BURST * INTERVAL) {
            let since = self.astray_since.filter(|since| *since <= now + CLOCK_TOLERANCE);
            self.restarts += u64::from(self.astray_since.is_some() && since.is_none());
            self.astray_since = since.or(Some(now));
            if since.is_some_and(|since| now >= since + BURST * INTERVAL) {
                (self.full_at, self.astray_since) = (now, None);
                self.restarts += 1;
            }
        }
        let astray: Vec<Failure> = self
            .failures
            .iter()
            .filter(|failure| is_astray(now, failure.not_before, BACKOFF_MAX))
            .cloned()
            .collect();
        for failure in astray {
            self.note(Failure { not_before: now + BACKOFF_MAX, ..failure });
        }
        if let Some(policy) = &mut self.policy {
            if policy.is_ahead(now) {
                let before = policy.counted;
                policy.counted = Some(match policy.counted {
                    None => (0, now),
                    // Set back once more: no time is counted, but the note is a later one.
                    Some((age, to)) if to > now + CLOCK_TOLERANCE => (age + 1, now),
                    Some((age, to)) => {
                        let passed = now.saturating_sub(to);
                        let step = COUNTED_STEP.min(policy.max_age / 8);
                        if passed < step { (age, to) } else { (age + passed, now) }
                    }
                });
                counts_anew = before != policy.counted;
            }
            // At its end, or when the clock has caught up, the fetch is dated back for good.
            let counted = policy.counted.map_or(0, |(age, _)| age);
            let by_stamp = now.saturating_sub(policy.fetched_at);
            let is_over = policy.is_ahead(now) && !policy.unexpired(now);
            let is_caught_up = !policy.is_ahead(now) && counted > by_stamp + CLOCK_TOLERANCE;
            if is_over || is_caught_up {
                policy.fetched_at = now.saturating_sub(policy.age(now));
                policy.counted = None;
                self.generation += 1;
            }
        }
        counts_anew
    }

    /// The remembered TXT outcome, if it is within its time and still means something.
    pub(super) fn remembered(&self, now: u64, held_id: Option<&str>) -> Option<Remembered> {
        let (memory, until) = self.memory.clone()?;
        let longest = match &memory {
            Remembered::Id(id) if held_id == Some(id) => CONFIRMED_MAX,
            Remembered::Id(_) => return None,
            Remembered::Absent | Remembered::Malformed => NEGATIVE_MAX,
            Remembered::NoAnswer => NO_ANSWER,
        };
        (now < until && !is_astray(now, until, longest)).then_some(memory)
    }

    /// Why the policy for this id must not be fetched now.
    pub(super) fn hindrance(&self, now: u64, id: &str) -> Option<Problem> {
        let failure = self.failures.iter().find(|failure| failure.id == id);
        if failure.is_some_and(|failure| now < failure.not_before) {
            return Some(Problem::BackingOff);
        }
        if self.astray_since.is_some() && is_astray(now, self.full_at, BURST * INTERVAL) {
            return Some(Problem::FetchLimited);
        }
        // One more fetch must leave the bucket within its burst.
        let debt = self.full_at.saturating_sub(now);
        (debt + INTERVAL > BURST * INTERVAL).then_some(Problem::FetchLimited)
    }

    /// Takes one fetch from the budget.
    pub(super) fn spend(&mut self, now: u64) {
        self.full_at = self.full_at.max(now).saturating_add(INTERVAL);
        self.astray_since = None;
    }

    /// Remembers a failure of this id, at the cost of the oldest. One that comes a day after the end
    /// of the last wait is a first one.
    pub(super) fn fail(&mut self, now: u64, id: &str) {
        let before = self.failures.iter().find(|failure| failure.id == id);
        let recent =
            before.filter(|before| now.saturating_sub(before.not_before) < FORGOTTEN_AFTER);
        let count = recent.map_or(0, |failure| failure.count) + 1;
        let mut wait = BACKOFF_MIN;
        for _ in 1..count {
            wait = (wait * 2).min(BACKOFF_MAX);
        }
        self.note(Failure { id: id.to_owned(), count, not_before: now.saturating_add(wait) });
    }

    /// Ends the row of failures of this id. That it ended is remembered like a failure.
    pub(super) fn succeed(&mut self, id: &str) {
        if self.failures.iter().any(|failure| failure.id == id) {
            self.note(Failure { id: id.to_owned(), count: 0, not_before: 0 });
        }
    }

    fn note(&mut self, note: Failure) {
        self.failures.retain(|failure| failure.id != note.id);
        self.failures.push(note);
        let surplus = self.failures.len().saturating_sub(FAILURES);
        self.failures.drain(..surplus);
    }

    /// What the store makes of an entry that was written without having read the one before: the
    /// later fetch rules, and neither a negative nor a failure
    /// displaces a policy. Of two notes the later one stays.
    pub(super) fn merge_blind(&mut self, blind: Self, asks_txt: bool, store: Store) {
        let fetched_at = |of: &Self| of.policy.as_ref().map(|policy| policy.fetched_at);
        if store == Store::Put && fetched_at(&blind) >= fetched_at(self) {
            self.policy.clone_from(&blind.policy);
            self.generation += 1;
        }
        let budget = |of: &Self| (of.restarts, of.full_at, of.astray_since);
        (self.restarts, self.full_at, self.astray_since) = budget(self).max(budget(&blind));
        if asks_txt {
            self.memory = blind.memory;
        }
        for failure in blind.failures {
            self.note(failure);
        }
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

/// Whether `until` is further away than it can have been set, and than clocks may differ: the clock
/// that set it was wrong, or this one is.
const fn is_astray(now: u64, until: u64, longest: u64) -> bool {
    until.saturating_sub(now) > longest + CLOCK_TOLERANCE
}
