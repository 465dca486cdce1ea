//! Refreshing what is held ahead of its end (RFC 8461 §3.3, §10.2).

use std::fmt;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use mta_sts::Outcome;
use mta_sts::schedule::Alert;
use tokio::sync::Notify;
use tokio::task::{JoinHandle, JoinSet, spawn_blocking};
use tokio::time::timeout;

use super::MtaSts;
use crate::keeper::Bell;

impl MtaSts {
    /// Refreshes every held policy ahead of its end, by the core's
    /// [`schedule`](mta_sts::schedule), beginning with what the store holds. One refresher for all
    /// clones is enough.
    ///
    /// `alert` is called with what an administrator should be told, and the outcome that it came
    /// of; it must not block.
    ///
    /// ```no_run
    /// # async fn example(client: mta_sts_adapters::tokio::MtaSts) {
    /// let refresher = client.refresher(|alert, _outcome| eprintln!("{alert}"));
    /// // … for as long as the program runs …
    /// refresher.shutdown().await;
    /// # }
    /// ```
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn refresher(&self, alert: impl FnMut(Alert, &Outcome) + Send + 'static) -> Refresher {
        let watch = Arc::new(Watch::default());
        let bell: Arc<dyn Bell> = Arc::clone(&watch) as _;
        self.driver.keeper.follow_news(&bell, self.refreshes);
        let (client, alert) = (self.clone(), Mutex::new(alert));
        let task = tokio::spawn(Work { client, watch: Arc::clone(&watch), alert }.run());
        Refresher { watch, task }
    }

    async fn follow_stored(&self) -> bool {
        let keeper = Arc::clone(&self.driver.keeper);
        spawn_blocking(move || keeper.follow_stored()).await.is_ok_and(|read| read.is_ok())
    }
}

/// Refreshes policies for as long as it is kept: see [`MtaSts::refresher`].
///
/// Dropping it stops it without a wait. Either way no refresh that has begun is broken off.
#[must_use = "it stops when it is dropped"]
pub struct Refresher {
    watch: Arc<Watch>,
    task: JoinHandle<()>,
}

impl Refresher {
    /// Looks now whether something is due, as after the wall clock was set. It would be seen within
    /// a minute anyway.
    pub fn wake(&self) {
        self.watch.ring();
    }

    /// Stops it: nothing new is begun, and what was begun is waited for, as long as the limits of a
    /// lookup allow.
    pub async fn shutdown(mut self) {
        self.watch.stop();
        // Where it panicked there is nothing left to wait for.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Refresher {
    fn drop(&mut self) {
        self.watch.stop();
    }
}

impl fmt::Debug for Refresher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refresher").finish_non_exhaustive()
    }
}

/// What wakes and stops the tasks of a refresher.
#[derive(Debug, Default)]
struct Watch {
    stopped: AtomicBool,
    rung: Notify,
}

impl Watch {
    fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.ring();
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }
}

impl Bell for Watch {
    fn ring(&self) {
        self.rung.notify_waiters();
    }
}

struct Work<A> {
    client: MtaSts,
    watch: Arc<Watch>,
    alert: Mutex<A>,
}

impl<A: FnMut(Alert, &Outcome) + Send + 'static> Work<A> {
    async fn run(self) {
        let keeper = &self.client.driver.keeper;
        while !self.client.follow_stored().await {
            let mut rung = pin!(self.watch.rung.notified());
            rung.as_mut().enable();
            if self.watch.is_stopped() {
                return;
            }
            let _ = timeout(keeper.sleep_before_due(), rung).await;
        }
        let work = Arc::new(self);
        let mut workers = JoinSet::new();
        for _ in 0..work.client.refreshes {
            let work = Arc::clone(&work);
            workers.spawn(async move { work.refresh_due().await });
        }
        // One that panicked leaves its work to the others.
        while workers.join_next().await.is_some() {}
    }

    async fn refresh_due(&self) {
        let keeper = &self.client.driver.keeper;
        loop {
            // Before it is looked whether there is something to do, so that no ring is missed.
            let mut rung = pin!(self.watch.rung.notified());
            rung.as_mut().enable();
            if self.watch.is_stopped() {
                return;
            }
            let Some(due) = keeper.poll_due() else {
                let _ = timeout(keeper.sleep_before_due(), rung).await;
                continue;
            };
            let limits = due.limits(self.client.limits);
            let outcome = self.client.refresh_within(due.domain(), limits).await;
            if let Some(alert) = keeper.refreshed(&outcome) {
                let mut tell = self.alert.lock().unwrap_or_else(PoisonError::into_inner);
                tell(alert, &outcome);
            }
        }
    }
}
