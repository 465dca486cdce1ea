//! Courses of lookups (RFC 8461 §3, §5.1).

use arbitrary::{Arbitrary, Result, Unstructured};
use mta_sts::{DnsFailure, Entry, FetchFailure, HeldPolicy, Mode, Policy, Status};

use crate::model::{self, Https, Recheck, Txt, World};
use crate::oracle;
use crate::pair::{Pair, domain};
use crate::script::{HttpsAnswer, Run, Turn, TxtAnswer, policy_text};

const START: u64 = 1_800_000_000;

/// A course of lookups of one domain, each byte a legal move: what DNS and HTTPS say, whether the
/// store works, how time passes, whether a second sender shares the store. After each lookup the
/// machine and its store are compared with the reference model. From a race that the model knows
/// nothing of until the store is lost, what must hold in any case holds.
///
/// # Panics
/// Where the machine and the model differ, or what must hold does not.
pub fn lookup(data: &[u8]) {
    // Bytes that run out end the course; there is no wrong input.
    let _ = course(&mut Unstructured::new(data));
}

fn course(u: &mut Unstructured<'_>) -> Result<()> {
    let mut pair = Pair::new();
    let mut now = START;
    while !u.is_empty() {
        now = later(u, now)?;
        match u.int_in_range(0..=31_u8)? {
            // The store is lost, and all that the sender knew.
            0 => pair = Pair::new(),
            1..=4 => {
                // Both read the store before either has written.
                let mut second = pair.clone();
                meet(&mut pair, &moves(u, now)?);
                let then = later(u, now)?;
                meet(&mut second, &moves(u, then)?);
                pair.meet(&second);
            }
            _ => meet(&mut pair, &moves(u, now)?),
        }
        if let Some(entry) = pair.client().entry() {
            let read = Entry::from_bytes(&domain(), &entry.to_bytes());
            assert_eq!(read.as_ref(), Ok(entry));
        }
    }
    Ok(())
}

/// One lookup and all that it meets: in the words of the model and in those of the machine.
struct Move {
    turn: Turn,
    txt: TxtAnswer,
    https: HttpsAnswer,
}

fn meet(pair: &mut Pair, next: &Move) {
    if pair.is_comparable() {
        pair.turn_answered(&next.turn, &next.txt, &next.https);
        return;
    }
    let before = pair.client().entry().cloned();
    let run = pair.machine_turn(&next.turn, &next.txt, &next.https);
    check(before.as_ref(), &next.turn, &run, pair.client().entry());
}

/// Whatever happens, an unexpired policy is replaced only by a fetched one, nothing is asked twice,
/// and a store that failed is not an empty one.
fn check(before: Option<&Entry>, turn: &Turn, run: &Run, after: Option<&Entry>) {
    let Run { outcome, asked_txt, asked_https, .. } = run;
    assert!(asked_txt.len() <= 1 && asked_https.len() <= 1);
    let is_found = outcome.status() == Status::Found;
    let is_served = matches!(turn.world.https, Https::Policy { .. });
    let is_fetched = !asked_https.is_empty() && is_served;
    assert!(is_fetched || !is_found);
    // Over a store that it could not read, another policy may turn out to be the later one.
    assert!(is_found || !is_fetched || !turn.world.readable);
    let policy = |entry: &Entry| entry.policy(turn.time()).cloned();
    // What a clock that ran ahead has stamped is put at the present as it is read.
    let before = before.cloned().map(|mut before| {
        before.touch(turn.time());
        before
    });
    let held: Option<HeldPolicy> = before.as_ref().and_then(policy);
    if turn.world.readable && !is_found {
        assert_eq!(outcome.policy(), held.as_ref(), "no fetch, no change of text or expiry");
    }
    if !turn.world.readable && !is_found {
        assert_ne!(outcome.status(), Status::Absent, "a failed store is not an empty one");
    }
    if held.as_ref().is_some_and(|held| held.policy().mode() == Mode::Enforce) {
        assert!(!matches!(outcome.status(), Status::Absent));
        if !is_fetched {
            let after = after.and_then(policy);
            let text = |held: &Option<HeldPolicy>| {
                held.as_ref().map(|held| (held.policy().clone(), held.fetched_at()))
            };
            assert_eq!(text(&after), text(&held), "nothing but a fetch moves it");
        }
    }
}

/// The seconds at which the next lookup is made: mostly around the bounds of some wait.
fn later(u: &mut Unstructured<'_>, now: u64) -> Result<u64> {
    const BOUNDS: [u64; 15] =
        [0, 1, 59, 60, 61, 299, 300, 301, 600, 1_200, 3_600, 3_601, 86_400, 604_800, 31_557_600];
    let seconds = match u.int_in_range(0..=7_u8)? {
        0..=4 => *u.choose(&BOUNDS)?,
        5 => u.int_in_range(0..=100_000)?,
        _ => return Ok(now.saturating_sub(*u.choose(&BOUNDS)?)),
    };
    Ok(now + seconds)
}

fn moves(u: &mut Unstructured<'_>, now: u64) -> Result<Move> {
    let recheck = *u.choose(&[Recheck::WhenDue, Recheck::Always, Recheck::Refresh])?;
    let (txt_kind, txt) = txt(u)?;
    let (https_kind, https) = https(u)?;
    let (readable, writable) = (!u.ratio(1, 16)?, !u.ratio(1, 8)?);
    let world = World { txt: txt_kind, https: https_kind, readable, writable };
    Ok(Move { turn: Turn { now, recheck, world }, txt, https })
}

fn txt(u: &mut Unstructured<'_>) -> Result<(Txt, TxtAnswer)> {
    let ttl = if u.ratio(1, 2)? { u.int_in_range(0..=4_000)? } else { u.arbitrary()? };
    let records: Vec<Vec<Vec<u8>>> = match u.int_in_range(0..=7_u8)? {
        0 => return Ok((Txt::Absent(u64::from(ttl)), TxtAnswer::Absent(ttl))),
        1 => return Ok((Txt::NoAnswer, TxtAnswer::Failed(DnsFailure::arbitrary(u)?))),
        2 => {
            let text: Vec<u8> = u.arbitrary()?;
            vec![vec![b"v=STSv1;".to_vec(), text]]
        }
        3 => u.arbitrary()?,
        _ => vec![vec![format!("v=STSv1; id={};", u.int_in_range(1..=6_u8)?).into_bytes()]],
    };
    let kind = match oracle::record_set(&records) {
        Ok(id) => Txt::Id(id, ttl.into()),
        Err("multiple") => Txt::Several(ttl.into()),
        Err("invalid") => Txt::Malformed(ttl.into()),
        Err(_) => Txt::Absent(ttl.into()),
    };
    Ok((kind, TxtAnswer::Records(records, ttl)))
}

fn https(u: &mut Unstructured<'_>) -> Result<(Https, HttpsAnswer)> {
    let body: Vec<u8> = match u.int_in_range(0..=7_u8)? {
        0 => {
            let failure = FetchFailure::arbitrary(u)?;
            return Ok((kind_of(&failure), HttpsAnswer::Failed(failure)));
        }
        1 => {
            let (text, failure) = (u.arbitrary()?, FetchFailure::arbitrary(u)?);
            return Ok((kind_of(&failure), HttpsAnswer::Cut(text, failure)));
        }
        2 => {
            let status = u.int_in_range(201..=599)?;
            let body = vec![policy_text("enforce", 86_400).into_bytes()];
            let content_type = Some("text/plain".to_owned());
            return Ok((Https::Fails, HttpsAnswer::Response { status, content_type, body }));
        }
        3 => u.arbitrary()?,
        4 => Policy::arbitrary(u)?.to_string().into_bytes(),
        _ => {
            let mode = u.choose(&["enforce", "enforce", "testing", "none"])?;
            let max_age = *u.choose(&[0, 60, 3_600, 86_400, 604_800, 99_999_999])?;
            policy_text(mode, max_age).into_bytes()
        }
    };
    let kind = match oracle::policy(&body, oracle::Profile::Tolerant) {
        Err(_) => Https::Invalid,
        Ok(parsed) => Https::Policy {
            mode: match parsed.mode.as_str() {
                "enforce" => model::Mode::Enforce,
                "testing" => model::Mode::Testing,
                _ => model::Mode::None,
            },
            text: String::from_utf8_lossy(&body).into_owned(),
            max_age: parsed.max_age,
        },
    };
    let content_type = if u.ratio(7, 8)? { Some("text/plain".to_owned()) } else { None };
    let cut = u.int_in_range(0..=body.len())?;
    let body = vec![body[..cut].to_vec(), body[cut..].to_vec()];
    Ok((kind, HttpsAnswer::Response { status: 200, content_type, body }))
}

const fn kind_of(failure: &FetchFailure) -> Https {
    match failure {
        FetchFailure::Certificate(_) | FetchFailure::OtherHostVerified => Https::Certificate,
        _ => Https::Fails,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A body that only passes over its input finds nothing.
    #[test]
    fn ok_random_bytes_reach_every_status() {
        let mut seed = 1_u64;
        let mut statuses = std::collections::BTreeSet::new();
        for _ in 0..400 {
            let bytes: Vec<u8> = (0..64)
                .map(|_| {
                    seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    seed.to_be_bytes()[0]
                })
                .collect();
            let mut u = Unstructured::new(&bytes);
            let mut pair = Pair::new();
            while let (false, Ok(next)) = (u.is_empty(), moves(&mut u, START)) {
                let run = pair.machine_turn(&next.turn, &next.txt, &next.https);
                statuses.insert(run.outcome.status().as_str());
            }
            lookup(&bytes);
        }
        assert_eq!(statuses.into_iter().collect::<Vec<_>>(), STATUSES);
    }

    const STATUSES: [&str; 5] = ["absent", "confirmed", "found", "held", "unknown"];
}
