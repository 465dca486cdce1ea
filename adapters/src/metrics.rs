//! Counters of what a client does, for a program and for Prometheus.

mod counter;
#[cfg(feature = "prometheus")]
mod prometheus;

use std::time::Duration;

use mta_sts::{FetchFailure, Mode, Outcome, Problem, Status, TlsFailure};

use crate::TxtAnswer;
use counter::{Counters, Striped, Timer};

#[cfg(feature = "prometheus")]
pub use prometheus::Exporter;

/// What a client has done so far, and what it holds in memory now. Counts begin with the client.
///
/// Names and labels are those of the Prometheus text (feature `prometheus`), without the prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// Answers given, by [`Status`].
    pub lookups: Vec<Count>,
    /// TXT questions asked, by result: `records`, `absent` or `failed`.
    pub txt_queries: Vec<Count>,
    /// Policies fetched by HTTPS, by result: `ok`, or what failed.
    pub fetches: Vec<Count>,
    /// Refreshes ahead of a policy's end, by result: `ok` or `failed`.
    pub refreshes: Vec<Count>,
    /// Calls of the store that failed: `read` or `write`.
    pub store_failures: Vec<Count>,
    /// Fetched policies that protect less than the one they replaced.
    pub policies_weakened: u64,
    /// How long things took: `txt`, `fetch`, `store_read` and `store_write`.
    pub durations: Vec<Durations>,
    /// Entries in memory, by the mode of their unexpired policy: `enforce`, `testing`, `none`; or
    /// `without_policy`.
    pub entries: Vec<Count>,
    /// Until the first of these policies expires, unless it is fetched again; `None` where there is
    /// none of mode `enforce` or `testing`.
    pub next_expiry: Option<Duration>,
    /// Entries that the store has yet to take.
    pub entries_pending: u64,
}

/// One count of several, told apart by a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Count {
    /// What is counted.
    pub label: &'static str,
    /// How many.
    pub count: u64,
}

/// How long one kind of work took.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Durations {
    /// The kind of work.
    pub label: &'static str,
    /// How often it was done.
    pub count: u64,
    /// How long it took in all.
    pub total: Duration,
    /// How often it took at most so long; each count is apart from those before.
    pub buckets: Vec<(Duration, u64)>,
}

impl Snapshot {
    /// The count of this label among `counts`; 0 where there is none.
    ///
    /// ```
    /// # #[cfg(all(feature = "tokio", feature = "hickory-resolver", feature = "webpki-roots"))] {
    /// use mta_sts_adapters::tokio::MtaSts;
    /// use mta_sts_adapters::{HickoryDns, Roots, Snapshot};
    ///
    /// let dns = HickoryDns::servers([([127, 0, 0, 1], 53).into()]);
    /// let client = MtaSts::builder().dns(dns).roots(Roots::WebPki).build()?;
    /// let snapshot = client.metrics();
    /// assert_eq!(Snapshot::count(&snapshot.lookups, "found"), 0);
    /// # }
    /// # Ok::<(), mta_sts_adapters::BuildError>(())
    /// ```
    pub fn count(counts: &[Count], label: &str) -> u64 {
        counts.iter().find(|count| count.label == label).map_or(0, |count| count.count)
    }
}

const STATUSES: [&str; 5] = ["found", "confirmed", "held", "absent", "unknown"];
const ANSWERS: [&str; 3] = ["records", "absent", "failed"];
const FETCHES: [&str; 11] = [
    "ok",
    "address",
    "connection",
    "timeout",
    "certificate",
    "tls",
    "http",
    "too_large",
    "truncated",
    "invalid",
    "abandoned",
];
const REFRESHES: [&str; 2] = ["ok", "failed"];
const STORE: [&str; 2] = ["read", "write"];
const WORK: [&str; 4] = ["txt", "fetch", "store_read", "store_write"];
const ENTRIES: [&str; 4] = ["enforce", "testing", "none", "without_policy"];

/// The counters behind a [`Snapshot`].
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    lookups: Striped<5>,
    answers: Counters<3>,
    fetches: Counters<11>,
    refreshes: Counters<2>,
    store_failures: Counters<2>,
    weakened: Counters<1>,
    txt: Timer,
    fetch: Timer,
    store_read: Timer,
    store_write: Timer,
}

/// What is held in memory.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Census {
    modes: [u64; 4],
    next_expiry: Option<Duration>,
}

impl Census {
    /// Counts one entry: the mode of its unexpired policy, and for how long that may be applied.
    pub(crate) fn add(&mut self, policy: Option<(Mode, Duration)>) {
        let index = match policy {
            Some((Mode::Enforce, _)) => 0,
            Some((Mode::Testing, _)) => 1,
            Some((Mode::None, _)) => 2,
            None => 3,
        };
        self.modes[index] += 1;
        // A removed policy is not missed when it ends.
        if let Some((Mode::Enforce | Mode::Testing, left)) = policy {
            self.next_expiry = Some(self.next_expiry.map_or(left, |next| next.min(left)));
        }
    }
}

impl Metrics {
    pub(crate) fn answered(&self, outcome: &Outcome) {
        self.lookups.add(match outcome.status() {
            Status::Found => 0,
            Status::Confirmed => 1,
            Status::Held => 2,
            Status::Absent => 3,
            // What a later version of the core may tell is not known here.
            _ => 4,
        });
    }

    /// A lookup has asked DNS.
    pub(crate) fn queried(&self, answer: &TxtAnswer, took: Duration) {
        self.txt.add(took);
        self.answers.add(match answer {
            TxtAnswer::Records { .. } => 0,
            TxtAnswer::Absent { .. } => 1,
            TxtAnswer::Failed(_) => 2,
        });
    }

    /// A lookup that made a fetch has ended.
    pub(crate) fn fetched(&self, outcome: &Outcome, took: Duration) {
        self.fetch.add(took);
        self.fetches.add(match outcome.problem() {
            _ if outcome.status() == Status::Found => 0,
            Some(Problem::Fetch(failure)) => fetch_index(failure),
            _ => 9,
        });
        if outcome.change().is_some_and(|change| change.is_weaker()) {
            self.weakened.add(0);
        }
    }

    pub(crate) fn refreshed(&self, outcome: &Outcome) {
        self.refreshes.add(usize::from(outcome.status() != Status::Found));
    }

    pub(crate) fn store_read(&self, took: Duration, failed: bool) {
        self.store_read.add(took);
        if failed {
            self.store_failures.add(0);
        }
    }

    pub(crate) fn store_written(&self, took: Duration, failed: bool) {
        self.store_write.add(took);
        if failed {
            self.store_failures.add(1);
        }
    }

    pub(crate) fn snapshot(&self, census: &Census, pending: usize) -> Snapshot {
        let [txt, fetch, store_read, store_write] = WORK;
        Snapshot {
            lookups: self.lookups.labelled(STATUSES),
            txt_queries: self.answers.labelled(ANSWERS),
            fetches: self.fetches.labelled(FETCHES),
            refreshes: self.refreshes.labelled(REFRESHES),
            store_failures: self.store_failures.labelled(STORE),
            policies_weakened: self.weakened.get(0),
            durations: vec![
                self.txt.labelled(txt),
                self.fetch.labelled(fetch),
                self.store_read.labelled(store_read),
                self.store_write.labelled(store_write),
            ],
            entries: ENTRIES
                .iter()
                .zip(census.modes)
                .map(|(label, count)| Count { label, count })
                .collect(),
            next_expiry: census.next_expiry,
            entries_pending: u64::try_from(pending).unwrap_or(u64::MAX),
        }
    }
}

fn fetch_index(failure: &FetchFailure) -> usize {
    match failure {
        FetchFailure::Dns(_) | FetchFailure::NoAddress | FetchFailure::Address(_) => 1,
        FetchFailure::ConnectionRefused | FetchFailure::Connection => 2,
        FetchFailure::Timeout | FetchFailure::Tls(TlsFailure::Timeout) => 3,
        FetchFailure::Certificate(_) | FetchFailure::OtherHostVerified => 4,
        FetchFailure::Tls(_) => 5,
        FetchFailure::TooLarge { .. } => 7,
        FetchFailure::Truncated => 8,
        FetchFailure::Abandoned => 10,
        _ => 6,
    }
}
