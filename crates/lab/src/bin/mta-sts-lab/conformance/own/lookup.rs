//! Look-ups, driven by what a case says of DNS and of the Policy Host.

use mta_sts::lookup::{AfterHead, AfterTxt, FetchPolicy, Head, QueryTxt, Start, Store};
use mta_sts::{
    CertificateFault, DnsFailure, DnsFailureKind, FetchFailure, Held, Lookup, Outcome,
    PolicyDomain, PolicyHostVerified, Problem, Recheck, Status, TlsFailure, UnixTime,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Verdict;
use super::octets::Octets;

/// When look-ups happen; a case counts from there.
pub(super) const NOW: u64 = 1_900_000_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Decision {
    domain: String,
    held: Option<HeldInput>,
    purpose: Purpose,
    dns: Dns,
    https: Https,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HeldInput {
    id: String,
    policy: Octets,
    age: u64,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum Purpose {
    Delivery,
    Refresh,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Flow {
    domain: String,
    steps: Vec<FlowStep>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FlowStep {
    at: u64,
    purpose: Purpose,
    dns: Dns,
    https: Https,
}

/// What DNS says of the TXT record.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Dns {
    Records { records: Vec<Vec<Octets>>, ttl: u32 },
    Absent { absent: Absence, ttl: u32 },
    Failure { failure: DnsWord },
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Absence {
    Nxdomain,
    Nodata,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
pub(super) enum DnsWord {
    Timeout,
    Servfail,
    Refused,
    Bogus,
    Lame,
}

/// What the Policy Host gives.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Https {
    failure: Option<FetchWord>,
    certificate: CertificateWord,
    /// Served as it should be, in the place of status, headers and body.
    policy: Option<Octets>,
    status: Option<u16>,
    headers: Vec<(String, String)>,
    body: Option<Octets>,
    complete: Option<bool>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum FetchWord {
    Timeout,
    ConnectionRefused,
    NoAddress,
    Tls,
    NotHttp,
}

#[derive(Deserialize, Clone, Copy, Default)]
#[serde(rename_all = "snake_case")]
enum CertificateWord {
    #[default]
    Valid,
    Expired,
    NotYetValid,
    Untrusted,
    Revoked,
    OtherName,
}

/// What a look-up came to.
pub(super) struct Run {
    pub(super) outcome: Outcome,
    asked_https: bool,
}

pub(super) fn http(input: &Https) -> Verdict {
    let run = first(parse_domain("kettle.example")?, &announce("one"), input, at(0))?;
    let held = run.outcome.policy();
    Ok(match held {
        Some(held) => json!({"verdict": "policy", "mode": held.mode().as_str()}),
        None => json!({"verdict": "none"}),
    })
}

pub(super) fn decision(input: &Decision) -> Verdict {
    let domain = parse_domain(&input.domain)?;
    let held = match &input.held {
        None => Held::Nothing,
        Some(held) => {
            let fetched_at = UnixTime::from_secs(NOW.saturating_sub(held.age));
            let https = Https::policy(held.policy.clone());
            let earlier = first(domain.clone(), &announce(&held.id), &https, fetched_at)?;
            if earlier.outcome.status() != Status::Found {
                return Err("the held policy is none".to_owned());
            }
            Held::Entry(earlier.outcome.into_entry())
        }
    };
    let lookup = Lookup::new(domain, held).recheck(input.purpose.recheck());
    Ok(run(lookup, &input.dns, &input.https, at(0))?.verdict(at(0)))
}

pub(super) fn flow(input: &Flow) -> Verdict {
    let domain = parse_domain(&input.domain)?;
    let mut held = Held::Nothing;
    let mut verdicts = Vec::with_capacity(input.steps.len());
    for step in &input.steps {
        let now = at(step.at);
        let lookup = Lookup::new(domain.clone(), held).recheck(step.purpose.recheck());
        let run = run(lookup, &step.dns, &step.https, now)?;
        verdicts.push(run.verdict(now));
        held = Held::Entry(run.outcome.into_entry());
    }
    Ok(json!({"steps": verdicts}))
}

pub(super) fn parse_domain(text: &str) -> Result<PolicyDomain, String> {
    PolicyDomain::parse(text).map_err(|error| format!("domain {text:?}: {error}"))
}

pub(super) fn at(secs: u64) -> UnixTime {
    UnixTime::from_secs(NOW.saturating_add(secs))
}

/// One record, with a TTL that has passed when DNS is next asked.
pub(super) fn announce(id: &str) -> Dns {
    let text = Octets::from_text(format!("v=STSv1; id={id};"));
    Dns::Records { records: vec![vec![text]], ttl: 60 }
}

impl Purpose {
    const fn recheck(self) -> Recheck {
        match self {
            Self::Delivery => Recheck::WhenDue,
            Self::Refresh => Recheck::Refresh,
        }
    }
}

impl Https {
    pub(super) fn policy(text: Octets) -> Self {
        Self { policy: Some(text), ..Self::default() }
    }

    fn failure(&self) -> Option<FetchFailure> {
        let fault = match self.certificate {
            // For another name: there the machine itself compares.
            CertificateWord::Valid | CertificateWord::OtherName => None,
            CertificateWord::Expired => Some(CertificateFault::Expired),
            CertificateWord::NotYetValid => Some(CertificateFault::NotYetValid),
            CertificateWord::Untrusted => Some(CertificateFault::UntrustedIssuer),
            CertificateWord::Revoked => Some(CertificateFault::Revoked),
        };
        fault.map(FetchFailure::Certificate).or(self.failure.map(|word| match word {
            FetchWord::Timeout => FetchFailure::Timeout,
            FetchWord::ConnectionRefused => FetchFailure::ConnectionRefused,
            FetchWord::NoAddress => FetchFailure::NoAddress,
            FetchWord::Tls => FetchFailure::Tls(TlsFailure::Other),
            FetchWord::NotHttp => FetchFailure::Http,
        }))
    }

    fn answer(&self, fetch: FetchPolicy, now: UnixTime) -> Result<Store, String> {
        if let Some(failure) = self.failure() {
            return Ok(fetch.failed(failure, now));
        }
        let name = match self.certificate {
            CertificateWord::OtherName => "elsewhere.example",
            _ => fetch.host(),
        };
        let verified = PolicyHostVerified::assertion(name);
        let (content_type, content_encoding, status) = match &self.policy {
            Some(_) => (Some(b"text/plain".to_vec()), None, 200),
            None => (
                self.header("content-type"),
                self.header("content-encoding"),
                self.status.ok_or("neither a failure, a policy nor a status")?,
            ),
        };
        let head = Head {
            status,
            content_type: content_type.as_deref(),
            content_encoding: content_encoding.as_deref(),
        };
        let mut body = match fetch.responded(verified, head, now) {
            AfterHead::ReadBody(body) => body,
            AfterHead::Store(store) => return Ok(store),
        };
        let octets = self.policy.as_ref().or(self.body.as_ref());
        // Where the limit is passed the reply is the same.
        let _ = body.chunk(octets.map(AsRef::as_ref).unwrap_or_default());
        Ok(match self.complete {
            Some(false) => body.failed(FetchFailure::Truncated, now),
            _ => body.ended(now),
        })
    }

    /// The values of all headers of this name, joined.
    fn header(&self, name: &str) -> Option<Vec<u8>> {
        let values = self.headers.iter().filter(|(header, _)| header.eq_ignore_ascii_case(name));
        let values: Vec<_> = values.map(|(_, value)| value.as_str()).collect();
        (!values.is_empty()).then(|| values.join(", ").into_bytes())
    }
}

/// Runs a look-up of which nothing is held.
pub(super) fn first(
    domain: PolicyDomain,
    dns: &Dns,
    https: &Https,
    now: UnixTime,
) -> Result<Run, String> {
    run(Lookup::new(domain, Held::Nothing), dns, https, now)
}

/// Runs a look-up to its end, all of it at one time.
fn run(lookup: Lookup, dns: &Dns, https: &Https, now: UnixTime) -> Result<Run, String> {
    match lookup.start(now) {
        Start::QueryTxt(query) => ask(query, dns, https, now),
        Start::Done(outcome) => Ok(Run { outcome, asked_https: false }),
    }
}

/// Runs a look-up from its question to DNS to its end.
pub(super) fn ask(query: QueryTxt, dns: &Dns, https: &Https, now: UnixTime) -> Result<Run, String> {
    let after = match dns {
        Dns::Records { records, ttl } => query.answered(records, *ttl, now),
        Dns::Absent { absent: Absence::Nxdomain | Absence::Nodata, ttl } => query.absent(*ttl, now),
        Dns::Failure { failure } => query.failed(DnsFailure::new(failure.kind()), now),
    };
    let (store, asked_https) = match after {
        AfterTxt::FetchPolicy(fetch) => (https.answer(fetch, now)?, true),
        AfterTxt::Store(store) => (store, false),
    };
    // The store holds what the look-up began from, and no one else writes to it.
    let merged = store.entry().clone();
    Ok(Run { outcome: store.stored(merged), asked_https })
}

impl DnsWord {
    const fn kind(self) -> DnsFailureKind {
        match self {
            Self::Timeout => DnsFailureKind::Timeout,
            Self::Servfail => DnsFailureKind::ServerFailure,
            Self::Refused => DnsFailureKind::Refused,
            Self::Bogus => DnsFailureKind::Bogus,
            Self::Lame => DnsFailureKind::Unproven,
        }
    }
}

impl Run {
    fn verdict(&self, now: UnixTime) -> Value {
        let outcome = &self.outcome;
        let from = outcome.policy().map(|_| match outcome.status() {
            Status::Found => "fetched",
            _ => "held",
        });
        let keeps = outcome.entry().policy(now).map(|held| {
            json!({
                "mode": held.mode().as_str(),
                "id": held.id().as_str(),
                "expires_in": held.expires_in(now).as_secs(),
            })
        });
        let reports = outcome.problem().filter(|_| outcome.is_reportable());
        json!({
            "status": outcome.status().as_str(),
            "mode": outcome.policy().map(|held| held.mode().as_str()),
            "from": from,
            "asks_https": self.asked_https,
            "keeps": keeps,
            "reports": reports.map(|problem| problem.result_type().as_str()),
            "alert": outcome.alert(now).is_some(),
            "problem": outcome.problem().map(Problem::code),
        })
    }
}
