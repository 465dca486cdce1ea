//! The questions of a check: record, policy, MX hosts, by the client that a mail server would use.

use mta_sts::{HeldPolicy, PolicyDomain};
use mta_sts_adapters::tokio::MtaSts;
use mta_sts_terminal::exit::{Exit, Failure};

use super::mx::Hosts;
use super::verdict;
use super::witness::Witness;
use super::{Args, Finding};

/// Asks, and remembers what it may.
#[derive(Debug)]
pub(super) struct Asker {
    client: MtaSts,
    witness: Witness,
    has_store: bool,
}

impl Asker {
    pub(super) fn new(args: &Args) -> Result<Self, Failure> {
        let witness = Witness::new(args.access.dns()?);
        let mut builder = args.access.builder(witness.clone())?;
        if let Some(place) = &args.store {
            builder = builder.store(place.open_or_make()?);
        }
        let client = args.access.build(builder)?;
        Ok(Self { client, witness, has_store: args.store.is_some() })
    }

    /// Asks for everything there is to know of `domain`.
    pub(super) async fn ask(&self, domain: &PolicyDomain) -> Finding {
        let limit = self.client.limits().query_timeout();
        let (outcome, mut hosts) = futures_util::future::join(
            self.client.recheck(domain),
            Hosts::ask(&self.witness, domain, limit),
        )
        .await;
        hosts.compare(outcome.policy().map(HeldPolicy::policy));
        let records = self.witness.txt_seen(domain.txt_name());
        Finding { outcome, records, hosts, now: self.client.now() }
    }

    /// Writes what the store has yet to take; gives the exit, which is none the better for a store
    /// that did not take it.
    pub(super) async fn finish(&self, exit: Exit) -> Result<Exit, Failure> {
        if !self.has_store {
            return Ok(exit);
        }
        match self.client.flush().await {
            Ok(()) => Ok(exit),
            Err(error) => {
                let failed = Failure::unknown("what was learnt is not kept", error).report();
                Ok(verdict::worse(exit, failed))
            }
        }
    }
}
