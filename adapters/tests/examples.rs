//! The examples run, and their assertions hold.
#![cfg(all(feature = "tokio", feature = "hickory-resolver"))]

#[path = "../examples/send.rs"]
mod send;
#[path = "../examples/smol.rs"]
mod smol_driver;

#[test]
fn send_runs() {
    send::main().unwrap();
}

#[test]
fn smol_runs() {
    smol_driver::main().unwrap();
}
