//! The findings of the second review of the core, each as the shortest course that shows it.

use mta_sts::delivery::{
    Candidate, Conclusion, Delivery, Mx, Requirements, Retry, Session, Verdict,
};
use mta_sts::lookup::{AfterTxt, FetchPolicy, Start, Store};
use mta_sts::{
    BounceToken, Entry, FetchFailure, Held, Limits, Lookup, MxVerified, Outcome, Recheck, Status,
    UnixTime,
};
use mta_sts_testkit::pair::domain;
use mta_sts_testkit::script::{
    HttpsAnswer, TxtAnswer, answer_body, answer_https, drive, policy_text,
};

const NOW: u64 = 1_800_000_000;
const DAY: u64 = 86_400;

fn at(secs: u64) -> UnixTime {
    UnixTime::from_secs(secs)
}

fn serves(host: &str) -> HttpsAnswer {
    HttpsAnswer::policy(&policy_text("enforce", 7 * DAY).replace("mx.example.com", host))
}

fn fails() -> HttpsAnswer {
    HttpsAnswer::Failed(FetchFailure::Timeout)
}

/// A store of one entry.
#[derive(Debug, Default)]
struct Shelf(Option<Entry>);

impl Shelf {
    fn held(&self) -> Held {
        self.0.clone().map_or(Held::Nothing, Held::Entry)
    }

    fn merge(&mut self, entry: &Entry) -> Entry {
        match &mut self.0 {
            None => self.0 = Some(entry.clone()),
            Some(stored) => stored.merge(entry.clone()).expect("one domain"),
        }
        self.0.clone().expect("it was merged")
    }

    fn ask(&mut self, txt: &TxtAnswer, https: &HttpsAnswer, now: u64) -> (Outcome, usize) {
        let lookup = Lookup::new(domain(), self.held()).recheck(Recheck::Always);
        let run = drive(lookup.start(at(now)), txt, https, at(now), |e| Some(self.merge(e)));
        (run.outcome, run.asked_https.len())
    }

    /// The id that is stored, and the status that memory alone gives.
    fn stored(&self, now: u64) -> (String, Option<Status>) {
        let entry = self.0.as_ref().expect("it holds an entry");
        let id = entry.stored_policy().expect("a policy is stored").id().to_string();
        (id, entry.decide(&domain(), at(now)).map(|decision| decision.status()))
    }
}

/// A store with policy 1, which is a day old.
fn shelf() -> Shelf {
    let mut shelf = Shelf::default();
    shelf.ask(&TxtAnswer::id("1", 60), &serves("mx.example.com"), NOW - DAY);
    shelf
}

/// A fetch for this id that was handed out at this time.
fn handed_out(shelf: &Shelf, id: &str, now: u64) -> FetchPolicy {
    let lookup = Lookup::new(domain(), shelf.held()).recheck(Recheck::Always);
    let Start::QueryTxt(query) = lookup.start(at(now)) else { panic!("it asks") };
    let AfterTxt::FetchPolicy(fetch) =
        query.answered([[format!("v=STSv1; id={id}")]], 86_400, at(now))
    else {
        panic!("the id is new")
    };
    fetch
}

fn ended(fetch: FetchPolicy, https: &HttpsAnswer, now: u64) -> Store {
    match answer_https(fetch, https, at(now)) {
        mta_sts::lookup::AfterHead::ReadBody(body) => answer_body(body, https, at(now)),
        mta_sts::lookup::AfterHead::Store(store) => store,
    }
}

fn refused(outcome: &Outcome) -> Retry {
    let mut delivery = Delivery::new(outcome, Requirements::default());
    assert!(matches!(delivery.candidate(&Mx::parse("mx.evil.example")), Candidate::Skip(_)));
    let Conclusion::Retry(retry) = delivery.conclude() else { panic!("it is refused by policy") };
    retry
}

/// Runs the gate's lookup with these answers. Returns the token that the gate gives at `then`.
fn gate(
    shelf: &mut Shelf,
    retry: Retry,
    held: Held,
    (txt, https): (&TxtAnswer, &HttpsAnswer),
    (now, then): (u64, u64),
) -> Option<BounceToken> {
    let (query, gate) = retry.recheck(held, Limits::default(), at(now));
    let run = drive(query, txt, https, at(now), |entry| Some(shelf.merge(entry)));
    gate.permit(&run.outcome, at(then))
}

#[test]
fn finding_3_older_fetch_that_ends_later() {
    let mut shelf = shelf();
    let older = handed_out(&shelf, "2", NOW);
    shelf.ask(&TxtAnswer::id("3", 60), &serves("mx3.example.com"), NOW + 3);
    let store = ended(older, &serves("mx2.example.com"), NOW + 59);
    let merged = shelf.merge(store.entry());
    let outcome = store.stored(merged);
    assert_eq!(shelf.stored(NOW + 80_000), ("3".to_owned(), None), "it is not confirmed unasked");
    let applied = outcome.policy().expect("a policy applies");
    assert_eq!(applied.id().as_str(), "3", "the outcome speaks of the stored policy");
    // The age counts from the handing-out too.
    let fetch = handed_out(&Shelf::default(), "2", NOW);
    let store = ended(fetch, &serves("mx2.example.com"), NOW + 59);
    let stored = store.entry().stored_policy().expect("it was fetched");
    assert_eq!(stored.expires_at(at(NOW + 59)), at(NOW + 7 * DAY));
}

/// The answer of a question that was asked earlier is not the later memory, whenever it comes.
#[test]
fn finding_3_older_question_that_is_answered_later() {
    let mut shelf = shelf();
    let lookup = Lookup::new(domain(), shelf.held()).recheck(Recheck::Always);
    let Start::QueryTxt(query) = lookup.start(at(NOW)) else { panic!("it asks") };
    shelf.ask(&TxtAnswer::Absent(60), &fails(), NOW + 3);
    let AfterTxt::Store(store) = query.answered([["v=STSv1; id=1"]], 86_400, at(NOW + 19)) else {
        panic!("the id is held")
    };
    shelf.merge(store.entry());
    assert_eq!(shelf.stored(NOW + 20).1, Some(Status::Held), "the later question found no record");
    // Nor does the time to live count from the answer.
    let mut alone = Shelf::default();
    alone.merge(store.entry());
    assert_eq!(alone.stored(NOW + DAY - 1).1, Some(Status::Confirmed));
    assert_eq!(alone.stored(NOW + DAY + 1).1, None);
}

#[test]
fn finding_4_what_dns_said_of_one_id_confirms_no_other() {
    let base = shelf();
    // Two lookups in one second, from one entry: a stale resolver, and a fresh one.
    let stale = Lookup::new(domain(), base.held()).recheck(Recheck::Refresh);
    let (mut one, mut two) = (Shelf::default(), Shelf::default());
    let (txt, https) = (TxtAnswer::id("1", 60), serves("mx.example.com"));
    drive(stale.start(at(NOW)), &txt, &https, at(NOW), |entry| Some(one.merge(entry)));
    let fresh = Lookup::new(domain(), base.held()).recheck(Recheck::Always);
    let weak = HttpsAnswer::policy(&policy_text("testing", 7 * DAY));
    drive(fresh.start(at(NOW)), &TxtAnswer::id("2", 86_400), &weak, at(NOW), |e| {
        Some(two.merge(e))
    });
    let entry = one.0.take().expect("it was written");
    two.merge(&entry);
    let (id, status) = two.stored(NOW + 80_000);
    assert_eq!(id, "1", "the stronger of two that are equally old stays");
    assert_eq!(status, None, "DNS named the id of the other");
}

#[test]
fn finding_5_dropped_attempt_never_opens_the_gate() {
    let mut shelf = Shelf::default();
    let (outcome, _) = shelf.ask(&TxtAnswer::id("1", 60), &serves("mx.example.com"), NOW);
    let mut delivery = Delivery::new(&outcome, Requirements::default());
    let mx = Mx::parse("mx.example.com");
    let Candidate::Connect(attempt) = delivery.candidate(&mx) else { panic!("it matches") };
    drop(attempt);
    assert!(matches!(delivery.conclude(), Conclusion::Retry(_)));
}

#[test]
fn finding_5_attempt_judged_on_another_delivery_opens_neither_gate() {
    let mut shelf = Shelf::default();
    let (outcome, _) = shelf.ask(&TxtAnswer::id("1", 60), &serves("mx.example.com"), NOW);
    let mx = Mx::parse("mx.example.com");
    let verified = || Session::Verified(MxVerified::assertion(&mx_name()));
    let mut one = Delivery::new(&outcome, Requirements::default());
    let mut two = Delivery::new(&outcome, Requirements::default());
    let Candidate::Connect(attempt) = one.candidate(&mx) else { panic!("it matches") };
    assert!(matches!(two.judge(attempt, verified()), Verdict::Refuse(_)));
    assert!(matches!(one.conclude(), Conclusion::Retry(_)));
    assert!(matches!(two.conclude(), Conclusion::Retry(_)));
}

fn mx_name() -> mta_sts::DnsName {
    mta_sts::DnsName::parse("mx.example.com").expect("a name")
}

#[test]
fn finding_6_token_goes_stale_and_is_for_its_own_question() {
    let confirmed = (&TxtAnswer::id("1", 60), &fails());
    for (late, is_given) in [(0, true), (300, true), (301, false), (5 * DAY, false)] {
        let mut shelf = Shelf::default();
        let (outcome, _) = shelf.ask(&TxtAnswer::id("1", 60), &serves("mx.example.com"), NOW);
        let held = shelf.held();
        let times = (NOW + 10, NOW + 10 + late);
        let token = gate(&mut shelf, refused(&outcome), held, confirmed, times);
        assert_eq!(token.is_some(), is_given, "{late} s late");
        assert!(token.is_none_or(|token| token.asked_at() == at(NOW + 10)));
    }
    // Each gate knows its own question.
    let mut shelf = Shelf::default();
    let (outcome, _) = shelf.ask(&TxtAnswer::id("1", 60), &serves("mx.example.com"), NOW);
    let (_, first) = refused(&outcome).recheck(shelf.held(), Limits::default(), at(NOW + 10));
    let (query, _second) = refused(&outcome).recheck(shelf.held(), Limits::default(), at(NOW + 10));
    let (txt, https) = confirmed;
    let run = drive(query, txt, https, at(NOW + 10), |entry| Some(shelf.merge(entry)));
    assert!(first.permit(&run.outcome, at(NOW + 10)).is_none());
    let (query, third) = refused(&outcome).recheck(shelf.held(), Limits::default(), at(NOW + 10));
    let run = drive(query, &TxtAnswer::silence(), https, at(NOW + 10), |e| Some(shelf.merge(e)));
    assert!(third.permit(&run.outcome, at(NOW + 10)).is_none(), "DNS was silent");
}

#[test]
fn finding_6_gate_looks_at_the_merged_entry() {
    let mut shelf = Shelf::default();
    let (outcome, _) = shelf.ask(&TxtAnswer::id("1", 60), &serves("mx.example.com"), NOW);
    let stale = shelf.held();
    shelf.ask(&TxtAnswer::id("2", 60), &serves("mx2.example.com"), NOW + 10);
    let confirmed = (&TxtAnswer::id("1", 60), &fails());
    let token = gate(&mut shelf, refused(&outcome), stale, confirmed, (NOW + 20, NOW + 20));
    assert!(token.is_none(), "the store holds policy 2");
}

/// Found by a random fleet: the confirmation that a merge brings is another lookup's.
#[test]
fn gate_takes_no_confirmation_from_the_answer_of_another_lookup() {
    for https in [fails(), serves("mx2.example.com")] {
        let mut shelf = shelf();
        // Fetched in the same second as the gate asks, by a lookup with an older answer of DNS.
        let (outcome, _) = shelf.ask(&TxtAnswer::id("11", 86_400), &serves("mx.example.com"), NOW);
        let unreadable = Held::Unreadable { notes: None };
        let newer = (&TxtAnswer::id("2", 60), &https);
        let token = gate(&mut shelf, refused(&outcome), unreadable, newer, (NOW, NOW));
        assert!(token.is_none(), "DNS announced policy 2 to the gate");
    }
}

/// Another lookup learnt of an id after the gate had asked: what that id announces was not read.
#[test]
fn gate_gives_no_token_while_another_lookup_knows_of_a_newer_id() {
    for (meanwhile, expected) in [("1", true), ("2", false)] {
        let mut shelf = shelf();
        let (outcome, _) = shelf.ask(&TxtAnswer::id("1", 60), &fails(), NOW);
        let (query, gate) = refused(&outcome).recheck(shelf.held(), Limits::default(), at(NOW + 1));
        shelf.ask(&TxtAnswer::id(meanwhile, 60), &fails(), NOW + 2);
        let (txt, https) = (TxtAnswer::id("1", 60), fails());
        let run = drive(query, &txt, &https, at(NOW + 3), |entry| Some(shelf.merge(entry)));
        assert_eq!(gate.permit(&run.outcome, at(NOW + 3)).is_some(), expected, "{meanwhile}");
    }
}

/// A store that was neither read nor written may hold a later policy.
#[test]
fn gate_gives_no_token_while_the_store_says_nothing() {
    let mut shelf = shelf();
    let (outcome, _) = shelf.ask(&TxtAnswer::id("1", 60), &fails(), NOW);
    for (notes, is_written, expected) in
        [(true, false, false), (true, true, true), (false, true, true), (false, false, false)]
    {
        let held = Held::Unreadable { notes: notes.then(|| outcome.entry().clone()) };
        let (query, gate) = refused(&outcome).recheck(held, Limits::default(), at(NOW + 1));
        let run = drive(
            query,
            &TxtAnswer::id("1", 60),
            &serves("mx.example.com"),
            at(NOW + 1),
            |entry| is_written.then(|| shelf.merge(entry)),
        );
        let token = gate.permit(&run.outcome, at(NOW + 1));
        assert_eq!(token.is_some(), expected, "notes {notes}, written {is_written}");
    }
}

#[test]
fn finding_9_spent_budget_is_seen_before_the_fetch_ends() {
    let mut shelf = shelf();
    let mut fetches = Vec::new();
    for number in 0..10 {
        let lookup = Lookup::new(domain(), shelf.held()).recheck(Recheck::Always);
        let Start::QueryTxt(query) = lookup.start(at(NOW)) else { panic!("it asks") };
        let txt = [[format!("v=STSv1; id=f{number}")]];
        if let AfterTxt::FetchPolicy(fetch) = query.answered(txt, 60, at(NOW)) {
            shelf.merge(fetch.entry());
            fetches.push(fetch);
        }
    }
    assert_eq!(fetches.len(), 4, "the budget is one of the domain, not of a lookup");
}

#[test]
fn finding_10_unreadable_store_that_brings_notes_backs_off() {
    let mut notes: Option<Entry> = None;
    let mut fetched = 0;
    for second in 0..300 {
        let held = Held::Unreadable { notes: notes.clone() };
        let lookup = Lookup::new(domain(), held).recheck(Recheck::Always);
        let now = at(NOW + second);
        let run = drive(lookup.start(now), &TxtAnswer::id("1", 60), &fails(), now, |_| None);
        fetched += run.asked_https.len();
        assert_eq!(run.outcome.status(), Status::Unknown, "a failed store is not an empty one");
        notes = Some(run.outcome.into_entry());
    }
    assert_eq!(fetched, 1);
}

#[test]
fn finding_13_refresh_that_succeeded_is_no_failure() {
    let shelf = shelf();
    let lookup = Lookup::new(domain(), shelf.held()).recheck(Recheck::Refresh);
    let (txt, https) = (TxtAnswer::Absent(60), serves("mx.example.com"));
    let run = drive(lookup.start(at(NOW)), &txt, &https, at(NOW), |entry| Some(entry.clone()));
    assert_eq!(run.outcome.status(), Status::Found);
    assert!(run.outcome.problem().is_some(), "the missing record is noted");
    assert!(!run.outcome.is_reportable());
    assert!(run.outcome.alert(at(NOW)).is_none());
}

/// Found by reading: the clock is set right while a fetch is in progress.
#[test]
fn clock_set_right_during_a_fetch_erases_no_policy() {
    for begun in [0, NOW - 100 * DAY] {
        let mut shelf = shelf();
        // The first lookup by that clock finds a budget that lies ahead.
        shelf.ask(&TxtAnswer::silence(), &fails(), begun);
        let fetch = handed_out(&shelf, "2", begun + 1_200);
        let store = ended(fetch, &serves("mx2.example.com"), NOW);
        assert!(store.interim(at(NOW)).is_some(), "the fetched policy applies once");
        let merged = shelf.merge(store.entry());
        let _ = store.stored(merged);
        let entry = shelf.0.as_ref().expect("it holds an entry");
        assert!(entry.policy(at(NOW)).is_some(), "policy 1 has six days to live");
    }
}

/// Mistakes of other implementations in 2026.
#[test]
fn field_testing_neither_refuses_nor_is_permanent() {
    let mut shelf = Shelf::default();
    let testing = HttpsAnswer::policy(&policy_text("testing", DAY));
    let (outcome, _) = shelf.ask(&TxtAnswer::id("1", 60), &testing, NOW);
    let mut delivery = Delivery::new(&outcome, Requirements::default());
    for mx in ["mx.example.com", "mx.evil.example"] {
        let Candidate::Connect(attempt) = delivery.candidate(&Mx::parse(mx)) else {
            panic!("mode testing refuses no host")
        };
        let verdict = delivery.judge(attempt, Session::Unverified);
        assert!(!verdict.is_refused() && verdict.failure().is_some(), "it is reported, and goes");
        let status = verdict.failure().and_then(mta_sts::delivery::Failure::enhanced_status);
        assert_eq!(status, None, "no status: the mail was taken");
    }
    assert!(matches!(delivery.conclude(), Conclusion::Open));
}

#[test]
fn field_refusal_is_transient() {
    let mut shelf = Shelf::default();
    let (outcome, _) = shelf.ask(&TxtAnswer::id("1", 60), &serves("mx.example.com"), NOW);
    let mut delivery = Delivery::new(&outcome, Requirements::default());
    let Candidate::Skip(result) = delivery.candidate(&Mx::parse("mx.evil.example")) else {
        panic!("no pattern matches")
    };
    let status = result.failure().and_then(mta_sts::delivery::Failure::enhanced_status);
    assert!(status.is_some_and(|status| status.starts_with("4.")), "{status:?}");
}

#[test]
fn field_idn_hosts_match_as_a_labels() {
    let mut shelf = Shelf::default();
    let (outcome, _) = shelf.ask(&TxtAnswer::id("1", 60), &serves("*.xn--bcher-kva.example"), NOW);
    let mut delivery = Delivery::new(&outcome, Requirements::default());
    for mx in ["mx.xn--bcher-kva.example", "mx.b\u{fc}cher.example", "MX.XN--BCHER-KVA.EXAMPLE."] {
        assert!(matches!(delivery.candidate(&Mx::parse(mx)), Candidate::Connect(_)), "{mx}");
    }
}

#[test]
fn field_u_label_pattern_is_refused() {
    let mut shelf = Shelf::default();
    let served = serves("*.b\u{fc}cher.example");
    let (outcome, fetched) = shelf.ask(&TxtAnswer::id("1", 60), &served, NOW);
    assert_eq!((fetched, outcome.status()), (1, Status::Absent));
    assert_eq!(outcome.problem().map(mta_sts::Problem::code), Some("policy-invalid"));
}

#[test]
fn finding_14_each_fault_of_dane_has_its_result_type() {
    use mta_sts::delivery::{Dane, DaneFault};
    for (fault, expected) in [
        (DaneFault::TlsaInvalid, "tlsa-invalid"),
        (DaneFault::DnssecInvalid, "dnssec-invalid"),
        (DaneFault::DaneRequired, "dane-required"),
    ] {
        let mut delivery = Delivery::without_policy(Requirements::default());
        let mx = Mx::parse("mx.example.com");
        let Candidate::Skip(result) = delivery.candidate_with_dane(&mx, Dane::Failed(fault)) else {
            panic!("a failing DANE validation is never overridden")
        };
        let kind = result.failure().and_then(mta_sts::delivery::Failure::result_type);
        assert_eq!(kind.map(mta_sts::ResultType::as_str), Some(expected));
    }
}
