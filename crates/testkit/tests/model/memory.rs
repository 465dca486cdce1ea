//! What is remembered, for how long, and what a jump of the clock or a bad store makes of it.

use mta_sts_testkit::model::{
    Failure, Https, MAX_AGE_LIMIT, Mode, Policy, Problem, Recheck, Remembered, Sender, Status,
    Store, Txt, World,
};

use super::{DAY, NOW, holding, id, look, serves, world};

/// How many seconds after `NOW` the next question is due.
fn remembered_for(mut sender: Sender, txt: &Txt) -> u64 {
    look(&mut sender, NOW, Recheck::Always, txt.clone(), Https::Fails);
    let asks = |seconds: u64| {
        let mut sender = sender.clone();
        let now = NOW + seconds;
        look(&mut sender, now, Recheck::WhenDue, Txt::NoAnswer, Https::Fails).asks_txt
    };
    (0..=2 * DAY).step_by(60).find(|seconds| asks(*seconds)).expect("an end")
}

#[test]
fn a_txt_outcome_is_remembered_within_bounds() {
    for (ttl, confirmed, negative) in
        [(0, 60, 60), (600, 600, 600), (7_200, 7_200, 3_600), (u64::MAX, DAY, 3_600)]
    {
        let held = || holding(Mode::Enforce, "1");
        assert_eq!(remembered_for(held(), &Txt::Id("1".to_owned(), ttl)), confirmed);
        for sender in [Sender::default(), held()] {
            assert_eq!(remembered_for(sender.clone(), &Txt::Absent(ttl)), negative);
            assert_eq!(remembered_for(sender.clone(), &Txt::Several(ttl)), negative);
            assert_eq!(remembered_for(sender.clone(), &Txt::Malformed(ttl)), negative);
            assert_eq!(remembered_for(sender, &Txt::NoAnswer), 60);
        }
    }
}

#[test]
fn the_wait_doubles_up_to_an_hour_and_a_success_ends_it() {
    let mut sender = holding(Mode::Enforce, "1");
    let mut now = NOW;
    for wait in [300, 600, 1_200, 2_400, 3_600, 3_600] {
        assert!(look(&mut sender, now, Recheck::Always, id("2"), Https::Fails).asks_https);
        let early = look(&mut sender, now + wait - 1, Recheck::Always, id("2"), Https::Fails);
        assert_eq!(early.problem, Some(Problem::BackingOff));
        now += wait;
    }
    look(&mut sender, now, Recheck::Always, id("2"), serves(Mode::Enforce, "new"));
    look(&mut sender, now, Recheck::Refresh, id("2"), Https::Fails);
    let once = Failure { id: "2".to_owned(), count: 1, not_before: now + 300 };
    assert_eq!(sender.failures, [once]);
}

#[test]
fn a_question_that_backs_off_extends_no_wait() {
    let mut sender = Sender::default();
    look(&mut sender, NOW, Recheck::Always, id("1"), Https::Fails);
    let failures = sender.failures.clone();
    look(&mut sender, NOW + 200, Recheck::Always, id("1"), Https::Fails);
    assert_eq!(sender.failures, failures);
}

#[test]
fn the_failures_of_the_last_four_ids_are_remembered() {
    let mut sender = Sender::default();
    for (seconds, new) in [(0, "a"), (1, "b"), (2, "c"), (3, "d"), (304, "a"), (604, "e")] {
        let verdict = look(&mut sender, NOW + seconds, Recheck::Always, id(new), Https::Fails);
        assert!(verdict.asks_https, "{new}");
    }
    let ids: Vec<_> = sender.failures.iter().map(|f| (f.id.as_str(), f.count)).collect();
    assert_eq!(ids, [("c", 1), ("d", 1), ("a", 2), ("e", 1)]);
}

#[test]
fn new_ids_are_fetched_in_a_burst_of_four_then_one_in_five_minutes() {
    for https in [Https::Fails, serves(Mode::Enforce, "new")] {
        let mut sender = Sender::default();
        let mut fetches = Vec::new();
        for seconds in 0..1_300 {
            let new = id(&format!("{seconds}"));
            let verdict = look(&mut sender, NOW + seconds, Recheck::Always, new, https.clone());
            if verdict.asks_https {
                fetches.push(seconds);
            } else {
                assert_eq!(verdict.problem, Some(Problem::FetchLimited));
            }
        }
        assert_eq!(fetches, [0, 1, 2, 3, 300, 600, 900, 1_200]);
    }
}

#[test]
fn memory_is_over_and_waits_begin_anew_when_the_clock_has_jumped_back() {
    let mut sender = holding(Mode::Enforce, "1");
    for new in ["2", "3", "4", "5"] {
        look(&mut sender, NOW, Recheck::Always, id(new), Https::Fails);
    }
    look(&mut sender, NOW, Recheck::Always, Txt::Absent(3_600), Https::Fails);
    let at = |now| {
        let mut sender = sender.clone();
        let due = look(&mut sender, now, Recheck::WhenDue, id("2"), Https::Fails);
        (due.asks_txt, due.asks_https)
    };
    for back in [0, 1, 120] {
        assert_eq!(at(NOW - back), (false, false), "{back}");
    }
    for back in [121, 3_301, 3_700, 10 * DAY] {
        assert_eq!(at(NOW - back), (true, false), "{back}");
    }
    // The failure is waited for from then on, at its longest.
    let fetched_after = |wait| {
        let mut sender = sender.clone();
        let then = NOW - 10 * DAY;
        look(&mut sender, then, Recheck::Always, id("2"), Https::Fails);
        look(&mut sender, then + wait, Recheck::Always, id("2"), Https::Fails).asks_https
    };
    assert_eq!([3_599, 3_600].map(fetched_after), [false, true]);
}

#[test]
fn a_budget_further_away_than_its_maximum_is_spent_until_it_would_be_full() {
    let limited = |full_at, wait| {
        let mut sender = Sender { full_at, ..Sender::default() };
        look(&mut sender, NOW, Recheck::Always, Txt::NoAnswer, Https::Fails);
        let verdict = look(&mut sender, NOW + wait, Recheck::Always, id("1"), Https::Fails);
        verdict.problem == Some(Problem::FetchLimited)
    };
    for ahead in [901, 1_320, 1_321, 10 * DAY] {
        assert!(limited(NOW + ahead, 0), "{ahead}");
    }
    assert!(!limited(NOW + 900, 0));
    // Within the tolerance a debt is paid by and by, and further away not before all of it is.
    assert_eq!([419, 420].map(|wait| limited(NOW + 1_320, wait)), [true, false]);
    assert_eq!([1_199, 1_200].map(|wait| limited(NOW + 10 * DAY, wait)), [true, false]);
}

#[test]
fn an_entry_from_the_future_is_honoured() {
    let mut sender = holding(Mode::Enforce, "1");
    let verdict = look(&mut sender, NOW - 30 * DAY, Recheck::WhenDue, Txt::NoAnswer, Https::Fails);
    assert_eq!(verdict.status, Status::Held);
}

#[test]
fn the_life_of_a_policy_is_capped_and_counts_from_its_fetch() {
    let mut sender = Sender::default();
    let text = "long".to_owned();
    let long = Https::Policy { mode: Mode::Enforce, text, max_age: 9_999_999_999 };
    look(&mut sender, NOW, Recheck::WhenDue, id("1"), long);
    assert_eq!(sender.policy.as_ref().map(|policy| policy.max_age), Some(MAX_AGE_LIMIT));
    let status =
        |now| look(&mut sender.clone(), now, Recheck::Always, id("1"), Https::Fails).status;
    assert_eq!(status(NOW + MAX_AGE_LIMIT - 1), Status::Confirmed);
    assert_eq!(status(NOW + MAX_AGE_LIMIT), Status::Absent);
}

#[test]
fn memory_of_an_id_counts_only_while_its_policy_is_held() {
    let mut sender = holding(Mode::Enforce, "1");
    let expiry = NOW + 7 * DAY;
    sender.memory = Some((Remembered::Id("1".to_owned()), expiry + 100));
    let due = |sender: &Sender, now| {
        look(&mut sender.clone(), now, Recheck::WhenDue, Txt::NoAnswer, Https::Fails).asks_txt
    };
    assert!(!due(&sender, expiry - 1));
    assert!(due(&sender, expiry));
    sender.memory = Some((Remembered::Id("2".to_owned()), expiry));
    assert!(due(&sender, expiry - 1));
}

#[test]
fn a_store_that_fails_at_the_write_leaves_the_outcome_and_says_so() {
    let mut sender = holding(Mode::Enforce, "1");
    let before = sender.clone();
    let broken = |txt, https| World { writable: false, ..world(txt, https) };
    let found = broken(id("2"), serves(Mode::Testing, "new"));
    let verdict = sender.lookup(NOW + 1, Recheck::WhenDue, &found, None);
    assert_eq!((verdict.status, verdict.store), (Status::Found, Store::Put));
    assert!(!verdict.persisted);
    assert_eq!(sender, before);
    // Where nothing durable was due, nothing is missing: memory may be lost.
    let verdict = sender.lookup(NOW + 1, Recheck::WhenDue, &broken(id("1"), Https::Fails), None);
    assert!(verdict.persisted);
    assert_eq!(sender, before);
}

#[test]
fn what_is_put_over_an_unreadable_store_merges_by_fetch_time() {
    let blind = |txt, https| World { readable: false, ..world(txt, https) };
    let new = blind(id("2"), serves(Mode::Testing, "new"));

    let mut sender = holding(Mode::Enforce, "1");
    let verdict = sender.lookup(NOW + 1, Recheck::WhenDue, &new, None);
    assert_eq!((verdict.status, verdict.problem), (Status::Found, Some(Problem::StoreUnreadable)));
    assert_eq!(sender.policy.map(|policy: Policy| policy.id).as_deref(), Some("2"));

    let mut sender = holding(Mode::Enforce, "1");
    sender.lookup(NOW - 1, Recheck::WhenDue, &new, None);
    assert_eq!(sender.policy.map(|policy: Policy| policy.id).as_deref(), Some("1"));

    for (txt, https) in [(Txt::Absent(60), Https::Fails), (id("2"), Https::Fails)] {
        let mut sender = holding(Mode::Enforce, "1");
        let verdict = sender.lookup(NOW + 1, Recheck::WhenDue, &blind(txt, https), None);
        // The write tells what is there.
        assert_eq!((verdict.status, verdict.persisted), (Status::Held, true));
        assert_eq!(verdict.policy.map(|policy| policy.id).as_deref(), Some("1"));
        assert_eq!(sender.policy, holding(Mode::Enforce, "1").policy);
    }
}

#[test]
fn a_failure_over_an_unreadable_store_is_the_latest_note() {
    let mut sender = Sender::default();
    for seconds in [0, 300] {
        look(&mut sender, NOW + seconds, Recheck::Always, id("1"), Https::Fails);
    }
    let blind = |new| World { readable: false, ..world(id(new), Https::Fails) };
    assert!(sender.lookup(NOW + 301, Recheck::Always, &blind("1"), None).asks_https);
    assert_eq!(
        sender.failures.iter().map(|failure| failure.not_before).collect::<Vec<_>>(),
        [NOW + 601]
    );

    let mut sender = Sender::default();
    for new in ["1", "2", "3"] {
        sender.lookup(NOW, Recheck::Always, &blind(new), None);
    }
    // Each of these thought the budget whole, so they count as one.
    assert_eq!(sender.full_at, NOW + 300);
    assert_eq!(sender.failures.len(), 3);
}

#[test]
fn a_refresh_keeps_the_known_id_and_spares_a_none_that_is_not_announced() {
    let new = serves(Mode::Enforce, "new");
    let mut sender = holding(Mode::Testing, "1");
    let verdict = look(&mut sender, NOW + DAY, Recheck::Refresh, Txt::Absent(60), new.clone());
    assert_eq!((verdict.status, verdict.stored_id.as_deref()), (Status::Found, Some("1")));
    assert_eq!(sender.policy.map(|policy| policy.fetched_at), Some(NOW + DAY));

    let mut sender = holding(Mode::None, "1");
    let verdict = look(&mut sender, NOW + DAY, Recheck::Refresh, Txt::Absent(60), new.clone());
    assert_eq!((verdict.asks_https, verdict.status), (false, Status::Held));
    let verdict = look(&mut sender, NOW + DAY, Recheck::Refresh, id("1"), new);
    assert_eq!((verdict.asks_https, verdict.status), (true, Status::Found));
}
