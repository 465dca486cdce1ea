//! The discovery cases of `flows.json`, written out.

use mta_sts_testkit::model::{Https, Mode, Problem, Recheck, Sender, Source, Status, Store, Txt};

use super::{DAY, NOW, holding, id, look, mode, serves, world};

const LATER: u64 = NOW + 3_600;

#[test]
fn a_held_policy_applies_when_dns_fails() {
    let mut sender = holding(Mode::Enforce, "1");
    let verdict = look(&mut sender, LATER, Recheck::WhenDue, Txt::NoAnswer, Https::Fails);
    assert_eq!((verdict.status, mode(&verdict)), (Status::Held, Some(Mode::Enforce)));
    assert_eq!(verdict.problem, Some(Problem::NoAnswer));
}

#[test]
fn a_held_policy_applies_when_there_are_two_records() {
    let mut sender = holding(Mode::Enforce, "1");
    let verdict = look(&mut sender, LATER, Recheck::WhenDue, Txt::Several(60), Https::Fails);
    assert_eq!((verdict.status, mode(&verdict)), (Status::Held, Some(Mode::Enforce)));
    assert!(!verdict.asks_https);
}

#[test]
fn a_new_id_that_cannot_be_fetched_is_tried_again_after_five_minutes() {
    let mut sender = holding(Mode::Enforce, "1");
    let asks = [0, 299, 300].map(|seconds| {
        let now = LATER + seconds;
        let verdict = look(&mut sender, now, Recheck::WhenDue, id("2"), Https::Fails);
        assert_eq!((verdict.status, mode(&verdict)), (Status::Held, Some(Mode::Enforce)));
        (verdict.asks_https, verdict.problem)
    });
    let (failed, backing_off) = (Some(Problem::PolicyFetch), Some(Problem::BackingOff));
    assert_eq!(asks, [(true, failed), (false, backing_off), (true, failed)]);
}

#[test]
fn a_held_policy_applies_when_the_new_one_is_invalid() {
    let mut sender = holding(Mode::Enforce, "1");
    let verdict = look(&mut sender, LATER, Recheck::WhenDue, id("2"), Https::Invalid);
    assert_eq!((verdict.status, mode(&verdict)), (Status::Held, Some(Mode::Enforce)));
    assert_eq!(verdict.problem, Some(Problem::PolicyInvalid));
}

#[test]
fn an_expired_policy_is_not_revived_by_its_id() {
    let after = NOW + 7 * DAY;
    for txt in [id("1"), id("2")] {
        let mut sender = holding(Mode::Enforce, "1");
        let verdict = look(&mut sender, after, Recheck::WhenDue, txt.clone(), Https::Fails);
        assert_eq!((verdict.status, verdict.policy), (Status::Absent, None));
        // One second before it would have applied.
        let mut sender = holding(Mode::Enforce, "1");
        let verdict = look(&mut sender, after - 1, Recheck::WhenDue, txt, Https::Fails);
        assert_eq!(mode(&verdict), Some(Mode::Enforce));
    }
}

#[test]
fn a_matching_id_needs_no_https_and_extends_nothing() {
    let mut sender = holding(Mode::Enforce, "1");
    let verdict = look(&mut sender, LATER, Recheck::WhenDue, id("1"), Https::Fails);
    assert_eq!((verdict.asks_https, verdict.status), (false, Status::Confirmed));
    assert_eq!(sender.policy, holding(Mode::Enforce, "1").policy);
}

#[test]
fn a_held_none_stays_when_the_record_is_gone() {
    let mut sender = holding(Mode::None, "1");
    let verdict = look(&mut sender, LATER, Recheck::WhenDue, Txt::Absent(60), Https::Fails);
    assert_eq!((verdict.status, mode(&verdict)), (Status::Held, Some(Mode::None)));
}

#[test]
fn mode_none_replaces_enforce_at_once() {
    let mut sender = holding(Mode::Enforce, "1");
    let verdict = look(&mut sender, LATER, Recheck::WhenDue, id("2"), serves(Mode::None, "new"));
    assert_eq!((verdict.status, mode(&verdict)), (Status::Found, Some(Mode::None)));
    assert_eq!((verdict.store, verdict.stored_id.as_deref()), (Store::Put, Some("2")));
}

#[test]
fn a_first_fetch_that_fails_leaves_no_policy_and_waits_five_minutes() {
    let mut sender = Sender::default();
    let asks = [0, 240, 299, 300].map(|seconds| {
        let verdict = look(&mut sender, NOW + seconds, Recheck::WhenDue, id("1"), Https::Fails);
        assert_eq!((verdict.status, verdict.policy), (Status::Absent, None));
        verdict.asks_https
    });
    assert_eq!(asks, [true, false, false, true]);
}

#[test]
fn another_id_is_fetched_at_once() {
    let mut sender = Sender::default();
    look(&mut sender, NOW, Recheck::WhenDue, id("1"), Https::Fails);
    let new = serves(Mode::Enforce, "new");
    let verdict = look(&mut sender, NOW + 60, Recheck::WhenDue, id("2"), new);
    assert_eq!((verdict.asks_https, verdict.status), (true, Status::Found));
}

#[test]
fn no_record_means_no_fetch() {
    let mut sender = Sender::default();
    let new = serves(Mode::Enforce, "new");
    let verdict = look(&mut sender, NOW, Recheck::WhenDue, Txt::Absent(60), new);
    assert_eq!((verdict.asks_https, verdict.status), (false, Status::Absent));
    assert_eq!(verdict.problem, None);
}

#[test]
fn a_policy_without_age_applies_once_and_takes_the_place_of_the_held_one() {
    let ageless = |mode| Https::Policy { mode, text: "ageless".to_owned(), max_age: 0 };
    let mut sender = Sender::default();
    let verdict = look(&mut sender, NOW, Recheck::WhenDue, id("1"), ageless(Mode::Enforce));
    assert_eq!((verdict.status, mode(&verdict)), (Status::Found, Some(Mode::Enforce)));
    assert_eq!((verdict.store, &sender.policy), (Store::Keep, &None));

    for new in [Mode::Enforce, Mode::None] {
        let mut sender = holding(Mode::Enforce, "1");
        let verdict = look(&mut sender, LATER, Recheck::WhenDue, id("2"), ageless(new));
        assert_eq!((verdict.status, mode(&verdict)), (Status::Found, Some(new)));
        assert_eq!((verdict.store, &sender.policy), (Store::Clear, &None));
        assert_eq!(sender.generation, 2);
        let verdict = look(&mut sender, LATER, Recheck::WhenDue, Txt::NoAnswer, Https::Fails);
        assert_eq!((verdict.status, verdict.policy), (Status::Unknown, None));
    }
}

#[test]
fn a_held_none_stays_when_the_new_policy_cannot_be_fetched() {
    let mut sender = holding(Mode::None, "1");
    let verdict = look(&mut sender, LATER, Recheck::WhenDue, id("2"), Https::Fails);
    assert_eq!((verdict.status, mode(&verdict)), (Status::Held, Some(Mode::None)));
    assert_eq!(verdict.remembers_failure.as_deref(), Some("2"));
}

#[test]
fn an_attacker_cannot_take_the_policy_away_and_its_owner_can() {
    let mut sender = holding(Mode::Enforce, "1");
    let attack = [
        (Txt::Absent(1), Https::Fails),
        (Txt::NoAnswer, Https::Fails),
        (id("2"), Https::Fails),
        (id("3"), Https::Fails),
        (id("4"), serves(Mode::Testing, "relaxed")),
    ];
    let mut now = LATER;
    let modes = attack.map(|(txt, https)| {
        now += 60;
        mode(&look(&mut sender, now, Recheck::WhenDue, txt, https))
    });
    let (enforce, testing) = (Some(Mode::Enforce), Some(Mode::Testing));
    assert_eq!(modes, [enforce, enforce, enforce, enforce, testing]);
}

#[test]
fn a_permanent_failure_needs_an_answer_of_dns_that_announces_nothing_unread() {
    let mut sender = holding(Mode::Enforce, "1");
    let first = look(&mut sender, LATER, Recheck::WhenDue, id("1"), Https::Fails);
    let refused = first.policy.expect("a policy").refused();
    let gate = |recheck, txt, https| {
        let mut sender = sender.clone();
        sender.lookup(LATER + 9, recheck, &world(txt, https), Some(&refused)).permits_bounce
    };
    for txt in [id("1"), Txt::Absent(60), Txt::Several(60), Txt::Malformed(60)] {
        assert!(gate(Recheck::Always, txt.clone(), Https::Fails), "{txt:?}");
        assert!(!gate(Recheck::WhenDue, txt.clone(), Https::Fails), "{txt:?}");
        assert!(!gate(Recheck::Refresh, txt.clone(), Https::Fails), "{txt:?}");
    }
    assert!(!gate(Recheck::Always, Txt::NoAnswer, Https::Fails));
    assert!(!gate(Recheck::Always, id("2"), Https::Fails));
    assert!(!gate(Recheck::Always, id("2"), serves(Mode::Enforce, "another")));
}

#[test]
fn another_generation_of_the_policy_sends_the_caller_round_again() {
    let mut sender = holding(Mode::Enforce, "1");
    let text = sender.policy.as_ref().expect("a policy").text.clone();
    let first = look(&mut sender, LATER, Recheck::WhenDue, id("1"), Https::Fails);
    let refused = first.policy.expect("a policy").refused();
    look(&mut sender, LATER, Recheck::Refresh, id("1"), serves(Mode::Enforce, &text));
    let gate = world(id("1"), Https::Fails);
    let verdict = sender.lookup(LATER + 9, Recheck::Always, &gate, Some(&refused));
    assert_eq!((verdict.status, verdict.permits_bounce), (Status::Confirmed, false));
    let refused = verdict.policy.expect("a policy").refused();
    assert!(sender.lookup(LATER + 9, Recheck::Always, &gate, Some(&refused)).permits_bounce);
}

#[test]
fn a_policy_without_age_that_is_found_unchanged_permits_a_permanent_failure() {
    let ageless =
        |text: &str| Https::Policy { mode: Mode::Enforce, text: text.to_owned(), max_age: 0 };
    let mut sender = Sender::default();
    let first = look(&mut sender, NOW, Recheck::WhenDue, id("1"), ageless("a"));
    let refused = first.policy.expect("a policy").refused();
    let mut gate = |txt, https| {
        let verdict = sender.lookup(NOW + 9, Recheck::Always, &world(txt, https), Some(&refused));
        assert_eq!(verdict.policy.map(|policy| policy.from), Some(Source::Fetched));
        verdict.permits_bounce
    };
    assert!(gate(id("1"), ageless("a")));
    assert!(!gate(id("1"), ageless("b")));
    assert!(!gate(id("2"), ageless("a")));
}
