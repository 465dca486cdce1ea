//! The frame of the command line: the options that all commands share.

use std::io::{self, Read};
use std::path::Path;

use clap::{Parser, Subcommand, ValueEnum};
use mta_sts::PolicyDomain;

use crate::{cache, check, conformance, demo, generate, lint};

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
    /// Tell the life of a policy, in a world of its own on loopback
    Demo(demo::Args),
    /// Hold this implementation, or any program, to the clauses of the RFCs
    Conformance(conformance::Args),
}

/// How a result is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Human,
    /// One line of JSON
    Json,
}

/// A Policy Domain; U-labels are taken.
pub(crate) fn domain(text: &str) -> Result<PolicyDomain, String> {
    PolicyDomain::parse(text).map_err(|error| error.to_string())
}

/// Reads at most `limit` octets of a file, or of the standard input for `-`.
pub(crate) fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut octets = Vec::new();
    if path.as_os_str() == "-" {
        io::stdin().lock().take(limit).read_to_end(&mut octets)?;
    } else {
        std::fs::File::open(path)?.take(limit).read_to_end(&mut octets)?;
    }
    Ok(octets)
}
