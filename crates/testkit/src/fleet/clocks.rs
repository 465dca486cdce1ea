//! One clock that was wrong for a while, and was set right.
//!
//! With one such clock, properties 1 and 2 hold in this form:
//!
//! * A policy that a clock ahead of the time fetched is applied for one `max_age` after the first
//!   lookup at the right time, and for what passes between the two lookups at which the time reaches
//!   the stamp.
//! * A policy that a right clock fetched survives each lookup by a clock that is behind, unless such
//!   a clock fetches another.
//!
//! The attacker blocks DNS and HTTPS after the fetch, so that nothing but its age ends a policy.

use mta_sts::{Entry, FetchFailure, Held, Lookup, Mode, Outcome, Recheck, UnixTime};

use crate::pair::domain;
use crate::script::{HttpsAnswer, TxtAnswer, policy_text, run};

/// The true time at which each course begins.
pub const START: u64 = 1_800_000_000;

/// A sender with one store. Each call gives the time of its clock.
#[derive(Debug, Clone, Default)]
pub struct Sender {
    entry: Option<Entry>,
}

impl Sender {
    /// The stored entry.
    pub const fn entry(&self) -> Option<&Entry> {
        self.entry.as_ref()
    }

    /// Fetches a policy with this id, mode and `max_age`, at a time of the sender's clock.
    ///
    /// # Panics
    /// If the stored bytes cannot be read.
    pub fn fetch(&mut self, id: &str, mode: Mode, max_age: u64, clock: u64) -> Outcome {
        let https = HttpsAnswer::policy(&policy_text(mode.as_str(), max_age));
        self.look(&TxtAnswer::id(id, 60), &https, clock)
    }

    /// Refreshes while the attacker blocks DNS and HTTPS, at a time of the sender's clock. Returns
    /// `true` if a policy applies.
    ///
    /// # Panics
    /// If the stored bytes cannot be read.
    pub fn blocked(&mut self, clock: u64) -> bool {
        let https = HttpsAnswer::Failed(FetchFailure::Timeout);
        self.look(&TxtAnswer::silence(), &https, clock).policy().is_some()
    }

    /// A mail asks for the policy, at a time of the sender's clock, while the attacker blocks DNS and
    /// HTTPS. The answer may come from memory, and is not written then. Returns `true` if a policy
    /// applies.
    ///
    /// # Panics
    /// If the stored bytes cannot be read.
    pub fn mail(&mut self, clock: u64) -> bool {
        let now = UnixTime::from_secs(clock);
        if let Some(decision) = self.entry.as_ref().and_then(|entry| entry.decide(&domain(), now)) {
            return decision.policy().is_some();
        }
        let https = HttpsAnswer::Failed(FetchFailure::Timeout);
        self.ask(Recheck::WhenDue, &TxtAnswer::silence(), &https, clock).policy().is_some()
    }

    fn look(&mut self, txt: &TxtAnswer, https: &HttpsAnswer, clock: u64) -> Outcome {
        self.ask(Recheck::Refresh, txt, https, clock)
    }

    fn ask(
        &mut self,
        recheck: Recheck,
        txt: &TxtAnswer,
        https: &HttpsAnswer,
        clock: u64,
    ) -> Outcome {
        let held = self.entry.clone().map_or(Held::Nothing, Held::Entry);
        let lookup = Lookup::new(domain(), held).recheck(recheck);
        let run = run(lookup, txt, https, true, UnixTime::from_secs(clock));
        // The store holds nothing but the entries of this sender, as bytes.
        let bytes = run.outcome.entry().to_bytes();
        let entry = Entry::from_bytes(&domain(), &bytes).expect("what was written can be read");
        self.entry = Some(entry);
        run.outcome
    }
}

/// Returns the seconds for which a policy applies after the first lookup at the right time. A clock
/// that was `ahead` seconds ahead fetched it, with this `max_age`. A lookup is made each `every`
/// seconds.
pub fn life_after_a_clock_ahead(ahead: u64, max_age: u64, every: u64) -> u64 {
    let mut sender = Sender::default();
    sender.fetch("1", Mode::Enforce, max_age, START.saturating_add(ahead));
    life(&mut sender, START + 1, max_age, every)
}

/// Returns the seconds for which a policy applies by a right clock, after `lookups` lookups by a
/// clock that was `behind` seconds behind.
pub fn life_after_a_clock_behind(behind: u64, lookups: u64, max_age: u64, every: u64) -> u64 {
    let mut sender = Sender::default();
    sender.fetch("1", Mode::Enforce, max_age, START);
    for number in 1..=lookups {
        sender.blocked((START + number * every).saturating_sub(behind));
    }
    life(&mut sender, START + (lookups + 1) * every, max_age, every)
}

/// The seconds from `first` to the last time at which a policy applies, if there is an end.
fn life(sender: &mut Sender, first: u64, max_age: u64, every: u64) -> u64 {
    let mut last = 0;
    let mut at = first;
    while at < first + 4 * max_age {
        if sender.blocked(at) {
            last = at + 1 - first;
        }
        at += every;
    }
    last
}
