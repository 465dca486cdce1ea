//! All rules of a delivery together: the body of the fuzz target, with random bytes.

use mta_sts_testkit::fuzz;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 3_000, ..Default::default() })]

    #[test]
    fn every_verdict_is_that_of_the_reference_model(
        data in prop::collection::vec(any::<u8>(), 10..60),
    ) {
        fuzz::delivery(&data);
    }
}
