//! The zone that the DNS server serves, and the log of its questions.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::dns_answer::DnsAnswer;
use crate::dns_record::{DnsRecord, RecordData, RecordType, txt_data};
use crate::log::Log;

/// As many aliases as the server follows; then it gives up, as with a loop.
const MAX_ALIASES: usize = 16;

/// The negative TTL of names that were never set, in seconds.
const DEFAULT_NEGATIVE_TTL: u32 = 60;

/// What the DNS server answers: one [`DnsAnswer`] for each name and type.
///
/// Everything may change at any time and applies from the next question on. Names are
/// case-insensitive, a trailing dot is ignored. What was not set: NODATA where the name has
/// another type or a name below it, NXDOMAIN otherwise, both with an SOA and 60 seconds.
///
/// Clones share one zone.
#[derive(Clone, Debug)]
pub struct Zone {
    table: Arc<Mutex<Table>>,
    queries: Log<DnsQuery>,
}

#[derive(Debug)]
struct Table {
    answers: HashMap<String, HashMap<RecordType, DnsAnswer>>,
    unknown: Option<DnsAnswer>,
}

/// A question that reached the DNS server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DnsQuery {
    /// Lower case, no trailing dot.
    pub name: String,
    /// The type that was asked for.
    pub rtype: RecordType,
    /// Whether it came over TCP.
    pub over_tcp: bool,
    /// Whether it had an EDNS record, without which there is no extended error in the reply.
    pub edns: bool,
}

impl Zone {
    pub(crate) fn new() -> Self {
        let table = Table { answers: HashMap::new(), unknown: None };
        Self { table: Arc::new(Mutex::new(table)), queries: Log::new() }
    }

    /// The questions so far.
    pub fn queries(&self) -> &Log<DnsQuery> {
        &self.queries
    }

    /// Sets what is answered to questions for `name` and `rtype`.
    pub fn set(&self, name: &str, rtype: RecordType, answer: DnsAnswer) {
        self.lock().answers.entry(key(name)).or_default().insert(rtype, answer);
    }

    /// One TXT record of these character-strings.
    pub fn txt<S: AsRef<[u8]>>(&self, name: &str, strings: impl IntoIterator<Item = S>, ttl: u32) {
        self.set(name, RecordType::Txt, DnsAnswer::txt(strings, ttl));
    }

    /// Several TXT records, each of its own character-strings.
    pub fn txt_records<S, R>(&self, name: &str, records: impl IntoIterator<Item = R>, ttl: u32)
    where
        S: AsRef<[u8]>,
        R: IntoIterator<Item = S>,
    {
        let record = |strings| DnsRecord::new(ttl, txt_data(strings));
        let answer = DnsAnswer::records(records.into_iter().map(record));
        self.set(name, RecordType::Txt, answer);
    }

    /// The addresses of a name, IPv4 under A and IPv6 under AAAA; replaces those it had.
    pub fn addresses(&self, name: &str, addresses: impl IntoIterator<Item = IpAddr>, ttl: u32) {
        let (v4, v6): (Vec<_>, Vec<_>) = addresses.into_iter().partition(IpAddr::is_ipv4);
        for (rtype, addresses) in [(RecordType::A, v4), (RecordType::Aaaa, v6)] {
            if addresses.is_empty() {
                self.remove(name, rtype);
            } else {
                self.set(name, rtype, DnsAnswer::addresses(addresses, ttl));
            }
        }
    }

    /// The MX hosts of a name: (preference, host).
    pub fn mx<S: Into<String>>(
        &self,
        name: &str,
        hosts: impl IntoIterator<Item = (u16, S)>,
        ttl: u32,
    ) {
        self.set(name, RecordType::Mx, DnsAnswer::mx(hosts, ttl));
    }

    /// An alias, which the server follows for every type that the name has no answer for.
    pub fn cname(&self, name: &str, target: &str, ttl: u32) {
        self.set(name, RecordType::Cname, DnsAnswer::cname(target, ttl));
    }

    /// Forgets what was set for this name and type.
    pub fn remove(&self, name: &str, rtype: RecordType) {
        let mut table = self.lock();
        let name = key(name);
        if let Some(types) = table.answers.get_mut(&name) {
            types.remove(&rtype);
            if types.is_empty() {
                table.answers.remove(&name);
            }
        }
    }

    /// Forgets every type of this name.
    pub fn remove_name(&self, name: &str) {
        self.lock().answers.remove(&key(name));
    }

    /// Answers thus whatever was not set, NODATA included: with [`DnsAnswer::silence`] the whole
    /// server seems dead.
    pub fn set_unknown(&self, answer: DnsAnswer) {
        self.lock().unknown = Some(answer);
    }

    /// Forgets all answers; the log stays.
    pub fn clear(&self) {
        *self.lock() = Table { answers: HashMap::new(), unknown: None };
    }

    pub(crate) fn log(&self, query: DnsQuery) {
        self.queries.push(query);
    }

    pub(crate) fn answer(&self, name: &str, rtype: RecordType) -> DnsAnswer {
        self.lock().resolve(&key(name), rtype)
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// Answers as a recursive resolver would, following aliases within the zone.
    fn resolve(&self, asked: &str, rtype: RecordType) -> DnsAnswer {
        let mut name = asked.to_owned();
        let mut aliases: Vec<DnsRecord> = Vec::new();
        loop {
            let Some((alias, target)) = self.alias(&name, rtype) else {
                let answer = self.direct(&name, rtype);
                return if aliases.is_empty() { answer } else { joined(aliases, answer, &name) };
            };
            let seen = aliases.iter().any(|hop| hop.owner.as_deref() == Some(name.as_str()));
            if seen || aliases.len() >= MAX_ALIASES {
                return DnsAnswer::records(aliases);
            }
            aliases.push(alias.owned_by(name));
            name = target;
        }
    }

    /// The alias to follow at `name`: only where nothing was set for the type itself.
    fn alias(&self, name: &str, rtype: RecordType) -> Option<(DnsRecord, String)> {
        let types = self.answers.get(name)?;
        if rtype == RecordType::Cname || types.contains_key(&rtype) {
            return None;
        }
        types.get(&RecordType::Cname)?.records.iter().find_map(|record| match &record.data {
            RecordData::Cname(target) => Some((record.clone(), key(target))),
            _ => None,
        })
    }

    fn direct(&self, name: &str, rtype: RecordType) -> DnsAnswer {
        let types = self.answers.get(name);
        if let Some(answer) = self.set_for(name, rtype) {
            return answer.clone().at(name, 0);
        }
        if let Some(answer) = self.within_chain(name, rtype) {
            return answer;
        }
        if let Some(answer) = &self.unknown {
            return answer.clone();
        }
        let below =
            |other: &String| other.strip_suffix(name).is_some_and(|labels| labels.ends_with('.'));
        // RFC 8020 §2: a name with names below it exists, if only as an empty node.
        if types.is_some() || self.answers.keys().any(below) {
            DnsAnswer::no_data(DEFAULT_NEGATIVE_TTL)
        } else {
            DnsAnswer::nxdomain(DEFAULT_NEGATIVE_TTL)
        }
    }

    fn set_for(&self, name: &str, rtype: RecordType) -> Option<&DnsAnswer> {
        let types = self.answers.get(name)?;
        types.get(&rtype).or_else(|| types.get(&RecordType::Any))
    }

    /// The answer for `cname-N.name`, where `name` has one behind that many aliases.
    fn within_chain(&self, name: &str, rtype: RecordType) -> Option<DnsAnswer> {
        let (position, base) = name.strip_prefix("cname-")?.split_once('.')?;
        let position = position.parse().ok().filter(|n| *n > 0)?;
        let answer = self.set_for(base, rtype).filter(|answer| answer.depth() >= position)?;
        Some(answer.clone().at(base, position))
    }
}

/// The aliases, then what the name at their end answers.
fn joined(mut aliases: Vec<DnsRecord>, mut answer: DnsAnswer, end: &str) -> DnsAnswer {
    for record in &mut answer.records {
        record.owner.get_or_insert_with(|| end.to_owned());
    }
    if let Some(soa) = &mut answer.soa {
        soa.under.get_or_insert_with(|| end.to_owned());
    }
    aliases.append(&mut answer.records);
    DnsAnswer { records: aliases, ..answer }
}

pub(crate) fn key(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}
