//! Random fleets under attack, at length:
//!
//! ```sh
//! cargo run --release -p mta-sts-testkit --example fleet -- --traces 1000000
//! ```
//!
//! `--seed N` begins with another trace, `--jobs N` runs so many at a time.

use std::process::ExitCode;
use std::time::Instant;

use mta_sts_testkit::fleet::{Counts, Flaw, Found, search};

fn main() -> ExitCode {
    let (mut traces, mut seed, mut jobs) = (1_000_000, 0, 2);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let number = words.next().and_then(|number| number.parse::<u64>().ok());
        match (word.as_str(), number) {
            ("--traces", Some(number)) => traces = number,
            ("--seed", Some(number)) => seed = number,
            ("--jobs", Some(number @ 1..=64)) => jobs = number,
            _ => {
                eprintln!("usage: fleet [--traces N] [--seed N] [--jobs N]");
                return ExitCode::from(64);
            }
        }
    }
    let begin = Instant::now();
    let share = traces.div_ceil(jobs);
    let results: Vec<Result<Counts, Box<Found>>> = std::thread::scope(|scope| {
        let run = |job| {
            let first = share * job;
            let count = share.min(traces.saturating_sub(first));
            scope.spawn(move || search(Flaw::None, seed + first, count))
        };
        let running: Vec<_> = (0..jobs).map(run).collect();
        running.into_iter().map(|job| job.join().expect("no trace panics")).collect()
    });
    let mut counts = Counts::default();
    for result in results {
        match result {
            Ok(more) => counts.add(&more),
            Err(found) => {
                println!("trace {}:\n{found}", found.seed);
                return ExitCode::FAILURE;
            }
        }
    }
    println!("{counts:#?}\n{} s, nothing broken", begin.elapsed().as_secs());
    ExitCode::SUCCESS
}
