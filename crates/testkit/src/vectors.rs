//! Readers of the conformance vectors and of the corpus, into plain structs.
//!
//! The vectors are in the folder `vectors` of this package; `MTA_STS_CONFORMANCE` may name another.
//! The corpus, real policies of others, is where `MTA_STS_CORPUS` says. If that is not set, each
//! reader of it prints one line and returns `None`, and its test has nothing to do. Else each reader
//! panics, and so fails its test, if a file is missing, empty or not of the expected form.
//!
//! ```
//! let rows = mta_sts_testkit::vectors::matches();
//! assert!(rows.iter().any(|row| row.matches));
//! ```

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use serde_json::Value;

use crate::oracle::{MediaType, Parsed, Profile};

mod decision;
mod json;

pub use decision::{Decision, Expected, Given, decisions};
use json::Json;

/// The variable that names another folder of conformance vectors.
pub const CONFORMANCE: &str = "MTA_STS_CONFORMANCE";
/// The variable that names the folder of the corpus.
pub const CORPUS: &str = "MTA_STS_CORPUS";

/// A TXT record: `records.json` and the corpus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its strings, joined.
    pub input: Vec<u8>,
    /// The id, or the error code.
    pub expect: Result<String, String>,
}

/// A TXT record set: `txt_sets.json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TxtSet {
    /// The records, each a list of character-strings.
    pub input: Vec<Vec<Vec<u8>>>,
    /// The id, or `none`, `multiple` or `invalid`.
    pub expect: Result<String, String>,
}

/// A policy: `policies.json` and the corpus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// The file's name in the corpus, else the place in the list.
    pub name: String,
    /// Its text, whole.
    pub input: Vec<u8>,
    /// What it says when read by the grammar, or the error code.
    pub strict: Result<Parsed, String>,
    /// What it says by default, or the error code.
    pub tolerant: Result<Parsed, String>,
}

/// An MX match: `matches.json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// The mx values of the policy, as published.
    pub mx: Vec<String>,
    /// The host.
    pub host: String,
    /// The profile that reads the values.
    pub profile: Profile,
    /// Whether one of them matches.
    pub matches: bool,
}

/// A `Content-Type`: `content_types.json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentType {
    /// The value; `None` where the header field is missing.
    pub input: Option<String>,
    /// The strict verdict.
    pub strict: MediaType,
    /// The default verdict.
    pub tolerant: MediaType,
}

/// An address of a Policy Host: `addresses.json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address {
    /// The address.
    pub input: IpAddr,
    /// Whether it may be dialled by default.
    pub allowed: bool,
}

/// A policy's URL: `policy_urls.json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyUrl {
    /// What should be a Policy Domain.
    pub input: String,
    /// The URL, or what is wrong in words.
    pub expect: Result<String, String>,
}

/// A TLSRPT record: `tlsrpt_records.json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsrptRecord {
    /// Its strings, joined.
    pub input: Vec<u8>,
    /// The URIs of its `rua`; `None` for an invalid record.
    pub rua: Option<Vec<String>>,
}

/// A case whose outcome is told in words: `flows.json`, `dns_answers.json`,
/// `http_responses.json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// The named parts of the case; one without parts is named `case`. Numbers are in decimal.
    pub input: BTreeMap<String, String>,
    /// The outcome.
    pub expect: String,
}

/// The folder of the conformance vectors.
///
/// # Panics
/// If another one is named and is not there.
pub fn conformance() -> PathBuf {
    let ours = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/vectors"));
    let folder = std::env::var_os(CONFORMANCE).map_or_else(ours, PathBuf::from);
    assert!(folder.is_dir(), "{CONFORMANCE}: {} is not a folder", folder.display());
    folder
}

/// The folder of the corpus; `None`, with one line of output, if it is not set.
///
/// # Panics
/// If it is set and there is no such folder.
pub fn corpus() -> Option<PathBuf> {
    let Some(folder) = std::env::var_os(CORPUS).map(PathBuf::from) else {
        println!("skipped: {CORPUS} is not set");
        return None;
    };
    assert!(folder.is_dir(), "{CORPUS}: {} is not a folder", folder.display());
    Some(folder)
}

/// The rows of `records.json`.
///
/// # Panics
/// As the module says.
pub fn records() -> Vec<Record> {
    list("records.json", record)
}

/// The rows of the corpus's `records.jsonl`.
///
/// # Panics
/// As the module says.
pub fn corpus_records() -> Option<Vec<Record>> {
    Some(json::lines(&corpus()?.join("records.jsonl")).iter().map(record).collect())
}

/// The rows of `txt_sets.json`.
///
/// # Panics
/// As the module says.
pub fn txt_sets() -> Vec<TxtSet> {
    list("txt_sets.json", |row| TxtSet {
        input: row.at("input").list(|record| record.list(|string| string.text().into_bytes())),
        expect: verdict(&row.at("expect"), |ok| ok.at("id").text(), "why"),
    })
}

/// The rows of `policies.json`, long inputs written out.
///
/// # Panics
/// As the module says.
pub fn policies() -> Vec<Policy> {
    let rows = list("policies.json", |row| policy(row, input(row).into_bytes()));
    let name = |(index, row)| Policy { name: format!("policies.json[{index}]"), ..row };
    rows.into_iter().enumerate().map(name).collect()
}

/// The policies of the corpus with their verdicts.
///
/// # Panics
/// As the module says.
pub fn corpus_policies() -> Option<Vec<Policy>> {
    let folder = corpus()?;
    let rows = json::lines(&folder.join("policies.jsonl"));
    let read = |row: &Json| {
        let name = row.at("file").text();
        let path = folder.join(&name);
        let bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        Policy { name, ..policy(row, bytes) }
    };
    Some(rows.iter().map(read).collect())
}

/// The rows of `matches.json`.
///
/// # Panics
/// As the module says.
pub fn matches() -> Vec<Match> {
    list("matches.json", |row| Match {
        mx: row.at("mx").list(Json::text),
        host: row.at("host").text(),
        profile: match row.at("profile").text().as_str() {
            "strict" => Profile::Strict,
            "tolerant" => Profile::Tolerant,
            other => row.fail(&format!("unknown profile {other:?}")),
        },
        matches: row.at("matches").truth(),
    })
}

/// The rows of `content_types.json`.
///
/// # Panics
/// As the module says.
pub fn content_types() -> Vec<ContentType> {
    list("content_types.json", |row| {
        let (strict, tolerant) = match row.at("expect").text().as_str() {
            "accept" => (MediaType::Accept, MediaType::Accept),
            "reject" => (MediaType::Reject, MediaType::Reject),
            "strict: reject; tolerant: accept with a diagnostic" => {
                (MediaType::Reject, MediaType::AcceptWithDiagnostic)
            }
            other => row.fail(&format!("unknown verdict {other:?}")),
        };
        ContentType { input: row.at("input").some(Json::text), strict, tolerant }
    })
}

/// The rows of `addresses.json`.
///
/// # Panics
/// As the module says.
pub fn addresses() -> Vec<Address> {
    list("addresses.json", |row| Address {
        input: row.at("input").text().parse().unwrap_or_else(|_| row.fail("not an address")),
        allowed: match row.at("expect").text().as_str() {
            "allowed" => true,
            "blocked" => false,
            other => row.fail(&format!("unknown verdict {other:?}")),
        },
    })
}

/// The rows of `policy_urls.json`.
///
/// # Panics
/// As the module says.
pub fn policy_urls() -> Vec<PolicyUrl> {
    list("policy_urls.json", |row| {
        let expect = row.at("expect").text();
        let expect = match expect.strip_prefix("error: ") {
            Some(words) => Err(words.to_owned()),
            None => Ok(expect),
        };
        PolicyUrl { input: row.at("input").text(), expect }
    })
}

/// The rows of `tlsrpt_records.json`.
///
/// # Panics
/// As the module says.
pub fn tlsrpt_records() -> Vec<TlsrptRecord> {
    list("tlsrpt_records.json", |row| {
        let expect = row.at("expect");
        let rua = expect.at("ok").truth().then(|| expect.at("rua").list(Json::text));
        TlsrptRecord { input: row.at("input").text().into_bytes(), rua }
    })
}

/// The rows of `dns_answers.json`.
///
/// # Panics
/// As the module says.
pub fn dns_answers() -> Vec<Case> {
    list("dns_answers.json", case)
}

/// The rows of `http_responses.json`.
///
/// # Panics
/// As the module says.
pub fn http_responses() -> Vec<Case> {
    list("http_responses.json", case)
}

/// The rows of `flows.json`.
///
/// # Panics
/// As the module says.
pub fn flows() -> Vec<Case> {
    list("flows.json", case)
}

fn list<T>(file: &str, read: impl Fn(&Json) -> T) -> Vec<T> {
    json::array(&conformance().join(file)).iter().map(read).collect()
}

fn record(row: &Json) -> Record {
    Record {
        input: input(row).into_bytes(),
        expect: verdict(&row.at("expect"), |ok| ok.at("id").text(), "error"),
    }
}

fn policy(row: &Json, input: Vec<u8>) -> Policy {
    let parsed = |ok: &Json| Parsed {
        mode: ok.at("mode").text(),
        max_age: ok.at("max_age").number(),
        mx: ok.at("mx").list(Json::text),
    };
    Policy {
        name: String::new(),
        input,
        strict: verdict(&row.at("strict"), parsed, "error"),
        tolerant: verdict(&row.at("tolerant"), parsed, "error"),
    }
}

fn case(row: &Json) -> Case {
    let input = row.at("input");
    let parts = match input.value() {
        Value::Object(parts) => {
            parts.keys().map(|name| (name.clone(), input.at(name).plain())).collect()
        }
        _ => BTreeMap::from([("case".to_owned(), input.plain())]),
    };
    Case { input: parts, expect: row.at("expect").text() }
}

/// What the row holds if it is `ok`, else the word under `error`.
fn verdict<T>(row: &Json, ok: impl Fn(&Json) -> T, error: &str) -> Result<T, String> {
    match row.get("ok") {
        Some(flag) if flag.truth() => Ok(ok(row)),
        _ => Err(row.at(error).text()),
    }
}

/// The input of a row, or the one that `input_gen` describes: prefix + fill × count + suffix.
fn input(row: &Json) -> String {
    let Some(plan) = row.get("input_gen") else { return row.at("input").text() };
    let part = |name| plan.get(name).map(|part| part.text()).unwrap_or_default();
    let count = plan.at("count").number();
    // Far above any limit that a vector can mean to pass, and far below the memory of a machine.
    let count = usize::try_from(count).ok().filter(|count| *count <= 16 << 20);
    let fill = part("fill").repeat(count.unwrap_or_else(|| plan.fail("count is out of bounds")));
    part("prefix") + &fill + &part("suffix")
}
