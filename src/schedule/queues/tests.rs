use super::*;
use crate::entry::{Entry, HeldPolicy};
use crate::policy::{Policy, Profile};
use crate::record::PolicyId;
use crate::time::UnixTime;
use alloc::vec::Vec;

use Lane::{Regular, Short, Slow};

/// Queues of which so many refreshes have begun, and lanes in which a domain is ready.
fn queues(begun: [usize; 3], late: usize, ready: &[Lane]) -> Queues {
    let mut queues = Queues { late, ..Queues::default() };
    for (lane, begun) in [Regular, Short, Slow].into_iter().zip(begun) {
        queues.lane_mut(lane).begun = begun;
        if ready.contains(&lane) {
            let domain = PolicyDomain::parse("a.example").unwrap();
            queues.lane_mut(lane).ready.insert((0, domain));
        }
    }
    queues
}

#[test]
fn lanes_open_by_their_shares() {
    type Row = (usize, [usize; 3], usize, &'static [Lane], &'static [Lane]);
    const ALL: &[Lane] = &[Regular, Short, Slow];
    let cases: &[Row] = &[
        // Of 64: 16 and 8 go first, then the regular lane.
        (64, [0, 0, 0], 0, ALL, &[Slow, Short, Regular, Short, Slow]),
        (64, [0, 0, 15], 0, ALL, &[Slow, Short, Regular, Short, Slow]),
        (64, [0, 0, 16], 0, ALL, &[Short, Regular, Short]),
        (64, [0, 7, 16], 0, ALL, &[Short, Regular, Short]),
        (64, [0, 8, 16], 0, ALL, &[Regular, Short]),
        (64, [39, 8, 16], 0, ALL, &[Regular, Short]),
        (64, [40, 8, 16], 0, ALL, &[]),
        // What one lane does not need is for the others, but for the slow one.
        (64, [63, 0, 0], 0, &[Regular], &[Regular]),
        (64, [0, 63, 0], 0, &[Short], &[Short]),
        (64, [0, 0, 16], 0, &[Slow], &[]),
        // Late ones count as slow ones, and take no place.
        (64, [0, 0, 6], 10, ALL, &[Short, Regular, Short]),
        (64, [40, 8, 15], 500, ALL, &[Regular, Short]),
        // A few.
        (4, [0, 0, 1], 0, ALL, &[Regular, Short]),
        (3, [0, 0, 0], 0, ALL, &[Regular, Short, Slow]),
        (3, [0, 0, 1], 0, ALL, &[Regular, Short]),
        (1, [0, 0, 0], 0, ALL, &[Regular, Short, Slow]),
        (1, [0, 0, 0], 1, ALL, &[Regular, Short]),
        (1, [1, 0, 0], 0, ALL, &[]),
        (usize::MAX, [9, 9, 9], 9, &[Regular], &[Regular]),
        (64, [0, 0, 0], 0, &[], &[]),
    ];
    for (n, (most, begun, late, ready, expected)) in cases.iter().enumerate() {
        let open: Vec<_> = queues(*begun, *late, ready).open(*most).collect();
        assert_eq!(open, *expected, "row {n}");
    }
}

#[test]
fn domain_is_where_its_slot_says_and_nowhere_after_it_was_taken() {
    let now = UnixTime::from_secs(1_800_000_000);
    let domain = PolicyDomain::parse("a.example").unwrap();
    let text = b"version: STSv1\nmode: enforce\nmx: a.example\nmax_age: 864000\n";
    let policy = Policy::parse(text, Profile::Strict).unwrap();
    let mut entry = Entry::new(domain.clone(), now);
    entry.put(HeldPolicy::new(policy, PolicyId::parse("1").unwrap(), now));
    let mut slot = Slot::of(&entry, now).unwrap();
    slot.tick = 9;

    let mut queues = Queues::default();
    for (place, is_waiting, ready, in_flight, parked) in [
        (Place::Waiting, true, None, 0, 0),
        (Place::Parked, true, None, 0, 1),
        (Place::Ready(Regular), false, Some(Regular), 0, 0),
        (Place::Ready(Short), false, Some(Short), 0, 0),
        (Place::Ready(Slow), true, Some(Slow), 0, 0),
        (Place::Begun(Regular), true, None, 1, 0),
        (Place::Begun(Short), true, None, 1, 0),
        (Place::Begun(Slow), true, None, 1, 0),
        (Place::Late, true, None, 1, 0),
    ] {
        slot.place = place;
        queues.put(domain.clone(), &slot);
        let waiting = is_waiting.then_some((9, &domain));
        assert_eq!(queues.first_waiting(), waiting, "{place:?}");
        for lane in [Regular, Short, Slow] {
            assert_eq!(queues.first_ready(lane).is_some(), ready == Some(lane), "{place:?}");
        }
        let counts = (queues.ready(), queues.in_flight(), queues.parked());
        assert_eq!(counts, (usize::from(ready.is_some()), in_flight, parked), "{place:?}");
        assert_eq!(queues.take(&domain, &slot), domain);
        assert_eq!(queues.first_waiting(), None);
        assert_eq!((queues.ready(), queues.in_flight(), queues.parked()), (0, 0, 0));
    }
}
