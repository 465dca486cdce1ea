//! `mta-sts check`: asks DNS and the web now, and explains the decision.

mod ask;
pub(crate) mod human;
mod json;
mod mx;
mod remarks;
pub(crate) mod verdict;
mod witness;

use futures_util::{StreamExt, stream};
use mta_sts::{Outcome, PolicyDomain, UnixTime};
use mta_sts_adapters::TxtAnswer;
use mta_sts_terminal::Format;
use mta_sts_terminal::exit::{self, Exit, Failure};

use crate::access::Access;
use crate::args;
use crate::place::Place;
use ask::Asker;
use mx::Hosts;

/// Arguments of `check`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The Policy Domain: the part of a mail address after the `@`; U-labels are taken
    #[arg(required = true, value_name = "DOMAIN", value_parser = args::domain)]
    domains: Vec<PolicyDomain>,
    #[command(flatten)]
    access: Access,
    /// Keep what is learnt in this file, or in Redis, for the next run and for other programs
    #[arg(long, value_name = "PATH|URL")]
    store: Option<Place>,
}

/// How many domains are looked up at the same time.
const AT_ONCE: usize = 8;

/// Looks all of them up, prints each in its turn, and tells how bad it is.
pub(crate) fn run(args: &Args, format: Format) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::unknown("the runtime", error))?;
    runtime.block_on(check(args, format))
}

async fn check(args: &Args, format: Format) -> Result<Exit, Failure> {
    let asker = Asker::new(args)?;
    let mut findings =
        stream::iter(&args.domains).map(|domain| asker.ask(domain)).buffered(AT_ONCE);
    let mut worst = Exit::Well;
    let mut is_first = true;
    while let Some(finding) = findings.next().await {
        match format {
            Format::Json => exit::print_json(&finding.json())?,
            Format::Human => {
                let gap = if is_first { "" } else { "\n" };
                exit::print(&format!("{gap}{}", human::report(&finding)))?;
            }
        }
        is_first = false;
        worst = verdict::worse(worst, finding.exit());
    }
    asker.finish(worst).await
}

/// All that was found out about a domain.
#[derive(Debug)]
struct Finding {
    outcome: Outcome,
    /// What DNS said of the record; `None` where it did not say anything.
    records: Option<TxtAnswer>,
    hosts: Hosts,
    /// When.
    now: UnixTime,
}
