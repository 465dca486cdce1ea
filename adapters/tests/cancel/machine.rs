//! The machine itself, dropped in each of its states: it leaves no trace.

use mta_sts_adapters::lookup::Head;
use mta_sts_adapters::{
    Entry, Held, Lookup, Outcome, PolicyDomain, PolicyHostVerified, Recheck, Status, Step, UnixTime,
};

const POLICY: &[u8] = b"version: STSv1\nmode: enforce\nmx: mx.example.com\nmax_age: 604800\n";
const START: u64 = 1_800_000_000;

fn domain() -> PolicyDomain {
    PolicyDomain::parse("example.com").expect("a domain")
}

/// A lookup whose every step goes well, ended after so many of them.
fn drive(known: &Held, id: &str, now: UnixTime, steps: usize) -> Step {
    let lookup = Lookup::new(domain(), known.clone()).recheck(Recheck::Always);
    let mut step = Step::from(lookup.start(now));
    for _ in 0..steps {
        step = match step {
            Step::QueryTxt(state) => {
                let record = format!("v=STSv1; id={id};");
                state.answered([[record.as_bytes()]], 300, now).into()
            }
            Step::FetchPolicy(state) => {
                let verified = PolicyHostVerified::assertion(state.host());
                let content_type = Some(&b"text/plain"[..]);
                let head = Head { status: 200, content_type, content_encoding: None };
                state.responded(verified, head, now).into()
            }
            Step::ReadBody(mut state) => {
                assert!(state.chunk(POLICY).is_continue());
                state.ended(now).into()
            }
            Step::Store(state) => {
                let merged = state.entry().clone();
                state.stored(merged).into()
            }
            Step::Done(outcome) => return Step::Done(outcome),
        };
    }
    step
}

fn whole(known: &Held, id: &str, now: UnixTime) -> Outcome {
    match drive(known, id, now, 10) {
        Step::Done(outcome) => outcome,
        other => panic!("five steps at most: {other:?}"),
    }
}

#[test]
fn ok_a_state_that_is_dropped_leaves_no_trace() {
    let now = UnixTime::from_secs(START);
    let later = UnixTime::from_secs(START + 1_000);
    let entry: Entry = whole(&Held::Nothing, "1", now).entry().clone();
    for held in [Held::Nothing, Held::Entry(entry)] {
        let undisturbed = whole(&held, "2", later);
        assert_eq!(undisturbed.status(), Status::Found);
        // TXT, head, body; then only the store is left.
        for steps in 0..4 {
            let dropped = drive(&held, "2", later, steps);
            assert!(!matches!(dropped, Step::Done(_)), "it ended after {steps} steps");
            drop(dropped);
            let after = whole(&held, "2", later);
            assert_eq!(after.entry().to_bytes(), undisturbed.entry().to_bytes(), "{steps} steps");
            assert_eq!(after.policy(), undisturbed.policy());
        }
    }
}

#[test]
fn ok_a_body_that_is_dropped_half_read_leaves_no_trace() {
    let now = UnixTime::from_secs(START);
    for length in 0..=POLICY.len() {
        let Step::ReadBody(mut body) = drive(&Held::Nothing, "1", now, 2) else {
            panic!("it is not at the body");
        };
        assert!(body.chunk(&POLICY[..length]).is_continue());
        drop(body);
        assert_eq!(whole(&Held::Nothing, "1", now).status(), Status::Found);
    }
}
