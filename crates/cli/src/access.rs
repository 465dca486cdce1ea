//! How DNS and policy hosts are reached: the options of all commands that ask.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mta_sts::Limits;
use mta_sts_adapters::tokio::{Builder, MtaSts};
use mta_sts_adapters::{BuildError, Dns, HickoryDns, Roots};
use mta_sts_terminal::exit::Failure;
use mta_sts_terminal::read;

/// The largest file of certificates that is read, in octets.
const MAX_CA_OCTETS: u64 = 4 * 1024 * 1024;

/// How DNS and policy hosts are reached.
#[derive(Debug, clap::Args)]
pub(crate) struct Access {
    /// The resolver to ask, in place of the system's
    #[arg(long, value_name = "ADDR:PORT")]
    dns: Option<SocketAddr>,
    /// A file of certificates (PEM) to trust beside the system's
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The port of policy hosts, in place of 443
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    policy_port: Option<u16>,
    /// Connect to policy hosts at private addresses too
    #[arg(long)]
    allow_private: bool,
    /// The time for each question to DNS, and for each whole fetch; 20 and 60 unless set
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=300))]
    timeout: Option<u64>,
}

impl Access {
    /// The resolver.
    pub(crate) fn dns(&self) -> Result<HickoryDns, Failure> {
        match self.dns {
            Some(server) => Ok(HickoryDns::servers([server])),
            None => HickoryDns::system().map_err(|error| Failure::unknown("DNS", error)),
        }
    }

    /// A client that asks `dns`, in the making.
    pub(crate) fn builder(&self, dns: impl Dns) -> Result<Builder, Failure> {
        let mut limits = Limits::default();
        if let Some(seconds) = self.timeout {
            let time = Duration::from_secs(seconds);
            limits = limits.with_query_timeout(time).with_fetch_timeout(time);
        }
        let mut builder =
            MtaSts::builder().dns(dns).limits(limits).allow_private_addresses(self.allow_private);
        if let Some(port) = self.policy_port {
            builder = builder.policy_port(port);
        }
        if let Some(path) = &self.ca {
            builder = builder.extra_root(certificates(path)?);
        }
        Ok(builder)
    }

    /// Makes the client.
    pub(crate) fn build(&self, builder: Builder) -> Result<MtaSts, Failure> {
        let client = match (builder.clone().build(), &self.ca) {
            // The system trusts nobody: the given roots are then all there is.
            (Err(BuildError::NoRoots(_)), Some(_)) => builder.roots(Roots::GivenOnly).build(),
            (built, _) => built,
        };
        client.map_err(|error| match (&error, &self.ca) {
            (BuildError::BadRoot(_), Some(path)) => {
                Failure::usage(format_args!("{}: {error}", path.display()))
            }
            _ => Failure::unknown("the client", error),
        })
    }
}

fn certificates(path: &Path) -> Result<Vec<u8>, Failure> {
    let unreadable = |error| Failure::usage(format_args!("{}: {error}", path.display()));
    read(path, MAX_CA_OCTETS).map_err(unreadable)
}
