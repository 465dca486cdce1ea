//! The response of a Policy Host (RFC 8461 §3.3).

use std::ops::ControlFlow;

use arbitrary::{Result, Unstructured};
use mta_sts::lookup::{AfterHead, AfterTxt, FetchPolicy, Head, Start};
use mta_sts::{
    FetchFailure, Held, Limits, Lookup, Outcome, PolicyHostVerified, Problem, Profile, Status,
    UnixTime,
};

use crate::oracle;
use crate::pair::domain;

const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);

/// A head and a body: whole, in pieces and octet by octet the body comes to the same, which is what
/// the oracle says; and one that is too large is refused, however it comes.
///
/// # Panics
/// Where one of these does not hold.
pub fn body(data: &[u8]) {
    // Bytes that run out make a short head; there is no wrong input.
    let _ = response(Unstructured::new(data));
}

fn response(mut u: Unstructured<'_>) -> Result<()> {
    let profile = u.arbitrary()?;
    let octets = if u.ratio(1, 2)? { 65_536 } else { u.int_in_range(1..=300)? };
    let limits = Limits::default().with_profile(profile).with_policy_octets(octets);
    let status = if u.ratio(7, 8)? { 200 } else { u.arbitrary()? };
    let content_type = if u.ratio(3, 4)? { Some("text/plain") } else { u.arbitrary()? };
    let content_encoding: Option<&str> = if u.ratio(7, 8)? { None } else { u.arbitrary()? };
    let head = Head {
        status,
        content_type: content_type.map(str::as_bytes),
        content_encoding: content_encoding.map(str::as_bytes),
    };
    let cuts: Vec<u8> = u.arbitrary()?;
    let body = u.take_rest();

    let whole = fetch(limits, head, &[body]);
    let mut pieces = Vec::new();
    let mut rest = body;
    for cut in cuts {
        let (piece, after) = rest.split_at(usize::from(cut).min(rest.len()));
        pieces.push(piece);
        rest = after;
    }
    pieces.push(rest);
    same(&fetch(limits, head, &pieces), &whole);
    let octet_by_octet: Vec<&[u8]> = body.chunks(1).collect();
    same(&fetch(limits, head, &octet_by_octet), &whole);

    let refused = is_refused(head, profile);
    assert_eq!(
        matches!(whole.problem(), Some(Problem::Fetch(_))),
        refused || is_over(body, octets)
    );
    if refused {
        return Ok(());
    }
    if is_over(body, octets) {
        let limit = FetchFailure::TooLarge { limit: octets };
        assert_eq!(whole.problem(), Some(&Problem::Fetch(limit)));
        return Ok(());
    }
    match (oracle::policy(body, naive(profile)), whole.problem()) {
        (Ok(parsed), None) => {
            assert_eq!(whole.status(), Status::Found);
            let policy = whole.policy().expect("it was found").policy();
            assert_eq!(policy.as_str().as_bytes(), body);
            assert_eq!(policy.mode().to_string(), parsed.mode);
        }
        (Err(code), Some(Problem::PolicyInvalid { error, text })) => {
            assert_eq!(error.code(), code);
            assert!(text.len() <= 4_096, "evidence is bounded");
            assert_eq!(whole.status(), Status::Absent);
        }
        (oracle, problem) => panic!("{oracle:?} is not {problem:?}"),
    }
    Ok(())
}

fn is_over(body: &[u8], octets: u32) -> bool {
    body.len() > usize::try_from(octets).expect("a small number")
}

const fn naive(profile: Profile) -> oracle::Profile {
    match profile {
        Profile::Strict => oracle::Profile::Strict,
        Profile::Tolerant => oracle::Profile::Tolerant,
    }
}

fn is_refused(head: Head<'_>, profile: Profile) -> bool {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let content_type = head.content_type.map(text);
    let media_type = oracle::content_type(content_type.as_deref(), naive(profile));
    let coding = head.content_encoding.map(text).unwrap_or_default();
    let is_coded = !["", "identity"].contains(&coding.trim_ascii().to_ascii_lowercase().as_str());
    head.status != 200 || media_type == oracle::MediaType::Reject || is_coded
}

/// A lookup of which the body comes in these pieces.
fn fetch(limits: Limits, head: Head<'_>, pieces: &[&[u8]]) -> Outcome {
    let lookup = Lookup::new(domain(), Held::Nothing).limits(limits);
    let Start::QueryTxt(query) = lookup.start(NOW) else { panic!("nothing is known yet") };
    let AfterTxt::FetchPolicy(fetch) = query.answered([["v=STSv1; id=1;"]], 300, NOW) else {
        panic!("the id is new")
    };
    let store = match responded(fetch, head) {
        AfterHead::ReadBody(mut body) => {
            let mut pieces = pieces.iter();
            if pieces.any(|piece| body.chunk(piece).is_break()) {
                // Once over the limit it stays so, and takes no more memory.
                assert!(pieces.all(|piece| body.chunk(piece) == ControlFlow::Break(())));
            }
            body.ended(NOW)
        }
        AfterHead::Store(store) => store,
    };
    let merged = store.entry().clone();
    store.stored(merged)
}

fn responded(fetch: FetchPolicy, head: Head<'_>) -> AfterHead {
    let verified = PolicyHostVerified::assertion(fetch.host());
    fetch.responded(verified, head, NOW)
}

fn same(a: &Outcome, b: &Outcome) {
    assert_eq!(a.entry(), b.entry());
    assert_eq!((a.status(), a.problem(), a.policy()), (b.status(), b.problem(), b.policy()));
}
