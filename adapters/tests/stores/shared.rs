//! The laws of every store that is used by several at the same time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use mta_sts_adapters::{Entry, Held, Store, Urgency};

use super::entries::{NOW, domain, domains, found, get, nothing};
use super::{Law, Place};

const NAME: &str = "example.com";
const WRITERS: u64 = 6;
const ROUNDS: u64 = 10;

pub(crate) const LAWS: &[Law] = &[
    ("several who write the same domain lose nothing", writers),
    ("one handle is shared by threads", threads),
];

fn writers(place: &dyn Place) {
    contend(place, &|| place.handle());
}

fn threads(place: &dyn Place) {
    let store = place.handle();
    contend(place, &|| std::sync::Arc::clone(&store));
}

/// What a writer puts into the store: each policy of its own time.
pub(crate) fn contribution(writer: u64, round: u64) -> Entry {
    let number = round * WRITERS + writer;
    found(Held::Nothing, NAME, &format!("n{number}"), NOW.plus_secs(number))
}

/// What one of those who contend writes, of its own and of what all share.
pub(crate) fn write(store: &dyn Store, writer: u64) {
    for round in 0..ROUNDS {
        assert_eq!(store.merge(&contribution(writer, round), Urgency::Durable).map(drop), Ok(()));
        let own: Vec<_> =
            (0..3).map(|n| nothing(&format!("w{writer}-{round}-{n}.example"), NOW)).collect();
        assert_eq!(store.merge_all(&own, Urgency::Lazy).map(drop), Ok(()));
        assert_eq!(
            store.merge(&nothing(NAME, NOW.plus_secs(round)), Urgency::Lazy).map(drop),
            Ok(())
        );
    }
}

/// What the store holds once all have written.
pub(crate) fn check_written(store: &dyn Store) {
    let mut expected = contribution(0, 0);
    for writer in 0..WRITERS {
        for round in 0..ROUNDS {
            assert_eq!(expected.merge(contribution(writer, round)).map(drop), Ok(()));
            assert_eq!(expected.merge(nothing(NAME, NOW.plus_secs(round))).map(drop), Ok(()));
        }
    }
    assert_eq!(get(store, NAME), Some(expected));
    let own = usize::try_from(WRITERS * ROUNDS * 3).expect("a small number");
    assert_eq!(domains(store).len(), own + 1);
}

pub(crate) fn all_writers() -> std::ops::Range<u64> {
    0..WRITERS
}

fn contend(place: &dyn Place, handle: &(dyn Fn() -> std::sync::Arc<dyn Store> + Sync)) {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        // Whoever reads meanwhile never sees a policy go, or one step back.
        let reader = scope.spawn(|| {
            let store = handle();
            let mut generation = 0;
            let mut reads = 0_u64;
            while !over.load(Ordering::Acquire) || reads == 0 {
                if let Some(entry) = store.get(&domain(NAME)).expect("readable") {
                    assert!(entry.generation() >= generation);
                    generation = entry.generation();
                    assert!(generation == 0 || entry.stored_policy().is_some());
                }
                reads += 1;
                thread::yield_now();
            }
        });
        let writing: Vec<_> =
            all_writers().map(|writer| scope.spawn(move || write(&*handle(), writer))).collect();
        let written: Vec<_> = writing.into_iter().map(thread::ScopedJoinHandle::join).collect();
        over.store(true, Ordering::Release);
        reader.join().expect("the reader saw what it may");
        for writer in written {
            writer.expect("the writer wrote");
        }
    });
    check_written(&*place.handle());
}
