//! Courses of lookups, told in the words of the reference model and run by the real machine.

use mta_sts::{Entry, Held, Lookup, PolicyDomain, Recheck, UnixTime};

use super::{HttpsAnswer, Run, TxtAnswer, policy_text, run};
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

    /// What the store says: `readable` if it does not fail.
    pub fn held(&self, readable: bool) -> Held {
        match &self.entry {
            _ if !readable => Held::Unreadable,
            None => Held::Nothing,
            Some(entry) => Held::Entry(entry.clone()),
        }
    }

    /// Runs one turn.
    ///
    /// # Panics
    /// If the machine asks for the storing of another domain's entry.
    pub fn turn(&mut self, turn: &Turn) -> Run {
        let https = HttpsAnswer::from(&turn.world.https);
        let lookup = Lookup::new(self.domain.clone()).recheck(turn.recheck.into());
        self.turn_with(lookup, turn, &https)
    }

    /// Runs one turn of a lookup that was made elsewhere, such as by the bounce gate, with this
    /// answer of HTTPS in the place of the turn's.
    ///
    /// # Panics
    /// If the machine asks for the storing of another domain's entry.
    pub fn turn_with(&mut self, lookup: Lookup, turn: &Turn, https: &HttpsAnswer) -> Run {
        self.turn_answered(lookup, turn, &TxtAnswer::from(&turn.world.txt), https)
    }

    /// The same with the answer of DNS, too, in the place of the turn's.
    ///
    /// # Panics
    /// If the machine asks for the storing of another domain's entry.
    pub fn turn_answered(
        &mut self,
        lookup: Lookup,
        turn: &Turn,
        txt: &TxtAnswer,
        https: &HttpsAnswer,
    ) -> Run {
        let world = &turn.world;
        let lookup = lookup.held(self.held(world.readable));
        let run = run(lookup, txt, https, world.writable, turn.time());
        if let (true, Some((written, _))) = (world.writable, &run.written) {
            self.merge(written.clone());
        }
        run
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
