//! `mta-sts-lab conformance`: the cases of the conformance suite against this implementation, or
//! against any program that answers them.

mod agree;
mod case;
mod exec;
mod list;
mod own;
mod results;

use std::path::PathBuf;
use std::time::Duration;

use mta_sts_terminal::Format;
use mta_sts_terminal::exit::{self, Exit, Failure};
use serde_json::Value;

use case::Case;
use results::{Finding, Results};

/// Arguments of `conformance`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Ask this program, started afresh for each case, instead of this implementation: it reads
    /// the case as JSON from its standard input and prints its verdict as JSON. Program and
    /// arguments are split at spaces
    #[arg(long, value_name = "CMD")]
    exec: Option<String>,
    /// Only the cases of this area, or the one with this id; may be repeated
    #[arg(long, value_name = "AREA|CASE")]
    only: Vec<String>,
    /// Take the cases from the JSON files of this folder instead of those built in
    #[arg(long, value_name = "DIR")]
    cases: Option<PathBuf>,
    /// List the cases by the clause that each holds to, and ask nobody
    #[arg(long, conflicts_with_all = ["exec", "time_limit"])]
    list: bool,
    /// How many seconds the program has for one case
    #[arg(long, value_name = "SECS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    time_limit: u64,
}

/// Asks for the verdict on each case; one that is not as expected is a fault.
pub(crate) fn run(args: &Args, format: Format) -> Result<Exit, Failure> {
    let all = match &args.cases {
        Some(folder) => case::read(folder)?,
        None => case::built_in()?,
    };
    let cases = chosen(all, &args.only)?;
    if args.list {
        exit::print(&match format {
            Format::Human => list::human(&cases),
            Format::Json => list::json(&cases)?,
        })?;
        return Ok(Exit::Well);
    }
    let results = match &args.exec {
        Some(command) => ask_program(&cases, command, Duration::from_secs(args.time_limit))?,
        None => ask_own(&cases),
    };
    exit::print(&match format {
        Format::Human => results.human(),
        Format::Json => results.json()?,
    })?;
    Ok(results.exit())
}

/// What came of asking for a verdict.
#[derive(Debug)]
enum Answer {
    /// A verdict, or the refusal to give one.
    Verdict(Value),
    /// There is none, and why.
    Trouble(String),
}

fn chosen(cases: Vec<Case>, only: &[String]) -> Result<Vec<Case>, Failure> {
    for wanted in only {
        if !cases.iter().any(|case| case.is(wanted)) {
            return Err(Failure::usage(format!("no area and no case is called {wanted:?}")));
        }
    }
    let is_chosen = |case: &Case| only.is_empty() || only.iter().any(|wanted| case.is(wanted));
    Ok(cases.into_iter().filter(is_chosen).collect())
}

fn ask_own(cases: &[Case]) -> Results<'_> {
    let own = own::Own::default();
    cases.iter().map(|case| Finding::of(case, own.answer(case))).collect()
}

fn ask_program<'a>(
    cases: &'a [Case],
    command: &str,
    limit: Duration,
) -> Result<Results<'a>, Failure> {
    let program = exec::Program::parse(command, limit)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::unknown("the runtime", error))?;
    runtime.block_on(async {
        let mut findings = Vec::with_capacity(cases.len());
        for case in cases {
            findings.push(Finding::of(case, program.answer(case).await?));
        }
        Ok(findings.into_iter().collect())
    })
}
