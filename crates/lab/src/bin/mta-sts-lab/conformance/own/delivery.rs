//! Deliveries under a policy, and the bounce gate.

use mta_sts::delivery::{
    Candidate, Conclusion, Dane, DaneFault, Delivery, Failure, Mx, Requirements, Session,
    SessionCount, Verdict as Judged,
};
use mta_sts::{
    CertificateFault, DaneVerified, DnsName, Held, Limits, MxVerified, Outcome, PolicyDomain,
    TlsFailure,
};
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
        // The sessions that a report counts as failed.
        let counted =
            verdict.failure().filter(|_| verdict.result().count() == SessionCount::Failed);
        reports.extend(counted.and_then(Failure::result_type).map(mta_sts::ResultType::as_str));
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
        // Without a recheck there is no gate to ask.
        return Ok(json!({"may_bounce": false}));
    };
    let mut delivery = Delivery::new(&outcome, Requirements::default());
    if let Candidate::Connect(_) = delivery.candidate(&Mx::parse("mx.elsewhere.example")) {
        return Err("the policy allows mx.elsewhere.example".to_owned());
    }
    let Conclusion::Retry(retry) = delivery.conclude() else {
        return Err("the policy refused the only candidate, and is not to be asked for".to_owned());
    };
    let now = at(432_000);
    let (query, gate) = retry.recheck(Held::Entry(outcome.into_entry()), Limits::default(), now);
    let run = lookup::ask(query, dns, https, now)?;
    Ok(json!({"may_bounce": gate.permit(&run.outcome, now).is_some()}))
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
    let run = lookup::first(domain.clone(), &dns, &https, at(0))?;
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
            Candidate::Skip(result) => return Ok(Judged::Refuse(result)),
            Candidate::Connect(attempt) => attempt,
        };
        contact();
        if self.connects == Some(false) {
            return Ok(delivery.judge(attempt, Session::NotReached));
        }
        let host = attempt.host().cloned();
        let dane = match (&self.tlsa, &host) {
            (None, _) => Dane::NotKnown,
            (Some(Tlsa::Passed), Some(host)) => Dane::Passed(DaneVerified::assertion(host)),
            (Some(Tlsa::Passed), None) => return Err("DANE needs a host name".to_owned()),
            (Some(Tlsa::Failed), _) => Dane::Failed(DaneFault::TlsaInvalid),
        };
        let attempt = attempt.with_dane(dane);
        let session = match (&self.starttls, &self.tls) {
            (Starttls::Missing, _) => Session::NoStarttls,
            (Starttls::RefusedForNow, _) => Session::StarttlsRefused(454),
            (Starttls::RefusedForGood, _) => Session::StarttlsRefused(554),
            (Starttls::Offered, Some(Tls::Fails)) => Session::TlsFailed(TlsFailure::Other),
            (Starttls::Offered, None) => self.certificate.session(host.as_ref())?,
        };
        Ok(delivery.judge(attempt, session))
    }
}

impl Certificate {
    fn session(&self, host: Option<&DnsName>) -> Result<Session, String> {
        let fault = match self {
            Self::Word(CertificateWord::Valid) => {
                // A certificate cannot be verified for a candidate without a name.
                let verified = host.map(MxVerified::assertion);
                return Ok(verified.map_or(Session::Unverified, Session::Verified));
            }
            Self::Word(CertificateWord::Expired) => CertificateFault::Expired,
            Self::Word(CertificateWord::OtherName) => CertificateFault::WrongName,
            Self::Word(CertificateWord::Revoked) => CertificateFault::Revoked,
            Self::Word(CertificateWord::Untrusted | CertificateWord::SelfSigned) => {
                CertificateFault::UntrustedIssuer
            }
            Self::Names { valid_for } => {
                let name = valid_for.first().ok_or("`valid_for` has no name")?;
                let name = DnsName::parse(name).map_err(|error| error.to_string())?;
                // The machine itself compares the name.
                return Ok(Session::Verified(MxVerified::assertion(&name)));
            }
        };
        Ok(Session::CertificateInvalid(fault))
    }
}
