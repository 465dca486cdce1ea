//! One whole lookup.

use super::memory::remember;
use super::{
    Applied, Https, MAX_AGE_LIMIT, Mode, Policy, Problem, Recheck, Refused, Remembered,
    RemembersTxt, Sender, Source, Status, Store, Txt, Verdict, World,
};

impl Sender {
    /// One whole lookup at `now` (seconds).
    ///
    /// `refused` is the policy that refused the mail, where the lookup is made before a permanent
    /// failure (RFC 8461 §5.1 step 3).
    #[expect(clippy::too_many_lines, reason = "read from top to bottom, as the RFC is")]
    pub fn lookup(
        &mut self,
        now: u64,
        recheck: Recheck,
        world: &World,
        refused: Option<&Refused>,
    ) -> Verdict {
        // A store that failed is not an empty store, but nothing of it is known.
        let mut known = if world.readable { self.clone() } else { Self::default() };
        let counts_anew = known.anchor(now);
        let mut next = known.clone();

        // RFC 8461 §5.1 step 1: "a cached policy whose time-since-fetch has not exceeded its
        // max_age".
        let held = known.policy.clone().filter(|policy| policy.unexpired(now));
        let held_id = held.as_ref().map(|policy| policy.id.clone());

        // The TXT question, or the memory of it.
        let remembered = known.remembered(now, held_id.as_deref());
        // An answer from memory is not written, and would not count the age.
        let asks_txt = recheck != Recheck::WhenDue || counts_anew || remembered.is_none();
        let answer = match (asks_txt, remembered) {
            (false, Some(memory)) => Answer::from_memory(&memory),
            _ => Answer::from_dns(&world.txt),
        };

        // RFC 8461 §3: HTTPS only for a record with an id that is not held; and §10.2: a refresh
        // of a held policy whatever DNS says, but a held "none" is not worth asking unannounced.
        let wanted = if !asks_txt {
            None
        } else if let Answer::Id(id) = &answer {
            let same = held_id.as_ref() == Some(id);
            (!same || recheck == Recheck::Refresh).then(|| id.clone())
        } else {
            let active = held.as_ref().is_some_and(|policy| policy.mode != Mode::None);
            held_id.clone().filter(|_| active && recheck == Recheck::Refresh)
        };
        let hindrance = wanted.as_ref().and_then(|id| known.hindrance(now, id));
        let fetch = wanted.filter(|_| hindrance.is_none());
        if fetch.is_some() {
            next.spend(now);
        }
        let fetched = fetch.as_ref().and_then(|id| fetched_policy(id, now, &world.https));
        let fetch_problem = fetch.as_ref().and_then(|_| fetch_problem(&world.https));

        // RFC 8461 §3.3: "limit further attempts to a period of five minutes or longer per
        // version ID".
        let remembers_failure = fetch.clone().filter(|_| fetch_problem.is_some());
        if let Some(id) = &remembers_failure {
            next.fail(now, id);
        }

        // The durable change. A policy with no life takes the place of the one that was held.
        let store = match &fetched {
            Some(policy) if policy.max_age > 0 => Store::Put,
            Some(_) if known.policy.is_some() => Store::Clear,
            _ => Store::Keep,
        };
        match store {
            Store::Put => next.policy.clone_from(&fetched),
            Store::Clear => next.policy = None,
            Store::Keep => {}
        }
        if store != Store::Keep {
            next.generation += 1;
        }
        if let Some(policy) = &fetched {
            next.succeed(&policy.id);
        }

        // The memory: an id is worth remembering only where it confirms what is held.
        let still_held = next.policy.as_ref().filter(|policy| policy.unexpired(now));
        let still_held_id = still_held.map(|policy| policy.id.clone());
        let remembers_txt = match (&answer, asks_txt) {
            (_, false) => RemembersTxt::Unchanged,
            (Answer::Id(id), true) if still_held_id.as_ref() == Some(id) => RemembersTxt::SameId,
            (Answer::Id(_), true) => RemembersTxt::Nothing,
            (Answer::Absent, true) => RemembersTxt::Absent,
            (Answer::Several, true) => RemembersTxt::Several,
            (Answer::Malformed, true) => RemembersTxt::Malformed,
            (Answer::Silence, true) => RemembersTxt::NoAnswer,
        };
        match remembers_txt {
            RemembersTxt::Unchanged => {}
            RemembersTxt::Nothing => next.memory = None,
            _ => next.memory = Some(remember(&world.txt, now)),
        }

        // RFC 8461 §3.3: the fetched policy; else the held one, whatever went wrong; else none.
        let applied = |policy: &Policy, from| Applied {
            from,
            mode: policy.mode,
            text: policy.text.clone(),
            id: policy.id.clone(),
            generation: next.generation,
        };
        let policy = match (&fetched, &held) {
            (Some(policy), _) => Some(applied(policy, Source::Fetched)),
            (None, Some(policy)) => Some(applied(policy, Source::Held)),
            (None, None) => None,
        };
        let is_same_id = matches!(&answer, Answer::Id(id) if held_id.as_ref() == Some(id));
        let status = if fetched.is_some() {
            Status::Found
        } else if held.is_some() && is_same_id && hindrance.is_none() && fetch_problem.is_none() {
            Status::Confirmed
        } else if held.is_some() {
            Status::Held
        } else if !world.readable || answer == Answer::Silence {
            Status::Unknown
        } else {
            Status::Absent
        };

        // The fetch's trouble if one was made; else that of DNS; else that of the store.
        let dns_problem = match answer {
            Answer::Id(_) => hindrance,
            Answer::Absent => held.as_ref().map(|_| Problem::RecordAbsent),
            Answer::Several => Some(Problem::SeveralRecords),
            Answer::Malformed => Some(Problem::RecordMalformed),
            Answer::Silence => Some(Problem::NoAnswer),
        };
        let store_problem = (!world.readable).then_some(Problem::StoreUnreadable);
        let problem = fetch_problem.or(dns_problem).or(store_problem);

        // RFC 8461 §5.1 step 3: DNS answered after the failure, and announced nothing unread.
        let unread = matches!(answer, Answer::Id(_)) && !is_same_id;
        let permits_bounce = recheck == Recheck::Always
            && answer != Answer::Silence
            && match (refused, &policy) {
                (Some(refused), Some(policy)) if refused.mode == Mode::Enforce => {
                    match policy.from {
                        Source::Held => !unread && *refused == policy.refused(),
                        Source::Fetched => refused.id == policy.id && refused.text == policy.text,
                    }
                }
                _ => false,
            };

        let persisted = world.writable || store == Store::Keep;
        let mut verdict = Verdict {
            asks_txt,
            asks_https: fetch.is_some(),
            status,
            policy,
            store,
            stored_id: fetched.filter(|_| store == Store::Put).map(|policy| policy.id),
            problem,
            remembers_txt,
            remembers_failure,
            permits_bounce,
            persisted,
        };
        if world.writable && world.readable && asks_txt {
            *self = next;
        } else if world.writable && !world.readable {
            self.merge_blind(next, asks_txt, store);
            let refused = refused.filter(|_| recheck == Recheck::Always);
            self.look_again(now, &answer, refused, &mut verdict);
        }
        verdict
    }

    /// A lookup that could not read its store, but write to it, learns by the write what is there.
    /// It found nothing itself: what the store holds applies.
    fn look_again(
        &self,
        now: u64,
        answer: &Answer,
        refused: Option<&Refused>,
        verdict: &mut Verdict,
    ) {
        let Some(policy) = self.policy.as_ref().filter(|policy| policy.unexpired(now)) else {
            return;
        };
        if verdict.status == Status::Found {
            return;
        }
        let applied = Applied {
            from: Source::Held,
            mode: policy.mode,
            text: policy.text.clone(),
            id: policy.id.clone(),
            generation: self.generation,
        };
        let is_same_id = matches!(answer, Answer::Id(id) if *id == policy.id);
        let is_unread = matches!(answer, Answer::Id(id) if *id != policy.id);
        // Its own fetch of that id has failed, so that it remembers nothing of it.
        let is_confirmed = is_same_id && verdict.remembers_txt == RemembersTxt::SameId;
        verdict.status = if is_confirmed { Status::Confirmed } else { Status::Held };
        if is_confirmed {
            verdict.problem = None;
        }
        verdict.permits_bounce = *answer != Answer::Silence
            && !is_unread
            && (!is_same_id || is_confirmed)
            && policy.mode == Mode::Enforce
            && refused.is_some_and(|refused| *refused == applied.refused());
        verdict.policy = Some(applied);
    }
}

/// The TXT answer without its time.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Answer {
    Id(String),
    Absent,
    Several,
    Malformed,
    Silence,
}

impl Answer {
    fn from_memory(memory: &Remembered) -> Self {
        match memory {
            Remembered::Id(id) => Self::Id(id.clone()),
            Remembered::Absent => Self::Absent,
            Remembered::Malformed => Self::Malformed,
            Remembered::NoAnswer => Self::Silence,
        }
    }

    fn from_dns(txt: &Txt) -> Self {
        match txt {
            Txt::Id(id, _) => Self::Id(id.clone()),
            Txt::Absent(_) => Self::Absent,
            Txt::Several(_) => Self::Several,
            Txt::Malformed(_) => Self::Malformed,
            Txt::NoAnswer => Self::Silence,
        }
    }
}

fn fetched_policy(id: &str, now: u64, https: &Https) -> Option<Policy> {
    let Https::Policy { mode, text, max_age } = https else { return None };
    Some(Policy {
        mode: *mode,
        text: text.clone(),
        id: id.to_owned(),
        fetched_at: now,
        max_age: (*max_age).min(MAX_AGE_LIMIT),
        counted: None,
    })
}

fn fetch_problem(https: &Https) -> Option<Problem> {
    match https {
        Https::Policy { .. } => None,
        Https::Invalid => Some(Problem::PolicyInvalid),
        Https::Certificate => Some(Problem::PolicyCertificate),
        Https::Fails => Some(Problem::PolicyFetch),
    }
}
