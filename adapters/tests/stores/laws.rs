//! The laws of every store, for one who uses it alone.

use std::collections::HashMap;
use std::ops::ControlFlow;

use mta_sts_adapters::{
    Entry, EntryError, Held, PolicyDomain, Store, StoreError, UnixTime, Urgency,
};

use super::entries::{
    DAY, NOW, WEEK, cleared, domain, domains, fetched, first, found, get, id, nothing,
    of_later_version, try_found,
};
use super::{Law, Place};

const NAME: &str = "example.com";

pub(crate) const LAWS: &[Law] = &[
    ("an empty store holds nothing", empty),
    ("what is merged is held, for its domain alone", held),
    ("the order of merges does not matter", order),
    ("merge_returns_what_a_get_returns_right_after", returned),
    ("a removal by the domain stays, whatever comes late", removal),
    ("entries of any size and any time come back whole", extremes),
    ("what was used last is shown first, until told to stop", shown),
    ("a visitor may use the store", visitor),
    ("many are shown, each once", many),
    ("what says nothing any more goes, and no more than that", pruned),
    ("what is dropped at once is bounded", bounded),
    ("what is no entry is unreadable, and gives way to a policy alone", unreadable),
    ("what is damaged is dropped when told to, and nothing else", repaired),
    ("a long course of changes ends as it must", model),
];

fn empty(place: &dyn Place) {
    let store = place.handle();
    assert_eq!(store.get(&domain(NAME)), Ok(None));
    assert_eq!(store.remove(&domain(NAME)), Ok(false));
    assert_eq!(store.merge_all(&[], Urgency::Durable).map(drop), Ok(()));
    assert_eq!(store.prune(NOW), Ok(0));
    assert_eq!(store.remove_unreadable(), Ok(Vec::new()));
    assert!(domains(&store).is_empty());
}

fn held(place: &dyn Place) {
    let store = place.handle();
    let one = first(NAME, "1");
    for urgency in [Urgency::Durable, Urgency::Lazy] {
        assert_eq!(store.merge(&one, urgency).map(drop), Ok(()));
        assert_eq!(store.get(&domain(NAME)), Ok(Some(one.clone())));
        assert_eq!(place.handle().get(&domain(NAME)), Ok(Some(one.clone())));
    }
    for other in ["example.net", "a.example.com", "xample.com", "com"] {
        assert_eq!(store.get(&domain(other)), Ok(None));
    }
    assert_eq!(store.remove(&domain("example.net")), Ok(false));
    assert_eq!(store.remove(&domain(NAME)), Ok(true));
    assert_eq!(place.handle().get(&domain(NAME)), Ok(None));
    assert!(domains(&store).is_empty());
}

fn order(place: &dyn Place) {
    let store = place.handle();
    let one = first(NAME, "1");
    let two = found(Held::Entry(one.clone()), NAME, "2", NOW.plus_secs(400));
    let mut used = one.clone();
    assert!(used.touch(NOW.plus_secs(2 * DAY)));
    let all = [one, two, used, nothing(NAME, NOW.plus_secs(9))];
    let expected = all.iter().skip(1).fold(all[0].clone(), merged);
    assert_eq!(expected.stored_policy().map(|held| held.id().to_string()).as_deref(), Some("2"));
    for start in 0..all.len() {
        for reversed in [false, true] {
            let mut turned: Vec<Entry> = all.iter().cycle().skip(start).take(4).cloned().collect();
            if reversed {
                turned.reverse();
            }
            for entry in &turned {
                assert_eq!(store.merge(entry, Urgency::Durable).map(drop), Ok(()));
            }
            assert_eq!(get(&store, NAME).as_ref(), Some(&expected));
            assert_eq!(store.remove(&domain(NAME)), Ok(true));
            assert_eq!(store.merge_all(&turned, Urgency::Durable).map(drop), Ok(()));
            assert_eq!(get(&store, NAME).as_ref(), Some(&expected));
            assert_eq!(store.remove(&domain(NAME)), Ok(true));
        }
    }
}

/// For two writers in either order, also if the entry that is given is older, and for many at once.
fn returned(place: &dyn Place) {
    let (store, other) = (place.handle(), place.handle());
    let one = first(NAME, "1");
    let two = found(Held::Entry(one.clone()), NAME, "2", NOW.plus_secs(400));
    let gone = cleared(two.clone(), "3", NOW.plus_secs(800));
    let noted = nothing(NAME, NOW.plus_secs(9));
    for (earlier, later) in [(&one, &two), (&two, &gone), (&noted, &one), (&one, &one)] {
        for (first, second) in [(earlier, later), (later, earlier)] {
            for urgency in [Urgency::Durable, Urgency::Lazy] {
                assert_eq!(store.merge(first, urgency).as_ref(), Ok(first));
                assert_eq!(get(&other, NAME).as_ref(), Some(first));
                let both = merged(first.clone(), second);
                assert_eq!(other.merge(second, urgency).as_ref(), Ok(&both));
                assert_eq!(get(&store, NAME).as_ref(), Some(&both));
                assert_eq!(store.remove(&domain(NAME)), Ok(true));

                // Each result is that of its own step.
                let net = nothing("example.net", NOW);
                let many = [first.clone(), net.clone(), second.clone()];
                let results = [first.clone(), net, both.clone()].map(Ok).to_vec();
                assert_eq!(store.merge_all(&many, urgency), Ok(results));
                assert_eq!(get(&other, NAME).as_ref(), Some(&both));
                assert_eq!(store.remove(&domain(NAME)), Ok(true));
                assert_eq!(store.remove(&domain("example.net")), Ok(true));
            }
        }
    }
}

fn merged(mut entry: Entry, other: &Entry) -> Entry {
    assert_eq!(entry.merge(other.clone()).map(drop), Ok(()));
    entry
}

fn removal(place: &dyn Place) {
    let store = place.handle();
    let one = first(NAME, "1");
    let gone = cleared(one.clone(), "2", NOW.plus_secs(400));
    assert_eq!(store.merge(&one, Urgency::Durable).map(drop), Ok(()));
    assert_eq!(store.merge(&gone, Urgency::Durable).map(drop), Ok(()));
    assert_eq!(store.merge(&one, Urgency::Durable).map(drop), Ok(()));
    assert_eq!(id(&store, NAME), None);
    assert_eq!(get(&store, NAME).map(|entry| entry.generation()), Some(gone.generation()));
}

fn extremes(place: &dyn Place) {
    let store = place.handle();
    let longest =
        format!("{}.{}.{}.{}", "a".repeat(63), "b".repeat(63), "c".repeat(63), "d".repeat(40));
    let head = format!("version: STSv1\nmode: enforce\nmx: a.example\nmax_age: {WEEK}\n");
    let text = format!("{head}x: {}\n", "y".repeat(65_000));
    let large = fetched(Held::Nothing, &longest, "1", &text, NOW);
    assert!(large.to_bytes().len() > 65_000);
    let ends = [UnixTime::EPOCH, UnixTime::from_secs(u64::MAX)];
    let [early, late] = ends.map(|now| found(Held::Nothing, &format!("t{now}.example"), "1", now));
    for entry in [&large, &early, &late] {
        assert_eq!(store.merge(entry, Urgency::Durable).map(drop), Ok(()));
        assert_eq!(store.get(entry.domain()).as_ref(), Ok(&Some(entry.clone())));
    }
    let shown = domains(&store);
    assert_eq!(shown.first().map(String::as_str), Some(late.domain().as_str()));
    assert_eq!(shown.last().map(String::as_str), Some(early.domain().as_str()));
    assert_eq!(shown.len(), 3);
}

fn shown(place: &dyn Place) {
    let store = place.handle();
    let sooner = nothing("example.net", NOW.minus_secs(2 * DAY));
    let later = nothing("example.org", NOW.plus_secs(2 * DAY));
    assert_eq!(
        store.merge_all(&[sooner, later, first(NAME, "1")], Urgency::Lazy).map(drop),
        Ok(())
    );
    assert_eq!(domains(&store), ["example.org", NAME, "example.net"]);
    let mut seen = Vec::new();
    let visited = store.visit(&mut |stored| {
        assert_eq!(Some(stored.last_used), stored.entry.as_ref().ok().map(Entry::last_used));
        seen.push(stored.domain);
        ControlFlow::Break(())
    });
    assert_eq!((visited, seen), (Ok(()), vec!["example.org".to_owned()]));
    // It moves up when it is used.
    let used = nothing("example.net", NOW.plus_secs(5 * DAY));
    assert_eq!(store.merge(&used, Urgency::Lazy).map(drop), Ok(()));
    assert_eq!(domains(&store), ["example.net", "example.org", NAME]);
}

fn visitor(place: &dyn Place) {
    let store = place.handle();
    let entries: Vec<_> = (0..20).map(|number| first(&format!("n{number}.example"), "1")).collect();
    assert_eq!(store.merge_all(&entries, Urgency::Durable).map(drop), Ok(()));
    let mut seen = 0;
    let visited = store.visit(&mut |stored| {
        seen += 1;
        assert!(get(&store, &stored.domain).is_some());
        assert_eq!(store.remove(&domain(&stored.domain)), Ok(true));
        ControlFlow::Continue(())
    });
    assert_eq!((visited, seen), (Ok(()), 20));
    assert!(domains(&store).is_empty());
}

fn many(place: &dyn Place) {
    const COUNT: usize = 2_500;
    let store = place.handle();
    let entries: Vec<_> = (0..COUNT as u64)
        .map(|number| nothing(&format!("n{number}.example"), NOW.plus_secs(number % 3 * DAY)))
        .collect();
    assert_eq!(store.merge_all(&entries, Urgency::Lazy).map(drop), Ok(()));
    let mut order = Vec::new();
    let visited = store.visit(&mut |stored| {
        order.push((stored.last_used, stored.domain));
        ControlFlow::Continue(())
    });
    assert_eq!(visited, Ok(()));
    assert!(order.windows(2).all(|pair| pair[0].0 >= pair[1].0), "last used first");
    order.sort();
    order.dedup();
    assert_eq!(order.len(), COUNT);
}

fn pruned(place: &dyn Place) {
    let store = place.handle();
    let policy = first("policy.example", "1");
    let told = nothing("told.example", NOW);
    assert_eq!(store.merge_all(&[policy, told], Urgency::Durable).map(drop), Ok(()));
    for (after, left) in [
        (0, &["policy.example", "told.example"][..]),
        // What DNS said is remembered for a minute.
        (59, &["policy.example", "told.example"]),
        (60, &["policy.example"]),
        // It has expired, and stays for its grace.
        (WEEK, &["policy.example"]),
        (WEEK + 30 * DAY - 1, &["policy.example"]),
        (WEEK + 30 * DAY, &[]),
    ] {
        let before = domains(&store).len();
        let dropped = store.prune(NOW.plus_secs(after));
        let mut found = domains(&store);
        found.sort();
        assert_eq!(found, left, "after {after} s");
        assert_eq!(dropped, Ok(before - left.len()), "after {after} s");
    }
}

fn bounded(place: &dyn Place) {
    let store = place.handle();
    let entries: Vec<_> = (0..10_050).map(|n| nothing(&format!("n{n}.example"), NOW)).collect();
    assert_eq!(store.merge_all(&entries, Urgency::Lazy).map(drop), Ok(()));
    assert_eq!(store.merge(&first(NAME, "1"), Urgency::Durable).map(drop), Ok(()));
    let later = NOW.plus_secs(DAY);
    assert_eq!(
        [store.prune(later), store.prune(later), store.prune(later)],
        [Ok(10_000), Ok(50), Ok(0)]
    );
    assert_eq!(domains(&store), [NAME]);
}

/// Bytes that are no entry of [`NAME`], and why.
fn spoilt() -> Vec<(Vec<u8>, EntryError)> {
    let whole = first(NAME, "1").to_bytes();
    let mut flipped = whole.clone();
    flipped[40] ^= 1;
    vec![
        (Vec::new(), EntryError::Foreign),
        (b"something else".to_vec(), EntryError::Foreign),
        (vec![0xFF; 300], EntryError::Foreign),
        (whole[..40].to_vec(), EntryError::Corrupt),
        (flipped, EntryError::Corrupt),
        ([whole.as_slice(), b"\0"].concat(), EntryError::Corrupt),
        (first("example.net", "1").to_bytes(), EntryError::OtherDomain),
    ]
}

fn version_error() -> EntryError {
    let read = Entry::from_bytes(&domain(NAME), &of_later_version(&first(NAME, "1")));
    let error = read.expect_err("it is of a later version");
    assert!(matches!(error, EntryError::Version { found: 7, .. }), "{error:?}");
    error
}

fn unreadable(place: &dyn Place) {
    let store = place.handle();
    let (negative, policy) = (nothing(NAME, NOW), first(NAME, "2"));
    for (bytes, error) in spoilt() {
        assert_eq!(store.merge(&first(NAME, "1"), Urgency::Durable).map(drop), Ok(()));
        if !place.spoil(NAME, &bytes) {
            return;
        }
        let refused = || Err(StoreError::Entry(error.clone()));
        assert_eq!(store.get(&domain(NAME)), refused().map(|()| None));
        let mut seen = Vec::new();
        let visited = store.visit(&mut |stored| {
            seen.push((stored.domain, stored.entry));
            ControlFlow::Continue(())
        });
        assert_eq!((visited, seen), (Ok(()), vec![(NAME.to_owned(), Err(error.clone()))]));
        assert_eq!(store.prune(NOW.plus_secs(1_000 * DAY)), Ok(0));

        assert_eq!(store.merge(&negative, Urgency::Lazy).map(drop), refused());
        // One that is refused keeps no other back, wherever it stands.
        let net = nothing("example.net", NOW);
        let with_others = [net.clone(), negative.clone(), net.clone()];
        let results = vec![Ok(net.clone()), Err(error.clone()), Ok(net)];
        assert_eq!(store.merge_all(&with_others, Urgency::Lazy), Ok(results));
        assert_eq!(store.get(&domain(NAME)), refused().map(|()| None));
        assert_eq!(store.merge(&policy, Urgency::Durable).map(drop), Ok(()));
        assert_eq!(get(&store, NAME).as_ref(), Some(&policy));

        assert!(place.spoil(NAME, &bytes));
        assert_eq!(store.remove(&domain(NAME)), Ok(true));
        assert_eq!(store.get(&domain(NAME)), Ok(None));
        let _ = store.remove(&domain("example.net"));
    }
    // What a later version wrote gives way to nobody.
    assert_eq!(store.merge(&first(NAME, "1"), Urgency::Durable).map(drop), Ok(()));
    assert!(place.spoil(NAME, &of_later_version(&first(NAME, "1"))));
    let refused = || Err(StoreError::Entry(version_error()));
    assert_eq!(store.get(&domain(NAME)), refused().map(|()| None));
    assert_eq!(store.merge(&negative, Urgency::Lazy).map(drop), refused());
    assert_eq!(store.merge(&policy, Urgency::Durable).map(drop), refused());
    assert_eq!(store.remove(&domain(NAME)), Ok(true));
}

fn repaired(place: &dyn Place) {
    let store = place.handle();
    let names = ["a.example", "b.example", "c.example", "d.example"];
    for name in names {
        assert_eq!(store.merge(&first(name, "1"), Urgency::Durable).map(drop), Ok(()));
    }
    if !place.spoil("b.example", b"damaged") {
        return;
    }
    assert!(place.spoil("c.example", &of_later_version(&first("c.example", "1"))));
    assert!(place.spoil("d.example", b""));
    let mut dropped = store.remove_unreadable().expect("it works");
    dropped.sort();
    assert_eq!(dropped, ["b.example", "d.example"]);
    assert_eq!(store.remove_unreadable(), Ok(Vec::new()));
    assert_eq!(id(&store, "a.example").as_deref(), Some("1"));
    assert_eq!(store.get(&domain("b.example")), Ok(None));
    let later = Err(StoreError::Entry(version_error()));
    assert_eq!(store.get(&domain("c.example")), later);
}

/// Against a plain map, by a course that is the same in every run.
fn model(place: &dyn Place) {
    let store = place.handle();
    let mut expected: HashMap<PolicyDomain, Entry> = HashMap::new();
    let mut random = 1_u64;
    let mut next = |below: u64| {
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % below
    };
    for step in 0..400_u64 {
        let name = format!("n{}.example", next(5));
        // The clock jumps.
        let now = NOW.plus_secs(next(40 * DAY)).minus_secs(next(40 * DAY));
        let known = expected.get(&domain(&name)).cloned();
        let held = known.clone().map_or(Held::Nothing, Held::Entry);
        match next(8) {
            0 => {
                let removed = store.remove(&domain(&name));
                assert_eq!(removed, Ok(expected.remove(&domain(&name)).is_some()));
                continue;
            }
            kind => {
                let entry = match (kind, known) {
                    (1 | 2, _) => nothing(&name, now),
                    (3, Some(entry)) if entry.generation() > 0 => {
                        let mut entry = entry;
                        entry.touch(now);
                        entry
                    }
                    (4, _) => found(Held::Nothing, &name, &format!("s{step}"), now),
                    _ => match try_found(held, &name, &format!("s{step}"), now) {
                        Some(entry) => entry,
                        None => continue,
                    },
                };
                let both = [entry.clone(), entry.clone()];
                let urgency = if kind % 2 == 0 { Urgency::Durable } else { Urgency::Lazy };
                let merged = match expected.get(entry.domain()) {
                    Some(held) => merged(held.clone(), &entry),
                    None => entry.clone(),
                };
                match kind {
                    5 => {
                        let twice = vec![Ok(merged.clone()), Ok(merged.clone())];
                        assert_eq!(store.merge_all(&both, urgency), Ok(twice));
                    }
                    _ => assert_eq!(store.merge(&entry, urgency).as_ref(), Ok(&merged)),
                }
                expected.insert(merged.domain().clone(), merged);
            }
        }
        assert_eq!(store.get(&domain(&name)).as_ref(), Ok(&expected.get(&domain(&name)).cloned()));
    }
    let mut left: Vec<_> = expected.keys().map(|domain| domain.as_str().to_owned()).collect();
    let mut shown = domains(&store);
    left.sort();
    shown.sort();
    assert_eq!(shown, left);
}
