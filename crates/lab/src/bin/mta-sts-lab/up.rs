//! `mta-sts-lab up`: the servers of the lab, for as long as a sender is tested.

mod end;
mod report;
mod root_file;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use mta_sts::{Mode, MxPattern, PolicyDomain, PolicyId, Profile};
use mta_sts_lab::{Certificate, Domain, Fate, Lab, MxHost, Smtp, StartTls};
use mta_sts_terminal::Format;
use mta_sts_terminal::exit::{self, Exit, Failure};
use mta_sts_terminal::read;

use report::Report;
use root_file::RootFile;

/// The most bytes of a policy file: enough to test a sender with a policy that is too large.
const MAX_POLICY_FILE: u64 = 1 << 20;

/// Arguments of `up`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The Policy Domains that publish the policy; U-labels are taken
    #[arg(value_name = "DOMAIN", default_value = "example.com", value_parser = domain)]
    domains: Vec<PolicyDomain>,
    /// The mode of the policy: enforce, testing or none
    #[arg(long, default_value = "enforce", value_parser = mode)]
    mode: Mode,
    /// A pattern of the policy, and an MX record unless it has a wildcard; may be repeated. Without
    /// it the pattern is `mx.` and the domain
    #[arg(long, value_name = "PATTERN", value_parser = pattern)]
    mx: Vec<String>,
    /// The time for which the policy may be held, in seconds
    #[arg(
        long, value_name = "SECONDS", default_value_t = 604_800,
        value_parser = clap::value_parser!(u64).range(..=31_557_600),
    )]
    max_age: u64,
    /// Publish the bytes of this file, valid or not, instead of a policy made of the options
    #[arg(long, value_name = "FILE", conflicts_with_all = ["mode", "mx", "max_age"])]
    policy: Option<PathBuf>,
    /// The id in the TXT record
    #[arg(long, default_value = "1", value_parser = id)]
    id: String,
    /// The certificate that the Policy Host presents
    #[arg(long, value_enum, default_value_t = Presented::Good)]
    certificate: Presented,
    /// The answer of the MX hosts to STARTTLS
    #[arg(long, value_enum, default_value_t = StartTlsArg::Works)]
    starttls: StartTlsArg,
    /// The certificate that the MX hosts present
    #[arg(long, value_enum, default_value_t = Presented::Good)]
    mx_certificate: Presented,
    /// Write the root certificate to this file and keep the file, instead of a temporary file that
    /// is removed at the end
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
}

/// The certificates to choose from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Presented {
    /// Valid
    Good,
    /// Ended in 2021
    Expired,
    /// For another host
    WrongName,
    /// Signed by its own key
    SelfSigned,
    /// Signed by an authority that no root certificate names
    UnknownAuthority,
    /// Signed by an intermediate authority whose certificate is not sent
    MissingIntermediate,
}

impl From<Presented> for Certificate {
    fn from(presented: Presented) -> Self {
        match presented {
            Presented::Good => Self::Good,
            Presented::Expired => Self::Expired,
            Presented::WrongName => Self::WrongName,
            Presented::SelfSigned => Self::SelfSigned,
            Presented::UnknownAuthority => Self::UnknownAuthority,
            Presented::MissingIntermediate => Self::MissingIntermediate,
        }
    }
}

/// The answers to STARTTLS to choose from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum StartTlsArg {
    /// The handshake begins
    Works,
    /// Not offered
    Missing,
    /// Offered, then refused with 454
    Refused,
    /// The connection is reset in the handshake
    Broken,
}

impl From<StartTlsArg> for StartTls {
    fn from(arg: StartTlsArg) -> Self {
        match arg {
            StartTlsArg::Works => Self::Works,
            StartTlsArg::Missing => Self::Missing,
            StartTlsArg::Refused => Self::Refused,
            StartTlsArg::Broken => Self::Broken(Fate::Reset),
        }
    }
}

/// Starts the servers, prints how to reach them, and waits for the end.
pub(crate) fn run(args: &Args, format: Format) -> Result<Exit, Failure> {
    let policy = args.policy.as_deref().map(policy_file).transpose()?;
    let lab = Lab::start().map_err(|error| Failure::unknown("the servers", error))?;
    let domains: Vec<_> = args
        .domains
        .iter()
        .map(|domain| published(args, policy.as_deref(), domain, &lab))
        .collect();
    let mx_hosts = mx_hosts(args, &domains, &lab)?;
    let root = match &args.ca {
        Some(path) => RootFile::kept(path, lab.ca_pem())?,
        None => RootFile::temporary(lab.ca_pem())?,
    };
    // Before the report, so that a reader of the report may send the signal at once.
    let end = end::watch()?;
    let report = Report::new(&lab, root.path(), &domains, &mx_hosts);
    match format {
        Format::Human => exit::print(&report.human())?,
        Format::Json => exit::print_json(&report)?,
    }
    end.wait();
    Ok(Exit::Well)
}

fn published(args: &Args, policy: Option<&[u8]>, domain: &PolicyDomain, lab: &Lab) -> Domain {
    let mut published = lab
        .domain(domain.as_str())
        .id(&args.id)
        .mode(args.mode.as_str())
        .max_age(args.max_age)
        .certificate(args.certificate.into());
    if !args.mx.is_empty() {
        published = published.mx(args.mx.iter().map(String::as_str));
    }
    if let Some(policy) = policy {
        published = published.policy(policy);
    }
    published.publish();
    published
}

/// Starts one MX host for each name, also if several domains have it.
fn mx_hosts(args: &Args, domains: &[Domain], lab: &Lab) -> Result<Vec<MxHost>, Failure> {
    let names: BTreeSet<_> = domains.iter().flat_map(Domain::mx_hosts).collect();
    let smtp = Smtp::new().starttls(args.starttls.into()).certificate(args.mx_certificate.into());
    let host = |name| lab.mx_host(name, smtp.clone());
    let hosts: Result<_, _> = names.into_iter().map(host).collect();
    hosts.map_err(|error| Failure::unknown("an MX host", error))
}

fn policy_file(path: &Path) -> Result<Vec<u8>, Failure> {
    let name = path.display();
    if path.as_os_str() == "-" {
        // The end of the standard input stops the servers.
        return Err(Failure::usage("--policy takes a file, not the standard input"));
    }
    let text = read(path, MAX_POLICY_FILE + 1).map_err(|error| Failure::unknown(&name, error))?;
    if u64::try_from(text.len()).is_ok_and(|bytes| bytes > MAX_POLICY_FILE) {
        return Err(Failure::usage(format_args!("{name}: more than {MAX_POLICY_FILE} bytes")));
    }
    Ok(text)
}

fn domain(text: &str) -> Result<PolicyDomain, String> {
    PolicyDomain::parse(text).map_err(|error| error.to_string())
}

fn mode(text: &str) -> Result<Mode, String> {
    Mode::parse(text).ok_or_else(|| "expected `enforce`, `testing` or `none`".to_owned())
}

fn pattern(text: &str) -> Result<String, String> {
    let pattern = MxPattern::parse(text, Profile::Strict).map_err(|error| error.to_string())?;
    Ok(pattern.as_str().to_owned())
}

fn id(text: &str) -> Result<String, String> {
    let id = PolicyId::parse(text).ok_or("expected 1 to 32 letters and digits")?;
    Ok(id.to_string())
}
