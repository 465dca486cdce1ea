//! What was asked, in order.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

/// The most entries that a [`Log`] keeps; later ones are counted only.
pub const LOG_LIMIT: usize = 10_000;

/// A log that the servers write and a test reads, at any time and from any thread.
///
/// Clones share one log.
pub struct Log<T> {
    inner: Arc<Inner<T>>,
}

struct Inner<T> {
    state: Mutex<State<T>>,
    grown: Condvar,
    total: watch::Sender<usize>,
}

struct State<T> {
    entries: Vec<T>,
    total: usize,
}

impl<T> Log<T> {
    pub(crate) fn new() -> Self {
        let state = Mutex::new(State { entries: Vec::new(), total: 0 });
        let total = watch::Sender::new(0);
        Self { inner: Arc::new(Inner { state, grown: Condvar::new(), total }) }
    }

    pub(crate) fn push(&self, entry: T) {
        let mut state = self.lock();
        if state.entries.len() < LOG_LIMIT {
            state.entries.push(entry);
        }
        state.total = state.total.saturating_add(1);
        self.inner.total.send_replace(state.total);
        self.inner.grown.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many entries were ever written, [taken](Self::take) ones included.
    pub fn count(&self) -> usize {
        self.lock().total
    }

    /// The entries since the last [`take`](Self::take), oldest first; they leave the log.
    pub fn take(&self) -> Vec<T> {
        std::mem::take(&mut self.lock().entries)
    }

    /// Waits, on any async runtime, until `total` entries were ever written.
    ///
    /// It is how a test knows without sleeping that its request has arrived. It has no bound of
    /// its own in time.
    pub async fn wait_for(&self, total: usize) {
        let mut seen = self.inner.total.subscribe();
        // The sender lives in `self`: it cannot be gone while this waits.
        let _ = seen.wait_for(|written| *written >= total).await;
    }

    /// Blocks this thread until `total` entries were ever written, and at most for `limit`; says
    /// whether they were.
    pub fn wait_for_blocking(&self, total: usize, limit: Duration) -> bool {
        let (state, _) = self
            .inner
            .grown
            .wait_timeout_while(self.lock(), limit, |state| state.total < total)
            .unwrap_or_else(PoisonError::into_inner);
        state.total >= total
    }
}

impl<T: Clone> Log<T> {
    /// The entries since the last [`take`](Self::take), oldest first; they stay.
    pub fn all(&self) -> Vec<T> {
        self.lock().entries.clone()
    }
}

impl<T> Clone for Log<T> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<T: fmt::Debug> fmt::Debug for Log<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.lock().entries).finish()
    }
}
