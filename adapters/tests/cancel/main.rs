//! Futures of the tokio client that are dropped before they end, at every point where they may be:
//! nobody else loses by it, and nothing stays behind.
#![cfg(all(feature = "tokio", feature = "hickory-resolver"))]

#[path = "../support/lab_client.rs"]
mod lab_client;
mod machine;
mod polls;
mod steps;
mod wire;
mod world;
