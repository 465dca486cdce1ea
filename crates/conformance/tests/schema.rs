//! The files are what the schema says, and the schema says enough.

use std::collections::BTreeSet;

use boon::{Compiler, SchemaIndex, Schemas};
use mta_sts_conformance::{FILES, SCHEMA};
use serde_json::{Value, json};

const PLACE: &str = "file:///schema.json";

fn schema() -> (Schemas, SchemaIndex) {
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    let text = serde_json::from_str(SCHEMA).expect("JSON");
    compiler.add_resource(PLACE, text).expect("a resource");
    let index = compiler.compile(PLACE, &mut schemas).expect("a schema");
    (schemas, index)
}

fn files() -> impl Iterator<Item = (&'static str, Value)> {
    FILES.iter().map(|(name, text)| (*name, serde_json::from_str(text).expect("JSON")))
}

#[test]
fn ok_every_file_keeps_to_the_schema() {
    let (schemas, index) = schema();
    for (name, file) in files() {
        if let Err(error) = schemas.validate(&file, index) {
            panic!("{name}: {error:#}");
        }
    }
}

#[test]
fn err_a_file_that_does_not() {
    let (schemas, index) = schema();
    let (_, good) = files().next().expect("a file");
    let change = |pointer: &str, value: Value| {
        let mut file = good.clone();
        *file.pointer_mut(pointer).expect("it is there") = value;
        file
    };
    let bad = [
        change("/area", json!("A Record")),
        change("/cases", json!([])),
        change("/cases/0/clause", json!("RFC 8461 section 3.1")),
        change("/cases/0/level", json!("shall")),
        change("/cases/0/expect", json!({"verdict": "yes"})),
        change("/cases/0/input", json!({"strings": ["a"], "more": 1})),
        change("/cases/0/input/strings/0", json!({"hex": "abc"})),
        change("/cases/0/input/strings/0", json!({"join": [{"repeat": "x", "times": -1}]})),
    ];
    for file in bad {
        assert!(schemas.validate(&file, index).is_err(), "{}", file["cases"][0]);
    }
}

#[test]
fn ok_a_must_leaves_nothing_open() {
    let (schemas, index) = schema();
    let (_, mut file) = files().next().expect("a file");
    file["cases"][0]["or"] = json!([{"verdict": "invalid"}]);
    assert!(schemas.validate(&file, index).is_err());
    file["cases"][0]["level"] = json!("may");
    assert!(schemas.validate(&file, index).is_ok());
}

#[test]
fn ok_every_file_is_compiled_in_and_every_id_is_its_own() {
    let folder = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/cases")).expect("cases");
    let there: BTreeSet<_> = folder
        .map(|entry| entry.expect("a file").file_name().into_string().expect("UTF-8"))
        .collect();
    let compiled: BTreeSet<_> = FILES.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(there, compiled);
    let mut ids = BTreeSet::new();
    for (name, file) in files() {
        assert_eq!(format!("{}.json", file["area"].as_str().expect("a text")), name);
        for case in file["cases"].as_array().expect("an array") {
            let id = case["id"].as_str().expect("a text").to_owned();
            assert!(ids.insert(id.clone()), "{id}");
        }
    }
}

#[test]
fn ok_an_area_accepts_and_refuses() {
    // An area whose cases all expect the same verdict would be passed by a program that always
    // gives it.
    for (name, file) in files() {
        let cases = file["cases"].as_array().expect("an array");
        let verdicts: BTreeSet<_> = cases.iter().map(|case| case["expect"].to_string()).collect();
        assert!(verdicts.len() > 1, "{name}");
    }
}
