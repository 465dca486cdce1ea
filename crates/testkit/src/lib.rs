//! What it takes to test an MTA-STS sender: a reference model written from the RFC, naive oracles
//! for the parsers, readers of the vectors, the bodies of the fuzz targets, a fleet of senders under
//! attack, and (feature `lab`) loopback DNS and HTTPS servers with every fault.

pub mod fleet;
pub mod fuzz;
#[cfg(feature = "lab")]
pub mod lab;
pub mod model;
pub mod oracle;
pub mod pair;
pub mod script;
pub mod vectors;
