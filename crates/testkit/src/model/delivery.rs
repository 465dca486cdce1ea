//! A reference model of a delivery: who objects to a candidate, each rule a sentence.

use super::Mode;
use crate::oracle;

/// What DANE says of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dane {
    /// Nothing yet.
    NotKnown,
    /// No record is published.
    Absent,
    /// The certificate fits a record.
    Passed,
    /// It fits none.
    Failed,
}

/// The rules of one delivery, each flag a demand of its own.
#[expect(clippy::struct_excessive_bools, reason = "each flag is a demand of its own")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// The mode of the policy; [`Mode::None`] without one.
    pub mode: Mode,
    /// The patterns of the policy.
    pub patterns: Vec<String>,
    /// The patterns that the sender's operator demands.
    pub demanded: Option<Vec<String>>,
    /// The mail carries REQUIRETLS.
    pub require_tls: bool,
    /// The mail carries `TLS-Required: No`.
    pub tls_required_no: bool,
    /// DANE, where it passes, is enough.
    pub dane_suffices: bool,
    /// The names of the candidates are secure.
    pub secure_mx: bool,
    /// The protection that the operator demands.
    pub require: Option<Require>,
}

/// A protection that an operator demands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Require {
    /// An enforcing policy: the published one, or the operator's patterns.
    Sts,
    /// DANE.
    Dane,
    /// Either.
    Any,
}

/// Who objects to a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Objections {
    /// The published policy.
    pub policy: bool,
    /// The sender's own demands, or DANE.
    pub sender: bool,
}

impl Objections {
    /// Whether anybody objects.
    pub const fn any(self) -> bool {
        self.policy || self.sender
    }

    /// Whoever objects in one or the other.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self { policy: self.policy || other.policy, sender: self.sender || other.sender }
    }
}

impl Rules {
    /// Who objects to the host of this name, `None` for what is no host name: given what DANE says,
    /// whether there was TLS, and whether a certificate was verified for the name.
    pub fn objections(
        &self,
        host: Option<&str>,
        dane: Dane,
        tls: bool,
        verified: bool,
    ) -> Objections {
        let matches = |patterns: &[String]| {
            host.is_some_and(|host| patterns.iter().any(|p| oracle::matches(p, host)))
        };
        let is_demanded = self.demanded.as_deref().is_some_and(matches);
        let is_published = self.mode != Mode::None && matches(&self.patterns);
        // Without TLS no TLSA record was met.
        let dane_ok = dane == Dane::Passed && tls;
        let dane_fails = dane == Dane::Failed || (dane == Dane::Passed && !tls);
        let excused = self.dane_suffices && dane_ok;
        // RFC 8689 §4.1: REQUIRETLS takes precedence over TLS-Required: No.
        let enforced = self.is_enforced();
        let policy = enforced && !(matches(&self.patterns) && verified) && !excused;
        let operator = self.demanded.is_some() && !(is_demanded && (verified || excused));
        // RFC 8689 §4.2.1: verified by PKIX under a name that something vouches for, or by DANE.
        let named = is_published || is_demanded || self.secure_mx;
        let require_tls = self.require_tls && !(named && verified) && !dane_ok;
        let sts = enforced || self.demanded.is_some();
        let protected = match self.require {
            None => true,
            Some(Require::Sts) => sts,
            Some(Require::Dane) => dane_ok,
            Some(Require::Any) => sts || dane_ok,
        };
        Objections { policy, sender: operator || require_tls || dane_fails || !protected }
    }

    /// Whether the published policy is enforced. Neither an operator's demand for protection nor
    /// REQUIRETLS is lifted by the header field of a mail.
    const fn is_enforced(&self) -> bool {
        let is_lifted = self.tls_required_no && !self.require_tls && self.require.is_none();
        matches!(self.mode, Mode::Enforce) && !is_lifted
    }

    /// Who could object to a candidate of which nothing is known but what DANE said.
    pub const fn could_object(&self, dane: Dane) -> Objections {
        let demands = self.demanded.is_some() || self.require_tls || self.require.is_some();
        let sender = demands || matches!(dane, Dane::Passed | Dane::Failed);
        Objections { policy: self.is_enforced(), sender }
    }
}
