//! What the store has yet to take.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use mta_sts::PolicyDomain;

use super::lock;

/// A set of domains. Whether there are any can be asked at every call: it takes no lock.
#[derive(Default)]
pub(super) struct Pending {
    domains: Mutex<HashSet<PolicyDomain>>,
    /// Written under the lock, and so never at odds with the set for longer than that is held.
    ///
    /// The turn to write is given back before this is looked at for the last time, and asked for
    /// after it is set: in one order of all of these ([`Ordering::SeqCst`]) one of the two sees the
    /// other.
    any: AtomicBool,
}

impl Pending {
    pub(super) fn any(&self) -> bool {
        self.any.load(Ordering::SeqCst)
    }

    pub(super) fn len(&self) -> usize {
        lock(&self.domains).len()
    }

    pub(super) fn add(&self, domain: PolicyDomain) {
        self.extend([domain]);
    }

    pub(super) fn extend(&self, more: impl IntoIterator<Item = PolicyDomain>) {
        self.change(|domains| domains.extend(more));
    }

    pub(super) fn remove(&self, domain: &PolicyDomain) {
        self.change(|domains| {
            domains.remove(domain);
        });
    }

    /// Takes out at most so many.
    pub(super) fn take(&self, most: usize) -> Vec<PolicyDomain> {
        self.change(|domains| {
            let some: Vec<_> = domains.iter().take(most).cloned().collect();
            for domain in &some {
                domains.remove(domain);
            }
            some
        })
    }

    fn change<T>(&self, change: impl FnOnce(&mut HashSet<PolicyDomain>) -> T) -> T {
        let mut domains = lock(&self.domains);
        let result = change(&mut domains);
        self.any.store(!domains.is_empty(), Ordering::SeqCst);
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_whether_there_are_any_is_told_after_each_change() {
        let domain = |n: u32| PolicyDomain::parse(&format!("d{n}.example")).expect("a domain");
        let pending = Pending::default();
        let state = || (pending.any(), pending.len());
        assert_eq!(state(), (false, 0));
        pending.add(domain(1));
        pending.add(domain(1));
        assert_eq!(state(), (true, 1));
        pending.extend([domain(2), domain(3)]);
        pending.remove(&domain(1));
        assert_eq!(state(), (true, 2));
        assert_eq!(pending.take(1).len(), 1);
        assert_eq!(state(), (true, 1));
        assert_eq!(pending.take(256).len(), 1);
        assert_eq!(state(), (false, 0));
        assert!(pending.take(256).is_empty());
        pending.add(domain(4));
        pending.remove(&domain(4));
        assert_eq!(state(), (false, 0));
    }
}
