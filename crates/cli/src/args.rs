//! The frame of the command line: the options that all commands share.

use clap::{Parser, Subcommand};
use mta_sts::PolicyDomain;
use mta_sts_terminal::Format;

use crate::{cache, check, generate, lint};

/// MTA-STS (RFC 8461) for those who send mail and those who receive it.
#[derive(Debug, Parser)]
#[command(name = "mta-sts", version, disable_help_subcommand = true, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    /// How to print the result
    #[arg(long, global = true, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 all is well; 1 the domain or the file has a fault; \
                          2 it could not be told; 64 wrong usage";

/// What there is to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Ask DNS and the web, and explain the decision
    Check(check::Args),
    /// Judge a TXT record, a policy file, and the MX hosts beside it
    Lint(lint::Args),
    /// Write a policy and its TXT record, or the steps of a removal
    Generate(generate::Args),
    /// Show, drop or refresh what a store holds
    Cache(cache::Args),
}

/// A Policy Domain; U-labels are taken.
pub(crate) fn domain(text: &str) -> Result<PolicyDomain, String> {
    PolicyDomain::parse(text).map_err(|error| error.to_string())
}
