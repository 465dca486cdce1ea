//! Where entries are kept.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use mta_sts::{Entry, EntryError, PolicyDomain, UnixTime, Urgency};

use crate::StoreError;

/// A store of entries, one for each Policy Domain.
///
/// The methods may block: the client calls them on threads where that is allowed. Several
/// clients, and several processes, may use one store at the same time.
///
/// A store that fails costs no mail and no protection: the client keeps what it knows in memory and
/// writes it again later.
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// What is held for `domain`; `None` only where it is certain that nothing is.
    ///
    /// # Errors
    /// [`StoreError`] where the storage failed, or what it holds is not an entry.
    fn get(&self, domain: &PolicyDomain) -> Result<Option<Entry>, StoreError>;

    /// Applies [`Entry::merge`] to the entry that is held and keeps the result, as one atomic step
    /// against every other user of the store. Returns the entry that the store holds after that
    /// step: another writer may have put a later policy there, and a lookup must speak of that one
    /// ([`mta_sts::lookup::Store::stored`]). With [`Urgency::Durable`] the result outlives a crash
    /// once this method returns.
    ///
    /// Bytes that are held and are no entry give way to an entry that has known a policy
    /// ([`Entry::generation`] above 0), and to no other, because it is not known what they
    /// protected.
    ///
    /// # Errors
    /// [`StoreError::Entry`] if the bytes that are held are no entry and stay. Another
    /// [`StoreError`] if the storage failed and nothing was changed.
    fn merge(&self, entry: &Entry, urgency: Urgency) -> Result<Entry, StoreError>;

    /// [`merge`](Self::merge) for many entries, in fewer steps where the store can.
    ///
    /// Returns one result for each of `entries`, in their order: the merged entry, or the fault of
    /// the bytes that are held and stay. One result for each, because one damaged row must not hold
    /// up all others.
    ///
    /// # Errors
    /// [`StoreError`] if the storage failed. Some of the entries may not have been merged then.
    fn merge_all(
        &self,
        entries: &[Entry],
        urgency: Urgency,
    ) -> Result<Vec<Result<Entry, EntryError>>, StoreError> {
        let one = |entry| match self.merge(entry, urgency) {
            Ok(merged) => Ok(Ok(merged)),
            Err(StoreError::Entry(error)) => Ok(Err(error)),
            Err(error) => Err(error),
        };
        entries.iter().map(one).collect()
    }

    /// Drops what is held for `domain`, be it an entry or not; says whether there was something.
    ///
    /// # Errors
    /// [`StoreError`] where it could not be dropped.
    fn remove(&self, domain: &PolicyDomain) -> Result<bool, StoreError>;

    /// Shows all that is held, what was used last first, until `visit` breaks.
    ///
    /// # Errors
    /// [`StoreError`] where the storage failed. What is not an entry is no error, and shown.
    fn visit(&self, visit: &mut dyn FnMut(Stored) -> ControlFlow<()>) -> Result<(), StoreError>;

    /// Drops some of the entries that [may be dropped](Entry::is_disposable), and says how many: at
    /// most 10,000, so call it again where it was as many. An entry that another process fills at
    /// this very moment may be lost, at the price of one more lookup.
    ///
    /// # Errors
    /// [`StoreError`] where the storage failed.
    fn prune(&self, now: UnixTime) -> Result<usize, StoreError> {
        const SOME: usize = 10_000;
        let mut disposable = Vec::new();
        self.visit(&mut |stored| {
            if let Ok(entry) = stored.entry
                && entry.is_disposable(now)
            {
                disposable.push(entry.domain().clone());
            }
            if disposable.len() < SOME { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        for domain in &disposable {
            self.remove(domain)?;
        }
        Ok(disposable.len())
    }

    /// Drops what is held and is no entry, and says for which domains. Until then such a domain is
    /// [unreadable](mta_sts::Held::Unreadable), for nobody knows what protected it; afterwards it
    /// is one that was never seen. What a later version wrote is not damaged, and stays.
    ///
    /// # Errors
    /// [`StoreError`] where the storage failed; some may have been dropped.
    fn remove_unreadable(&self) -> Result<Vec<String>, StoreError> {
        let mut unreadable = Vec::new();
        self.visit(&mut |stored| {
            if stored.is_damaged() {
                unreadable.push(stored.domain);
            }
            ControlFlow::Continue(())
        })?;
        for name in &unreadable {
            if let Ok(domain) = PolicyDomain::parse(name) {
                self.remove(&domain)?;
            }
        }
        Ok(unreadable)
    }
}

/// What a store holds for one domain.
#[derive(Debug, Clone)]
pub struct Stored {
    /// The domain, as the store has it.
    pub domain: String,
    /// The start of the day on which a delivery last asked for it.
    pub last_used: UnixTime,
    /// The entry, or why it is none.
    pub entry: Result<Entry, EntryError>,
}

impl Stored {
    /// Whether it is no entry, and none of a later version either.
    pub fn is_damaged(&self) -> bool {
        !matches!(self.entry, Ok(_) | Err(EntryError::Version { .. }))
    }
}

impl<S: Store + ?Sized> Store for Arc<S> {
    fn get(&self, domain: &PolicyDomain) -> Result<Option<Entry>, StoreError> {
        (**self).get(domain)
    }

    fn merge(&self, entry: &Entry, urgency: Urgency) -> Result<Entry, StoreError> {
        (**self).merge(entry, urgency)
    }

    fn merge_all(
        &self,
        entries: &[Entry],
        urgency: Urgency,
    ) -> Result<Vec<Result<Entry, EntryError>>, StoreError> {
        (**self).merge_all(entries, urgency)
    }

    fn remove(&self, domain: &PolicyDomain) -> Result<bool, StoreError> {
        (**self).remove(domain)
    }

    fn visit(&self, visit: &mut dyn FnMut(Stored) -> ControlFlow<()>) -> Result<(), StoreError> {
        (**self).visit(visit)
    }

    fn prune(&self, now: UnixTime) -> Result<usize, StoreError> {
        (**self).prune(now)
    }

    fn remove_unreadable(&self) -> Result<Vec<String>, StoreError> {
        (**self).remove_unreadable()
    }
}

/// The result of a merge into the bytes that a store holds.
#[cfg(any(feature = "redis", feature = "sqlite"))]
pub(crate) struct Merged {
    /// The entry that the store holds after the merge.
    pub(crate) entry: Entry,
    /// The entry differs from what the store held, so it must be written.
    pub(crate) is_news: bool,
}

/// Merges the entry into the bytes that a store holds. Bytes that are no entry give way as
/// [`Store::merge`] says.
#[cfg(any(feature = "redis", feature = "sqlite"))]
pub(crate) fn merged(entry: &Entry, held: Option<&[u8]>) -> Result<Merged, EntryError> {
    let replaced = || Ok(Merged { entry: entry.clone(), is_news: true });
    let Some(bytes) = held else { return replaced() };
    let held = match Entry::from_bytes(entry.domain(), bytes) {
        Ok(held) => held,
        // A later version's bytes are not damaged, and stay.
        Err(error @ EntryError::Version { .. }) => return Err(error),
        // It is not known what damaged bytes protected, so they give way to a policy only.
        Err(error) if entry.generation() == 0 => return Err(error),
        Err(_) => return replaced(),
    };
    let mut merged = held.clone();
    merged.merge(entry.clone()).expect("`from_bytes` returns an entry of this domain");
    let is_news = merged != held;
    Ok(Merged { entry: merged, is_news })
}
