//! Where entries are kept.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use mta_sts::{Entry, EntryError, PolicyDomain, UnixTime, Urgency};

use crate::StoreError;

/// A store of entries, one for each Policy Domain.
///
/// The methods may block: the tokio client calls them on threads where that is allowed. Several
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

    /// Applies [`Entry::merge`] to what is held and keeps the result, as one atomic step against
    /// every other user of the store. With [`Urgency::Durable`] it outlives a crash once this
    /// returns.
    ///
    /// What is held and is not an entry gives way to one that has known a policy
    /// ([`Entry::generation`] above 0), and to no other: nobody knows what it protected.
    ///
    /// # Errors
    /// [`StoreError`] where nothing was changed.
    fn merge(&self, entry: &Entry, urgency: Urgency) -> Result<(), StoreError>;

    /// [`merge`](Self::merge) for many entries, in fewer steps where the store can.
    ///
    /// # Errors
    /// [`StoreError`]: some of the entries may not have been merged. [`StoreError::Entry`]: what is
    /// held for one of them is no entry, and all others were merged, or may be one by one.
    fn merge_all(&self, entries: &[Entry], urgency: Urgency) -> Result<(), StoreError> {
        entries.iter().try_for_each(|entry| self.merge(entry, urgency))
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

    fn merge(&self, entry: &Entry, urgency: Urgency) -> Result<(), StoreError> {
        (**self).merge(entry, urgency)
    }

    fn merge_all(&self, entries: &[Entry], urgency: Urgency) -> Result<(), StoreError> {
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

/// The entry merged into the bytes that a store holds: what is to be written, if anything. What is
/// held and is no entry gives way as [`Store::merge`] says.
#[cfg(any(feature = "redis", feature = "sqlite"))]
pub(crate) fn merged(entry: &Entry, held: Option<&[u8]>) -> Result<Option<Entry>, EntryError> {
    let Some(bytes) = held else { return Ok(Some(entry.clone())) };
    let held = match Entry::from_bytes(entry.domain(), bytes) {
        Ok(held) => held,
        // Nobody knows what it protected, so it gives way to a policy only; and what a later
        // version wrote is not damaged.
        Err(error @ EntryError::Version { .. }) => return Err(error),
        Err(error) if entry.generation() == 0 => return Err(error),
        Err(_) => return Ok(Some(entry.clone())),
    };
    let mut merged = entry.clone();
    // Both are of the one domain: there is nothing that could fail.
    let _ = merged.merge(held.clone());
    Ok((merged != held).then_some(merged))
}
