//! The refresher of a client that has a runtime of its own.

use std::sync::Arc;

use mta_sts::Outcome;
use mta_sts::schedule::Alert;

use super::MtaSts;
use super::background::Background;
use crate::tokio;

impl MtaSts {
    /// Refreshes every held policy ahead of its end, by the core's
    /// [`schedule`](mta_sts::schedule), beginning with what the store holds. One refresher for all
    /// clones is enough.
    ///
    /// `alert` is called with what an administrator should be told, and the outcome that it came
    /// of. It runs on the client's runtime, so it must not block.
    ///
    /// ```no_run
    /// # fn example(client: mta_sts_adapters::blocking::MtaSts) {
    /// let refresher = client.refresher(|alert, _outcome| eprintln!("{alert}"));
    /// // … for as long as the program runs …
    /// refresher.shutdown();
    /// # }
    /// ```
    pub fn refresher(&self, mut alert: impl FnMut(Alert, &Outcome) + Send + 'static) -> Refresher {
        let owner = Arc::clone(&self.background);
        let _entered = self.background.enter();
        let refresher = self.client.refresher(move |told, outcome| {
            // Owned by the refresher's work, so that no refresh that has begun is broken off.
            let _runtime = &owner;
            alert(told, outcome);
        });
        Refresher { refresher, background: Arc::clone(&self.background) }
    }
}

/// Refreshes policies for as long as it is kept: see [`MtaSts::refresher`].
///
/// Dropping it stops it without a wait. Either way no refresh that has begun is broken off.
#[must_use = "it stops when it is dropped"]
#[derive(Debug)]
pub struct Refresher {
    refresher: tokio::Refresher,
    background: Arc<Background>,
}

impl Refresher {
    /// Looks now for policies that are due, as after the wall clock was set. Without this call they
    /// are seen within a minute.
    pub fn wake(&self) {
        self.refresher.wake();
    }

    /// Stops it: nothing new is begun, and what was begun is waited for, as long as the limits of a
    /// lookup allow.
    pub fn shutdown(self) {
        self.background.wait(self.refresher.shutdown());
    }
}
