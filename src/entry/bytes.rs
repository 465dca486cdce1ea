//! The one stored form of an entry: versioned, bound to its domain, checked for damage.
//!
//! All numbers are big-endian. After the mark and the version come the domain, the fields in the
//! order of the code below, and a checksum over all before it.
//!
//! A policy is stored with what was read of its text when it was fetched: mode, `max_age` and the
//! places of its patterns. So an entry stays what it was, however the parser of a later version
//! reads the text.

use alloc::vec::Vec;

use super::notes::{Budget, Failure, Failures, LastUsed, Latest, MAX_STAMP, Memory, Remembered};
use super::{CountedAge, Entry, HeldPolicy};
use crate::error::EntryError;
use crate::name::PolicyDomain;
use crate::policy::{MaxAge, Mode, Policy, Profile, Span};
use crate::record::PolicyId;
use crate::time::UnixTime;

const MARK: &[u8] = b"MTASTS";
const VERSION: u8 = 2;
const CHECKSUM_OCTETS: usize = 8;

impl Entry {
    /// Returns the entry as bytes: the policy's text, 4 bytes for each of its patterns, and at most
    /// 1,000 bytes more.
    pub fn to_bytes(&self) -> Vec<u8> {
        let (text, spans) = self.held.as_ref().map_or((0, 0), |held| {
            (held.policy.as_str().len(), held.policy.spans().len().saturating_mul(4))
        });
        let mut out = Vec::with_capacity(text.saturating_add(spans).saturating_add(320));
        out.extend_from_slice(MARK);
        out.push(VERSION);
        short(&mut out, self.domain.as_str());
        long(&mut out, self.generation);
        long(&mut out, self.inserted_at.as_secs());
        latest(&mut out, self.last_used.0);
        remembered(&mut out, self.memory.what);
        long(&mut out, self.memory.stamp);
        long(&mut out, self.memory.until.as_secs());
        latest(&mut out, self.budget.debt);
        optional(&mut out, self.budget.seen_ahead_at.map(UnixTime::as_secs));
        out.push(u8::try_from(self.failures.0.len()).unwrap_or(u8::MAX));
        for failure in &self.failures.0 {
            short(&mut out, failure.id.as_str());
            long(&mut out, failure.stamp);
            long(&mut out, failure.until.as_secs());
            out.push(failure.repeats);
        }
        match &self.held {
            None => out.push(0),
            Some(held) => {
                out.push(match held.policy.profile() {
                    Profile::Strict => 1,
                    Profile::Tolerant => 2,
                });
                short(&mut out, held.id.as_str());
                long(&mut out, held.fetched_at.as_secs());
                optional(&mut out, held.counted.map(|counted| counted.secs));
                if let Some(counted) = held.counted {
                    long(&mut out, counted.at.as_secs());
                }
                out.push(match held.policy.mode() {
                    Mode::None => 0,
                    Mode::Testing => 1,
                    Mode::Enforce => 2,
                });
                number(&mut out, held.policy.max_age().as_secs());
                let spans = held.policy.spans();
                number(&mut out, u32::try_from(spans.len()).unwrap_or(u32::MAX));
                for Span { start, len } in spans {
                    out.extend_from_slice(&start.to_be_bytes());
                    out.extend_from_slice(&len.to_be_bytes());
                }
                out.extend_from_slice(held.policy.as_str().as_bytes());
            }
        }
        let sum = checksum(&out);
        long(&mut out, sum);
        out
    }

    /// Reads the bytes that a store kept for `domain`.
    ///
    /// # Errors
    /// [`EntryError`] where they are not an entry of this version and this domain, whole and
    /// undamaged. Tell the machine [`Held::Unreadable`](crate::Held::Unreadable) then: a store
    /// that cannot be read is not an empty store.
    ///
    /// ```
    /// use mta_sts::{Entry, EntryError, PolicyDomain, UnixTime};
    ///
    /// let domain = PolicyDomain::parse("example.com")?;
    /// let entry = Entry::new(domain.clone(), UnixTime::from_secs(1_800_000_000));
    /// let mut bytes = entry.to_bytes();
    /// assert_eq!(Entry::from_bytes(&domain, &bytes)?, entry);
    /// bytes.pop();
    /// assert_eq!(Entry::from_bytes(&domain, &bytes), Err(EntryError::Corrupt));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn from_bytes(domain: &PolicyDomain, bytes: &[u8]) -> Result<Self, EntryError> {
        let rest = bytes.strip_prefix(MARK).ok_or(EntryError::Foreign)?;
        let (&version, _) = rest.split_first().ok_or(EntryError::Corrupt)?;
        if version != VERSION {
            return Err(EntryError::Version { supported: VERSION, found: version });
        }
        let end = bytes.len().checked_sub(CHECKSUM_OCTETS).ok_or(EntryError::Corrupt)?;
        let (content, sum) = bytes.split_at_checked(end).ok_or(EntryError::Corrupt)?;
        if sum != checksum(content).to_be_bytes() {
            return Err(EntryError::Corrupt);
        }
        let fields = content.get(MARK.len().saturating_add(1)..).ok_or(EntryError::Corrupt)?;
        let mut reader = Reader(fields);
        let name = reader.short().ok_or(EntryError::Corrupt)?;
        if name != domain.as_str() {
            return Err(EntryError::OtherDomain);
        }
        reader.entry(domain).ok_or(EntryError::Corrupt)
    }

    /// The domain that an entry's bytes name, without reading the rest: `None` where they are of
    /// another form. Only [`from_bytes`](Self::from_bytes) tells whether they are whole.
    ///
    /// ```
    /// use mta_sts::{Entry, PolicyDomain, UnixTime};
    ///
    /// let entry = Entry::new(PolicyDomain::parse("example.com")?, UnixTime::EPOCH);
    /// assert_eq!(Entry::domain_of(&entry.to_bytes()), Some("example.com"));
    /// assert_eq!(Entry::domain_of(b"example.com"), None);
    /// # Ok::<(), mta_sts::NameError>(())
    /// ```
    pub fn domain_of(bytes: &[u8]) -> Option<&str> {
        let (&version, rest) = bytes.strip_prefix(MARK)?.split_first()?;
        Reader(rest).short().filter(|_| version == VERSION)
    }
}

fn long(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(&number.to_be_bytes());
}

/// At most 255 octets with their length in front: names and ids are shorter.
fn short(out: &mut Vec<u8>, text: &str) {
    out.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
    out.extend_from_slice(text.as_bytes());
}

fn number(out: &mut Vec<u8>, number: u32) {
    out.extend_from_slice(&number.to_be_bytes());
}

fn optional(out: &mut Vec<u8>, number: Option<u64>) {
    match number {
        None => out.push(0),
        Some(number) => {
            out.push(1);
            long(out, number);
        }
    }
}

fn latest(out: &mut Vec<u8>, latest: Latest) {
    long(out, latest.restarts);
    long(out, latest.at.as_secs());
}

fn remembered(out: &mut Vec<u8>, what: Option<Remembered>) {
    match what {
        None => out.push(0),
        Some(Remembered::Id(id)) => {
            out.push(1);
            short(out, id.as_str());
        }
        Some(Remembered::Absent) => out.push(2),
        Some(Remembered::Malformed) => out.push(3),
        Some(Remembered::NoAnswer) => out.push(4),
    }
}

/// Against damage, not against forgery: FNV-1a by words of eight octets, the last filled up with
/// zeros, and with a rotation, so that high bits count as low ones do. Each step can be undone, so
/// no damage within one word goes unseen. Who can write the store can write whatever they like.
fn checksum(bytes: &[u8]) -> u64 {
    let mut words = bytes.chunks_exact(8);
    let start = 0xcbf2_9ce4_8422_2325 ^ u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    let step = |sum: u64, word: [u8; 8]| {
        (sum ^ u64::from_be_bytes(word)).wrapping_mul(0x0100_0000_01b3).rotate_left(32)
    };
    let sum = words.by_ref().filter_map(|word| word.try_into().ok()).fold(start, step);
    let mut last = [0; 8];
    last.iter_mut().zip(words.remainder()).for_each(|(to, from)| *to = *from);
    step(sum, last)
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(byte)
    }

    fn long(&mut self) -> Option<u64> {
        self.take(8)?.try_into().ok().map(u64::from_be_bytes)
    }

    fn number(&mut self) -> Option<u32> {
        self.take(4)?.try_into().ok().map(u32::from_be_bytes)
    }

    /// A number of a logical clock. One beyond the bound could not grow any more.
    fn stamp(&mut self) -> Option<u64> {
        self.long().filter(|stamp| *stamp <= MAX_STAMP)
    }

    fn time(&mut self) -> Option<UnixTime> {
        self.long().filter(|secs| *secs <= UnixTime::LATEST.as_secs()).map(UnixTime::from_secs)
    }

    /// Whether what comes next is there.
    fn is_some(&mut self) -> Option<bool> {
        match self.byte()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    fn budget(&mut self) -> Option<Budget> {
        let debt = self.latest()?;
        let seen_ahead_at = if self.is_some()? { Some(self.time()?) } else { None };
        Some(Budget { debt, seen_ahead_at })
    }

    fn latest(&mut self) -> Option<Latest> {
        Some(Latest { restarts: self.stamp()?, at: self.time()? })
    }

    fn short(&mut self) -> Option<&'a str> {
        let len = self.byte()?;
        core::str::from_utf8(self.take(usize::from(len))?).ok()
    }

    fn id(&mut self) -> Option<PolicyId> {
        self.short().and_then(PolicyId::parse)
    }

    fn entry(mut self, domain: &PolicyDomain) -> Option<Entry> {
        let generation = self.stamp()?;
        let inserted_at = self.time()?;
        let last_used = LastUsed(self.latest()?);
        let memory = self.memory()?;
        let budget = self.budget()?;
        let failures = self.failures()?;
        let held = match self.byte()? {
            0 if self.0.is_empty() => None,
            1 => Some(self.held(Profile::Strict)?),
            2 => Some(self.held(Profile::Tolerant)?),
            _ => return None,
        };
        let domain = domain.clone();
        Some(Entry { domain, generation, held, memory, failures, budget, inserted_at, last_used })
    }

    fn memory(&mut self) -> Option<Memory> {
        let what = match self.byte()? {
            0 => None,
            1 => Some(Remembered::Id(self.id()?)),
            2 => Some(Remembered::Absent),
            3 => Some(Remembered::Malformed),
            4 => Some(Remembered::NoAnswer),
            _ => return None,
        };
        Some(Memory { stamp: self.stamp()?, what, until: self.time()? })
    }

    fn failures(&mut self) -> Option<Failures> {
        let count = usize::from(self.byte()?);
        if count > Failures::MAX {
            return None;
        }
        let mut failures = Failures(Vec::with_capacity(count));
        for _ in 0..count {
            let id = self.id()?;
            let (stamp, until, repeats) = (self.stamp()?, self.time()?, self.byte()?);
            failures.0.push(Failure { stamp, id, until, repeats });
        }
        // The order and the distinct ids are part of the form.
        let mut normal = failures.clone();
        normal.merge(Failures::default());
        (normal == failures).then_some(failures)
    }

    /// The last part: the policy's text reaches to the end.
    #[expect(clippy::expect_used, reason = "the length of a chunk is not in its type")]
    fn held(self, profile: Profile) -> Option<HeldPolicy> {
        let mut rest = self;
        let id = rest.id()?;
        let fetched_at = rest.time()?;
        let counted = if rest.is_some()? {
            Some(CountedAge { secs: rest.stamp()?, at: rest.time()? })
        } else {
            None
        };
        let mode = match rest.byte()? {
            0 => Mode::None,
            1 => Mode::Testing,
            2 => Mode::Enforce,
            _ => return None,
        };
        let secs = rest.number()?;
        let max_age = MaxAge::from_secs(u64::from(secs));
        let count =
            usize::try_from(rest.number()?).ok().filter(|count| *count <= Policy::MAX_MX)?;
        let spans = rest.take(count.checked_mul(4)?)?;
        let mx = spans.chunks_exact(4).map(|span| {
            let [a, b, c, d] = span.try_into().expect("each chunk has four bytes");
            Span { start: u16::from_be_bytes([a, b]), len: u16::from_be_bytes([c, d]) }
        });
        let text = core::str::from_utf8(rest.0).ok()?;
        let policy = Policy::restored(text, profile, mode, max_age, mx.collect())?;
        (max_age.as_secs() == secs).then_some(HeldPolicy { policy, id, fetched_at, counted })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::String;
    use core::fmt::Write;

    const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);

    fn domain() -> PolicyDomain {
        PolicyDomain::parse("example.com").unwrap()
    }

    /// An entry with something in every field.
    fn full(what: Option<Remembered>, profile: Profile, failures: u8) -> Entry {
        let text = b"version: STSv1\r\nmode: testing\r\nmx: mx.example.com\r\nmax_age: 86400\r\n";
        let mut entry = Entry::new(domain(), NOW);
        let id = PolicyId::parse("20270115").unwrap();
        entry.put(HeldPolicy::new(Policy::parse(text, profile).unwrap(), id, NOW.plus_secs(1)));
        if let Some(what) = what {
            entry.remember(what, 300, NOW.plus_secs(2));
        }
        for number in 0..failures {
            let id = PolicyId::parse(&format!("failed{number}")).unwrap();
            entry.fetch_failed(id, NOW.plus_secs(3));
            assert_eq!(entry.spend_fetch(NOW.plus_secs(3)), Ok(()));
        }
        entry.touch(NOW.plus_secs(86_400));
        entry
    }

    #[test]
    fn ok_every_kind_of_entry_reads_back() {
        use Remembered::{Absent, Id, Malformed, NoAnswer};
        let id = Id(PolicyId::parse("20270115").unwrap());
        for what in [None, Some(id), Some(Absent), Some(Malformed), Some(NoAnswer)] {
            for profile in [Profile::Strict, Profile::Tolerant] {
                for failures in 0..=4 {
                    let mut entry = full(what, profile, failures);
                    // And read by a clock that is a year behind.
                    if failures == 3 {
                        entry.anchor(NOW.minus_secs(31_557_600));
                    }
                    for _ in 0..2 {
                        let read = Entry::from_bytes(&domain(), &entry.to_bytes());
                        assert_eq!(read.as_ref(), Ok(&entry));
                        assert_eq!(entry.memory.what, what);
                        // And without a policy.
                        entry.clear(NOW.plus_secs(4));
                    }
                }
            }
        }
    }

    /// What is read from this content, with a checksum that fits.
    fn sealed(content: &[u8]) -> Result<Entry, EntryError> {
        let mut bytes = content.to_vec();
        long(&mut bytes, checksum(content));
        Entry::from_bytes(&domain(), &bytes)
    }

    #[test]
    fn err_what_follows_an_entry_without_a_policy_is_damage() {
        let bytes = Entry::new(domain(), NOW).to_bytes();
        let content = bytes.strip_suffix(bytes.last_chunk::<8>().unwrap()).unwrap();
        assert!(sealed(content).is_ok());
        assert_eq!(sealed(&[content, b"x"].concat()), Err(EntryError::Corrupt));
        for kind in 3..=u8::MAX {
            let (_, before) = content.split_last().unwrap();
            assert_eq!(sealed(&[before, &[kind]].concat()), Err(EntryError::Corrupt), "{kind}");
        }
    }

    /// The parser has its say when a policy is fetched, and not again when it is read from a store.
    #[test]
    fn stored_policy_stays_what_it_was_however_its_text_reads_today() {
        let entry = full(None, Profile::Strict, 0);
        let bytes = entry.to_bytes();
        let (content, _) = bytes.split_last_chunk::<8>().unwrap();
        // The text is one that no parser takes, of the same length.
        let text = entry.stored_policy().unwrap().policy().as_str();
        let start = content.len() - text.len();
        let mut content = content.to_vec();
        content[start..start + 7].copy_from_slice(b"Version");
        let read = sealed(&content).unwrap();
        let (read, was) = (read.stored_policy().unwrap(), entry.stored_policy().unwrap());
        assert!(Policy::parse(read.policy().as_str().as_bytes(), Profile::Tolerant).is_err());
        assert_eq!((read.mode(), read.policy().max_age()), (was.mode(), was.policy().max_age()));
        assert!(read.policy().mx().eq(was.policy().mx()));
    }

    #[test]
    fn what_version_2_wrote_is_read_by_every_later_version() {
        let entry = full(Some(Remembered::Absent), Profile::Tolerant, 1);
        let mut hex = String::new();
        for byte in entry.to_bytes() {
            write!(hex, "{byte:02x}").unwrap();
        }
        let written = concat!(
            "4d5441535453020b6578616d706c652e636f6d000000006b49d201000000006b49d20000000000",
            "00000000000000006b4ab30002000000006b49d202000000006b49d32e00000000000000000000",
            "00006b49d32f0001076661696c656430000000006b49d203000000006b49d32f00020832303237",
            "30313135000000006b49d201000100015180000000010023000e76657273696f6e3a2053545376",
            "310d0a6d6f64653a2074657374696e670d0a6d783a206d782e6578616d706c652e636f6d0d0a6d",
            "61785f6167653a2038363430300d0a9d52ef54a0b3afcb",
        );
        assert_eq!(hex, written);
    }
}
