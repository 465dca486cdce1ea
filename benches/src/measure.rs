//! How long something takes, beside something else.
//!
//! Both are timed in turns, in batches of some twenty microseconds, and of each the least disturbed
//! batch counts: the machine has other things to do, and does them to both.

use std::hint::black_box;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::reading::{Goal, Reading};

/// Counts the allocations of a call.
pub type Counter = fn(&mut dyn FnMut()) -> u64;

/// In the program that counts and times nothing.
pub static COUNTER: OnceLock<Counter> = OnceLock::new();

const BATCH: Duration = Duration::from_micros(20);
const ROUNDS: usize = 2_000;
/// In all for one pair.
const PATIENCE: Duration = Duration::from_millis(1_500);

/// Nanoseconds of each.
pub(crate) fn pair<A, B>(mut ours: impl FnMut() -> A, mut other: impl FnMut() -> B) -> (f64, f64) {
    if COUNTER.get().is_some() {
        return (0.0, 0.0);
    }
    let (many, other_many) = (batch(&mut ours), batch(&mut other));
    let (mut best, mut other_best) = (f64::MAX, f64::MAX);
    let start = Instant::now();
    for round in 0..ROUNDS {
        best = best.min(time(&mut ours, many));
        other_best = other_best.min(time(&mut other, other_many));
        if round > 20 && start.elapsed() > PATIENCE {
            break;
        }
    }
    (best, other_best)
}

/// Nanoseconds of one.
pub(crate) fn alone<A>(ours: impl FnMut() -> A) -> f64 {
    pair(ours, || ()).0
}

/// A reading of both: of their times, or of their allocations.
pub(crate) fn compare<A, B>(
    what: impl Into<String>,
    goal: f64,
    mut ours: impl FnMut() -> A,
    peer: &str,
    mut other: impl FnMut() -> B,
) -> Reading {
    let goal = Goal::AtMost(goal);
    let Some(count) = COUNTER.get() else {
        let (time, other_time) = pair(ours, other);
        return Reading::new(what, time, "ns", goal).against(peer, other_time, None);
    };
    let count_ours = count(&mut || {
        black_box(ours());
    });
    let count_other = count(&mut || {
        black_box(other());
    });
    let reading = Reading::new(what, 0.0, "", goal).allocations(count_ours);
    reading.against(peer, 0.0, Some(count_other))
}

/// How many make a batch.
fn batch<A>(run: &mut impl FnMut() -> A) -> u32 {
    let mut many = 1;
    while many < 1 << 20 && time(run, many) * f64::from(many) < BATCH.as_nanos() as f64 {
        many *= 2;
    }
    many
}

fn time<A>(run: &mut impl FnMut() -> A, many: u32) -> f64 {
    let start = Instant::now();
    for _ in 0..many {
        black_box(run());
    }
    start.elapsed().as_nanos() as f64 / f64::from(many)
}
