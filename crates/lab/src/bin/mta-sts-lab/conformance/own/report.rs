//! Reports of a day's sessions.

use std::collections::{BTreeMap, BTreeSet};

use mta_sts::UnixTime;
use mta_sts::delivery::{Delivery, Requirements};
use mta_sts_tlsrpt::{DateRange, Report, Tallies};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Verdict;
use super::delivery::{Host, outcome};
use super::lookup::parse_domain;
use super::octets::Octets;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Observed {
    domain: String,
    policy: Option<Octets>,
    day: u64,
    sessions: Vec<Host>,
}

pub(super) fn report(input: &Observed) -> Verdict {
    let outcome = outcome(&parse_domain(&input.domain)?, input.policy.as_ref(), "one")?;
    let mut tallies = Tallies::default();
    for session in &input.sessions {
        let mut delivery = Delivery::new(&outcome, Requirements::default());
        let verdict = session.judge(&mut delivery, || ())?;
        tallies.count(&outcome, verdict.result());
    }
    let day = DateRange::day(UnixTime::from_secs(input.day));
    let report = Report::new("A sender", "tls@sender.example", "2027.1", day, tallies);
    let report = report.map_err(|error| error.to_string())?;
    let mut report = serde_json::to_value(report).map_err(|error| error.to_string())?;
    let policies = report.get_mut("policies").and_then(Value::as_array_mut);
    for policy in policies.into_iter().flatten().filter_map(Value::as_object_mut) {
        let details = policy.remove("failure-details").unwrap_or_default();
        let details = details.as_array().map(Vec::as_slice).unwrap_or_default();
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        let mut hosts = BTreeSet::new();
        for detail in details {
            let result = detail["result-type"].as_str().unwrap_or_default();
            *counts.entry(result).or_default() +=
                detail["failed-session-count"].as_u64().unwrap_or_default();
            hosts.extend(detail["receiving-mx-hostname"].as_str());
        }
        let (counts, hosts) = (json!(counts), json!(hosts));
        policy.insert("details".to_owned(), counts);
        policy.insert("receiving".to_owned(), hosts);
    }
    Ok(report)
}
