//! One lookup for all who want the same at the same time.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use mta_sts::{Outcome, PolicyDomain};

/// The lookups under way, one for each domain.
#[derive(Debug, Default)]
pub(super) struct Flights(Mutex<HashMap<PolicyDomain, Arc<Flight>>>);

#[derive(Debug, Default)]
struct Flight {
    state: Mutex<State>,
    landed: Condvar,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    UnderWay,
    Landed(Box<Outcome>),
    /// Its thread panicked.
    Lost,
}

impl Flights {
    /// The outcome of the flight for `domain`: of the one under way, or of `lookup`, which runs on
    /// this thread then.
    pub(super) fn join(&self, domain: &PolicyDomain, lookup: impl Fn() -> Outcome) -> Outcome {
        let mut flights = lock(&self.0);
        if let Some(flight) = flights.get(domain).cloned() {
            drop(flights);
            // One that is lost was somebody else's misfortune.
            return flight.wait().unwrap_or_else(lookup);
        }
        let flight = Arc::new(Flight::default());
        flights.insert(domain.clone(), Arc::clone(&flight));
        drop(flights);
        let pilot = Pilot { flights: self, domain, flight };
        let outcome = lookup();
        pilot.flight.end(State::Landed(Box::new(outcome.clone())));
        outcome
    }
}

impl Flight {
    fn wait(&self) -> Option<Outcome> {
        let under_way = |state: &mut State| matches!(state, State::UnderWay);
        let state = self.landed.wait_while(lock(&self.state), under_way);
        match &*state.unwrap_or_else(PoisonError::into_inner) {
            State::Landed(outcome) => Some(Outcome::clone(outcome)),
            State::UnderWay | State::Lost => None,
        }
    }

    fn end(&self, end: State) {
        *lock(&self.state) = end;
        self.landed.notify_all();
    }
}

/// Takes the flight off the list, also if its thread panics.
struct Pilot<'a> {
    flights: &'a Flights,
    domain: &'a PolicyDomain,
    flight: Arc<Flight>,
}

impl Drop for Pilot<'_> {
    fn drop(&mut self) {
        lock(&self.flights.0).remove(self.domain);
        let under_way = matches!(*lock(&self.flight.state), State::UnderWay);
        if under_way {
            self.flight.end(State::Lost);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
