//! Certificates, judged by the real client at a real server on loopback.

use mta_sts::{FetchFailure, PolicyDomain, Problem, Status};
use mta_sts_adapters::tokio::MtaSts;
use mta_sts_adapters::{HickoryDns, Roots};
use mta_sts_lab::{Certificate, Lab};
use serde::Deserialize;
use serde_json::json;
use tokio::runtime::Runtime;

use super::Verdict;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    host: String,
    dns_names: Vec<String>,
    common_name: Option<String>,
    ip: Option<String>,
    time: Option<Time>,
    issuer: Option<Issuer>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Time {
    Expired,
    NotYetValid,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Issuer {
    #[serde(rename = "self")]
    Itself,
    Unknown,
    Intermediate,
    IntermediateMissing,
}

/// Servers that present what they are told, and the runtime that a client needs.
pub(super) struct Certificates {
    runtime: Runtime,
    lab: Lab,
}

impl Certificates {
    pub(super) fn new() -> Result<Self, String> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| format!("the runtime: {error}"))?;
        let lab = Lab::start().map_err(|error| format!("the servers on loopback: {error}"))?;
        Ok(Self { runtime, lab })
    }

    pub(super) fn judge(&self, input: &Input) -> Verdict {
        let domain = input.host.strip_prefix("mta-sts.").ok_or("expected a host mta-sts.…")?;
        let domain = PolicyDomain::parse(domain).map_err(|error| error.to_string())?;
        self.lab.domain(domain.as_str()).certificate(input.certificate()?).publish();
        // A client that knows nothing yet: what one case taught it must not judge the next.
        let client = MtaSts::builder()
            .dns(HickoryDns::servers([self.lab.dns_addr()]))
            .roots(Roots::GivenOnly)
            .extra_root(self.lab.ca_der())
            .policy_port(self.lab.https_port())
            .allow_private_addresses(true)
            .build()
            .map_err(|error| error.to_string())?;
        let outcome = self.runtime.block_on(client.policy_for(&domain));
        match (outcome.status(), outcome.problem()) {
            (Status::Found, None) => Ok(json!({"verdict": "valid"})),
            (Status::Absent, Some(Problem::Fetch(FetchFailure::Certificate(fault)))) => {
                Ok(json!({"verdict": "invalid", "error": fault.to_string()}))
            }
            (status, problem) => Err(format!("the look-up came to {status}, {problem:?}")),
        }
    }
}

impl Input {
    /// The one that the servers make.
    fn certificate(&self) -> Result<Certificate, String> {
        let own_name = self.dns_names.len() == 1 && self.dns_names.first() == Some(&self.host);
        let none = self.dns_names.is_empty();
        let by_host = self.common_name.as_ref() == Some(&self.host);
        Ok(match (&self.time, &self.issuer, &self.common_name, &self.ip) {
            (None, None, None, None) if !none => Certificate::Names(self.dns_names.clone()),
            (None, None, Some(_), None) if none && by_host => Certificate::CommonNameOnly,
            (None, None, None, Some(_)) if none => Certificate::IpOnly,
            (Some(Time::Expired), None, None, None) if own_name => Certificate::Expired,
            (Some(Time::NotYetValid), None, None, None) if own_name => Certificate::NotYetValid,
            (None, Some(issuer), None, None) if own_name => match issuer {
                Issuer::Itself => Certificate::SelfSigned,
                Issuer::Unknown => Certificate::UnknownAuthority,
                Issuer::Intermediate => Certificate::Chained,
                Issuer::IntermediateMissing => Certificate::MissingIntermediate,
            },
            _ => return Err("the servers on loopback make no such certificate".to_owned()),
        })
    }
}
