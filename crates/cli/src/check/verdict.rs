//! How bad a finding is: the exit code.

use mta_sts::{FetchFailure, HeldPolicy, Mode, Outcome, Problem};
use mta_sts_terminal::exit::Exit;

use super::Finding;
use super::mx::Hosts;

/// The worse of two exits. A fault is a fault, whatever else could not be told.
pub(crate) fn worse(a: Exit, b: Exit) -> Exit {
    let rank = |exit| match exit {
        Exit::Well => 0,
        Exit::Unknown => 1,
        Exit::Fault => 2,
        Exit::Usage => 3,
    };
    if rank(b) > rank(a) { b } else { a }
}

impl Finding {
    /// The mode of the policy in force.
    pub(super) fn mode(&self) -> Option<Mode> {
        self.outcome.policy().map(|held| held.policy().mode())
    }

    /// Whether the policy has anything to say about MX hosts.
    pub(super) fn binds_hosts(&self) -> bool {
        matches!(self.mode(), Some(Mode::Enforce | Mode::Testing))
    }

    pub(super) fn exit(&self) -> Exit {
        let lookup = of_lookup(&self.outcome);
        let hosts = match &self.hosts {
            Hosts::Failed(_) => Exit::Unknown,
            hosts if self.binds_hosts() && hosts.uncovered().next().is_some() => Exit::Fault,
            _ => Exit::Well,
        };
        let record = if self.has_near_miss() { Exit::Fault } else { Exit::Well };
        let store = if self.outcome.is_persisted() { Exit::Well } else { Exit::Unknown };
        worse(worse(lookup, record), worse(hosts, store))
    }
}

/// Whose the problem of a lookup is: the domain's, or that of the way to it.
pub(crate) fn of_lookup(outcome: &Outcome) -> Exit {
    let Some(problem) = outcome.problem() else { return Exit::Well };
    match problem {
        // RFC 8461 §8.3: a policy of mode `none`, held still, and then no record: a removal as it
        // should be.
        Problem::RecordAbsent => match outcome.policy().map(HeldPolicy::policy) {
            Some(policy) if policy.mode() == Mode::None => Exit::Well,
            _ => Exit::Fault,
        },
        Problem::SeveralRecords { .. }
        | Problem::RecordMalformed { .. }
        | Problem::PolicyInvalid { .. }
        | Problem::BackingOff { .. } => Exit::Fault,
        Problem::Fetch(FetchFailure::Abandoned) => Exit::Unknown,
        // Announced and not to be had, be it for want of an address.
        Problem::Fetch(_) => Exit::Fault,
        Problem::StoreUnreadable | Problem::NoAnswer(_) | Problem::FetchLimited { .. } => {
            Exit::Unknown
        }
        _ => Exit::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_a_fault_outweighs_what_could_not_be_told() {
        assert_eq!(worse(Exit::Well, Exit::Unknown), Exit::Unknown);
        assert_eq!(worse(Exit::Fault, Exit::Unknown), Exit::Fault);
        assert_eq!(worse(Exit::Unknown, Exit::Fault), Exit::Fault);
        assert_eq!(worse(Exit::Well, Exit::Well), Exit::Well);
    }
}
