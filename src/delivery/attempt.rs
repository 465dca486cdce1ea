//! One connection to one candidate.

use alloc::sync::Arc;

use super::dane::{Dane, DaneState};
use super::rules::{Rules, Unmatched};
use crate::name::DnsName;

/// The demand on TLS at a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TlsDuty {
    /// No demand: use TLS where it is offered.
    Opportunistic,
    /// Verify the certificate for the host's name. The mail may go in any case, and the result is
    /// for the report (mode `testing`).
    Reported,
    /// Without a certificate that was verified for the host's name the mail must not go.
    Verified,
    /// DANE alone decides, by the sender's choice.
    Dane,
}

/// A candidate to connect to.
///
/// It ends in [`Delivery::judge`](super::Delivery::judge), on the delivery that handed it out. An
/// attempt that is dropped, or judged on another delivery, counts as refused by all that could have
/// refused it: a connection that breaks in the driver's hands never permits a bounce.
///
/// ```compile_fail,E0382
/// # use mta_sts::delivery::{Attempt, Delivery, Session};
/// # fn f(attempt: Attempt, delivery: &mut Delivery) {
/// let first = delivery.judge(attempt, Session::NoStarttls);
/// let second = delivery.judge(attempt, Session::Unverified); // it has its verdict
/// # }
/// ```
#[derive(Debug)]
#[must_use = "an attempt ends in a verdict: see `Delivery::judge`"]
pub struct Attempt {
    pub(super) host: Option<DnsName>,
    pub(super) rules: Rules,
    pub(super) dane: DaneState,
    pub(super) unmatched: Unmatched,
    /// The delivery that handed it out.
    pub(super) delivery: Arc<()>,
}

impl Attempt {
    /// The name to connect to, to send as SNI and to verify the certificate for (RFC 8461 §4.2,
    /// §7.1); `None` for a candidate that has no host name.
    pub const fn host(&self) -> Option<&DnsName> {
        self.host.as_ref()
    }

    /// The demand on TLS.
    pub const fn duty(&self) -> TlsDuty {
        self.rules.duty(self.dane)
    }

    /// Sets the result of DANE for the host, now that it is known. Judge the attempt then: an
    /// attempt that is dropped counts as refused by what was known when it was handed out.
    pub fn with_dane(mut self, dane: Dane) -> Self {
        self.dane = DaneState::of(dane, self.host.as_ref());
        self
    }
}
