//! Two lookups race on one entry. Every order of their moves is tried: the reading of the store,
//! the answers, and the merging write.

use std::ops::ControlFlow;

use mta_sts::lookup::{AfterTxt, Head};
use mta_sts::{
    DnsFailure, DnsFailureKind, Entry, FetchFailure, Held, Lookup, Mode, PolicyHostVerified,
    Recheck, Step, UnixTime,
};
use mta_sts_testkit::model;
use mta_sts_testkit::script::{Client, Turn, policy_text, valid_policy};

use super::{START, domain, entry_of};

/// What one of the two meets.
#[derive(Debug, Clone, Copy)]
enum Meets {
    /// This id, and a policy of this mode and `max_age`.
    Policy(&'static str, Mode, u64),
    /// An id whose policy cannot be had.
    FailingFetch,
    /// The id that is held.
    SameId,
    NoRecord,
    TwoRecords,
    BadRecord,
    Silence,
}

const NEGATIVES: [Meets; 6] = [
    Meets::FailingFetch,
    Meets::SameId,
    Meets::NoRecord,
    Meets::TwoRecords,
    Meets::BadRecord,
    Meets::Silence,
];

#[derive(Debug)]
struct Racer {
    meets: Meets,
    recheck: Recheck,
    step: Option<Step>,
    is_done: bool,
    /// When its fetch was handed out: its response is no older.
    fetched_at: Option<u64>,
}

impl Racer {
    fn new(meets: Meets, recheck: Recheck) -> Self {
        Self { meets, recheck, step: None, is_done: false, fetched_at: None }
    }

    /// One move: the next thing that happens to this lookup.
    fn advance(&mut self, store: &mut Entry, secs: u64) {
        let now = UnixTime::from_secs(secs);
        let next = match self.step.take() {
            None if self.is_done => return,
            None => {
                let held = Held::Entry(store.clone());
                Lookup::new(domain(), held).recheck(self.recheck).start(now).into()
            }
            Some(Step::QueryTxt(query)) => {
                let after = match self.meets {
                    Meets::Policy(id, ..) => {
                        query.answered([[format!("v=STSv1; id={id}")]], 60, now)
                    }
                    Meets::FailingFetch => query.answered([["v=STSv1; id=failing"]], 60, now),
                    Meets::SameId => query.answered([["v=STSv1; id=held"]], 60, now),
                    Meets::NoRecord => query.absent(60, now),
                    Meets::TwoRecords => {
                        query.answered([["v=STSv1; id=a"], ["v=STSv1; id=b"]], 60, now)
                    }
                    Meets::BadRecord => query.answered([["v=STSv1; id=;"]], 60, now),
                    Meets::Silence => query.failed(DnsFailure::new(DnsFailureKind::Timeout), now),
                };
                if let (AfterTxt::FetchPolicy(_), Meets::Policy(..)) = (&after, self.meets) {
                    self.fetched_at = Some(secs);
                }
                after.into()
            }
            Some(Step::FetchPolicy(fetch)) => match self.meets {
                Meets::Policy(..) => {
                    let verified = PolicyHostVerified::assertion(fetch.host());
                    let content_type = Some(&b"text/plain"[..]);
                    let head = Head { status: 200, content_type, content_encoding: None };
                    fetch.responded(verified, head, now).into()
                }
                _ => fetch.failed(FetchFailure::Connection, now).into(),
            },
            Some(Step::ReadBody(mut body)) => {
                let Meets::Policy(_, mode, max_age) = self.meets else { panic!("no body is sent") };
                let text = policy_text(mode.as_str(), max_age);
                assert_eq!(body.chunk(text.as_bytes()), ControlFlow::Continue(()));
                body.ended(now).into()
            }
            Some(Step::Store(write)) => {
                store.merge(write.entry().clone()).unwrap();
                write.stored(store.clone()).into()
            }
            Some(Step::Done(_)) => return self.is_done = true,
        };
        self.step = Some(next);
    }
}

/// Moves that it takes from the start to the end of a lookup.
const MOVES: u32 = 6;

/// All orders of the moves of two lookups: a bit set is a move of the second.
fn orders() -> impl Iterator<Item = u32> {
    (0_u32..1 << (2 * MOVES)).filter(|order| order.count_ones() == MOVES)
}

/// An entry with an enforced policy, of a day ago.
fn held() -> Entry {
    let mut client = Client::new(domain());
    let https = valid_policy(model::Mode::Enforce, "held", 604_800);
    let txt = model::Txt::Id("held".to_owned(), 60);
    client.turn(&Turn::new(START - 86_400, model::Recheck::Always, txt, https));
    entry_of(&client)
}

/// Runs both in one order, the clock going `pace` seconds a move; the store and both, at the end.
fn race(order: u32, pace: i64, meets: [Meets; 2], recheck: Recheck) -> (Entry, [Racer; 2]) {
    let mut store = held();
    let mut racers = meets.map(|meets| Racer::new(meets, recheck));
    let mut now = START;
    for turn in 0..2 * MOVES {
        now = now.saturating_add_signed(pace);
        let second = order >> turn & 1 == 1;
        racers[usize::from(second)].advance(&mut store, now);
    }
    assert!(racers.iter().all(|racer| racer.is_done));
    (store, racers)
}

fn id_of(store: &Entry) -> Option<String> {
    store.stored_policy().map(|held| held.id().to_string())
}

const RECHECKS: [Recheck; 3] = [Recheck::WhenDue, Recheck::Always, Recheck::Refresh];

#[test]
fn the_policy_of_the_later_fetch_stays() {
    assert_eq!(orders().count(), 924);
    for order in orders() {
        for recheck in RECHECKS {
            let meets = [("a", Mode::None, 60), ("b", Mode::Enforce, 60)];
            let meets = meets.map(|(id, mode, max_age)| Meets::Policy(id, mode, max_age));
            let (store, [a, b]) = race(order, 1, meets, recheck);
            let expected = match (a.fetched_at, b.fetched_at) {
                // The second found what the first had remembered, and did not ask.
                (Some(_), None) => "a",
                (None, Some(_)) => "b",
                (Some(a), Some(b)) if a > b => "a",
                _ => "b",
            };
            assert_eq!(id_of(&store).as_deref(), Some(expected), "{order:b} {recheck:?}");
        }
    }
}

/// In one second nobody can tell which was later: one of the two, and the stronger one unless the
/// other knew of it.
#[test]
fn of_two_fetches_in_one_second_the_stronger_stays_unless_the_other_knew_of_it() {
    let meets = [Meets::Policy("a", Mode::Testing, 60), Meets::Policy("b", Mode::Enforce, 60)];
    let mut stayed = [0, 0];
    for order in orders() {
        let (store, _) = race(order, 0, meets, Recheck::Always);
        let id = id_of(&store);
        let is_stronger = id.as_deref() == Some("b");
        assert!(is_stronger || id.as_deref() == Some("a"));
        stayed[usize::from(is_stronger)] += 1;
        // The first reads the store after the sixth move of the second, which is its write.
        let knew = order.trailing_ones() >= MOVES - 1;
        assert_eq!(!is_stronger, knew, "{order:b}");
    }
    assert!(stayed.iter().all(|count| *count > 0), "{stayed:?}");
}

#[test]
fn a_policy_is_never_lost_to_a_negative_outcome() {
    for pace in [1, 0, -1] {
        for order in orders() {
            for negative in NEGATIVES {
                for recheck in RECHECKS {
                    let new = Meets::Policy("new", Mode::Enforce, 60);
                    // The orders have their mirror images, so who is first is no matter.
                    let (store, racers) = race(order, pace, [negative, new], recheck);
                    let fetched = racers.iter().any(|racer| racer.fetched_at.is_some());
                    let expected = if fetched { "new" } else { "held" };
                    assert_eq!(id_of(&store).as_deref(), Some(expected), "{order:b} {negative:?}");
                    assert!(fetched || recheck == Recheck::WhenDue);
                }
            }
        }
    }
}

#[test]
fn two_negative_outcomes_leave_the_policy_and_its_generation() {
    let before = held();
    for order in orders().step_by(7) {
        for first in NEGATIVES {
            for second in NEGATIVES {
                let (store, _) = race(order, 1, [first, second], Recheck::Always);
                assert_eq!(store.stored_policy(), before.stored_policy());
                assert_eq!(store.generation(), before.generation());
            }
        }
    }
}

/// `max_age` 0 clears what is held, and counts as a fetch like any other.
#[test]
fn a_removal_and_a_policy_race_by_the_time_of_their_fetch() {
    let meets = [Meets::Policy("a", Mode::Enforce, 0), Meets::Policy("b", Mode::Enforce, 60)];
    for order in orders() {
        let (store, [removal, policy]) = race(order, 1, meets, Recheck::Always);
        let stays = policy.fetched_at > removal.fetched_at;
        assert_eq!(id_of(&store).is_some(), stays, "{order:b}");
    }
}
