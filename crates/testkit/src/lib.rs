//! What it takes to test an MTA-STS sender: a reference model written from the RFC, naive oracles
//! for the parsers, readers of the vectors, the bodies of the fuzz targets, and a fleet of senders
//! under attack. Nothing here opens a socket: the servers for tests are in `mta-sts-lab`.

pub mod fleet;
pub mod fuzz;
pub mod model;
pub mod oracle;
pub mod pair;
pub mod script;
pub mod vectors;
