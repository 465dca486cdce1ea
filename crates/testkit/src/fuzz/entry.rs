//! What a store keeps (RFC 8461 §3.3, §5.1): its bytes, and how two versions meet.

use std::cmp::Ordering;

use mta_sts::{Entry, EntryError, UnixTime};

use super::split;
use crate::pair::domain;

const MARK: &[u8] = b"MTASTS";

/// Bytes from a store: up to three entries between marks of four octets 0xff. As they are, and with
/// a beginning and a checksum that fit, each is refused or is an entry in its one form; and however
/// entries are joined, the result is the same and no policy gives way to none.
///
/// # Panics
/// Where one of these does not hold.
pub fn entry(data: &[u8]) {
    assert_eq!(sealed(fields_of(&plain())), plain(), "what is sealed here is read there");
    let mut entries = Vec::new();
    for part in split(data, &[0xff; 4]).take(3) {
        // What came out of no store at all.
        read(part);
        entries.extend(read(&sealed(part)));
    }
    for entry in &entries {
        times(entry);
    }
    let [a, b, c] = match entries.as_slice() {
        [] => return,
        [a] => [a, a, a],
        [a, b] => [a, b, a],
        [a, b, c, ..] => [a, b, c],
    };
    let whole = join(a, &join(b, c));
    assert_eq!(whole, join(&join(c, a), b), "neither order nor grouping matters");
    assert_eq!(join(&whole, a), whole, "nor joining twice");
    assert_eq!(join(a, a), *a);
    later_stays(a, b);
    later_stays(b, c);
}

/// The entry, in its one form, if the bytes are one.
fn read(bytes: &[u8]) -> Option<Entry> {
    let entry = match Entry::from_bytes(&domain(), bytes) {
        Ok(entry) => entry,
        Err(error) => {
            assert_eq!(error == EntryError::Foreign, !bytes.starts_with(MARK));
            return None;
        }
    };
    assert_eq!(entry.to_bytes(), bytes, "written as it was read");
    assert!(bytes.len() <= 2 * 65_536 + 1_000);
    Some(entry)
}

/// The fields of an entry, with what a store would have before and after them.
fn sealed(fields: &[u8]) -> Vec<u8> {
    let domain = domain();
    let name = domain.as_str().as_bytes();
    let length = u8::try_from(name.len()).expect("a name is short");
    let mut bytes = [MARK, &[2, length], name, fields].concat();
    let octets = bytes.len();
    // As many zeros as make whole words, and at least one.
    let filled = bytes.iter().copied().chain(std::iter::repeat_n(0, 8 - octets % 8));
    let mut sum = 0xcbf2_9ce4_8422_2325_u64 ^ u64::try_from(octets).expect("small");
    for word in filled.collect::<Vec<u8>>().chunks(8) {
        sum ^= word.iter().fold(0, |word, octet| (word << 8) | u64::from(*octet));
        sum = sum.wrapping_mul(0x0100_0000_01b3).rotate_left(32);
    }
    bytes.extend(sum.to_be_bytes());
    bytes
}

fn plain() -> Vec<u8> {
    Entry::new(domain(), UnixTime::from_secs(1)).to_bytes()
}

/// What [`sealed`] makes an entry's bytes of.
fn fields_of(bytes: &[u8]) -> &[u8] {
    let before = MARK.len() + 2 + domain().as_str().len();
    &bytes[before..bytes.len() - 8]
}

fn join(a: &Entry, b: &Entry) -> Entry {
    let mut joined = a.clone();
    joined.merge(b.clone()).expect("one domain");
    joined
}

/// Of two policies that of the later generation; of one generation a policy before none.
fn later_stays(a: &Entry, b: &Entry) {
    let joined = join(a, b);
    let policies = [a.stored_policy(), b.stored_policy()];
    let expected = match a.generation().cmp(&b.generation()) {
        Ordering::Less => &policies[1..],
        Ordering::Greater => &policies[..1],
        Ordering::Equal => &policies[..],
    };
    assert!(expected.contains(&joined.stored_policy()));
    assert_eq!(joined.stored_policy().is_some(), expected.iter().any(Option::is_some));
    assert_eq!(joined.generation(), a.generation().max(b.generation()));
}

/// On whatever clock: a policy is applied exactly until it expires, it never lives longer than its
/// `max_age`, and the answer from memory never has more than the entry.
fn times(entry: &Entry) {
    let held = entry.stored_policy();
    let fetched_at = held.map_or(UnixTime::EPOCH, mta_sts::HeldPolicy::fetched_at);
    let max_age = held.map_or(0, |held| u64::from(held.policy().max_age().as_secs()));
    let ends = [fetched_at.plus_secs(max_age.saturating_sub(1)), fetched_at.plus_secs(max_age)];
    for now in [UnixTime::EPOCH, fetched_at, ends[0], ends[1], UnixTime::LATEST] {
        let left = held.map_or(0, |held| held.expires_in(now).as_secs());
        assert!(left <= max_age);
        assert_eq!(entry.policy(now), held.filter(|_| left > 0));
        if let Some(decision) = entry.decide(&domain(), now) {
            assert_eq!(decision.policy(), entry.policy(now));
        }
        assert!(!(entry.is_disposable(now) && entry.policy(now).is_some()));
        assert!(entry.backing_off(now).all(|(_, until)| until > now || now == UnixTime::LATEST));
        // Read at this time it lives for one `max_age` from then and no longer, and whatever it
        // waits for is no further away than its longest.
        let mut read = entry.clone();
        read.touch(now);
        assert_eq!(read.policy(now).is_some(), entry.policy(now).is_some());
        let end = now.plus_secs(max_age + 121);
        assert!(end == UnixTime::LATEST || read.policy(end).is_none());
        assert!(read.backing_off(now).all(|(_, until)| until.secs_since(now) <= 3_600 + 120));
        assert!(read.last_used() <= now.plus_secs(120));
    }
}
