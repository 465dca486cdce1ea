//! The stored form: whole, cut, damaged, of another kind.

use mta_sts::{Entry, EntryError, PolicyDomain};
use mta_sts_testkit::model::{Https, Mode, Recheck, Txt};
use mta_sts_testkit::script::{Client, Turn, valid_policy};
use proptest::prelude::*;

use super::{START, any_entries, domain, entry_of};

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 200, ..Default::default() })]

    #[test]
    fn ok_bytes_read_back_as_the_same_entry(entries in any_entries()) {
        for entry in entries {
            let bytes = entry.to_bytes();
            prop_assert_eq!(Entry::from_bytes(&domain(), &bytes), Ok(entry));
            prop_assert!(bytes.len() <= 67_000);
        }
    }
}

/// The bytes with a checksum that fits them.
fn summed(content: &[u8]) -> Vec<u8> {
    let mut padded = content.to_vec();
    padded.resize(content.len() / 8 * 8 + 8, 0);
    let start = 0xcbf2_9ce4_8422_2325 ^ u64::try_from(content.len()).unwrap();
    let sum = padded.chunks(8).fold(start, |sum, word| {
        let word = u64::from_be_bytes(word.try_into().unwrap());
        (sum ^ word).wrapping_mul(0x0100_0000_01b3).rotate_left(32)
    });
    [content, &sum.to_be_bytes()].concat()
}

/// With a checksum that fits, what was changed is refused, or is another entry in its one form: it
/// is written as it was read, and joining it with itself changes nothing.
#[test]
fn ok_what_is_read_is_in_its_one_form() {
    let whole = rich().to_bytes();
    let content = &whole[..whole.len() - 8];
    assert_eq!(summed(content), whole);
    let changed = (7..content.len()).flat_map(|at| {
        (0..8).map(move |bit| {
            let mut changed = content.to_vec();
            changed[at] ^= 1 << bit;
            changed
        })
    });
    let cut = (7..content.len()).map(|end| content[..end].to_vec());
    let (mut read, mut refused) = (0, 0);
    for content in changed.chain(cut) {
        let bytes = summed(&content);
        match Entry::from_bytes(&domain(), &bytes) {
            Ok(entry) => {
                assert_eq!(entry.to_bytes(), bytes);
                let mut joined = entry.clone();
                joined.merge(entry.clone()).unwrap();
                assert_eq!(joined, entry);
                read += 1;
            }
            Err(error) => {
                assert!(matches!(error, EntryError::Corrupt | EntryError::OtherDomain));
                refused += 1;
            }
        }
    }
    assert!(read > 100 && refused > 100, "{read} {refused}");
}

/// An entry of every part: a policy, memory, four failures, a spent budget.
fn rich() -> Entry {
    let mut client = Client::new(domain());
    let id = |id: &str| Txt::Id(id.to_owned(), 60);
    let https = valid_policy(Mode::Enforce, "mx", 604_800);
    client.turn(&Turn::new(START, Recheck::Always, id("h1"), https));
    for (id, wait) in [id("a"), id("b"), id("c"), id("d")].into_iter().zip(900..) {
        client.turn(&Turn::new(START + wait, Recheck::Always, id, Https::Fails));
    }
    client.turn(&Turn::new(START + 910, Recheck::Always, Txt::Absent(600), Https::Fails));
    entry_of(&client)
}

/// One that knows nothing.
fn poor() -> Entry {
    entry_of(&Client::new(domain()))
}

#[test]
fn err_every_truncation_is_refused() {
    for entry in [rich(), poor()] {
        let bytes = entry.to_bytes();
        for end in 0..bytes.len() {
            let error = Entry::from_bytes(&domain(), &bytes[..end]);
            let expected = if end < 6 { EntryError::Foreign } else { EntryError::Corrupt };
            assert_eq!(error, Err(expected), "{end} octets");
        }
        let longer = [bytes.as_slice(), b"\0"].concat();
        assert_eq!(Entry::from_bytes(&domain(), &longer), Err(EntryError::Corrupt));
    }
}

#[test]
fn err_every_damaged_octet_is_noticed() {
    for entry in [rich(), poor()] {
        let bytes = entry.to_bytes();
        for at in 0..bytes.len() {
            for change in 1..=255 {
                let mut damaged = bytes.clone();
                damaged[at] ^= change;
                let error = Entry::from_bytes(&domain(), &damaged);
                let expected = match at {
                    0..6 => EntryError::Foreign,
                    6 => EntryError::Version { supported: 2, found: damaged[6] },
                    _ => EntryError::Corrupt,
                };
                assert_eq!(error, Err(expected), "octet {at} changed by {change}");
            }
        }
    }
}

#[test]
fn err_what_is_no_entry_is_foreign() {
    for bytes in [&b""[..], b"MTAST", b"{\"mode\":\"enforce\"}", &[0; 64], b"mtasts\x01"] {
        assert_eq!(Entry::from_bytes(&domain(), bytes), Err(EntryError::Foreign));
    }
}

#[test]
fn err_another_domains_bytes_are_named_so() {
    for other in ["example.net", "sub.example.com", "com", "xample.com"] {
        let other = PolicyDomain::parse(other).unwrap();
        assert_eq!(Entry::from_bytes(&other, &rich().to_bytes()), Err(EntryError::OtherDomain));
    }
}

/// The largest policy there may be is stored whole.
#[test]
fn ok_the_largest_policy_keeps_the_bound_of_the_bytes() {
    let Https::Policy { mode, mut text, max_age } = valid_policy(Mode::Enforce, "mx", 604_800)
    else {
        unreachable!("it is a policy")
    };
    text.push_str("extension: ");
    text.push_str(&"x".repeat(65_536 - text.len()));
    let mut client = Client::new(domain());
    let txt = Txt::Id("1".to_owned(), 60);
    let https = Https::Policy { mode, text: text.clone(), max_age };
    client.turn(&Turn::new(START, Recheck::Always, txt, https));
    let bytes = entry_of(&client).to_bytes();
    assert!((65_536..=67_000).contains(&bytes.len()), "{}", bytes.len());
    let entry = Entry::from_bytes(&domain(), &bytes).unwrap();
    assert_eq!(entry.stored_policy().map(|held| held.policy().as_str()), Some(text.as_str()));
}
