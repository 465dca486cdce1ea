//! MTA-STS.
#![no_std]
extern crate alloc;
#[cfg(test)]
extern crate std;

mod address;
mod entry;
pub mod error;
pub mod failure;
pub mod lint;
pub mod lookup;
mod mx;
mod name;
pub mod policy;
pub mod publish;
pub mod record;
pub mod schedule;
mod time;
pub mod tlsrpt;

pub use address::policy_host_address;
pub use entry::{Entry, HeldPolicy};
pub use error::{
    AddressClass, EntryError, MergeError, MxPatternError, NameError, Place, PolicyError,
    RecordError, SelectionError,
};
pub use failure::{
    CertificateFault, DnsFailure, DnsFailureKind, ExtendedDnsError, FetchFailure, MxVerified,
    PolicyHostVerified,
};
pub use lookup::{
    BounceToken, Decision, Held, Limits, Lookup, Outcome, PolicyChange, Problem, Recheck, Status,
    Step, Urgency,
};
pub use mx::MxPattern;
pub use name::{DnsName, PolicyDomain};
pub use policy::{MAX_POLICY_OCTETS, MaxAge, Mode, Policy, PolicyRef, Profile};
pub use record::{PolicyId, Record};
pub use time::UnixTime;
pub use tlsrpt::ResultType;
