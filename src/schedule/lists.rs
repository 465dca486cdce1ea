//! Lists of domains, one for each tick that somebody waits for.

use alloc::collections::BTreeMap;

use super::chunks::Chunks;
use super::domains::Id;

/// Of a million domains some 25 wait for each second of a day: the tree is of seconds, and those of
/// one second are linked. So each takes 8 octets, and comes and goes without a search among many.
#[derive(Debug, Default)]
pub(super) struct Lists {
    /// The first domain of each list.
    first: BTreeMap<u64, Id>,
    /// The neighbours of each domain, by its number.
    links: Chunks<Link>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Link {
    before: Option<Id>,
    after: Option<Id>,
}

impl Lists {
    /// The first tick of all, and a domain that waits for it.
    pub(super) fn first(&self) -> Option<(u64, Id)> {
        self.first.first_key_value().map(|(tick, id)| (*tick, *id))
    }

    /// Puts a domain, which is in no list, into that of the tick.
    pub(super) fn insert(&mut self, tick: u64, id: Id) {
        let after = self.first.insert(tick, id);
        if let Some(link) = self.link(after) {
            link.before = Some(id);
        }
        while self.links.len() <= id.index() {
            self.links.push(Link::default());
        }
        if let Some(link) = self.link(Some(id)) {
            *link = Link { before: None, after };
        }
    }

    /// Takes a domain out of the list of the tick, where it is.
    pub(super) fn remove(&mut self, tick: u64, id: Id) {
        let Link { before, after } = self.link(Some(id)).copied().unwrap_or_default();
        if let Some(link) = self.link(after) {
            link.before = before;
        }
        if let Some(link) = self.link(before) {
            link.after = after;
        } else if let Some(after) = after {
            self.first.insert(tick, after);
        } else {
            self.first.remove(&tick);
        }
    }

    fn link(&mut self, id: Option<Id>) -> Option<&mut Link> {
        self.links.get_mut(id?.index())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;

    #[test]
    fn ok_a_link_is_small() {
        assert_eq!(size_of::<Link>(), 8);
    }

    /// Against a set of ticks and domains.
    #[test]
    fn ok_whoever_comes_and_goes_the_others_stay() {
        let mut lists = Lists::default();
        let mut expected = BTreeSet::new();
        let mut tick_of = [None; 50];
        let mut random = 1_u64;
        for _ in 0..20_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let (n, tick) = (usize::try_from(random >> 40).unwrap() % 50, random >> 20 & 7);
            let id = Id::of(n).unwrap();
            if let Some(tick) = tick_of[n].take() {
                lists.remove(tick, id);
                expected.remove(&(tick, id));
            } else {
                tick_of[n] = Some(tick);
                lists.insert(tick, id);
                expected.insert((tick, id));
            }
            let first = lists.first();
            assert_eq!(first.map(|(tick, _)| tick), expected.first().map(|(tick, _)| *tick));
            assert!(first.is_none_or(|first| expected.contains(&first)));
        }
        while let Some((tick, id)) = lists.first() {
            lists.remove(tick, id);
            assert!(expected.remove(&(tick, id)));
        }
        assert!(expected.is_empty());
    }
}
