//! Entries as a store may hold them: any.

use alloc::vec::Vec;

use arbitrary::{Arbitrary, Result, Unstructured};

use super::notes::{Budget, Failure, Failures, LastUsed, Latest, MAX_STAMP, Memory};
use super::{CountedAge, Entry, HeldPolicy, Remembered};
use crate::name::PolicyDomain;

/// A number of a logical clock, as the stored form has it.
fn stamp(u: &mut Unstructured<'_>) -> Result<u64> {
    u.int_in_range(0..=MAX_STAMP)
}

fn latest(u: &mut Unstructured<'_>) -> Result<Latest> {
    Ok(Latest { restarts: stamp(u)?, at: u.arbitrary()? })
}

fn counted_age(u: &mut Unstructured<'_>) -> Result<Option<CountedAge>> {
    let is_counted = u.arbitrary()?;
    Ok(if is_counted { Some(CountedAge { secs: stamp(u)?, at: u.arbitrary()? }) } else { None })
}

impl Entry {
    /// An entry of this domain such as its bytes may describe it, be it one that no lookup makes.
    fn any_of(domain: PolicyDomain, u: &mut Unstructured<'_>) -> Result<Self> {
        use Remembered::{Absent, Id, Malformed, NoAnswer};
        let id = Id(u.arbitrary()?);
        let what = *u.choose(&[None, Some(id), Some(Absent), Some(Malformed), Some(NoAnswer)])?;
        let memory = Memory { stamp: stamp(u)?, what, until: u.arbitrary()? };
        let mut failures = Vec::new();
        for _ in 0..u.int_in_range(0..=Failures::MAX)? {
            let (id, until, repeats) = u.arbitrary()?;
            failures.push(Failure { stamp: stamp(u)?, id, until, repeats });
        }
        // In the order, and with the distinct ids, that the form has.
        let mut noted = Failures(failures);
        noted.merge(Failures::default());
        let held = if u.arbitrary()? {
            let held = HeldPolicy::new(u.arbitrary()?, u.arbitrary()?, u.arbitrary()?);
            Some(HeldPolicy { counted: counted_age(u)?, ..held })
        } else {
            None
        };
        let (generation, inserted_at) = (stamp(u)?, u.arbitrary()?);
        let budget = Budget { debt: latest(u)?, seen_ahead_at: u.arbitrary()? };
        let last_used = LastUsed(latest(u)?);
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
