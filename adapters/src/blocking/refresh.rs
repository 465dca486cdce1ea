//! Refreshing what is held ahead of its end (RFC 8461 §3.3, §10.2).

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use mta_sts::Outcome;
use mta_sts::schedule::Alert;

use super::MtaSts;
use crate::BuildError;
use crate::keeper::Bell;

impl MtaSts {
    /// Refreshes every held policy ahead of its end, by the core's
    /// [`schedule`](mta_sts::schedule), beginning with what the store holds. It has threads of its
    /// own, [as many](super::Builder::concurrent_refreshes) as policies may be refreshed at the same
    /// time. One refresher for all clones is enough.
    ///
    /// `alert` is called with what an administrator should be told, and the outcome that it came
    /// of.
    ///
    /// ```no_run
    /// # fn example(client: mta_sts_adapters::blocking::MtaSts) -> Result<(), mta_sts_adapters::BuildError> {
    /// let refresher = client.refresher(|alert, _outcome| eprintln!("{alert}"))?;
    /// // … for as long as the program runs …
    /// refresher.shutdown();
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`BuildError::Thread`] where the system has no thread to give.
    pub fn refresher(
        &self,
        alert: impl FnMut(Alert, &Outcome) + Send + 'static,
    ) -> Result<Refresher, BuildError> {
        let watch = Arc::new(Watch::default());
        let bell: Arc<dyn Bell> = Arc::clone(&watch) as _;
        self.driver.keeper.follow_news(&bell, self.refreshes);
        let (client, alert) = (self.clone(), Mutex::new(alert));
        let work = Work { client, watch: Arc::clone(&watch), alert };
        let thread = thread::Builder::new()
            .name("mta-sts-refresh".to_owned())
            .spawn(move || work.run())
            .map_err(|error| BuildError::Thread(error.to_string()))?;
        Ok(Refresher { watch, thread: Some(thread) })
    }
}

/// Refreshes policies for as long as it is kept: see [`MtaSts::refresher`].
///
/// Dropping it stops it without a wait. Either way no refresh that has begun is broken off.
#[must_use = "it stops when it is dropped"]
pub struct Refresher {
    watch: Arc<Watch>,
    thread: Option<JoinHandle<()>>,
}

impl Refresher {
    /// Looks now whether something is due, as after the wall clock was set. It would be seen within
    /// a minute anyway.
    pub fn wake(&self) {
        self.watch.ring();
    }

    /// Stops it: nothing new is begun, and what was begun is waited for, as long as the limits of a
    /// lookup allow.
    pub fn shutdown(mut self) {
        self.watch.stop();
        if let Some(thread) = self.thread.take() {
            // Where it panicked there is nothing left to wait for.
            let _ = thread.join();
        }
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

/// What wakes and stops the threads of a refresher.
#[derive(Debug, Default)]
struct Watch {
    state: Mutex<State>,
    rung: Condvar,
}

#[derive(Debug, Default, Clone, Copy)]
struct State {
    stopped: bool,
    /// How often it was rung.
    rings: u64,
}

impl Watch {
    fn stop(&self) {
        self.lock().stopped = true;
        self.ring();
    }

    /// Waits for a ring after those that were seen, at most for `time`.
    fn wait(&self, seen: State, time: Duration) {
        let is_seen = |state: &mut State| state.rings == seen.rings;
        // Whether it was rung or the time is over is all the same.
        let _ = self.rung.wait_timeout_while(self.lock(), time, is_seen);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bell for Watch {
    fn ring(&self) {
        let mut state = self.lock();
        state.rings = state.rings.wrapping_add(1);
        self.rung.notify_all();
    }
}

struct Work<A> {
    client: MtaSts,
    watch: Arc<Watch>,
    alert: Mutex<A>,
}

impl<A: FnMut(Alert, &Outcome) + Send> Work<A> {
    fn run(self) {
        let keeper = &self.client.driver.keeper;
        while keeper.follow_stored().is_err() {
            let seen = *self.watch.lock();
            if seen.stopped {
                return;
            }
            self.watch.wait(seen, keeper.sleep_before_due());
        }
        thread::scope(|scope| {
            let work = &self;
            // This thread is one of them; where no other is to be had it does all of the work.
            for _ in 1..work.client.refreshes {
                let thread = thread::Builder::new().name("mta-sts-refresh".to_owned());
                let _ = thread.spawn_scoped(scope, || work.refresh_due());
            }
            work.refresh_due();
        });
    }

    fn refresh_due(&self) {
        let keeper = &self.client.driver.keeper;
        loop {
            // Before it is looked whether there is something to do, so that no ring is missed.
            let seen = *self.watch.lock();
            if seen.stopped {
                return;
            }
            let Some(due) = keeper.poll_due() else {
                self.watch.wait(seen, keeper.sleep_before_due());
                continue;
            };
            let limits = due.limits(self.client.limits);
            let outcome = self.client.refresh_within(due.domain(), limits);
            if let Some(alert) = keeper.refreshed(&outcome) {
                let mut tell = self.alert.lock().unwrap_or_else(PoisonError::into_inner);
                tell(alert, &outcome);
            }
        }
    }
}
