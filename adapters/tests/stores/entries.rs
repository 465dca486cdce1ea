//! Entries as lookups leave them.

use std::ops::ControlFlow;

use mta_sts_adapters::lookup::{AfterHead, AfterTxt, Head, Start};
use mta_sts_adapters::{
    Entry, Held, Lookup, PolicyDomain, PolicyHostVerified, Recheck, Store, UnixTime, Urgency,
};

/// A time long past for the machine that runs the tests, so that nothing here depends on its clock
/// but what says so.
pub(crate) const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);
pub(crate) const DAY: u64 = 86_400;
pub(crate) const WEEK: u64 = 7 * DAY;

pub(crate) fn domain(name: &str) -> PolicyDomain {
    PolicyDomain::parse(name).expect("a domain")
}

/// The entry after a lookup that found no record.
pub(crate) fn nothing(name: &str, now: UnixTime) -> Entry {
    let lookup = Lookup::new(domain(name), Held::Nothing);
    let Start::QueryTxt(query) = lookup.start(now) else { panic!("no question") };
    let AfterTxt::Store(state) = query.absent(60, now) else { panic!("nothing is held") };
    state.entry().clone()
}

/// The entry after a lookup that found this text under this id, over what was held.
pub(crate) fn fetched(held: Held, name: &str, id: &str, text: &str, now: UnixTime) -> Entry {
    try_fetched(held, name, id, text, now).expect("the budget allows a fetch")
}

/// The same; `None` if the budget of fetches is spent.
pub(crate) fn try_fetched(
    held: Held,
    name: &str,
    id: &str,
    text: &str,
    now: UnixTime,
) -> Option<Entry> {
    let lookup = Lookup::new(domain(name), held).recheck(Recheck::Always);
    let Start::QueryTxt(query) = lookup.start(now) else { panic!("no question") };
    let record = format!("v=STSv1; id={id};");
    let AfterTxt::FetchPolicy(fetch) = query.answered([[record]], 300, now) else { return None };
    let verified = PolicyHostVerified::assertion(fetch.host());
    let ok = Head { status: 200, content_type: Some(b"text/plain"), content_encoding: None };
    let AfterHead::ReadBody(mut body) = fetch.responded(verified, ok, now) else {
        panic!("the head is good")
    };
    assert!(body.chunk(text.as_bytes()).is_continue());
    let state = body.ended(now);
    assert_eq!(state.urgency(), Urgency::Durable);
    Some(state.entry().clone())
}

/// A policy of a week, over what was held.
pub(crate) fn found(held: Held, name: &str, id: &str, now: UnixTime) -> Entry {
    try_found(held, name, id, now).expect("the budget allows a fetch")
}

/// The same; `None` if the budget of fetches is spent.
pub(crate) fn try_found(held: Held, name: &str, id: &str, now: UnixTime) -> Option<Entry> {
    let text = format!("version: STSv1\nmode: enforce\nmx: {id}.example\nmax_age: {WEEK}\n");
    try_fetched(held, name, id, &text, now)
}

/// The first policy of a domain.
pub(crate) fn first(name: &str, id: &str) -> Entry {
    found(Held::Nothing, name, id, NOW)
}

/// The entry whose policy was taken away by a `max_age` of 0.
pub(crate) fn cleared(held: Entry, id: &str, now: UnixTime) -> Entry {
    let name = held.domain().as_str().to_owned();
    let text = "version: STSv1\nmode: enforce\nmx: a.example\nmax_age: 0\n";
    let entry = fetched(Held::Entry(held), &name, id, text, now);
    assert_eq!(entry.stored_policy(), None);
    entry
}

/// The same entry as a later version of this software might write it.
pub(crate) fn of_later_version(entry: &Entry) -> Vec<u8> {
    let mut bytes = entry.to_bytes();
    *bytes.get_mut(6).expect("the version stands behind the mark") = 7;
    bytes
}

pub(crate) fn get(store: &(impl Store + ?Sized), name: &str) -> Option<Entry> {
    store.get(&domain(name)).expect("readable")
}

/// The id of the policy that is held.
pub(crate) fn id(store: &(impl Store + ?Sized), name: &str) -> Option<String> {
    get(store, name)?.stored_policy().map(|held| held.id().to_string())
}

/// All domains in the order in which they are shown.
pub(crate) fn domains(store: &(impl Store + ?Sized)) -> Vec<String> {
    let mut domains = Vec::new();
    let visited = store.visit(&mut |stored| {
        domains.push(stored.domain);
        ControlFlow::Continue(())
    });
    assert_eq!(visited, Ok(()));
    domains
}
