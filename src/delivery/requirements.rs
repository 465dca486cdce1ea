//! What the sender demands besides the recipient domain's policy.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::error::MxPatternError;
use crate::mx::MxPattern;
use crate::name::DnsName;
use crate::policy::Profile;

/// An operator's rule for one domain, in the place of what the domain publishes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Demand {
    /// Whatever the domain publishes.
    #[default]
    Published,
    /// No policy applies, whatever the domain publishes.
    Off,
    /// Verified TLS to one of these hosts, whatever the domain publishes: nothing that it
    /// publishes lowers this.
    Forced(ForcedPatterns),
}

/// The patterns of a [`Demand::Forced`]: at least one, each valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForcedPatterns(Vec<Box<str>>);

impl Demand {
    /// Verified TLS to hosts that match one of `patterns`, written as in a policy's `mx`.
    ///
    /// # Errors
    /// The first pattern's fault; [`MxPatternError::Empty`] where there is none.
    pub fn forced<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Result<Self, MxPatternError> {
        let patterns = patterns
            .into_iter()
            .map(|text| MxPattern::parse(text, Profile::Tolerant).map(|p| p.as_str().into()))
            .collect::<Result<Vec<_>, _>>()?;
        if patterns.is_empty() {
            return Err(MxPatternError::Empty);
        }
        Ok(Self::Forced(ForcedPatterns(patterns)))
    }
}

impl ForcedPatterns {
    /// The patterns.
    pub fn iter(&self) -> impl Iterator<Item = MxPattern<'_>> {
        self.0.iter().map(|text| MxPattern::from_checked(text))
    }

    /// Whether `host` matches one of them, by the rules of a policy's patterns.
    pub fn matches(&self, host: &DnsName) -> bool {
        self.iter().any(|pattern| pattern.matches(host))
    }
}

/// An operator's demand that a destination is protected: without the protection, the mail is
/// deferred.
///
/// ```
/// use mta_sts::delivery::{Candidate, Conclusion, Delivery, Mx, Require, Requirements};
///
/// let requirements = Requirements::default().with_require(Some(Require::Any));
/// let mut delivery = Delivery::without_policy(requirements);
/// let Candidate::Connect(attempt) = delivery.candidate(&Mx::parse("mx.example.com")) else {
///     panic!("DANE may still vouch for the host");
/// };
/// drop(attempt);
/// assert!(matches!(delivery.conclude(), Conclusion::LocalDemand));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum Require {
    /// An enforcing policy must apply: one that the domain publishes with mode `enforce`, or the
    /// operator's own patterns ([`Demand::Forced`]).
    Sts,
    /// DANE must pass.
    Dane,
    /// Either.
    Any,
}

/// The demands of a mail and of its sender's operator on every session.
///
/// ```
/// use mta_sts::delivery::{Demand, Requirements};
///
/// let bank = Requirements::default().with_demand(Demand::forced(["*.bank.example"])?);
/// let careless = Requirements::default().with_tls_required_no(true);
/// assert_ne!(bank, careless);
/// # Ok::<(), mta_sts::MxPatternError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Requirements {
    require_tls: bool,
    tls_required_no: bool,
    dane_suffices: bool,
    demand: Demand,
    require: Option<Require>,
}

impl Requirements {
    /// The mail carries REQUIRETLS (RFC 8689 §2): it goes only over verified TLS to a host that a
    /// policy or DANE vouches for.
    #[must_use]
    pub fn with_require_tls(self, require_tls: bool) -> Self {
        Self { require_tls, ..self }
    }

    /// The mail has the header field `TLS-Required: No` (RFC 8689 §3): a published policy is not
    /// enforced on it, only reported. REQUIRETLS and an operator's demand hold in spite of it. The
    /// header asks to ignore DANE as well: a sender that does so tells the delivery nothing of it.
    #[must_use]
    pub fn with_tls_required_no(self, tls_required_no: bool) -> Self {
        Self { tls_required_no, ..self }
    }

    /// Where DANE passes for a host, it is enough: neither PKIX nor the policy's patterns are asked
    /// (an operator's patterns are).
    /// Without this a policy applies beside DANE.
    #[must_use]
    pub fn with_dane_sufficient(self, dane_suffices: bool) -> Self {
        Self { dane_suffices, ..self }
    }

    /// The operator's rule for the domain.
    #[must_use]
    pub fn with_demand(self, demand: Demand) -> Self {
        Self { demand, ..self }
    }

    /// Sets the operator's demand for protection. `TLS-Required: No` does not lift it.
    #[must_use]
    pub fn with_require(self, require: Option<Require>) -> Self {
        Self { require, ..self }
    }

    pub(super) const fn required(&self) -> Option<Require> {
        self.require
    }

    pub(super) fn is_off(&self) -> bool {
        self.demand == Demand::Off
    }

    pub(super) const fn patterns(&self) -> Option<&ForcedPatterns> {
        match &self.demand {
            Demand::Forced(patterns) => Some(patterns),
            _ => None,
        }
    }

    pub(super) const fn requires_tls(&self) -> bool {
        self.require_tls
    }

    pub(super) const fn lifts_enforcement(&self) -> bool {
        self.tls_required_no && !self.require_tls && self.require.is_none()
    }

    pub(super) const fn lets_dane_suffice(&self) -> bool {
        self.dane_suffices
    }
}
