//! The questions of a check: record, policy, MX hosts, by the client that a mail server would use.

use std::path::Path;
use std::time::Duration;

use mta_sts::{HeldPolicy, Limits, PolicyDomain};
use mta_sts_adapters::tokio::MtaSts;
use mta_sts_adapters::{BuildError, HickoryDns, Roots, Sqlite};

use super::mx::Hosts;
use super::verdict;
use super::witness::Witness;
use super::{Args, Finding};
use crate::args;
use crate::exit::{Exit, Failure};

/// The largest file of certificates that is read, in octets.
const MAX_CA_OCTETS: u64 = 4 * 1024 * 1024;

/// Asks, and remembers what it may.
#[derive(Debug)]
pub(super) struct Asker {
    client: MtaSts,
    witness: Witness,
    has_store: bool,
}

impl Asker {
    pub(super) fn new(args: &Args) -> Result<Self, Failure> {
        let dns = match args.dns {
            Some(server) => HickoryDns::servers([server]),
            None => HickoryDns::system().map_err(|error| Failure::unknown("DNS", error))?,
        };
        let witness = Witness::new(dns);
        let mut limits = Limits::default();
        if let Some(seconds) = args.timeout {
            let time = Duration::from_secs(seconds);
            limits = limits.with_query_timeout(time).with_fetch_timeout(time);
        }
        let mut builder = MtaSts::builder()
            .dns(witness.clone())
            .limits(limits)
            .allow_private_addresses(args.allow_private);
        if let Some(port) = args.policy_port {
            builder = builder.policy_port(port);
        }
        if let Some(path) = &args.ca {
            builder = builder.extra_root(certificates(path)?);
        }
        if let Some(path) = &args.store {
            let store = Sqlite::open(path);
            let store = store
                .map_err(|error| Failure::unknown(format_args!("{}", path.display()), error))?;
            builder = builder.store(store);
        }
        let client = match (builder.clone().build(), &args.ca) {
            // The system trusts nobody: the given roots are then all there is.
            (Err(BuildError::NoRoots(_)), Some(_)) => builder.roots(Roots::GivenOnly).build(),
            (built, _) => built,
        };
        let client = client.map_err(|error| match (&error, &args.ca) {
            (BuildError::BadRoot(_), Some(path)) => {
                Failure::usage(format_args!("{}: {error}", path.display()))
            }
            _ => Failure::unknown("the client", error),
        })?;
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

fn certificates(path: &Path) -> Result<Vec<u8>, Failure> {
    let unreadable = |error| Failure::usage(format_args!("{}: {error}", path.display()));
    args::read(path, MAX_CA_OCTETS).map_err(unreadable)
}
