//! The discovery machine (RFC 8461 §3, §5.1): what is known of one domain, and the next thing to
//! do to know more.
//!
//! A [`Lookup`] starts into a [`Step`]. Each step but the last is a state that owns all it needs; a
//! reply consumes it and gives the next step. Dropping a state cancels the lookup.

mod decide;
mod fetch_policy;
pub(crate) mod gate;
mod limits;
mod outcome;
mod problem;
mod query_txt;
mod read_body;
mod store;

use alloc::boxed::Box;

use crate::entry::{Entry, HeldPolicy};
use crate::name::PolicyDomain;
use crate::time::UnixTime;
use gate::Refused;

pub use fetch_policy::{FetchPolicy, Head, POLICY_PATH};
pub use gate::BounceToken;
pub use limits::Limits;
pub use outcome::{Decision, Outcome, PolicyChange, Status};
pub use problem::Problem;
pub use query_txt::QueryTxt;
pub use read_body::ReadBody;
pub use store::{Store, Urgency};

/// What the store said of the domain.
#[derive(Debug, Clone, Default)]
pub enum Held {
    /// It has no entry.
    #[default]
    Nothing,
    /// It has this entry. One of another domain counts as [`Unreadable`](Self::Unreadable).
    Entry(Entry),
    /// It failed, or its bytes are no entry: what it holds is not known. A store that failed is not
    /// an empty store.
    Unreadable,
}

/// When to ask DNS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum Recheck {
    /// For a delivery: only where what DNS last said is no longer within its time.
    #[default]
    WhenDue,
    /// Now, whatever is remembered. Such a lookup never shares an earlier question.
    Always,
    /// To refresh a held policy ahead of its end (RFC 8461 §3.3, §10.2): ask DNS, then fetch
    /// whatever DNS says.
    Refresh,
}

/// A lookup that has not begun.
///
/// ```
/// use mta_sts::{Held, Lookup, PolicyDomain, Step, UnixTime};
///
/// let domain = PolicyDomain::parse("example.com")?;
/// let now = UnixTime::from_secs(1_800_000_000);
/// let Step::QueryTxt(query) = Lookup::new(domain).held(Held::Nothing).start(now) else {
///     unreachable!("nothing is known yet");
/// };
/// assert_eq!(query.name(), "_mta-sts.example.com");
/// # Ok::<(), mta_sts::NameError>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "a lookup does nothing until it is started"]
pub struct Lookup {
    domain: PolicyDomain,
    held: Held,
    recheck: Recheck,
    limits: Limits,
    gate: Option<Box<Refused>>,
}

impl Lookup {
    /// A lookup of `domain`, with nothing held, [`Recheck::WhenDue`] and the default limits.
    #[inline]
    pub fn new(domain: PolicyDomain) -> Self {
        let (held, recheck, limits) = (Held::default(), Recheck::default(), Limits::default());
        Self { domain, held, recheck, limits, gate: None }
    }

    /// The lookup by which a refused delivery asks again before it may bounce.
    pub(crate) fn for_gate(refused: Refused, domain: PolicyDomain) -> Self {
        Self { recheck: Recheck::Always, gate: Some(Box::new(refused)), ..Self::new(domain) }
    }

    /// With what the store said.
    #[inline]
    pub fn held(self, held: Held) -> Self {
        Self { held, ..self }
    }

    /// With another rule when to ask DNS. The lookup of a bounce gate always asks.
    #[inline]
    pub fn recheck(self, recheck: Recheck) -> Self {
        let recheck = if self.gate.is_some() { Recheck::Always } else { recheck };
        Self { recheck, ..self }
    }

    /// With other limits.
    #[inline]
    pub fn limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// The domain to be looked up.
    pub const fn domain(&self) -> &PolicyDomain {
        &self.domain
    }

    /// Starts: either nothing is due and the answer is at once [`Step::Done`], or DNS is asked.
    #[inline]
    pub fn start(self, now: UnixTime) -> Step {
        decide::started(self.context(now), now)
    }

    /// The answer without asking anybody, for a caller whose patience is over, while another lookup
    /// of the same domain goes on: what is held, or that nothing is known. Where something is due
    /// it comes with [`Problem::NotAwaited`].
    ///
    /// Nothing is learnt by it, so its entry needs no store, and it never lets a mail bounce.
    ///
    /// ```
    /// use mta_sts::{Lookup, PolicyDomain, Problem, Status, UnixTime};
    ///
    /// let now = UnixTime::from_secs(1_800_000_000);
    /// let outcome = Lookup::new(PolicyDomain::parse("example.com")?).interim(now);
    /// // Nobody has asked yet: that is not the same as "has no policy".
    /// assert_eq!(outcome.status(), Status::Unknown);
    /// assert_eq!(outcome.problem(), Some(&Problem::NotAwaited));
    /// # Ok::<(), mta_sts::NameError>(())
    /// ```
    pub fn interim(self, now: UnixTime) -> Outcome {
        decide::unasked(self.context(now), now)
    }

    #[inline]
    fn context(self, now: UnixTime) -> decide::Context {
        let (mut entry, readable) = match self.held {
            Held::Entry(entry) if entry.domain() == &self.domain => (entry, true),
            Held::Nothing => (Entry::new(self.domain, now), true),
            Held::Entry(_) | Held::Unreadable => (Entry::new(self.domain, now), false),
        };
        if self.recheck != Recheck::Refresh {
            entry.touch(now);
        }
        let (recheck, limits, gate) = (self.recheck, self.limits, self.gate);
        decide::Context { entry, readable, recheck, limits, gate }
    }
}

/// What to do next.
#[derive(Debug)]
#[must_use = "a lookup goes on only by a reply to its step"]
// The outcome stays unboxed: it is all there is on the path without I/O, which must not allocate.
#[allow(clippy::large_enum_variant)]
pub enum Step {
    /// Ask DNS for the TXT record.
    QueryTxt(QueryTxt),
    /// Ask the Policy Host for the policy.
    FetchPolicy(FetchPolicy),
    /// Read the body of its response.
    ReadBody(ReadBody),
    /// Write the entry.
    Store(Store),
    /// The lookup is done.
    Done(Outcome),
}

impl Step {
    /// The policy that may be applied while the lookup goes on: who has no more patience takes it
    /// and lets the lookup go on in the background.
    pub fn interim(&self, now: UnixTime) -> Option<&HeldPolicy> {
        match self {
            Self::QueryTxt(state) => state.interim(now),
            Self::FetchPolicy(state) => state.interim(now),
            Self::ReadBody(state) => state.interim(now),
            Self::Store(state) => state.interim(now),
            Self::Done(outcome) => outcome.policy(),
        }
    }
}
