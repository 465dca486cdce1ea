//! Fetch rates of fleets whose DNS is forged: a new id for every question.
//!
//! Each clock of a fleet asks once a second, and every fetch fails. No lookups overlap, as the
//! driver contract asks of one process.

use mta_sts::{Entry, FetchFailure, Held, Lookup, Recheck, UnixTime};

use crate::pair::domain;
use crate::script::{HttpsAnswer, TxtAnswer, run};

const NOW: u64 = 1_800_000_000;
/// The burst, and the fetches of an hour after it: one in 300 seconds.
const BUDGET: u64 = 4 + 3_600 / 300;

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// The number of clocks.
    pub clocks: u64,
    /// The seconds from each clock to the next.
    pub apart: u64,
    /// All share one store; otherwise each has its own.
    pub is_shared: bool,
    /// Fetches in an hour, of a new id each time.
    pub in_an_hour: u64,
    /// Fetches in a day, of one id that fails.
    pub of_one_id: u64,
    /// The shortest time between two fetches of that id in one store, by true time, in seconds.
    pub closest: u64,
}

impl Rate {
    /// The most fetches in an hour: one budget for each store, and one fetch more for each 300
    /// seconds by which the clocks of a store differ.
    pub const fn most_in_an_hour(&self) -> u64 {
        if self.is_shared { BUDGET + (self.spread()).div_ceil(300) } else { BUDGET * self.clocks }
    }

    /// The difference of the first and the last clock.
    pub const fn spread(&self) -> u64 {
        (self.clocks - 1) * self.apart
    }
}

/// Measures a fleet. The clocks lie `apart` seconds from one another, from the true time back.
pub fn measure(clocks: u64, apart: u64, is_shared: bool) -> Rate {
    let (in_an_hour, _) = fetches(clocks, apart, is_shared, 3_600, 1, |n| format!("f{n}"));
    let (of_one_id, closest) =
        fetches(clocks, apart, is_shared, 86_400, 20, |_| "failing".to_owned());
    Rate { clocks, apart, is_shared, in_an_hour, of_one_id, closest }
}

fn fetches(
    clocks: u64,
    apart: u64,
    is_shared: bool,
    secs: u64,
    pace: usize,
    id: impl Fn(u64) -> String,
) -> (u64, u64) {
    let mut stores: Vec<(Option<Entry>, Option<u64>)> = vec![(None, None); 30];
    let (mut made, mut asked, mut closest) = (0, 0, u64::MAX);
    let https = HttpsAnswer::Failed(FetchFailure::Timeout);
    for second in (0..secs).step_by(pace) {
        for clock in 0..clocks {
            asked += 1;
            let number = if is_shared { 0 } else { clock };
            let (store, last) = &mut stores[usize::try_from(number).expect("a small number")];
            let held = store.clone().map_or(Held::Nothing, Held::Entry);
            let now = UnixTime::from_secs(NOW + second - clock * apart);
            let lookup = Lookup::new(domain(), held).recheck(Recheck::Always);
            let run = run(lookup, &TxtAnswer::id(&id(asked), 60), &https, false, now);
            if !run.asked_https.is_empty() {
                made += 1;
                closest = closest.min(last.map_or(u64::MAX, |last| second - last));
                *last = Some(second);
            }
            let (written, _) = run.written.expect("each lookup asks and writes");
            match store {
                None => *store = Some(written),
                Some(store) => store.merge(written).expect("one domain"),
            }
        }
    }
    (made, closest)
}

/// Counts the fetches in 20 minutes of a sender whose clock is set back so many times, by `back`
/// seconds each time.
pub fn fetches_of_a_clock_set_back(back: u64, times: u64) -> u64 {
    let mut store: Option<Entry> = None;
    let https = HttpsAnswer::Failed(FetchFailure::Timeout);
    let mut made = 0;
    for second in 0..1_200 {
        let held = store.take().map_or(Held::Nothing, Held::Entry);
        let sets = second / (1_200 / times);
        let now = UnixTime::from_secs(NOW + second - sets * back);
        let lookup = Lookup::new(domain(), held).recheck(Recheck::Always);
        let run = run(lookup, &TxtAnswer::id(&format!("f{second}"), 60), &https, true, now);
        made += u64::try_from(run.asked_https.len()).unwrap_or(u64::MAX);
        store = Some(run.outcome.into_entry());
    }
    made
}
