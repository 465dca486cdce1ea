//! A finding as JSON. The names of the fields, and their order, are a promise to scripts.

use std::borrow::Cow;

use mta_sts::{HeldPolicy, MxPattern, Outcome, Problem, UnixTime};
use serde::Serialize;

use super::Finding;
use super::mx::Live;

#[derive(Debug, Serialize)]
pub(super) struct FindingJson<'a> {
    domain: &'a str,
    status: &'static str,
    policy: Option<PolicyJson<'a>>,
    problem: Option<ProblemJson>,
    /// In seconds from now.
    expires_in: Option<u64>,
    /// Empty where DNS did not tell.
    mx: Vec<MxJson<'a>>,
}

/// The policy in force.
#[derive(Debug, Serialize)]
pub(crate) struct PolicyJson<'a> {
    mode: &'static str,
    max_age: u32,
    mx: Vec<&'a str>,
    id: String,
}

/// What went wrong, in the terms of a report (RFC 8460 §4.3).
#[derive(Debug, Serialize)]
pub(crate) struct ProblemJson {
    result_type: &'static str,
    reason_code: Cow<'static, str>,
    message: String,
}

#[derive(Debug, Serialize)]
struct MxJson<'a> {
    host: &'a str,
    preference: u16,
    matched: Option<&'a str>,
}

impl Finding {
    pub(super) fn json(&self) -> FindingJson<'_> {
        FindingJson {
            domain: self.outcome.domain().as_str(),
            status: self.outcome.status().as_str(),
            policy: self.outcome.policy().map(PolicyJson::from),
            problem: self.outcome.problem().map(ProblemJson::from),
            expires_in: expires_in(&self.outcome, self.now),
            mx: self.hosts.all().iter().map(MxJson::from).collect(),
        }
    }
}

/// In seconds.
pub(crate) fn expires_in(outcome: &Outcome, now: UnixTime) -> Option<u64> {
    outcome.expires_in(now).map(|left| left.as_secs())
}

impl<'a> From<&'a HeldPolicy> for PolicyJson<'a> {
    fn from(held: &'a HeldPolicy) -> Self {
        let policy = held.policy();
        Self {
            mode: policy.mode().as_str(),
            max_age: policy.max_age().as_secs(),
            mx: policy.mx().map(MxPattern::as_str).collect(),
            id: held.id().to_string(),
        }
    }
}

impl From<&Problem> for ProblemJson {
    fn from(problem: &Problem) -> Self {
        Self {
            result_type: problem.result_type().as_str(),
            reason_code: problem.reason_code(),
            message: problem.to_string(),
        }
    }
}

impl<'a> From<&'a Live> for MxJson<'a> {
    fn from(live: &'a Live) -> Self {
        Self { host: &live.host, preference: live.preference, matched: live.matched.as_deref() }
    }
}
