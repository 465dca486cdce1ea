//! Any order of events, on any clock: the body of the fuzz target, with random bytes.

use mta_sts_testkit::fuzz;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..Default::default() })]

    #[test]
    fn ok_whatever_happens_nobody_is_lost_nor_given_twice(
        data in prop::collection::vec(any::<u8>(), 8..600),
    ) {
        fuzz::schedule(&data);
    }
}
