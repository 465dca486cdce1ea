//! Failures to start.

use std::io;

use thiserror::Error;

/// Why the lab did not start.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LabError {
    /// A socket on loopback could not be had.
    #[error("cannot listen on loopback for {what}: {kind}")]
    Listen {
        /// What the socket was for.
        what: &'static str,
        /// Why not.
        kind: io::ErrorKind,
    },
    /// The thread of the servers, or its runtime, could not be had.
    #[error("cannot run the servers: {0}")]
    Run(io::ErrorKind),
    /// A certificate could not be made.
    #[error("cannot make a certificate: {0}")]
    Certificate(String),
}

impl From<rcgen::Error> for LabError {
    fn from(error: rcgen::Error) -> Self {
        Self::Certificate(error.to_string())
    }
}

impl From<rustls::Error> for LabError {
    fn from(error: rustls::Error) -> Self {
        Self::Certificate(error.to_string())
    }
}
