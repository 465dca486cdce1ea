//! One lookup of a domain at a time (driver contract, 11).

use std::sync::Arc;

use mta_sts::PolicyDomain;

use super::turns::{Turn, Turns};
use crate::in_use::InUse;
use crate::silence::Silence;

/// The order of the lookups of each domain.
///
/// Every lookup takes its permits in one order, so that none waits for another without end: first
/// its place in the queue of the domain, then a permit for a lookup of any domain, then the
/// exclusive right to the domain.
#[derive(Debug, Default)]
pub(super) struct Exclusion {
    /// The lookups that share none wait here, so that those of one domain hold one of the permits
    /// for all domains, however many they are.
    queues: InUse<PolicyDomain, Turns>,
    lookups: InUse<PolicyDomain, Turns>,
    silences: InUse<PolicyDomain, Silence>,
}

impl Exclusion {
    /// Waits for the place at the head of the domain's queue.
    pub(super) fn queue(&self, domain: &PolicyDomain) -> Turn {
        one(&self.queues, domain).take()
    }

    /// Returns the silence that the gates of the domain share while they wait.
    pub(super) fn silence(&self, domain: &PolicyDomain) -> Arc<Silence> {
        self.silences.of(domain, Silence::default)
    }

    /// Waits for the exclusive right to look up the domain.
    pub(super) fn lookup(&self, domain: &PolicyDomain) -> Turn {
        one(&self.lookups, domain).take()
    }

    /// Takes the exclusive right to look up the domain, if no lookup has it.
    pub(super) fn try_lookup(&self, domain: &PolicyDomain) -> Option<Turn> {
        one(&self.lookups, domain).try_take()
    }
}

fn one(used: &InUse<PolicyDomain, Turns>, domain: &PolicyDomain) -> Arc<Turns> {
    used.of(domain, || Turns::new(1))
}
