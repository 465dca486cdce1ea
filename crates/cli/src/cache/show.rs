//! All that is held for a domain.

use mta_sts::{Entry, EntryError, HeldPolicy, PolicyDomain, UnixTime};
use mta_sts_adapters::{Store, StoreError, system_clock};
use mta_sts_terminal::Format;
use mta_sts_terminal::exit::{self, Exit, Failure};
use mta_sts_terminal::style::{BAD, DOUBTFUL, GOOD, STRONG, styled};
use mta_sts_terminal::text;
use mta_sts_terminal::words;

use super::entry::{self, Detail};
use crate::check::human::{Sheet, with_unicode};
use crate::check::verdict::worse;
use crate::place::Place;

pub(super) fn run(
    store: &dyn Store,
    place: &Place,
    domains: &[PolicyDomain],
    format: Format,
) -> Result<Exit, Failure> {
    let now = system_clock();
    let mut worst = Exit::Well;
    for (count, domain) in domains.iter().enumerate() {
        let held = match store.get(domain) {
            Ok(held) => held.map(Ok),
            Err(StoreError::Entry(error)) => Some(Err(error)),
            Err(error) => return Err(place.failed(error)),
        };
        if !matches!(held, Some(Ok(_))) {
            worst = worse(worst, Exit::Fault);
        }
        match (format, &held) {
            (Format::Json, None) => {
                let not_held = NotHeld { domain: domain.as_str(), state: "not-held" };
                exit::print_json(&not_held)?;
            }
            (Format::Json, Some(held)) => {
                let last_used = held.as_ref().map_or(UnixTime::EPOCH, Entry::last_used);
                let json = entry::json(domain.as_str(), last_used, held, now, Detail::Full);
                exit::print_json(&json)?;
            }
            (Format::Human, held) => {
                let gap = if count == 0 { "" } else { "\n" };
                exit::print(&format!("{gap}{}", human(domain, held.as_ref(), now)))?;
            }
        }
    }
    Ok(worst)
}

#[derive(Debug, serde::Serialize)]
struct NotHeld<'a> {
    domain: &'a str,
    state: &'static str,
}

fn human(domain: &PolicyDomain, held: Option<&Result<Entry, EntryError>>, now: UnixTime) -> String {
    let mut sheet = Sheet::new(&with_unicode(domain.as_str(), &domain.to_unicode()));
    match held {
        None => sheet.line("state", "nothing is held"),
        Some(Err(error)) => {
            sheet.line("state", styled(BAD, format_args!("unreadable: {error}")));
            sheet.line("state", remedy(error));
        }
        Some(Ok(entry)) => lines(&mut sheet, entry, now),
    }
    sheet.into_text()
}

/// What to do about an entry that is none.
fn remedy(error: &EntryError) -> &'static str {
    match error {
        EntryError::Version { .. } => "a later version of this software wrote it: use that one",
        _ => "a policy that is fetched takes its place; `purge` drops it",
    }
}

fn lines(sheet: &mut Sheet, entry: &Entry, now: UnixTime) {
    match entry.stored_policy() {
        None => sheet.line("state", "no policy"),
        Some(held) => policy(sheet, held, now),
    }
    for (id, until) in entry.backing_off(now) {
        let until = text::date(until);
        sheet.line("failed", format_args!("id {id} is not fetched again before {until}"));
    }
    sheet.line("used", format_args!("last on {}", day(entry.last_used())));
    sheet.line("used", format_args!("first seen {}", text::date(entry.inserted_at())));
}

fn policy(sheet: &mut Sheet, held: &HeldPolicy, now: UnixTime) {
    let policy = held.policy();
    if held.is_expired(now) {
        let date = text::date(held.expires_at(now));
        sheet.line("state", styled(DOUBTFUL, format_args!("expired on {date}: not applied")));
        sheet.line("policy", styled(STRONG, policy.mode()));
    } else {
        sheet.line("state", styled(GOOD, "in force"));
        let mode = styled(STRONG, policy.mode());
        sheet.line("policy", format_args!("{mode}, {}", words::until(held, now)));
    }
    let max_age = policy.max_age().as_secs();
    sheet.line(
        "policy",
        format_args!(
            "id {}, max_age {max_age} ({}), fetched {}",
            held.id(),
            text::span(u64::from(max_age)),
            text::date(held.fetched_at())
        ),
    );
    sheet.patterns(policy);
}

/// The date alone.
fn day(time: UnixTime) -> String {
    let date = text::date(time);
    date.split_once(' ').map_or(date.clone(), |(day, _)| day.to_owned())
}
