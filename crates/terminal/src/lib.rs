//! The parts that the command lines `mta-sts` and `mta-sts-lab` share, so that both print one
//! outcome in the same words, return the same exit codes and escape the same characters.
//!
//! ```
//! use mta_sts::{Held, Lookup, PolicyDomain, Recheck, UnixTime};
//! use mta_sts_terminal::{text, words};
//!
//! let domain = PolicyDomain::parse("example.com")?;
//! let lookup = Lookup::new(domain, Held::Nothing);
//! let outcome = lookup.interim(UnixTime::from_secs(1_800_000_000));
//! let sentence = words::standing(&outcome, UnixTime::from_secs(1_800_000_000));
//! assert!(sentence.starts_with("Whether example.com has a policy is not known"));
//!
//! // Text from a server cannot move the cursor of an administrator's terminal.
//! assert_eq!(text::harmless("v=STSv1\u{1b}[2J"), "v=STSv1\\u{1b}[2J");
//! # Ok::<(), mta_sts::NameError>(())
//! ```
//!
//! It is a library for the two programs of this repository. Its API may change with each release.

pub mod exit;
mod format;
mod input;
pub mod json;
pub mod style;
pub mod text;
pub mod words;

pub use format::Format;
pub use input::read;
