//! A sender: the real machine, the real delivery and the real gate, driven as a caller would; or,
//! with a flaw, as a careless one would.

use std::fmt;

use mta_sts::delivery::{Candidate, Conclusion, Delivery, Mx, Requirements, Retry, Session};
use mta_sts::lookup::{AfterHead, Gate, Head, Start};
use mta_sts::{
    CertificateFault, DnsFailure, DnsFailureKind, DnsName, Entry, FetchFailure, Held, Limits,
    Lookup, MxVerified, Outcome, PolicyHostVerified, Status, Step, UnixTime, Urgency,
};

use super::moves::{Dns, Https, Smtp, Write};
use super::truth::Publication;
use super::{FOREIGN, HOSTS};
use crate::model::Recheck;
use crate::pair::domain;
use crate::script::policy_text;

/// Which sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// One of the two.
    A,
    /// The other.
    B,
}

impl Who {
    pub(super) const BOTH: [Self; 2] = [Self::A, Self::B];

    pub(super) const fn index(self) -> usize {
        match self {
            Self::A => 0,
            Self::B => 1,
        }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::A => "sender A",
            Self::B => "sender B",
        })
    }
}

/// What is wrong with a driver: each is a mistake that somebody might make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flaw {
    /// Nothing.
    None,
    /// A missing record counts as the end of a held policy.
    ForgetsWhenAbsent,
    /// A matching id counts as a new fetch: the policy never expires.
    ExtendsOnMatchingId,
    /// A mail is bounced although DNS was silent when it was asked again.
    BouncesOnSilence,
    /// Failures and fetches are not remembered.
    NoBackOff,
    /// A store that fails counts as an empty one.
    EmptyWhenStoreFails,
    /// Any certificate of a Policy Host will do.
    TrustsAnyCertificate,
    /// What is written takes the place of what is stored, unmerged.
    Overwrites,
    /// A mail goes to the last candidate, whatever the verdict.
    IgnoresTheVerdict,
}

/// What a sender waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waits {
    Idle,
    Dns,
    Https,
    Store,
    Mail,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Idle,
    Looking(Step),
    Found(Outcome),
    Refused(Retry),
}

/// One sender.
#[derive(Debug)]
pub(super) struct Sender {
    state: State,
    flaw: Flaw,
    /// For the flaws: what was held when the lookup began, and whether DNS was silent.
    held: Option<Entry>,
    /// The gate whose lookup is under way.
    gate: Option<Gate>,
}

/// What came of a mail.
#[derive(Debug)]
pub(super) enum Sent {
    /// It went to this host, over TLS that was verified for its name or not.
    To(&'static str, bool),
    /// The policy refused every candidate that could be reached.
    Refused,
    /// It waits for another reason.
    Waits,
}

/// What a lookup found, as far as the sender acts on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) policy: Option<String>,
    pub(super) status: Status,
    pub(super) may_bounce: bool,
}

impl Sender {
    pub(super) const fn new(flaw: Flaw) -> Self {
        Self { state: State::Idle, flaw, held: None, gate: None }
    }

    pub(super) const fn waits(&self) -> Waits {
        match &self.state {
            State::Idle | State::Refused(_) => Waits::Idle,
            State::Looking(Step::QueryTxt(_)) => Waits::Dns,
            State::Looking(Step::FetchPolicy(_) | Step::ReadBody(_)) => Waits::Https,
            State::Looking(Step::Store(_)) => Waits::Store,
            State::Looking(Step::Done(_)) | State::Found(_) => Waits::Mail,
        }
    }

    pub(super) fn crash(&mut self) {
        self.state = State::Idle;
    }

    /// Whether the lookup that begins next is that of the gate.
    pub(super) const fn is_refused(&self) -> bool {
        matches!(self.state, State::Refused(_))
    }

    pub(super) fn begin(&mut self, held: Held, recheck: Recheck, now: u64) {
        self.held = match &held {
            Held::Entry(entry) => Some(entry.clone()),
            _ => None,
        };
        let held = match held {
            Held::Unreadable { .. } if self.flaw == Flaw::EmptyWhenStoreFails => Held::Nothing,
            held => held,
        };
        let now = UnixTime::from_secs(now);
        let step = match std::mem::take(&mut self.state) {
            State::Refused(retry) => {
                let (query, gate) = retry.recheck(held, Limits::default(), now);
                self.gate = Some(gate);
                query.into()
            }
            _ => {
                self.gate = None;
                Lookup::new(domain(), held).recheck(recheck.into()).start(now).into()
            }
        };
        self.state = State::Looking(step);
    }

    /// The policy that may be applied while the lookup goes on, by its text.
    pub(super) fn interim(&self, now: u64) -> Option<String> {
        let State::Looking(step) = &self.state else { return None };
        step.interim(UnixTime::from_secs(now)).map(|held| held.policy().as_str().to_owned())
    }

    pub(super) fn dns(&mut self, answer: Dns, published: Option<&Publication>, now: u64) {
        let State::Looking(Step::QueryTxt(query)) = std::mem::take(&mut self.state) else {
            panic!("it waits for DNS")
        };
        let mut time = UnixTime::from_secs(now);
        let forgets = self.flaw == Flaw::ForgetsWhenAbsent;
        let id = announced(answer, published);
        if self.flaw == Flaw::ExtendsOnMatchingId {
            let stored = self.held.as_ref().and_then(Entry::stored_policy);
            if let Some(stored) = stored.filter(|held| id.as_deref() == Some(held.id().as_str())) {
                time = time.min(stored.expires_at(time).minus_secs(1));
            }
        }
        let step = match answer {
            Dns::Silence => query.failed(DnsFailure::new(DnsFailureKind::Timeout), time),
            Dns::Several(ttl) => {
                query.answered([["v=STSv1; id=1;"], ["v=STSv1; id=2;"]], ttl, time)
            }
            Dns::Malformed(ttl) => query.answered([["v=STSv1; id=?;"]], ttl, time),
            Dns::Truth(ttl) | Dns::Absent(ttl) | Dns::Id(_, ttl) => match id {
                Some(id) => query.answered([[format!("v=STSv1; id={id};")]], ttl, time),
                None if forgets => match Lookup::new(domain(), Held::Nothing).start(time) {
                    Start::QueryTxt(fresh) => fresh.absent(ttl, time),
                    Start::Done(_) => panic!("nothing is known"),
                },
                None => query.absent(ttl, time),
            },
        };
        self.state = State::Looking(step.into());
    }

    /// The answer of the Policy Host; whether a policy came whole and verified.
    pub(super) fn https(
        &mut self,
        answer: Https,
        published: Option<&Publication>,
        now: u64,
    ) -> bool {
        let State::Looking(Step::FetchPolicy(fetch)) = std::mem::take(&mut self.state) else {
            panic!("it waits for the policy")
        };
        let time = UnixTime::from_secs(now);
        let status = match (answer, published) {
            (Https::Status(status), _) => status,
            (Https::Truth | Https::Cut, None) => 404,
            _ => 200,
        };
        let head = Head { status, content_type: Some(b"text/plain"), content_encoding: None };
        let is_trusted = answer != Https::Forged || self.flaw == Flaw::TrustsAnyCertificate;
        let name = if is_trusted { fetch.host() } else { "mta-sts.evil.example" };
        let verified = PolicyHostVerified::assertion(name);
        let text = match answer {
            Https::Forged => policy_text("none", 604_800),
            _ => published.map(|policy| policy.text.clone()).unwrap_or_default(),
        };
        if answer == Https::Drop {
            self.state = State::Looking(fetch.failed(FetchFailure::Connection, time).into());
            return false;
        }
        let step = match fetch.responded(verified, head, time) {
            AfterHead::ReadBody(mut body) if answer == Https::Cut => {
                let half = &text.as_bytes()[..text.len() / 2];
                assert!(body.chunk(half).is_continue());
                body.failed(FetchFailure::Truncated, time)
            }
            AfterHead::ReadBody(mut body) => {
                assert!(body.chunk(text.as_bytes()).is_continue());
                body.ended(time)
            }
            AfterHead::Store(store) => store,
        };
        self.state = State::Looking(step.into());
        answer == Https::Truth && status == 200
    }

    /// Writes what was learnt. `merge` puts it into the store, if that takes it, and says what is
    /// there then; whether the store took it.
    pub(super) fn write(&mut self, write: Write, merge: impl FnOnce(Entry) -> Entry) -> bool {
        let State::Looking(Step::Store(store)) = std::mem::take(&mut self.state) else {
            panic!("it waits for the store")
        };
        let entry = store.entry().clone();
        let is_urgent = store.urgency() == Urgency::Durable;
        let is_lost = !is_urgent && (write == Write::Lost || self.flaw == Flaw::NoBackOff);
        let (outcome, is_taken) = match write {
            Write::Fails => (store.failed(), false),
            _ if is_lost => (store.stored(entry), false),
            _ => (store.stored(merge(entry)), true),
        };
        self.state = State::Looking(outcome.into());
        is_taken
    }

    /// What the lookup found, if it has just ended.
    pub(super) fn finding(&mut self, was_silent: bool, now: u64) -> Option<Finding> {
        let outcome = match std::mem::take(&mut self.state) {
            State::Looking(Step::Done(outcome)) => outcome,
            state => {
                self.state = state;
                return None;
            }
        };
        let gate = self.gate.take();
        let token = gate.and_then(|gate| gate.permit(&outcome, UnixTime::from_secs(now)));
        let careless = self.flaw == Flaw::BouncesOnSilence && was_silent;
        let finding = Finding {
            policy: outcome.policy().map(|held| held.policy().as_str().to_owned()),
            status: outcome.status(),
            may_bounce: token.is_some() || careless,
        };
        self.state = State::Found(outcome);
        Some(finding)
    }

    /// Tries to deliver a mail under what was found. Where that is not known the mail waits.
    pub(super) fn mail(&mut self, candidates: [Option<(usize, Smtp)>; 2]) -> Sent {
        let State::Found(outcome) = std::mem::take(&mut self.state) else {
            panic!("it has found something")
        };
        if outcome.status() == Status::Unknown {
            return Sent::Waits;
        }
        let mut delivery = Delivery::new(&outcome, Requirements::default());
        let mut last = None;
        for (host, smtp) in candidates.into_iter().flatten() {
            let name = HOSTS[host];
            let is_tls = smtp == Smtp::Tls && name != HOSTS[HOSTS.len() - 1];
            last = Some((name, is_tls)).filter(|_| smtp != Smtp::Unreachable).or(last);
            let Candidate::Connect(attempt) = delivery.candidate(&Mx::parse(name)) else {
                continue;
            };
            let other = || MxVerified::assertion(&DnsName::parse(FOREIGN).expect("a name"));
            let session = match smtp {
                Smtp::Tls => match attempt.host().map(MxVerified::assertion) {
                    Some(verified) => Session::Verified(verified),
                    None => Session::Unverified,
                },
                Smtp::BadCertificate => {
                    Session::CertificateInvalid(CertificateFault::UntrustedIssuer)
                }
                Smtp::OtherName if name == FOREIGN => Session::Unverified,
                Smtp::OtherName => Session::Verified(other()),
                Smtp::NoStarttls => Session::NoStarttls,
                Smtp::Unreachable => Session::NotReached,
            };
            let verdict = delivery.judge(attempt, session);
            if !verdict.is_refused() {
                return Sent::To(name, is_tls);
            }
        }
        match (delivery.conclude(), last) {
            (_, Some((name, is_tls))) if self.flaw == Flaw::IgnoresTheVerdict => {
                Sent::To(name, is_tls)
            }
            (Conclusion::Retry(retry), _) => {
                self.state = State::Refused(retry);
                Sent::Refused
            }
            _ => Sent::Waits,
        }
    }
}

/// The id that an answer announces.
pub(super) fn announced(answer: Dns, published: Option<&Publication>) -> Option<String> {
    match answer {
        Dns::Truth(_) => published.map(|policy| policy.id.clone()),
        Dns::Id(number, _) => Some(format!("p{number}")),
        _ => None,
    }
}
