//! Connections that only read. They wait for no writer.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use rusqlite::Connection;

use super::open::{self, Access};
use crate::StoreError;

/// How many there are. A read takes microseconds.
const COUNT: usize = 4;

/// All are opened with the store: one that is opened later might find another file at the path.
pub(super) struct Readers {
    first: Mutex<Connection>,
    others: Vec<Mutex<Connection>>,
    turn: AtomicUsize,
}

impl Readers {
    pub(super) fn open(path: &Path, access: Access) -> Result<Self, StoreError> {
        let reader = || -> Result<_, StoreError> {
            // Where others write, one that may not write at all could not join them after a crash.
            let reader = open::connection(path, access)?;
            let limited = reader.pragma_update(None, "query_only", true);
            limited.map_err(|error| open::failure(path, &error))?;
            Ok(Mutex::new(reader))
        };
        Ok(Self {
            first: reader()?,
            others: (1..COUNT).map(|_| reader()).collect::<Result<_, _>>()?,
            turn: AtomicUsize::new(0),
        })
    }

    /// One that is free, or else the first to become so of those that are busy.
    pub(super) fn any(&self) -> MutexGuard<'_, Connection> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % COUNT;
        let from_turn = self.others.iter().cycle().skip(turn).take(self.others.len());
        for reader in from_turn.chain([&self.first]) {
            match reader.try_lock() {
                Ok(reader) => return reader,
                Err(TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        let busy = self.others.get(turn).unwrap_or(&self.first);
        busy.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
