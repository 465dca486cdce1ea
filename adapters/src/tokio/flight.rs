//! One lookup for all who want the same at the same time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mta_sts::{Held, Outcome, PolicyDomain};
use tokio::sync::watch;
use tokio::time::timeout;

/// The lookups under way, one for each domain.
#[derive(Debug, Default)]
pub(super) struct Flights(Mutex<HashMap<PolicyDomain, Landing>>);

/// How far a lookup has come.
#[derive(Debug)]
pub(super) enum Progress {
    /// The store is asked.
    Begun,
    /// DNS and HTTPS are asked; this is held.
    Known(Box<Held>),
    Landed(Box<Outcome>),
}

/// Where the end of a lookup is waited for.
#[derive(Debug, Clone)]
pub(super) struct Landing(watch::Receiver<Progress>);

/// What became of the wait.
pub(super) enum Waited {
    Landed(Box<Outcome>),
    /// The lookup goes on; this is held.
    Patience(Box<Held>),
    /// The task of the lookup died.
    Lost,
}

impl Landing {
    /// Waits until it is known what is held; from then on for `time`, which may depend on it, or
    /// for the end where that is `None`.
    pub(super) async fn wait(mut self, time: impl FnOnce(&Held) -> Option<Duration>) -> Waited {
        let is_begun = |progress: &Progress| matches!(progress, Progress::Begun);
        let time = match self.0.wait_for(|progress| !is_begun(progress)).await.as_deref() {
            Ok(Progress::Known(held)) => time(held),
            Ok(_) => None,
            Err(_) => return Waited::Lost,
        };
        let landing = self.0.wait_for(|progress| matches!(progress, Progress::Landed(_)));
        let landed = match time {
            Some(time) => timeout(time, landing).await.ok().map(|landed| landed.is_ok()),
            None => Some(landing.await.is_ok()),
        };
        match &*self.0.borrow() {
            _ if landed == Some(false) => Waited::Lost,
            Progress::Landed(outcome) => Waited::Landed(outcome.clone()),
            Progress::Known(held) => Waited::Patience(held.clone()),
            Progress::Begun => Waited::Lost,
        }
    }
}

impl Flights {
    /// The flight under way for the domain, if there is one.
    pub(super) fn find(&self, domain: &PolicyDomain) -> Option<Landing> {
        self.lock().get(domain).cloned()
    }

    /// The flight for `domain`: the one under way, or `lookup`, which then runs as a task of its
    /// own, so that it goes on whoever ceases to wait. It reports what is held, and gives its
    /// outcome.
    pub(super) fn board<F>(
        self: &Arc<Self>,
        domain: &PolicyDomain,
        lookup: impl FnOnce(Reporter) -> F,
    ) -> Landing
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        let mut flights = self.lock();
        if let Some(landing) = flights.get(domain) {
            return landing.clone();
        }
        let (sender, landing) = watch::channel(Progress::Begun);
        let landing = Landing(landing);
        flights.insert(domain.clone(), landing.clone());
        let entered = Entered { flights: Arc::clone(self), domain: domain.clone() };
        let sender = Arc::new(sender);
        let lookup = lookup(Reporter(Arc::clone(&sender)));
        tokio::spawn(async move {
            let outcome = lookup.await;
            // Who comes from here on finds the outcome in memory.
            drop(entered);
            sender.send_replace(Progress::Landed(Box::new(outcome)));
        });
        landing
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PolicyDomain, Landing>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells those who wait what is held meanwhile.
pub(super) struct Reporter(Arc<watch::Sender<Progress>>);

impl Reporter {
    pub(super) fn known(self, held: &Held) {
        self.0.send_replace(Progress::Known(Box::new(held.clone())));
    }
}

/// Takes the flight off the list, also if its task dies.
struct Entered {
    flights: Arc<Flights>,
    domain: PolicyDomain,
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.flights.lock().remove(&self.domain);
    }
}
