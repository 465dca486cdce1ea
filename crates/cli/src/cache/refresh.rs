//! Policies fetched again.

use std::ops::ControlFlow;
use std::sync::Arc;

use futures_util::{StreamExt, stream};
use mta_sts::{Outcome, PolicyDomain, UnixTime};
use mta_sts_adapters::{Store, StoreError, system_clock};
use mta_sts_terminal::Format;
use mta_sts_terminal::exit::{self, Exit, Failure};
use mta_sts_terminal::json::{PolicyJson, ProblemJson, expires_in};
use mta_sts_terminal::style::{BAD, FAINT, style_of, styled};
use mta_sts_terminal::text::{harmless, span};
use serde::Serialize;

use crate::access::Access;
use crate::args;
use crate::check::verdict::{of_lookup, worse};
use crate::place::Place;

/// How many domains are looked up at the same time.
const AT_ONCE: usize = 8;

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(super) struct What {
    /// The policies of these
    #[arg(value_name = "DOMAIN", value_parser = args::domain)]
    domains: Vec<PolicyDomain>,
    /// All policies in force
    #[arg(long)]
    all: bool,
}

pub(super) fn run(
    store: Arc<dyn Store>,
    place: &Place,
    what: &What,
    access: &Access,
    format: Format,
) -> Result<Exit, Failure> {
    let domains = if what.all {
        in_force(&*store, system_clock()).map_err(|error| place.failed(error))?
    } else {
        what.domains.clone()
    };
    if domains.is_empty() && format == Format::Human {
        exit::print("No policy is in force.\n")?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::unknown("the runtime", error))?;
    runtime.block_on(refresh(store, &domains, access, format))
}

fn in_force(store: &dyn Store, now: UnixTime) -> Result<Vec<PolicyDomain>, StoreError> {
    let mut domains = Vec::new();
    store.visit(&mut |stored| {
        if let Ok(entry) = &stored.entry
            && entry.policy(now).is_some()
        {
            domains.push(entry.domain().clone());
        }
        ControlFlow::Continue(())
    })?;
    Ok(domains)
}

async fn refresh(
    store: Arc<dyn Store>,
    domains: &[PolicyDomain],
    access: &Access,
    format: Format,
) -> Result<Exit, Failure> {
    let client = access.build(access.builder(access.dns()?)?.store(store))?;
    let mut outcomes = stream::iter(domains).map(|d| client.refresh(d)).buffered(AT_ONCE);
    let mut worst = Exit::Well;
    while let Some(outcome) = outcomes.next().await {
        match format {
            Format::Json => exit::print_json(&json(&outcome, client.now()))?,
            Format::Human => exit::print(&human(&outcome, client.now()))?,
        }
        let store = if outcome.is_persisted() { Exit::Well } else { Exit::Unknown };
        worst = worse(worst, worse(of_lookup(&outcome), store));
    }
    drop(outcomes);
    if let Err(error) = client.flush().await {
        let failed = Failure::unknown("what was learnt is not kept", error).report();
        worst = worse(worst, failed);
    }
    Ok(worst)
}

/// The names of the fields, and their order, are a promise to scripts.
#[derive(Debug, Serialize)]
struct RefreshJson<'a> {
    domain: &'a str,
    status: &'static str,
    policy: Option<PolicyJson<'a>>,
    problem: Option<ProblemJson>,
    /// In seconds from now.
    expires_in: Option<u64>,
    /// Whether the store took it.
    persisted: bool,
}

fn json(outcome: &Outcome, now: UnixTime) -> RefreshJson<'_> {
    RefreshJson {
        domain: outcome.domain().as_str(),
        status: outcome.status().as_str(),
        policy: outcome.policy().map(PolicyJson::from),
        problem: outcome.problem().map(ProblemJson::from),
        expires_in: expires_in(outcome, now),
        persisted: outcome.is_persisted(),
    }
}

fn human(outcome: &Outcome, now: UnixTime) -> String {
    let status =
        styled(style_of(outcome.status()), format_args!("{:<9}", outcome.status().as_str()));
    let policy = match outcome.policy() {
        None => styled(FAINT, "no policy"),
        Some(held) => {
            let left = span(held.expires_in(now).as_secs());
            format!("{}, for {left} more", held.policy().mode())
        }
    };
    let problem = match outcome.problem() {
        None => String::new(),
        Some(problem) => format!("; {}", styled(BAD, harmless(&problem.to_string()))),
    };
    let store = if outcome.is_persisted() { "" } else { "; the store did not take it" };
    format!("{:<32} {status} {policy}{problem}{store}\n", outcome.domain().as_str())
}
