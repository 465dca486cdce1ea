//! A finding as JSON. The names of the fields, and their order, are a promise to scripts.

use mta_sts_terminal::json::{PolicyJson, ProblemJson, expires_in};
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

impl<'a> From<&'a Live> for MxJson<'a> {
    fn from(live: &'a Live) -> Self {
        Self { host: &live.host, preference: live.preference, matched: live.matched.as_deref() }
    }
}
