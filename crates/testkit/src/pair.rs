//! The machine and the reference model side by side, compared at every lookup.
//!
//! ```
//! use mta_sts_testkit::model::{Mode, Recheck, Txt};
//! use mta_sts_testkit::pair::Pair;
//! use mta_sts_testkit::script::{Turn, valid_policy};
//!
//! let mut pair = Pair::new();
//! let txt = Txt::Id("1".to_owned(), 300);
//! let https = valid_policy(Mode::Enforce, "mx", 86_400);
//! let verdict = pair.turn(&Turn::new(1_800_000_000, Recheck::WhenDue, txt, https));
//! assert!(verdict.asks_https && pair.client().entry().is_some());
//! ```

use std::cmp::Ordering;
use std::sync::LazyLock;

use mta_sts::delivery::{Conclusion, Delivery, Mx, Requirements, Retry};
use mta_sts::{BounceToken, Entry, HeldPolicy, Outcome, PolicyDomain, PolicyId, UnixTime, Urgency};

use crate::model::{
    self, CLOCK_TOLERANCE, Problem, Recheck, Refused, RemembersTxt, Sender, Source, Status, Store,
    Txt, Verdict,
};
use crate::script::{Client, HttpsAnswer, Run, Turn, TxtAnswer};

/// The machine with its store, the model, and the last enforced policy, as one that refused a mail.
#[derive(Debug, Clone)]
pub struct Pair {
    client: Client,
    sender: Sender,
    refused: Option<(Outcome, Refused)>,
    /// The latest time that a lookup was made at.
    latest: u64,
    /// Whether the stores are still to be compared.
    is_comparable: bool,
}

/// Nothing is held, and nothing was refused.
impl Default for Pair {
    fn default() -> Self {
        Self {
            client: Client::new(domain()),
            sender: Sender::default(),
            refused: None,
            latest: 0,
            is_comparable: true,
        }
    }
}

/// The domain of every pair.
pub fn domain() -> PolicyDomain {
    static DOMAIN: LazyLock<PolicyDomain> =
        LazyLock::new(|| PolicyDomain::parse("example.com").unwrap());
    DOMAIN.clone()
}

impl Pair {
    /// Both with an empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// The machine with its store.
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// The model.
    pub const fn sender(&self) -> &Sender {
        &self.sender
    }

    /// Whether another turn can be compared. Not after a lookup that could not read its store and
    /// whose clock was behind what the store has: the machine's parts then merge each by its own
    /// stamp, the later one winning, of which the model knows nothing.
    pub const fn is_comparable(&self) -> bool {
        self.is_comparable
    }

    /// All that decides how a course goes on.
    pub fn state(&self) -> (Option<Vec<u8>>, String) {
        let refused = self.refused.as_ref().map(|(_, refused)| refused);
        let entry = self.client.entry().map(Entry::to_bytes);
        (entry, format!("{:?} {refused:?} {}", self.sender, self.latest))
    }

    /// One lookup of both, and that they agree on it.
    ///
    /// # Panics
    /// If they do not.
    pub fn turn(&mut self, turn: &Turn) -> Verdict {
        self.turn_with(turn, &HttpsAnswer::from(&turn.world.https))
    }

    /// The same with this answer of HTTPS, which the model knows by its kind alone.
    ///
    /// # Panics
    /// If they do not agree.
    pub fn turn_with(&mut self, turn: &Turn, https: &HttpsAnswer) -> Verdict {
        self.turn_answered(turn, &TxtAnswer::from(&turn.world.txt), https)
    }

    /// The same with both answers, which the model knows by their kind alone.
    ///
    /// # Panics
    /// If they do not agree.
    pub fn turn_answered(&mut self, turn: &Turn, txt: &TxtAnswer, https: &HttpsAnswer) -> Verdict {
        let before = self.clone();
        let refused = self.refused.as_ref().map(|(_, refused)| refused);
        let verdict = self.sender.lookup(turn.now, turn.recheck, &turn.world, refused);
        let (run, token) = self.machine_turn_with_token(turn, txt, https);
        // A stamp may be ahead of the clock by the changes of one second.
        let is_behind = turn.now <= self.latest.saturating_add(60);
        if is_behind && !turn.world.readable && self.client.entry().is_some() {
            self.is_comparable = false;
            check_blind_merge(&before, &run, self.client.entry());
            return verdict;
        }
        compare(&before, turn, &verdict, &run, token.as_ref());
        self.latest = self.latest.max(turn.now);
        compare_stores(&before, self, turn.now);
        self.note_refusal(turn, &verdict, run.outcome);
        verdict
    }

    /// One lookup of the machine alone, where nothing is to be compared any more.
    pub fn machine_turn(&mut self, turn: &Turn, txt: &TxtAnswer, https: &HttpsAnswer) -> Run {
        self.machine_turn_with_token(turn, txt, https).0
    }

    /// The lookup of the gate where it asks on its own and a mail was refused.
    fn machine_turn_with_token(
        &mut self,
        turn: &Turn,
        txt: &TxtAnswer,
        https: &HttpsAnswer,
    ) -> (Run, Option<BounceToken>) {
        match &self.refused {
            Some((outcome, _)) if turn.recheck == Recheck::Always => {
                self.client.gate_answered(refusal(outcome), turn, txt, https)
            }
            _ => (self.client.turn_answered(turn, txt, https), None),
        }
    }

    /// The store of a second sender, which read the same store before this one wrote, is merged
    /// into it. Nothing can be compared from then on, unless it has nothing new.
    ///
    /// # Panics
    /// If the policy that stays is not that of the later generation, or a policy gives way to none
    /// of the same.
    pub fn meet(&mut self, second: &Self) {
        let Some(theirs) = second.client.entry() else { return };
        let ours = self.client.entry().cloned();
        self.client.merge(theirs.clone());
        self.is_comparable &= ours.as_ref() == self.client.entry();
        let (Some(ours), Some(merged)) = (ours, self.client.entry()) else { return };
        let [a, b] = [&ours, theirs].map(|e| (e.generation(), e.stored_policy()));
        let expected = match a.0.cmp(&b.0) {
            Ordering::Less => vec![b],
            Ordering::Greater => vec![a],
            Ordering::Equal if a.1.is_some() == b.1.is_some() => vec![a, b],
            Ordering::Equal => vec![if a.1.is_some() { a } else { b }],
        };
        assert!(expected.contains(&(merged.generation(), merged.stored_policy())));
    }

    /// The first delivery under an enforced policy is refused, and asks at every gate from then on,
    /// also after the same policy was fetched again. Not one of a lookup without its store: the
    /// model's generations count the changes of one store, the machine's are times.
    fn note_refusal(&mut self, turn: &Turn, verdict: &Verdict, outcome: Outcome) {
        let enforced = verdict.policy.as_ref().filter(|policy| policy.mode == model::Mode::Enforce);
        let Some(policy) = enforced.filter(|_| turn.world.readable && turn.world.writable) else {
            return;
        };
        let last = self.refused.as_ref().map(|(_, refused)| (&refused.id, &refused.text));
        if last != Some((&policy.id, &policy.text)) {
            self.refused = Some((outcome, policy.refused()));
        }
    }
}

/// The refusal of a mail by the policy of `outcome`.
fn refusal(outcome: &Outcome) -> Retry {
    let mut delivery = Delivery::new(outcome, Requirements::default());
    let _ = delivery.candidate(&Mx::parse("mx.elsewhere.example"));
    let Conclusion::Retry(retry) = delivery.conclude() else {
        panic!("an enforced policy refuses the candidate")
    };
    retry
}

/// The status in the words of the core.
pub const fn status(status: Status) -> mta_sts::Status {
    match status {
        Status::Found => mta_sts::Status::Found,
        Status::Confirmed => mta_sts::Status::Confirmed,
        Status::Held => mta_sts::Status::Held,
        Status::Absent => mta_sts::Status::Absent,
        Status::Unknown => mta_sts::Status::Unknown,
    }
}

/// The code of a problem.
pub const fn code(problem: Problem) -> &'static str {
    match problem {
        Problem::RecordAbsent => "record-absent",
        Problem::SeveralRecords => "several-records",
        Problem::RecordMalformed => "record-malformed",
        Problem::NoAnswer => "no-answer",
        Problem::PolicyFetch => "policy-fetch",
        Problem::PolicyInvalid => "policy-invalid",
        Problem::PolicyCertificate => "policy-certificate",
        Problem::BackingOff => "backing-off",
        Problem::FetchLimited => "fetch-limited",
        Problem::StoreUnreadable => "store-unreadable",
    }
}

fn mode(mode: model::Mode) -> mta_sts::Mode {
    match mode {
        model::Mode::Enforce => mta_sts::Mode::Enforce,
        model::Mode::Testing => mta_sts::Mode::Testing,
        model::Mode::None => mta_sts::Mode::None,
    }
}

fn is_same_policy(held: &HeldPolicy, policy: &model::Policy) -> bool {
    held.policy().mode() == mode(policy.mode)
        && held.policy().as_str() == policy.text
        && held.id().as_str() == policy.id
        && held.fetched_at() == UnixTime::from_secs(policy.fetched_at)
        && u64::from(held.policy().max_age().as_secs()) == policy.max_age
}

fn recalled(entry: &Entry, now: UnixTime) -> Option<(mta_sts::Status, Option<&'static str>)> {
    let decision = entry.decide(&domain(), now)?;
    Some((decision.status(), decision.problem().map(|problem| problem.code())))
}

fn failures(entry: &Entry, now: UnixTime) -> Vec<(PolicyId, UnixTime)> {
    let mut failures: Vec<_> = entry.backing_off(now).collect();
    failures.sort();
    failures
}

/// What one lookup shows.
fn compare(before: &Pair, turn: &Turn, verdict: &Verdict, run: &Run, token: Option<&BounceToken>) {
    let (now, outcome) = (turn.time(), &run.outcome);
    assert_eq!(run.asked_txt.len(), usize::from(verdict.asks_txt));
    assert_eq!(run.asked_https.len(), usize::from(verdict.asks_https));
    assert_eq!(outcome.status(), status(verdict.status));
    assert_eq!(outcome.problem().map(mta_sts::Problem::code), verdict.problem.map(code));
    match (outcome.policy(), &verdict.policy) {
        (None, None) => {}
        (Some(held), Some(policy)) => {
            assert_eq!(held.policy().mode(), mode(policy.mode));
            assert_eq!(held.policy().as_str(), policy.text);
            assert_eq!(held.id().as_str(), policy.id);
            let found = policy.from == Source::Fetched;
            assert_eq!(outcome.status() == mta_sts::Status::Found, found);
        }
        (machine, model) => panic!("{machine:?} is not {model:?}"),
    }
    assert_eq!(token.is_some(), verdict.permits_bounce, "{:?}", before.refused);

    // What the lookup starts from and what it has written.
    let unknown = Entry::new(domain(), now);
    let mut known =
        before.client.entry().filter(|_| turn.world.readable).unwrap_or(&unknown).clone();
    // What a clock that ran ahead has stamped is put at the present as it is read.
    known.touch(now);
    let after = run.written.as_ref().map_or(outcome.entry(), |(entry, _)| entry);
    let durable = run.written.as_ref().is_some_and(|(_, urgency)| *urgency == Urgency::Durable);
    assert_eq!(durable, verdict.store != Store::Keep);
    // The numbers differ, a machine's generation being the later of a number and a time.
    assert_eq!(after.generation() > known.generation(), verdict.store != Store::Keep);
    match verdict.store {
        Store::Put => {
            let id = after.stored_policy().map(|held| held.id().to_string());
            assert_eq!(id, verdict.stored_id);
        }
        Store::Clear => assert_eq!(after.stored_policy(), None),
        Store::Keep => assert_eq!(after.stored_policy(), known.stored_policy()),
    }
    // The machine says of every write that it failed, the model only of the durable ones.
    assert_eq!(outcome.is_persisted(), turn.world.writable || run.written.is_none());
    assert!(verdict.persisted || !outcome.is_persisted());

    let held = after.policy(now).is_some();
    let unless_held = |other| if held { mta_sts::Status::Held } else { other };
    let absent = unless_held(mta_sts::Status::Absent);
    let no_answer = unless_held(mta_sts::Status::Unknown);
    let memory = match verdict.remembers_txt {
        RemembersTxt::Unchanged => recalled(&known, now),
        RemembersTxt::Nothing => None,
        RemembersTxt::SameId => Some((mta_sts::Status::Confirmed, None)),
        RemembersTxt::Absent => Some((absent, held.then_some("record-absent"))),
        RemembersTxt::Several | RemembersTxt::Malformed => Some((absent, Some("record-malformed"))),
        RemembersTxt::NoAnswer => Some((no_answer, Some("no-answer"))),
    };
    assert_eq!(recalled(after, now), memory);
}

/// Of the policy that was stored and the one of a lookup that could not read it the one of the later
/// generation stays, whichever the model would keep.
fn check_blind_merge(before: &Pair, run: &Run, after: Option<&Entry>) {
    let stored = before.client.entry();
    let (written, _) = run.written.as_ref().expect("a lookup without its store asks and writes");
    let generation = stored.map_or(0, Entry::generation);
    let is_later = run.outcome.is_persisted() && written.generation() > generation;
    let is_earlier = !run.outcome.is_persisted() || written.generation() < generation;
    let policy = after.and_then(Entry::stored_policy);
    if is_later {
        assert_eq!(policy, written.stored_policy());
    }
    if is_earlier {
        assert_eq!(policy, stored.and_then(Entry::stored_policy));
    }
}

/// What both stores have after a lookup.
fn compare_stores(before: &Pair, after: &Pair, now: u64) {
    let now = UnixTime::from_secs(now);
    let (sender, Some(entry)) = (&after.sender, after.client.entry()) else {
        return assert_eq!(after.sender, before.sender, "nothing was ever written");
    };
    match (entry.stored_policy(), &sender.policy) {
        (None, None) => {}
        (Some(held), Some(policy)) => {
            assert!(is_same_policy(held, policy), "{held:?} is not {policy:?}");
        }
        (machine, model) => panic!("{machine:?} is not {model:?}"),
    }
    let generation = before.client.entry().map_or(0, Entry::generation);
    assert_eq!(entry.generation() != generation, sender.generation != before.sender.generation);

    let longest = model::BACKOFF_MAX;
    let until = |not_before: u64| {
        let until = UnixTime::from_secs(not_before);
        // Of a clock that was wrong: it counts as the longest.
        let is_astray = until.secs_since(now) > longest + CLOCK_TOLERANCE;
        if is_astray { now.plus_secs(longest) } else { until }
    };
    let mut waiting: Vec<_> = sender
        .failures
        .iter()
        .map(|f| (PolicyId::parse(&f.id).unwrap(), until(f.not_before)))
        .filter(|(_, until)| now < *until)
        .collect();
    waiting.sort();
    assert_eq!(failures(entry, now), waiting);

    // The next lookup asks, or does not, alike; and for the same times to come.
    for wait in [0, 60, 299, 300, 3_600] {
        let then = now.plus_secs(wait);
        let world = model::World {
            txt: Txt::NoAnswer,
            https: model::Https::Fails,
            readable: true,
            writable: false,
        };
        let next = sender.clone().lookup(then.as_secs(), Recheck::WhenDue, &world, None);
        assert_eq!(recalled(entry, then).is_none(), next.asks_txt, "in {wait} s");
    }
}
