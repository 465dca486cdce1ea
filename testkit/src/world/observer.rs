//! The observer: what must hold, judged by what can be seen from outside.

use super::moves::Dns;
use super::sender::{Finding, Who};
use super::truth::{Admissible, Publication, Truth};
use crate::model::Mode;

const INTERVAL: u64 = 300;
const BURST: usize = 4;
/// How long a lookup may last, in seconds: DNS and HTTPS at the longest time that there may be set.
const DEADLINE: u64 = 600;
/// How many ids a sender has to remember the failures of.
const FAILURES: usize = 4;

#[derive(Debug, Default)]
pub(super) struct Observer {
    pub(super) truth: Truth,
    watched: [Watched; 2],
    /// All failed and successful fetches of announced ids, in their order.
    noted: Vec<Noted>,
    was_set_back: bool,
}

/// What is known of one sender.
#[derive(Debug, Default)]
struct Watched {
    lookup: Option<Looking>,
    found: Option<Looking>,
    refused: Option<Refused>,
    /// The fetches since its memory was last lost, by the wall clock.
    fetches: Vec<u64>,
    /// The number of the first note that it must remember.
    remembers_from: usize,
    /// What its lookup has done that is not yet written.
    is_unwritten: bool,
}

/// What a lookup read of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Store {
    Entry,
    Empty,
    Failed,
}

/// What DNS said in a lookup.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Said {
    /// It was not asked, or was silent.
    Nothing,
    /// An answer that announces no id.
    NoId,
    Id(String),
}

/// A lookup under way, and then what may be found by it.
#[derive(Debug, Clone)]
struct Looking {
    read: usize,
    store: Store,
    is_gate: bool,
    /// When it began, by the wall clock.
    began: u64,
    /// The clock was set back since it began; or before, and it has not read what was remembered
    /// then, which will seem to be the later.
    is_out_of_time: bool,
    said: Said,
    was_silent: bool,
    own: Option<usize>,
    decided: u64,
    applied: Option<String>,
}

/// The policy that refused a mail, by its text.
#[derive(Debug, Clone)]
struct Refused {
    text: Option<String>,
}

#[derive(Debug, Clone)]
struct Noted {
    id: String,
    by: Who,
    wall: u64,
    failed: bool,
}

impl Observer {
    pub(super) fn began(&mut self, who: Who, at: usize, store: Store, is_gate: bool, now: u64) {
        let (notes, was_set_back) = (self.noted.len(), self.was_set_back);
        let watched = &mut self.watched[who.index()];
        if store == Store::Failed {
            watched.forgets(notes);
        }
        watched.is_unwritten = false;
        watched.found = None;
        if !is_gate {
            watched.refused = None;
        }
        watched.lookup = Some(Looking {
            read: at,
            store,
            is_gate,
            began: now,
            is_out_of_time: store != Store::Entry && was_set_back,
            said: Said::Nothing,
            was_silent: false,
            own: None,
            decided: now,
            applied: None,
        });
    }

    pub(super) fn crashed(&mut self, who: Who) {
        let notes = self.noted.len();
        let watched = &mut self.watched[who.index()];
        if watched.is_unwritten {
            watched.forgets(notes);
        }
        (watched.lookup, watched.found, watched.refused) = (None, None, None);
        watched.is_unwritten = false;
    }

    /// What was remembered until then is told in times that mean nothing now; and so is what a
    /// lookup writes that began before.
    pub(super) fn clock_was_set_back(&mut self) {
        self.memory_is_lost();
        self.was_set_back = true;
        for lookup in self.watched.iter_mut().filter_map(|watched| watched.lookup.as_mut()) {
            lookup.is_out_of_time = true;
        }
    }

    /// Whether a sender that keeps its deadlines would have given its lookup up.
    pub(super) fn is_overdue(&self, who: Who, now: u64) -> bool {
        let lookup = self.watched[who.index()].lookup.as_ref();
        lookup.is_some_and(|lookup| lookup.is_out_of_time || now > lookup.began + DEADLINE)
    }

    pub(super) fn memory_is_lost(&mut self) {
        let notes = self.noted.len();
        self.watched.iter_mut().for_each(|watched| watched.forgets(notes));
    }

    pub(super) fn dns_answered(&mut self, who: Who, answer: Dns, id: Option<String>, now: u64) {
        let Some(lookup) = &mut self.watched[who.index()].lookup else { return };
        lookup.decided = now;
        lookup.was_silent = answer == Dns::Silence;
        lookup.said = match id {
            _ if answer == Dns::Silence => Said::Nothing,
            None => Said::NoId,
            Some(id) => Said::Id(id),
        };
    }

    pub(super) fn was_silent(&self, who: Who) -> bool {
        self.watched[who.index()].lookup.as_ref().is_some_and(|l| l.was_silent && l.is_gate)
    }

    /// A sender opens a connection to the Policy Host.
    pub(super) fn begins_fetch(&mut self, who: Who, now: u64) -> Result<(), String> {
        let watched = &mut self.watched[who.index()];
        let Some(lookup) = &mut watched.lookup else { return Ok(()) };
        watched.is_unwritten = true;
        watched.fetches.push(now);
        // Of any number of its fetches no more lie in a time than the burst and what it earns.
        for (number, since) in watched.fetches.iter().enumerate() {
            let made = watched.fetches.len() - number;
            let earned = usize::try_from((now - since) / INTERVAL).unwrap_or(usize::MAX);
            if made > BURST.saturating_add(earned) {
                return Err(format!("{who} makes {made} fetches within {} s", now - since));
            }
        }
        let Said::Id(id) = &lookup.said else { return Ok(()) };
        let notes = &self.noted[watched.remembers_from..];
        let Some(at) = notes.iter().rposition(|note| note.id == *id) else { return Ok(()) };
        let last = &notes[at];
        let is_crowded_out = notes.len() - at > FAILURES;
        if last.failed && last.by == who && !is_crowded_out && now - last.wall < INTERVAL {
            let waited = now - last.wall;
            return Err(format!("{who} fetches for id {id} {waited} s after that failed"));
        }
        Ok(())
    }

    /// The fetch has ended: with a policy that is whole and verified, or without.
    pub(super) fn fetched(&mut self, who: Who, policy: Option<Publication>, now: u64) {
        let watched = &mut self.watched[who.index()];
        let Some(lookup) = &mut watched.lookup else { return };
        lookup.decided = now;
        let announced = match &lookup.said {
            Said::Id(id) => Some(id.clone()),
            _ => None,
        };
        if let Some(id) = announced.clone() {
            self.noted.push(Noted { id, by: who, wall: now, failed: policy.is_none() });
        }
        if let Some(policy) = policy {
            let read = (lookup.read, lookup.store != Store::Entry);
            lookup.own = Some(self.truth.fetched(policy, announced, now, read));
        }
    }

    pub(super) fn wrote(&mut self, who: Who, is_taken: bool, is_lost: bool, at: usize) {
        let notes = self.noted.len();
        let watched = &mut self.watched[who.index()];
        if is_lost && watched.is_unwritten {
            watched.forgets(notes);
        }
        watched.is_unwritten = false;
        let lookup = watched.lookup.as_ref();
        let own = lookup.and_then(|lookup| lookup.own);
        if lookup.is_some_and(|lookup| lookup.is_out_of_time) {
            // What it writes will seem later than whatever is written after it by who has not read it.
            self.clock_was_set_back();
        }
        if let Some(own) = own.filter(|_| is_taken) {
            self.truth.stored(own, at);
        }
    }

    fn admissible(&self, lookup: &Looking) -> Admissible {
        self.truth.admissible(lookup.read, lookup.decided, lookup.own)
    }

    /// Whether the lookup of this sender, just ended, must find an enforced policy.
    pub(super) fn must_protect(&self, who: Who) -> bool {
        let Some(lookup) = &self.watched[who.index()].lookup else { return false };
        let admissible = self.admissible(lookup);
        !admissible.none
            && admissible.policies.iter().all(|fetch| fetch.policy.mode == Mode::Enforce)
    }

    /// What a lookup offers while it goes on.
    pub(super) fn offered(&self, who: Who, applied: Option<&str>, now: u64) -> Result<(), String> {
        let Some(lookup) = &self.watched[who.index()].lookup else { return Ok(()) };
        let admissible = self.truth.admissible(lookup.read, now, lookup.own);
        // Without its store, and without a fetch, a sender has nothing to offer.
        if (lookup.store == Store::Failed && lookup.own.is_none() && applied.is_none())
            || admissible.has(applied)
        {
            return Ok(());
        }
        // A policy that was just fetched may have run out while it is written.
        if lookup.own.is_some() && admissible.policies.iter().any(|own| own.is_expired(now)) {
            return Ok(());
        }
        Err(format!("{who} offers in the meantime {}, which it may not", named(applied)))
    }

    /// What a lookup has found, and whether the mail that it was made for bounces now.
    pub(super) fn found(&mut self, who: Who, finding: &Finding) -> Result<(), String> {
        let watched = &mut self.watched[who.index()];
        let Some(mut lookup) = watched.lookup.take() else { return Ok(()) };
        lookup.applied.clone_from(&finding.policy);
        let refused = watched.refused.take();
        watched.found = Some(lookup.clone());
        let admissible = self.admissible(&lookup);
        let applied = finding.policy.as_deref();
        // Without its store, and without a fetch, a sender knows nothing, and says so.
        let is_ignorant = lookup.store == Store::Failed
            && lookup.own.is_none()
            && applied.is_none()
            && finding.status == mta_sts::Status::Unknown;
        if !is_ignorant && !admissible.has(applied) {
            let held: Vec<&str> =
                admissible.policies.iter().map(|fetch| fetch.policy.text.as_str()).collect();
            let held =
                if held.is_empty() { "none".to_owned() } else { named(Some(&held.join(", or "))) };
            return Err(format!("{who} applies {}, but holds {held}", named(applied)));
        }
        if finding.may_bounce {
            return self.bounced(who, &lookup, refused.as_ref());
        }
        Ok(())
    }

    fn bounced(&self, who: Who, lookup: &Looking, refused: Option<&Refused>) -> Result<(), String> {
        let broken = |why: &str| Err(format!("{who} bounces a mail {why}"));
        let Some(refused) = refused.filter(|_| lookup.is_gate) else {
            return broken("that was not refused");
        };
        if lookup.said == Said::Nothing {
            return broken("though DNS has not answered since it was refused");
        }
        let Some(text) = refused.text.as_ref().filter(|_| lookup.applied == refused.text) else {
            return broken("though the policy that refused it is not the one that applies");
        };
        let admissible = self.admissible(lookup);
        let stands = |fetch: &super::truth::Fetch| {
            fetch.policy.text == *text && fetch.policy.mode == Mode::Enforce
        };
        if !admissible.policies.iter().any(stands) {
            return broken("though the policy that refused it does not stand");
        }
        match &lookup.said {
            Said::Id(id) if !self.truth.was_fetched_under(text, id) => {
                broken("though DNS announces a policy that was not read")
            }
            _ => Ok(()),
        }
    }

    pub(super) fn delivered(&self, who: Who, host: &str, is_verified: bool) -> Result<(), String> {
        let Some(lookup) = &self.watched[who.index()].found else { return Ok(()) };
        let admissible = self.admissible(lookup);
        if admissible.permits(host, is_verified) {
            return Ok(());
        }
        let tls = if is_verified { "" } else { " without verified TLS" };
        Err(format!("{who} delivers to {host}{tls}, in spite of an enforced policy"))
    }

    pub(super) fn refused(&mut self, who: Who) {
        let watched = &mut self.watched[who.index()];
        let text = watched.found.as_ref().and_then(|lookup| lookup.applied.clone());
        watched.refused = Some(Refused { text });
    }
}

impl Watched {
    fn forgets(&mut self, notes: usize) {
        self.fetches.clear();
        self.remembers_from = notes;
    }
}

fn named(text: Option<&str>) -> String {
    text.map_or_else(
        || "no policy".to_owned(),
        |text| format!("\"{}\"", text.lines().collect::<Vec<_>>().join("; ")),
    )
}
