//! What is dropped.

use std::ops::ControlFlow;

use mta_sts::{Entry, PolicyDomain, UnixTime};
use mta_sts_adapters::{Store, StoreError, system_clock};
use mta_sts_terminal::Format;
use mta_sts_terminal::exit::{self, Exit, Failure};
use mta_sts_terminal::text::harmless;
use serde::Serialize;

use crate::args;
use crate::place::Place;

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(super) struct What {
    /// What is held for these, be it readable or not
    #[arg(value_name = "DOMAIN", value_parser = args::domain)]
    domains: Vec<PolicyDomain>,
    /// All policies that have expired, and entries that say nothing any more. They are kept for 30
    /// days otherwise: see that this machine's clock is right
    #[arg(long)]
    expired: bool,
    /// All entries that cannot be read, but for those of a later version
    #[arg(long)]
    unreadable: bool,
}

#[derive(Debug, Serialize)]
struct Purged<'a> {
    domain: &'a str,
    /// Whether there was something.
    removed: bool,
}

pub(super) fn run(
    store: &dyn Store,
    place: &Place,
    what: &What,
    format: Format,
) -> Result<Exit, Failure> {
    let failed = |error| place.failed(error);
    if what.unreadable {
        let dropped = store.remove_unreadable().map_err(failed)?;
        for name in &dropped {
            tell(name, true, format)?;
        }
        return summary(dropped.len(), format);
    }
    if what.expired {
        let mut dropped = 0;
        let now = system_clock();
        for domain in &expired(store, now).map_err(failed)? {
            // Somebody else may have filled it anew meanwhile.
            let held = store.get(domain).map_err(failed)?;
            if held.is_some_and(|entry| is_over(&entry, now))
                && store.remove(domain).map_err(failed)?
            {
                tell(domain.as_str(), true, format)?;
                dropped += 1;
            }
        }
        return summary(dropped, format);
    }
    for domain in &what.domains {
        let removed = store.remove(domain).map_err(failed)?;
        tell(domain.as_str(), removed, format)?;
    }
    Ok(Exit::Well)
}

/// The domains whose policy has expired, or of which nothing is known that still counts.
fn expired(store: &dyn Store, now: UnixTime) -> Result<Vec<PolicyDomain>, StoreError> {
    let mut domains = Vec::new();
    store.visit(&mut |stored| {
        if let Ok(entry) = &stored.entry
            && is_over(entry, now)
        {
            domains.push(entry.domain().clone());
        }
        ControlFlow::Continue(())
    })?;
    Ok(domains)
}

fn is_over(entry: &Entry, now: UnixTime) -> bool {
    entry.stored_policy().map_or_else(|| entry.is_disposable(now), |held| held.is_expired(now))
}

fn tell(domain: &str, removed: bool, format: Format) -> Result<(), Failure> {
    match format {
        Format::Json => exit::print_json(&Purged { domain, removed }),
        Format::Human => {
            let what = if removed { "removed" } else { "nothing was held" };
            exit::print(&format!("{:<32} {what}\n", harmless(domain)))
        }
    }
}

fn summary(dropped: usize, format: Format) -> Result<Exit, Failure> {
    if format == Format::Human && dropped == 0 {
        exit::print("There was nothing to remove.\n")?;
    }
    Ok(Exit::Well)
}
