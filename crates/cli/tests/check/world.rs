//! A lab on loopback, and the program pointed at it.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

use mta_sts_lab::Lab;
use serde_json::Value;

/// A folder that goes with the test.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("mta-sts-check-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).expect("a folder for the test");
        Self(path)
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A lab, and the program pointed at it.
pub(crate) struct World {
    pub(crate) lab: Lab,
    pub(crate) folder: Folder,
}

impl World {
    pub(crate) fn new() -> Self {
        let (lab, folder) = (Lab::start().expect("a lab"), Folder::new());
        std::fs::write(folder.file("ca.pem"), lab.ca_pem()).expect("a file of certificates");
        Self { lab, folder }
    }

    /// Without `--allow-private`.
    pub(crate) fn public(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mta-sts"));
        command.arg("check").env_remove("CLICOLOR_FORCE");
        self.point(&mut command);
        command
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = self.public();
        command.arg("--allow-private");
        command
    }

    /// Points a command at the lab.
    pub(crate) fn point<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .args(["--dns", &self.lab.dns_addr().to_string(), "--ca"])
            .arg(self.folder.file("ca.pem"))
            .args(["--policy-port", &self.lab.https_port().to_string()])
    }

    pub(crate) fn json(&self, args: &[&str]) -> (i32, Vec<Value>) {
        json_of(self.command().args(["--format", "json"]).args(args))
    }

    /// The exit code and the one object of a check of one domain.
    pub(crate) fn one(&self, args: &[&str]) -> (i32, Value) {
        let (exit, mut objects) = self.json(args);
        assert_eq!(objects.len(), 1, "one domain, one object: {objects:?}");
        (exit, objects.remove(0))
    }

    pub(crate) fn human(&self, args: &[&str]) -> (i32, String) {
        let output = run(self.command().args(args));
        (exit(&output), text(&output.stdout))
    }
}

pub(crate) fn run(command: &mut Command) -> Output {
    command.output().expect("the program runs")
}

pub(crate) fn exit(output: &Output) -> i32 {
    output.status.code().expect("an exit code")
}

pub(crate) fn text(octets: &[u8]) -> String {
    String::from_utf8(octets.to_vec()).expect("UTF-8")
}

pub(crate) fn json_of(command: &mut Command) -> (i32, Vec<Value>) {
    let output = run(command);
    let lines = text(&output.stdout);
    let objects = lines.lines().map(|line| serde_json::from_str(line).expect("JSON"));
    (exit(&output), objects.collect())
}
