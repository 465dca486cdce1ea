//! Courses of lookups, with time passing between them.

use std::collections::HashSet;

use mta_sts_testkit::model::{Https, Mode, Recheck, Status, Txt, Verdict};
use mta_sts_testkit::pair::Pair;
use mta_sts_testkit::script::{Turn, valid_policy};
use proptest::prelude::*;

use super::DAY;
use super::any::any_lookup;

const START: u64 = 1_800_000_000;

fn id(id: &str, ttl: u64) -> Txt {
    Txt::Id(id.to_owned(), ttl)
}

/// What a short course is made of. The texts of one mode are the same, so that what permits a
/// bounce differs by the id and the generation alone.
struct Alphabet {
    steps: Vec<i64>,
    recheck: Vec<Recheck>,
    ids: Vec<Txt>,
    no_ids: Vec<Txt>,
    https: Vec<Https>,
}

/// Every course of `depth` lookups, each from every distinct state that those before it lead to. The
/// first id to be announced is the first of the alphabet: what it is called matters to nobody.
fn every_course(alphabet: &Alphabet, depth: usize) -> usize {
    let mut states = vec![(START, Pair::new())];
    let mut count = 0;
    for level in 0..depth {
        let mut seen = HashSet::new();
        let mut next = Vec::new();
        for (last, pair) in &states {
            for step in if level == 0 { &[0][..] } else { &alphabet.steps } {
                let now = last.saturating_add_signed(*step);
                let ids = if level == 0 { 1 } else { alphabet.ids.len() };
                let txt = alphabet.ids.iter().take(ids).chain(&alphabet.no_ids);
                count += every_lookup(alphabet, &txt, now, pair, &mut |after| {
                    if level + 1 < depth && seen.insert((now, after.state())) {
                        next.push((now, after));
                    }
                });
            }
        }
        states = next;
    }
    count
}

fn every_lookup<'a>(
    alphabet: &Alphabet,
    all_txt: &(impl Iterator<Item = &'a Txt> + Clone),
    now: u64,
    pair: &Pair,
    then: &mut dyn FnMut(Pair),
) -> usize {
    let mut count = 0;
    for recheck in &alphabet.recheck {
        for txt in all_txt.clone() {
            let mut asks_txt = true;
            for https in &alphabet.https {
                let mut after = pair.clone();
                let turn = Turn::new(now, *recheck, txt.clone(), https.clone());
                let verdict = after.turn(&turn);
                count += 1;
                then(after);
                asks_txt = verdict.asks_txt;
                if !verdict.asks_https {
                    break;
                }
            }
            if !asks_txt {
                break;
            }
        }
    }
    count
}

#[test]
fn every_course_of_three_lookups() {
    let alphabet = Alphabet {
        steps: vec![0, 61, 301, 3_601, 86_401, -1, -4_000],
        recheck: vec![Recheck::WhenDue, Recheck::Always, Recheck::Refresh],
        ids: vec![id("1", 300), id("2", 300)],
        no_ids: vec![Txt::Absent(300), Txt::Several(300), Txt::NoAnswer],
        https: vec![
            valid_policy(Mode::Enforce, "mx", DAY),
            valid_policy(Mode::Testing, "mx", 7 * DAY),
            valid_policy(Mode::None, "mx", 7 * DAY),
            valid_policy(Mode::Enforce, "mx", 0),
            Https::Fails,
        ],
    };
    let count = every_course(&alphabet, 3);
    assert!(count > 100_000, "{count}");
}

/// Fetches of few ids in little time: waits that double, the budget, a success in between.
#[test]
fn every_course_of_five_fetches() {
    let alphabet = Alphabet {
        steps: vec![1, 300, 601],
        recheck: vec![Recheck::Refresh],
        ids: vec![id("1", 60), id("2", 60)],
        no_ids: vec![],
        https: vec![valid_policy(Mode::Testing, "mx", 7 * DAY), Https::Fails],
    };
    let count = every_course(&alphabet, 5);
    assert!(count > 20_000, "{count}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 400, ..Default::default() })]

    #[test]
    fn any_course_of_lookups(lookups in prop::collection::vec(any_lookup(), 1..40)) {
        let mut pair = Pair::new();
        let mut now = START;
        for (step, mut turn) in lookups {
            now = now.saturating_add_signed(step);
            turn.now = now;
            pair.turn(&turn);
            if !pair.is_comparable() {
                break;
            }
        }
    }
}

/// The wait after the next failure of an id, in seconds.
fn wait_of(pair: &Pair, id: &str) -> Option<u64> {
    pair.sender().failures.iter().find(|f| f.id == id).map(|f| f.not_before)
}

#[test]
fn a_success_ends_a_row_of_failures_in_a_store_that_merges() {
    for max_age in [0, DAY] {
        let mut pair = Pair::new();
        let mut look = |now, https| -> Verdict {
            pair.turn(&Turn::new(START + now, Recheck::Refresh, id("1", 60), https))
        };
        look(0, Https::Fails);
        look(300, Https::Fails);
        let found = look(900, valid_policy(Mode::Enforce, "mx", max_age));
        assert_eq!(found.status, Status::Found);
        look(1_000, Https::Fails);
        assert_eq!(wait_of(&pair, "1"), Some(START + 1_300));
    }
}
