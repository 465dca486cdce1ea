//! What an outside observer knows: what was published, what was fetched under a certificate that is
//! valid, by whom, when, and what of it the store has taken. Nothing here asks the implementation.

use crate::model::Mode;
use crate::oracle;

/// A policy as its owner published it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Publication {
    pub(super) id: String,
    pub(super) mode: Mode,
    pub(super) max_age: u64,
    pub(super) patterns: &'static [&'static str],
    pub(super) text: String,
}

/// A fetch that was verified and whole.
#[derive(Debug, Clone)]
pub(super) struct Fetch {
    pub(super) policy: Publication,
    /// The id that DNS announced for it; where it announced none, those of what was held.
    ids: Vec<String>,
    /// The wall clock when it ended, in seconds.
    pub(super) wall: u64,
    /// The number of the move in which its lookup read the store.
    read: usize,
    /// The number of the move in which the store took it.
    stored: Option<usize>,
    /// It takes the place of whatever was stored before its lookup read the store. Not so where the
    /// store could not be read, or was empty, and the clock may have been behind: then the later time
    /// stays, and either may be the later one.
    supersedes: bool,
    /// The store has dropped it. A lookup that was under way may bring it back.
    is_purged: bool,
}

impl Fetch {
    pub(super) fn is_expired(&self, wall: u64) -> bool {
        // One without a life is never kept, whatever the clock does.
        self.policy.max_age == 0 || wall >= self.wall.saturating_add(self.policy.max_age)
    }
}

/// All fetches, in their order.
#[derive(Debug, Clone, Default)]
pub(super) struct Truth {
    fetches: Vec<Fetch>,
    latest_wall: u64,
}

/// What a lookup may find by right: one of these policies, and perhaps none at all.
#[derive(Debug, Clone)]
pub(super) struct Admissible {
    pub(super) policies: Vec<Fetch>,
    pub(super) none: bool,
}

impl Truth {
    /// A fetch has ended; its number.
    pub(super) fn fetched(
        &mut self,
        policy: Publication,
        announced: Option<String>,
        wall: u64,
        (read, knew_nothing): (usize, bool),
    ) -> usize {
        let is_later = wall > self.latest_wall.saturating_add(60) && policy.max_age > 0;
        self.latest_wall = self.latest_wall.max(wall);
        let supersedes = !knew_nothing || is_later;
        let ids = match announced {
            Some(id) => vec![id],
            None => self.latest(read).into_iter().flat_map(|f| f.ids.clone()).collect(),
        };
        let fetch = Fetch { policy, ids, wall, read, stored: None, supersedes, is_purged: false };
        self.fetches.push(fetch);
        self.fetches.len() - 1
    }

    pub(super) fn stored(&mut self, number: usize, at: usize) {
        self.fetches[number].stored = Some(at);
    }

    /// The store has dropped its entry; whether it had the right to. A policy must stay until it has
    /// been expired for 30 days: the clock may be wrong.
    pub(super) fn purged(&mut self, wall: u64) -> bool {
        let over = |f: &Fetch| {
            let expiry = f.wall.saturating_add(f.policy.max_age);
            f.is_purged || f.policy.max_age == 0 || wall >= expiry.saturating_add(30 * 86_400)
        };
        let latest = self.latest(usize::MAX);
        let is_right = latest.is_empty() || latest.into_iter().any(over);
        self.fetches.iter_mut().for_each(|f| f.is_purged |= f.stored.is_some());
        is_right
    }

    /// What the store may have at the move `read`: what it took before, and nothing superseded.
    fn latest(&self, read: usize) -> Vec<&Fetch> {
        let known = || self.fetches.iter().filter(move |f| f.stored.is_some_and(|at| at < read));
        let is_superseded = |fetch: &&Fetch| {
            known().any(|later| later.supersedes && fetch.stored < Some(later.read))
        };
        known().filter(|fetch| !is_superseded(fetch)).collect()
    }

    /// What a lookup may find that read the store at the move `read` and ends at `wall`, having
    /// itself fetched what has this number.
    pub(super) fn admissible(&self, read: usize, wall: u64, own: Option<usize>) -> Admissible {
        if let Some(own) = own {
            return Admissible { policies: vec![self.fetches[own].clone()], none: false };
        }
        let latest = self.latest(read);
        let may_be_gone = |fetch: &&Fetch| fetch.is_expired(wall) || fetch.is_purged;
        Admissible {
            none: latest.is_empty() || latest.iter().any(may_be_gone),
            policies: latest.into_iter().filter(|f| !f.is_expired(wall)).cloned().collect(),
        }
    }

    /// Whether a policy of this text was fetched under this id.
    pub(super) fn was_fetched_under(&self, text: &str, id: &str) -> bool {
        let has = |f: &Fetch| f.policy.text == text && f.ids.iter().any(|known| known == id);
        self.fetches.iter().any(has)
    }
}

impl Admissible {
    /// Whether one of them lets the mail go to this host.
    pub(super) fn permits(&self, host: &str, is_verified: bool) -> bool {
        let allows = |fetch: &Fetch| {
            let matches = fetch.policy.patterns.iter().any(|p| oracle::matches(p, host));
            fetch.policy.mode != Mode::Enforce || (matches && is_verified)
        };
        self.none || self.policies.iter().any(allows)
    }

    /// Whether what a sender applies is one of them.
    pub(super) fn has(&self, applied: Option<&str>) -> bool {
        match applied {
            None => self.none,
            Some(text) => self.policies.iter().any(|fetch| fetch.policy.text == text),
        }
    }
}
