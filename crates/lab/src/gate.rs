//! A reply that waits until the test lets it go.

use std::sync::Arc;

use tokio::sync::watch;

/// Holds replies back until it is opened, so that a test decides what happens first instead of
/// sleeping.
///
/// Hand it to [`DnsAnswer::held_by`](crate::DnsAnswer::held_by) or
/// [`Https::held_by`](crate::Https::held_by). Clones are the same gate; once open it stays open. A
/// reply that nobody lets go ends with its connection's [time](crate::LIFETIME).
#[derive(Clone, Debug)]
pub struct Gate {
    open: Arc<watch::Sender<bool>>,
}

impl Gate {
    /// A closed gate.
    pub fn closed() -> Self {
        Self { open: Arc::new(watch::Sender::new(false)) }
    }

    /// Lets go of whatever waits, and of all that comes later.
    pub fn open(&self) {
        self.open.send_replace(true);
    }

    pub(crate) async fn passed(&self) {
        // The sender lives in `self`: it cannot be gone while this waits.
        let _ = self.open.subscribe().wait_for(|open| *open).await;
    }
}
