//! `mta-sts-lab demo`, as it is run.

use std::process::{Command, Output};

use serde_json::{Value, json};

fn demo(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mta-sts-lab"));
    command.arg("demo").args(args).env_remove("CLICOLOR_FORCE").output().expect("the program runs")
}

fn lines(output: &Output) -> Vec<Value> {
    let text = String::from_utf8(output.stdout.clone()).expect("UTF-8");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// A folder of policies that goes with the test.
fn folder(name: &str, files: &[(&str, &str)]) -> std::path::PathBuf {
    let path = std::env::temp_dir().join(format!("mta-sts-demo-{}-{name}", std::process::id()));
    for (file, text) in files {
        let file = path.join(file);
        std::fs::create_dir_all(file.parent().expect("a parent")).expect("a folder for the test");
        std::fs::write(file, text).expect("a file for the test");
    }
    path
}

const VALID: &str = "version: STSv1\nmode: enforce\nmx: mx.example.com\nmax_age: 86400\n";
const BAD_MODE: &str = "version: STSv1\nmode: on\nmx: mx.example.com\nmax_age: 86400\n";

#[test]
fn ok_the_life_of_a_policy_is_told_step_by_step() {
    let output = demo(&["--format", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let steps = lines(&output);
    let told: Vec<_> = steps
        .iter()
        .map(|step| {
            let asked = (step["asked"]["txt"].as_u64() > Some(0), step["asked"]["https"].as_u64());
            (step["status"].as_str().unwrap_or("?"), asked.0, asked.1.unwrap_or(9))
        })
        .collect();
    let expected = [
        ("found", true, 1),
        ("confirmed", false, 0),
        ("confirmed", true, 0),
        ("found", true, 1),
        ("held", true, 1),
        ("held", true, 0),
        ("held", true, 0),
        ("held", true, 0),
        ("held", true, 1),
        ("absent", true, 1),
        ("found", true, 1),
    ];
    assert_eq!(told, expected);
    let numbers: Vec<_> = steps.iter().filter_map(|step| step["step"].as_u64()).collect();
    assert_eq!(numbers, (1..=11).collect::<Vec<_>>());
    // A matching id does not move the end: an hour and ten seconds are gone.
    assert_eq!(steps[2]["expires_in"], json!(604_800 - 3_610));
    assert_eq!(steps[8]["problem"]["result_type"], "sts-webpki-invalid");
    assert_eq!(steps[9]["policy"], Value::Null);
    assert_eq!(steps[10]["policy"]["mode"], "none");
    let keys: Vec<_> = steps[0].as_object().expect("an object").keys().collect();
    let mut expected =
        ["step", "name", "world", "asked", "status", "policy", "problem", "expires_in", "decision"];
    expected.sort_unstable();
    assert_eq!(keys, expected);
}

#[test]
fn ok_a_person_reads_a_table() {
    let output = demo(&[]);
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(text.contains("All of it happens on loopback"), "{text}");
    assert!(text.contains("11 steps, all as they should be"), "{text}");
    assert!(!text.contains('\u{1b}'), "no colours where there is no terminal");
}

#[test]
fn ok_a_folder_of_policies_needs_no_verdicts() {
    let folder = folder("plain", &[("a.txt", VALID), ("b.txt", BAD_MODE), ("c.md", "not one")]);
    let output = demo(&["--format", "json", "--corpus", folder.to_str().expect("UTF-8")]);
    assert_eq!(output.status.code(), Some(0));
    let corpus = lines(&output).pop().expect("a summary");
    let expected = json!({"corpus": {
        "policies": 2, "found": {"enforce": 1}, "refused": {"bad_mode": 1}, "failed": 0,
        "compared": 0, "disagreements": [],
    }});
    assert_eq!(corpus, expected);
    let _ = std::fs::remove_dir_all(folder);
}

#[test]
fn err_a_verdict_that_is_not_the_clients_is_a_fault() {
    let verdicts = concat!(
        r#"{"file": "policies/a.txt", "tolerant": {"error": "bad_mx"}}"#,
        "\n",
        r#"{"file": "policies/b.txt", "tolerant": {"error": "bad_mode"}}"#,
    );
    let files =
        [("policies/a.txt", VALID), ("policies/b.txt", BAD_MODE), ("policies.jsonl", verdicts)];
    let folder = folder("verdicts", &files);
    let output = demo(&["--format", "json", "--corpus", folder.to_str().expect("UTF-8")]);
    assert_eq!(output.status.code(), Some(1));
    let corpus = lines(&output).pop().expect("a summary");
    assert_eq!(corpus["corpus"]["compared"], 2);
    let expected = json!([{
        "file": "policies/a.txt", "expected": "refused (bad_mx)",
        "found": "mode enforce, max_age 86400, mx mx.example.com",
    }]);
    assert_eq!(corpus["corpus"]["disagreements"], expected);
    let _ = std::fs::remove_dir_all(folder);
}

#[test]
fn err_a_folder_without_policies_could_not_be_told() {
    let folder = folder("none", &[("readme.md", "nothing here")]);
    for place in [folder.clone(), folder.join("missing")] {
        let output = demo(&["--corpus", place.to_str().expect("UTF-8")]);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
    }
    let _ = std::fs::remove_dir_all(folder);
}

#[test]
fn ok_every_real_policy_gets_the_verdict_that_comes_with_it() {
    let Ok(corpus) = std::env::var("MTA_STS_CORPUS") else {
        println!("skipped: MTA_STS_CORPUS is not set");
        return;
    };
    let verdicts = std::fs::read_to_string(format!("{corpus}/policies.jsonl")).expect("verdicts");
    let count = verdicts.lines().filter(|line| !line.is_empty()).count();
    assert!(count > 0, "no verdicts in the corpus");
    let output = demo(&["--format", "json", "--corpus", &corpus]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let summary = lines(&output).pop().expect("a summary");
    assert_eq!(summary["corpus"]["compared"], count);
    assert_eq!(summary["corpus"]["disagreements"], json!([]));
}
