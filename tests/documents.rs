//! The documents against the tree: every path that they name exists, and every count that they state
//! is the count of what is there.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files in a folder whose names end so.
fn files(folder: impl AsRef<Path>, end: &str) -> Vec<PathBuf> {
    let folder = root().join(folder);
    let entries = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let paths = entries.map(|entry| entry.expect("an entry of a folder").path());
    paths.filter(|path| path.to_string_lossy().ends_with(end)).collect()
}

/// The documents: their names and texts.
fn documents() -> Vec<(String, String)> {
    let mut documents: Vec<_> = ["README.md", "SECURITY.md", "CONTRIBUTING.md"]
        .into_iter()
        .map(|name| (name.to_owned(), read(name)))
        .collect();
    for path in files("docs", ".md") {
        documents.push((path.display().to_string(), read(&path)));
    }
    let comments = read("src/lib.rs");
    let comments: Vec<_> = comments.lines().filter_map(|line| line.strip_prefix("//!")).collect();
    documents.push(("src/lib.rs".to_owned(), comments.join("\n")));
    documents
}

/// The text between backticks, in lines that belong to no block of code.
fn quoted(text: &str) -> Vec<&str> {
    let mut in_block = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        } else if !in_block {
            found.extend(line.split('`').skip(1).step_by(2));
        }
    }
    found
}

/// Returns `true` for text that names a file or a folder of the repository.
fn is_path(text: &str) -> bool {
    const EXTENSIONS: [&str; 6] = [".md", ".rs", ".toml", ".json", ".patch", ".svg"];
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-*/".contains(c);
    // Media types, and what a build makes.
    let elsewhere = ["text/", "application/", "target/"];
    let lower = text.to_ascii_lowercase();
    text.chars().all(is_plain)
        && !elsewhere.iter().any(|start| lower.starts_with(start))
        && (text.contains('/') || EXTENSIONS.iter().any(|end| text.ends_with(end)))
}

fn exists(path: &str) -> bool {
    match path.split_once('*') {
        None => root().join(path).exists(),
        Some((folder, end)) => root().join(folder).is_dir() && !files(folder, end).is_empty(),
    }
}

#[test]
fn every_path_that_a_document_names_exists() {
    let (mut seen, mut gone) = (0, Vec::new());
    for (name, text) in documents() {
        for path in quoted(&text).into_iter().filter(|text| is_path(text)) {
            seen += 1;
            if !exists(path) {
                gone.push(format!("{name}: {path}"));
            }
        }
    }
    assert!(gone.is_empty(), "paths that do not exist: {gone:#?}");
    assert!(seen > 50, "only {seen} paths are named");
}

#[test]
fn paths_are_told_from_other_text() {
    for text in ["src/", "api/*.txt", ".ci/run", "README.md", "Cargo.toml", "tests/gone.rs"] {
        assert!(is_path(text), "{text}");
    }
    for text in
        ["text/plain", "Text/PLAIN", "Outcome::change", "policy-fetch", "mta-sts check", "v=STSv1;"]
    {
        assert!(!is_path(text), "{text}");
    }
    assert!(exists("api/*.txt") && !exists("api/*.gone") && !exists("tests/gone.rs"));
}

/// A number in digits or in a word.
fn number(text: &str) -> Option<usize> {
    const WORDS: [&str; 21] = [
        "no",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
        "thirteen",
        "fourteen",
        "fifteen",
        "sixteen",
        "seventeen",
        "eighteen",
        "nineteen",
        "twenty",
    ];
    let word = text.trim_matches(|c: char| !c.is_ascii_alphanumeric()).to_ascii_lowercase();
    WORDS.iter().position(|number| *number == word).or_else(|| word.parse().ok())
}

/// The cases of the conformance suite.
fn cases() -> usize {
    let count = |path: PathBuf| {
        let area: Value = serde_json::from_str(&read(path)).expect("JSON");
        area["cases"].as_array().expect("a list of cases").len()
    };
    files("crates/conformance/cases", ".json").into_iter().map(count).sum()
}

/// The rows of the tables of faults, without their heads.
fn faults() -> usize {
    let text = read("docs/faults.md");
    let rows = text.lines().filter(|line| line.starts_with("| ")).count();
    rows - text.lines().filter(|line| line.starts_with("|---")).count()
}

#[test]
fn every_count_that_a_document_states_is_that_of_the_tree() {
    let counts = [
        ("fuzz targets", files("fuzz/fuzz_targets", ".rs").len()),
        ("seeded mistakes", files("bugs", ".patch").len()),
        ("cases by clause", cases()),
        ("faults", faults()),
    ];
    let documents = documents();
    for (what, count) in counts {
        let mut stated = 0;
        for (name, text) in &documents {
            let words: Vec<_> = text.split_whitespace().collect();
            let sought: Vec<_> = what.split(' ').collect();
            for place in words.windows(sought.len() + 1) {
                let [first, rest @ ..] = place else { continue };
                let is_it = |(word, sought): (&&str, &&str)| {
                    word.trim_matches(|c: char| !c.is_ascii_alphanumeric()) == *sought
                };
                if let Some(number) = number(first).filter(|_| rest.iter().zip(&sought).all(is_it))
                {
                    assert_eq!(number, count, "{name} states {number} {what}");
                    stated += 1;
                }
            }
        }
        assert!(stated > 0, "no document states how many {what} there are");
    }
}
