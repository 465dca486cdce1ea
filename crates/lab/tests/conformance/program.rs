//! The command as a program, and folders that go with a test.

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

/// Runs `mta-sts-lab conformance` with these arguments.
pub(crate) fn run(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mta-sts-lab"));
    command.arg("conformance").args(args).env_remove("CLICOLOR_FORCE");
    command.output().expect("the program runs")
}

/// The results as JSON.
pub(crate) fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).expect("one line of JSON")
}

/// The ids of the failed cases, each with the verdict or the trouble.
pub(crate) fn failures(results: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let failures = results["failures"].as_array().expect("an array");
    failures
        .iter()
        .map(|failure| {
            (text(&failure["id"]), text(failure.get("got").unwrap_or(&failure["trouble"])))
        })
        .collect()
}

/// A folder with these files.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str, files: &[(&str, &str)]) -> Self {
        let unique = format!("mta-sts-conformance-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(unique);
        std::fs::create_dir_all(&path).expect("a folder for the test");
        for (file, text) in files {
            std::fs::write(path.join(file), text).expect("a file for the test");
        }
        Self(path)
    }

    pub(crate) fn path(&self) -> &str {
        self.0.to_str().expect("UTF-8")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left behind is the system's to clean.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
