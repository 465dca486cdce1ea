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
use clap::Parser;
use mta_sts_terminal::exit::Exit;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Nothing is left to be done about a closed stream.
            let _ = error.print();
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Well };
            return exit.into();
        }
    };
    let result = match &cli.command {
        Command::Check(args) => check::run(args, cli.format),
        Command::Lint(args) => lint::run(args, cli.format),
        Command::Generate(args) => generate::run(args, cli.format),
        Command::Cache(args) => cache::run(args, cli.format),
    };
    match result {
        Ok(exit) => exit.into(),
        Err(failure) => failure.report().into(),
    }
}
