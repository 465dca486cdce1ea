//! Writes to the store in the background.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::keeper::Keeper;

/// At most one task at a time, and none where nothing is pending.
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
        let (writer, keeper) = (Arc::clone(self), Arc::downgrade(keeper));
        tokio::spawn(async move { writer.run(keeper).await });
    }

    async fn run(&self, keeper: Weak<Keeper>) {
        let mut pause = GATHER;
        loop {
            sleep(pause).await;
            // Without a client there is nobody left who would need it.
            let Some(keeper) = keeper.upgrade() else { return };
            let writing = Arc::clone(&keeper);
            match spawn_blocking(move || writing.flush_some()).await {
                Ok(Ok(_)) => pause = GATHER,
                Ok(Err(_)) | Err(_) => pause = (pause * 2).min(LONGEST_PAUSE),
            }
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
