//! `decisions.jsonl`, in both directions.

use std::collections::BTreeSet;

use mta_sts_testkit::model::{
    Failure, Https, Mode, Policy, Recheck, Refused, Remembered, RemembersTxt, Sender, Source,
    Status, Store, Txt, Verdict, World,
};
use mta_sts_testkit::pair::code;
use mta_sts_testkit::vectors::{self, Expected, Given};

use super::{DAY, NOW};

const HELD: [&str; 7] =
    ["nothing", "unreadable", "enforce", "testing", "none", "expired", "future"];
const MEMORY: [&str; 5] = ["-", "same_id", "absent", "malformed", "no_answer"];
const BACKOFF: [&str; 5] = ["-", "h1", "n2", "h1+n2", "budget"];
const RECHECK: [&str; 3] = ["when_due", "always", "refresh"];
const TXT: [&str; 6] = ["h1", "n2", "absent", "several", "malformed", "no_answer"];
const HTTPS: [&str; 7] =
    ["enforce", "testing", "none", "max_age_0", "fails", "invalid", "certificate"];

/// The sender that a row describes.
fn sender(given: &Given) -> Sender {
    let (mode, fetched_at) = match given.held.as_str() {
        "enforce" => (Some(Mode::Enforce), NOW - 1_000),
        "testing" => (Some(Mode::Testing), NOW - 1_000),
        "none" => (Some(Mode::None), NOW - 1_000),
        "expired" => (Some(Mode::Enforce), NOW - DAY),
        "future" => (Some(Mode::Enforce), NOW + 3_600),
        // What a store holds that cannot be read is told by the write, see `memory`.
        "nothing" | "unreadable" => (None, 0),
        other => panic!("unknown held {other:?}"),
    };
    let memory = match given.memory.as_str() {
        "-" => None,
        "same_id" => Some(Remembered::Id("h1".to_owned())),
        "absent" => Some(Remembered::Absent),
        "malformed" => Some(Remembered::Malformed),
        "no_answer" => Some(Remembered::NoAnswer),
        other => panic!("unknown memory {other:?}"),
    };
    let ids: Vec<&str> = match given.backoff.as_str() {
        "-" | "budget" => vec![],
        ids => ids.split('+').collect(),
    };
    let failure = |id: &&str| Failure { id: (*id).to_owned(), count: 1, not_before: NOW + 100 };
    Sender {
        policy: mode.map(|mode| Policy {
            mode,
            text: "held".to_owned(),
            id: "h1".to_owned(),
            fetched_at,
            max_age: DAY,
            counted: (given.held == "future").then_some((0, NOW)),
        }),
        generation: 7,
        memory: memory.map(|memory| (memory, NOW + 30)),
        failures: ids.iter().map(failure).collect(),
        full_at: if given.backoff == "budget" { NOW + 901 } else { NOW + 900 },
        restarts: 0,
        astray_since: None,
    }
}

/// The world that a row describes. What must not be asked would be noticed: a new id, a failure.
fn world(given: &Given) -> World {
    let valid = |mode, max_age| Https::Policy { mode, text: "fetched".to_owned(), max_age };
    World {
        txt: match given.txt.as_str() {
            "absent" => Txt::Absent(300),
            "several" => Txt::Several(300),
            "malformed" => Txt::Malformed(300),
            "no_answer" => Txt::NoAnswer,
            "-" => Txt::Id("unasked".to_owned(), 300),
            id => Txt::Id(id.to_owned(), 300),
        },
        https: match given.https.as_str() {
            "enforce" => valid(Mode::Enforce, DAY),
            "testing" => valid(Mode::Testing, DAY),
            "none" => valid(Mode::None, DAY),
            "max_age_0" => valid(Mode::Enforce, 0),
            "invalid" => Https::Invalid,
            "certificate" => Https::Certificate,
            "fails" | "-" => Https::Fails,
            other => panic!("unknown https {other:?}"),
        },
        readable: given.held != "unreadable",
        writable: true,
    }
}

fn recheck(given: &Given) -> Recheck {
    match given.recheck.as_str() {
        "when_due" => Recheck::WhenDue,
        "always" => Recheck::Always,
        "refresh" => Recheck::Refresh,
        other => panic!("unknown recheck {other:?}"),
    }
}

/// One lookup as the row describes it, and the sender before and after.
fn run(given: &Given) -> (Sender, Verdict, Sender) {
    let before = sender(given);
    // The policy that refused the mail is the one held in the row.
    let refused = before.policy.as_ref().filter(|_| given.held != "unreadable").map(|policy| {
        let Policy { mode, text, id, .. } = policy.clone();
        Refused { mode, text, id, generation: before.generation }
    });
    let mut after = before.clone();
    let verdict = after.lookup(NOW, recheck(given), &world(given), refused.as_ref());
    (before, verdict, after)
}

fn mode_word(mode: Mode) -> String {
    match mode {
        Mode::Enforce => "enforce",
        Mode::Testing => "testing",
        Mode::None => "none",
    }
    .to_owned()
}

/// A verdict in the words of the table.
fn words(given: &Given, verdict: &Verdict) -> Expected {
    let status = match verdict.status {
        Status::Found => "found",
        Status::Confirmed => "confirmed",
        Status::Held => "held",
        Status::Absent => "absent",
        Status::Unknown => "unknown",
    };
    let store = match verdict.store {
        Store::Put => "put",
        Store::Clear => "clear",
        Store::Keep => "keep",
    };
    let problem = verdict.problem.map(code);
    let remembers_txt = match verdict.remembers_txt {
        RemembersTxt::Unchanged => "unchanged",
        RemembersTxt::Nothing => "none",
        RemembersTxt::SameId => "same_id",
        RemembersTxt::Absent => "absent",
        RemembersTxt::Several => "several",
        RemembersTxt::Malformed => "malformed",
        RemembersTxt::NoAnswer => "no_answer",
    };
    let policy = verdict.policy.as_ref().map(|policy| {
        let (from, text) = match policy.from {
            Source::Fetched => ("fetched", "fetched"),
            Source::Held => ("held", "held"),
        };
        assert_eq!(policy.text, text);
        (from.to_owned(), mode_word(policy.mode))
    });
    Expected {
        asks_txt: verdict.asks_txt,
        asks_https: verdict.asks_https,
        status: status.to_owned(),
        policy,
        store: store.to_owned(),
        stored_id: verdict.stored_id.clone(),
        problem: problem.map(str::to_owned),
        remembers_txt: remembers_txt.to_owned(),
        remembers_failure: verdict.remembers_failure.clone(),
        permits_bounce: (given.recheck == "always").then_some(verdict.permits_bounce),
    }
}

/// That the sender afterwards is what the row says of it.
fn check_state(given: &Given, expect: &Expected, before: &Sender, after: &Sender) {
    match expect.store.as_str() {
        "put" => {
            assert_eq!(after.policy.as_ref().map(|policy| &policy.id), expect.stored_id.as_ref());
            assert_eq!(after.policy.as_ref().map(|policy| policy.fetched_at), Some(NOW));
            assert_eq!(after.generation, before.generation + 1);
        }
        "clear" => {
            assert_eq!(after.policy, None);
            assert_eq!(after.generation, before.generation + 1);
        }
        _ => {
            assert_eq!(after.policy, before.policy);
            assert_eq!(after.generation, before.generation);
        }
    }
    let found = after.memory.as_ref().map(|(memory, _)| memory.clone());
    match expect.remembers_txt.as_str() {
        "unchanged" => assert_eq!(after.memory, before.memory),
        "none" => assert_eq!(found, None),
        "same_id" => {
            let id = after.policy.as_ref().map(|policy| policy.id.clone());
            assert_eq!(found, id.map(Remembered::Id));
        }
        "absent" => assert_eq!(found, Some(Remembered::Absent)),
        "several" | "malformed" => assert_eq!(found, Some(Remembered::Malformed)),
        "no_answer" => assert_eq!(found, Some(Remembered::NoAnswer)),
        other => panic!("unknown memory {other:?}"),
    }
    match &expect.remembers_failure {
        None => assert_eq!(after.failures, before.failures),
        Some(id) => {
            let failure = after.failures.last().expect("a failure");
            assert_eq!((&failure.id, failure.not_before), (id, NOW + 300));
        }
    }
    let fetches = u64::from(expect.asks_https);
    // Without the store the budget seems whole, and what is spent of it merges with the other.
    let known = if given.held == "unreadable" { NOW } else { before.full_at };
    assert_eq!(after.full_at, before.full_at.max(known + 300 * fetches));
}

#[test]
fn every_row_of_the_decision_table() {
    let rows = vectors::decisions();
    for row in rows {
        let (before, verdict, after) = run(&row.given);
        assert_eq!(words(&row.given, &verdict), row.expect, "line {}: {:?}", row.line, row.given);
        assert!(verdict.persisted);
        check_state(&row.given, &row.expect, &before, &after);
    }
}

/// Runs every combination there is, and names what was not asked `-`, as the table does.
#[test]
fn the_table_holds_every_course_of_the_model_and_no_other() {
    let rows = vectors::decisions();
    let key = |given: &Given| {
        let Given { held, memory, backoff, recheck, txt, https } = given.clone();
        [held, memory, backoff, recheck, txt, https]
    };
    let table: BTreeSet<_> = rows.iter().map(|row| key(&row.given)).collect();
    assert_eq!(table.len(), rows.len(), "a row twice");

    let mut courses = BTreeSet::new();
    for held in HELD {
        for memory in MEMORY {
            for backoff in BACKOFF {
                let has_more = memory != "-" || backoff != "-";
                if (held == "unreadable" && has_more) || (held == "nothing" && memory == "same_id")
                {
                    continue;
                }
                for recheck in RECHECK {
                    for txt in TXT {
                        for https in HTTPS {
                            let words = [held, memory, backoff, recheck, txt, https];
                            let [held, memory, backoff, recheck, txt, https] =
                                words.map(str::to_owned);
                            let mut given = Given { held, memory, backoff, recheck, txt, https };
                            let verdict = run(&given).1;
                            if !verdict.asks_txt {
                                "-".clone_into(&mut given.txt);
                            }
                            if !verdict.asks_https {
                                "-".clone_into(&mut given.https);
                            }
                            courses.insert(key(&given));
                        }
                    }
                }
            }
        }
    }
    assert_eq!(courses, table);
}
