//! `mta-sts-lab conformance`, as it is run.

mod conformance {
    pub(crate) mod program;
}

use std::collections::BTreeSet;
use std::path::Path;

use conformance::program::{Folder, failures, json, run};
use serde_json::Value;

#[test]
fn ok_this_implementation_passes_every_case() {
    let output = run(&["--format", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
    let results = json(&output);
    assert_eq!((&results["failed"], &results["skipped"]), (&Value::from(0), &Value::from(0)));
    let listed = run(&["--list", "--format", "json"]).stdout;
    let listed = String::from_utf8(listed).expect("UTF-8").lines().count();
    assert_eq!(results["passed"], listed);
    assert!(listed > 500, "{listed} cases");
    let areas = results["areas"].as_array().expect("an array");
    assert_eq!(areas.len(), mta_sts_conformance::FILES.len());
}

#[test]
fn ok_a_person_reads_a_table() {
    let output = run(&["--only", "record", "--only", "match-exact"]);
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let counts = |area: &str| {
        let line = text.lines().find(|line| line.starts_with(area)).expect("a line");
        line.split_whitespace().skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(counts("match"), ["1", "0", "0"]);
    assert_eq!(counts("record")[1..], ["0", "0"]);
    assert!(!text.contains("policy"), "{text}");
    assert!(!text.contains('\u{1b}'), "no colours where there is no terminal");
}

#[test]
fn ok_the_list_stands_by_clause() {
    let text = String::from_utf8(run(&["--list", "--only", "bounce"]).stdout).expect("UTF-8");
    let clauses: Vec<_> = text.lines().filter(|line| line.starts_with("RFC")).collect();
    assert_eq!(clauses.len(), 2, "{text}");
    assert!(clauses[0].starts_with("RFC 8461 §5 (") && clauses[1].starts_with("RFC 8461 §5.1 ("));
    assert!(text.contains("  must    bounce-unchecked "), "{text}");
    assert!(text.contains(" cases of 2 clauses"), "{text}");
}

/// What no case can express: it is between a driver and its network.
const NOT_EXPRESSED: [&str; 1] = ["§7.2"];

#[test]
fn ok_every_section_that_binds_a_sender_has_its_cases() {
    let table = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/rfc8461.md");
    let table = std::fs::read_to_string(table).expect("the table of the RFC's rules");
    let rows = table.lines().filter(|line| line.starts_with("| §"));
    let sections: BTreeSet<_> = rows
        .filter_map(|row| row.split('|').nth(1))
        .flat_map(|cell| cell.split(',').map(str::trim))
        .collect();
    assert!(sections.len() > 12, "{sections:?}");
    let listed = String::from_utf8(run(&["--list"]).stdout).expect("UTF-8");
    let missing: Vec<_> = sections
        .into_iter()
        .filter(|section| !listed.contains(&format!("RFC 8461 {section} (")))
        .collect();
    assert_eq!(missing, NOT_EXPRESSED);
}

#[test]
fn err_what_is_not_there_is_wrong_usage() {
    for args in [
        &["--only", "no-such-case"][..],
        &["--exec", " "],
        &["--list", "--exec", "true"],
        &["--time-limit", "0"],
    ] {
        let output = run(args);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(64), 0), "{args:?}");
    }
}

#[test]
fn err_a_program_that_cannot_be_started_could_not_be_told() {
    let output = run(&["--exec", "/nowhere/at/all"]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
    let complaint = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(complaint.starts_with("error: /nowhere/at/all: "), "{complaint}");
}

/// A case of the area `record`, the fields after its id given.
fn case(id: &str, rest: &str) -> String {
    format!(
        r#"{{"id": "{id}", "clause": "RFC 8461 §3.1", "level": "must", "title": "a title", {rest}}}"#
    )
}

fn file(cases: &[String]) -> String {
    format!(r#"{{"area": "record", "about": "", "cases": [{}]}}"#, cases.join(","))
}

const PLAIN: &str = r#""input": {"strings": ["v=STSv1; id=1;"]}, "expect": {"verdict": "valid"}"#;

#[test]
fn err_a_wrong_expectation_fails() {
    let wrong = PLAIN.replace(r#""valid""#, r#""invalid""#);
    let open = format!(r#"{wrong}, "or": [{{"verdict": "valid", "id": "1"}}]"#);
    let cases = [case("right", PLAIN), case("wrong", &wrong), case("open", &open)];
    let folder = Folder::new("wrong", &[("a.json", &file(&cases))]);
    let output = run(&["--format", "json", "--cases", folder.path()]);
    assert_eq!(output.status.code(), Some(1));
    let results = json(&output);
    assert_eq!((&results["passed"], &results["failed"]), (&Value::from(2), &Value::from(1)));
    assert_eq!(results["failures"][0]["id"], "wrong");
    assert_eq!(results["failures"][0]["expect"]["verdict"], "invalid");
    assert_eq!(results["failures"][0]["got"]["verdict"], "valid");
    let text = String::from_utf8(run(&["--cases", folder.path()]).stdout).expect("UTF-8");
    assert!(text.contains("✗ wrong (RFC 8461 §3.1, must): a title"), "{text}");
}

#[test]
fn err_an_input_that_cannot_be_read_is_a_failure_and_an_area_unknown_is_skipped() {
    let odd = case("odd", r#""input": {"string": "v=STSv1"}, "expect": {"verdict": "valid"}"#);
    let other = file(&[case("other", PLAIN)]).replace(r#""area": "record""#, r#""area": "tea""#);
    let files = [("a.json", file(&[odd])), ("b.json", other)];
    let files: Vec<_> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let folder = Folder::new("odd", &files);
    let output = run(&["--format", "json", "--cases", folder.path()]);
    assert_eq!(output.status.code(), Some(1));
    let results = json(&output);
    let trouble = results["failures"][0]["trouble"].as_str().expect("a text");
    assert!(trouble.starts_with("the input cannot be read: "), "{trouble}");
    assert_eq!(results["skips"][0]["id"], "other");
    // Where all is skipped nothing is known, and that is not "all is well".
    let output = run(&["--only", "tea", "--cases", folder.path()]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn err_cases_that_are_none() {
    let twice = file(&[case("same", PLAIN), case("same", PLAIN)]);
    let area = file(&[case("a", &format!(r#"{PLAIN}, "area": "policy""#))]);
    let huge = file(&[case(
        "huge",
        r#""input": {"strings": [{"join": [{"repeat": "x", "times": 99999999}]}]}, "expect": {}"#,
    )]);
    let files = [
        (twice.as_str(), "case same: the id is taken by another case"),
        (area.as_str(), "case a: the area is that of the file"),
        (huge.as_str(), "case huge: `join`: more than 1048576 octets"),
        ("[]", "expected struct File"),
        ("{", "EOF while parsing"),
    ];
    for (number, (text, expected)) in files.into_iter().enumerate() {
        let folder = Folder::new(&format!("none-{number}"), &[("a.json", text)]);
        let output = run(&["--cases", folder.path()]);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{text}");
        let complaint = String::from_utf8(output.stderr).expect("UTF-8");
        assert!(complaint.contains("a.json: ") && complaint.contains(expected), "{complaint}");
    }
    let empty = Folder::new("empty", &[("a.txt", "")]);
    for path in [empty.path(), "/nowhere/at/all"] {
        assert_eq!(run(&["--cases", path]).status.code(), Some(2));
    }
}

/// A program gives each case the answer that its title asks for.
#[cfg(unix)]
mod programs {
    use super::*;

    /// Reads the case, and does as the word behind `do:` in its title says.
    const SCRIPT: &str = r#"
read -r question
case "$question" in *'"expect"'*) echo "the answer was told" >&2; exit 9 ;; esac
case "$question" in
    *do:right*) echo '{"verdict": "valid", "id": "1", "more": [1]}' ;;
    *do:wrong*) echo '{"verdict": "invalid"}' ;;
    *do:skip*) echo '{"skip": "not done here"}' ;;
    *do:odd-skip*) echo '{"skip": true}' ;;
    *do:array*) echo '[1]' ;;
    *do:junk*) printf 'ver\033[2Jdict' ;;
    *do:nothing*) ;;
    *do:exit*) echo first >&2; echo 'out of tea' >&2; echo '{"verdict": "valid"}'; exit 3 ;;
    *do:kill*) kill -9 $$ ;;
    *do:flood*) exec yes '{"verdict": "valid"}' ;;
    *do:complain*) set -e; head -c 300000 /dev/zero >&2; echo '{"verdict": "valid"}' ;;
    *do:moan*) set -e; head -c 300000 /dev/zero >&2; printf '\nno tea\n' >&2; exit 4 ;;
    *do:hang*) exec sleep 86400 ;;
esac
"#;

    fn ask(name: &str, words: &[&str], more: &[&str]) -> std::process::Output {
        let cases: Vec<_> = words
            .iter()
            .map(|word| case(word, PLAIN).replace("a title", &format!("do:{word}.")))
            .collect();
        let files = [("program.sh", SCRIPT), ("a.json", &file(&cases))];
        let folder = Folder::new(name, &files);
        let command = format!("sh {}/program.sh", folder.path());
        let args = ["--format", "json", "--cases", folder.path(), "--exec", &command];
        run(&[&args, more].concat())
    }

    #[test]
    fn ok_a_program_that_is_right() {
        let output = ask("right", &["right", "skip"], &[]);
        assert_eq!(output.status.code(), Some(0));
        let results = json(&output);
        let counts = [&results["passed"], &results["failed"], &results["skipped"]];
        assert_eq!(counts, [1, 0, 1]);
        assert_eq!(results["skips"][0]["reason"], "not done here");
    }

    #[test]
    fn err_a_program_that_skips_everything_has_shown_nothing() {
        assert_eq!(ask("skips", &["skip"], &[]).status.code(), Some(2));
    }

    #[test]
    fn err_whatever_a_program_does_is_a_failed_case_with_a_clear_word() {
        let words = ["wrong", "odd-skip", "array", "junk", "nothing", "exit", "kill", "flood"];
        let output = ask("troubles", &words, &["--time-limit", "600"]);
        assert_eq!(output.status.code(), Some(1));
        let results = json(&output);
        assert_eq!(results["failed"], words.len());
        let told = failures(&results);
        let expected = [
            ("wrong", r#"{"verdict":"invalid"}"#),
            ("odd-skip", "expected a reason in `skip`"),
            ("array", "expected a JSON object, found [1]"),
            ("junk", r#"expected a JSON object, found "ver\u{1b}[2Jdict" ("#),
            ("nothing", "it printed nothing"),
            ("exit", "it ended with exit status: 3: out of tea"),
            ("kill", "it ended with signal: 9 (SIGKILL)"),
            ("flood", "it printed more than 65536 octets"),
        ];
        for ((id, text), (word, start)) in told.iter().zip(expected) {
            assert_eq!(id, word);
            assert!(text.starts_with(start), "{id}: {text}");
        }
    }

    #[test]
    fn ok_a_program_may_complain_at_length() {
        let output = ask("complains", &["complain", "moan"], &["--time-limit", "600"]);
        let results = json(&output);
        assert_eq!(results["passed"], 1, "{results}");
        let told = failures(&results);
        let last = ("moan".to_owned(), "it ended with exit status: 4: no tea".to_owned());
        assert_eq!(told, [last]);
    }

    #[test]
    fn err_a_program_that_hangs_is_ended() {
        let output = ask("hangs", &["hang"], &["--time-limit", "1"]);
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(failures(&json(&output))[0].1, "no verdict in 1s");
    }
}
