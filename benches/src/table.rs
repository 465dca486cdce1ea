//! The table of three runs.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::Anything;
use crate::reading::{Goal, Reading};

const RUNS: usize = 3;
/// The sections whose allocations are counted.
const COUNTED: [&str; 2] = ["text", "held"];

/// Each section of each run is a process of its own: no run gains by what another has left in
/// memory.
pub(crate) fn print(sections: &[&str]) -> Result<(), Anything> {
    let program = std::env::current_exe()?;
    let counting = program.with_file_name("allocations");
    println!("| work | ours | compared with | ratio or value: min – median – max | goal | |");
    println!("|---|---|---|---|---|---|");
    for section in sections {
        let mut runs = Vec::new();
        for run in 1..=RUNS {
            eprintln!("{section}, run {run} of {RUNS}");
            runs.push(readings(&program, section)?);
        }
        let counts =
            if COUNTED.contains(section) { readings(&counting, section)? } else { Vec::new() };
        for number in 0..runs[0].len() {
            let readings: Vec<_> = runs.iter().map(|run| run[number].clone()).collect();
            println!("{}", line(readings, counts.get(number)));
        }
    }
    Ok(())
}

fn readings(program: &Path, section: &str) -> Result<Vec<Reading>, Anything> {
    let output = Command::new(program).arg(section).stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(format!("{section}: {}", output.status).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn line(mut readings: Vec<Reading>, counts: Option<&Reading>) -> String {
    readings.sort_by(|a, b| a.judged().total_cmp(&b.judged()));
    let spread: Vec<_> = readings.iter().map(|reading| figure(reading.judged())).collect();
    let median = &readings[RUNS / 2];
    let ours = cell(median.ours, &median.unit, counts.and_then(|counts| counts.allocations));
    let other = median.against.as_ref().map_or_else(String::new, |against| {
        let counts = counts.and_then(|counts| counts.against.as_ref()?.allocations);
        format!("{} {}", against.name, cell(against.value, &median.unit, counts))
    });
    let goal = match median.goal {
        Goal::AtMost(most) => format!("≤ {}", figure(most)),
        Goal::AtLeast(least) => format!("≥ {}", figure(least)),
    };
    let verdict = if median.goal.is_met(median.judged()) { "met" } else { "**missed**" };
    format!("| {} | {ours} | {other} | {} | {goal} | {verdict} |", median.what, spread.join(" – "))
}

fn cell(value: f64, unit: &str, allocations: Option<u64>) -> String {
    let allocations = allocations.map_or_else(String::new, |count| format!(" / {count}"));
    format!("{} {unit}{allocations}", figure(value))
}

/// Three figures.
fn figure(value: f64) -> String {
    match value {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value if value >= 1.0 => format!("{value:.2}"),
        value => format!("{value:.3}"),
    }
}
