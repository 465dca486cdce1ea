//! The smallest fleet, in every order of its events.

use mta_sts_testkit::fleet::smallest::explore;

fn every_order_holds(apart: u64) {
    let explored = explore(apart);
    println!("clocks {apart} s apart: {explored:#?}");
    assert!(explored.states > 1_000);
    for (count, course) in [
        (explored.ends, "all lookups end"),
        (explored.older_fetch_ends_later, "an old fetch ends after a newer one"),
        (explored.merge_keeps_another, "a merge keeps the policy of another lookup"),
        (explored.gate_denied_by_the_store, "a gate is denied because the store moved on"),
        (explored.gate_denied_by_dns, "a gate is denied because DNS names another id"),
        (explored.tokens, "a token is given"),
        (explored.budgets_collide, "budgets collide"),
        (explored.budget_spent, "a budget is spent"),
        (explored.new_policy_confirmed, "the new policy is confirmed"),
    ] {
        assert!(count > 0, "never: {course}");
    }
}

#[test]
fn every_order_of_two_senders_with_equal_clocks() {
    every_order_holds(0);
}

#[test]
fn every_order_of_two_senders_1_second_apart() {
    every_order_holds(1);
}

#[test]
fn every_order_of_two_senders_61_seconds_apart() {
    every_order_holds(61);
}
