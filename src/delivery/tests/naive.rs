//! All rules of a delivery together, against a model as naive as can be.

use proptest::prelude::*;

use super::*;

/// All that one candidate may meet.
#[derive(Debug, Clone, Copy)]
struct Meets {
    name: &'static str,
    dane_before: Dane,
    dane_after: Dane,
    event: Event,
}

/// Who objects, as naive as can be: each rule a sentence, each flag a demand of its own.
#[allow(clippy::struct_excessive_bools)]
struct Naive {
    mode: Mode,
    policy: &'static [&'static str],
    demanded: Option<&'static [&'static str]>,
    require_tls: bool,
    lifted: bool,
    dane_suffices: bool,
    secure_mx: bool,
}

impl Naive {
    /// Who objects: the policy, and the sender.
    fn objections(&self, name: &str, dane: Dane, tls: bool, verified: bool) -> (bool, bool) {
        let has = |patterns: &[&str]| patterns.contains(&name);
        let dane_ok = dane == Dane::Passed && tls;
        let dane_fails = dane == Dane::Failed || (dane == Dane::Passed && !tls);
        let excused = self.dane_suffices && dane_ok;
        let enforced = self.mode == Mode::Enforce && (!self.lifted || self.require_tls);
        let policy = enforced && !(has(self.policy) && verified) && !excused;
        let demand = self.demanded.is_some_and(|d| !(has(d) && (verified || excused)));
        let published = self.mode != Mode::None && has(self.policy);
        let named = published || self.demanded.is_some_and(has) || self.secure_mx;
        let require_tls = self.require_tls && !(named && verified) && !dane_ok;
        (policy, demand || require_tls || dane_fails)
    }
}

const NAMES: [&str; 4] = ["a.example.com", "b.example.com", "c.example.net", "192.0.2.1"];
const PATTERNS: [&[&str]; 3] =
    [&["a.example.com"], &["a.example.com", "b.example.com"], &["c.example.net"]];

fn any_dane() -> impl Strategy<Value = Dane> {
    prop::sample::select(&[Dane::NotKnown, Dane::Absent, Dane::Passed, Dane::Failed][..])
}

fn any_meets() -> impl Strategy<Value = Meets> {
    let name = prop::sample::select(&NAMES[..]);
    let event = prop::sample::select(&EVENTS[..]);
    (name, any_dane(), any_dane(), event).prop_map(|(name, dane_before, dane_after, event)| Meets {
        name,
        dane_before,
        dane_after,
        event,
    })
}

fn any_naive() -> impl Strategy<Value = Naive> {
    let mode = prop::sample::select(&[Mode::Enforce, Mode::Enforce, Mode::Testing, Mode::None][..]);
    let policy = prop::sample::select(&PATTERNS[..]);
    let demanded = prop::option::weighted(0.3, prop::sample::select(&PATTERNS[..]));
    let rare = || prop::bool::weighted(0.3);
    let rest = (rare(), rare(), any::<bool>(), rare());
    (mode, policy, demanded, rest).prop_map(
        |(mode, policy, demanded, (require_tls, lifted, dane_suffices, secure_mx))| Naive {
            mode,
            policy,
            demanded,
            require_tls,
            lifted,
            dane_suffices,
            secure_mx,
        },
    )
}

impl core::fmt::Debug for Naive {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let flags = [self.require_tls, self.lifted, self.dane_suffices, self.secure_mx];
        write!(f, "{} {:?} {:?} {flags:?}", self.mode, self.policy, self.demanded)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 3_000, ..Default::default() })]

    #[test]
    fn every_verdict_is_that_of_the_naive_model(
        naive in any_naive(),
        candidates in prop::collection::vec(any_meets(), 0..5),
    ) {
        let demand = naive.demanded.map(|d| Demand::forced(d.iter().copied()).unwrap());
        let requirements = plain()
            .with_require_tls(naive.require_tls)
            .with_tls_required_no(naive.lifted)
            .with_dane_sufficient(naive.dane_suffices)
            .with_demand(demand.unwrap_or_default());
        let outcome = outcome(Some((naive.mode, naive.policy)));
        let mut delivery = Delivery::new(&outcome, requirements).with_secure_mx(naive.secure_mx);
        let (mut by_policy, mut by_sender) = (false, false);
        for meets in candidates {
            let Meets { name, dane_before, dane_after, event } = meets;
            let mx = Mx::parse(name);
            // What speaks against it whatever should come of it.
            let hope = if dane_before == Dane::NotKnown { Dane::Passed } else { dane_before };
            let (mut policy, mut sender) = naive.objections(name, hope, true, true);
            match delivery.candidate_with_dane(&mx, dane_before) {
                Candidate::Skip(_) => prop_assert!(policy || sender, "{meets:?}"),
                Candidate::Connect(attempt) => {
                    prop_assert!(!policy && !sender, "{meets:?}");
                    let verdict = event.happens(attempt.with_dane(dane_after), &mut delivery);
                    if event == Event::ConnectionFailed {
                        prop_assert!(verdict.is_refused());
                        continue;
                    }
                    let verified = event == Event::Verified && matches!(mx, Mx::Host(_));
                    (policy, sender) = naive.objections(name, dane_after, event.has_tls(), verified);
                    prop_assert_eq!(verdict.is_refused(), policy || sender, "{:?}", meets);
                    // What is refused says so, and is transient.
                    let status = verdict.failure().and_then(Failure::enhanced_status);
                    prop_assert_eq!(status.is_some(), verdict.is_refused());
                }
            }
            by_policy |= policy;
            by_sender |= sender;
        }
        prop_assert!(outcome.bounce_token().is_none());
        let expected = match (by_policy, by_sender) {
            (true, _) => End::Retry,
            (false, true) => End::LocalDemand,
            (false, false) => End::Open,
        };
        prop_assert_eq!(end(delivery), expected);
    }
}
