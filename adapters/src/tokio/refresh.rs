//! Refreshing what is held ahead of its end (RFC 8461 §3.3, §10.2).

use std::sync::Arc;
use std::time::Duration;

use mta_sts::Outcome;
use mta_sts::schedule::Alert;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{sleep, timeout};

use super::MtaSts;

/// The longest sleep: nothing wakes it when the wall clock is set, or a delivery finds a policy.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);
/// The pause after a store could not be read.
const PAUSE: Duration = Duration::from_secs(60);

impl MtaSts {
    /// Refreshes every held policy ahead of its end, by the core's
    /// [`schedule`](mta_sts::schedule), for as long as it is polled: spawn it as a task, once for
    /// all clones. It begins with what the store holds, and never ends. Dropping it stops no
    /// refresh that has begun.
    ///
    /// `alert` is called with what an administrator should be told, and the outcome that it came
    /// of; it must not block.
    pub async fn refresh_all(&self, mut alert: impl FnMut(Alert, &Outcome) + Send) {
        let keeper = &self.driver.keeper;
        keeper.follow_news();
        while !self.follow_stored().await {
            sleep(PAUSE).await;
        }
        let mut refreshing = JoinSet::new();
        loop {
            while let Some(domain) = keeper.poll_due() {
                let client = self.clone();
                refreshing.spawn(async move { client.refresh(&domain).await });
            }
            let time = keeper.sleep_before_due().min(LONGEST_SLEEP);
            // An empty set would say so at once.
            let ended = if refreshing.is_empty() {
                sleep(time).await;
                None
            } else {
                timeout(time, refreshing.join_next()).await.ok().flatten()
            };
            // A refresh that panicked is taken for lost by the schedule, in time.
            if let Some(Ok(outcome)) = ended
                && let Some(told) = keeper.refreshed(&outcome)
            {
                alert(told, &outcome);
            }
        }
    }

    async fn follow_stored(&self) -> bool {
        let keeper = Arc::clone(&self.driver.keeper);
        spawn_blocking(move || keeper.follow_stored()).await.is_ok_and(|read| read.is_ok())
    }
}
