//! What a client shows of its lookups: events by `tracing`, never with the text of a policy.

use mta_sts::schedule::Alert;
use mta_sts::{Outcome, PolicyChange, Status, UnixTime};
use tracing::{debug, info, warn};

/// A lookup has ended that asked somebody.
pub(crate) fn looked_up(outcome: &Outcome, now: UnixTime) {
    let domain = outcome.domain().as_str();
    let status = outcome.status().as_str();
    let mode = outcome.policy().map(|held| held.mode().as_str());
    let expires_in = outcome.expires_in(now).map(|left| left.as_secs());
    if let Some(change) = outcome.change().filter(PolicyChange::is_weaker) {
        let before = change.mode.0.as_str();
        warn!(domain, status, mode, before, expires_in, "the policy protects less than before");
    }
    match outcome.problem() {
        Some(problem) => {
            let (code, reason) = (problem.code(), problem.reason_code());
            let reason = &*reason;
            // An administrator is told where a held policy is at stake (RFC 8461 §3.3).
            if outcome.alert(now).is_some() {
                warn!(domain, status, mode, problem = code, reason, expires_in, "{problem}");
            } else {
                debug!(domain, status, mode, problem = code, reason, "{problem}");
            }
        }
        None if outcome.status() == Status::Found => {
            info!(domain, status, mode, expires_in, "a policy was fetched");
        }
        None => debug!(domain, status, mode, expires_in, "looked up"),
    }
    if !outcome.is_persisted() {
        warn!(domain, status, "the store did not take what was learnt");
    }
}

/// Somebody should be told of a refresh.
pub(crate) fn alerted(alert: &Alert) {
    warn!(domain = alert.domain().as_str(), "{alert}");
}

/// The store has failed, or works again.
pub(crate) fn store_state(trouble: Option<&crate::StoreError>) {
    if let Some(error) = trouble {
        warn!(%error, "the store failed; what is held in memory serves");
    } else {
        info!("the store works again");
    }
}
