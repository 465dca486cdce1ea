//! Writes to the store in the background.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::StoreError;
use crate::keeper::Keeper;

/// For so long are changes gathered.
const GATHER: Duration = Duration::from_secs(1);
/// The longest pause after a store has failed.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// At most one task at a time, and none where nothing is pending.
#[derive(Debug, Default)]
pub(super) struct Writer {
    turn: Turn,
}

impl Writer {
    /// Has a task of the runtime write what is pending, and soon.
    pub(super) fn wake(
        self: &Arc<Self>,
        keeper: &Arc<Keeper>,
        runtime: impl FnOnce() -> Option<Handle>,
    ) {
        if !self.turn.take(keeper) {
            return;
        }
        let Some(runtime) = runtime() else {
            // Outside of a runtime it stays pending, and the next lookup tries again.
            return self.turn.give_back();
        };
        let (held, keeper) = (Held(Some(Arc::clone(self))), Arc::downgrade(keeper));
        runtime.spawn(held.run(keeper));
    }
}

/// The turn to write: given back also where its task ends with the runtime, after which there may be
/// another.
struct Held(Option<Arc<Writer>>);

impl Held {
    async fn run(mut self, keeper: Weak<Keeper>) {
        let mut pause = GATHER;
        loop {
            sleep(pause).await;
            // Without a client there is nobody left who would need it.
            let Some(keeper) = keeper.upgrade() else { return };
            let writing = Arc::clone(&keeper);
            let written = spawn_blocking(move || writing.flush_some()).await;
            // A store that panics has failed.
            let written = written.unwrap_or_else(|e| Err(StoreError::Backend(e.to_string())));
            pause = next_pause(&written, pause);
            let Some(writer) = &self.0 else { return };
            if !writer.turn.goes_on(&keeper) {
                // It is given back already, and may be another's.
                self.0 = None;
                return;
            }
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(writer) = &self.0 {
            writer.turn.give_back();
        }
    }
}

/// The turn to write: at most one has it at a time, and none where nothing is pending.
#[derive(Debug, Default)]
struct Turn(AtomicBool);

impl Turn {
    /// Takes the turn, if there is something to write and nobody has it.
    fn take(&self, keeper: &Keeper) -> bool {
        keeper.has_pending() && !self.0.swap(true, Ordering::SeqCst)
    }

    /// Gives the turn back.
    fn give_back(&self) {
        self.0.store(false, Ordering::SeqCst);
    }

    /// Whether whoever has the turn is to go on. If not, it is given back.
    fn goes_on(&self, keeper: &Keeper) -> bool {
        if keeper.has_pending() {
            return true;
        }
        self.give_back();
        // What became pending in between found the turn taken.
        self.take(keeper)
    }
}

/// How long to wait after a write that followed a wait of `pause`.
fn next_pause(written: &Result<bool, StoreError>, pause: Duration) -> Duration {
    match written {
        Ok(_) => GATHER,
        Err(_) => (pause * 2).min(LONGEST_PAUSE),
    }
}
