//! `mta-sts-lab`: the lab as a program.

mod conformance;
mod demo;
mod up;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use mta_sts_terminal::Format;
use mta_sts_terminal::exit::run_program;

/// Test senders of mail that apply MTA-STS (RFC 8461), against servers on this machine.
#[derive(Debug, Parser)]
#[command(name = "mta-sts-lab", version, disable_help_subcommand = true, after_help = EXIT_CODES)]
struct Cli {
    /// How to print the result
    #[arg(long, global = true, value_enum, default_value_t = Format::Human)]
    format: Format,
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 everything came out as it should; 1 something did not; \
                          2 undetermined (a server, a program or a file failed); 64 wrong usage";

/// The subcommands.
#[derive(Debug, Subcommand)]
enum Command {
    /// Run a policy's whole life cycle against local test servers, attacks included
    Demo(demo::Args),
    /// Check this implementation, or any program, against the clauses of the RFCs
    Conformance(conformance::Args),
    /// Run DNS, HTTPS and SMTP servers for a domain with a policy until Ctrl-C
    Up(up::Args),
}

fn main() -> ExitCode {
    run_program(|cli: Cli| match &cli.command {
        Command::Demo(args) => demo::run(args, cli.format),
        Command::Conformance(args) => conformance::run(args, cli.format),
        Command::Up(args) => up::run(args, cli.format),
    })
}
