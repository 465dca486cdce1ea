//! Locks and permits by name, for as long as they are in use.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// A `T` for each key that is in use, such as the permits of an address.
#[derive(Debug)]
pub(crate) struct InUse<K, T>(Mutex<HashMap<K, Weak<T>>>);

impl<K, T> Default for InUse<K, T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash, T> InUse<K, T> {
    /// Returns the `T` of this key. All that use one key at a time share one `T`.
    pub(crate) fn of<Q>(&self, key: &Q, make: impl FnOnce() -> T) -> Arc<T>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ToOwned<Owned = K> + ?Sized,
    {
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = used.get(key).and_then(Weak::upgrade) {
            return found;
        }
        // Before the map grows it is swept, so that it stays in proportion to what is in use.
        if used.len() == used.capacity() {
            used.retain(|_, made| made.strong_count() > 0);
        }
        let new = Arc::new(make());
        used.insert(key.to_owned(), Arc::downgrade(&new));
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_has_one_value_as_long_as_it_is_used() {
        let used = InUse::default();
        let one = used.of("a", || 1);
        assert_eq!((*used.of("a", || 2), *used.of("b", || 3)), (1, 3));
        drop(one);
        assert_eq!(*used.of("a", || 4), 4);
    }

    #[test]
    fn unused_keys_are_swept() {
        let used = InUse::<u32, u32>::default();
        let kept = used.of(&0, || 0);
        for key in 1..10_000 {
            drop(used.of(&key, || key));
        }
        let left = used.0.lock().unwrap_or_else(PoisonError::into_inner).len();
        assert!(left <= 16, "{left}");
        assert_eq!(*kept, 0);
    }
}
