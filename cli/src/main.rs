//! The mta-sts command line.
fn main() {}
