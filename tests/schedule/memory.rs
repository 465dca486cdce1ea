//! What a schedule keeps in memory.

use mta_sts::schedule::Schedule;
use mta_sts::{Entry, Mode, PolicyDomain};

use crate::world::{Random, START, WEEK, domain, entry, next_due};

#[test]
fn ok_a_domain_takes_little_memory_with_its_name() {
    // Just under a power of two, for what grows by doubling.
    const COUNT: usize = 32_000;
    let mut random = Random::new(10);
    let held: Vec<_> = (0..COUNT).map(|n| entry(domain(n), Mode::Enforce, WEEK, START)).collect();
    let mut schedule = Schedule::new();
    let taken = allocation_counter::measure(|| {
        for held in &held {
            schedule.handle_entry(held, random.next(), START);
        }
    });
    let each = taken.bytes_current / i64::try_from(COUNT).unwrap();
    println!("{each} bytes a domain with its name");
    assert!(each <= 250, "{each}");
    // A second report of a domain, with an entry that was read again, keeps nothing of it.
    let again = allocation_counter::measure(|| {
        for held in &held {
            let read = Entry::from_bytes(held.domain(), &held.to_bytes()).unwrap();
            schedule.handle_entry(&read, random.next(), START);
        }
    });
    assert!(again.bytes_current.abs() < 1_000, "{}", again.bytes_current);
}

#[test]
fn ok_domains_that_come_and_go_take_no_more_memory() {
    const COUNT: usize = 300;
    let name = |n: usize| {
        let name = format!("{}.d{n}.example", "x".repeat(n % 60 + 1));
        PolicyDomain::parse(&name).unwrap()
    };
    let mut random = Random::new(11);
    let held: Vec<_> =
        (0..100 * COUNT).map(|n| entry(name(n), Mode::Enforce, WEEK, START)).collect();
    let mut schedule = Schedule::new();
    let taken = allocation_counter::measure(|| {
        for (n, new) in held.iter().enumerate() {
            if let Some(old) = n.checked_sub(COUNT) {
                schedule.handle_removed(held[old].domain());
            }
            schedule.handle_entry(new, random.next(), START);
        }
    });
    assert_eq!(schedule.len(), COUNT);
    let mut fresh = Schedule::new();
    let needed = allocation_counter::measure(|| {
        for held in held.iter().rev().take(COUNT) {
            fresh.handle_entry(held, random.next(), START);
        }
    });
    println!("{} bytes, {} of them needed", taken.bytes_current, needed.bytes_current);
    assert!(taken.bytes_current < 2 * needed.bytes_current, "{}", taken.bytes_current);
    // Each of them is due in the end.
    let mut now = START;
    let mut given = Vec::new();
    while given.len() < COUNT {
        let (then, due) = next_due(&mut schedule, now).unwrap();
        now = then;
        schedule.handle_removed(&due);
        given.push(due);
    }
    given.sort();
    let mut expected: Vec<_> = held.iter().rev().take(COUNT).map(|e| e.domain().clone()).collect();
    expected.sort();
    assert_eq!(given, expected);
}
