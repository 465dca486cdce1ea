//! The table of all faults: as it was seen, and as the document of the repository has it.

use std::fmt::Write as _;
use std::{env, fs};

use crate::case::{Case, Group, Seen};
use crate::drivers::DRIVERS;
use crate::run::Row;

/// Where the document is, from the package.
const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/faults.md");

/// Set to anything, the document is written instead of read.
const WRITE: &str = "MTA_STS_WRITE_FAULTS";

/// What was seen, client by client.
pub(crate) fn seen(group: &Group, columns: &[Vec<Row>]) -> String {
    let mut text = format!("\n{}\n", group.title);
    for (number, case) in group.cases.iter().enumerate() {
        let row: Vec<&Row> = columns.iter().filter_map(|column| column.get(number)).collect();
        let _ = write!(text, "  {}", case.what);
        for (driver, seen) in DRIVERS.iter().zip(&row) {
            let _ = write!(text, " | {}: {}; then {}", driver.name, seen.first, seen.while_held);
        }
        let agree = row.windows(2).all(|pair| {
            pair.iter().all(|row| row.first == pair[0].first)
                && pair.iter().all(|row| row.while_held == pair[0].while_held)
        });
        let _ = writeln!(text, " | {}", if agree { "agree" } else { "DISAGREE" });
    }
    text
}

/// The document is the table that the clients are held to.
pub(crate) fn check(groups: &[Group]) {
    let expected = document(groups);
    if env::var_os(WRITE).is_some() {
        fs::write(DOCUMENT, &expected).expect("the document can be written");
    }
    let found = fs::read_to_string(DOCUMENT).expect("the document can be read");
    for (line, (expected, found)) in (1..).zip(expected.lines().zip(found.lines())) {
        assert_eq!(expected, found, "line {line}: write it anew with {WRITE}=1");
    }
    assert_eq!(expected.len(), found.len(), "write it anew with {WRITE}=1");
}

fn document(groups: &[Group]) -> String {
    let cases = || groups.iter().flat_map(|group| &group.cases);
    let differ = cases().filter(|case| case.blocking.is_some()).count();
    let mut text = format!(
        "# What goes wrong, and what the clients make of it\n\n\
         {} faults and things that must not be taken for faults. Each is arranged on a real DNS and \
         HTTPS\nserver on loopback and met by both clients: once with nothing held, which is the \
         table (status, and\nthe result type and reason code of RFC 8460), and once with an older \
         policy held, which survives\nevery fault and is replaced only where a policy was found. \
         The clients differ in {differ}.\n\n\
         This file is written by the suite, which fails where it does not agree:\n\n\
         ```sh\n\
         cargo test -p mta-sts-adapters --all-features --test suite -- --nocapture --test-threads=1\n\
         {WRITE}=1 cargo test -p mta-sts-adapters --all-features --test suite document\n\
         ```\n",
        cases().count(),
    );
    for group in groups {
        let _ = write!(text, "\n## {}\n\n", group.title);
        text.push_str("| what | tokio | blocking | agree |\n|---|---|---|---|\n");
        for case in &group.cases {
            text.push_str(&line(case));
        }
    }
    text
}

fn line(case: &Case) -> String {
    let other = case.blocking.as_ref().unwrap_or(&case.expect);
    let (tokio, blocking) = (cell(&case.expect.first()), cell(&other.first()));
    let agree = if case.blocking.is_none() { "yes" } else { "no" };
    format!("| {} | {tokio} | {blocking} | {agree} |\n", case.what.replace('|', "\\|"))
}

fn cell(seen: &Seen) -> String {
    match &seen.problem {
        Some((result, reason)) => format!("{}, {result}, `{reason}`", seen.status),
        None => seen.status.to_string(),
    }
}
