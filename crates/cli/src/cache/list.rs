//! All that is held.

use std::ops::ControlFlow;

use mta_sts::UnixTime;
use mta_sts_adapters::{Store, Stored, system_clock};
use mta_sts_terminal::Format;
use mta_sts_terminal::exit::{self, Exit, Failure};

use super::entry::{self, Detail, State};
use crate::place::Place;

/// So much text is gathered before it is printed, in octets.
const GATHER: usize = 64 * 1024;

pub(super) fn run(store: &dyn Store, place: &Place, format: Format) -> Result<Exit, Failure> {
    let now = system_clock();
    let mut counts = Counts::default();
    each(store, place, |stored| {
        counts.add(stored, now);
        match format {
            Format::Human => Ok(entry::line(&stored.domain, &stored.entry, now)),
            Format::Json => json(stored, now, Detail::Brief),
        }
    })?;
    if format == Format::Human {
        exit::print(&counts.sentence(place))?;
    }
    Ok(counts.exit())
}

/// In lines of JSON, with the text of the policies.
pub(super) fn export(store: &dyn Store, place: &Place) -> Result<Exit, Failure> {
    let now = system_clock();
    let mut counts = Counts::default();
    each(store, place, |stored| {
        counts.add(stored, now);
        json(stored, now, Detail::Full)
    })?;
    Ok(counts.exit())
}

fn json(stored: &Stored, now: UnixTime, detail: Detail) -> Result<String, Failure> {
    let Stored { domain, last_used, entry } = stored;
    let json = entry::json(domain, *last_used, entry, now, detail);
    let json = serde_json::to_string(&json).map_err(|e| Failure::unknown("the result", e))?;
    Ok(json + "\n")
}

/// Prints each entry, some at a time.
fn each(
    store: &dyn Store,
    place: &Place,
    mut text: impl FnMut(&Stored) -> Result<String, Failure>,
) -> Result<(), Failure> {
    let mut gathered = String::new();
    let mut failed = None;
    let visited = store.visit(&mut |stored| {
        let printed = text(&stored).and_then(|text| {
            gathered.push_str(&text);
            if gathered.len() < GATHER {
                return Ok(());
            }
            exit::print(&std::mem::take(&mut gathered))
        });
        match printed {
            Ok(()) => ControlFlow::Continue(()),
            Err(failure) => {
                failed = Some(failure);
                ControlFlow::Break(())
            }
        }
    });
    if let Some(failure) = failed {
        return Err(failure);
    }
    exit::print(&gathered)?;
    visited.map_err(|error| place.failed(error))
}

#[derive(Debug, Default)]
struct Counts {
    in_force: usize,
    expired: usize,
    no_policy: usize,
    unreadable: usize,
}

impl Counts {
    fn add(&mut self, stored: &Stored, now: UnixTime) {
        let count = match State::of(&stored.entry, now) {
            State::InForce => &mut self.in_force,
            State::Expired => &mut self.expired,
            State::NoPolicy => &mut self.no_policy,
            State::Unreadable => &mut self.unreadable,
        };
        *count += 1;
    }

    fn exit(&self) -> Exit {
        if self.unreadable > 0 { Exit::Fault } else { Exit::Well }
    }

    fn sentence(&self, place: &Place) -> String {
        let Self { in_force, expired, no_policy, unreadable } = self;
        let all = in_force + expired + no_policy + unreadable;
        if all == 0 {
            return format!("Nothing is held in {place}.\n");
        }
        format!(
            "\n{all} held in {place}: {in_force} with a policy in force, {expired} with one that \
             has expired, {no_policy} without one, {unreadable} unreadable.\n"
        )
    }
}
