//! The examples run, and their assertions hold.

#[path = "../examples/delivery.rs"]
mod delivery;
#[path = "../examples/no_runtime.rs"]
mod no_runtime;

#[test]
fn delivery_runs() {
    delivery::main().unwrap();
}

#[test]
fn no_runtime_runs() {
    no_runtime::main();
}
