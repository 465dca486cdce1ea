//! `Entry::merge` is a join, and never weakens what it joins.

use mta_sts::{Entry, Held, Lookup, MergeError, PolicyDomain, UnixTime};
use mta_sts_testkit::script::{Client, HttpsAnswer, Turn, TxtAnswer, run};
use proptest::prelude::*;

use super::any::any_lookup;
use super::{START, any_entries, domain, entry_of, play};

fn join(a: &Entry, b: &Entry) -> Entry {
    let mut joined = a.clone();
    joined.merge(b.clone()).unwrap();
    joined
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 500, ..Default::default() })]

    #[test]
    fn ok_the_order_of_joining_does_not_matter([a, b, c] in any_entries()) {
        prop_assert_eq!(join(&a, &b), join(&b, &a));
        prop_assert_eq!(join(&join(&a, &b), &c), join(&a, &join(&b, &c)));
        prop_assert_eq!(join(&a, &a), a.clone());
        prop_assert_eq!(join(&join(&a, &b), &b), join(&a, &b));
    }

    #[test]
    fn ok_the_policy_of_the_later_generation_stays([a, b, _] in any_entries()) {
        let joined = join(&a, &b);
        prop_assert_eq!(joined.generation(), a.generation().max(b.generation()));
        let later = if a.generation() < b.generation() { &b } else { &a };
        if a.generation() == b.generation() {
            // A race in one second: a policy is more than none.
            let one_of = [a.stored_policy(), b.stored_policy()];
            prop_assert!(one_of.contains(&joined.stored_policy()));
            prop_assert_eq!(joined.stored_policy().is_some(), one_of.iter().any(Option::is_some));
        } else {
            prop_assert_eq!(joined.stored_policy(), later.stored_policy());
        }
    }

    /// What only remembers takes no policy's place, however new it is.
    #[test]
    fn ok_no_memory_and_no_failure_displaces_a_policy(
        [a, ..] in any_entries(),
        wait in 0..604_800_u64,
        step in any_lookup(),
    ) {
        let now = START + 90_000_000 + wait;
        // It knows nothing of the store, and learns nothing from HTTPS.
        let (_, turn) = step;
        let lookup = Lookup::new(domain(), Held::Unreadable { notes: None }).recheck(turn.recheck.into());
        let txt = TxtAnswer::from(&turn.world.txt);
        let https = HttpsAnswer::Failed(mta_sts::FetchFailure::Connection);
        let negative = run(lookup, &txt, &https, true, UnixTime::from_secs(now)).outcome.into_entry();
        for joined in [join(&negative, &a), join(&a, &negative)] {
            prop_assert_eq!(joined.stored_policy(), a.stored_policy());
            prop_assert_eq!(joined.generation(), a.generation());
        }
    }

    /// What a lookup writes takes the place of the entry that it started from, part by part, so a
    /// store that merges ends up with what the lookup said.
    #[test]
    fn ok_what_a_lookup_writes_is_what_a_store_then_has(
        course in prop::collection::vec(any_lookup(), 0..8),
        last in any_lookup(),
    ) {
        let mut client = Client::new(domain());
        let now = play(&mut client, START, &course);
        let (step, mut turn) = last;
        turn.now = now.saturating_add_signed(step);
        (turn.world.readable, turn.world.writable) = (true, true);
        let run = client.turn(&turn);
        if let Some((written, _)) = run.written {
            prop_assert_eq!(entry_of(&client), written);
        }
    }
}

#[test]
fn err_another_domains_entry_changes_nothing() {
    let now = UnixTime::from_secs(START);
    let mut client = Client::new(domain());
    let found =
        mta_sts_testkit::script::valid_policy(mta_sts_testkit::model::Mode::Enforce, "mx", 9);
    let txt = mta_sts_testkit::model::Txt::Id("1".to_owned(), 60);
    client.turn(&Turn::new(START, mta_sts_testkit::model::Recheck::Always, txt, found));
    let entry = entry_of(&client);
    for other in ["example.net", "sub.example.com", "com"] {
        let mut other = Entry::new(PolicyDomain::parse(other).unwrap(), now);
        let before = other.clone();
        assert_eq!(other.merge(entry.clone()), Err(MergeError));
        assert_eq!(other, before);
    }
}
