//! The machine step by step: from every state of an entry, every reply to every step there is.

use std::collections::BTreeSet;

use mta_sts::lookup::Head;
use mta_sts::{
    CertificateFault, DnsFailure, DnsFailureKind, FetchFailure, Held, Lookup, Outcome,
    PolicyHostVerified, Step, UnixTime,
};
use mta_sts_testkit::model::{Https, Mode, Recheck, Sender, Txt, World};
use mta_sts_testkit::pair::{code, domain, status};
use mta_sts_testkit::script::policy_text;

use super::DAY;
use super::one::{BACKOFF, HELD, MEMORY, NOW, RECHECK, pair};

const TIME: UnixTime = UnixTime::from_secs(NOW);
/// `QueryTxt`, `FetchPolicy`, `ReadBody`, `Store`.
const LONGEST: usize = 4;

const DNS: [&str; 8] = [
    "answered h1",
    "answered n2",
    "answered nothing",
    "answered several",
    "answered malformed",
    "absent",
    "failed",
    "failed abandoned",
];
const HEAD: [&str; 7] = [
    "responded",
    "responded otherwise named",
    "responded 404",
    "responded html",
    "responded gzip",
    "failed certificate",
    "failed timeout",
];
const BODY: [&str; 8] = [
    "enforce",
    "testing",
    "none",
    "max_age 0",
    "no policy",
    "too large",
    "failed truncated",
    "failed abandoned",
];
const STORE: [&str; 2] = ["stored", "failed"];

/// The replies that a step takes.
fn replies(step: &Step) -> (&'static str, &'static [&'static str]) {
    match step {
        Step::QueryTxt(_) => ("QueryTxt", &DNS),
        Step::FetchPolicy(_) => ("FetchPolicy", &HEAD),
        Step::ReadBody(_) => ("ReadBody", &BODY),
        Step::Store(_) => ("Store", &STORE),
        Step::Done(_) => ("Done", &[]),
    }
}

fn text(body: &str) -> String {
    match body {
        "max_age 0" => policy_text("enforce", 0),
        "no policy" => "version: STSv1\n".to_owned(),
        "too large" => "\n".repeat(65_537),
        mode => policy_text(mode, DAY),
    }
}

fn reply(step: Step, with: &str) -> Step {
    match step {
        Step::QueryTxt(query) => Step::from(match with {
            "answered h1" => query.answered([["v=STSv1; id=h1;"]], 300, TIME),
            "answered n2" => query.answered([["v=STSv1; ", "id=n2;"]], 300, TIME),
            "answered nothing" => query.answered([[b""; 0]; 0], 300, TIME),
            "answered several" => {
                query.answered([["v=STSv1; id=1;"], ["v=STSv1; id=2;"]], 300, TIME)
            }
            "answered malformed" => query.answered([["v=STSv1; id=?;"]], 300, TIME),
            "absent" => query.absent(300, TIME),
            "failed" => query.failed(DnsFailure::new(DnsFailureKind::ServerFailure), TIME),
            _ => query.failed(DnsFailure::new(DnsFailureKind::Abandoned), TIME),
        }),
        Step::FetchPolicy(fetch) => {
            let name = match with {
                "responded otherwise named" => "mta-sts.example.net",
                _ => fetch.host(),
            };
            let verified = PolicyHostVerified::assertion(name);
            let status = if with == "responded 404" { 404 } else { 200 };
            let html = with == "responded html";
            let content_type = Some(if html { &b"text/html"[..] } else { b"text/plain" });
            let content_encoding = (with == "responded gzip").then_some(&b"gzip"[..]);
            let head = Head { status, content_type, content_encoding };
            match with {
                "failed certificate" => {
                    fetch.failed(FetchFailure::Certificate(CertificateFault::Expired), TIME).into()
                }
                "failed timeout" => fetch.failed(FetchFailure::Timeout, TIME).into(),
                _ => fetch.responded(verified, head, TIME).into(),
            }
        }
        Step::ReadBody(mut body) => Step::from(match with {
            "failed truncated" => body.failed(FetchFailure::Truncated, TIME),
            "failed abandoned" => body.failed(FetchFailure::Abandoned, TIME),
            _ => {
                let is_over = body.chunk(text(with).as_bytes()).is_break();
                assert_eq!(is_over, with == "too large");
                body.ended(TIME)
            }
        }),
        Step::Store(store) => match with {
            "stored" => {
                let merged = store.entry().clone();
                store.stored(merged).into()
            }
            _ => store.failed().into(),
        },
        Step::Done(outcome) => Step::Done(outcome),
    }
}

/// What the replies mean in the words of the model; what was not asked does not matter.
fn world(path: &[&'static str], readable: bool) -> World {
    let id = |id: &str| Txt::Id(id.to_owned(), 300);
    let txt = match path.first().copied() {
        Some("answered h1") => id("h1"),
        Some("answered n2") => id("n2"),
        Some("answered several") => Txt::Several(300),
        Some("answered malformed") => Txt::Malformed(300),
        Some("absent" | "answered nothing") => Txt::Absent(300),
        _ => Txt::NoAnswer,
    };
    let serves = |mode, max_age, word| Https::Policy { mode, text: text(word), max_age };
    let https = match path.get(1..).unwrap_or_default() {
        ["responded", "enforce", ..] => serves(Mode::Enforce, DAY, "enforce"),
        ["responded", "testing", ..] => serves(Mode::Testing, DAY, "testing"),
        ["responded", "none", ..] => serves(Mode::None, DAY, "none"),
        ["responded", "max_age 0", ..] => serves(Mode::Enforce, 0, "max_age 0"),
        ["responded", "no policy", ..] => Https::Invalid,
        ["failed certificate" | "responded otherwise named", ..] => Https::Certificate,
        _ => Https::Fails,
    };
    World { txt, https, readable, writable: path.last() != Some(&"failed") }
}

#[derive(Debug, Default)]
struct Seen {
    starts: usize,
    /// Steps that some course of replies leads to, each course counted.
    states: usize,
    transitions: usize,
    outcomes: usize,
    without_io: usize,
    replies: BTreeSet<(&'static str, &'static str)>,
    statuses: BTreeSet<&'static str>,
}

/// Where a walk begins.
struct Start<'a> {
    held: &'a dyn Fn() -> Held,
    sender: &'a Sender,
    readable: bool,
    recheck: Recheck,
}

impl Start<'_> {
    /// A step is not to be had twice, so each course is taken from the start.
    fn after(&self, path: &[&'static str]) -> Step {
        let lookup = Lookup::new(domain(), (self.held)()).recheck(self.recheck.into());
        path.iter().fold(lookup.start(TIME).into(), |step, with| reply(step, with))
    }

    fn walk(&self, path: &mut Vec<&'static str>, seen: &mut Seen) {
        let step = self.after(path);
        seen.states += 1;
        let (name, replies) = replies(&step);
        if let Step::Done(outcome) = step {
            return self.compare(path, &outcome, seen);
        }
        assert!(!replies.is_empty() && path.len() < LONGEST, "{name} after {path:?}");
        let unexpired = (self.held)();
        if let Held::Entry(entry) = &unexpired {
            // Until it is known better, what is held is offered.
            let offered = step.interim(TIME).map(|held| held.policy().as_str());
            let held = entry.policy(TIME).map(|held| held.policy().as_str());
            assert!(name == "Store" || offered == held, "{name} after {path:?}");
        }
        for with in replies {
            seen.transitions += 1;
            seen.replies.insert((name, with));
            path.push(with);
            self.walk(path, seen);
            path.pop();
        }
    }

    fn compare(&self, path: &[&'static str], outcome: &Outcome, seen: &mut Seen) {
        let asked = |replies: &[&str]| path.iter().filter(|with| replies.contains(with)).count();
        let world = world(path, self.readable);
        // Here the store has what the lookup writes, and nothing besides.
        let mut sender = if self.readable { self.sender.clone() } else { Sender::default() };
        let verdict = sender.lookup(NOW, self.recheck, &world, None);
        assert_eq!(!path.is_empty(), verdict.asks_txt, "{path:?}");
        let is_fetched = asked(&HEAD[..6]) + usize::from(path.get(1) == Some(&"failed timeout"));
        assert_eq!(is_fetched, usize::from(verdict.asks_https), "{path:?}");
        assert_eq!(outcome.status(), status(verdict.status), "{path:?}");
        let policy = outcome.policy().map(|held| held.policy().as_str().to_owned());
        assert_eq!(policy, verdict.policy.map(|policy| policy.text), "{path:?}");
        let problem = outcome.problem().map(mta_sts::Problem::code);
        assert_eq!(problem, verdict.problem.map(code), "{path:?}");
        seen.outcomes += 1;
        seen.statuses.insert(outcome.status().as_str());
        if path.is_empty() {
            // No state that asks for anything was ever there, and nothing is to be written.
            assert!(self.recheck == Recheck::WhenDue && self.readable);
            seen.without_io += 1;
        }
    }
}

#[test]
fn every_reply_to_every_step_from_every_state() {
    let mut seen = Seen::default();
    for held in HELD {
        for memory in MEMORY {
            for backoff in BACKOFF {
                if (held, memory) == ("nothing", "same_id") {
                    continue;
                }
                let pair = pair(held, memory, backoff);
                for readable in [true, false] {
                    for recheck in RECHECK {
                        let held = || pair.client().held(readable);
                        let start = Start { held: &held, sender: pair.sender(), readable, recheck };
                        seen.starts += 1;
                        start.walk(&mut Vec::new(), &mut seen);
                    }
                }
            }
        }
    }
    println!("{seen:#?}");
    let every = |name, replies: &[&'static str]| -> Vec<_> {
        replies.iter().map(|with| (name, *with)).collect()
    };
    let all = [
        every("QueryTxt", &DNS),
        every("FetchPolicy", &HEAD),
        every("ReadBody", &BODY),
        every("Store", &STORE),
    ];
    assert_eq!(seen.replies, all.into_iter().flatten().collect());
    assert_eq!(seen.statuses.len(), 5, "every status there is");
    assert!(seen.without_io > 50 && seen.outcomes > 40_000, "{seen:?}");
}
