//! §3: the record, the fetch, and what is held.

use mta_sts::lookup::{AfterHead, AfterTxt, Head, HeadTolerance, Start, Store};
use mta_sts::{
    CertificateFault, FetchFailure, Held, Limits, Lookup, Mode, NameError, Outcome, PolicyDomain,
    PolicyHostVerified, Profile, Recheck, ResultType, Status, Urgency,
};
use mta_sts_testkit::script::{self, HttpsAnswer, TxtAnswer, policy_text};

use super::{DAY, NOW, WEEK, at, code, domain, fails, holding, id, keep, look, look_for, mode};
use super::{records, serves};

#[test]
fn s3_one_txt_question_tells_whether_there_is_a_policy() {
    let run = look(Held::Nothing, &TxtAnswer::Absent(60), &serves(Mode::Enforce, WEEK), NOW);
    assert_eq!(run.asked_txt, ["_mta-sts.example.com"]);
    assert!(run.asked_https.is_empty());
    assert_eq!((run.outcome.status(), mode(&run)), (Status::Absent, None));
}

#[test]
fn s3_the_id_of_the_held_policy_needs_no_https() {
    let run = look(holding(Mode::Enforce), &id("1"), &fails(), NOW + DAY);
    assert_eq!((run.asked_txt.len(), run.asked_https.len()), (1, 0));
    assert_eq!((run.outcome.status(), mode(&run)), (Status::Confirmed, Some(Mode::Enforce)));
}

#[test]
fn s3_1_ids_have_no_order_any_other_one_is_an_update() {
    for new in ["0", "2", "1a", "A", "11"] {
        let run = look(holding(Mode::Enforce), &id(new), &serves(Mode::Testing, WEEK), NOW + DAY);
        assert_eq!((run.asked_https.len(), mode(&run)), (1, Some(Mode::Testing)), "{new}");
    }
    // Letters differ by case.
    let held = keep(look(Held::Nothing, &id("a"), &serves(Mode::Enforce, WEEK), NOW).outcome);
    let run = look(held, &id("A"), &serves(Mode::Testing, WEEK), NOW + DAY);
    assert_eq!(run.asked_https.len(), 1);
}

#[test]
fn s3_1_records_that_do_not_begin_with_the_version_are_discarded() {
    let txt = records(&[
        &["v=spf1 -all"],
        &["v=STSv1; id=1;"],
        &["v=STSv10; id=2;"],
        &["V=STSv1; id=3;"],
        &[" v=STSv1; id=4;"],
        &["id=5; v=STSv1;"],
        &["v=STSv1 ; id=6;"],
        &[],
    ]);
    let run = look(Held::Nothing, &txt, &serves(Mode::Enforce, WEEK), NOW);
    assert_eq!(run.outcome.policy().map(|held| held.id().to_string()).as_deref(), Some("1"));
}

#[test]
fn s3_1_several_records_are_as_none() {
    let txt = records(&[&["v=STSv1; id=1;"], &["v=STSv1; id=1;"]]);
    let run = look(Held::Nothing, &txt, &serves(Mode::Enforce, WEEK), NOW);
    assert!(run.asked_https.is_empty());
    assert_eq!((run.outcome.status(), code(&run)), (Status::Absent, Some("several-records")));
}

#[test]
fn s3_1_a_malformed_record_is_as_none() {
    let malformed = [
        "v=STSv1;",
        "v=STSv1; id=;",
        "v=STSv1; id=2016-08-31;",
        "v=STSv1; id=123456789012345678901234567890123;",
        "v=STSv1; id=1; a b=c;",
        "v=STSv1;; id=1;",
        "v=STSv1; id=1; ext=a=b;",
        "v=STSv1; id=1; ext=\u{e4};",
        "v=STSv1; ID=1;",
    ];
    for text in malformed {
        let run = look(Held::Nothing, &records(&[&[text]]), &serves(Mode::Enforce, WEEK), NOW);
        assert!(run.asked_https.is_empty(), "{text}");
        assert_eq!((run.outcome.status(), code(&run)), (Status::Absent, Some("record-malformed")));
    }
}

#[test]
fn s3_1_no_missing_or_unusable_record_removes_a_held_policy() {
    let unusable = [
        TxtAnswer::Absent(60),
        TxtAnswer::silence(),
        records(&[]),
        records(&[&["v=spf1 -all"]]),
        records(&[&["v=STSv1;"]]),
        records(&[&["v=STSv1; id=1"], &["v=STSv1; id=2"]]),
    ];
    for txt in unusable {
        let run = look(holding(Mode::Enforce), &txt, &fails(), NOW + DAY);
        assert_eq!((run.outcome.status(), mode(&run)), (Status::Held, Some(Mode::Enforce)));
        assert!(run.outcome.entry().stored_policy().is_some());
    }
}

#[test]
fn s3_1_strings_of_one_record_are_joined_without_spaces() {
    for strings in [&["v=STSv1; id=20", "16"][..], &["v=STS", "v1; ", "", "id=2016;"]] {
        let run = look(Held::Nothing, &records(&[strings]), &serves(Mode::Enforce, WEEK), NOW);
        let found = run.outcome.policy().map(|held| held.id().to_string());
        assert_eq!(found.as_deref(), Some("2016"), "{strings:?}");
    }
    let run = look(Held::Nothing, &records(&[&["v=STSv1;", "id=1"]]), &fails(), NOW);
    assert_eq!(run.asked_https.len(), 1, "no space is needed after the semicolon");
}

#[test]
fn s3_2_the_policy_comes_from_the_well_known_path_of_the_policy_host() {
    let run = look(Held::Nothing, &id("1"), &serves(Mode::Enforce, WEEK), NOW);
    assert_eq!(run.asked_https, ["https://mta-sts.example.com/.well-known/mta-sts.txt"]);
    let fetch = fetching();
    assert_eq!((fetch.host(), fetch.path()), ("mta-sts.example.com", "/.well-known/mta-sts.txt"));
}

fn media_type(content_type: Option<&str>, profile: Profile) -> Status {
    let content_type = content_type.map(str::to_owned);
    let body = vec![policy_text("enforce", WEEK).into_bytes()];
    let https = HttpsAnswer::Response { status: 200, content_type, body };
    let lookup =
        Lookup::new(domain(), Held::Nothing).limits(Limits::default().with_profile(profile));
    script::run(lookup, &id("1"), &https, true, at(NOW)).outcome.status()
}

#[test]
fn s3_2_the_media_type_is_validated_and_its_parameters_are_ignored() {
    for profile in [Profile::Strict, Profile::Tolerant] {
        for good in ["text/plain", "Text/PLAIN; charset=utf-8", "text/plain;charset=x;a=\"b\""] {
            assert_eq!(media_type(Some(good), profile), Status::Found, "{good}");
        }
        for bad in ["text/html", "image/png", "text/plain-not", ""] {
            assert_eq!(media_type(Some(bad), profile), Status::Absent, "{bad}");
        }
    }
    // A field that is missing, or there several times, is refused by the strict profile and taken
    // by the tolerant one, which says so on the outcome.
    for (value, tolerance) in [
        (None, HeadTolerance::NoMediaType),
        (Some("text/plain, text/plain;charset=utf-8"), HeadTolerance::SeveralMediaTypes),
    ] {
        assert_eq!(media_type(value, Profile::Strict), Status::Absent);
        assert_eq!(media_type(value, Profile::Tolerant), Status::Found);
        let https = HttpsAnswer::Response {
            status: 200,
            content_type: value.map(str::to_owned),
            body: vec![policy_text("enforce", WEEK).into_bytes()],
        };
        let outcome = look(Held::Nothing, &id("1"), &https, NOW).outcome;
        assert_eq!(outcome.head_tolerance(), Some(tolerance));
    }
    let outcome = look(Held::Nothing, &id("1"), &serves(Mode::Enforce, WEEK), NOW).outcome;
    assert_eq!(outcome.head_tolerance(), None);
    // Several that differ have a name of their own.
    let differing = "text/html, text/plain";
    assert_eq!(media_type(Some(differing), Profile::Tolerant), Status::Absent);
    let verified = PolicyHostVerified::assertion("mta-sts.example.com");
    let head = Head { content_type: Some(differing.as_bytes()), ..head(200) };
    let AfterHead::Store(refused) = fetching().responded(verified, head, at(NOW)) else {
        panic!("{differing}")
    };
    assert_eq!(failure(refused), FetchFailure::SeveralMediaTypes(differing.into()));
}

#[test]
fn s3_2_a_body_in_a_content_coding_is_not_the_policy() {
    for (coding, taken) in
        [("", true), ("identity", true), ("gzip", false), ("br, identity", false)]
    {
        let verified = PolicyHostVerified::assertion("mta-sts.example.com");
        let head = Head { content_encoding: Some(coding.as_bytes()), ..head(200) };
        match fetching().responded(verified, head, at(NOW)) {
            AfterHead::ReadBody(_) => assert!(taken, "{coding}"),
            AfterHead::Store(refused) => assert_eq!(
                (taken, failure(refused)),
                (false, FetchFailure::ContentCoding(coding.into()))
            ),
        }
    }
}

#[test]
fn s3_2_max_age_counts_from_the_last_fetch_and_a_matching_id_extends_nothing() {
    let mut held = holding(Mode::Enforce);
    for day in 1..7 {
        let run = look(held, &id("1"), &fails(), NOW + day * DAY);
        assert_eq!(run.outcome.status(), Status::Confirmed);
        held = keep(run.outcome);
    }
    let last = look(held.clone(), &id("1"), &fails(), NOW + WEEK - 1);
    assert_eq!(mode(&last), Some(Mode::Enforce));
    let over = look(held, &id("1"), &fails(), NOW + WEEK);
    assert_eq!((over.outcome.status(), mode(&over)), (Status::Absent, None));
}

#[test]
fn s3_2_max_age_is_at_most_a_year() {
    const LONGEST: u64 = 31_557_600;
    let expires = |max_age| {
        let run = look(Held::Nothing, &id("1"), &serves(Mode::Enforce, max_age), NOW);
        let held = run.outcome.policy().unwrap();
        assert_eq!((held.fetched_at(), held.policy().profile()), (at(NOW), Profile::Tolerant));
        held.expires_at(at(NOW))
    };
    assert_eq!(expires(LONGEST - 1), at(NOW + LONGEST - 1));
    for more in [LONGEST, LONGEST + 1, 4_294_967_295, 4_294_967_296, 9_999_999_999] {
        assert_eq!(expires(more), at(NOW + LONGEST), "{more}");
    }
}

#[test]
fn s3_2_a_max_age_of_zero_takes_a_held_policys_place() {
    let run = look(holding(Mode::Enforce), &id("2"), &serves(Mode::Testing, 0), NOW + DAY);
    // It applies to this delivery, and to no other.
    assert_eq!((mode(&run), run.outcome.status()), (Some(Mode::Testing), Status::Found));
    let (written, urgency) = run.written.unwrap();
    assert_eq!((written.stored_policy(), urgency), (None, Urgency::Durable));
    let silent = look(Held::Entry(written), &TxtAnswer::silence(), &fails(), NOW + DAY + 1);
    assert_eq!((mode(&silent), silent.outcome.status()), (None, Status::Unknown));
}

/// The state that waits for the head of the response.
fn fetching() -> mta_sts::lookup::FetchPolicy {
    let Start::QueryTxt(query) = Lookup::new(domain(), Held::Nothing).start(at(NOW)) else {
        panic!("a question")
    };
    match query.answered([["v=STSv1; id=1"]], 60, at(NOW)) {
        AfterTxt::FetchPolicy(fetch) => fetch,
        other @ AfterTxt::Store(_) => panic!("{other:?}"),
    }
}

fn stored(store: Store) -> Outcome {
    let merged = store.entry().clone();
    store.stored(merged)
}

/// The failure that the store is told of.
fn failure(store: Store) -> FetchFailure {
    match stored(store).problem() {
        Some(mta_sts::Problem::Fetch(failure)) => failure.clone(),
        other => panic!("{other:?}"),
    }
}

fn head(status: u16) -> Head<'static> {
    Head { status, content_type: Some(b"text/plain"), content_encoding: None }
}

#[test]
fn s3_3_the_certificate_must_be_valid_for_the_policy_host() {
    for other in ["example.com", "mta-sts.example.net", "*.example.com", "mx.example.com", ""] {
        let verified = PolicyHostVerified::assertion(other);
        let AfterHead::Store(store) = fetching().responded(verified, head(200), at(NOW)) else {
            panic!("{other}: the response is not to be read")
        };
        let outcome = stored(store);
        let problem = outcome.problem().unwrap();
        assert_eq!((outcome.status(), problem.code()), (Status::Absent, "policy-certificate"));
        assert_eq!(problem.result_type(), ResultType::StsWebpkiInvalid);
    }
    let verified = PolicyHostVerified::assertion("MTA-STS.example.com");
    assert!(matches!(fetching().responded(verified, head(200), at(NOW)), AfterHead::ReadBody(_)));

    for fault in [CertificateFault::Expired, CertificateFault::UntrustedIssuer] {
        let https = HttpsAnswer::Failed(FetchFailure::Certificate(fault));
        let run = look(Held::Nothing, &id("1"), &https, NOW);
        assert_eq!((mode(&run), code(&run)), (None, Some("policy-certificate")));
    }
}

#[test]
fn s3_3_only_status_200_is_a_policy_and_no_redirect_is_followed() {
    for status in (100..600).filter(|status| *status != 200) {
        let verified = PolicyHostVerified::assertion("mta-sts.example.com");
        let step = fetching().responded(verified, head(status), at(NOW));
        assert!(matches!(step, AfterHead::Store(_)), "{status}");
    }
    let verified = PolicyHostVerified::assertion("mta-sts.example.com");
    assert!(matches!(fetching().responded(verified, head(200), at(NOW)), AfterHead::ReadBody(_)));
}

#[test]
fn s3_3_five_minutes_or_longer_between_attempts_for_one_id() {
    let mut held = Held::Nothing;
    let mut fetches = Vec::new();
    for secs in 0..2_000 {
        let run = look_for(Recheck::Always, held, &id("1"), &fails(), NOW + secs);
        if !run.asked_https.is_empty() {
            fetches.push(secs);
        }
        held = keep(run.outcome);
    }
    assert_eq!(fetches, [0, 300, 900]);
}

#[test]
fn s3_3_the_wait_is_the_same_while_a_policy_is_held() {
    let mut held = holding(Mode::Enforce);
    let mut fetches = Vec::new();
    for secs in 0..1_000 {
        // What the held policy's own id announces in between ends no row of failures.
        let known = look_for(Recheck::Always, held, &id("1"), &fails(), NOW + secs);
        assert_eq!(known.outcome.status(), Status::Confirmed);
        let run = look_for(Recheck::Always, keep(known.outcome), &id("2"), &fails(), NOW + secs);
        assert_eq!((mode(&run), run.outcome.status()), (Some(Mode::Enforce), Status::Held));
        if !run.asked_https.is_empty() {
            fetches.push(secs);
        }
        held = keep(run.outcome);
    }
    assert_eq!(fetches, [0, 300, 900]);
}

#[test]
fn s3_3_a_failed_refresh_is_not_tried_again_because_dns_confirms_the_id() {
    let held = keep(
        look_for(Recheck::Refresh, holding(Mode::Enforce), &id("1"), &fails(), NOW + DAY).outcome,
    );
    let confirmed = look_for(Recheck::Always, held, &id("1"), &fails(), NOW + DAY + 1);
    assert_eq!(confirmed.outcome.status(), Status::Confirmed);
    let again = keep(confirmed.outcome);
    let again = look_for(Recheck::Refresh, again, &id("1"), &fails(), NOW + DAY + 2);
    assert_eq!((again.asked_https.len(), code(&again)), (0, Some("backing-off")));
}

#[test]
fn s3_3_a_fetch_that_succeeds_ends_the_row_of_failures() {
    let mut held = Held::Nothing;
    for (secs, https, problem) in [
        (0, fails(), Some("policy-fetch")),
        (299, fails(), Some("backing-off")),
        (300, fails(), Some("policy-fetch")),
        (899, fails(), Some("backing-off")),
        (900, serves(Mode::Enforce, WEEK), None),
        // The next failure is a first one again.
        (1_000, fails(), Some("policy-fetch")),
        (1_299, fails(), Some("backing-off")),
        (1_300, fails(), Some("policy-fetch")),
    ] {
        let run = look_for(Recheck::Refresh, held, &id("1"), &https, NOW + secs);
        assert_eq!(code(&run), problem, "{secs}");
        held = keep(run.outcome);
    }
}

#[test]
fn s3_3_another_id_need_not_wait() {
    let held = keep(look(Held::Nothing, &id("1"), &fails(), NOW).outcome);
    let run = look(held, &id("2"), &serves(Mode::Enforce, WEEK), NOW + 1);
    assert_eq!((run.asked_https.len(), run.outcome.status()), (1, Status::Found));
}

#[test]
fn s10_2_forged_ids_cannot_cause_a_flood_of_fetches() {
    let mut held = Held::Nothing;
    let mut fetches = Vec::new();
    for secs in 0..700 {
        let forged = id(&format!("forged{secs}"));
        let run = look_for(Recheck::Always, held, &forged, &fails(), NOW + secs);
        match code(&run) {
            Some("policy-fetch") => fetches.push(secs),
            other => assert_eq!((run.asked_https.len(), other), (0, Some("fetch-limited"))),
        }
        held = keep(run.outcome);
    }
    assert_eq!(fetches, [0, 1, 2, 3, 300, 600]);
}

#[test]
fn s3_3_a_minute_and_64_kib_are_the_limits_and_what_is_larger_is_refused_whole() {
    assert_eq!(fetching().timeout().as_secs(), 60);
    let text = policy_text("enforce", WEEK);
    let filled = |octets: usize| {
        let filler = format!("x: {}", "y".repeat(octets - text.len() - 3));
        HttpsAnswer::policy(&(text.clone() + &filler))
    };
    assert_eq!(mode(&look(Held::Nothing, &id("1"), &filled(65_536), NOW)), Some(Mode::Enforce));
    let run = look(Held::Nothing, &id("1"), &filled(65_537), NOW);
    assert_eq!((mode(&run), code(&run)), (None, Some("policy-fetch")));
    // The limit is that of the whole body, in however many chunks it comes.
    let head = head(200);
    let verified = PolicyHostVerified::assertion("mta-sts.example.com");
    let AfterHead::ReadBody(mut body) = fetching().responded(verified, head, at(NOW)) else {
        panic!("a body")
    };
    let chunks = (0..65_536).filter(|_| body.chunk(b"x").is_continue()).count();
    assert_eq!(chunks, 65_536);
    assert!(body.chunk(b"").is_continue());
    assert!(body.chunk(b"x").is_break() && body.chunk(b"").is_break());
    assert_eq!(failure(body.ended(at(NOW))), FetchFailure::TooLarge { limit: 65_536 });
}

#[test]
fn s3_3_without_a_policy_by_https_or_held_delivery_goes_on_as_without_mta_sts() {
    let run = look(Held::Nothing, &id("1"), &fails(), NOW);
    assert_eq!((run.outcome.status(), mode(&run)), (Status::Absent, None));
    let run = look(holding(Mode::Enforce), &id("2"), &fails(), NOW + WEEK);
    assert_eq!((run.outcome.status(), mode(&run)), (Status::Absent, None));
}

#[test]
fn s3_3_an_unexpired_held_policy_applies_where_no_live_one_can_be_had() {
    let invalid = HttpsAnswer::policy("not a policy");
    for https in [fails(), invalid] {
        let run = look(holding(Mode::Enforce), &id("2"), &https, NOW + WEEK - 1);
        assert_eq!((run.outcome.status(), mode(&run)), (Status::Held, Some(Mode::Enforce)));
    }
    let run = look(holding(Mode::Enforce), &TxtAnswer::silence(), &fails(), NOW + WEEK - 1);
    assert_eq!((run.outcome.status(), mode(&run)), (Status::Held, Some(Mode::Enforce)));
}

#[test]
fn s5_1_a_store_that_cannot_be_read_is_not_an_empty_one() {
    for txt in [TxtAnswer::Absent(60), TxtAnswer::several(60), TxtAnswer::silence(), id("1")] {
        let run = look(Held::Unreadable { notes: None }, &txt, &fails(), NOW);
        assert_eq!((mode(&run), run.outcome.status()), (None, Status::Unknown), "{txt:?}");
    }
    let run = look(Held::Unreadable { notes: None }, &TxtAnswer::Absent(60), &fails(), NOW);
    assert_eq!(code(&run), Some("store-unreadable"));
    let run = look(Held::Unreadable { notes: None }, &id("1"), &serves(Mode::Enforce, WEEK), NOW);
    assert_eq!((mode(&run), run.outcome.status()), (Some(Mode::Enforce), Status::Found));
}

#[test]
fn s3_3_a_policy_is_due_for_refresh_before_it_expires() {
    let outcome = look(Held::Nothing, &id("1"), &serves(Mode::Enforce, WEEK), NOW).outcome;
    assert!(!outcome.refresh_due(at(NOW + DAY - 1)));
    assert!(outcome.refresh_due(at(NOW + DAY)));
    let short = look(Held::Nothing, &id("1"), &serves(Mode::Enforce, 7_200), NOW).outcome;
    assert!(!short.refresh_due(at(NOW + 3_599)) && short.refresh_due(at(NOW + 3_600)));
}

#[test]
fn s3_3_a_failing_refresh_is_an_alert_unless_the_mode_is_none() {
    for (held_mode, alerts) in [(Mode::Enforce, true), (Mode::Testing, true), (Mode::None, false)] {
        let now = NOW + 2 * DAY;
        let run = look_for(Recheck::Refresh, holding(held_mode), &id("1"), &fails(), now);
        assert_eq!(run.asked_https.len(), 1);
        let alert = run.outcome.alert(at(now)).map(|(problem, left)| (problem.code(), left));
        let left = at(NOW + WEEK).since(at(now));
        assert_eq!(alert, alerts.then_some(("policy-fetch", left)), "{held_mode}");
    }
}

#[test]
fn s3_4_no_policy_belongs_to_an_address_literal() {
    for literal in ["[192.0.2.1]", "192.0.2.1", "[IPv6:2001:db8::1]", "2001:db8::1"] {
        assert_eq!(PolicyDomain::parse(literal), Err(NameError::Address), "{literal}");
    }
}

#[test]
fn s3_4_a_smart_host_in_brackets_is_no_address_literal() {
    for next_hop in ["[relay.example]", "relay.example:587", "[relay.example]:587"] {
        let Err(NameError::NextHop { host }) = PolicyDomain::parse(next_hop) else {
            panic!("{next_hop}");
        };
        assert_eq!(host.as_str(), "relay.example");
    }
}

#[test]
fn s3_4_a_subdomain_asks_for_itself_alone() {
    let sub = PolicyDomain::parse("mail.example.com").unwrap();
    let txt = TxtAnswer::Absent(60);
    let run = script::run(Lookup::new(sub.clone(), Held::Nothing), &txt, &fails(), true, at(NOW));
    assert_eq!(run.asked_txt, ["_mta-sts.mail.example.com"]);
    assert!(run.asked_https.is_empty());
    // What is held of the parent is none of its business.
    let lookup = Lookup::new(sub, holding(Mode::Enforce));
    let run = script::run(lookup, &txt, &fails(), true, at(NOW + DAY));
    assert_eq!((run.outcome.status(), mode(&run)), (Status::Unknown, None));
}
