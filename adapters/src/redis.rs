//! A store in Redis or Valkey, for machines that share what they learn.

mod pool;
mod scripts;

use std::collections::HashSet;
use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use mta_sts::{Entry, EntryError, PolicyDomain, UnixTime, Urgency};
use redis::io::tcp::TcpSettings;
use redis::{Client, IntoConnectionInfo, RedisError};

use crate::store::{Merged, merged};
use crate::{Clock, Store, StoreError, Stored, system_clock};
use pool::Pool;
use scripts::{Change, Seen};

/// A store in Redis or Valkey (Redis 5 or later), which many machines may use at the same time.
///
/// ```no_run
/// use std::time::Duration;
/// use mta_sts_adapters::Redis;
///
/// let store = Redis::open("redis://:secret@cache.example.net:6379/3")?
///     .with_prefix("mail-out:")
///     .with_timeouts(Duration::from_millis(500), Duration::from_secs(1));
/// store.ping()?;
/// # Ok::<(), mta_sts_adapters::StoreError>(())
/// ```
///
/// # URL
/// `redis://`, or `valkey://`, then `[[user]:password@]host[:port][/database]`; port 6379 and
/// database 0 unless given. `redis+unix:///path/of/socket[?db=N&user=…&pass=…]` for a socket of this
/// machine. `rediss://`, or `valkeys://`, is TLS, verified by the system's roots or a
/// [given one](Self::with_root), where the feature `redis-tls` is enabled. One server, or what looks
/// like one: neither the cluster protocol nor Sentinel is spoken.
///
/// # When it does not answer
/// Nothing is connected before the first use. Connecting and each answer have a time-out (1 and
/// 2 seconds unless set; looking up the server's name is up to the system). Once one has passed,
/// everything fails at once for a second, so that mail waits for a server that hangs no longer than
/// that; then it is tried again. A server that comes back is used at once. Meanwhile a client lives
/// on what it has in memory.
///
/// # What is durable
/// The server decides, not this store: a write has returned when the server has it in memory,
/// whatever its [`Urgency`]. With `appendonly yes` and `appendfsync always` it outlives a crash of
/// the server; with `appendfsync everysec` all but the last second does; with snapshots (`save`, as
/// distributions ship it) all but the last minutes; with neither, nothing. A replica that takes over
/// may lack the last writes. What is lost is a policy that is not known any more: a first contact
/// again, which an attacker who is on the way can suppress (RFC 8461 §10.2). For policies that must
/// survive set `appendonly yes`, and back up what Redis writes.
///
/// Set `maxmemory-policy noeviction`, the default: with any other, who makes this server ask for
/// many domains pushes out the policies of others.
///
/// # Keys
/// `PREFIXentry:DOMAIN` holds [`Entry::to_bytes`], and `PREFIXby-use` is a sorted set of the domains
/// by last use, which mends itself. Keys vanish by themselves: a policy 30 days after its expiry, an
/// entry without one two days after it was last written, which is longer than anything it remembers
/// counts. Entries carry their own version; what a later version of this software wrote is
/// unreadable to an earlier one, and left alone, so in a fleet update all machines before long.
///
/// The user needs the commands `GET`, `SET`, `DEL`, `TYPE`, `ZADD`, `ZREM`, `ZREVRANGE`, `SCAN`,
/// `EVAL` and `PING`, on keys that begin with the prefix.
pub struct Redis {
    pool: Pool,
    prefix: String,
    clock: Clock,
}

/// For how long after its expiry a policy stays: as in a store that is pruned.
const GRACE_SECS: u64 = 30 * 86_400;
/// For how long an entry without a policy stays: a failure doubles the wait of the next for an hour
/// and a day at most, and all else that is remembered counts for less.
const WITHOUT_POLICY_SECS: u64 = 2 * 86_400;
/// How many entries one step reads or writes: no other user of the server waits for long.
const SOME: usize = 128;
/// How often a write is tried anew because others changed what is held meanwhile.
const ATTEMPTS: usize = 200;
/// The most that [`Store::prune`] drops.
const MOST_PRUNED: usize = 10_000;

impl Redis {
    /// The store at this URL; nothing is connected yet.
    ///
    /// # Errors
    /// [`StoreError::Unusable`] where it is no URL of a server that can be used.
    pub fn open(url: &str) -> Result<Self, StoreError> {
        // What the URL says is not repeated: there may be a password in it.
        let refused = |error: RedisError| {
            StoreError::Unusable(format!(
                "the URL of the Redis server cannot be used: {error}; expected \
                 redis://[[user]:password@]host[:port][/database]"
            ))
        };
        let info = url.into_connection_info().map_err(refused)?;
        let settings = info.redis_settings().clone().set_skip_set_lib_name();
        let info = info.set_redis_settings(settings);
        let info = info.set_tcp_settings(TcpSettings::default().set_nodelay(true));
        #[cfg(feature = "redis-tls")]
        use_ring();
        let client = Client::open(info).map_err(refused)?;
        Ok(Self {
            pool: Pool::new(client),
            prefix: "mta-sts:".to_owned(),
            clock: Arc::new(system_clock),
        })
    }

    /// With keys that begin so, in place of `mta-sts:`. Stores of different prefixes share nothing.
    #[must_use]
    pub fn with_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// With these time-outs for connecting, name and password included, and for each answer; 1 and
    /// 2 seconds unless set, and at least a millisecond.
    #[must_use]
    pub fn with_timeouts(mut self, connect: Duration, answer: Duration) -> Self {
        self.pool.set_timeouts(connect, answer);
        self
    }

    /// With another wall clock, by which keys are given their end: for tests and demonstrations.
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Trusts this root, in PEM, in place of the system's, for `rediss://`.
    ///
    /// # Errors
    /// [`StoreError::Unusable`] where it is no certificate, or the URL is none of TLS.
    #[cfg(feature = "redis-tls")]
    pub fn with_root(mut self, certificate: impl Into<Vec<u8>>) -> Result<Self, StoreError> {
        use rustls::pki_types::CertificateDer;
        use rustls::pki_types::pem::PemObject;
        let refused = |cause: &dyn fmt::Display| {
            StoreError::Unusable(format!("the root for the Redis server: {cause}"))
        };
        let certificate = certificate.into();
        match CertificateDer::pem_slice_iter(&certificate).next() {
            Some(Ok(_)) => {}
            _ => return Err(refused(&"expected a certificate in PEM")),
        }
        if !self.pool.is_tls() {
            return Err(refused(&"the URL is none of TLS, expected rediss://"));
        }
        let certificates =
            redis::TlsCertificates { client_tls: None, root_cert: Some(certificate) };
        self.pool.use_root(certificates).map_err(|error| refused(&error))?;
        Ok(self)
    }

    /// Whether the server answers, and lets this user in.
    ///
    /// # Errors
    /// [`StoreError`] where it does not; the text says why.
    pub fn ping(&self) -> Result<(), StoreError> {
        self.pool.run(|connection| redis::cmd("PING").query::<String>(connection)).map(drop)
    }

    /// The server's address, without user and password.
    pub fn address(&self) -> &str {
        self.pool.address()
    }

    fn key(&self, name: &[u8]) -> Vec<u8> {
        [self.prefix.as_bytes(), b"entry:", name].concat()
    }

    fn index(&self) -> Vec<u8> {
        [self.prefix.as_bytes(), b"by-use"].concat()
    }

    /// Reads what is held under each name, in the order of the names.
    fn read(&self, names: &[Vec<u8>]) -> Result<Vec<Seen>, StoreError> {
        let keys: Vec<_> = names.iter().map(|name| self.key(name)).collect();
        let seen = self.pool.run(|connection| scripts::read(connection, &keys))?;
        self.complete(seen, names.len())
    }

    /// Makes those of the changes that find what they expect. Returns `true` for each that did.
    fn change(&self, changes: &[Change]) -> Result<Vec<bool>, StoreError> {
        let keys: Vec<_> = changes.iter().map(|change| self.key(&change.name)).collect();
        let index = self.index();
        let done = self.pool.run(|connection| scripts::change(connection, &keys, &index, changes));
        self.complete(done?, changes.len())
    }

    /// Refuses an answer of the server that has fewer parts than the question: a missing part must
    /// not count as "nothing is held", nor as a write that was done.
    fn complete<T>(&self, answer: Vec<T>, parts: usize) -> Result<Vec<T>, StoreError> {
        if answer.len() == parts {
            return Ok(answer);
        }
        Err(StoreError::Backend(format!(
            "{}: expected an answer of {parts} parts, found {}",
            self.address(),
            answer.len()
        )))
    }

    /// Merges some. Returns one result for each, in their order.
    fn merge_some(&self, entries: &[Entry]) -> Result<Vec<Result<Entry, EntryError>>, StoreError> {
        let mut results: Vec<Option<Result<Entry, EntryError>>> = vec![None; entries.len()];
        for _ in 0..ATTEMPTS {
            let left = || entries.iter().zip(&results).filter(|(_, result)| result.is_none());
            let names: Vec<_> = left().map(|(entry, _)| name(entry.domain())).collect();
            let mut seen = self.read(&names)?.into_iter();
            let mut changes = Vec::new();
            let mut changing = Vec::new();
            for (entry, result) in entries.iter().zip(&mut results) {
                if result.is_some() {
                    continue;
                }
                let seen = seen.next().expect("`read` returns one part for each name");
                match merged(entry, seen.bytes()) {
                    Ok(Merged { entry, is_news: true }) => {
                        changes.push(self.put(&entry, seen));
                        changing.push((result, entry));
                    }
                    Ok(Merged { entry, is_news: false }) => *result = Some(Ok(entry)),
                    Err(error) => *result = Some(Err(error)),
                }
            }
            if !changes.is_empty() {
                // Of two changes of one domain the second finds what it does not expect, and is
                // tried again.
                for ((result, entry), done) in changing.into_iter().zip(self.change(&changes)?) {
                    *result = done.then_some(Ok(entry));
                }
            }
            if results.iter().all(Option::is_some) {
                return Ok(results.into_iter().flatten().collect());
            }
        }
        Err(StoreError::Backend(format!(
            "{}: others change the same entries without end",
            self.address()
        )))
    }

    fn put(&self, entry: &Entry, seen: Seen) -> Change {
        let now = (self.clock)();
        let ttl = match entry.stored_policy() {
            // A clock that is wrong keeps it too long rather than too short.
            Some(held) => {
                let most = u64::from(held.policy().max_age().as_secs());
                held.expires_in(now).as_secs().min(most) + GRACE_SECS
            }
            None => WITHOUT_POLICY_SECS,
        };
        Change {
            name: name(entry.domain()),
            seen,
            bytes: Some(entry.to_bytes()),
            ttl,
            last_used: entry.last_used().as_secs(),
        }
    }

    /// Shows all that is held: first what the sorted set knows, what was used last first, then what
    /// it does not, which it learns by that.
    fn rows(
        &self,
        visit: &mut dyn FnMut(&Row) -> Result<ControlFlow<()>, StoreError>,
    ) -> Result<(), StoreError> {
        let index = self.index();
        let mut shown: HashSet<Vec<u8>> = HashSet::new();
        let mut gone = Vec::new();
        let mut start = 0;
        loop {
            let names = self.pool.run(|c| scripts::by_use(c, &index, start, SOME))?;
            start += names.len();
            if names.is_empty() {
                break;
            }
            // Whatever moved up meanwhile moves others down.
            let names: Vec<_> =
                names.into_iter().filter(|name| shown.insert(name.clone())).collect();
            for (name, seen) in names.iter().zip(self.read(&names)?) {
                if seen == Seen::Nothing {
                    gone.push(name.clone());
                } else if visit(&Row { name: name.clone(), seen })?.is_break() {
                    return self.forget_gone(&gone);
                }
            }
        }
        self.forget_gone(&gone)?;
        let pattern = [&glob(&self.prefix), "entry:*"].concat();
        let head = self.key(b"").len();
        let mut cursor = 0;
        loop {
            let (next, keys) = self.pool.run(|c| scripts::scan(c, cursor, &pattern, 1_000))?;
            let names = keys.iter().filter_map(|key| key.get(head..)).map(<[u8]>::to_vec);
            let names: Vec<_> = names.filter(|name| shown.insert(name.clone())).collect();
            for names in names.chunks(SOME) {
                for (name, seen) in names.iter().zip(self.read(names)?) {
                    if seen == Seen::Nothing {
                        continue;
                    }
                    let row = Row { name: name.clone(), seen };
                    let used = row.last_used().as_secs();
                    self.pool.run(|c| scripts::note_use(c, &index, used, name))?;
                    if visit(&row)?.is_break() {
                        return Ok(());
                    }
                }
            }
            if next == 0 {
                return Ok(());
            }
            cursor = next;
        }
    }

    /// Takes names whose keys have vanished from the sorted set.
    fn forget_gone(&self, names: &[Vec<u8>]) -> Result<(), StoreError> {
        for names in names.chunks(SOME) {
            let change = |name: &Vec<u8>| Change::removal(name.clone(), Seen::Nothing);
            self.change(&names.iter().map(change).collect::<Vec<_>>())?;
        }
        Ok(())
    }

    /// Drops the rows for which it holds, if they are unchanged still; says their names. At most so
    /// many are dropped.
    fn drop_where(
        &self,
        most: usize,
        holds: impl Fn(&Row) -> bool,
    ) -> Result<Vec<Vec<u8>>, StoreError> {
        let mut dropped = Vec::new();
        let mut some = Vec::new();
        self.rows(&mut |row| {
            if holds(row) {
                some.push(Change::removal(row.name.clone(), row.seen.clone()));
            }
            let is_enough = dropped.len() + some.len() >= most;
            if is_enough || some.len() >= SOME {
                self.drop_some(&mut some, &mut dropped)?;
            }
            let done = dropped.len() >= most;
            Ok(if done { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        self.drop_some(&mut some, &mut dropped)?;
        Ok(dropped)
    }

    fn drop_some(
        &self,
        some: &mut Vec<Change>,
        dropped: &mut Vec<Vec<u8>>,
    ) -> Result<(), StoreError> {
        if some.is_empty() {
            return Ok(());
        }
        let done = self.change(some)?;
        let names = some.drain(..).map(|change| change.name);
        dropped.extend(names.zip(done).filter_map(|(name, done)| done.then_some(name)));
        Ok(())
    }
}

/// What is held under a name, which may be none of a domain.
struct Row {
    name: Vec<u8>,
    seen: Seen,
}

impl Row {
    fn entry(&self) -> Result<Entry, EntryError> {
        let domain = str::from_utf8(&self.name).ok().and_then(|n| PolicyDomain::parse(n).ok());
        match (domain, self.seen.bytes()) {
            (Some(domain), Some(bytes)) => Entry::from_bytes(&domain, bytes),
            _ => Err(EntryError::Corrupt),
        }
    }

    fn last_used(&self) -> UnixTime {
        self.entry().map_or(UnixTime::EPOCH, |entry| entry.last_used())
    }

    fn stored(&self) -> Stored {
        Stored {
            domain: String::from_utf8_lossy(&self.name).into_owned(),
            last_used: self.last_used(),
            entry: self.entry(),
        }
    }
}

fn name(domain: &PolicyDomain) -> Vec<u8> {
    domain.as_str().as_bytes().to_vec()
}

/// The text as a pattern of `SCAN` that matches it alone.
fn glob(text: &str) -> String {
    let mut pattern = String::new();
    for c in text.chars() {
        if matches!(c, '*' | '?' | '[' | ']' | '^' | '-' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}

/// The library asks the process for its cryptography, and panics where nobody chose and two are
/// compiled in.
#[cfg(feature = "redis-tls")]
fn use_ring() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Another thread may have been faster.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}

impl Store for Redis {
    fn get(&self, domain: &PolicyDomain) -> Result<Option<Entry>, StoreError> {
        let seen = self.read(&[name(domain)])?.into_iter().next().unwrap_or(Seen::Nothing);
        let entry = seen.bytes().map(|bytes| Entry::from_bytes(domain, bytes)).transpose();
        entry.map_err(StoreError::Entry)
    }

    fn merge(&self, entry: &Entry, _urgency: Urgency) -> Result<Entry, StoreError> {
        let merged = self.merge_some(std::slice::from_ref(entry))?.pop();
        merged.expect("one result for each entry").map_err(StoreError::Entry)
    }

    fn merge_all(
        &self,
        entries: &[Entry],
        _urgency: Urgency,
    ) -> Result<Vec<Result<Entry, EntryError>>, StoreError> {
        let mut results = Vec::with_capacity(entries.len());
        for some in entries.chunks(SOME) {
            results.extend(self.merge_some(some)?);
        }
        Ok(results)
    }

    fn remove(&self, domain: &PolicyDomain) -> Result<bool, StoreError> {
        let name = name(domain);
        let (key, index) = (self.key(&name), self.index());
        self.pool.run(|connection| scripts::remove(connection, &key, &index, &name))
    }

    fn visit(&self, visit: &mut dyn FnMut(Stored) -> ControlFlow<()>) -> Result<(), StoreError> {
        self.rows(&mut |row| Ok(visit(row.stored())))
    }

    fn prune(&self, now: UnixTime) -> Result<usize, StoreError> {
        let is_disposable = |row: &Row| row.entry().is_ok_and(|entry| entry.is_disposable(now));
        self.drop_where(MOST_PRUNED, is_disposable).map(|dropped| dropped.len())
    }

    fn remove_unreadable(&self) -> Result<Vec<String>, StoreError> {
        let dropped = self.drop_where(usize::MAX, |row| row.stored().is_damaged())?;
        Ok(dropped.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect())
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis")
            .field("address", &self.address())
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_a_pattern_matches_its_text_alone() {
        assert_eq!(glob("mta-sts:"), r"mta\-sts:");
        assert_eq!(glob(r"a*b?[c]\^"), r"a\*b\?\[c\]\\\^");
    }

    #[test]
    fn err_urls_that_cannot_be_used_are_refused_without_their_password() {
        for url in [
            "",
            "policies.db",
            "http://127.0.0.1",
            "redis://",
            "redis://:hunter2@0.0.0.0",
            "redis://:hunter2@127.0.0.1/three",
            "redis://:hunter2@127.0.0.1:99999",
        ] {
            let Err(StoreError::Unusable(text)) = Redis::open(url) else { panic!("{url}") };
            assert!(text.contains("expected redis://"), "{text}");
            assert!(!text.contains("hunter2"), "{text}");
        }
        let store = Redis::open("redis://user:hunter2@127.0.0.1:1/3").expect("a URL");
        let shown = format!("{store:?} {}", store.ping().expect_err("nobody is there"));
        assert!(shown.contains("127.0.0.1:1") && !shown.contains("hunter2"), "{shown}");
    }

    #[cfg(not(feature = "redis-tls"))]
    #[test]
    fn err_tls_that_is_not_compiled_in() {
        let opened = Redis::open("rediss://127.0.0.1");
        assert!(matches!(opened, Err(StoreError::Unusable(_))), "{opened:?}");
    }
}
