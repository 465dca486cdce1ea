//! What the fuzz targets do with their bytes. Each body takes any bytes and panics where the core
//! is wrong: ordinary tests replay the committed corpora through them.

use std::ops::ControlFlow;

use arbitrary::{Arbitrary, Result, Unstructured};
use mta_sts::lookup::Head;
use mta_sts::{
    DnsFailure, DnsName, Entry, FetchFailure, Held, Lookup, Mode, Policy, PolicyDomain,
    PolicyError, PolicyHostVerified, PolicyRef, Profile, Record, SelectionError, Status, Step,
    UnixTime, record,
};

use crate::oracle;

/// A TXT record: against the oracle, whole and in pieces. The octet 0xff separates strings, two of
/// them records.
///
/// # Panics
/// Where the core disagrees with the oracle or with itself.
pub fn record(data: &[u8]) {
    let records: Vec<Vec<Vec<u8>>> = split(data, &[0xff, 0xff])
        .map(|record| split(record, &[0xff]).map(<[u8]>::to_vec).collect())
        .collect();
    let selected = record::select(&records);
    let verdict = selected.clone().map(|id| id.to_string()).map_err(|error| match error {
        SelectionError::Absent => "none",
        SelectionError::Several { .. } => "multiple",
        _ => "invalid",
    });
    assert_eq!(verdict, oracle::record_set(&records));
    for strings in &records {
        let joined = strings.concat();
        let whole = Record::parse(&joined);
        let code = whole.clone().map(|r| r.id().to_string()).map_err(|e| e.code());
        assert_eq!(code, oracle::record(&joined));
        assert_eq!(
            record::select([strings]).ok().map(|id| id.to_string()),
            whole.as_ref().ok().map(|r| r.id().to_string())
        );
        if let Ok(record) = whole {
            assert_eq!(record.to_string().as_bytes(), joined);
            assert_eq!(
                Record::parse(Record::from(record.id()).as_str().as_bytes()).map(|r| r.id()),
                Ok(record.id())
            );
        }
    }
}

fn split<'a>(data: &'a [u8], mark: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let mut rest = Some(data);
    std::iter::from_fn(move || {
        let data = rest?;
        let Some(at) = data.windows(mark.len()).position(|w| w == mark) else {
            return rest.take();
        };
        rest = Some(&data[at + mark.len()..]);
        Some(&data[..at])
    })
}

/// A policy text: against the oracle by both profiles; what the strict one takes the tolerant one
/// takes alike; what is printed reads as the same policy.
///
/// # Panics
/// Where the core disagrees with the oracle or with itself.
pub fn policy(data: &[u8]) {
    let strict = PolicyRef::parse(data, Profile::Strict);
    let tolerant = PolicyRef::parse(data, Profile::Tolerant);
    assert_eq!(verdict(&strict), oracle::policy(data, oracle::Profile::Strict));
    assert_eq!(verdict(&tolerant), oracle::policy(data, oracle::Profile::Tolerant));
    if let Ok(strict) = &strict {
        let same = tolerant.as_ref().expect("what the strict profile takes the tolerant one takes");
        assert_eq!((same.mode(), same.max_age()), (strict.mode(), strict.max_age()));
        assert!(same.mx().eq(strict.mx()));
        assert_eq!(same.tolerances().count(), 0, "nothing had to be tolerated");
    }
    let Ok(policy) = tolerant.map(Policy::from) else { return };
    assert!(strict.is_ok() || policy.as_policy_ref().tolerances().next().is_some());
    let printed = policy.to_string();
    // Underscores are kept in print, and the printed form of a policy near the limit may be longer.
    if let Ok(again) = Policy::parse(printed.as_bytes(), Profile::Tolerant) {
        assert_eq!(again.to_string(), printed);
        assert!(again.mx().eq(policy.mx()));
    } else {
        assert!(printed.len() > mta_sts::MAX_POLICY_OCTETS, "{printed}");
    }
    for pattern in policy.mx() {
        let host = pattern.as_str().replacen('*', "x", 1);
        if let Ok(host) = DnsName::parse(&host) {
            assert!(pattern.matches(&host) && policy.matches(&host));
            assert!(oracle::matches(pattern.as_str(), host.as_str()));
        }
    }
}

fn verdict(
    policy: &std::result::Result<PolicyRef<'_>, PolicyError>,
) -> std::result::Result<oracle::Parsed, &'static str> {
    policy.as_ref().map_err(PolicyError::code).map(|policy| oracle::Parsed {
        mode: policy.mode().to_string(),
        max_age: policy.max_age().as_secs().into(),
        mx: policy.mx().map(|p| p.as_str().to_owned()).collect(),
    })
}

/// A course of lookups of one domain, each byte a legal move: whatever happens, an unexpired
/// enforcing policy is replaced only by a fetched one, nothing is asked twice, and each lookup ends.
///
/// # Panics
/// Where the machine breaks one of these.
pub fn lookup(data: &[u8]) {
    // Bytes that run out end the course; there is no wrong input.
    let _ = course(&mut Unstructured::new(data));
}

fn course(u: &mut Unstructured<'_>) -> Result<()> {
    let domain = PolicyDomain::parse("example.com").expect("a name");
    let mut now = UnixTime::from_secs(1_800_000_000);
    let mut stored: Option<Entry> = None;
    while !u.is_empty() {
        let jump = u64::from(u.arbitrary::<u32>()?);
        now = if u.ratio(1, 8)? { now.minus_secs(jump) } else { now.plus_secs(jump % 200_000) };
        let readable = !u.ratio(1, 8)?;
        let held = match (&stored, readable) {
            (_, false) => Held::Unreadable,
            (None, true) => Held::Nothing,
            (Some(entry), true) => Held::Entry(entry.clone()),
        };
        let before = stored.clone();
        let lookup = Lookup::new(domain.clone()).held(held).recheck(u.arbitrary()?);
        let Some((outcome, fetched)) = one(u, lookup, &mut stored, now)? else { continue };
        let protected = before.as_ref().and_then(|entry| entry.policy(now));
        if let Some(policy) = protected.filter(|p| p.policy().mode() == Mode::Enforce && readable) {
            if !fetched {
                let kept = outcome.policy().expect("an unexpired policy is never lost");
                assert_eq!(kept, policy, "no fetch, no change: neither of text nor of expiry");
            }
            assert!(!matches!(outcome.status(), Status::Absent | Status::Unknown));
        }
        assert_eq!(fetched, outcome.status() == Status::Found);
        if !readable && !fetched {
            assert_eq!(outcome.status(), Status::Unknown, "a failed store is not an empty one");
        }
        if let Some(entry) = &stored {
            let bytes = entry.to_bytes();
            assert_eq!(Entry::from_bytes(&domain, &bytes).as_ref(), Ok(entry));
        }
    }
    Ok(())
}

/// Runs one lookup; whether a policy was fetched in it. `None` where it was dropped half-way.
fn one(
    u: &mut Unstructured<'_>,
    lookup: Lookup,
    stored: &mut Option<Entry>,
    now: UnixTime,
) -> Result<Option<(mta_sts::Outcome, bool)>> {
    let (mut questions, mut fetches, mut found) = (0, 0, false);
    let mut step = lookup.start(now);
    loop {
        step = match step {
            Step::Done(outcome) => {
                assert!(questions <= 1 && fetches <= 1);
                return Ok(Some((outcome, found)));
            }
            _ if u.ratio(1, 32)? => return Ok(None),
            Step::QueryTxt(query) => {
                questions += 1;
                let ttl = u.arbitrary()?;
                match u.int_in_range(0..=5_u8)? {
                    0 => query.absent(ttl, now),
                    1 => query.failed(DnsFailure::arbitrary(u)?, now),
                    2 => query.answered([["v=STSv1; id=1;"], ["v=STSv1; id=2;"]], ttl, now),
                    3 => {
                        let text: Vec<u8> = u.arbitrary()?;
                        query.answered([[text]], ttl, now)
                    }
                    _ => {
                        let id = u.int_in_range(1..=4_u8)?;
                        query.answered([[format!("v=STSv1; id={id};")]], ttl, now)
                    }
                }
            }
            Step::FetchPolicy(fetch) => {
                fetches += 1;
                if u.ratio(1, 4)? {
                    fetch.failed(FetchFailure::arbitrary(u)?, now)
                } else {
                    let host = if u.ratio(1, 8)? { "example.com" } else { fetch.host() };
                    let verified = PolicyHostVerified::assertion(host);
                    let status = if u.ratio(1, 8)? { u.arbitrary()? } else { 200 };
                    let content_type = Some(&b"text/plain"[..]);
                    fetch.responded(
                        verified,
                        Head { status, content_type, content_encoding: None },
                        now,
                    )
                }
            }
            Step::ReadBody(mut body) => {
                let policy: Policy = u.arbitrary()?;
                let text = policy.to_string();
                let cut = u.int_in_range(0..=text.len())?;
                for chunk in [&text[..cut], &text[cut..]] {
                    assert_eq!(body.chunk(chunk.as_bytes()), ControlFlow::Continue(()));
                }
                if u.ratio(1, 8)? {
                    body.failed(FetchFailure::Truncated, now)
                } else {
                    found = true;
                    body.ended(now)
                }
            }
            Step::Store(store) => {
                if u.ratio(1, 8)? {
                    store.failed()
                } else {
                    match stored {
                        None => *stored = Some(store.entry().clone()),
                        Some(entry) => entry.merge(store.entry().clone()).expect("one domain"),
                    }
                    store.stored()
                }
            }
        };
        assert!(questions <= 1 && fetches <= 1, "one question and one fetch a lookup");
    }
}
