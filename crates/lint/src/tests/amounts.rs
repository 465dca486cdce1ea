//! Texts with more faults than anybody wants to read, or with fewer that cost more.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::{MAX_DIAGNOSTICS, Severity, policy};
use mta_sts::Profile;

#[test]
fn ok_more_than_can_be_listed_is_counted() {
    let lines: Vec<String> = (0..100).map(|n| format!("x{n} y")).collect();
    let text = format!("version: STSv1\n{}\n", lines.join("\n"));
    let report = policy(text.as_bytes(), Profile::Tolerant);
    assert_eq!(report.diagnostics.len(), MAX_DIAGNOSTICS);
    let last = report.diagnostics.last().unwrap();
    // 100 lines and 3 fields that are missing, less the 39 before.
    assert_eq!((last.code, last.severity), ("more", Severity::Error));
    assert_eq!(last.message, "64 more diagnostics like these");
}

#[test]
fn ok_notes_by_the_dozen_do_not_hide_what_is_worse() {
    let notes: Vec<String> = (0..100).map(|n| format!("x{n}: y")).collect();
    let text =
        format!("version: STSv1\nmode: enforce\nmax_age: 1209600\n{}\nmx: mx1\n", notes.join("\n"));
    let report = policy(text.as_bytes(), Profile::Tolerant);
    let codes: Vec<_> = report.diagnostics.iter().map(|d| d.code).collect();
    assert_eq!(codes.len(), MAX_DIAGNOSTICS);
    assert_eq!(codes[MAX_DIAGNOSTICS - 2..], ["single_label", "more"]);
    assert!(codes[..MAX_DIAGNOSTICS - 2].iter().all(|code| *code == "unknown_field"));
    let lines: Vec<_> = report.diagnostics.iter().filter_map(|d| d.at).collect();
    assert!(lines.is_sorted());
}

#[test]
fn ok_thousands_of_blank_lines_are_one_diagnostic() {
    let fields = "version: STSv1\nmode: enforce\nmax_age: 1209600\nmx: mx.test\n";
    let text = format!("{fields}{}", "\n".repeat(60_000));
    let report = policy(text.as_bytes(), Profile::Tolerant);
    let [found] = report.diagnostics.as_slice() else { panic!("{report:?}") };
    assert_eq!(found.code, "blank_line");
    assert!(found.message.ends_with("(59999 more lines like it)"), "{found}");
    let report = policy(text.as_bytes(), Profile::Strict);
    let [found] = report.diagnostics.as_slice() else { panic!("{report:?}") };
    assert_eq!(found.code, "bad_syntax");
    assert!(found.message.ends_with("(59999 more lines like it)"), "{found}");
}
