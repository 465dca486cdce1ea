//! Courses of lookups, told in the words of the reference model and run by the real machine.

use mta_sts::delivery::Retry;
use mta_sts::{BounceToken, Entry, Held, Limits, Lookup, PolicyDomain, Recheck, Step, UnixTime};

use super::{HttpsAnswer, Run, TxtAnswer, drive, policy_text};
use crate::model;

/// One lookup of a course: when it is made, how, and all that it would meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// The wall clock, in seconds; it may be earlier than that of the turn before.
    pub now: u64,
    /// When to ask DNS.
    pub recheck: model::Recheck,
    /// What DNS, HTTPS and the store would say.
    pub world: model::World,
}

impl Turn {
    /// A turn with a store that works.
    pub const fn new(
        now: u64,
        recheck: model::Recheck,
        txt: model::Txt,
        https: model::Https,
    ) -> Self {
        let world = model::World { txt, https, readable: true, writable: true };
        Self { now, recheck, world }
    }

    /// The same with a store that cannot be read.
    #[must_use]
    pub fn blind(mut self) -> Self {
        self.world.readable = false;
        self
    }

    /// The same with a store that takes nothing.
    #[must_use]
    pub fn unwritable(mut self) -> Self {
        self.world.writable = false;
        self
    }

    /// The wall clock.
    pub const fn time(&self) -> UnixTime {
        UnixTime::from_secs(self.now)
    }
}

/// A valid policy for the host `HOST.example.com`; `max_age` in seconds.
pub fn valid_policy(mode: model::Mode, host: &str, max_age: u64) -> model::Https {
    let word = match mode {
        model::Mode::Enforce => "enforce",
        model::Mode::Testing => "testing",
        model::Mode::None => "none",
    };
    let text = policy_text(word, max_age).replace("mx.example.com", &format!("{host}.example.com"));
    model::Https::Policy { mode, text, max_age }
}

impl From<model::Recheck> for Recheck {
    fn from(recheck: model::Recheck) -> Self {
        match recheck {
            model::Recheck::WhenDue => Self::WhenDue,
            model::Recheck::Always => Self::Always,
            model::Recheck::Refresh => Self::Refresh,
        }
    }
}

impl From<&model::Txt> for TxtAnswer {
    fn from(txt: &model::Txt) -> Self {
        let ttl = |ttl: u64| u32::try_from(ttl).unwrap_or(u32::MAX);
        match txt {
            model::Txt::Id(id, secs) => Self::id(id, ttl(*secs)),
            model::Txt::Absent(secs) => Self::Absent(ttl(*secs)),
            model::Txt::Several(secs) => Self::several(ttl(*secs)),
            model::Txt::Malformed(secs) => Self::record("v=STSv1; id=not-an-id;", ttl(*secs)),
            model::Txt::NoAnswer => Self::silence(),
        }
    }
}

impl From<&model::Https> for HttpsAnswer {
    fn from(https: &model::Https) -> Self {
        use mta_sts::{CertificateFault, FetchFailure};
        match https {
            model::Https::Policy { text, .. } => Self::policy(text),
            model::Https::Invalid => Self::policy("version: STSv1\nmode: enforce\n"),
            model::Https::Certificate => {
                Self::Failed(FetchFailure::Certificate(CertificateFault::Expired))
            }
            model::Https::Fails => Self::Failed(FetchFailure::Timeout),
        }
    }
}

/// The machine with a store of one domain, which merges what it is given.
#[derive(Debug, Clone)]
pub struct Client {
    domain: PolicyDomain,
    entry: Option<Entry>,
}

impl Client {
    /// One with an empty store.
    pub const fn new(domain: PolicyDomain) -> Self {
        Self { domain, entry: None }
    }

    /// What the store has.
    pub const fn entry(&self) -> Option<&Entry> {
        self.entry.as_ref()
    }

    /// The answer of the store: `readable` if it does not fail.
    pub fn held(&self, readable: bool) -> Held {
        match &self.entry {
            _ if !readable => Held::Unreadable { notes: None },
            None => Held::Nothing,
            Some(entry) => Held::Entry(entry.clone()),
        }
    }

    /// Runs one turn.
    ///
    /// # Panics
    /// If the machine asks for the storing of another domain's entry.
    pub fn turn(&mut self, turn: &Turn) -> Run {
        self.turn_with(turn, &HttpsAnswer::from(&turn.world.https))
    }

    /// Runs one turn, with this answer of HTTPS in the place of the turn's.
    ///
    /// # Panics
    /// If the machine asks for the storing of another domain's entry.
    pub fn turn_with(&mut self, turn: &Turn, https: &HttpsAnswer) -> Run {
        self.turn_answered(turn, &TxtAnswer::from(&turn.world.txt), https)
    }

    /// Runs one turn, with both answers in the place of the turn's.
    ///
    /// # Panics
    /// If the machine asks for the storing of another domain's entry.
    pub fn turn_answered(&mut self, turn: &Turn, txt: &TxtAnswer, https: &HttpsAnswer) -> Run {
        let held = self.held(turn.world.readable);
        let lookup = Lookup::new(self.domain.clone(), held).recheck(turn.recheck.into());
        self.drive(lookup.start(turn.time()), turn, txt, https)
    }

    /// Runs the lookup of the bounce gate; also returns its permission, if it gives one.
    ///
    /// # Panics
    /// If the machine asks for the storing of another domain's entry.
    pub fn gate_answered(
        &mut self,
        retry: Retry,
        turn: &Turn,
        txt: &TxtAnswer,
        https: &HttpsAnswer,
    ) -> (Run, Option<BounceToken>) {
        let now = turn.time();
        let held = self.held(turn.world.readable);
        let (query, gate) = retry.recheck(held, Limits::default(), now);
        let run = self.drive(query, turn, txt, https);
        let token = gate.permit(&run.outcome, now);
        (run, token)
    }

    fn drive(
        &mut self,
        start: impl Into<Step>,
        turn: &Turn,
        txt: &TxtAnswer,
        https: &HttpsAnswer,
    ) -> Run {
        drive(start, txt, https, turn.time(), |entry| {
            turn.world.writable.then(|| {
                self.merge(entry.clone());
                self.entry.clone().expect("it was merged")
            })
        })
    }

    /// Merges what somebody else has written into the store.
    ///
    /// # Panics
    /// If it is the entry of another domain.
    pub fn merge(&mut self, written: Entry) {
        match &mut self.entry {
            None => self.entry = Some(written),
            Some(entry) => entry.merge(written).expect("the entry of the same domain"),
        }
    }
}
