//! Writes to the store in the background.

use std::sync::{Arc, Weak};

use tokio::runtime::Handle;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::StoreError;
use crate::keeper::Keeper;
use crate::writing::{GATHER, Turn, next_pause};

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
