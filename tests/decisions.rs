//! The decision table, row by row, through the real machine: the state that a row gives is reached
//! by real lookups at earlier times, the question of the bounce goes through the real gate.

use mta_sts::delivery::{Candidate, Conclusion, Delivery, Mx, Requirements};
use mta_sts::{BounceToken, Entry, Lookup, PolicyDomain, PolicyId, UnixTime, Urgency};
use mta_sts_testkit::model;
use mta_sts_testkit::script::{self, Client, HttpsAnswer, Run, Turn, TxtAnswer, valid_policy};
use mta_sts_testkit::vectors::{self, Decision, Expected, Given};

const NOW: u64 = 1_800_000_000;
const TIME: UnixTime = UnixTime::from_secs(NOW);
const WEEK: u64 = 7 * 86_400;

fn domain() -> PolicyDomain {
    PolicyDomain::parse("example.com").unwrap()
}

/// The lookup of a row.
fn turn(given: &Given) -> Turn {
    use model::{Https, Mode, Recheck, Txt};
    let recheck = match given.recheck.as_str() {
        "when_due" => Recheck::WhenDue,
        "always" => Recheck::Always,
        "refresh" => Recheck::Refresh,
        other => panic!("unknown recheck {other:?}"),
    };
    let txt = match given.txt.as_str() {
        "absent" => Txt::Absent(300),
        "several" => Txt::Several(300),
        "malformed" => Txt::Malformed(300),
        "no_answer" => Txt::NoAnswer,
        // What must not be asked would be noticed: a new id, and a failing fetch of it.
        "-" => Txt::Id("unasked".to_owned(), 300),
        id => Txt::Id(id.to_owned(), 300),
    };
    let https = match given.https.as_str() {
        "enforce" => valid_policy(Mode::Enforce, "fetched", WEEK),
        "testing" => valid_policy(Mode::Testing, "fetched", WEEK),
        "none" => valid_policy(Mode::None, "fetched", WEEK),
        "max_age_0" => valid_policy(Mode::Enforce, "fetched", 0),
        "invalid" => Https::Invalid,
        "certificate" => Https::Certificate,
        "fails" | "-" => Https::Fails,
        other => panic!("unknown https {other:?}"),
    };
    let turn = Turn::new(NOW, recheck, txt, https);
    if given.held == "unreadable" { turn.blind() } else { turn }
}

/// A client whose store is as the row says.
fn client(given: &Given) -> Client {
    let mut client = Client::new(domain());
    for turn in script::given(&given.held, &given.memory, &given.backoff, NOW) {
        client.turn(&turn);
    }
    client
}

/// What an entry answers from memory: the status and the code of the problem.
fn recalled(entry: &Entry) -> Option<(&'static str, Option<&'static str>)> {
    let decision = entry.decide(&domain(), TIME)?;
    Some((decision.status().as_str(), decision.problem().map(|problem| problem.code())))
}

fn failures(entry: &Entry) -> Vec<(PolicyId, UnixTime)> {
    let mut failures: Vec<_> = entry.backing_off(TIME).collect();
    failures.sort();
    failures
}

/// That the client has the state that the row gives, as far as it can be seen.
fn check_given(given: &Given, client: &Client) {
    let Some(entry) = client.entry() else {
        assert!(matches!(given.held.as_str(), "nothing" | "unreadable"));
        return assert_eq!((given.memory.as_str(), given.backoff.as_str()), ("-", "-"));
    };
    let mode = entry.policy(TIME).map(|held| held.policy().mode().as_str());
    let stored = entry.stored_policy().map(|held| (held.id().to_string(), held.fetched_at()));
    let fetched = |at| Some(("h1".to_owned(), UnixTime::from_secs(at)));
    let long_ago = NOW - 2 * 86_400;
    match given.held.as_str() {
        "nothing" => assert_eq!((mode, stored), (None, None)),
        "expired" => assert_eq!((mode, stored), (None, fetched(long_ago))),
        "future" => assert_eq!((mode, stored), (Some("enforce"), fetched(NOW + 3_600))),
        word => assert_eq!((mode, stored), (Some(word), fetched(long_ago))),
    }
    let held = mode.is_some();
    let memory = match given.memory.as_str() {
        "same_id" if held => Some(("confirmed", None)),
        "absent" if held => Some(("held", Some("record-absent"))),
        "absent" => Some(("absent", None)),
        "malformed" => Some((if held { "held" } else { "absent" }, Some("record-malformed"))),
        "no_answer" => Some((if held { "held" } else { "unknown" }, Some("no-answer"))),
        _ => None,
    };
    assert_eq!(recalled(entry), memory);
    let failing: Vec<_> = failures(entry).iter().map(|(id, _)| id.to_string()).collect();
    match given.backoff.as_str() {
        "-" => assert!(failing.is_empty()),
        "budget" => assert_eq!(failing, ["x1", "x2", "x3", "x4"]),
        ids => assert_eq!(failing, ids.split('+').collect::<Vec<_>>()),
    }
}

fn check_asks(expect: &Expected, run: &Run) {
    let txt = expect.asks_txt.then_some("_mta-sts.example.com");
    assert_eq!(run.asked_txt, Vec::from_iter(txt));
    let https = "https://mta-sts.example.com/.well-known/mta-sts.txt";
    assert_eq!(run.asked_https, Vec::from_iter(expect.asks_https.then_some(https)));
}

fn check_outcome(expect: &Expected, run: &Run) {
    let outcome = &run.outcome;
    assert_eq!(outcome.status().as_str(), expect.status);
    assert_eq!(outcome.problem().map(mta_sts::Problem::code), expect.problem.as_deref());
    assert!(outcome.is_persisted());
    let policy = outcome.policy().map(|held| {
        let mut mx = held.policy().mx();
        let from = match mx.next().map(mta_sts::MxPattern::as_str) {
            Some("held.example.com") => "held",
            Some("fetched.example.com") => "fetched",
            other => panic!("unknown text {other:?}"),
        };
        (from.to_owned(), held.policy().mode().to_string())
    });
    assert_eq!(policy, expect.policy);
}

/// The durable change, what is remembered, and whose failure.
fn check_entry(expect: &Expected, before: &Entry, run: &Run) {
    // A lookup notes the day of use, and when it saw a fetch that lies ahead.
    let mut before = before.clone();
    before.touch(TIME);
    let before = &before;
    let after = run.outcome.entry();
    let urgency = run.written.as_ref().map(|(written, urgency)| {
        assert_eq!(written, after);
        *urgency
    });
    match expect.store.as_str() {
        "keep" => {
            assert_ne!(urgency, Some(Urgency::Durable));
            assert_eq!(after.generation(), before.generation());
            assert_eq!(after.stored_policy(), before.stored_policy());
        }
        word => {
            assert_eq!(urgency, Some(Urgency::Durable));
            assert!(after.generation() > before.generation());
            assert_eq!(after.stored_policy().is_some(), word == "put");
        }
    }
    let put = after.stored_policy().filter(|_| expect.store == "put");
    assert_eq!(put.map(|held| held.id().to_string()), expect.stored_id);
    assert!(put.is_none_or(|held| held.fetched_at() == TIME));

    let held = after.policy(TIME).is_some();
    let memory = match expect.remembers_txt.as_str() {
        "unchanged" => {
            assert_eq!(urgency, None, "nothing was asked, nothing is to be written");
            assert_eq!(after, before);
            recalled(before)
        }
        "none" => None,
        "same_id" => Some(("confirmed", None)),
        "absent" if held => Some(("held", Some("record-absent"))),
        "absent" => Some(("absent", None)),
        // Which of the two it was is forgotten.
        "several" | "malformed" => {
            Some((if held { "held" } else { "absent" }, Some("record-malformed")))
        }
        "no_answer" => Some((if held { "held" } else { "unknown" }, Some("no-answer"))),
        other => panic!("unknown memory {other:?}"),
    };
    assert_eq!(recalled(after), memory);

    let mut failing = failures(before);
    if let Some(id) = &expect.remembers_failure {
        failing.push((PolicyId::parse(id).unwrap(), TIME.plus_secs(300)));
        failing.sort();
    }
    assert_eq!(failures(after), failing);
}

/// The next delivery asks again exactly where nothing is remembered.
fn check_next(run: &Run) {
    let entry = run.outcome.entry();
    let lookup = Lookup::new(domain(), mta_sts::Held::Entry(entry.clone()));
    let https = HttpsAnswer::from(&model::Https::Fails);
    let next = script::run(lookup, &TxtAnswer::silence(), &https, true, TIME);
    assert_eq!(next.asked_txt.is_empty(), recalled(entry).is_some());
    if let Some((status, problem)) = recalled(entry) {
        assert_eq!(next.outcome.status().as_str(), status);
        assert_eq!(next.outcome.problem().map(mta_sts::Problem::code), problem);
    }
}

/// Puts the mail that the held policy refused before the gate, and runs its lookup.
fn run_gate(given: &Given, client: &Client, turn: &Turn) -> Option<(Run, Option<BounceToken>)> {
    let held = client.held(turn.world.readable);
    let https = HttpsAnswer::from(&model::Https::Fails);
    let lookup = Lookup::new(domain(), held);
    let outcome = script::run(lookup, &TxtAnswer::silence(), &https, true, TIME).outcome;
    let mut delivery = Delivery::new(&outcome, Requirements::default());
    let candidate = delivery.candidate(&Mx::parse("mx.elsewhere.example"));
    let enforced = matches!(given.held.as_str(), "enforce" | "future");
    assert_eq!(matches!(candidate, Candidate::Skip(_)), enforced);
    match delivery.conclude() {
        Conclusion::Retry(retry) => {
            assert!(enforced, "only an enforced policy refuses mail");
            let txt = TxtAnswer::from(&turn.world.txt);
            let https = HttpsAnswer::from(&turn.world.https);
            Some(client.clone().gate_answered(retry, turn, &txt, &https))
        }
        conclusion => {
            assert!(!enforced, "{conclusion:?}");
            None
        }
    }
}

fn check_row(row: &Decision) {
    let client = client(&row.given);
    check_given(&row.given, &client);
    let turn = turn(&row.given);
    let unknown = Entry::new(domain(), TIME);
    let before = client.entry().filter(|_| turn.world.readable).unwrap_or(&unknown);

    let mut runs = vec![client.clone().turn(&turn)];
    assert_eq!(row.expect.permits_bounce.is_some(), row.given.recheck == "always");
    if let Some(permits) = row.expect.permits_bounce {
        let gate = run_gate(&row.given, &client, &turn);
        let token = gate.as_ref().and_then(|(_, token)| token.as_ref());
        assert_eq!(token.map(|token| token.domain().clone()), permits.then(domain));
        runs.extend(gate.map(|(run, _)| run));
    }
    // The lookup of the gate is a lookup like any other.
    for run in &runs {
        check_asks(&row.expect, run);
        check_outcome(&row.expect, run);
        check_entry(&row.expect, before, run);
        check_next(run);
    }

    // A store that fails at the write: the outcome stands, and says so.
    let unwritten = client.clone().turn(&turn.unwritable());
    let [run, ..] = runs.as_slice() else { unreachable!("one at least") };
    assert_eq!(unwritten.outcome.is_persisted(), run.written.is_none());
    assert_eq!(unwritten.outcome.status(), run.outcome.status());
    assert_eq!(unwritten.outcome.policy(), run.outcome.policy());
    assert_eq!(unwritten.outcome.problem(), run.outcome.problem());
    let learnt = run.written.as_ref().map_or(run.outcome.entry(), |(written, _)| written);
    assert_eq!(unwritten.outcome.entry(), learnt);
}

#[test]
fn every_row_of_the_decision_table() {
    let rows = vectors::decisions();
    let mut bounces = 0;
    for row in &rows {
        if let Err(panic) = std::panic::catch_unwind(|| check_row(row)) {
            eprintln!("line {}: {:?}", row.line, row.given);
            std::panic::resume_unwind(panic);
        }
        bounces += usize::from(row.expect.permits_bounce == Some(true));
    }
    assert_eq!(rows.len(), 4_106);
    assert!(bounces > 0, "some rows permit a bounce");
}
