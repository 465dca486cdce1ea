//! Entries as a store may hold them: any.

use alloc::vec::Vec;

use arbitrary::{Arbitrary, Result, Unstructured};

use super::notes::{Budget, Failure, Failures, Memory};
use super::{Entry, HeldPolicy, Remembered};
use crate::name::PolicyDomain;

impl Entry {
    /// An entry of this domain such as its bytes may describe it, be it one that no lookup makes.
    fn any_of(domain: PolicyDomain, u: &mut Unstructured<'_>) -> Result<Self> {
        use Remembered::{Absent, Malformed, NoAnswer, SameId};
        let what =
            *u.choose(&[None, Some(SameId), Some(Absent), Some(Malformed), Some(NoAnswer)])?;
        let (stamp, until, of) = u.arbitrary()?;
        let memory = Memory { stamp, what, until, generation: of };
        let (restarts, full_at) = u.arbitrary()?;
        let mut failures = Vec::new();
        for _ in 0..u.int_in_range(0..=Failures::MAX)? {
            let (stamp, id, until, repeats) = u.arbitrary()?;
            failures.push(Failure { stamp, id, until, repeats });
        }
        // In the order, and with the distinct ids, that the form has.
        let mut noted = Failures(failures);
        noted.merge(Failures::default());
        let held = if u.arbitrary()? {
            Some(HeldPolicy::new(u.arbitrary()?, u.arbitrary()?, u.arbitrary()?))
        } else {
            None
        };
        let (generation, inserted_at, last_used) = u.arbitrary()?;
        let budget = Budget { restarts, full_at };
        let failures = noted;
        Ok(Self { domain, generation, held, memory, failures, budget, inserted_at, last_used })
    }
}

/// Whatever a store may hold, as [`from_bytes`](Entry::from_bytes) reads it.
impl<'a> Arbitrary<'a> for Entry {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Self::any_of(u.arbitrary()?, u)
    }
}
