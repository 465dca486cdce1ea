//! A reference model of discovery: one sender's view of one domain, as naive as can be.
//!
//! It shares nothing with the core: strings, numbers of seconds and one function,
//! [`Sender::lookup`], which reads from top to bottom as RFC 8461 §3.3 and §5.1 do. What a real
//! machine asks step by step is here known beforehand ([`World`]), so that the two can be compared
//! outcome by outcome, over any course of lookups with time passing between them.

pub mod delivery;
mod lookup;
mod memory;

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

/// The time after the end of a wait after which a failure is a first one again, in seconds.
pub const FORGOTTEN_AFTER: u64 = 86_400;
/// The difference that two working clocks may have, in seconds. A time further away than it can be
/// by more than this is the word of a wrong clock.
pub const CLOCK_TOLERANCE: u64 = 120;
/// The age of a policy from ahead is counted each time that this has passed, in seconds, or an eighth
/// of its life.
pub const COUNTED_STEP: u64 = 3_600;

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
    /// While the fetch lies ahead of the clock: the age in seconds, and the second to which it is
    /// counted.
    pub counted: Option<(u64, u64)>,
}

impl Policy {
    /// Whether a clock that ran ahead stamped the fetch.
    pub fn is_ahead(&self, now: u64) -> bool {
        self.fetched_at > now.saturating_add(CLOCK_TOLERANCE)
    }

    /// Its age in seconds: by the time of its fetch; where that lies ahead, as it was counted.
    pub fn age(&self, now: u64) -> u64 {
        let (counted, to) = self.counted.unwrap_or((0, now));
        if self.is_ahead(now) {
            counted + now.saturating_sub(to)
        } else {
            counted.max(now.saturating_sub(self.fetched_at))
        }
    }

    /// Whether it may be applied.
    pub fn unexpired(&self, now: u64) -> bool {
        // RFC 8461 §3.2: "up to this value from the last policy fetch time".
        self.age(now) < self.max_age
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
    /// How often the budget was found to be the word of a wrong clock.
    pub restarts: u64,
    /// When that was first seen. The budget is all spent from then on, until no fetch was made for
    /// as long as it takes to fill it.
    pub astray_since: Option<u64>,
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
#[expect(clippy::struct_excessive_bools, reason = "a row of a table, not a state")]
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
