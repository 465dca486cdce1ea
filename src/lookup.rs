//! The discovery machine (RFC 8461 §3, §5.1): what is known of one domain, and the next action that
//! finds out more.
//!
//! A [`Lookup`] starts into a [`QueryTxt`] or, where nothing is due, into an [`Outcome`]. Each state
//! owns all that it needs. A reply consumes the state and returns exactly what can follow: a state,
//! or a small enum where the way forks ([`Start`], [`AfterTxt`], [`AfterHead`]). Dropping a state
//! cancels the lookup. [`Step`] is the umbrella over all states, for a driver that keeps them in a
//! map.

mod fetch_policy;
pub(crate) mod gate;
mod limits;
mod outcome;
mod problem;
mod query_txt;
mod read_body;
mod rules;
mod step;
mod store;

use crate::entry::Entry;
use crate::name::PolicyDomain;
use crate::time::UnixTime;
use rules::Context;

pub use fetch_policy::{FetchPolicy, Head, HeadTolerance, POLICY_PATH};
pub use gate::{BounceToken, Gate};
pub use limits::Limits;
pub use outcome::{Decision, Outcome, PolicyChange, Status};
pub use problem::Problem;
pub use query_txt::QueryTxt;
pub use read_body::ReadBody;
pub use step::{AfterHead, AfterTxt, Start, Step};
pub use store::{Store, Urgency};

/// The answer of the store for the domain.
///
/// It has no default: a store that failed is not an empty store, and a lookup that does not know
/// what is held may let mail go in clear text.
#[derive(Debug, Clone)]
pub enum Held {
    /// The store has no entry.
    Nothing,
    /// The store has this entry. An entry of another domain counts as
    /// [`Unreadable`](Self::Unreadable).
    Entry(Entry),
    /// The store failed, or its bytes are no entry. Its policy, if any, is not known.
    Unreadable {
        /// An entry that the caller kept beside the store, if any. Its policy applies, and its
        /// notes hold, such as the wait after a failed fetch (RFC 8461 §3.3). That it has no policy
        /// says nothing.
        notes: Option<Entry>,
    },
}

/// The rule by which a lookup asks DNS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum Recheck {
    /// For a delivery: ask only if the last TXT outcome is no longer within its time.
    #[default]
    WhenDue,
    /// Ask now, whatever is remembered. Such a lookup never shares an earlier question.
    Always,
    /// Refresh a held policy ahead of its end (RFC 8461 §3.3, §10.2): ask DNS, then fetch whatever
    /// DNS says.
    Refresh,
}

/// A lookup that has not begun.
///
/// ```
/// use mta_sts::lookup::Start;
/// use mta_sts::{Held, Lookup, PolicyDomain, UnixTime};
///
/// let domain = PolicyDomain::parse("example.com")?;
/// let now = UnixTime::from_secs(1_800_000_000);
/// let Start::QueryTxt(query) = Lookup::new(domain, Held::Nothing).start(now) else {
///     unreachable!("nothing is known yet");
/// };
/// assert_eq!(query.name(), "_mta-sts.example.com");
/// # Ok::<(), mta_sts::NameError>(())
/// ```
///
/// The store cannot be left out:
///
/// ```compile_fail,E0061
/// # fn f(domain: mta_sts::PolicyDomain) {
/// let lookup = mta_sts::Lookup::new(domain); // what does the store hold?
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "a lookup does nothing until it is started"]
pub struct Lookup {
    domain: PolicyDomain,
    held: Held,
    recheck: Recheck,
    limits: Limits,
}

impl Lookup {
    /// Makes a lookup of `domain`, of which the store holds `held`, with [`Recheck::WhenDue`] and
    /// the default limits.
    #[inline]
    pub fn new(domain: PolicyDomain, held: Held) -> Self {
        Self { domain, held, recheck: Recheck::default(), limits: Limits::default() }
    }

    /// Sets the rule by which the lookup asks DNS.
    #[inline]
    pub fn recheck(self, recheck: Recheck) -> Self {
        Self { recheck, ..self }
    }

    /// Sets the limits.
    #[inline]
    pub fn limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// The domain to be looked up.
    pub const fn domain(&self) -> &PolicyDomain {
        &self.domain
    }

    /// Starts the lookup: with a question to DNS, or with the outcome if nothing is due.
    #[inline]
    pub fn start(self, now: UnixTime) -> Start {
        rules::started(self.context(now), now)
    }

    /// Builds an interim outcome without any question, for a caller that cannot wait while another
    /// lookup of the same domain is in progress. It holds the policy that is held, or says that
    /// none is known. If something is due, its problem is [`Problem::NotAwaited`]. It reports
    /// [`Status::Absent`] only if memory says so, never because a lookup is in progress.
    ///
    /// Nothing is learnt by it, so its entry needs no store, and it never lets a mail bounce.
    ///
    /// ```
    /// use mta_sts::{Held, Lookup, PolicyDomain, Problem, Status, UnixTime};
    ///
    /// let now = UnixTime::from_secs(1_800_000_000);
    /// let lookup = Lookup::new(PolicyDomain::parse("example.com")?, Held::Nothing);
    /// let outcome = lookup.interim(now);
    /// // DNS was not asked yet. That is not the same as "has no policy".
    /// assert_eq!(outcome.status(), Status::Unknown);
    /// assert_eq!(outcome.problem(), Some(&Problem::NotAwaited));
    /// # Ok::<(), mta_sts::NameError>(())
    /// ```
    pub fn interim(self, now: UnixTime) -> Outcome {
        rules::unasked(self.context(now), now)
    }

    #[inline]
    fn context(self, now: UnixTime) -> Context {
        let (entry, readable) = match self.held {
            Held::Entry(entry) if entry.domain() == &self.domain => (Some(entry), true),
            Held::Nothing => (None, true),
            Held::Entry(_) => (None, false),
            Held::Unreadable { notes } => {
                (notes.filter(|entry| entry.domain() == &self.domain), false)
            }
        };
        let mut entry = entry.unwrap_or_else(|| Entry::new(self.domain, now));
        // Only a question leads to a write.
        let is_recalled = self.recheck == Recheck::WhenDue && !entry.is_count_due(now);
        if self.recheck == Recheck::Refresh {
            entry.anchor(now);
        } else {
            entry.touch(now);
        }
        let recheck = match self.recheck {
            Recheck::WhenDue if !is_recalled => Recheck::Always,
            recheck => recheck,
        };
        let limits = self.limits;
        Context { entry, readable, recheck, limits, gate: None, asked_at: now }
    }
}
