//! How many may do something at a time.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// A number of turns, of which each is had by one thread at a time.
#[derive(Debug)]
pub(super) struct Turns {
    free: Mutex<usize>,
    freed: Condvar,
}

impl Turns {
    pub(super) fn new(count: usize) -> Self {
        Self { free: Mutex::new(count), freed: Condvar::new() }
    }

    /// Waits for a turn.
    pub(super) fn take(self: &Arc<Self>) -> Turn {
        let free = self.freed.wait_while(self.lock(), |free| *free == 0);
        self.taken(free.unwrap_or_else(PoisonError::into_inner))
    }

    /// A turn, if one comes free by then.
    pub(super) fn take_until(self: &Arc<Self>, until: Instant) -> Option<Turn> {
        let time = until.saturating_duration_since(Instant::now());
        let free = self.freed.wait_timeout_while(self.lock(), time, |free| *free == 0);
        let (free, _) = free.unwrap_or_else(PoisonError::into_inner);
        (*free > 0).then(|| self.taken(free))
    }

    /// A turn, if one is free.
    pub(super) fn try_take(self: &Arc<Self>) -> Option<Turn> {
        self.take_until(Instant::now())
    }

    fn taken(self: &Arc<Self>, mut free: MutexGuard<'_, usize>) -> Turn {
        *free = free.saturating_sub(1);
        Turn(Arc::clone(self))
    }

    fn lock(&self) -> MutexGuard<'_, usize> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A turn; over when it is dropped.
#[derive(Debug)]
pub(super) struct Turn(Arc<Turns>);

impl Drop for Turn {
    fn drop(&mut self) {
        let mut free = self.0.lock();
        *free = free.saturating_add(1);
        self.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_no_more_turns_are_had_than_there_are() {
        let turns = Arc::new(Turns::new(2));
        let (one, two) = (turns.take(), turns.try_take());
        assert!(two.is_some() && turns.try_take().is_none());
        assert!(turns.take_until(Instant::now() + std::time::Duration::from_millis(1)).is_none());
        drop(one);
        assert!(turns.try_take().is_some());
    }

    #[test]
    fn ok_who_waits_gets_the_turn_that_comes_free() {
        let turns = Arc::new(Turns::new(1));
        let turn = turns.take();
        let waiting = std::thread::spawn({
            let turns = Arc::clone(&turns);
            move || drop(turns.take())
        });
        drop(turn);
        assert!(waiting.join().is_ok());
        assert!(turns.try_take().is_some());
    }
}
