//! A delivery, its verdicts and its conclusion (RFC 8461 §4, §5).

use arbitrary::{Arbitrary, Result, Unstructured};
use mta_sts::delivery::{
    Attempt, Candidate, Conclusion, Dane, Delivery, Demand, Failure, Mx, Requirements, Verdict,
};
use mta_sts::{CertificateFault, DnsName, Lookup, MxVerified, Outcome, UnixTime};

use crate::model::Mode;
use crate::model::delivery::{self as model, Objections, Rules};
use crate::pair::domain;
use crate::script::{HttpsAnswer, TxtAnswer, run};

const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);
const NAMES: [&str; 6] = [
    "a.example.com",
    "b.example.com",
    "x.b.example.com",
    "c.example.net",
    "192.0.2.1",
    "B.Example.COM.",
];
const PATTERNS: [&[&str]; 5] = [
    &["a.example.com"],
    &["a.example.com", "b.example.com"],
    &["*.example.com"],
    &["*.b.example.com", "192.0.2.1"],
    &["c.example.net"],
];

/// What comes of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Arbitrary)]
enum Event {
    NoStarttls,
    StarttlsRefused(u16),
    CertificateFailed(CertificateFault),
    TlsFailed,
    Unverified,
    Verified,
    VerifiedForAnother,
    ConnectionFailed,
    GivenUp,
}

/// The rules of a delivery and what each of its candidates meets: every verdict and the conclusion
/// are those of the reference model.
///
/// # Panics
/// Where they are not.
pub fn delivery(data: &[u8]) {
    // Bytes that run out make a short delivery; there is no wrong input.
    let _ = course(&mut Unstructured::new(data));
}

fn course(u: &mut Unstructured<'_>) -> Result<()> {
    let rules = rules(u)?;
    let outcome = outcome(&rules, u.arbitrary()?);
    let mut delivery =
        Delivery::new(&outcome, requirements(&rules)).with_secure_mx(rules.secure_mx);
    let mut objected = Objections::default();
    while !u.is_empty() {
        if u.ratio(1, 32)? {
            let Candidate::Skip(failure) = delivery.candidate(&Mx::Null) else {
                panic!("the null MX takes no mail")
            };
            assert_eq!(failure.enhanced_status(), None);
            continue;
        }
        let mx = Mx::parse(u.choose(&NAMES)?);
        let (before, after, event): (Dane, Dane, Event) = u.arbitrary()?;
        let objections = candidate(&rules, &mut delivery, &mx, (before, after), event);
        objected.policy |= objections.policy;
        objected.sender |= objections.sender;
    }
    assert!(outcome.bounce_token().is_none(), "only the gate's own lookup gives it");
    match (delivery.conclude(), objected) {
        (Conclusion::Retry(retry), Objections { policy: true, .. }) => {
            assert_eq!(retry.domain(), &domain());
        }
        (Conclusion::LocalDemand, Objections { policy: false, sender: true })
        | (Conclusion::Open, Objections { policy: false, sender: false }) => {}
        (conclusion, objected) => panic!("{conclusion:?} after {objected:?} under {rules:?}"),
    }
    Ok(())
}

/// One candidate; what the model says that the conclusion must know of it.
fn candidate(
    rules: &Rules,
    delivery: &mut Delivery,
    mx: &Mx,
    (before, after): (Dane, Dane),
    event: Event,
) -> Objections {
    let host = match mx {
        Mx::Host(host) => Some(host.as_str()),
        _ => None,
    };
    // DANE of which nothing is known yet may still vouch for the host.
    let hope = if before == Dane::NotKnown { Dane::Passed } else { before };
    let beforehand = rules.objections(host, dane(hope), true, true);
    let context = || format!("{mx:?} {before:?} {after:?} {event:?} under {rules:?}");
    let attempt = match delivery.candidate_with_dane(mx, before) {
        Candidate::Skip(failure) => {
            assert!(beforehand.any(), "{}", context());
            assert_eq!(failure.enhanced_status(), Some("4.7.5"));
            return beforehand;
        }
        Candidate::Connect(attempt) => attempt,
    };
    assert!(!beforehand.any(), "{}", context());
    assert_eq!(attempt.host().map(DnsName::as_str), host);
    let Some(verdict) = event.happens(attempt.with_dane(after), delivery) else {
        return Objections::default();
    };
    if event == Event::ConnectionFailed {
        assert!(verdict.is_refused());
        return Objections::default();
    }
    let verified = event == Event::Verified && host.is_some();
    let objections = rules.objections(host, dane(after), event.has_tls(), verified);
    assert_eq!(verdict.is_refused(), objections.any(), "{}", context());
    // What is refused is transient and says so; what is delivered is at most reported.
    let status = verdict.failure().and_then(Failure::enhanced_status);
    assert_eq!(status.is_some(), verdict.is_refused());
    objections
}

impl Event {
    const fn has_tls(self) -> bool {
        use Event::{CertificateFailed, Unverified, Verified, VerifiedForAnother};
        matches!(self, CertificateFailed(_) | Unverified | Verified | VerifiedForAnother)
    }

    fn happens(self, attempt: Attempt, delivery: &mut Delivery) -> Option<Verdict> {
        let other = || DnsName::parse("other.example").expect("a name");
        Some(match self {
            Self::NoStarttls => attempt.no_starttls(delivery),
            Self::StarttlsRefused(code) => attempt.starttls_refused(code, delivery),
            Self::CertificateFailed(fault) => attempt.certificate_failed(fault, delivery),
            Self::TlsFailed => attempt.tls_failed(delivery),
            Self::Unverified => attempt.tls_unverified(delivery),
            Self::Verified => {
                let name = attempt.host().cloned().unwrap_or_else(other);
                attempt.tls_verified(MxVerified::assertion(&name), delivery)
            }
            Self::VerifiedForAnother => {
                attempt.tls_verified(MxVerified::assertion(&other()), delivery)
            }
            Self::ConnectionFailed => attempt.connection_failed(delivery),
            Self::GivenUp => return None,
        })
    }
}

const fn dane(dane: Dane) -> model::Dane {
    match dane {
        Dane::NotKnown => model::Dane::NotKnown,
        Dane::Absent => model::Dane::Absent,
        Dane::Passed => model::Dane::Passed,
        Dane::Failed => model::Dane::Failed,
    }
}

fn rules(u: &mut Unstructured<'_>) -> Result<Rules> {
    let owned = |patterns: &[&str]| patterns.iter().map(|p| (*p).to_owned()).collect();
    let mode = *u.choose(&[Mode::Enforce, Mode::Enforce, Mode::Testing, Mode::None])?;
    let patterns = owned(u.choose(&PATTERNS)?);
    let demanded = if u.ratio(1, 4)? { Some(owned(u.choose(&PATTERNS)?)) } else { None };
    Ok(Rules {
        mode,
        patterns,
        demanded,
        require_tls: u.ratio(1, 4)?,
        tls_required_no: u.ratio(1, 4)?,
        dane_suffices: u.ratio(1, 2)?,
        secure_mx: u.ratio(1, 4)?,
    })
}

fn requirements(rules: &Rules) -> Requirements {
    let demand = rules.demanded.as_ref().map(|patterns| {
        Demand::forced(patterns.iter().map(String::as_str)).expect("valid patterns")
    });
    Requirements::default()
        .with_require_tls(rules.require_tls)
        .with_tls_required_no(rules.tls_required_no)
        .with_dane_sufficient(rules.dane_suffices)
        .with_demand(demand.unwrap_or_default())
}

/// What a lookup finds that fetches the policy; one of mode none may as well be none at all.
fn outcome(rules: &Rules, is_published: bool) -> Outcome {
    let mode = match rules.mode {
        Mode::Enforce => "enforce",
        Mode::Testing => "testing",
        Mode::None => "none",
    };
    let mx = rules.patterns.join("\nmx: ");
    let text = format!("version: STSv1\nmode: {mode}\nmx: {mx}\nmax_age: 86400\n");
    let answer = if rules.mode == Mode::None && !is_published {
        TxtAnswer::Absent(60)
    } else {
        TxtAnswer::id("1", 60)
    };
    run(Lookup::new(domain()), &answer, &HttpsAnswer::policy(&text), true, NOW).outcome
}
