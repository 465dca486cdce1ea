//! Numbers that many threads add to.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use crossbeam_utils::CachePadded;

use super::{Count, Durations};

/// Several counts of one kind.
#[derive(Debug)]
pub(super) struct Counters<const N: usize>([AtomicU64; N]);

impl<const N: usize> Default for Counters<N> {
    fn default() -> Self {
        Self([const { AtomicU64::new(0) }; N])
    }
}

impl<const N: usize> Counters<N> {
    /// Adds one to the count of this index; an index that is none counts nowhere.
    pub(super) fn add(&self, index: usize) {
        if let Some(counter) = self.0.get(index) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn get(&self, index: usize) -> u64 {
        self.0.get(index).map_or(0, |counter| counter.load(Ordering::Relaxed))
    }

    pub(super) fn labelled(&self, labels: [&'static str; N]) -> Vec<Count> {
        labelled(labels, |index| self.get(index))
    }
}

fn labelled<const N: usize>(labels: [&'static str; N], get: impl Fn(usize) -> u64) -> Vec<Count> {
    let count = |(index, label)| Count { label, count: get(index) };
    labels.into_iter().enumerate().map(count).collect()
}

const STRIPES: usize = 16;

/// The same for what is counted at every call: threads add to stripes of their own, which no two
/// cores have to hand to and fro.
#[derive(Debug, Default)]
pub(super) struct Striped<const N: usize>([CachePadded<Counters<N>>; STRIPES]);

impl<const N: usize> Striped<N> {
    /// As [`Counters::add`].
    pub(super) fn add(&self, index: usize) {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        thread_local! {
            static STRIPE: usize = NEXT.fetch_add(1, Ordering::Relaxed) % STRIPES;
        }
        if let Some(counters) = self.0.get(STRIPE.with(|stripe| *stripe)) {
            counters.add(index);
        }
    }

    pub(super) fn labelled(&self, labels: [&'static str; N]) -> Vec<Count> {
        labelled(labels, |index| self.0.iter().map(|counters| counters.get(index)).sum())
    }
}

/// The upper bounds of the buckets, in milliseconds; one more has no bound.
const BOUNDS: [u64; 9] = [1, 5, 25, 100, 500, 1_000, 5_000, 15_000, 60_000];

/// How long one kind of work took.
#[derive(Debug, Default)]
pub(super) struct Timer {
    /// In microseconds.
    total: AtomicU64,
    buckets: Counters<{ BOUNDS.len() + 1 }>,
}

impl Timer {
    pub(super) fn add(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.total.fetch_add(micros, Ordering::Relaxed);
        let over = |bound: &u64| took > Duration::from_millis(*bound);
        self.buckets.add(BOUNDS.iter().take_while(|bound| over(bound)).count());
    }

    pub(super) fn labelled(&self, label: &'static str) -> Durations {
        let bounds = BOUNDS.iter().map(|bound| Duration::from_millis(*bound));
        let bounds = bounds.chain([Duration::MAX]).enumerate();
        let buckets: Vec<_> =
            bounds.map(|(index, bound)| (bound, self.buckets.get(index))).collect();
        Durations {
            label,
            count: buckets.iter().map(|(_, count)| count).sum(),
            total: Duration::from_micros(self.total.load(Ordering::Relaxed)),
            buckets,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_each_duration_counts_in_the_first_bucket_that_holds_it() {
        let timer = Timer::default();
        for millis in [0, 1, 2, 60_000, 60_001] {
            timer.add(Duration::from_millis(millis));
        }
        let durations = timer.labelled("txt");
        assert_eq!((durations.count, durations.total), (5, Duration::from_millis(120_004)));
        let counts: Vec<_> = durations.buckets.iter().map(|(_, count)| *count).collect();
        assert_eq!(counts, [2, 1, 0, 0, 0, 0, 0, 0, 1, 1]);
        assert_eq!(durations.buckets[9].0, Duration::MAX);
    }

    #[test]
    fn ok_an_index_that_is_none_counts_nowhere() {
        let counters = Counters::<2>::default();
        counters.add(1);
        counters.add(2);
        let counts: Vec<_> =
            counters.labelled(["a", "b"]).into_iter().map(|c| (c.label, c.count)).collect();
        assert_eq!(counts, [("a", 0), ("b", 1)]);
    }

    #[test]
    fn ok_what_more_threads_than_stripes_add_is_all_there() {
        const EACH: u64 = 1_000;
        let striped = Striped::<2>::default();
        std::thread::scope(|scope| {
            for thread in 0..2 * STRIPES {
                let striped = &striped;
                scope.spawn(move || (0..EACH).for_each(|_| striped.add(thread % 2)));
            }
        });
        let threads = u64::try_from(STRIPES).expect("small");
        let counts: Vec<_> = striped.labelled(["a", "b"]).into_iter().map(|c| c.count).collect();
        assert_eq!(counts, [threads * EACH; 2]);
    }
}
