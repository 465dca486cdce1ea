//! Random lookups.

use mta_sts_testkit::model::{Https, Mode, Recheck, Txt};
use mta_sts_testkit::script::{Turn, valid_policy};
use proptest::prelude::*;

fn any_recheck() -> impl Strategy<Value = Recheck> {
    prop_oneof![
        3 => Just(Recheck::WhenDue),
        2 => Just(Recheck::Always),
        2 => Just(Recheck::Refresh),
    ]
}

fn any_ttl() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), Just(60), Just(300), Just(7_200), Just(604_800), Just(u64::from(u32::MAX))]
}

fn any_txt() -> impl Strategy<Value = Txt> {
    prop_oneof![
        6 => (0..7_u8, any_ttl()).prop_map(|(number, ttl)| Txt::Id(format!("id{number}"), ttl)),
        1 => any_ttl().prop_map(Txt::Absent),
        1 => any_ttl().prop_map(Txt::Several),
        1 => any_ttl().prop_map(Txt::Malformed),
        1 => Just(Txt::NoAnswer),
    ]
}

fn any_https() -> impl Strategy<Value = Https> {
    let mode =
        prop_oneof![3 => Just(Mode::Enforce), 1 => Just(Mode::Testing), 1 => Just(Mode::None)];
    let max_age = prop_oneof![Just(0), Just(60), Just(86_400), Just(604_800), Just(99_999_999)];
    let policy = (mode, prop_oneof![Just("a"), Just("b")], max_age)
        .prop_map(|(mode, host, max_age)| valid_policy(mode, host, max_age));
    prop_oneof![
        4 => policy,
        3 => Just(Https::Fails),
        1 => Just(Https::Invalid),
        1 => Just(Https::Certificate),
    ]
}

/// Seconds from one lookup to the next, mostly around the bounds of some wait.
fn any_step() -> impl Strategy<Value = i64> {
    prop_oneof![
        2 => prop::sample::select(vec![0, 1, 59, 60, 61, 299, 300, 301, 599, 600, 899, 900, 1_201]),
        2 => 0..1_000_i64,
        1 => prop::sample::select(vec![3_599, 3_600, 3_601, 86_399, 86_400, 604_800, 31_557_600]),
        1 => prop::sample::select(vec![-1, -61, -301, -3_601, -86_401, -604_801]),
    ]
}

/// A lookup, and the seconds from the one before; its own time is yet to be set.
pub(crate) fn any_lookup() -> impl Strategy<Value = (i64, Turn)> {
    let readable = prop::bool::weighted(0.95);
    let writable = prop::bool::weighted(0.9);
    (any_step(), any_recheck(), any_txt(), any_https(), readable, writable).prop_map(
        |(step, recheck, txt, https, readable, writable)| {
            let mut turn = Turn::new(0, recheck, txt, https);
            (turn.world.readable, turn.world.writable) = (readable, writable);
            (step, turn)
        },
    )
}
