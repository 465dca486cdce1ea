//! How two versions of an entry meet, and their bytes: of entries made by real lookups.

#[path = "../common/any.rs"]
mod any;
mod bytes;
mod join;
mod race;

use mta_sts::{Entry, PolicyDomain, UnixTime};
use mta_sts_testkit::script::{Client, Turn};
use proptest::prelude::*;

pub(crate) const START: u64 = 1_800_000_000;

pub(crate) fn domain() -> PolicyDomain {
    PolicyDomain::parse("example.com").unwrap()
}

/// The entry after a course of lookups, each some seconds after the one before.
pub(crate) fn play(client: &mut Client, mut now: u64, course: &[(i64, Turn)]) -> u64 {
    for (step, turn) in course {
        now = now.saturating_add_signed(*step);
        client.turn(&Turn { now, ..turn.clone() });
    }
    now
}

pub(crate) fn entry_of(client: &Client) -> Entry {
    let new = || Entry::new(domain(), UnixTime::from_secs(START));
    client.entry().cloned().unwrap_or_else(new)
}

/// Three entries that share the first part of their life and then were changed apart; or share
/// nothing, where that part is empty.
pub(crate) fn any_entries() -> impl Strategy<Value = [Entry; 3]> {
    let course = |most| prop::collection::vec(any::any_lookup(), 0..most);
    (course(6), course(8), course(8), course(8)).prop_map(|(shared, a, b, c)| {
        let mut client = Client::new(domain());
        let now = play(&mut client, START, &shared);
        [a, b, c].map(|course| {
            let mut client = client.clone();
            play(&mut client, now, &course);
            entry_of(&client)
        })
    })
}
