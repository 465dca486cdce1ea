//! Writes to the store in the background.

use std::sync::{Arc, Weak};
use std::thread;

use crate::keeper::Keeper;
use crate::writing::{GATHER, Turn, next_pause};

/// At most one thread at a time, and none where nothing is pending.
#[derive(Debug, Default)]
pub(super) struct Writer {
    turn: Turn,
}

impl Writer {
    /// Sees to it that what is pending is written soon.
    pub(super) fn wake(self: &Arc<Self>, keeper: &Arc<Keeper>) {
        if !self.turn.take(keeper) {
            return;
        }
        let (writer, weak) = (Arc::clone(self), Arc::downgrade(keeper));
        let spawned = thread::Builder::new()
            .name("mta-sts-writer".to_owned())
            .spawn(move || writer.run(&weak));
        if spawned.is_err() {
            // No thread is to be had: it stays pending, and the next lookup tries again.
            self.turn.give_back();
        }
    }

    fn run(&self, keeper: &Weak<Keeper>) {
        let mut pause = GATHER;
        loop {
            thread::sleep(pause);
            // Without a client there is nobody left who would need it.
            let Some(keeper) = keeper.upgrade() else { return };
            pause = next_pause(&keeper.flush_some(), pause);
            if !self.turn.goes_on(&keeper) {
                return;
            }
        }
    }
}
