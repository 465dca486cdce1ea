//! The states that `decisions.jsonl` starts from, reached by lookups alone.

use super::{Turn, valid_policy};
use crate::model::{Https, Mode, Recheck, Txt};

const DAY: u64 = 86_400;

/// The lookups, each with its time, after which a store is at `now` (in seconds) as a row of the
/// decision table has it; `held`, `memory` and `backoff` in the words of the table. The policy that
/// is held allows the host `held.example.com`.
///
/// # Panics
/// At a word that the table does not have, and at a memory of `same_id` with nothing held.
pub fn given(held: &str, memory: &str, backoff: &str, now: u64) -> Vec<Turn> {
    let id = |id: &str, ttl| Txt::Id(id.to_owned(), ttl);
    let mut turns = Vec::new();
    let mut put = |mode, max_age| {
        // What is remembered of DNS is over after the shortest time there is.
        let https = valid_policy(mode, "held", max_age);
        turns.push(Turn::new(now - 2 * DAY, Recheck::Always, id("h1", 60), https));
    };
    match held {
        "nothing" | "unreadable" => {}
        "enforce" | "future" => put(Mode::Enforce, 7 * DAY),
        "testing" => put(Mode::Testing, 7 * DAY),
        "none" => put(Mode::None, 7 * DAY),
        // It ends now, so that a second before its id could still be confirmed.
        "expired" => put(Mode::Enforce, 2 * DAY),
        other => panic!("unknown held {other:?}"),
    }
    if held == "future" {
        // The clock was an hour ahead, and DNS silent: what is remembered of it lies too far ahead.
        let https = valid_policy(Mode::Enforce, "held", 7 * DAY);
        turns.push(Turn::new(now + 3_600, Recheck::Refresh, Txt::NoAnswer, https));
        // When the clock is right again the budget counts as spent, and has come back by now.
        turns.push(Turn::new(now - 1_500, Recheck::Always, Txt::NoAnswer, Https::Fails));
    }
    let mut fail = |name: &str, before| {
        turns.push(Turn::new(now - before, Recheck::Refresh, id(name, 60), Https::Fails));
    };
    match backoff {
        "-" => {}
        // Other ids than those of the table, so that nothing but the budget stands in the way.
        "budget" => ["x1", "x2", "x3", "x4"].iter().for_each(|name| fail(name, 5)),
        names => names.split('+').for_each(|name| fail(name, 100)),
    }
    let mut remember = |txt| turns.push(Turn::new(now - 1, Recheck::Always, txt, Https::Fails));
    match memory {
        "-" => {}
        "same_id" => {
            assert_ne!(held, "nothing", "no id is the same as none");
            remember(id("h1", 300));
        }
        "absent" => remember(Txt::Absent(300)),
        "malformed" => remember(Txt::Malformed(300)),
        "no_answer" => remember(Txt::NoAnswer),
        other => panic!("unknown memory {other:?}"),
    }
    turns
}
