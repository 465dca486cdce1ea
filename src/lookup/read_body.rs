//! The body comes in, chunk by chunk (RFC 8461 §3.3).

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ops::ControlFlow;
use core::time::Duration;

use super::problem::{EVIDENCE_OCTETS, lossy};
use super::rules::{self, Fetch};
use super::{Problem, Store};
use crate::entry::HeldPolicy;
use crate::failure::FetchFailure;
use crate::policy::Policy;
use crate::time::UnixTime;

/// Hand over the body by [`chunk`](Self::chunk), then reply by [`ended`](Self::ended) where it came
/// whole, by [`failed`](Self::failed) where it did not.
///
/// ```compile_fail,E0382
/// # fn f(mut body: mta_sts::lookup::ReadBody, now: mta_sts::UnixTime) {
/// let step = body.ended(now);
/// let more = body.chunk(b"more"); // the body has ended
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a lookup goes on only by a reply"]
pub struct ReadBody {
    pub(super) fetch: Box<Fetch>,
    /// The one buffer that the machine owns; never larger than the limit.
    pub(super) body: Vec<u8>,
    pub(super) overflow: bool,
}

impl ReadBody {
    /// Takes the next part of the body, of any size. [`ControlFlow::Break`] means that the limit is
    /// passed: stop reading, and reply [`ended`](Self::ended), which then counts as a refusal.
    pub fn chunk(&mut self, bytes: &[u8]) -> ControlFlow<()> {
        let limit = usize::try_from(self.limit()).unwrap_or(usize::MAX);
        let room = limit.saturating_sub(self.body.len());
        if self.overflow || bytes.len() > room {
            self.overflow = true;
            return ControlFlow::Break(());
        }
        self.body.extend_from_slice(bytes);
        ControlFlow::Continue(())
    }

    /// The time of the whole fetch, the part before the body included.
    pub fn timeout(&self) -> Duration {
        self.fetch.context.limits.fetch_timeout()
    }

    /// The policy that may be applied while the fetch is under way.
    pub fn interim(&self, now: UnixTime) -> Option<&HeldPolicy> {
        self.fetch.context.entry.policy(now)
    }

    /// The body has come whole: its framing was complete.
    pub fn ended(self, now: UnixTime) -> Store {
        // RFC 8461 §3.3: a limit on the size; what is beyond it is refused, never cut.
        if self.overflow {
            let limit = self.limit();
            return self.failed(FetchFailure::TooLarge { limit }, now);
        }
        match Policy::parse(&self.body, self.fetch.context.limits.profile()) {
            Ok(policy) => rules::fetched(self.fetch, policy, now),
            Err(error) => {
                let text = lossy(&self.body, EVIDENCE_OCTETS);
                rules::fetch_failed(self.fetch, Problem::PolicyInvalid { error, text }, now)
            }
        }
    }

    /// The body did not come whole.
    pub fn failed(self, failure: FetchFailure, now: UnixTime) -> Store {
        rules::fetch_failed(self.fetch, Problem::Fetch(failure), now)
    }

    fn limit(&self) -> u32 {
        self.fetch.context.limits.policy_octets()
    }
}
