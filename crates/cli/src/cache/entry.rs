//! An entry of a store, in words and as JSON.

use mta_sts::{Entry, EntryError, UnixTime};
use mta_sts_terminal::json::PolicyJson;
use mta_sts_terminal::style::{BAD, DOUBTFUL, FAINT, GOOD, styled};
use mta_sts_terminal::text::{harmless, span};
use serde::Serialize;

/// How an entry stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    InForce,
    Expired,
    NoPolicy,
    Unreadable,
}

impl State {
    pub(super) fn of(entry: &Result<Entry, EntryError>, now: UnixTime) -> Self {
        match entry {
            Err(_) => Self::Unreadable,
            Ok(entry) if entry.policy(now).is_some() => Self::InForce,
            Ok(entry) if entry.stored_policy().is_some() => Self::Expired,
            Ok(_) => Self::NoPolicy,
        }
    }

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::InForce => "in-force",
            Self::Expired => "expired",
            Self::NoPolicy => "no-policy",
            Self::Unreadable => "unreadable",
        }
    }
}

/// The names of the fields, and their order, are a promise to scripts. Times are seconds of the
/// Unix epoch.
#[derive(Debug, Serialize)]
pub(super) struct EntryJson<'a> {
    domain: &'a str,
    state: &'static str,
    policy: Option<PolicyJson<'a>>,
    fetched_at: Option<u64>,
    expires_at: Option<u64>,
    /// In seconds from now; 0 where it has expired.
    expires_in: Option<u64>,
    last_used: u64,
    inserted_at: Option<u64>,
    generation: Option<u64>,
    backing_off: Vec<BackingOff>,
    /// Why it is unreadable.
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy_text: Option<&'a str>,
}

/// An id that is not fetched for some time (RFC 8461 §3.3).
#[derive(Debug, Serialize)]
struct BackingOff {
    id: String,
    until: u64,
}

/// How much of the entry is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Detail {
    Brief,
    /// With the text of the policy.
    Full,
}

pub(super) fn json<'a>(
    domain: &'a str,
    last_used: UnixTime,
    entry: &'a Result<Entry, EntryError>,
    now: UnixTime,
    detail: Detail,
) -> EntryJson<'a> {
    let readable = entry.as_ref().ok();
    let held = readable.and_then(Entry::stored_policy);
    let failing = readable.map(|entry| {
        let failing = entry.backing_off(now);
        failing.map(|(id, until)| BackingOff { id: id.to_string(), until: until.as_secs() })
    });
    EntryJson {
        domain,
        state: State::of(entry, now).as_str(),
        policy: held.map(PolicyJson::from),
        fetched_at: held.map(|held| held.fetched_at().as_secs()),
        expires_at: held.map(|held| held.expires_at(now).as_secs()),
        expires_in: held.map(|held| held.expires_in(now).as_secs()),
        last_used: last_used.as_secs(),
        inserted_at: readable.map(|entry| entry.inserted_at().as_secs()),
        generation: readable.map(Entry::generation),
        backing_off: failing.into_iter().flatten().collect(),
        error: entry.as_ref().err().map(ToString::to_string),
        policy_text: held.filter(|_| detail == Detail::Full).map(|held| held.policy().as_str()),
    }
}

/// An entry in one line.
pub(super) fn line(domain: &str, entry: &Result<Entry, EntryError>, now: UnixTime) -> String {
    let what = match entry {
        Err(error) => styled(BAD, format_args!("unreadable: {error}")),
        Ok(entry) => match entry.stored_policy() {
            None => styled(FAINT, "no policy"),
            Some(held) => {
                let mode = format!("{:<8}", held.policy().mode().as_str());
                let ago = now.secs_since(held.expires_at(now));
                if held.is_expired(now) {
                    let when = format!("expired {} ago", span(ago));
                    format!("{mode} {}", styled(DOUBTFUL, when))
                } else {
                    let left = span(held.expires_in(now).as_secs());
                    format!("{} for {left} more", styled(GOOD, mode))
                }
            }
        },
    };
    format!("{:<32} {what}\n", harmless(domain))
}
