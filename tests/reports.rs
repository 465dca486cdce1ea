//! What of a lookup is reported (RFC 8461 §6), and what is told to administrators (§3.3).

use mta_sts::lookup::{AfterHead, AfterTxt, Head, Start};
use mta_sts::{
    DnsFailure, DnsFailureKind, Entry, ExtendedDnsError, FetchFailure, Held, Limits, Lookup,
    Outcome, PolicyDomain, PolicyHostVerified, Problem, Profile, Recheck, Status, Step, UnixTime,
};
use mta_sts_testkit::script::{HttpsAnswer, TxtAnswer, policy_text, run};

const MONDAY: UnixTime = UnixTime::from_secs(1_800_000_000);
const TUESDAY: UnixTime = UnixTime::from_secs(1_800_086_400);

fn domain() -> PolicyDomain {
    PolicyDomain::parse("example.com").unwrap()
}

fn holding(mode: &str) -> Entry {
    let https = HttpsAnswer::policy(&policy_text(mode, 604_800));
    let found =
        run(Lookup::new(domain(), Held::Nothing), &TxtAnswer::id("1", 300), &https, true, MONDAY);
    found.outcome.into_entry()
}

fn on_tuesday(held: Held, txt: &TxtAnswer, https: &HttpsAnswer) -> Outcome {
    run(Lookup::new(domain(), held), txt, https, true, TUESDAY).outcome
}

fn failing() -> HttpsAnswer {
    HttpsAnswer::Failed(FetchFailure::ConnectionRefused)
}

#[test]
fn s6_what_is_reported_of_a_lookup() {
    let silent = TxtAnswer::silence();
    // A fetch fails although a record announces a policy.
    assert!(on_tuesday(Held::Nothing, &TxtAnswer::id("2", 300), &failing()).is_reportable());
    let invalid = HttpsAnswer::policy("not a policy");
    assert!(on_tuesday(Held::Nothing, &TxtAnswer::id("2", 300), &invalid).is_reportable());
    // Also between two attempts, for there is still no policy.
    let failed = on_tuesday(Held::Nothing, &TxtAnswer::id("2", 300), &failing()).into_entry();
    let again = on_tuesday(Held::Entry(failed), &TxtAnswer::id("2", 300), &failing());
    assert!(matches!(again.problem(), Some(Problem::BackingOff { .. })) && again.is_reportable());
    // A fetch that succeeded is no failure, whatever DNS said.
    let serves = HttpsAnswer::policy(&policy_text("enforce", 604_800));
    for txt in [TxtAnswer::Absent(300), TxtAnswer::several(300), silent.clone()] {
        let lookup = Lookup::new(domain(), Held::Entry(holding("enforce")));
        let refresh = lookup.recheck(Recheck::Refresh);
        let outcome = run(refresh, &txt, &serves, true, TUESDAY).outcome;
        assert_eq!(outcome.status(), Status::Found);
        assert!(outcome.problem().is_some() && !outcome.is_reportable(), "{txt:?}");
        assert!(outcome.alert(TUESDAY).is_none(), "{txt:?}");
    }
    // Anything fails while a policy is held, unless its mode is none.
    for mode in ["enforce", "testing", "none"] {
        let reportable = mode != "none";
        for (txt, https) in [
            (TxtAnswer::id("2", 300), failing()),
            (TxtAnswer::Absent(300), failing()),
            (TxtAnswer::several(300), failing()),
            (silent.clone(), failing()),
        ] {
            let outcome = on_tuesday(Held::Entry(holding(mode)), &txt, &https);
            assert_eq!(outcome.status(), Status::Held);
            assert_eq!(outcome.is_reportable(), reportable, "{mode} {txt:?}");
            // The same are the problems that an administrator is told of.
            assert_eq!(outcome.alert(TUESDAY).is_some(), reportable, "{mode} {txt:?}");
        }
    }
    // Without a record and without a policy there is nothing to report.
    for txt in [TxtAnswer::Absent(300), TxtAnswer::several(300), silent] {
        assert!(!on_tuesday(Held::Nothing, &txt, &failing()).is_reportable(), "{txt:?}");
    }
    // Nor where all is well, nor of one's own store.
    let confirmed =
        on_tuesday(Held::Entry(holding("enforce")), &TxtAnswer::id("1", 300), &failing());
    assert!(!confirmed.is_reportable() && confirmed.alert(TUESDAY).is_none());
    let unreadable =
        on_tuesday(Held::Unreadable { notes: None }, &TxtAnswer::Absent(300), &failing());
    assert_eq!(unreadable.problem(), Some(&Problem::StoreUnreadable));
    assert!(!unreadable.is_reportable());
}

#[test]
fn ok_who_cannot_wait_gets_what_is_held_and_nothing_is_learnt_by_it() {
    let interim = |held: Held, now| Lookup::new(domain(), held).interim(now);
    for mode in ["enforce", "testing", "none"] {
        let entry = holding(mode);
        // Within the time of the record nothing is due.
        let outcome = interim(Held::Entry(entry.clone()), MONDAY);
        assert_eq!((outcome.status(), outcome.problem()), (Status::Confirmed, None));
        let outcome = interim(Held::Entry(entry.clone()), TUESDAY);
        assert_eq!(outcome.status(), Status::Held);
        assert_eq!(outcome.problem(), Some(&Problem::NotAwaited));
        assert_eq!(outcome.policy(), entry.policy(TUESDAY));
        assert_eq!(outcome.entry().to_bytes(), {
            let mut used = entry.clone();
            used.touch(TUESDAY);
            used.to_bytes()
        });
        assert!(!outcome.is_reportable() && outcome.alert(TUESDAY).is_none());
        assert!(outcome.is_persisted());
        // Not a moment longer than it is held.
        let over = interim(Held::Entry(entry), MONDAY.plus_secs(604_800));
        assert_eq!((over.status(), over.policy()), (Status::Unknown, None));
    }
    let nothing = interim(Held::Nothing, MONDAY);
    assert_eq!((nothing.status(), nothing.policy()), (Status::Unknown, None));
    let unreadable = interim(Held::Unreadable { notes: None }, MONDAY);
    assert_eq!(unreadable.status(), Status::Unknown);
    assert_eq!(unreadable.problem(), Some(&Problem::StoreUnreadable));
}

#[test]
fn ok_each_step_gives_what_is_held_meanwhile_and_no_longer_than_it_is() {
    let end = MONDAY.plus_secs(604_800);
    let check = |step: &Step, applies: bool| {
        assert_eq!(step.interim(TUESDAY).is_some(), applies, "{step:?}");
        assert_eq!(step.interim(end), None, "{step:?}");
    };
    for held in [Held::Entry(holding("enforce")), Held::Nothing] {
        let applies = matches!(held, Held::Entry(_));
        let mut step = Step::from(Lookup::new(domain(), held).start(TUESDAY));
        for _ in 0..3 {
            check(&step, applies);
            step = match step {
                Step::QueryTxt(query) => {
                    assert_eq!(query.interim(TUESDAY).is_some(), applies);
                    assert_eq!(query.timeout().as_secs(), 20);
                    query.answered([["v=STSv1; id=2;"]], 300, TUESDAY).into()
                }
                Step::FetchPolicy(fetch) => {
                    assert_eq!(fetch.interim(TUESDAY).is_some(), applies);
                    let verified = PolicyHostVerified::assertion(fetch.host());
                    let content_type = Some(&b"text/plain"[..]);
                    let head = Head { status: 200, content_type, content_encoding: None };
                    fetch.responded(verified, head, TUESDAY).into()
                }
                Step::ReadBody(body) => {
                    assert_eq!(body.interim(TUESDAY).is_some(), applies);
                    assert_eq!(body.timeout().as_secs(), 60);
                    body.failed(FetchFailure::Truncated, TUESDAY).into()
                }
                other => panic!("{other:?}"),
            };
        }
        check(&step, applies);
        let Step::Store(store) = step else { panic!("{step:?}") };
        assert_eq!(store.interim(TUESDAY).is_some(), applies);
        let merged = store.entry().clone();
        let outcome = store.stored(merged);
        let left = outcome.expires_in(TUESDAY).map(|left| left.as_secs());
        assert_eq!(left, applies.then_some(604_800 - 86_400));
    }
}

/// Resolvers were seen to send "bogus" for names that are merely insecure: an extended DNS error
/// enriches a report, and nothing else depends on it.
#[test]
fn extended_dns_error_changes_no_decision() {
    for held in [Held::Nothing, Held::Entry(holding("enforce"))] {
        for recheck in [Recheck::WhenDue, Recheck::Always, Recheck::Refresh] {
            let look = |failure: DnsFailure| {
                let lookup = Lookup::new(domain(), held.clone()).recheck(recheck);
                run(lookup, &TxtAnswer::Failed(failure), &failing(), true, TUESDAY)
            };
            for kind in [DnsFailureKind::ServerFailure, DnsFailureKind::Bogus] {
                let plain = look(DnsFailure::new(kind));
                for code in (0..=31).chain([u16::MAX]) {
                    let failure = DnsFailure::new(kind).extended(ExtendedDnsError(code));
                    let extended = look(failure);
                    assert_eq!(extended.outcome.status(), plain.outcome.status());
                    assert_eq!(extended.outcome.policy(), plain.outcome.policy());
                    assert_eq!(extended.outcome.entry(), plain.outcome.entry());
                    assert_eq!(extended.asked_https, plain.asked_https);
                }
                let other = look(DnsFailure::new(DnsFailureKind::Timeout));
                assert_eq!(other.outcome.entry(), plain.outcome.entry(), "nor on the kind");
            }
        }
    }
}

#[test]
fn ok_a_status_is_named_in_lower_case() {
    let of = |held, txt: &TxtAnswer, https: &HttpsAnswer| on_tuesday(held, txt, https).status();
    let (id, policy) = (TxtAnswer::id("1", 300), HttpsAnswer::policy(&policy_text("none", 600)));
    let held = || Held::Entry(holding("testing"));
    for (status, name) in [
        (of(Held::Nothing, &id, &policy), "found"),
        (of(held(), &id, &failing()), "confirmed"),
        (of(held(), &TxtAnswer::silence(), &failing()), "held"),
        (of(Held::Nothing, &TxtAnswer::Absent(300), &failing()), "absent"),
        (of(Held::Nothing, &TxtAnswer::silence(), &failing()), "unknown"),
    ] {
        assert_eq!((status.as_str(), status.to_string().as_str()), (name, name));
    }
}

#[test]
fn ok_an_alert_tells_the_time_left() {
    let outcome = on_tuesday(Held::Entry(holding("enforce")), &TxtAnswer::silence(), &failing());
    let (problem, left) = outcome.alert(TUESDAY).unwrap();
    assert_eq!(problem.code(), "no-answer");
    assert_eq!(left.as_secs(), 604_800 - 86_400);
    assert_eq!(outcome.alert(MONDAY.plus_secs(604_800)), None, "an expired policy protects nobody");
}

#[test]
fn ok_problems_carry_their_evidence() {
    let several = on_tuesday(Held::Nothing, &TxtAnswer::several(300), &failing());
    let Some(Problem::SeveralRecords { count: 2, text }) = several.problem() else {
        panic!("{several:?}")
    };
    assert_eq!(&**text, "v=STSv1; id=1;\nv=STSv1; id=2;");
    let malformed = on_tuesday(Held::Nothing, &TxtAnswer::record("v=STSv1; id=-", 300), &failing());
    let Some(Problem::RecordMalformed { error: Some(error), text }) = malformed.problem() else {
        panic!("{malformed:?}")
    };
    assert_eq!((error.code(), &**text), ("bad_id", "v=STSv1; id=-"));
    let long = format!("version: STSv1\nmode: no\nnote: {}\n", "x".repeat(10_000));
    let invalid = on_tuesday(Held::Nothing, &TxtAnswer::id("2", 300), &HttpsAnswer::policy(&long));
    let Some(Problem::PolicyInvalid { error, text }) = invalid.problem() else {
        panic!("{invalid:?}")
    };
    assert_eq!((error.code(), text.len()), ("bad_mode", 4_096));
    assert!(long.starts_with(&**text));
    // From memory a problem comes without its evidence.
    let again = Lookup::new(domain(), Held::Entry(malformed.into_entry()));
    let again = run(again, &TxtAnswer::silence(), &failing(), true, TUESDAY).outcome;
    assert_eq!(again.problem(), Some(&Problem::RecordMalformed { error: None, text: "".into() }));
}

#[test]
fn ok_a_policy_that_gets_weaker_is_told() {
    let change = |mode: &str, max_age| {
        let https = HttpsAnswer::policy(&policy_text(mode, max_age));
        on_tuesday(Held::Entry(holding("enforce")), &TxtAnswer::id("2", 300), &https).change()
    };
    assert_eq!(change("enforce", 604_800), None);
    assert!(change("testing", 604_800).unwrap().is_weaker());
    assert!(change("enforce", 60).unwrap().is_weaker());
    assert!(change("enforce", 0).unwrap().is_weaker());
    assert!(!change("enforce", 700_000).unwrap().is_weaker());
    let more = policy_text("enforce", 604_800) + "mx: *.example.net\n";
    let https = HttpsAnswer::policy(&more);
    let held = Held::Entry(holding("enforce"));
    let change = on_tuesday(held, &TxtAnswer::id("2", 300), &https).change().unwrap();
    assert!(change.mx_added && !change.mx_removed && change.is_weaker());
}

#[test]
fn err_the_head_is_judged_before_the_body() {
    let respond = |status, content_type: Option<&str>, limits| {
        let https = HttpsAnswer::Response {
            status,
            content_type: content_type.map(str::to_owned),
            body: vec![policy_text("enforce", 600).into_bytes()],
        };
        let lookup = Lookup::new(domain(), Held::Nothing).limits(limits).recheck(Recheck::Always);
        let run = run(lookup, &TxtAnswer::id("1", 300), &https, true, MONDAY);
        run.outcome.problem().map(|p| p.reason_code().into_owned())
    };
    let tolerant = Limits::default();
    let strict = tolerant.with_profile(Profile::Strict);
    assert_eq!(respond(200, Some("text/plain"), strict), None);
    assert_eq!(respond(200, None, tolerant), None);
    assert_eq!(respond(200, None, strict).as_deref(), Some("http-no-media-type"));
    assert_eq!(respond(200, Some("text/html"), tolerant).as_deref(), Some("http-media-type"));
    assert_eq!(respond(206, Some("text/plain"), tolerant).as_deref(), Some("http-status-206"));
    let small = tolerant.with_policy_octets(10);
    assert_eq!(respond(200, Some("text/plain"), small).as_deref(), Some("policy-too-large"));
}

#[test]
fn ok_what_is_narrower_or_was_none_is_not_weaker() {
    let text =
        |mode: &str, mx: &str| format!("version: STSv1\nmode: {mode}\nmx: {mx}\nmax_age: 604800\n");
    let change = |old: String, new: String| {
        let found = run(
            Lookup::new(domain(), Held::Nothing),
            &TxtAnswer::id("1", 300),
            &HttpsAnswer::policy(&old),
            true,
            MONDAY,
        );
        let held = Held::Entry(found.outcome.into_entry());
        on_tuesday(held, &TxtAnswer::id("2", 300), &HttpsAnswer::policy(&new)).change().unwrap()
    };
    let narrower = change(text("enforce", "*.example.com"), text("enforce", "MX.example.com"));
    assert!(narrower.mx_removed && !narrower.mx_added && !narrower.is_weaker());
    let wider = change(text("enforce", "mx.example.com"), text("enforce", "*.example.com"));
    assert!(wider.mx_added && !wider.mx_removed && wider.is_weaker());
    assert!(!change(text("none", "a.example.com"), text("enforce", "b.example.com")).is_weaker());
}

#[test]
fn ok_a_policy_for_this_delivery_alone_applies_while_the_store_is_asked() {
    let start = Lookup::new(domain(), Held::Nothing).start(MONDAY);
    let Start::QueryTxt(query) = start else { panic!() };
    let AfterTxt::FetchPolicy(fetch) = query.answered([["v=STSv1; id=1;"]], 300, MONDAY) else {
        panic!()
    };
    let verified = PolicyHostVerified::assertion(fetch.host());
    let head = Head { status: 200, content_type: Some(b"text/plain"), content_encoding: None };
    let AfterHead::ReadBody(mut body) = fetch.responded(verified, head, MONDAY) else { panic!() };
    assert!(body.chunk(policy_text("enforce", 0).as_bytes()).is_continue());
    assert!(body.ended(MONDAY).interim(MONDAY).is_some());
}

#[test]
fn ok_a_policy_that_cannot_be_stored_applies_all_the_same() {
    let https = HttpsAnswer::policy(&policy_text("enforce", 604_800));
    let found =
        run(Lookup::new(domain(), Held::Nothing), &TxtAnswer::id("1", 300), &https, false, MONDAY)
            .outcome;
    assert_eq!((found.status(), found.is_persisted()), (Status::Found, false));
    assert!(found.policy().is_some_and(|held| held.policy().mode() == mta_sts::Mode::Enforce));
    let entry = found.into_entry();
    assert!(entry.policy(TUESDAY).is_some(), "what is kept at hand has it as well");
    let held = run(
        Lookup::new(domain(), Held::Entry(entry)),
        &TxtAnswer::silence(),
        &failing(),
        false,
        TUESDAY,
    );
    assert_eq!((held.outcome.status(), held.outcome.is_persisted()), (Status::Held, false));
    assert!(held.outcome.policy().is_some());
}
