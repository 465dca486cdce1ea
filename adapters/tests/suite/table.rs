//! The table of all faults: as it was seen, and as the document of the repository has it.

use std::fmt::Write as _;
use std::{env, fs};

use crate::case::{Case, Group, Seen};
use crate::run::Row;

/// Where the document is, from the package.
const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/faults.md");

/// Set to anything, the document is written instead of read.
const WRITE: &str = "MTA_STS_WRITE_FAULTS";

/// What was seen.
pub(crate) fn seen(group: &Group, rows: &[Row]) -> String {
    let mut text = format!("\n{}\n", group.title);
    for (case, seen) in group.cases.iter().zip(rows) {
        let _ = writeln!(text, "  {} | {}; then {}", case.what, seen.first, seen.while_held);
    }
    text
}

/// The document is the table that the client is held to.
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
    let mut text = format!(
        "# What goes wrong, and what the client makes of it\n\n\
         {} faults and things that must not be taken for faults. Each is arranged on a real DNS and \
         HTTPS\nserver on loopback and met by the client twice. The table shows the lookup with \
         nothing held: its\nstatus, and the result type and reason code of RFC 8460. With an older \
         policy held, that policy\nsurvives every fault, and is replaced only where a policy was \
         found.\n\n\
         This file is written by the suite, which fails where it does not agree:\n\n\
         ```sh\n\
         cargo test -p mta-sts-adapters --all-features --test suite -- --nocapture --test-threads=1\n\
         {WRITE}=1 cargo test -p mta-sts-adapters --all-features --test suite document\n\
         ```\n",
        cases().count(),
    );
    for group in groups {
        let _ = write!(text, "\n## {}\n\n", group.title);
        text.push_str("| what | found |\n|---|---|\n");
        for case in &group.cases {
            text.push_str(&line(case));
        }
    }
    text
}

fn line(case: &Case) -> String {
    format!("| {} | {} |\n", case.what.replace('|', "\\|"), cell(&case.expect.first()))
}

fn cell(seen: &Seen) -> String {
    match &seen.problem {
        Some((result, reason)) => format!("{}, {result}, `{reason}`", seen.status),
        None => seen.status.to_string(),
    }
}
