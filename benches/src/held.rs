//! What is held: the decision with nothing due, and the stored form.

use std::collections::HashMap;
use std::hint::black_box;

use mta_sts::lookup::Start;
use mta_sts::{Entry, Held, Lookup};
use serde::{Deserialize, Serialize};

use crate::Anything;
use crate::makings::{NOW, domain, entry, shuffled};
use crate::measure::compare;
use crate::reading::Reading;

pub(crate) fn readings() -> Result<Vec<Reading>, Anything> {
    let now = NOW.plus_secs(60);
    let (name, held) = (domain(7), entry(&domain(7)));
    let map: HashMap<_, _> = shuffled(1_000).into_iter().map(|n| (domain(n), n)).collect();
    let look_up = || black_box(&map).get(black_box(&name)).copied();
    let decide = compare(
        "held decision (Entry::decide)",
        2.0,
        || {
            let decision = black_box(&held).decide(black_box(&name), now)?;
            Some((decision.status(), decision.policy()?.mode()))
        },
        "map look-up",
        look_up,
    );
    let lookup = compare(
        "held decision (a whole Lookup)",
        5.0,
        || {
            let held = Held::Entry(black_box(&held).clone());
            let started = Lookup::new(black_box(&name).clone(), held).start(now);
            matches!(started, Start::Done(outcome) if outcome.policy().is_some())
        },
        "map look-up",
        look_up,
    );
    let json = Json::of(&held).ok_or("nothing held")?;
    let text = serde_json::to_vec(&json)?;
    let bytes = held.to_bytes();
    let write = compare(
        "entry to bytes",
        0.5,
        || black_box(&held).to_bytes(),
        "serde_json",
        || serde_json::to_vec(black_box(&json)),
    );
    let read = compare(
        "entry from bytes",
        0.5,
        || Entry::from_bytes(&name, black_box(&bytes)),
        "serde_json",
        || serde_json::from_slice::<Json>(black_box(&text)),
    );
    Ok(vec![decide, lookup, write, read])
}

/// The data of an entry, as who has only JSON would keep it.
#[derive(Serialize, Deserialize)]
struct Json {
    version: u8,
    domain: String,
    generation: u64,
    inserted_at: u64,
    last_used: u64,
    remembered: u8,
    remembered_stamp: u64,
    remembered_until: u64,
    remembered_generation: u64,
    budget_restarts: u64,
    budget_full_at: u64,
    failures: Vec<(String, u64, u64, u8)>,
    profile: u8,
    id: String,
    fetched_at: u64,
    policy: String,
}

impl Json {
    fn of(entry: &Entry) -> Option<Self> {
        let held = entry.stored_policy()?;
        let then = NOW.as_secs();
        Some(Self {
            version: 1,
            domain: entry.domain().to_string(),
            generation: entry.generation(),
            inserted_at: entry.inserted_at().as_secs(),
            last_used: entry.last_used().as_secs(),
            remembered: 1,
            remembered_stamp: then,
            remembered_until: then + 86_400,
            remembered_generation: entry.generation(),
            budget_restarts: 0,
            budget_full_at: then + 300,
            failures: Vec::new(),
            profile: 2,
            id: held.id().to_string(),
            fetched_at: held.fetched_at().as_secs(),
            policy: held.policy().as_str().to_owned(),
        })
    }
}
