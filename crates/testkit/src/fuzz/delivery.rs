//! A delivery, its verdicts and its conclusion (RFC 8461 §4, §5).

use arbitrary::{Arbitrary, Result, Unstructured};
use mta_sts::delivery::{
    Attempt, Candidate, Conclusion, Dane, DaneFault, Delivery, Demand, Failure, Mx, Require,
    Requirements, Session, SessionCount, Verdict,
};
use mta_sts::{
    CertificateFault, DaneVerified, DnsName, Held, Lookup, MxVerified, Outcome, TlsFailure,
    UnixTime,
};

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
    TlsFailed(TlsFailure),
    Unverified,
    Verified,
    VerifiedForAnother,
    ConnectionFailed,
    /// The attempt is dropped without a verdict.
    GivenUp,
    /// The attempt is judged on another delivery.
    Mistaken,
}

/// What the driver says of DANE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Arbitrary)]
enum Said {
    NotKnown,
    Absent,
    Passed,
    PassedForAnother,
    Failed(DaneFault),
}

impl Said {
    fn dane(self, host: Option<&str>) -> Dane {
        let verified = |name| DaneVerified::assertion(&DnsName::parse(name).expect("a name"));
        match self {
            Self::NotKnown => Dane::NotKnown,
            Self::Absent => Dane::Absent,
            Self::Passed => Dane::Passed(verified(host.unwrap_or("other.example"))),
            Self::PassedForAnother => Dane::Passed(verified("other.example")),
            Self::Failed(fault) => Dane::Failed(fault),
        }
    }

    fn model(self, host: Option<&str>) -> model::Dane {
        match self {
            Self::NotKnown => model::Dane::NotKnown,
            Self::Absent => model::Dane::Absent,
            Self::Passed if host.is_some() => model::Dane::Passed,
            Self::Passed | Self::PassedForAnother | Self::Failed(_) => model::Dane::Failed,
        }
    }
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
    let (mut objected, mut could, mut is_any_dropped) =
        (Objections::default(), Objections::default(), false);
    let mut other = Delivery::new(&outcome, requirements(&rules));
    while !u.is_empty() {
        if u.ratio(1, 32)? {
            let Candidate::Skip(result) = delivery.candidate(&Mx::Null) else {
                panic!("the null MX takes no mail")
            };
            assert_eq!(result.failure().and_then(Failure::enhanced_status), None);
            assert_eq!(result.count(), SessionCount::NotCounted);
            continue;
        }
        let mx = Mx::parse(u.choose(&NAMES)?);
        let (before, after, event): (Said, Said, Event) = u.arbitrary()?;
        let deliveries = (&mut delivery, &mut other);
        let tried = candidate(&rules, deliveries, &mx, (before, after), event);
        objected = objected.and(tried.objections);
        could = could.and(tried.could_object);
        is_any_dropped |= tried.is_dropped;
    }
    // An attempt without a verdict counts as refused by all that could have refused an attempt.
    if is_any_dropped {
        objected = objected.and(could);
    }
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

/// What the model says of one candidate, for the conclusion.
#[derive(Debug, Default)]
struct Tried {
    objections: Objections,
    could_object: Objections,
    is_dropped: bool,
}

fn candidate(
    rules: &Rules,
    (delivery, other): (&mut Delivery, &mut Delivery),
    mx: &Mx,
    (before, after): (Said, Said),
    event: Event,
) -> Tried {
    let host = match mx {
        Mx::Host(host) => Some(host.as_str()),
        _ => None,
    };
    // DANE of which nothing is known yet may still vouch for the host.
    let hope = if before == Said::NotKnown { model::Dane::Passed } else { before.model(host) };
    let beforehand = rules.objections(host, hope, true, true);
    let context = || format!("{mx:?} {before:?} {after:?} {event:?} under {rules:?}");
    let attempt = match delivery.candidate_with_dane(mx, before.dane(host)) {
        Candidate::Skip(result) => {
            assert!(beforehand.any(), "{}", context());
            assert_eq!(result.failure().and_then(Failure::enhanced_status), Some("4.7.5"));
            return Tried { objections: beforehand, ..Tried::default() };
        }
        Candidate::Connect(attempt) => attempt,
    };
    assert!(!beforehand.any(), "{}", context());
    assert_eq!(attempt.host().map(DnsName::as_str), host);
    let could_object = rules.could_object(before.model(host));
    let attempt = attempt.with_dane(after.dane(host));
    let Some(session) = event.session(&attempt) else {
        if event == Event::Mistaken {
            let verdict = other.judge(attempt, Session::NotReached);
            assert!(verdict.is_refused(), "{}", context());
            assert_eq!(verdict.result().count(), SessionCount::NotCounted);
        }
        return Tried { could_object, is_dropped: true, ..Tried::default() };
    };
    let verdict = delivery.judge(attempt, session);
    if event == Event::ConnectionFailed {
        assert!(verdict.is_refused());
        assert_eq!(verdict.result().count(), SessionCount::NotCounted);
        // The name stands, whatever the network does.
        let objections = rules.objections(host, after.model(host), true, true);
        return Tried { objections, could_object, is_dropped: false };
    }
    let verified = event == Event::Verified && host.is_some();
    let objections = rules.objections(host, after.model(host), event.has_tls(), verified);
    assert_eq!(verdict.is_refused(), objections.any(), "{}", context());
    // What is refused is transient and says so; what is delivered is at most reported.
    let status = verdict.failure().and_then(Failure::enhanced_status);
    assert_eq!(status.is_some(), verdict.is_refused());
    // A session in clear text is never a success.
    let is_success = verdict.result().count() == SessionCount::Succeeded;
    assert!(!is_success || event.has_tls(), "{}", context());
    assert!(!(is_success && verdict.is_refused()), "{}", context());
    check_verdict(&verdict);
    Tried { objections, could_object, is_dropped: false }
}

fn check_verdict(verdict: &Verdict) {
    if let Some(failure) = verdict.failure() {
        assert_eq!(failure.host(), verdict.result().host());
        assert!(!failure.reason_code().is_empty() && !failure.to_string().is_empty());
    }
}

impl Event {
    const fn has_tls(self) -> bool {
        use Event::{CertificateFailed, Unverified, Verified, VerifiedForAnother};
        matches!(self, CertificateFailed(_) | Unverified | Verified | VerifiedForAnother)
    }

    fn session(self, attempt: &Attempt) -> Option<Session> {
        let other = || DnsName::parse("other.example").expect("a name");
        Some(match self {
            Self::NoStarttls => Session::NoStarttls,
            Self::StarttlsRefused(code) => Session::StarttlsRefused(code),
            Self::CertificateFailed(fault) => Session::CertificateInvalid(fault),
            Self::TlsFailed(failure) => Session::TlsFailed(failure),
            Self::Unverified => Session::Unverified,
            Self::Verified => {
                let name = attempt.host().cloned().unwrap_or_else(other);
                Session::Verified(MxVerified::assertion(&name))
            }
            Self::VerifiedForAnother => Session::Verified(MxVerified::assertion(&other())),
            Self::ConnectionFailed => Session::NotReached,
            Self::GivenUp | Self::Mistaken => return None,
        })
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
        require: if u.ratio(1, 4)? { Some(required(u.arbitrary::<Require>()?)) } else { None },
    })
}

const fn required(require: Require) -> model::Require {
    match require {
        Require::Sts => model::Require::Sts,
        Require::Dane => model::Require::Dane,
        Require::Any => model::Require::Any,
    }
}

fn requirements(rules: &Rules) -> Requirements {
    let require = rules.require.map(|require| match require {
        model::Require::Sts => Require::Sts,
        model::Require::Dane => Require::Dane,
        model::Require::Any => Require::Any,
    });
    let demand = rules.demanded.as_ref().map(|patterns| {
        Demand::forced(patterns.iter().map(String::as_str)).expect("valid patterns")
    });
    Requirements::default()
        .with_require_tls(rules.require_tls)
        .with_tls_required_no(rules.tls_required_no)
        .with_dane_sufficient(rules.dane_suffices)
        .with_demand(demand.unwrap_or_default())
        .with_require(require)
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
    run(Lookup::new(domain(), Held::Nothing), &answer, &HttpsAnswer::policy(&text), true, NOW)
        .outcome
}
