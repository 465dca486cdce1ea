//! A sender: the real machine, the real delivery and the real gate, driven as the contract says; or,
//! with a flaw, as a careless driver does.

use mta_sts::delivery::{Candidate, Conclusion, Delivery, Mx, Requirements, Retry, Session};
use mta_sts::lookup::{AfterHead, AfterTxt, BounceToken, FetchPolicy, Gate, Head, Start};
use mta_sts::{
    CertificateFault, DnsFailure, DnsFailureKind, DnsName, Entry, FetchFailure, Held, Limits,
    Lookup, MxVerified, Outcome, PolicyHostVerified, Status, Step, UnixTime,
};

use super::clock::Clock;
use super::observer::{Known, Look, Publication, Refusal};
use super::op::{Care, Dns, Https, Smtp};
use super::{FOREIGN, HOSTS};
use crate::model::Recheck;
use crate::pair::domain;
use crate::script::policy_text;

/// A mistake of a driver, which the search must find.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flaw {
    /// No mistake.
    None,
    /// A missing record counts as the end of a held policy.
    ForgetsWhenAbsent,
    /// A matching id counts as a new fetch: the policy never expires.
    ExtendsOnMatchingId,
    /// A mail is bounced although DNS was silent when it was asked again.
    BouncesOnSilence,
    /// Lazy writes are never made, so failures and fetches are forgotten.
    NoBackOff,
    /// A store that fails counts as an empty one.
    EmptyWhenStoreFails,
    /// An unreadable store is reported without the entry that the driver has.
    DropsItsNotes,
    /// Any certificate of a Policy Host will do.
    TrustsAnyCertificate,
    /// An entry that is written takes the place of the stored one, unmerged.
    Overwrites,
    /// The entry that the machine gets back after a write is the one that it wrote.
    KeepsItsOwnEntry,
    /// A mail goes to the last candidate, whatever the verdict.
    IgnoresTheVerdict,
    /// The gate is told the time of its question in the place of the present.
    TokenFromAStaleAnswer,
}

/// One lookup in progress.
#[derive(Debug)]
pub(super) struct Running {
    /// `None` only while a reply is given.
    pub(super) step: Option<Step>,
    pub(super) look: Look,
    gate: Option<Gate>,
    /// The true time at which the driver gives up.
    pub(super) deadline: u64,
    /// The policy that was published when the fetch was handed out.
    at_handout: Option<Publication>,
    serving: Option<Https>,
    /// For the flaws.
    held: Option<Entry>,
}

/// A lookup that has ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) outcome: Outcome,
    pub(super) look: Look,
}

/// One sender.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) clock: Clock,
    pub(super) running: Vec<Running>,
    pub(super) found: Option<Ended>,
    refused: Option<(Retry, Refusal)>,
    gate: Option<(Gate, Ended)>,
    /// The entry of the last outcome, kept beside the store.
    pub(super) notes: Option<(Entry, Known)>,
    flaw: Flaw,
}

/// The fate of a mail.
#[derive(Debug)]
pub(super) enum Sent {
    /// It went to this host, over TLS that was verified for its name or not.
    To(&'static str, bool),
    /// The policy refused every candidate that could be reached.
    Refused(Retry),
    /// No policy refused it, and some candidates were refused or not judged, or neither.
    Open {
        /// A candidate was connected to and not judged, or refused.
        is_objected: bool,
    },
    /// It waits for another reason.
    Waits,
}

impl Node {
    pub(super) const fn new(clock: Clock, flaw: Flaw) -> Self {
        Self {
            clock,
            running: Vec::new(),
            found: None,
            refused: None,
            gate: None,
            notes: None,
            flaw,
        }
    }

    pub(super) fn crash(&mut self) {
        *self = Self::new(self.clock, self.flaw);
    }

    pub(super) const fn refusal(&self) -> Option<&Refusal> {
        match &self.refused {
            Some((_, refusal)) => Some(refusal),
            None => None,
        }
    }

    pub(super) fn note_refusal(&mut self, retry: Retry, refusal: Refusal) {
        self.refused = Some((retry, refusal));
    }

    /// Starts a lookup; that of the gate if the look has a refusal.
    pub(super) fn ask(&mut self, held: Held, recheck: Recheck, look: Look, now: u64) -> usize {
        let time = self.clock.read(now);
        let kept = match &held {
            Held::Entry(entry) => Some(entry.clone()),
            _ => None,
        };
        let held = match held {
            Held::Unreadable { .. } if self.flaw == Flaw::EmptyWhenStoreFails => Held::Nothing,
            Held::Unreadable { .. } if self.flaw == Flaw::DropsItsNotes => {
                Held::Unreadable { notes: None }
            }
            held => held,
        };
        let (step, gate) = match self.refused.take() {
            Some((retry, _)) if look.is_gate() => {
                let (query, gate) = retry.recheck(held, Limits::default(), time);
                (query.into(), Some(gate))
            }
            refused => {
                self.refused = refused;
                (Lookup::new(domain(), held).recheck(recheck.into()).start(time).into(), None)
            }
        };
        self.running.push(Running {
            step: Some(step),
            look,
            gate,
            deadline: now + 20,
            at_handout: None,
            serving: None,
            held: kept,
        });
        self.running.len() - 1
    }

    /// Ends the lookup of this number. Returns its outcome, which the sender keeps.
    pub(super) fn end(&mut self, slot: usize) -> &mut Ended {
        let Running { step, look, gate, .. } = self.running.swap_remove(slot);
        let Some(Step::Done(outcome)) = step else { panic!("it has ended") };
        self.notes = Some((outcome.entry().clone(), look.known));
        let ended = Ended { outcome, look };
        match gate {
            Some(gate) => &mut self.gate.insert((gate, ended)).1,
            None => self.found.insert(ended),
        }
    }

    /// Asks the gate, by its own outcome or by another. Returns the look and the token.
    pub(super) fn permit(
        &mut self,
        by_other: bool,
        now: u64,
    ) -> Option<(Look, bool, Option<BounceToken>)> {
        let (gate, ended) = self.gate.take()?;
        let mut time = self.clock.read(now);
        if self.flaw == Flaw::TokenFromAStaleAnswer {
            time = self.clock.read(ended.look.decided);
        }
        let is_silent = matches!(ended.outcome.problem(), Some(mta_sts::Problem::NoAnswer(_)));
        let careless = self.flaw == Flaw::BouncesOnSilence && is_silent && !by_other;
        let token = match self.found.as_ref().filter(|_| by_other) {
            Some(other) => gate.permit(&other.outcome, time),
            None => gate.permit(&ended.outcome, time),
        };
        Some((ended.look, careless, token))
    }

    /// Tries to deliver a mail under the last outcome. Where that is not known the mail waits.
    pub(super) fn mail(&self, candidates: [Option<(u8, Smtp)>; 2], care: Care) -> Sent {
        let Some(Ended { outcome, .. }) = &self.found else { return Sent::Waits };
        if outcome.status() == Status::Unknown {
            return Sent::Waits;
        }
        let mut delivery = Delivery::new(outcome, Requirements::default());
        let mut other = Delivery::new(outcome, Requirements::default());
        let mut last = None;
        let mut is_objected = false;
        for (host, smtp) in candidates.into_iter().flatten() {
            let name = HOSTS[usize::from(host) % HOSTS.len()];
            let is_tls = smtp == Smtp::Tls && name != HOSTS[HOSTS.len() - 1];
            last = Some((name, is_tls)).filter(|_| smtp != Smtp::Unreachable).or(last);
            let Candidate::Connect(attempt) = delivery.candidate(&Mx::parse(name)) else {
                is_objected = true;
                continue;
            };
            let session = match smtp {
                Smtp::Tls => match attempt.host().map(MxVerified::assertion) {
                    Some(verified) => Session::Verified(verified),
                    None => Session::Unverified,
                },
                Smtp::BadCertificate => {
                    Session::CertificateInvalid(CertificateFault::UntrustedIssuer)
                }
                Smtp::OtherName if name == FOREIGN => Session::Unverified,
                Smtp::OtherName => {
                    let foreign = DnsName::parse(FOREIGN).expect("a name");
                    Session::Verified(MxVerified::assertion(&foreign))
                }
                Smtp::NoStarttls => Session::NoStarttls,
                Smtp::Unreachable => Session::NotReached,
            };
            match care {
                Care::Drops => is_objected = true,
                Care::Misjudges => {
                    is_objected = true;
                    if !other.judge(attempt, session).is_refused() {
                        return Sent::To(name, is_tls);
                    }
                }
                Care::Judges => {
                    let verdict = delivery.judge(attempt, session);
                    if !verdict.is_refused() {
                        return Sent::To(name, is_tls);
                    }
                    is_objected |= smtp != Smtp::Unreachable;
                }
            }
        }
        if let (Flaw::IgnoresTheVerdict, Some((name, is_tls))) = (self.flaw, last) {
            return Sent::To(name, is_tls);
        }
        match delivery.conclude() {
            Conclusion::Retry(retry) => Sent::Refused(retry),
            Conclusion::Open => Sent::Open { is_objected },
            Conclusion::LocalDemand => Sent::Waits,
        }
    }
}

/// The progress that a reply made.
#[derive(Debug)]
pub(super) enum Progress {
    /// A fetch was handed out.
    Fetches,
    /// The fetch ended, with this policy or without.
    Fetched(Option<Publication>),
    /// Nothing that concerns the observer.
    Other,
}

impl Running {
    pub(super) const fn waits_for_store(&self) -> bool {
        matches!(self.step, Some(Step::Store(_)))
    }

    pub(super) const fn waits_for_dns(&self) -> bool {
        matches!(self.step, Some(Step::QueryTxt(_)))
    }

    pub(super) const fn is_done(&self) -> bool {
        matches!(self.step, Some(Step::Done(_)))
    }

    /// The state of a fetch that was just handed out.
    pub(super) const fn handed_out(&self) -> Option<&FetchPolicy> {
        match &self.step {
            Some(Step::FetchPolicy(fetch)) => Some(fetch),
            _ => None,
        }
    }

    pub(super) fn interim(&self, time: UnixTime) -> Option<String> {
        let policy = self.step.as_ref().and_then(|step| step.interim(time));
        policy.map(|held| held.policy().as_str().to_owned())
    }

    /// The driver gives up: at a deadline, or because its caller does.
    pub(super) fn give_up(&mut self, is_deadline: bool, time: UnixTime) -> Progress {
        let (dns, fetch) = if is_deadline {
            (DnsFailureKind::Timeout, FetchFailure::Timeout)
        } else {
            (DnsFailureKind::Abandoned, FetchFailure::Abandoned)
        };
        match self.step.take() {
            Some(Step::QueryTxt(query)) => {
                self.after_txt(query.failed(DnsFailure::new(dns), time), None)
            }
            Some(Step::FetchPolicy(state)) => self.fetched(state.failed(fetch, time), None),
            Some(Step::ReadBody(state)) => self.fetched(state.failed(fetch, time), None),
            step => {
                self.step = step;
                Progress::Other
            }
        }
    }

    fn after_txt(&mut self, after: AfterTxt, published: Option<&Publication>) -> Progress {
        let is_fetch = matches!(after, AfterTxt::FetchPolicy(_));
        self.step = Some(after.into());
        if !is_fetch {
            return Progress::Other;
        }
        self.at_handout = published.cloned();
        Progress::Fetches
    }

    fn fetched(&mut self, state: mta_sts::lookup::Store, policy: Option<Publication>) -> Progress {
        self.step = Some(state.into());
        Progress::Fetched(policy)
    }

    pub(super) fn dns(
        &mut self,
        answer: Dns,
        published: Option<&Publication>,
        flaw: Flaw,
        mut time: UnixTime,
    ) -> Progress {
        let Some(Step::QueryTxt(query)) = self.step.take() else { panic!("it waits for DNS") };
        let id = announced(answer, published);
        if flaw == Flaw::ExtendsOnMatchingId {
            let stored = self.held.as_ref().and_then(Entry::stored_policy);
            if let Some(stored) = stored.filter(|held| id.as_deref() == Some(held.id().as_str())) {
                time = time.min(stored.expires_at(time).minus_secs(1));
            }
        }
        let after = match answer {
            Dns::Silence => query.failed(DnsFailure::new(DnsFailureKind::Timeout), time),
            Dns::Several(ttl) => {
                query.answered([["v=STSv1; id=1;"], ["v=STSv1; id=2;"]], ttl, time)
            }
            Dns::Malformed(ttl) => query.answered([["v=STSv1; id=?;"]], ttl, time),
            Dns::Truth(ttl) | Dns::Absent(ttl) | Dns::Id(_, ttl) => match id {
                Some(id) => query.answered([[format!("v=STSv1; id={id};")]], ttl, time),
                None if flaw == Flaw::ForgetsWhenAbsent => {
                    let Start::QueryTxt(fresh) = Lookup::new(domain(), Held::Nothing).start(time)
                    else {
                        panic!("nothing is known")
                    };
                    fresh.absent(ttl, time)
                }
                None => query.absent(ttl, time),
            },
            Dns::Invented(_) => {
                let id = id.expect("it is named");
                query.answered([[format!("v=STSv1; id={id};")]], 60, time)
            }
        };
        self.after_txt(after, published)
    }

    /// The head of the response, or its body.
    pub(super) fn https(
        &mut self,
        answer: Https,
        published: Option<&Publication>,
        flaw: Flaw,
        time: UnixTime,
    ) -> Progress {
        match self.step.take() {
            Some(Step::FetchPolicy(fetch)) => self.head(fetch, answer, flaw, time),
            Some(Step::ReadBody(mut body)) => {
                let serving = self.serving.take().expect("a head came");
                let policy = match serving {
                    Https::Latest => published.cloned(),
                    _ => self.at_handout.clone(),
                };
                let text = match (serving, &policy) {
                    (Https::Forged, _) => policy_text("none", 604_800),
                    (_, Some(policy)) => policy.text.clone(),
                    (_, None) => "<html>".to_owned(),
                };
                let is_cut = serving == Https::Cut || answer == Https::Drop;
                let length = if is_cut { text.len() / 2 } else { text.len() };
                assert!(body.chunk(&text.as_bytes()[..length]).is_continue());
                if is_cut {
                    return self.fetched(body.failed(FetchFailure::Truncated, time), None);
                }
                let policy = policy.filter(|_| serving != Https::Forged);
                self.fetched(body.ended(time), policy)
            }
            _ => panic!("it waits for the policy"),
        }
    }

    fn head(&mut self, fetch: FetchPolicy, answer: Https, flaw: Flaw, time: UnixTime) -> Progress {
        let status = match (answer, &self.at_handout) {
            (Https::Drop, _) => {
                return self.fetched(fetch.failed(FetchFailure::Connection, time), None);
            }
            (Https::Status(status), _) => status,
            (Https::Truth | Https::Cut, None) => 404,
            _ => 200,
        };
        let head = Head { status, content_type: Some(b"text/plain"), content_encoding: None };
        let is_trusted = answer != Https::Forged || flaw == Flaw::TrustsAnyCertificate;
        let name = if is_trusted { fetch.host() } else { "mta-sts.evil.example" };
        let verified = PolicyHostVerified::assertion(name);
        match fetch.responded(verified, head, time) {
            AfterHead::ReadBody(body) => {
                self.serving = Some(answer);
                self.step = Some(body.into());
                Progress::Other
            }
            AfterHead::Store(store) => self.fetched(store, None),
        }
    }
}

/// The id that an answer announces.
pub(super) fn announced(answer: Dns, published: Option<&Publication>) -> Option<String> {
    match answer {
        Dns::Truth(_) => published.map(|policy| policy.id.clone()),
        Dns::Id(number, _) => Some(format!("p{number}")),
        Dns::Invented(number) => Some(format!("f{number}")),
        _ => None,
    }
}
