//! Writes to the store in the background.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use crate::keeper::Keeper;

/// At most one thread at a time, and none where nothing is pending.
#[derive(Debug, Default)]
pub(super) struct Writer {
    running: AtomicBool,
}

/// For so long are changes gathered.
const GATHER: Duration = Duration::from_secs(1);
/// The longest pause after a store has failed.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

impl Writer {
    /// Sees to it that what is pending is written soon.
    pub(super) fn wake(self: &Arc<Self>, keeper: &Arc<Keeper>) {
        if !keeper.has_store() || !keeper.has_pending() || self.running.swap(true, Ordering::AcqRel)
        {
            return;
        }
        let (writer, weak) = (Arc::clone(self), Arc::downgrade(keeper));
        let spawned = thread::Builder::new()
            .name("mta-sts-writer".to_owned())
            .spawn(move || writer.run(&weak));
        if spawned.is_err() {
            // No thread is to be had: it stays pending, and the next lookup tries again.
            self.running.store(false, Ordering::Release);
        }
    }

    fn run(&self, keeper: &Weak<Keeper>) {
        let mut pause = GATHER;
        loop {
            thread::sleep(pause);
            // Without a client there is nobody left who would need it.
            let Some(keeper) = keeper.upgrade() else { return };
            pause = match keeper.flush_some() {
                Ok(_) => GATHER,
                Err(_) => (pause * 2).min(LONGEST_PAUSE),
            };
            if keeper.has_pending() {
                continue;
            }
            self.running.store(false, Ordering::Release);
            // What became pending in between found the writer running.
            if !keeper.has_pending() || self.running.swap(true, Ordering::AcqRel) {
                return;
            }
        }
    }
}
