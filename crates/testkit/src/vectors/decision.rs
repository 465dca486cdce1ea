//! `decisions.jsonl`: every distinct course of one lookup.

use super::conformance;
use super::json::{self, Json};

/// A row of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The line of the file, from 1.
    pub line: usize,
    /// What the lookup meets.
    pub given: Given,
    /// What comes of it.
    pub expect: Expected,
}

/// What a lookup meets, in the words of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// `nothing`, `unreadable`, `enforce`, `testing`, `none`, `expired` or `future`.
    pub held: String,
    /// `-`, `same_id`, `absent`, `malformed` or `no_answer`.
    pub memory: String,
    /// `-`, `budget`, or ids joined by `+`.
    pub backoff: String,
    /// `when_due`, `always` or `refresh`.
    pub recheck: String,
    /// `-`, an id, `absent`, `several`, `malformed` or `no_answer`.
    pub txt: String,
    /// `-`, a mode, `max_age_0`, `fails`, `invalid` or `certificate`.
    pub https: String,
}

/// What comes of a lookup, in the words of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// Whether the TXT record is asked for.
    pub asks_txt: bool,
    /// Whether the policy is fetched.
    pub asks_https: bool,
    /// `found`, `confirmed`, `held`, `absent` or `unknown`.
    pub status: String,
    /// Where the policy is from, `held` or `fetched`, and its mode.
    pub policy: Option<(String, String)>,
    /// `put`, `clear` or `keep`.
    pub store: String,
    /// The id put with the policy.
    pub stored_id: Option<String>,
    /// The trouble reported.
    pub problem: Option<String>,
    /// `unchanged`, `none`, `same_id`, `absent`, `several`, `malformed` or `no_answer`.
    pub remembers_txt: String,
    /// The id whose failure is now remembered or renewed.
    pub remembers_failure: Option<String>,
    /// For `always` only: whether a permanent failure is permitted.
    pub permits_bounce: Option<bool>,
}

/// The rows of `decisions.jsonl`.
///
/// # Panics
/// As the module [`vectors`](super) says.
pub fn decisions() -> Vec<Decision> {
    let rows = json::lines(&conformance().join("decisions.jsonl"));
    rows.iter().enumerate().map(|(index, row)| decision(index + 1, row)).collect()
}

fn decision(line: usize, row: &Json) -> Decision {
    let given = row.at("given");
    let expect = row.at("expect");
    Decision {
        line,
        given: Given {
            held: given.at("held").text(),
            memory: given.at("memory").text(),
            backoff: given.at("backoff").text(),
            recheck: given.at("recheck").text(),
            txt: given.at("txt").text(),
            https: given.at("https").text(),
        },
        expect: Expected {
            asks_txt: expect.at("asks_txt").truth(),
            asks_https: expect.at("asks_https").truth(),
            status: expect.at("status").text(),
            policy: expect.at("policy").some(|p| (p.at("from").text(), p.at("mode").text())),
            store: expect.at("store").text(),
            stored_id: expect.at("stored_id").some(Json::text),
            problem: expect.at("problem").some(Json::text),
            remembers_txt: expect.at("remembers_txt").text(),
            remembers_failure: expect.at("remembers_failure").some(Json::text),
            permits_bounce: expect.get("permits_bounce").map(|flag| flag.truth()),
        },
    }
}
