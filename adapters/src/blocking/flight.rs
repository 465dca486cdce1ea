//! One lookup for all who want the same at the same time.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mta_sts::{Held, Outcome, PolicyDomain};

/// The lookups under way, one for each domain.
#[derive(Debug, Default)]
pub(super) struct Flights(Mutex<HashMap<PolicyDomain, Arc<Flight>>>);

/// A lookup under way.
#[derive(Debug, Default)]
pub(super) struct Flight {
    progress: Mutex<Progress>,
    moved: Condvar,
}

/// How far a lookup has come.
#[derive(Debug, Default)]
enum Progress {
    /// The store is asked.
    #[default]
    Begun,
    /// DNS and HTTPS are asked; this is held.
    Known(Box<Held>),
    Landed(Box<Outcome>),
    /// Its thread panicked.
    Lost,
}

/// What became of the wait.
pub(super) enum Waited {
    Landed(Box<Outcome>),
    /// The lookup goes on; this is held.
    Patience(Box<Held>),
    /// The thread of the lookup panicked.
    Lost,
}

/// Who comes to the flight of a domain.
pub(super) enum Boarded {
    /// Somebody flies already.
    Passenger(Arc<Flight>),
    /// Nobody did: it is for who comes.
    Pilot(Pilot),
}

impl Flights {
    /// The flight for `domain`: the one under way, or one that begins.
    pub(super) fn board(self: &Arc<Self>, domain: &PolicyDomain) -> Boarded {
        let mut flights = lock(&self.0);
        if let Some(flight) = flights.get(domain) {
            return Boarded::Passenger(Arc::clone(flight));
        }
        let flight = Arc::new(Flight::default());
        flights.insert(domain.clone(), Arc::clone(&flight));
        let (flights, domain) = (Arc::clone(self), domain.clone());
        Boarded::Pilot(Pilot { flights, domain, flight })
    }
}

impl Flight {
    /// Waits until it is known what is held; from then on for `time`, which may depend on it, or
    /// for the end where that is `None`.
    pub(super) fn wait(&self, time: impl FnOnce(&Held) -> Option<Duration>) -> Waited {
        let is_begun = |progress: &mut Progress| matches!(progress, Progress::Begun);
        let progress = self.moved.wait_while(lock(&self.progress), is_begun);
        let progress = progress.unwrap_or_else(PoisonError::into_inner);
        let time = match &*progress {
            Progress::Known(held) => time(held),
            _ => None,
        };
        let is_known = |progress: &mut Progress| matches!(progress, Progress::Known(_));
        let progress = if let Some(time) = time {
            let waited = self.moved.wait_timeout_while(progress, time, is_known);
            waited.unwrap_or_else(PoisonError::into_inner).0
        } else {
            let waited = self.moved.wait_while(progress, is_known);
            waited.unwrap_or_else(PoisonError::into_inner)
        };
        match &*progress {
            Progress::Landed(outcome) => Waited::Landed(outcome.clone()),
            Progress::Known(held) => Waited::Patience(held.clone()),
            Progress::Begun | Progress::Lost => Waited::Lost,
        }
    }

    fn move_to(&self, progress: Progress) {
        *lock(&self.progress) = progress;
        self.moved.notify_all();
    }
}

/// Who flies. Takes the flight off the list at its end, also if its thread panics.
#[derive(Debug)]
pub(super) struct Pilot {
    flights: Arc<Flights>,
    domain: PolicyDomain,
    flight: Arc<Flight>,
}

impl Pilot {
    pub(super) fn domain(&self) -> &PolicyDomain {
        &self.domain
    }

    pub(super) fn flight(&self) -> Arc<Flight> {
        Arc::clone(&self.flight)
    }

    /// Tells those who wait what is held meanwhile.
    pub(super) fn known(&self, held: &Held) {
        self.flight.move_to(Progress::Known(Box::new(held.clone())));
    }

    pub(super) fn landed(self, outcome: &Outcome) {
        self.flight.move_to(Progress::Landed(Box::new(outcome.clone())));
    }
}

impl Drop for Pilot {
    fn drop(&mut self) {
        lock(&self.flights.0).remove(&self.domain);
        let landed = matches!(*lock(&self.flight.progress), Progress::Landed(_));
        if !landed {
            self.flight.move_to(Progress::Lost);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
