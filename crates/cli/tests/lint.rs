//! `mta-sts lint` and `generate` as a script sees them: JSON and exit codes.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

const GOOD: &str = "version: STSv1\nmode: enforce\nmx: *.a.test\nmx: b.test\nmax_age: 1209600\n";

/// Runs the program with `input` on its standard input.
fn run(args: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_mta-sts"))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that reads only so much closes the pipe before the rest is written.
    let written = child.stdin.take().unwrap().write_all(input);
    assert!(written.is_ok() || input.len() > 65_536, "{written:?}");
    child.wait_with_output().unwrap()
}

fn json(args: &[&str], input: &[u8]) -> (Value, i32) {
    let output = run(&[&["--format", "json"], args].concat(), input);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}{}", String::from_utf8_lossy(&output.stderr));
    (serde_json::from_str(&text).unwrap(), output.status.code().unwrap())
}

fn exit(args: &[&str]) -> i32 {
    run(args, b"").status.code().unwrap()
}

fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn ok_all_is_well() {
    let args = [
        "lint",
        "--record",
        "v=STSv1; id=1;",
        "--policy",
        "-",
        "--mx",
        "x.A.test.",
        "--mx",
        "b.test",
    ];
    let (result, exit) = json(&args, GOOD.as_bytes());
    let expected = json!({
        "record": {"valid": true, "id": "1"},
        "policy": {
            "valid": true, "mode": "enforce", "max_age": 1_209_600, "mx": ["*.a.test", "b.test"],
        },
        "mx": [
            {"host": "x.A.test.", "matched": "*.a.test"},
            {"host": "b.test", "matched": "b.test"},
        ],
        "diagnostics": [],
    });
    assert_eq!((result, exit), (expected, 0));
}

#[test]
fn err_a_policy_with_faults_gives_every_one_with_its_place() {
    let text = "version: STSv1\nmode: enforced\nmx: a b\nmax_age: 99999999\n";
    let (result, exit) = json(&["lint", "--policy", "-", "--mx", "a.test"], text.as_bytes());
    assert_eq!(exit, 1);
    assert_eq!(result["record"], Value::Null);
    assert_eq!(result["policy"], json!({"valid": false, "error": "bad_mode"}));
    assert_eq!(result["mx"], json!([{"host": "a.test", "matched": null}]));
    assert_eq!(
        result["diagnostics"][0],
        json!({
            "severity": "error",
            "code": "bad_mode",
            "source": "policy",
            "line": 2,
            "column": 7,
            "message": "expected `enforce`, `testing` or `none`, found `enforced`",
            "help": "write `mode: enforce`",
        })
    );
    let rest: Vec<_> = result["diagnostics"].as_array().unwrap()[1..]
        .iter()
        .map(|d| (d["code"].as_str().unwrap(), d["severity"].as_str().unwrap(), d["line"].clone()))
        .collect();
    let expected = [("bad_mx", "error", json!(3)), ("max_age_capped", "warning", json!(4))];
    assert_eq!(rest, expected);
}

#[test]
fn ok_the_age_in_force_is_told() {
    let text = "version: STSv1\nmode: none\nmax_age: 9999999999\n";
    let (result, exit) = json(&["lint", "--policy", "-"], text.as_bytes());
    assert_eq!(exit, 0);
    assert_eq!(
        result["policy"],
        json!({"valid": true, "mode": "none", "max_age": 31_557_600, "mx": []})
    );
}

#[test]
fn records_form_one_set() {
    let cases: &[(&[&str], Value, i32)] = &[
        (&["v=spf1 -all", "v=STSv1; id=2;"], json!({"valid": true, "id": "2"}), 0),
        (&["v=spf1 -all"], json!({"valid": false, "error": "not_sts"}), 1),
        (&["v=spf1 -all", "x"], json!({"valid": false, "error": "not_sts"}), 1),
        (
            &["v=STSv1; id=1;", "v=STSv1; id=1;"],
            json!({"valid": false, "error": "several_records"}),
            1,
        ),
        (&["v=STSv1; id=a-b;"], json!({"valid": false, "error": "bad_id"}), 1),
        (&["v=STSv1;"], json!({"valid": false, "error": "missing_id"}), 1),
        (&["v=STSv10; id=1;"], json!({"valid": false, "error": "bad_version"}), 1),
        (&["v=STSv1; id=1 x"], json!({"valid": false, "error": "bad_id"}), 1),
        (&["v=STSv1, id=1"], json!({"valid": false, "error": "bad_syntax"}), 1),
        (&[""], json!({"valid": false, "error": "not_sts"}), 1),
    ];
    for (records, expected, expected_exit) in cases {
        let mut args = vec!["lint"];
        for record in *records {
            args.extend(["--record", record]);
        }
        let (result, exit) = json(&args, b"");
        assert_eq!((&result["record"], exit), (expected, *expected_exit), "{records:?}");
        assert_eq!((&result["policy"], &result["mx"]), (&Value::Null, &json!([])));
    }
}

#[test]
fn a_profile_decides_what_is_tolerated() {
    let text = format!("{GOOD}\n");
    for (profile, expected, severity, expected_exit) in
        [("tolerant", json!(true), "warning", 0), ("strict", json!(false), "error", 1)]
    {
        let args = ["lint", "--profile", profile, "--policy", "-"];
        let (result, exit) = json(&args, text.as_bytes());
        assert_eq!((&result["policy"]["valid"], exit), (&expected, expected_exit));
        assert_eq!(result["diagnostics"][0]["severity"], severity);
    }
}

#[test]
fn err_hosts_that_nothing_covers() {
    let codes = |mode: &str, host: &str| {
        let text = GOOD.replace("enforce", mode);
        let (result, exit) = json(&["lint", "--policy", "-", "--mx", host], text.as_bytes());
        assert_eq!(result["mx"], json!([{"host": host, "matched": null}]));
        let diagnostics = result["diagnostics"].as_array().unwrap();
        let of_mx = diagnostics.iter().filter(|d| d["source"] == "mx");
        let of_mx: Vec<_> = of_mx
            .map(|d| format!("{} {}", d["severity"].as_str().unwrap(), d["code"].as_str().unwrap()))
            .collect();
        (of_mx, exit)
    };
    let one = |text: &str, exit| (vec![text.to_owned()], exit);
    assert_eq!(codes("enforce", "x.y.a.test"), one("error mx_not_covered", 1));
    assert_eq!(codes("testing", "x.y.a.test"), one("warning mx_not_covered", 0));
    assert_eq!(codes("none", "x.y.a.test"), (vec![], 0));
    assert_eq!(codes("enforce", "192.0.2.1"), one("error mx_not_a_name", 1));
    assert_eq!(codes("enforce", "-"), one("error mx_not_a_name", 1));
}

#[test]
fn err_input_without_end_is_read_to_the_limit() {
    let (result, exit) = json(&["lint", "--policy", "-"], &vec![b'a'; 300_000]);
    assert_eq!(exit, 1);
    assert_eq!(result["policy"], json!({"valid": false, "error": "too_large"}));
    let codes: Vec<_> =
        result["diagnostics"].as_array().unwrap().iter().map(|d| &d["code"]).collect();
    assert_eq!(codes, ["too_large"]);
    let (result, exit) = json(&["lint", "--policy", "-"], &[0xff; 1000]);
    assert_eq!((&result["policy"]["error"], exit), (&json!("bad_encoding"), 1));
}

#[test]
fn exit_codes() {
    assert_eq!(exit(&["lint", "--policy", "/nowhere/at/all"]), 2);
    assert_eq!(exit(&["lint", "--policy", "."]), 2);
    assert_eq!(exit(&["lint"]), 64);
    assert_eq!(exit(&["lint", "--mx", "a.test"]), 64);
    assert_eq!(exit(&["lint", "--what"]), 64);
    assert_eq!(exit(&["--format", "xml", "lint", "--record", "x"]), 64);
    assert_eq!(exit(&[]), 64);
    assert_eq!(exit(&["--help"]), 0);
    assert_eq!(exit(&["--version"]), 0);
    assert_eq!(exit(&["lint", "--help"]), 0);
    let output = run(&["lint", "--policy", "/nowhere/at/all"], b"");
    assert_eq!(output.stdout, b"");
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("error: /nowhere/at/all: "));
}

#[test]
fn ok_people_see_the_line_and_the_verdict() {
    let text = "version: STSv1\nmode:\tenforced\nmx: a.test\nmax_age: 1209600\n";
    let args = ["lint", "--policy", "-", "--record", "v=STSv1; id=1;"];
    let output = run(&args, text.as_bytes());
    let shown = String::from_utf8(output.stdout).unwrap();
    let expected = "\
error[bad_mode]: expected `enforce`, `testing` or `none`, found `enforced`
 --> standard input:2:7
  |
2 | mode: enforced
  |       ^^^^^^^^
  |
  = help: write `mode: enforce`

record: valid, id 1
policy: invalid, expected the mode `enforce`, `testing` or `none`, in line 2, column 7
";
    assert_eq!((shown.as_str(), output.status.code()), (expected, Some(1)));
}

#[test]
fn ok_nothing_of_a_stranger_steers_the_terminal() {
    let text = "version: STSv1\nmode: \u{1b}[31m\u{202e}x\u{9b}\u{7}\nm\u{1b}x: y\n";
    let record = "v=STSv1; id=\u{1b}]0;x\u{7}";
    let output =
        run(&["lint", "--policy", "-", "--record", record, "--mx", "\u{1b}[2J"], text.as_bytes());
    let shown = String::from_utf8(output.stdout).unwrap();
    let steering = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
    assert!(!shown.contains(steering), "{shown:?}");
    assert!(shown.contains("error[bad_syntax]"));
}

#[test]
fn ok_a_long_line_is_shown_in_part() {
    let text = format!("version: STSv1\nmode: {}\n", "x".repeat(60_000));
    let output = run(&["lint", "--policy", "-"], text.as_bytes());
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(shown.contains("standard input:2:7"), "{shown}");
    assert!(shown.lines().all(|line| line.chars().count() < 200), "{shown}");
}

#[test]
fn ok_generate_writes_what_lint_finds_valid() {
    let root = folder("generate");
    let base = ["generate", "--mode", "enforce", "--mx", "MX.a.test", "--mx", "*.b.test"];
    let rest = ["--max-age", "14d", "--crlf", "--domain", "Example.org", "--write"];
    let (result, exit) = json(&[&base[..], &rest[..], &[root.to_str().unwrap()][..]].concat(), b"");
    assert_eq!(exit, 0);
    let text = "version: STSv1\r\nmode: enforce\r\nmx: mx.a.test\r\nmx: *.b.test\r\n\
                max_age: 1209600\r\n";
    assert_eq!(result["policy"], text);
    assert_eq!(result["url"], "https://mta-sts.example.org/.well-known/mta-sts.txt");
    assert_eq!(result["record_name"], "_mta-sts.example.org");
    let written = root.join(".well-known/mta-sts.txt");
    assert_eq!(std::fs::read_to_string(&written).unwrap(), text);
    assert_eq!(std::fs::read_dir(root.join(".well-known")).unwrap().count(), 1);
    let record = result["record"].as_str().unwrap();
    let path = written.to_str().unwrap();
    let args = ["lint", "--profile", "strict", "--policy", path, "--record", record];
    let (judged, exit) = json(&args, b"");
    assert_eq!(exit, 0);
    assert_eq!(judged["record"], json!({"valid": true, "id": result["id"]}));
    assert_eq!(judged["policy"]["mx"], json!(["mx.a.test", "*.b.test"]));
}

#[test]
fn err_generate_refuses_what_would_be_invalid() {
    let base = ["generate", "--max-age", "1d", "--mode"];
    let with = |rest: &[&str]| exit(&[&base[..], rest].concat());
    assert_eq!(with(&["enforce"]), 64);
    assert_eq!(with(&["none"]), 0);
    assert_eq!(with(&["testing", "--mx", "192.0.2.1"]), 64);
    assert_eq!(with(&["testing", "--mx", "a_b.test"]), 64);
    assert_eq!(with(&["testing", "--mx", "*"]), 64);
    assert_eq!(with(&["sometimes", "--mx", "a.test"]), 64);
    for age in ["31557601", "-1", "", "d", "1 d", "+1", "999999999999999999999w"] {
        assert_eq!(exit(&["generate", "--mode", "none", &format!("--max-age={age}")]), 64, "{age}");
    }
    assert_eq!(exit(&["generate", "--mode", "none"]), 64);
    assert_eq!(with(&["none", "--write", "/dev/null"]), 2);
    assert_eq!(with(&["none", "--last-served", "2026-01-01"]), 64);
}

#[test]
fn ok_the_steps_of_a_removal_are_dated() {
    let served = ["--last-served", "2999-01-01", "--max-age", "2w"];
    let (result, exit) =
        json(&[&["generate", "--removal", "--domain", "a.test"], &served[..]].concat(), b"");
    assert_eq!(exit, 0);
    let steps = result["steps"].as_array().unwrap();
    let actions: Vec<_> = steps.iter().map(|step| &step["action"]).collect();
    assert_eq!(actions, ["serve_policy", "publish_record", "remove_all"]);
    assert_eq!(steps[0]["policy"], "version: STSv1\nmode: none\nmax_age: 86400\n");
    assert_eq!(steps[1]["record_name"], "_mta-sts.a.test");
    // To the end of the day on which it was last served, and two weeks.
    assert_eq!(steps[2]["not_before"], "2999-01-16T00:00:00Z");
    // The policy is served until the first step is done, be that late.
    let waits: Vec<_> = steps.iter().map(|step| &step["seconds_after_first"]).collect();
    assert_eq!(waits, [0, 0, 1_209_600]);
    let exact = ["--last-served", "2999-01-01T12:00:00Z", "--max-age", "60"];
    let (result, _) = json(&[&["generate", "--removal"], &exact[..]].concat(), b"");
    assert_eq!(result["steps"][2]["not_before"], "2999-01-01T12:01:00Z");
    let output = run(&[&["generate", "--removal"], &served[..]].concat(), b"");
    let text = String::from_utf8(output.stdout).unwrap();
    let last =
        "3. 1209600 seconds (2 weeks) after step 1 was done, but not before 2999-01-16T00:00:00Z: ";
    assert!(text.contains(last), "{text}");
    // Long ago: everything now.
    let past = ["--last-served", "2020-01-01", "--max-age", "60"];
    let (result, _) = json(&[&["generate", "--removal"], &past[..]].concat(), b"");
    assert_eq!(result["steps"][0]["unix"], result["steps"][2]["unix"]);
    assert_eq!(result["steps"][2]["seconds_after_first"], 0);
    assert_eq!(self::exit(&["generate", "--removal", "--max-age", "1", "--mode", "none"]), 64);
    assert_eq!(
        self::exit(&["generate", "--removal", "--max-age", "1", "--last-served", "May"]),
        64
    );
}
