//! What is parsed and compared: records, policies, patterns, names, addresses.

use std::error::Error;
use std::net::IpAddr;

use mta_sts::{DnsName, MxPattern, Policy, PolicyDomain, Profile, Record};
use mta_sts::{policy_host_address, record};
use mta_sts_tlsrpt as tlsrpt;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Verdict;
use super::octets::Octets;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OneRecord {
    strings: Vec<Octets>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Records {
    records: Vec<Vec<Octets>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PolicyText {
    text: Octets,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Host {
    mx: Vec<String>,
    host: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Recipient {
    recipient: String,
    smart_host: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Address {
    address: IpAddr,
}

/// The record alone, and the answer that has no other: they agree.
pub(super) fn record(input: &OneRecord) -> Verdict {
    let joined: Vec<u8> = input.strings.iter().flat_map(AsRef::as_ref).copied().collect();
    let alone = Record::parse(&joined).map(|record| record.id());
    let selected = record::select([&input.strings]);
    if alone.as_ref().ok() != selected.as_ref().ok() {
        return Err(format!("read alone: {alone:?}; read from an answer: {selected:?}"));
    }
    Ok(match alone {
        Ok(id) => json!({"verdict": "valid", "id": id.as_str()}),
        Err(error) => json!({"verdict": "invalid", "error": error.to_string()}),
    })
}

/// The text of an error and of its causes.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

pub(super) fn record_set(input: &Records) -> Value {
    match record::select(&input.records) {
        Ok(id) => json!({"verdict": "policy", "id": id.as_str()}),
        Err(error) => json!({"verdict": "none", "error": chain(&error)}),
    }
}

/// By the profile that look-ups use unless told otherwise.
pub(super) fn policy(input: &PolicyText) -> Value {
    match Policy::parse(input.text.as_ref(), Profile::default()) {
        Ok(policy) => json!({
            "verdict": "valid",
            "mode": policy.mode().as_str(),
            "max_age": policy.max_age().as_secs(),
            "mx": policy.mx().map(MxPattern::as_str).collect::<Vec<_>>(),
        }),
        Err(error) => json!({"verdict": "invalid", "error": error.to_string()}),
    }
}

/// One by one, and as a policy: they agree.
pub(super) fn host_match(input: &Host) -> Verdict {
    let mut lines = vec!["version: STSv1".to_owned(), "mode: enforce".to_owned()];
    lines.extend(input.mx.iter().map(|mx| format!("mx: {mx}")));
    lines.push("max_age: 86400".to_owned());
    let text = lines.join("\n");
    let policy = Policy::parse(text.as_bytes(), Profile::Strict).map_err(|e| e.to_string())?;
    let Ok(host) = DnsName::parse(&input.host) else {
        // A name is never matched unparsed.
        return Ok(json!({"verdict": "no-match"}));
    };
    let matches = policy.matches(&host);
    if matches != policy.mx().any(|pattern| pattern.matches(&host)) {
        return Err("the policy and its patterns do not agree".to_owned());
    }
    Ok(json!({"verdict": if matches { "match" } else { "no-match" }}))
}

pub(super) fn domain(input: &Recipient) -> Value {
    let next_hop = input.smart_host.as_deref();
    // RFC 5321 §4.1.2: a domain has no @, a local part in quotes may.
    let next_hop = next_hop.or(input.recipient.rsplit_once('@').map(|(_, domain)| domain));
    match next_hop.map(PolicyDomain::parse) {
        Some(Ok(domain)) => json!({
            "txt_name": domain.txt_name(),
            "policy_url": format!("https://{}{}", domain.policy_host(), mta_sts::lookup::POLICY_PATH),
        }),
        _ => json!({"txt_name": null}),
    }
}

pub(super) fn address(input: &Address) -> Value {
    match policy_host_address(input.address) {
        Ok(()) => json!({"verdict": "dial"}),
        Err(class) => json!({"verdict": "refuse", "error": class.to_string()}),
    }
}

pub(super) fn tlsrpt_record(input: &Records) -> Value {
    match tlsrpt::select(&input.records) {
        Ok(record) => json!({
            "verdict": "reports",
            "rua": record.rua().map(|uri| scheme_in_lower_case(uri.as_str())).collect::<Vec<_>>(),
        }),
        Err(error) => json!({"verdict": "none", "error": chain(&error)}),
    }
}

/// RFC 3986 §6.2.2.1: the normal form of a scheme.
fn scheme_in_lower_case(uri: &str) -> String {
    match uri.split_once(':') {
        Some((scheme, rest)) => format!("{}:{rest}", scheme.to_ascii_lowercase()),
        None => uri.to_owned(),
    }
}
