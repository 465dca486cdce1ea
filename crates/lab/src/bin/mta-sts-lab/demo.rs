//! `mta-sts-lab demo`: the life of a policy, in a world of its own on loopback.

mod corpus;
mod story;
mod table;
mod world;

use std::io::Write;
use std::path::PathBuf;

use mta_sts_terminal::Format;
use mta_sts_terminal::exit::{self, Exit, Failure};
use mta_sts_terminal::json::{PolicyJson, ProblemJson, expires_in};
use mta_sts_terminal::text;
use serde::Serialize;

use story::Told;
use world::{Asked, World};

/// Arguments of `demo`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Serve every policy of this folder as well, and look it up: the files `policies/*.txt`, whose
    /// verdicts are in `policies.jsonl`, or else `*.txt`
    #[arg(long, value_name = "DIR")]
    corpus: Option<PathBuf>,
}

/// Tells the story; a step that came out other than it should is a fault.
pub(crate) fn run(args: &Args, format: Format) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::unknown("the runtime", error))?;
    // A folder that cannot be read is better known before the story than after it.
    let corpus = args.corpus.as_deref().map(corpus::Corpus::read).transpose()?;
    runtime.block_on(demo(corpus.as_ref(), format))
}

async fn demo(corpus: Option<&corpus::Corpus>, format: Format) -> Result<Exit, Failure> {
    let world = World::new()?;
    if format == Format::Human {
        exit::print(&table::header(&world))?;
    }
    let mut total = Asked::default();
    let (mut steps, mut wrong) = (0, Vec::new());
    for step in story::STEPS {
        let told = story::tell(step, &world).await;
        steps += 1;
        total += told.asked;
        match format {
            Format::Json => exit::print_json(&StepJson::new(steps, &told))?,
            Format::Human => exit::print(&table::row(steps, &told))?,
        }
        if let Some(fault) = &told.fault {
            wrong.push(format!("step {steps}: {fault}"));
        }
    }
    if format == Format::Human {
        exit::print(&table::summary(steps, wrong.len(), total))?;
    }
    if let Some(corpus) = corpus {
        let result = corpus.serve(&world).await;
        match format {
            Format::Json => exit::print_json(&result.json())?,
            Format::Human => exit::print(&result.human())?,
        }
        wrong.extend(result.faults());
    }
    Ok(judge(&wrong))
}

/// Tells what came out other than it should, if anything did.
fn judge(wrong: &[String]) -> Exit {
    const SHOWN: usize = 20;
    let mut stderr = anstream::stderr().lock();
    for fault in wrong.iter().take(SHOWN) {
        // Nothing is left to be done about a closed stream.
        let _ = writeln!(stderr, "error: {}", text::harmless(fault));
    }
    if let Some(more) = wrong.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        let _ = writeln!(stderr, "error: {more} more of the kind");
    }
    if wrong.is_empty() { Exit::Well } else { Exit::Fault }
}

#[derive(Debug, Serialize)]
struct StepJson<'a> {
    step: usize,
    name: &'static str,
    world: &'static str,
    asked: Asked,
    status: &'static str,
    policy: Option<PolicyJson<'a>>,
    problem: Option<ProblemJson>,
    /// In seconds from now.
    expires_in: Option<u64>,
    decision: String,
}

impl<'a> StepJson<'a> {
    fn new(number: usize, told: &'a Told) -> Self {
        let outcome = &told.outcome;
        Self {
            step: number,
            name: told.step.name,
            world: told.step.world,
            asked: told.asked,
            status: outcome.status().as_str(),
            policy: outcome.policy().map(PolicyJson::from),
            problem: outcome.problem().map(ProblemJson::from),
            expires_in: expires_in(outcome, told.now),
            decision: told.decision(),
        }
    }
}
