//! DNS is asked for the TXT record (RFC 8461 §3.1).

use alloc::boxed::Box;
use core::time::Duration;

use super::problem::{EVIDENCE_OCTETS, lossy};
use super::rules::{self, Context, TxtFault};
use super::{AfterTxt, Problem};
use crate::entry::{HeldPolicy, Remembered};
use crate::error::SelectionError;
use crate::failure::DnsFailure;
use crate::record;
use crate::time::UnixTime;

/// Ask DNS for the TXT records at [`name`](Self::name), then reply by one of
/// [`answered`](Self::answered), [`absent`](Self::absent) and [`failed`](Self::failed).
///
/// Which of the three it is decides whether silence can be told from absence: see the
/// [driver contract](crate#what-the-driver-owes-the-machine), 1.
#[derive(Debug)]
#[must_use = "a lookup goes on only by a reply"]
pub struct QueryTxt(pub(super) Box<Context>);

impl QueryTxt {
    /// The name to ask for: `_mta-sts.` and the Policy Domain.
    pub fn name(&self) -> &str {
        self.0.entry.domain().txt_name()
    }

    /// For how long to wait for the answer before replying
    /// [`DnsFailureKind::Timeout`](crate::DnsFailureKind::Timeout).
    pub fn timeout(&self) -> Duration {
        self.0.limits.query_timeout()
    }

    /// The policy that may be applied while the question is under way.
    pub fn interim(&self, now: UnixTime) -> Option<&HeldPolicy> {
        self.0.entry.policy(now)
    }

    /// DNS answered with these records, each the sequence of its character-strings, and their TTL
    /// in seconds. No records at all count as [`absent`](Self::absent).
    pub fn answered<R>(self, records: R, ttl: u32, now: UnixTime) -> AfterTxt
    where
        R: IntoIterator + Clone,
        R::Item: IntoIterator,
        <R::Item as IntoIterator>::Item: AsRef<[u8]>,
    {
        let (remembered, problem) = match record::select(records.clone()) {
            Ok(id) => return rules::id_announced(self.0, id, ttl, now),
            Err(SelectionError::Absent) => (Remembered::Absent, None),
            Err(SelectionError::Several { count }) => {
                let text = lossy(&record::raw_octets(records, EVIDENCE_OCTETS), EVIDENCE_OCTETS);
                (Remembered::Malformed, Some(Problem::SeveralRecords { count, text }))
            }
            Err(SelectionError::Malformed(error)) => {
                let text = lossy(&record::raw_octets(records, EVIDENCE_OCTETS), EVIDENCE_OCTETS);
                let problem = Problem::RecordMalformed { error: Some(error), text };
                (Remembered::Malformed, Some(problem))
            }
        };
        rules::no_id(self.0, TxtFault { remembered, ttl, problem }, now)
    }

    /// DNS proved that there is no record: NXDOMAIN, or NODATA with an SOA. `ttl` is the negative
    /// TTL in seconds (RFC 2308 §5), 0 if it is not known.
    pub fn absent(self, ttl: u32, now: UnixTime) -> AfterTxt {
        let fault = TxtFault { remembered: Remembered::Absent, ttl, problem: None };
        rules::no_id(self.0, fault, now)
    }

    /// DNS gave no answer.
    pub fn failed(self, failure: DnsFailure, now: UnixTime) -> AfterTxt {
        let problem = Some(Problem::NoAnswer(Some(failure)));
        let fault = TxtFault { remembered: Remembered::NoAnswer, ttl: 0, problem };
        rules::no_id(self.0, fault, now)
    }
}
