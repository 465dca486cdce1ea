//! The conformance vectors and the corpus, through the public API.

use mta_sts::lookup::{AfterHead, AfterTxt, Head, Start};
use mta_sts::{
    DnsName, Held, Limits, Lookup, MxPattern, Policy, PolicyDomain, PolicyError,
    PolicyHostVerified, PolicyRef, Profile, Record, SelectionError, UnixTime, policy_host_address,
    record,
};
use mta_sts_testkit::oracle::{self, MediaType};
use mta_sts_testkit::vectors;

const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);

fn profile(profile: oracle::Profile) -> Profile {
    match profile {
        oracle::Profile::Strict => Profile::Strict,
        oracle::Profile::Tolerant => Profile::Tolerant,
    }
}

#[test]
fn records_and_their_faults() {
    for row in vectors::records().into_iter().chain(vectors::corpus_records().into_iter().flatten())
    {
        let read = Record::parse(&row.input).map(|r| r.id().to_string());
        let verdict = read.map_err(|e| e.code().to_owned());
        assert_eq!(verdict, row.expect, "{}", String::from_utf8_lossy(&row.input));
    }
}

#[test]
fn record_sets() {
    let rows = vectors::txt_sets();
    for row in rows {
        let verdict = record::select(&row.input).map(|id| id.to_string()).map_err(|error| {
            let why = match error {
                SelectionError::Absent => "none",
                SelectionError::Several { .. } => "multiple",
                _ => "invalid",
            };
            why.to_owned()
        });
        assert_eq!(verdict, row.expect, "{:?}", row.input);
    }
}

fn verdict(text: &[u8], profile: Profile) -> Result<oracle::Parsed, String> {
    let borrowed = PolicyRef::parse(text, profile);
    let owned = Policy::parse(text, profile);
    assert_eq!(borrowed.clone().map(Policy::from), owned, "borrowed and owned agree");
    let code = |error: PolicyError| error.code().to_owned();
    let policy = owned.map_err(code)?;
    let patterns = |mx: Vec<MxPattern<'_>>| mx.iter().map(|p| p.as_str().to_owned()).collect();
    let mx: Vec<String> = patterns(policy.mx().collect());
    assert_eq!(patterns(policy.as_policy_ref().mx().collect::<Vec<_>>()), mx);
    Ok(oracle::Parsed {
        mode: policy.mode().to_string(),
        max_age: policy.max_age().as_secs().into(),
        mx,
    })
}

#[test]
fn policies_by_both_profiles() {
    for row in
        vectors::policies().into_iter().chain(vectors::corpus_policies().into_iter().flatten())
    {
        assert_eq!(verdict(&row.input, Profile::Strict), row.strict, "{} strict", row.name);
        assert_eq!(verdict(&row.input, Profile::Tolerant), row.tolerant, "{}", row.name);
    }
}

#[test]
fn what_is_printed_reads_strictly_as_the_same_policy() {
    for row in
        vectors::policies().into_iter().chain(vectors::corpus_policies().into_iter().flatten())
    {
        let Ok(policy) = Policy::parse(&row.input, Profile::Strict) else { continue };
        let printed = policy.to_string();
        let again = Policy::parse(printed.as_bytes(), Profile::Strict);
        let Ok(again) = again else { panic!("{}: {printed}: {again:?}", row.name) };
        assert_eq!(again.to_string(), printed, "{}", row.name);
        assert!(again.mx().eq(policy.mx()), "{}", row.name);
        assert_eq!((again.mode(), again.max_age()), (policy.mode(), policy.max_age()));
    }
}

#[test]
fn mx_matches() {
    let rows = vectors::matches();
    for row in rows {
        // A name that is none matches nothing, and a value that the profile refuses neither.
        let host = DnsName::parse(&row.host).ok();
        let matches = row.mx.iter().any(|text| {
            let pattern = MxPattern::parse(text, profile(row.profile)).ok();
            pattern.zip(host.as_ref()).is_some_and(|(pattern, host)| pattern.matches(host))
        });
        assert_eq!(matches, row.matches, "{:?} {:?}", row.mx, row.host);
    }
}

/// What becomes of a response with this head and a good body.
fn accepts(profile: Profile, status: u16, content_type: Option<&[u8]>) -> bool {
    let domain = PolicyDomain::parse("example.com").unwrap();
    let lookup = Lookup::new(domain, Held::Nothing).limits(Limits::default().with_profile(profile));
    let Start::QueryTxt(query) = lookup.start(NOW) else { panic!("nothing is held") };
    let AfterTxt::FetchPolicy(fetch) = query.answered([["v=STSv1; id=1;"]], 300, NOW) else {
        panic!("a new id is fetched")
    };
    let verified = PolicyHostVerified::assertion(fetch.host());
    let head = Head { status, content_type, content_encoding: None };
    matches!(fetch.responded(verified, head, NOW), AfterHead::ReadBody(_))
}

#[test]
fn content_types() {
    let rows = vectors::content_types();
    for row in rows {
        let value = row.input.as_deref().map(str::as_bytes);
        let expected = |media: MediaType| media != MediaType::Reject;
        assert_eq!(accepts(Profile::Strict, 200, value), expected(row.strict), "{:?}", row.input);
        assert_eq!(
            accepts(Profile::Tolerant, 200, value),
            expected(row.tolerant),
            "{:?}",
            row.input
        );
    }
}

#[test]
fn http_statuses() {
    let rows = vectors::http_responses();
    let mut seen = 0;
    for row in rows.iter().filter(|row| row.input.len() == 1) {
        let Some(status) = row.input.get("status") else { continue };
        let accepted = accepts(Profile::Strict, status.parse().unwrap(), Some(b"text/plain"));
        assert_eq!(accepted, row.expect == "accept", "{status}");
        seen += 1;
    }
    assert!(seen >= 12, "the statuses are there: {seen}");
}

#[test]
fn policy_urls() {
    let rows = vectors::policy_urls();
    for row in rows {
        let url = PolicyDomain::parse(&row.input).map(|domain| {
            let lookup = Lookup::new(domain, Held::Nothing);
            let Start::QueryTxt(query) = lookup.start(NOW) else { panic!() };
            let AfterTxt::FetchPolicy(fetch) = query.answered([["v=STSv1; id=1;"]], 300, NOW)
            else {
                panic!()
            };
            fetch.url()
        });
        assert_eq!(url.ok(), row.expect.ok(), "{:?}", row.input);
    }
}

#[test]
fn addresses() {
    let rows = vectors::addresses();
    for row in rows {
        assert_eq!(policy_host_address(row.input).is_ok(), row.allowed, "{}", row.input);
        assert_eq!(oracle::may_dial(row.input), row.allowed, "{}", row.input);
    }
}
