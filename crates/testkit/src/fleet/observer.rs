//! The observer knows the true time, each response with its time, and the facts that reached each
//! entry. It never asks the implementation.

use mta_sts::Status;

use super::Counts;
use super::op::{Dns, Setup};
use crate::model::Mode;
use crate::oracle;

/// Two right clocks differ by at most two minutes. Ten seconds more cover the numbers that a
/// logical clock adds to the time.
const TOLERANCE: u64 = 2 * 60 + 10;
const INTERVAL: u64 = 300;
const BURST: u64 = 4;
/// The ids whose failures a sender has to remember.
const FAILURES: usize = 4;
const DAY: u64 = 86_400;
const GRACE: u64 = 30 * DAY;

/// A policy as its owner published it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Publication {
    pub(super) id: String,
    pub(super) mode: Mode,
    pub(super) max_age: u64,
    pub(super) patterns: &'static [&'static str],
    pub(super) text: String,
}

/// A set of numbers below 128.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Set(u128);

impl Set {
    fn with(self, number: usize) -> Self {
        Self(self.0 | 1 << number.min(127))
    }

    fn has(self, number: usize) -> bool {
        self.0 >> number.min(127) & 1 == 1
    }

    fn iter(self) -> impl Iterator<Item = usize> {
        (0..128).filter(move |number| self.has(*number))
    }
}

/// The facts that an entry was told: those that its own lookups learnt, and those of every entry
/// that was merged into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Known {
    /// Fetched policies.
    policies: Set,
    /// Fetches that were taken from the budget.
    spent: Set,
    /// Fetches of which the result is known.
    ended: Set,
    /// Answers of DNS.
    answers: Set,
}

impl Known {
    pub(super) fn join(&mut self, other: Self) {
        self.policies.0 |= other.policies.0;
        self.spent.0 |= other.spent.0;
        self.ended.0 |= other.ended.0;
        self.answers.0 |= other.answers.0;
    }
}

/// A policy that was fetched whole, under a valid certificate.
#[derive(Debug, Clone)]
struct Fetched {
    policy: Publication,
    /// The ids that stand for it: the announced one, or those of the held policies.
    ids: Vec<String>,
    /// The true time at which the fetch was handed out.
    handed: u64,
    /// The policies that its lookup had read.
    read: Set,
    /// It takes the place of every fetch that was handed out earlier. A fetch without a life does so
    /// only if there was a policy to clear: an entry without one is not told of it.
    is_ordered: bool,
}

impl Fetched {
    /// A policy without a life is never kept.
    fn is_clearing(&self) -> bool {
        self.policy.max_age == 0
    }

    fn may_be_expired(&self, at: u64) -> bool {
        at + TOLERANCE >= self.handed + self.policy.max_age
    }

    fn is_expired(&self, at: u64) -> bool {
        at > self.handed + self.policy.max_age + TOLERANCE
    }
}

/// A fetch that was begun.
#[derive(Debug)]
struct Begun {
    id: Option<String>,
    at: u64,
    /// Its lookup was not told of all that the store knew.
    is_blind: bool,
    /// The time of its end, and the result.
    end: Option<(u64, bool)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Said {
    /// DNS was not asked, or was silent.
    Nothing,
    /// An answer that announces no id.
    NoId,
    Id(String),
}

/// A refused mail.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    /// The text of the policy that applied.
    text: Option<String>,
    at: u64,
}

/// One lookup, as the observer sees it.
#[derive(Debug, Clone)]
pub(super) struct Look {
    pub(super) known: Known,
    /// The store could be read, or its entry came back from the write.
    is_informed: bool,
    is_blind: bool,
    has_notes: bool,
    /// The time of its last step that decided something.
    pub(super) decided: u64,
    asked: u64,
    said: Said,
    handed: u64,
    begun: Option<usize>,
    /// The answers that it read, without its own one. During a fetch: with its own, which is remembered
    /// at the end of the fetch.
    answers_before: Set,
    own: Option<usize>,
    refusal: Option<Refusal>,
    applied: Option<String>,
}

impl Look {
    pub(super) const fn is_gate(&self) -> bool {
        self.refusal.is_some()
    }
}

/// The observer of one fleet.
#[derive(Debug)]
pub(super) struct Observer {
    setup: Setup,
    fetched: Vec<Fetched>,
    begun: Vec<Begun>,
    answers: Vec<(u64, Said)>,
    /// The largest number of lookups that were in progress at once, of each store.
    width: [u64; 4],
    /// A clock was wrong at some time.
    pub(super) is_wild: bool,
    /// Each setting of a clock was one back.
    pub(super) is_only_back: bool,
    pub(super) counts: Counts,
}

impl Observer {
    pub(super) fn new(setup: Setup) -> Self {
        Self {
            setup,
            fetched: Vec::new(),
            begun: Vec::new(),
            answers: Vec::new(),
            width: [0; 4],
            is_wild: false,
            is_only_back: true,
            counts: Counts::default(),
        }
    }

    pub(super) const fn ask(
        &mut self,
        store: usize,
        in_progress: u64,
        (known, stored): (Known, Known),
        is_readable: bool,
        refusal: Option<Refusal>,
        now: u64,
    ) -> Look {
        let is_blind = stored.spent.0 & !known.spent.0 != 0;
        let has_notes = !is_readable && known.spent.0 != 0;
        if self.width[store] < in_progress {
            self.width[store] = in_progress;
        }
        Look {
            known,
            is_informed: is_readable,
            is_blind,
            has_notes,
            decided: now,
            asked: now,
            said: Said::Nothing,
            handed: now,
            begun: None,
            answers_before: known.answers,
            own: None,
            refusal,
            applied: None,
        }
    }

    pub(super) fn answered(&mut self, look: &mut Look, answer: Dns, id: Option<&str>, now: u64) {
        look.decided = now;
        look.said = match (answer, id) {
            (Dns::Silence, _) => Said::Nothing,
            (_, None) => Said::NoId,
            (_, Some(id)) => Said::Id(id.to_owned()),
        };
        look.known.answers = look.known.answers.with(self.answers.len());
        self.answers.push((look.asked, look.said.clone()));
    }

    /// A sender begins a fetch: properties 6a and 6b.
    pub(super) fn begins(&mut self, look: &mut Look, store: usize, now: u64) -> Result<(), String> {
        let is_alone = self.setup.senders == 1 || !self.setup.is_shared;
        if !self.is_wild || (is_alone && self.is_only_back) {
            self.check_budget(look, store, is_alone, now)?;
        }
        let id = match &look.said {
            Said::Id(id) => Some(id.clone()),
            _ => None,
        };
        if let Some(id) = id.as_ref().filter(|_| !self.is_wild) {
            self.check_back_off(look, id, is_alone, now)?;
        }
        (look.handed, look.decided) = (now, now);
        look.begun = Some(self.begun.len());
        std::mem::swap(&mut look.known.answers, &mut look.answers_before);
        look.known.spent = look.known.spent.with(self.begun.len());
        self.begun.push(Begun { id, at: now, is_blind: look.is_blind, end: None });
        Ok(())
    }

    fn check_budget(
        &mut self,
        look: &Look,
        store: usize,
        is_alone: bool,
        now: u64,
    ) -> Result<(), String> {
        let tolerance = if is_alone { 2 } else { TOLERANCE };
        let known: Vec<&Begun> =
            look.known.spent.iter().map(|number| &self.begun[number]).collect();
        for since in known.iter().map(|begun| begun.at) {
            let within = || known.iter().filter(|begun| begun.at >= since);
            let made = within().count() as u64 + 1;
            // A lookup that was not told of the others' fetches is one more that overlaps.
            let blind = within().filter(|begun| begun.is_blind).count() as u64;
            let earned = BURST + (now - since + tolerance) / INTERVAL;
            let most = earned * self.width[store].max(1) + blind + u64::from(look.is_blind);
            self.counts.budget_checked += u64::from(made >= BURST);
            self.counts.notes_checked += u64::from(look.has_notes);
            if made > most {
                return Err(format!(
                    "6: {made} fetches within {} s that the entry was told of; at most {most}",
                    now - since
                ));
            }
        }
        Ok(())
    }

    fn check_back_off(
        &mut self,
        look: &Look,
        id: &str,
        is_alone: bool,
        now: u64,
    ) -> Result<(), String> {
        let tolerance = if is_alone { 2 } else { TOLERANCE };
        let ended = || look.known.ended.iter().map(|number| &self.begun[number]);
        let of_id = || ended().filter(|begun| begun.id.as_deref() == Some(id));
        let end = |begun: &Begun| begun.end.map_or(0, |(at, _)| at);
        let Some(last) = of_id().max_by_key(|begun| end(begun)) else { return Ok(()) };
        let near = |begun: &&Begun| end(begun) + TOLERANCE >= end(last);
        let is_failure = of_id().filter(near).all(|begun| begun.end.is_some_and(|(_, ok)| !ok));
        let others = ended().filter(near).filter(|begun| begun.id.as_deref() != Some(id)).count();
        if !is_failure || others >= FAILURES - 1 {
            return Ok(());
        }
        self.counts.back_off_checked += 1;
        let waited = now - end(last);
        if waited + tolerance < INTERVAL {
            return Err(format!("6: a fetch for id {id}, {waited} s after one failed"));
        }
        Ok(())
    }

    /// A fetch has ended: with a policy that is whole and verified, or without.
    pub(super) fn fetched(&mut self, look: &mut Look, policy: Option<Publication>, now: u64) {
        look.decided = now;
        if let Some(begun) = look.begun {
            look.known.answers = look.answers_before;
            self.begun[begun].end = Some((now, policy.is_some()));
            look.known.ended = look.known.ended.with(begun);
        }
        let Some(policy) = policy else { return };
        self.counts.fetched += 1;
        let ids = match &look.said {
            Said::Id(id) => vec![id.clone()],
            _ => look.known.policies.iter().flat_map(|n| self.fetched[n].ids.clone()).collect(),
        };
        look.own = Some(self.fetched.len());
        let read = look.known.policies;
        let standing = self.standing(look.known);
        let is_kept = policy.max_age > 0;
        let is_told = is_kept || standing.iter().any(|fetch| !fetch.is_clearing());
        let is_ordered = is_kept || (is_told && standing.iter().all(|fetch| !fetch.is_clearing()));
        if is_told {
            look.known.policies = read.with(self.fetched.len());
        }
        self.fetched.push(Fetched { policy, ids, handed: look.handed, read, is_ordered });
    }

    /// The store has taken the entry of a lookup, and now knows `stored`.
    pub(super) fn merged(&mut self, look: &mut Look, stored: Known) {
        let own = look.known.policies.iter().map(|number| self.fetched[number].handed).max();
        let others = stored.policies.iter().map(|number| self.fetched[number].handed).max();
        self.counts.overtaken += u64::from(own < others);
        look.known = stored;
        look.is_informed = true;
    }

    /// The policies that may stand after all these fetches.
    fn standing(&self, known: Known) -> Vec<&Fetched> {
        let all: Vec<(usize, &Fetched)> =
            known.policies.iter().map(|number| (number, &self.fetched[number])).collect();
        let is_superseded = |(number, fetch): &(usize, &Fetched)| {
            all.iter().any(|(_, other)| {
                other.read.has(*number)
                    || (other.is_ordered && other.handed > fetch.handed + TOLERANCE)
            })
        };
        all.iter().filter(|fetch| !is_superseded(fetch)).map(|(_, fetch)| *fetch).collect()
    }

    /// Returns `true` if an entry that was told so much may hold no policy at this time.
    fn may_be_none(&self, known: Known, at: u64) -> bool {
        let standing = self.standing(known);
        standing.is_empty()
            || standing.iter().any(|fetch| fetch.is_clearing() || fetch.may_be_expired(at))
    }

    /// Properties 1, 2 and 3: the policy that a lookup applies, at its end or before.
    fn check_applied(&mut self, look: &Look, applied: Option<&str>) -> Result<(), String> {
        let is_own = |text| look.own.is_some_and(|own| self.fetched[own].policy.text == text);
        if self.is_wild {
            // Only a policy that was fetched and verified.
            self.counts.wild += 1;
            return match applied {
                Some(text) if !self.fetched.iter().any(|fetch| fetch.policy.text == text) => {
                    Err(format!("1: {} is applied, and was never fetched", named(applied)))
                }
                _ => Ok(()),
            };
        }
        let standing = self.standing(look.known);
        let is_right = match applied {
            None => !look.is_informed || self.may_be_none(look.known, look.decided),
            // A policy without a life counts for the lookup that fetched it.
            Some(text) => {
                let lives = |f: &Fetched| f.is_clearing() || !f.is_expired(look.decided);
                standing.iter().any(|fetch| fetch.policy.text == text && lives(fetch))
                    || (is_own(text) && look.own.is_some_and(|own| self.fetched[own].is_clearing()))
            }
        };
        if is_right {
            return Ok(());
        }
        let named_fetch = |fetch: &&Fetched| {
            let Fetched { policy, handed, .. } = fetch;
            format!("{} (fetched at {})", named(Some(&policy.text)), handed - super::START)
        };
        let held: Vec<_> = standing.iter().map(named_fetch).collect();
        Err(format!(
            "1-3: at {} applies {}, and what was stored is {}",
            look.decided - super::START,
            named(applied),
            held.join(" or ")
        ))
    }

    /// The policy that may be applied while the lookup is in progress.
    pub(super) fn interim(
        &mut self,
        look: &Look,
        applied: Option<&str>,
        now: u64,
    ) -> Result<(), String> {
        // The fetched policy that ran out while the write waits is still there for its lookup.
        if look.own.is_some() {
            return Ok(());
        }
        self.check_applied(&Look { decided: now, ..look.clone() }, applied)
    }

    /// A lookup has ended.
    pub(super) fn ended(
        &mut self,
        look: &mut Look,
        status: Status,
        applied: Option<&str>,
    ) -> Result<(), String> {
        look.applied = applied.map(str::to_owned);
        self.counts.lookups += 1;
        if status == Status::Absent && !look.is_informed {
            return Err("1: the store could not be read, and the outcome is `Absent`".to_owned());
        }
        if !self.is_wild {
            let must_apply = look.is_informed && !self.may_be_none(look.known, look.decided);
            self.counts.must_apply += u64::from(must_apply);
            self.counts.unreadable += u64::from(!look.is_informed);
        }
        self.check_applied(look, applied)?;
        if status == Status::Confirmed {
            self.check_confirmed(look, applied)?;
        }
        Ok(())
    }

    /// Property 3, last part: a confirmation is of the id that DNS named.
    fn check_confirmed(&mut self, look: &Look, applied: Option<&str>) -> Result<(), String> {
        if self.is_wild {
            return Ok(());
        }
        let asked = |number: usize| self.answers[number].0;
        let latest = look.known.answers.iter().map(asked).max().unwrap_or(0);
        let is_said = look.known.answers.iter().any(|number| match &self.answers[number] {
            (at, Said::Id(id)) if at + TOLERANCE >= latest => {
                self.was_fetched_under(applied.unwrap_or_default(), id)
            }
            _ => false,
        });
        let is_own = match &look.said {
            Said::Id(id) => self.was_fetched_under(applied.unwrap_or_default(), id),
            _ => false,
        };
        if is_own {
            return Ok(());
        }
        self.counts.confirmed_from_memory += 1;
        if is_said && look.decided <= latest + DAY + TOLERANCE {
            return Ok(());
        }
        Err(format!("3: {} is confirmed, and DNS did not name its id", named(applied)))
    }

    fn was_fetched_under(&self, text: &str, id: &str) -> bool {
        let has = |f: &Fetched| f.policy.text == text && f.ids.iter().any(|known| known == id);
        self.fetched.iter().any(has)
    }

    /// Property 4: the mail goes to this host.
    pub(super) fn delivered(
        &mut self,
        look: &Look,
        host: &str,
        is_verified: bool,
    ) -> Result<(), String> {
        self.counts.delivered += 1;
        let of_text = |f: &&Fetched| Some(&f.policy.text) == look.applied.as_ref();
        let Some(fetch) = self.fetched.iter().find(of_text) else { return Ok(()) };
        let policy = &fetch.policy;
        if policy.mode != Mode::Enforce {
            return Ok(());
        }
        self.counts.delivered_enforced += 1;
        if is_verified && policy.patterns.iter().any(|pattern| oracle::matches(pattern, host)) {
            return Ok(());
        }
        let tls = if is_verified { "" } else { " without verified TLS" };
        Err(format!("4: a mail goes to {host}{tls}, under {}", named(Some(&policy.text))))
    }

    /// Returns `true` if the policy that a lookup applies is enforced.
    pub(super) fn is_enforced(&self, look: &Look) -> bool {
        let is_text = |f: &Fetched| Some(&f.policy.text) == look.applied.as_ref();
        self.fetched.iter().any(|f| is_text(f) && f.policy.mode == Mode::Enforce)
    }

    pub(super) fn refused(&mut self, look: &Look, now: u64) -> Refusal {
        self.counts.refused += 1;
        Refusal { text: look.applied.clone(), at: now }
    }

    /// Property 5: the gate gave its permission.
    pub(super) fn permitted(&mut self, look: &Look, now: u64) -> Result<(), String> {
        self.counts.permitted += 1;
        let broken = |why: &str| Err(format!("5: a mail may bounce {why}"));
        let Some(refusal) = &look.refusal else { return broken("that was not refused") };
        if look.asked < refusal.at {
            return broken("though DNS was not asked after the refusal");
        }
        if look.said == Said::Nothing {
            return broken("though DNS did not answer after the refusal");
        }
        let Some(text) = refusal.text.as_ref().filter(|_| look.applied == refusal.text) else {
            return broken("though another policy applies than the one that refused it");
        };
        if matches!(&look.said, Said::Id(id) if !self.was_fetched_under(text, id)) {
            return broken("though DNS announced a policy that was not read");
        }
        if self.is_wild {
            return Ok(());
        }
        let is_own = look.own.is_some_and(|own| self.fetched[own].policy.text == *text);
        let stands = self.standing(look.known).iter().any(|fetch| fetch.policy.text == *text);
        // A policy without a life is not stored, and was read again just now.
        if !stands && !is_own {
            return broken("though the store moved on");
        }
        if now > look.asked + 300 + 2 {
            return broken("by an answer that is too old");
        }
        Ok(())
    }

    /// The gate gave none.
    pub(super) fn denied(&mut self, look: &Look, now: u64) {
        self.counts.denied += 1;
        self.counts.denied_late += u64::from(now > look.asked + 302);
    }

    /// The store has dropped its entry.
    pub(super) fn purged(&mut self, known: Known, now: u64) -> Result<(), String> {
        let standing = self.standing(known);
        let is_over =
            |f: &Fetched| f.is_clearing() || now + TOLERANCE >= f.handed + f.policy.max_age + GRACE;
        let is_right = standing.is_empty() || standing.iter().any(|fetch| is_over(fetch));
        self.counts.purged += 1;
        if self.is_wild || is_right {
            return Ok(());
        }
        Err("2: the store drops a policy before its grace is over".to_owned())
    }
}

pub(super) fn named(text: Option<&str>) -> String {
    text.map_or_else(
        || "no policy".to_owned(),
        |text| format!("\"{}\"", text.lines().collect::<Vec<_>>().join("; ")),
    )
}
