//! `mta-sts`: the command line.

mod access;
mod args;
mod cache;
mod check;
mod diagnostics;
mod generate;
mod lint;
mod place;

use std::process::ExitCode;

use args::{Cli, Command};
use mta_sts_terminal::exit::run_program;

fn main() -> ExitCode {
    run_program(|cli: Cli| match &cli.command {
        Command::Check(args) => check::run(args, cli.format),
        Command::Lint(args) => lint::run(args, cli.format),
        Command::Generate(args) => generate::run(args, cli.format),
        Command::Cache(args) => cache::run(args, cli.format),
    })
}
