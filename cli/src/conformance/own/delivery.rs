//! Deliveries under a policy, and the bounce gate.

use mta_sts::delivery::{
    Attempt, Candidate, Conclusion, Dane, Delivery, Mx, Requirements, Verdict as Judged,
};
use mta_sts::{CertificateFault, DnsName, Held, Lookup, MxVerified, Outcome, PolicyDomain};
use serde::Deserialize;
use serde_json::json;

use super::Verdict;
use super::lookup::{self, Absence, Dns, Https, announce, at, parse_domain};
use super::octets::Octets;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Delivered {
    domain: String,
    policy: Option<Octets>,
    candidates: Vec<Host>,
}

/// A host and what it does.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Host {
    #[serde(rename = "mx")]
    name: String,
    connects: Option<bool>,
    #[serde(default)]
    starttls: Starttls,
    tls: Option<Tls>,
    #[serde(default)]
    certificate: Certificate,
    #[serde(rename = "dane")]
    tlsa: Option<Tlsa>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "snake_case")]
enum Starttls {
    #[default]
    Offered,
    Missing,
    #[serde(rename = "refused_454")]
    RefusedForNow,
    #[serde(rename = "refused_554")]
    RefusedForGood,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Tls {
    Fails,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Tlsa {
    Passed,
    Failed,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Certificate {
    Word(CertificateWord),
    Names { valid_for: Vec<String> },
}

impl Default for Certificate {
    fn default() -> Self {
        Self::Word(CertificateWord::Valid)
    }
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum CertificateWord {
    Valid,
    Expired,
    Untrusted,
    SelfSigned,
    OtherName,
    Revoked,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Bounce {
    domain: String,
    policy: Octets,
    id: String,
    recheck: Option<Answers>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answers {
    dns: Dns,
    https: Https,
}

pub(super) fn delivery(input: &Delivered) -> Verdict {
    let outcome = outcome(&parse_domain(&input.domain)?, input.policy.as_ref(), "one")?;
    let mut delivery = Delivery::new(&outcome, Requirements::default());
    let (mut contacted, mut reports) = (Vec::new(), Vec::new());
    let mut delivered_to = None;
    for host in &input.candidates {
        let verdict = host.judge(&mut delivery, || contacted.push(host.name.as_str()))?;
        let result = verdict.failure().and_then(mta_sts::delivery::Failure::result_type);
        reports.extend(result.map(mta_sts::ResultType::as_str));
        if !verdict.is_refused() {
            delivered_to = Some(&host.name);
            break;
        }
    }
    let failure = match (delivered_to, delivery.conclude()) {
        (Some(_), _) => None,
        // Where no policy refused, SMTP's rule for hosts that cannot be reached is the same.
        (None, Conclusion::Retry(_) | Conclusion::LocalDemand | Conclusion::Open) => {
            Some("transient")
        }
    };
    Ok(json!({
        "delivered_to": delivered_to, "contacted": contacted, "failure": failure,
        "reports": reports,
    }))
}

pub(super) fn bounce(input: &Bounce) -> Verdict {
    let outcome = outcome(&parse_domain(&input.domain)?, Some(&input.policy), &input.id)?;
    let Some(Answers { dns, https }) = &input.recheck else {
        return Ok(json!({"may_bounce": outcome.bounce_token().is_some()}));
    };
    let mut delivery = Delivery::new(&outcome, Requirements::default());
    if let Candidate::Connect(_) = delivery.candidate(&Mx::parse("mx.elsewhere.example")) {
        return Err("the policy allows mx.elsewhere.example".to_owned());
    }
    let Conclusion::Retry(retry) = delivery.conclude() else {
        return Err("the policy refused the only candidate, and is not to be asked for".to_owned());
    };
    let lookup = retry.recheck(Held::Entry(outcome.into_entry()));
    let run = lookup::run(lookup, dns, https, at(432_000))?;
    Ok(json!({"may_bounce": run.outcome.bounce_token().is_some()}))
}

/// A look-up that found this policy, or none.
pub(super) fn outcome(
    domain: &PolicyDomain,
    policy: Option<&Octets>,
    id: &str,
) -> Result<Outcome, String> {
    let (dns, https) = match policy {
        Some(text) => (announce(id), Https::policy(text.clone())),
        None => (Dns::Absent { absent: Absence::Nxdomain, ttl: 60 }, Https::default()),
    };
    let run = lookup::run(Lookup::new(domain.clone()), &dns, &https, at(0))?;
    if policy.is_some() != run.outcome.policy().is_some() {
        return Err("the policy is none".to_owned());
    }
    Ok(run.outcome)
}

impl Host {
    /// What becomes of the host; calls `contact` where a connection is tried.
    pub(super) fn judge(
        &self,
        delivery: &mut Delivery,
        contact: impl FnOnce(),
    ) -> Result<Judged, String> {
        let attempt = match delivery.candidate(&Mx::parse(&self.name)) {
            Candidate::Skip(failure) => return Ok(Judged::Refuse(failure)),
            Candidate::Connect(attempt) => attempt,
        };
        contact();
        if self.connects == Some(false) {
            return Ok(attempt.connection_failed(delivery));
        }
        let attempt = match self.tlsa {
            None => attempt,
            Some(Tlsa::Passed) => attempt.with_dane(Dane::Passed),
            Some(Tlsa::Failed) => attempt.with_dane(Dane::Failed),
        };
        match (&self.starttls, &self.tls) {
            (Starttls::Missing, _) => Ok(attempt.no_starttls(delivery)),
            (Starttls::RefusedForNow, _) => Ok(attempt.starttls_refused(454, delivery)),
            (Starttls::RefusedForGood, _) => Ok(attempt.starttls_refused(554, delivery)),
            (Starttls::Offered, Some(Tls::Fails)) => Ok(attempt.tls_failed(delivery)),
            (Starttls::Offered, None) => self.certified(attempt, delivery),
        }
    }

    fn certified(&self, attempt: Attempt, delivery: &mut Delivery) -> Result<Judged, String> {
        let fault = match &self.certificate {
            Certificate::Word(CertificateWord::Valid) => None,
            Certificate::Word(CertificateWord::Expired) => Some(CertificateFault::Expired),
            Certificate::Word(CertificateWord::OtherName) => Some(CertificateFault::WrongName),
            Certificate::Word(CertificateWord::Revoked) => Some(CertificateFault::Revoked),
            Certificate::Word(CertificateWord::Untrusted | CertificateWord::SelfSigned) => {
                Some(CertificateFault::UntrustedIssuer)
            }
            Certificate::Names { valid_for } => {
                let name = valid_for.first().ok_or("`valid_for` names nobody")?;
                let name = DnsName::parse(name).map_err(|error| error.to_string())?;
                // The machine itself compares the name.
                return Ok(attempt.tls_verified(MxVerified::assertion(&name), delivery));
            }
        };
        Ok(match (fault, attempt.host().cloned()) {
            (Some(fault), _) => attempt.certificate_failed(fault, delivery),
            (None, Some(host)) => attempt.tls_verified(MxVerified::assertion(&host), delivery),
            // Nobody can verify a certificate for what has no name.
            (None, None) => attempt.tls_unverified(delivery),
        })
    }
}
