//! Sessions added up.

use mta_sts::ResultType;
use mta_sts_tlsrpt::{
    FailureDetails, MAX_DETAILS, OMITTED, ReportedPolicy, Tally, TallyMergeError,
};
use proptest::prelude::*;

use super::{TESTING, domain, policy, tally};

fn numbered(result: ResultType, number: usize) -> FailureDetails {
    FailureDetails::new(result).with_receiving_mx_helo(&format!("h{number}"))
}

#[test]
fn ok_a_session_counts_once_whatever_was_wrong_with_it() {
    let mut tally = tally();
    assert!(tally.is_empty());
    tally.succeeded();
    tally.succeeded();
    let (expired, invalid) = (ResultType::CertificateExpired, ResultType::StsPolicyInvalid);
    tally.failed([expired, expired, invalid].map(FailureDetails::new));
    tally.failed([FailureDetails::new(expired).with_failed_session_count(5)]);
    tally.failed([]);
    tally.noted(FailureDetails::new(invalid).held());
    tally.noted(FailureDetails::new(invalid).with_failed_session_count(0));
    assert_eq!((tally.successful_sessions(), tally.failed_sessions()), (2, 7));
    let details: Vec<_> =
        tally.details().map(|d| (d.result_type(), d.is_held(), d.failed_session_count())).collect();
    assert_eq!(
        details,
        [(Some(expired), false, 6), (Some(invalid), false, 1), (Some(invalid), true, 1)]
    );
}

#[test]
fn ok_a_flood_of_one_result_type_hides_no_other() {
    let mut tally = tally();
    for number in 0..2 * MAX_DETAILS {
        tally.failed([numbered(ResultType::StarttlsNotSupported, number)]);
    }
    let other = numbered(ResultType::StsWebpkiInvalid, 0);
    tally.failed([other.clone()]);
    let details: Vec<_> = tally.details().collect();
    assert_eq!(details.len(), MAX_DETAILS + 2);
    let rest = FailureDetails::new(ResultType::StarttlsNotSupported)
        .with_failure_reason_code(OMITTED)
        .with_failed_session_count(u64::try_from(MAX_DETAILS).unwrap());
    assert_eq!(details[MAX_DETAILS..], [rest, other]);
}

#[test]
fn err_tallies_of_two_policies_do_not_merge() {
    let mut one = tally();
    let before = one.clone();
    let mut other = Tally::new(ReportedPolicy::applied(&domain(), None));
    other.succeeded();
    assert_eq!(one.merge(other), Err(TallyMergeError));
    assert_eq!(one, before);
}

#[test]
fn ok_policies_are_equal_by_their_lines() {
    let unix = policy(&TESTING.replace("\r\n", "\n"));
    let unix = ReportedPolicy::applied(&domain(), Some(&unix));
    assert_eq!(tally().policy(), &unix);
    assert_eq!(tally().merge(Tally::new(unix)), Ok(()));
}

/// Adding in order, in reverse, and in two parts merged either way must come to the same.
fn assert_order_is_nothing(events: &[(u8, u16, u64)], at: usize) -> Tally {
    let add = |events: &mut dyn Iterator<Item = &(u8, u16, u64)>| {
        let mut sum = tally();
        for (what, number, count) in events {
            let result = ResultType::ALL[usize::from(*what) % ResultType::ALL.len()];
            let details = numbered(result, usize::from(*number)).with_failed_session_count(*count);
            match what % 3 {
                0 => sum.succeeded(),
                1 => sum.noted(details),
                _ => sum.failed([details]),
            }
        }
        sum
    };
    let whole = add(&mut events.iter());
    assert_eq!(add(&mut events.iter().rev()), whole);
    let (head, tail) = events.split_at(at.min(events.len()));
    let (head, tail) = (add(&mut head.iter()), add(&mut tail.iter()));
    for (mut a, b) in [(head.clone(), tail.clone()), (tail, head)] {
        assert_eq!(a.merge(b), Ok(()));
        assert_eq!(a, whole);
    }
    whole
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn ok_the_order_of_adding_and_merging_is_nothing(
        events in proptest::collection::vec(
            (any::<u8>(), 0_u16..200, prop_oneof![9 => 0_u64..9, 1 => any::<u64>()]),
            0..1_500,
        ),
        at in 0_usize..1_500,
    ) {
        let whole = assert_order_is_nothing(&events, at);
        prop_assert!(whole.details().count() <= (MAX_DETAILS + 1) * ResultType::ALL.len());
    }

    #[test]
    fn ok_no_session_is_lost_beyond_the_bound(numbers in proptest::collection::vec(0_usize..600, 0..900)) {
        let mut sum = tally();
        for number in &numbers {
            sum.failed([numbered(ResultType::ALL[number % 3], *number)]);
        }
        let counted: u64 = sum.details().map(|d| d.failed_session_count()).sum();
        prop_assert_eq!(counted, sum.failed_sessions());
        prop_assert_eq!(counted, u64::try_from(numbers.len()).unwrap());
    }
}
