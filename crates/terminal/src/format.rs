//! The choice between text and JSON.

use clap::ValueEnum;

/// The form in which a command prints its result: the value of `--format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Human,
    /// One line of JSON
    Json,
}
