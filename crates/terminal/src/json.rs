//! An outcome as JSON. The names of the fields, and their order, are a promise to scripts.

use std::borrow::Cow;

use mta_sts::{HeldPolicy, MxPattern, Outcome, Problem, UnixTime};
use serde::Serialize;

/// The policy in force: `mode`, `max_age` in seconds, `mx` (the patterns) and `id`.
#[derive(Debug, Serialize)]
pub struct PolicyJson<'a> {
    mode: &'static str,
    max_age: u32,
    mx: Vec<&'a str>,
    id: String,
}

/// The problem of an outcome, in the terms of a report (RFC 8460 §4.3): `result_type`,
/// `reason_code` and `message`.
#[derive(Debug, Serialize)]
pub struct ProblemJson {
    result_type: &'static str,
    reason_code: Cow<'static, str>,
    message: String,
}

/// Returns the seconds from `now` until the policy in force expires; `None` if there is no policy.
pub fn expires_in(outcome: &Outcome, now: UnixTime) -> Option<u64> {
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
