//! A reference model of discovery: one sender's view of one domain, as naive as can be.
//!
//! It shares nothing with the core: strings, numbers of seconds and one function,
//! [`Sender::lookup`], which reads from top to bottom as RFC 8461 §3.3 and §5.1 do. What a real
//! machine asks step by step is here known beforehand ([`World`]), so that the two can be compared
//! outcome by outcome, over any course of lookups with time passing between them.

/// The longest life of a policy, in seconds (RFC 8461 §3.2).
pub const MAX_AGE_LIMIT: u64 = 31_557_600;
/// The shortest time for which an answer of DNS, or its silence, is remembered, in seconds.
pub const TXT_MIN: u64 = 60;
/// The longest time for which a confirmation is remembered, in seconds.
pub const CONFIRMED_MAX: u64 = 86_400;
/// The longest time for which a missing, ambiguous or malformed record is remembered, in seconds.
pub const NEGATIVE_MAX: u64 = 3_600;
/// The time for which a silence of DNS is remembered, in seconds.
pub const NO_ANSWER: u64 = 60;
/// The wait after the first failed fetch of an id, in seconds; it doubles (RFC 8461 §3.3).
pub const BACKOFF_MIN: u64 = 300;
/// The longest wait after a failed fetch, in seconds.
pub const BACKOFF_MAX: u64 = 3_600;
/// How many ids have their failures remembered.
pub const FAILURES: usize = 4;
/// How many fetches a domain may have at once.
pub const BURST: u64 = 4;
/// The time in which a domain earns one more fetch, in seconds.
pub const INTERVAL: u64 = 300;

/// The mode of a policy (RFC 8461 §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Mail is not delivered to hosts that fail validation.
    Enforce,
    /// Failures are only reported.
    Testing,
    /// As though there were no policy.
    None,
}

/// What makes a lookup ask (DESIGN: `Recheck`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Recheck {
    /// No question while the last answer is within its time.
    WhenDue,
    /// A TXT question now.
    Always,
    /// TXT, then HTTPS whatever DNS says.
    Refresh,
}

/// What DNS would say to the TXT question. Times to live are in seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Txt {
    /// One usable record with this id, and its time to live.
    Id(String, u64),
    /// No such record, and the negative time to live.
    Absent(u64),
    /// More than one record, and their time to live.
    Several(u64),
    /// One record that breaks the grammar, and its time to live.
    Malformed(u64),
    /// No answer.
    NoAnswer,
}

/// What the Policy Host would give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Https {
    /// A valid policy; `max_age` in seconds, before the cap.
    Policy {
        /// Its mode.
        mode: Mode,
        /// Its text.
        text: String,
        /// Its `max_age` in seconds, as published.
        max_age: u64,
    },
    /// A text that is no valid policy.
    Invalid,
    /// A certificate that does not verify.
    Certificate,
    /// Any other failure of transport or HTTP, or a lookup that was given up.
    Fails,
}

/// All that surrounds one lookup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct World {
    /// What DNS would say.
    pub txt: Txt,
    /// What HTTPS would give.
    pub https: Https,
    /// Whether the store can be read.
    pub readable: bool,
    /// Whether the store can be written.
    pub writable: bool,
}

/// A policy as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Its mode.
    pub mode: Mode,
    /// Its text.
    pub text: String,
    /// The id under which it was fetched.
    pub id: String,
    /// When it was fetched over HTTPS, in seconds.
    pub fetched_at: u64,
    /// Its life in seconds, capped.
    pub max_age: u64,
}

impl Policy {
    /// Whether it may be applied. One from the future may.
    pub fn unexpired(&self, now: u64) -> bool {
        // RFC 8461 §3.2: "up to this value from the last policy fetch time".
        now < self.fetched_at.saturating_add(self.max_age)
    }
}

/// A remembered outcome of the TXT question. Several records are remembered as malformed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remembered {
    /// The record had this id. It counts only while the policy of this id is held.
    Id(String),
    /// There was no record.
    Absent,
    /// There was no usable record.
    Malformed,
    /// There was no answer.
    NoAnswer,
}

/// A failed fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The id whose policy could not be had.
    pub id: String,
    /// How many times in a row.
    pub count: u32,
    /// When it may be tried again, in seconds.
    pub not_before: u64,
}

/// A sender's view of one domain: what its store holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sender {
    /// The policy, if any, expired or not.
    pub policy: Option<Policy>,
    /// How often the policy was put or cleared.
    pub generation: u64,
    /// The last TXT outcome and the second at which it is over.
    pub memory: Option<(Remembered, u64)>,
    /// The last failures, the oldest first; one per id.
    pub failures: Vec<Failure>,
    /// The fetch budget: the second at which the bucket is full again.
    pub full_at: u64,
}

/// The policy that refused a mail, for the question whether a permanent failure is permitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Its mode: only an enforced policy refuses.
    pub mode: Mode,
    /// Its text.
    pub text: String,
    /// Its id.
    pub id: String,
    /// The generation of the entry at that time.
    pub generation: u64,
}

/// The status of an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// Fetched now.
    Found,
    /// Held, and its id is still the published one.
    Confirmed,
    /// Held and unexpired, in spite of a problem.
    Held,
    /// No record, or a record whose policy could not be had.
    Absent,
    /// DNS or the store did not answer, and nothing is held.
    Unknown,
}

/// The durable change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Store {
    /// The fetched policy is put.
    Put,
    /// The held policy is taken away.
    Clear,
    /// Nothing durable changes.
    Keep,
}

/// The trouble that is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Problem {
    /// A policy is held, and no record is published.
    RecordAbsent,
    /// More than one record.
    SeveralRecords,
    /// A record that breaks the grammar.
    RecordMalformed,
    /// DNS did not answer.
    NoAnswer,
    /// The policy could not be fetched.
    PolicyFetch,
    /// The policy is invalid.
    PolicyInvalid,
    /// The certificate of the Policy Host does not verify.
    PolicyCertificate,
    /// The last fetch for this id failed too recently.
    BackingOff,
    /// The domain's fetch budget is spent.
    FetchLimited,
    /// The store could not be read.
    StoreUnreadable,
}

/// Where the policy of an outcome comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// It was fetched by this lookup.
    Fetched,
    /// It was in the store.
    Held,
}

/// The policy of an outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// Where it comes from.
    pub from: Source,
    /// Its mode.
    pub mode: Mode,
    /// Its text.
    pub text: String,
    /// Its id.
    pub id: String,
    /// The generation of the entry that the outcome leaves.
    pub generation: u64,
}

impl Applied {
    /// This policy as one that refused a mail.
    pub fn refused(&self) -> Refused {
        Refused {
            mode: self.mode,
            text: self.text.clone(),
            id: self.id.clone(),
            generation: self.generation,
        }
    }
}

/// What the next lookup will find as memory of the TXT question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RemembersTxt {
    /// Nothing was asked: what was remembered stays.
    Unchanged,
    /// Nothing: it must ask.
    Nothing,
    /// The record has the id of the policy that is held from now on.
    SameId,
    /// No record.
    Absent,
    /// Several records.
    Several,
    /// A malformed record.
    Malformed,
    /// No answer.
    NoAnswer,
}

/// All that can be seen of one lookup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the TXT record was asked for.
    pub asks_txt: bool,
    /// Whether the policy was fetched.
    pub asks_https: bool,
    /// The status.
    pub status: Status,
    /// The policy to apply.
    pub policy: Option<Applied>,
    /// The durable change.
    pub store: Store,
    /// The id put with the policy.
    pub stored_id: Option<String>,
    /// The trouble reported.
    pub problem: Option<Problem>,
    /// What the next lookup finds, if the store takes it.
    pub remembers_txt: RemembersTxt,
    /// The id whose failure is now remembered or renewed, if the store takes it.
    pub remembers_failure: Option<String>,
    /// Whether a permanent failure is permitted after this lookup.
    pub permits_bounce: bool,
    /// False only where a durable change was due and the store did not take it.
    pub persisted: bool,
}

impl Sender {
    /// One whole lookup at `now` (seconds).
    ///
    /// `refused` is the policy that refused the mail, where the lookup is made before a permanent
    /// failure (RFC 8461 §5.1 step 3).
    pub fn lookup(
        &mut self,
        now: u64,
        recheck: Recheck,
        world: &World,
        refused: Option<&Refused>,
    ) -> Verdict {
        // A store that failed is not an empty store, but nothing of it is known.
        let known = if world.readable { self.clone() } else { Self::default() };
        let mut next = known.clone();

        // RFC 8461 §5.1 step 1: "a cached policy whose time-since-fetch has not exceeded its
        // max_age".
        let held = known.policy.clone().filter(|policy| policy.unexpired(now));
        let held_id = held.as_ref().map(|policy| policy.id.clone());

        // The TXT question, or the memory of it.
        let remembered = known.remembered(now, held_id.as_deref());
        let asks_txt = recheck != Recheck::WhenDue || remembered.is_none();
        let answer = match (asks_txt, remembered) {
            (false, Some(memory)) => Answer::from_memory(&memory),
            _ => Answer::from_dns(&world.txt),
        };

        // RFC 8461 §3: HTTPS only for a record with an id that is not held; and §10.2: a refresh
        // of a held policy whatever DNS says, but a held "none" is not worth asking unannounced.
        let fetch_id = if !asks_txt {
            None
        } else if let Answer::Id(id) = &answer {
            let same = held_id.as_ref() == Some(id);
            (!same || recheck == Recheck::Refresh).then(|| id.clone())
        } else {
            let active = held.as_ref().is_some_and(|policy| policy.mode != Mode::None);
            held_id.clone().filter(|_| active && recheck == Recheck::Refresh)
        };
        let hindrance = fetch_id.as_ref().and_then(|id| known.hindrance(now, id));
        let fetches = fetch_id.filter(|_| hindrance.is_none());
        if fetches.is_some() {
            next.spend(now);
        }
        let fetched = fetches.as_ref().and_then(|id| fetched_policy(id, now, &world.https));
        let fetch_problem = fetches.as_ref().and_then(|_| fetch_problem(&world.https));

        // RFC 8461 §3.3: "limit further attempts to a period of five minutes or longer per
        // version ID".
        let remembers_failure = fetches.clone().filter(|_| fetch_problem.is_some());
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
            // A success ends the row of failures of its id.
            next.failures.retain(|failure| failure.id != policy.id);
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
            (Answer::NoAnswer, true) => RemembersTxt::NoAnswer,
        };
        match remembers_txt {
            RemembersTxt::Unchanged => {}
            RemembersTxt::Nothing => next.memory = None,
            _ => next.memory = Some(memory(&world.txt, now)),
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
        } else if !world.readable || answer == Answer::NoAnswer {
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
            Answer::NoAnswer => Some(Problem::NoAnswer),
        };
        let store_problem = (!world.readable).then_some(Problem::StoreUnreadable);
        let problem = fetch_problem.or(dns_problem).or(store_problem);

        // RFC 8461 §5.1 step 3: DNS answered after the failure, and announced nothing unread.
        let unread = matches!(answer, Answer::Id(_)) && !is_same_id;
        let permits_bounce = recheck == Recheck::Always
            && answer != Answer::NoAnswer
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
        if world.writable {
            if world.readable {
                *self = next;
            } else {
                self.merge_blind(next, asks_txt, store);
            }
        }

        Verdict {
            asks_txt,
            asks_https: fetches.is_some(),
            status,
            policy,
            store,
            stored_id: fetched.filter(|_| store == Store::Put).map(|policy| policy.id),
            problem,
            remembers_txt,
            remembers_failure,
            permits_bounce,
            persisted,
        }
    }

    /// The remembered TXT outcome, if it is within its time and still means something.
    fn remembered(&self, now: u64, held_id: Option<&str>) -> Option<Remembered> {
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
    fn hindrance(&self, now: u64, id: &str) -> Option<Problem> {
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
    fn spend(&mut self, now: u64) {
        self.full_at = self.busy_until(now).saturating_add(INTERVAL);
    }

    /// Remembers a failure of this id, at the cost of the oldest.
    fn fail(&mut self, now: u64, id: &str) {
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
    fn merge_blind(&mut self, blind: Self, asks_txt: bool, store: Store) {
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

/// The TXT answer without its time.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Answer {
    Id(String),
    Absent,
    Several,
    Malformed,
    NoAnswer,
}

impl Answer {
    fn from_memory(memory: &Remembered) -> Self {
        match memory {
            Remembered::Id(id) => Self::Id(id.clone()),
            Remembered::Absent => Self::Absent,
            Remembered::Malformed => Self::Malformed,
            Remembered::NoAnswer => Self::NoAnswer,
        }
    }

    fn from_dns(txt: &Txt) -> Self {
        match txt {
            Txt::Id(id, _) => Self::Id(id.clone()),
            Txt::Absent(_) => Self::Absent,
            Txt::Several(_) => Self::Several,
            Txt::Malformed(_) => Self::Malformed,
            Txt::NoAnswer => Self::NoAnswer,
        }
    }
}

/// What is remembered of an answer, and until when.
fn memory(txt: &Txt, now: u64) -> (Remembered, u64) {
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

fn fetched_policy(id: &str, now: u64, https: &Https) -> Option<Policy> {
    let Https::Policy { mode, text, max_age } = https else { return None };
    Some(Policy {
        mode: *mode,
        text: text.clone(),
        id: id.to_owned(),
        fetched_at: now,
        max_age: (*max_age).min(MAX_AGE_LIMIT),
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
