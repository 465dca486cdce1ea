//! What every store must do, and what each does besides.

mod entries;
mod laws;
mod memory;
#[cfg(feature = "redis")]
mod redis;
mod shared;
#[cfg(feature = "sqlite")]
mod sqlite;

#[cfg(any(feature = "redis", feature = "sqlite"))]
use std::process::Command;
use std::sync::Arc;

use mta_sts_adapters::Store;

/// Where a store is.
trait Place: Sync {
    /// Another handle to the same store, as another process would have it where there is such.
    fn handle(&self) -> Arc<dyn Store>;

    /// Puts bytes in the place of what is held for the domain, behind the store's back; `false`
    /// where that cannot be.
    fn spoil(&self, name: &str, bytes: &[u8]) -> bool;
}

/// All laws, each in a place of its own.
fn check<P: Place>(new: impl Fn() -> P) {
    for (name, law) in laws::LAWS.iter().chain(shared::LAWS) {
        println!("{name}");
        law(&new());
    }
}

/// This test program, as a process of its own that runs one test.
#[cfg(any(feature = "redis", feature = "sqlite"))]
fn child(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this test"));
    command.args(["--exact", test, "--ignored", "--nocapture"]);
    command
}

/// A law, and what it says.
type Law = (&'static str, fn(&dyn Place));
