//! The runtime of a client whose callers have none.

use std::fmt;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use tokio::runtime::{self, EnterGuard, Handle, Runtime};
use tokio::task::block_in_place;

use crate::BuildError;

/// The number of threads that drive lookups. Two, so that a slow TLS handshake holds up no other
/// lookup: all else that a lookup does is to wait.
const WORKERS: usize = 2;

/// A runtime, which ends without a wait once nothing owns it.
pub(super) struct Background {
    handle: Handle,
    /// `None` only while it is dropped.
    runtime: Option<Runtime>,
}

impl Background {
    pub(super) fn start() -> Result<Arc<Self>, BuildError> {
        let runtime = runtime::Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .thread_name("mta-sts")
            .enable_all()
            .build()
            .map_err(|error| BuildError::Runtime(error.to_string()))?;
        Ok(Arc::new(Self { handle: runtime.handle().clone(), runtime: Some(runtime) }))
    }

    pub(super) fn handle(&self) -> &Handle {
        &self.handle
    }

    pub(super) fn enter(&self) -> EnterGuard<'_> {
        self.handle.enter()
    }

    /// Runs the work on the runtime, and blocks the calling thread until the work has ended.
    ///
    /// [`Runtime::block_on`] panics inside of another runtime. A channel works there as well.
    pub(super) fn wait<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> T {
        let (sender, receiver) = sync_channel(1);
        let working = self.handle.spawn(work);
        self.handle.spawn(async move {
            // The receiver waits for what is sent.
            let _ = sender.send(working.await);
        });
        // A worker of this runtime that waits hands its tasks to another thread first.
        let is_worker = Handle::try_current().is_ok_and(|now| now.id() == self.handle.id());
        let wait = || receiver.recv();
        let ended = if is_worker { block_in_place(wait) } else { wait() };
        let ended = ended.expect("the runtime lives as long as the client that waits");
        // Nothing aborts the work, so that an error is a panic of a part of it.
        ended.unwrap_or_else(|error| resume_unwind(error.into_panic()))
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // A runtime that is merely dropped waits for its threads, and panics inside of another one.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for Background {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Background").finish_non_exhaustive()
    }
}
