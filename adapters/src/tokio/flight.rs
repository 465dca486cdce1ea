//! One lookup for all who want the same at the same time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mta_sts::{Outcome, PolicyDomain};
use tokio::sync::watch;

type Landing = watch::Receiver<Option<Arc<Outcome>>>;

/// The lookups under way, one for each domain.
#[derive(Debug, Default)]
pub(super) struct Flights(Mutex<HashMap<PolicyDomain, Landing>>);

impl Flights {
    /// The outcome of the flight for `domain`: of the one under way, or of `lookup`, which then
    /// runs as a task of its own, so that it goes on whoever ceases to wait. `None` where the task
    /// died.
    pub(super) async fn join<F>(
        self: &Arc<Self>,
        domain: &PolicyDomain,
        lookup: impl FnOnce() -> F,
    ) -> Option<Outcome>
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        let mut landing = self.board(domain, lookup);
        let landed = landing.wait_for(Option::is_some).await.ok()?;
        landed.as_deref().cloned()
    }

    fn board<F>(self: &Arc<Self>, domain: &PolicyDomain, lookup: impl FnOnce() -> F) -> Landing
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        let mut flights = self.lock();
        if let Some(landing) = flights.get(domain) {
            return landing.clone();
        }
        let (sender, landing) = watch::channel(None);
        flights.insert(domain.clone(), landing.clone());
        let entered = Entered { flights: Arc::clone(self), domain: domain.clone() };
        let lookup = lookup();
        tokio::spawn(async move {
            let outcome = lookup.await;
            // Who comes from here on finds the outcome in memory.
            drop(entered);
            sender.send_replace(Some(Arc::new(outcome)));
        });
        landing
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PolicyDomain, Landing>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
