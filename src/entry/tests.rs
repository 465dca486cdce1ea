//! What an entry remembers, for how long, and when it may go.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::*;
use crate::policy::Profile;

const NOW: u64 = 1_800_000_000;
const HOUR: u64 = 3_600;
const WEEK: u64 = 7 * DAY;

fn at(secs: u64) -> UnixTime {
    UnixTime::from_secs(secs)
}

fn id(text: &str) -> PolicyId {
    PolicyId::parse(text).unwrap()
}

fn new() -> Entry {
    Entry::new(PolicyDomain::parse("example.com").unwrap(), at(NOW))
}

/// A policy that was fetched at [`NOW`] under the id `h1`.
fn held(max_age: u64) -> HeldPolicy {
    let text = format!("version: STSv1\nmode: enforce\nmx: a.example\nmax_age: {max_age}\n");
    let policy = Policy::parse(text.as_bytes(), Profile::Strict).unwrap();
    HeldPolicy::new(policy, id("h1"), at(NOW))
}

fn holding(max_age: u64) -> Entry {
    let mut entry = new();
    entry.put(held(max_age));
    entry
}

/// The wait after one more failure of the id, in seconds.
fn fail(entry: &mut Entry, name: &str, now: u64) -> u64 {
    entry.fetch_failed(id(name), at(now));
    entry.backs_off_until(id(name), at(now)).map_or(0, |until| until.secs_since(at(now)))
}

fn failing(entry: &Entry, now: u64) -> Vec<String> {
    let mut ids: Vec<_> = entry.backing_off(at(now)).map(|(id, _)| id.to_string()).collect();
    ids.sort();
    ids
}

#[test]
fn ok_what_dns_said_is_remembered_within_bounds() {
    use Remembered::{Absent, Id, Malformed, NoAnswer};
    let same = Id(id("h1"));
    let day = u32::try_from(DAY).unwrap();
    for (what, ttl, secs) in [
        (same, 0, 60),
        (same, 61, 61),
        (same, day, DAY),
        (same, u32::MAX, DAY),
        (Absent, 0, 60),
        (Absent, 600, 600),
        (Absent, day, HOUR),
        (Absent, u32::MAX, HOUR),
        (Malformed, 0, 60),
        (Malformed, 600, 600),
        (Malformed, u32::MAX, HOUR),
        (NoAnswer, 0, 60),
        (NoAnswer, u32::MAX, 60),
    ] {
        let mut entry = holding(WEEK);
        entry.remember(what, ttl, at(NOW));
        assert_eq!(entry.recall(at(NOW)), Some(what), "{what:?} {ttl}");
        assert_eq!(entry.recall(at(NOW + secs - 1)), Some(what), "{what:?} {ttl}");
        assert_eq!(entry.recall(at(NOW + secs)), None, "{what:?} {ttl}");
    }
}

#[test]
fn ok_to_forget_is_to_ask_again() {
    let mut entry = holding(WEEK);
    entry.remember(Remembered::Absent, 600, at(NOW));
    let older = entry.clone();
    entry.forget(at(NOW));
    assert_eq!(entry.recall(at(NOW)), None);
    // Nor does a merge with what was remembered before bring it back.
    entry.merge(older).unwrap();
    assert_eq!(entry.recall(at(NOW)), None);
}

/// What DNS said of an id confirms a policy of that id, whichever generation it is of.
#[test]
fn confirmation_holds_for_its_id_alone() {
    let mut entry = holding(WEEK);
    entry.remember(Remembered::Id(id("h1")), 600, at(NOW));
    let mut fetched_again = entry.clone();
    fetched_again.put(held(WEEK));
    assert_eq!(fetched_again.recall(at(NOW)), Some(Remembered::Id(id("h1"))));
    let mut replaced = entry.clone();
    replaced.put(HeldPolicy { id: id("h2"), ..held(WEEK) });
    assert_eq!(replaced.recall(at(NOW)), None);
    let mut cleared = entry.clone();
    cleared.clear(at(NOW));
    assert_eq!(cleared.recall(at(NOW)), None);

    let mut entry = holding(100);
    entry.remember(Remembered::Id(id("h1")), 600, at(NOW));
    assert_eq!(entry.recall(at(NOW + 99)), Some(Remembered::Id(id("h1"))));
    assert_eq!(entry.recall(at(NOW + 100)), None, "it has expired");
}

/// A memory that lies further away than it can, by more than clocks may differ, is not believed.
#[test]
fn memory_of_a_wrong_clock_is_over() {
    for (what, longest) in
        [(Remembered::Absent, HOUR), (Remembered::NoAnswer, 60), (Remembered::Id(id("h1")), DAY)]
    {
        let mut entry = new();
        entry.put(HeldPolicy { fetched_at: at(NOW - 2 * DAY), ..held(WEEK) });
        entry.remember(what, 60, at(NOW));
        let end = NOW + 60;
        assert!(entry.recall(at(end - longest - 120)).is_some(), "{what:?}");
        assert!(entry.recall(at(end - longest - 121)).is_none(), "{what:?}");
    }
}

#[test]
fn ok_the_wait_after_failures_doubles_up_to_an_hour() {
    let mut entry = new();
    let mut now = NOW;
    for wait in [300, 600, 1_200, 2_400, HOUR, HOUR, HOUR] {
        assert_eq!(fail(&mut entry, "a", now), wait);
        assert!(entry.backs_off_until(id("a"), at(now + wait - 1)).is_some());
        assert!(entry.backs_off_until(id("a"), at(now + wait)).is_none());
        now += wait;
    }
    for _ in 0..300 {
        assert_eq!(fail(&mut entry, "a", now), HOUR);
        now += HOUR;
    }
}

#[test]
fn ok_a_failure_a_day_after_the_last_wait_is_a_first_one() {
    let mut entry = new();
    assert_eq!(fail(&mut entry, "a", NOW), 300);
    assert_eq!(fail(&mut entry.clone(), "a", NOW + 300 + DAY - 1), 600);
    assert_eq!(fail(&mut entry, "a", NOW + 300 + DAY), 300);
}

#[test]
fn ok_ids_that_alternate_wait_each_for_itself() {
    let mut entry = new();
    for (name, now) in [("a", 0), ("b", 1), ("a", 300), ("b", 301)] {
        let wait = if now < 300 { 300 } else { 600 };
        assert_eq!(fail(&mut entry, name, NOW + now), wait);
    }
    assert_eq!(failing(&entry, NOW + 302), ["a", "b"]);
    assert_eq!(entry.backs_off_until(id("c"), at(NOW + 302)), None);
}

#[test]
fn ok_the_last_four_ids_are_remembered() {
    let mut entry = new();
    for (name, now) in ["a", "b", "c", "d"].into_iter().zip(NOW..) {
        fail(&mut entry, name, now);
    }
    assert_eq!(failing(&entry, NOW + 4), ["a", "b", "c", "d"]);
    fail(&mut entry, "e", NOW + 4);
    assert_eq!(failing(&entry, NOW + 5), ["b", "c", "d", "e"]);
    // One that fails again is the latest; and the clock has no say in which is.
    fail(&mut entry, "b", NOW - 10);
    fail(&mut entry, "f", NOW - 10);
    assert_eq!(failing(&entry, NOW), ["b", "d", "e", "f"]);
}

/// A failure is waited for whatever the clock did: at the longest from the time at which it is read.
#[test]
fn failure_stamped_by_a_wrong_clock_is_waited_for_at_its_longest() {
    let mut entry = new();
    fail(&mut entry, "a", NOW);
    let end = NOW + 300;
    assert_eq!(entry.backs_off_until(id("a"), at(end - HOUR - 120)), Some(at(end)));
    let then = end - HOUR - 121;
    assert_eq!(entry.backs_off_until(id("a"), at(then)), Some(at(then + HOUR)));
    // The wait begins when the entry is read, and ends.
    entry.anchor(at(then));
    assert_eq!(entry.backs_off_until(id("a"), at(then + HOUR - 1)), Some(at(then + HOUR)));
    assert_eq!(entry.backs_off_until(id("a"), at(then + HOUR)), None);
    // What was stored before does not bring the old end back.
    let mut merged = new();
    fail(&mut merged, "a", NOW);
    merged.merge(entry).unwrap();
    assert_eq!(merged.backs_off_until(id("a"), at(then + HOUR)), None);
}

#[test]
fn ok_four_fetches_at_once_then_one_in_five_minutes() {
    let mut entry = new();
    for _ in 0..4 {
        assert_eq!(entry.spend_fetch(at(NOW)), Ok(()));
    }
    for next in [300, 600, 900] {
        assert_eq!(entry.spend_fetch(at(NOW + next - 1)), Err(at(NOW + next)));
        assert_eq!(entry.spend_fetch(at(NOW + next)), Ok(()));
    }
    // After twenty minutes of rest it is whole again, and no more than whole.
    let rested = NOW + 900 + 4 * 300 + DAY;
    let fetches = (0..10).filter(|_| entry.spend_fetch(at(rested)).is_ok()).count();
    assert_eq!(fetches, 4);
}

fn spent() -> Entry {
    let mut entry = new();
    for _ in 0..4 {
        entry.spend_fetch(at(NOW)).unwrap();
    }
    entry
}

fn fetches(entry: &mut Entry, now: u64) -> usize {
    entry.anchor(at(now));
    (0..10).filter(|_| entry.spend_fetch(at(now)).is_ok()).count()
}

/// Clocks that differ by as much as working clocks may share one budget.
#[test]
fn spent_budget_is_spent_for_a_clock_that_is_behind() {
    for behind in [0, 1, 60, 61, 119, 120] {
        let mut entry = spent();
        assert_eq!(fetches(&mut entry, NOW - behind), 0, "{behind}");
        assert_eq!(fetches(&mut entry, NOW + 300), 1, "{behind}");
    }
}

/// A clock that is set back costs a wait and never yields a burst, however often it is set back.
#[test]
fn budget_stamped_by_a_wrong_clock_is_spent() {
    let mut entry = spent();
    for step in 1..100 {
        assert_eq!(fetches(&mut entry, NOW - step * 121), 0, "{step}");
    }
    let then = NOW - 99 * 121;
    assert!(!entry.is_disposable(at(then + 1_199)));
    assert_eq!(entry.spend_fetch(at(then + 1_199)), Err(at(then + 1_200)));
    assert!(entry.is_disposable(at(then + 1_200)));
    assert_eq!(fetches(&mut entry, then + 1_200), 4);
}

/// A debt that a wrong clock saw, of a clock that was more wrong still, is seen anew.
#[test]
fn wait_for_a_debt_begins_anew_when_the_clock_is_set_back_again() {
    let mut stored = new();
    for _ in 0..4 {
        stored.spend_fetch(at(NOW + 7_300 * DAY)).unwrap();
    }
    for then in [NOW + 3_650 * DAY, NOW] {
        let mut entry = stored.clone();
        entry.anchor(at(then));
        stored.merge(entry).unwrap();
    }
    assert_eq!(fetches(&mut stored.clone(), NOW + 1_199), 0);
    assert_eq!(fetches(&mut stored, NOW + 1_200), 4);
}

/// Clocks further apart than working clocks share one budget as long as one of them spends it: the
/// one that is behind waits, and does not lower the debt that the other has.
#[test]
fn clock_that_is_behind_leaves_the_debt_of_the_others() {
    for behind in [121, 600, DAY] {
        let mut entry = spent();
        for minute in 1..120 {
            let now = NOW + minute * 60;
            assert_eq!(fetches(&mut entry, now - behind), 0, "{behind} s behind");
            let expected = usize::from(minute % 5 == 0);
            assert_eq!(fetches(&mut entry, now), expected, "{behind} s behind, minute {minute}");
        }
    }
}

#[test]
fn budget_that_was_started_again_wins_a_merge() {
    let old = spent();
    let then = NOW - DAY;
    let mut entry = old.clone();
    assert_eq!(fetches(&mut entry, then), 0);
    for (mut a, b) in [(old.clone(), entry.clone()), (entry, old)] {
        a.merge(b).unwrap();
        assert_eq!(fetches(&mut a, then + 1_199), 0);
        assert_eq!(fetches(&mut a, then + 1_200), 4, "the wait goes on from where it began");
        a.merge(spent()).unwrap();
        assert_eq!(fetches(&mut a, then + 1_200), 0, "what was paid does not come back");
        assert_eq!(fetches(&mut a, then + 1_500), 1);
    }
}

#[test]
fn ok_an_entry_that_holds_nothing_back_may_go() {
    assert!(new().is_disposable(at(NOW)));

    let mut entry = new();
    entry.remember(Remembered::Absent, 600, at(NOW));
    assert!(!entry.is_disposable(at(NOW + 599)) && entry.is_disposable(at(NOW + 600)));

    let mut entry = new();
    fail(&mut entry, "a", NOW);
    assert!(!entry.is_disposable(at(NOW + 299)) && entry.is_disposable(at(NOW + 300)));

    let entry = spent();
    assert!(!entry.is_disposable(at(NOW + 1_199)) && entry.is_disposable(at(NOW + 1_200)));
}

#[test]
fn ok_an_expired_policy_stays_for_thirty_days() {
    let entry = holding(100);
    let expiry = NOW + 100;
    assert!(entry.policy(at(expiry - 1)).is_some() && entry.policy(at(expiry)).is_none());
    assert!(!entry.is_disposable(at(expiry + 30 * DAY - 1)));
    assert!(entry.is_disposable(at(expiry + 30 * DAY)));
    // A clock that ran ahead and was set back finds it again.
    assert!(entry.stored_policy().is_some() && entry.policy(at(NOW)).is_some());
}

#[test]
fn ok_the_day_of_last_use_is_news_once_a_day() {
    let mut entry = new();
    let today = at(NOW).start_of_day();
    assert_eq!(entry.last_used(), today);
    assert!(!entry.touch(at(NOW)));
    let tomorrow = today.plus_secs(DAY);
    assert!(!entry.touch(at(tomorrow.as_secs() - 1)));
    assert!(entry.touch(tomorrow) && !entry.touch(tomorrow.plus_secs(5)));
    // By as much as working clocks may differ it does not go back; by more, the day was wrong.
    assert!(!entry.touch(tomorrow.minus_secs(120)));
    assert_eq!(entry.last_used(), tomorrow);
    assert!(entry.touch(tomorrow.minus_secs(121)));
    assert_eq!(entry.last_used(), today);
}

#[test]
fn ok_a_merge_keeps_the_first_day_and_the_last() {
    let mut entry = new();
    let mut later = Entry::new(entry.domain().clone(), at(NOW + WEEK));
    later.touch(at(NOW + 2 * WEEK));
    entry.merge(later.clone()).unwrap();
    assert_eq!((entry.inserted_at(), entry.last_used()), (at(NOW), later.last_used()));
}

#[test]
fn ok_the_generation_is_the_later_of_the_next_number_and_the_time() {
    let mut entry = new();
    assert_eq!(entry.generation(), 0);
    entry.put(held(WEEK));
    assert_eq!(entry.generation(), NOW);
    entry.put(held(WEEK));
    assert_eq!(entry.generation(), NOW + 1);
    entry.clear(at(NOW - WEEK));
    assert_eq!((entry.generation(), entry.stored_policy()), (NOW + 2, None));
}

#[test]
fn ok_a_removal_is_a_change_like_any_other_in_a_merge() {
    let before = holding(WEEK);
    let mut cleared = before.clone();
    cleared.clear(at(NOW));
    let mut merged = before.clone();
    merged.merge(cleared.clone()).unwrap();
    assert_eq!(merged.stored_policy(), None);
    cleared.merge(before).unwrap();
    assert_eq!(cleared.stored_policy(), None);
}

/// A policy that was fetched by a clock that ran ahead lives for one `max_age` from the first time at
/// which it is read, and no longer.
#[test]
fn policy_from_ahead_is_honoured_for_one_max_age() {
    for ahead in [121, HOUR, DAY, 3_650 * DAY] {
        let mut entry = new();
        entry.put(HeldPolicy { fetched_at: at(NOW + ahead), ..held(WEEK) });
        assert!(entry.policy(at(NOW)).is_some());
        assert!(entry.anchor(at(NOW)) && !entry.anchor(at(NOW)), "{ahead}");
        let mut stale = entry.clone();
        assert!(entry.policy(at(NOW + WEEK - 1)).is_some() || ahead < WEEK);
        if ahead > WEEK + 120 {
            assert!(entry.policy(at(NOW + WEEK)).is_none());
            // Nor does it come back when the clock reaches the time of its fetch.
            entry.anchor(at(NOW + WEEK));
            stale.merge(entry.clone()).unwrap();
            for entry in [&entry, &stale] {
                assert!(entry.policy(at(NOW + ahead)).is_none(), "{ahead}");
                assert!(entry.is_disposable(at(NOW + WEEK + 30 * DAY)));
            }
        }
    }
    // By as much as working clocks may differ it is no more than a little young.
    let mut entry = new();
    entry.put(HeldPolicy { fetched_at: at(NOW + 120), ..held(WEEK) });
    assert!(!entry.anchor(at(NOW)));
    assert!(entry.policy(at(NOW + 120 + WEEK - 1)).is_some());
    assert!(entry.policy(at(NOW + 120 + WEEK)).is_none());
}

/// A clock that ran behind for a while, less than a `max_age`, has not aged a policy.
#[test]
fn policy_read_by_a_clock_that_ran_behind_lives_on() {
    for wrong in [0, 1_000, NOW / 2, NOW - DAY, NOW - 121] {
        let mut entry = holding(WEEK);
        entry.anchor(at(wrong));
        entry.anchor(at(wrong + DAY));
        assert!(entry.policy(at(wrong)).is_some());
        assert!(entry.policy(at(NOW + WEEK - 1)).is_some(), "{wrong}");
        assert!(entry.policy(at(NOW + WEEK)).is_none());
        assert!(!entry.is_disposable(at(wrong)));
    }
}

/// A clock that reaches the time of the fetch does not begin a second `max_age`.
#[test]
fn policy_from_ahead_does_not_grow_young_when_the_clock_catches_up() {
    for ahead in [HOUR, DAY, WEEK / 2, WEEK - 1] {
        let mut entry = new();
        entry.put(HeldPolicy { fetched_at: at(NOW + ahead), ..held(WEEK) });
        let lives = (0..).map(|hour| NOW + hour * HOUR).take_while(|now| {
            entry.anchor(at(*now));
            entry.policy(at(*now)).is_some()
        });
        let life = lives.last().unwrap() + HOUR - NOW;
        assert!((WEEK..=WEEK + HOUR).contains(&life), "{ahead} s ahead: {life}");
        let read = Entry::from_bytes(entry.domain(), &entry.to_bytes()).unwrap();
        assert_eq!(read, entry);
    }
}

/// What two have counted of one fetch is joined to the larger, in either order.
#[test]
fn counted_age_survives_a_merge_with_a_stale_copy() {
    let mut stale = new();
    stale.put(HeldPolicy { fetched_at: at(NOW + 30 * DAY), ..held(WEEK) });
    stale.anchor(at(NOW));
    let mut entry = stale.clone();
    entry.anchor(at(NOW + WEEK - HOUR));
    // The clock is set back once more; what was counted stays.
    entry.anchor(at(NOW));
    for (mut a, b) in [(entry.clone(), stale.clone()), (stale, entry)] {
        a.merge(b).unwrap();
        assert!(a.policy(at(NOW + HOUR - 2)).is_some());
        assert!(a.policy(at(NOW + HOUR)).is_none());
    }
}

/// One lookup at the end of time, as of a clock that failed, is undone by the next at the right one.
#[test]
fn nothing_is_pinned_by_the_end_of_time() {
    let end = at(u64::MAX);
    let mut entry = new();
    entry.put(HeldPolicy { fetched_at: end, ..held(WEEK) });
    entry.remember(Remembered::Absent, 600, end);
    entry.fetch_failed(id("a"), end);
    for _ in 0..4 {
        entry.spend_fetch(end).unwrap();
    }
    entry.touch(end);
    assert!(entry.policy(end).is_some(), "it was just fetched");
    let old = entry.clone();
    let now = at(NOW);
    assert!(entry.touch(now));
    assert_eq!(entry.last_used(), now.start_of_day());
    assert!(entry.recall(now).is_none());
    assert!(entry.backs_off_until(id("a"), at(NOW + HOUR)).is_none());
    assert!(entry.spend_fetch(at(NOW + 1_200)).is_ok());
    entry.put(HeldPolicy { id: id("h2"), ..held(WEEK) });
    entry.merge(old).unwrap();
    assert_eq!(entry.stored_policy().map(HeldPolicy::id), Some(id("h2")));
    assert_eq!(entry.last_used(), now.start_of_day());
}

#[test]
fn ok_refresh_is_due_after_a_day_or_half_of_the_age() {
    let long = held(WEEK);
    assert!(!long.is_refresh_due(at(NOW + DAY - 1)) && long.is_refresh_due(at(NOW + DAY)));
    assert!(!long.is_refresh_due(at(NOW - 120)), "clocks differ by as much");
    assert!(long.is_refresh_due(at(NOW - 121)));
    let short = held(100);
    assert!(!short.is_refresh_due(at(NOW + 49)) && short.is_refresh_due(at(NOW + 50)));
    assert_eq!(short.expires_in(at(NOW + 40)), Duration::from_secs(60));
    assert_eq!(short.expires_in(at(NOW + 400)), Duration::ZERO);
}

#[test]
fn ok_the_ends_of_time_are_times_like_others() {
    for now in [UnixTime::EPOCH, at(u64::MAX)] {
        let mut entry = Entry::new(PolicyDomain::parse("example.com").unwrap(), now);
        let policy = HeldPolicy { fetched_at: now, ..held(WEEK) };
        entry.put(policy);
        entry.put(HeldPolicy { fetched_at: now, ..held(WEEK) });
        entry.remember(Remembered::Id(id("h1")), 300, now);
        entry.fetch_failed(id("a"), now);
        entry.fetch_failed(id("a"), now);
        for _ in 0..6 {
            let _: Result<(), UnixTime> = entry.spend_fetch(now);
        }
        entry.clear(now);
        entry.touch(now);
        assert_eq!(entry.policy(now), None);
        let bytes = entry.to_bytes();
        assert_eq!(Entry::from_bytes(entry.domain(), &bytes), Ok(entry));
    }
}

/// A lookup that began before the policy was cleared writes what it had read.
#[test]
fn ok_a_cleared_policy_does_not_come_back_by_a_lookup_under_way() {
    let before = holding(WEEK);
    let mut store = before.clone();
    store.clear(at(NOW + 10));
    assert!(!store.is_disposable(at(NOW + 10)));
    assert!(!store.is_disposable(at(NOW + 10 + HOUR - 1)));
    assert!(store.is_disposable(at(NOW + 10 + HOUR)));
    store.merge(before).unwrap();
    assert_eq!(store.policy(at(NOW + 11)), None);
}
