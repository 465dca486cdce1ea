//! Errors of configuration and of stores. Those of the network are values in the outcome.

use mta_sts::EntryError;
use thiserror::Error;

/// A client could not be built.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BuildError {
    /// No resolver was given, and none is compiled in.
    #[error("no resolver: give one, or enable the feature `hickory-resolver`")]
    NoResolver,
    /// The resolver's configuration could not be had.
    #[error("the configuration of the resolver could not be read: {0}")]
    Resolver(String),
    /// There is no root that a certificate could be trusted by.
    #[error("no trusted root certificate{0}")]
    NoRoots(
        /// Why, if known.
        String,
    ),
    /// What was given as a root is no certificate.
    #[error("a given root is no certificate: {0}")]
    BadRoot(String),
    /// TLS 1.2 and 1.3 cannot be had from the provider of cryptography.
    #[error("TLS could not be configured: {0}")]
    Tls(String),
    /// The runtime of a client for threads could not be started.
    #[error("the runtime could not be started: {0}")]
    Runtime(String),
    /// The user agent cannot be sent in an HTTP header.
    #[error("the user agent must be printable ASCII, found {0:?}")]
    UserAgent(String),
}

/// A store failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// What it holds for the domain is not an entry.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// It is full, and holds nothing that it may drop.
    #[error("the store is full of unexpired policies")]
    Full,
    /// It may be read, and not be written.
    #[error("the store cannot be written: {0}")]
    ReadOnly(String),
    /// It is not a store of this software, or it is damaged; the text says what to do.
    #[error("{0}")]
    Unusable(String),
    /// The storage below it failed.
    #[error("the store failed: {0}")]
    Backend(String),
}
