//! DNS by hickory-resolver.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::future::{Either, select};
use futures_util::{Stream, StreamExt, TryFutureExt};
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::xfer::{DnsExchange, DnsHandle};
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::{DnsRequest, DnsResponse, ResponseCode};
use hickory_resolver::proto::rr::rdata::opt::{EdnsCode, EdnsOption};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use hickory_resolver::{ConnectionProvider, PoolContext, Resolver};
use mta_sts::{DnsFailure, DnsFailureKind, ExtendedDnsError};
use tokio::time::timeout;

use crate::{BoxFuture, BuildError, Dns, MxAnswer, MxHost, TxtAnswer};

/// How long the addresses of one family wait for those of the other.
const OTHER_FAMILY: Duration = Duration::from_secs(1);

/// DNS by hickory-resolver. Its futures must be polled on a tokio runtime.
///
/// Every question is a resolver of its own: without a cache, and without the pool in which
/// hickory would let it wait for the answer to an equal question that somebody asked before.
#[derive(Clone)]
pub struct HickoryDns {
    config: ResolverConfig,
    options: ResolverOpts,
}

impl HickoryDns {
    /// The resolvers of the operating system, such as those of `/etc/resolv.conf`.
    ///
    /// # Errors
    /// [`BuildError::Resolver`] where they cannot be told.
    pub fn system() -> Result<Self, BuildError> {
        let (config, options) = hickory_resolver::system_conf::read_system_conf()
            .map_err(|error| BuildError::Resolver(error.to_string()))?;
        Ok(Self::with_config(config, options))
    }

    /// These resolvers, by UDP, and by TCP what does not fit. Each question goes to two of them at
    /// a time, waits 5 s and is asked once more.
    pub fn servers(servers: impl IntoIterator<Item = SocketAddr>) -> Self {
        let server = |server: SocketAddr| {
            let (mut udp, mut tcp) = (ConnectionConfig::udp(), ConnectionConfig::tcp());
            udp.port = server.port();
            tcp.port = server.port();
            NameServerConfig::new(server.ip(), true, vec![udp, tcp])
        };
        let servers = servers.into_iter().map(server).collect();
        let mut options = ResolverOpts::default();
        options.attempts = 1;
        Self::with_config(ResolverConfig::from_parts(None, Vec::new(), servers), options)
    }

    /// A configuration of hickory-resolver. Its search list and its options for caches, the hosts
    /// file and EDNS do not count.
    pub fn with_config(config: ResolverConfig, mut options: ResolverOpts) -> Self {
        options.cache_size = 0;
        options.use_hosts_file = ResolveHosts::Never;
        // Without it no extended error would be sent.
        options.edns0 = true;
        options.preserve_intermediates = false;
        options.positive_max_ttl = Some(Duration::from_secs(u64::from(u32::MAX)));
        Self { config, options }
    }

    async fn ask(&self, name: &str, kind: RecordType) -> Result<Answer, DnsFailure> {
        let malformed = |_| DnsFailure::new(DnsFailureKind::Malformed);
        let mut name = Name::from_ascii(name).map_err(malformed)?;
        name.set_fqdn(true);
        let tap = Tap { inner: TokioRuntimeProvider::default(), extended: Extended::default() };
        let extended = tap.extended.clone();
        let resolver = Resolver::builder_with_config(self.config.clone(), tap)
            .with_options(self.options.clone())
            .build()
            .map_err(|_| DnsFailure::new(DnsFailureKind::Network))?;
        let failed = |kind: DnsFailureKind| match extended.last() {
            Some(error) => DnsFailure::new(kind).extended(error),
            None => DnsFailure::new(kind),
        };
        match resolver.lookup(name.clone(), kind).await {
            Ok(lookup) => {
                // Records beside an error contradict themselves: such a reply says nothing.
                let code = lookup.message().metadata.response_code;
                if code != ResponseCode::NoError {
                    return Err(failed(by_code(code)));
                }
                found(lookup.answers(), &name, kind).ok_or_else(|| failed(DnsFailureKind::Unproven))
            }
            Err(error) => absence(&error).ok_or_else(|| failed(failure(&error))),
        }
    }
}

/// Records of the one type that was asked for, or the proof that there are none.
enum Answer {
    Records { data: Vec<RData>, ttl: u32 },
    Absent { ttl: u32 },
}

/// The records of the wanted type: those of `name` itself, or those at the end of its CNAMEs.
fn found(answers: &[Record], name: &Name, kind: RecordType) -> Option<Answer> {
    let wanted = |record: &&Record| record.record_type() == kind;
    let first = answers.iter().find(wanted)?;
    let own = answers.iter().filter(wanted).any(|record| record.name == *name);
    let owner = if own { name } else { &first.name };
    let ttl = answers.iter().map(|record| record.ttl).min().unwrap_or(0);
    let of_owner = answers.iter().filter(wanted).filter(|record| record.name == *owner);
    Some(Answer::Records { data: of_owner.map(|record| record.data.clone()).collect(), ttl })
}

/// Whether the error is none, but the proof that there is no such record. NODATA needs an SOA
/// (RFC 2308 §2.2): without it a lame server, or an alias that leads nowhere, looks the same.
fn absence(error: &NetError) -> Option<Answer> {
    let NetError::Dns(DnsError::NoRecordsFound(none)) = error else {
        return None;
    };
    let proven = match none.response_code {
        ResponseCode::NXDomain => true,
        ResponseCode::NoError => none.soa.is_some(),
        _ => false,
    };
    proven.then(|| Answer::Absent { ttl: none.negative_ttl.unwrap_or(0) })
}

fn failure(error: &NetError) -> DnsFailureKind {
    match error {
        NetError::Timeout => DnsFailureKind::Timeout,
        NetError::Dns(DnsError::ResponseCode(code)) => by_code(*code),
        NetError::Dns(DnsError::NoRecordsFound(none)) => match none.response_code {
            ResponseCode::NoError => DnsFailureKind::Unproven,
            code => by_code(code),
        },
        NetError::Dns(DnsError::DnssecBogus) => DnsFailureKind::Bogus,
        NetError::Proto(_) | NetError::QueryCaseMismatch | NetError::ForeignClassRecord { .. } => {
            DnsFailureKind::Malformed
        }
        // Cut short over UDP, and over TCP there was no whole one either: the way is broken.
        _ => DnsFailureKind::Network,
    }
}

/// The failure that a response code stands for. A code that is an answer by itself is a failure
/// here, because what came with the code contradicts it.
fn by_code(code: ResponseCode) -> DnsFailureKind {
    let code = code.into();
    DnsFailureKind::from_rcode(code).unwrap_or(DnsFailureKind::ResponseCode(code))
}

impl Dns for HickoryDns {
    fn txt<'a>(&'a self, name: &'a str) -> BoxFuture<'a, TxtAnswer> {
        Box::pin(async move {
            match self.ask(name, RecordType::TXT).await {
                Ok(Answer::Records { data, ttl }) => {
                    let records = data.iter().filter_map(|data| match data {
                        RData::TXT(txt) => Some(txt.txt_data.iter().map(|s| s.to_vec()).collect()),
                        _ => None,
                    });
                    TxtAnswer::Records { records: records.collect(), ttl }
                }
                Ok(Answer::Absent { ttl }) => TxtAnswer::Absent { ttl },
                Err(failure) => TxtAnswer::Failed(failure),
            }
        })
    }

    fn addresses<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, DnsFailure>> {
        Box::pin(async move {
            let ask = |kind| self.ask(host, kind).map_ok(addresses);
            let (v4, v6) = both(ask(RecordType::A), ask(RecordType::AAAA)).await;
            match (v4, v6) {
                (Ok(v4), Ok(v6)) => Ok(alternate(v4, v6)),
                // What is known is enough, whatever became of the other question.
                (Ok(some), Err(_)) | (Err(_), Ok(some)) if !some.is_empty() => Ok(some),
                (Err(failure), _) | (_, Err(failure)) => Err(failure),
            }
        })
    }

    fn mx<'a>(&'a self, domain: &'a str) -> BoxFuture<'a, MxAnswer> {
        Box::pin(async move {
            match self.ask(domain, RecordType::MX).await {
                Ok(Answer::Records { data, .. }) => {
                    let hosts = data.iter().filter_map(|data| match data {
                        RData::MX(mx) => Some(MxHost {
                            preference: mx.preference,
                            exchange: mx.exchange.to_ascii().trim_end_matches('.').to_owned(),
                        }),
                        _ => None,
                    });
                    let mut hosts: Vec<_> = hosts.collect();
                    hosts.sort_by_key(|host| host.preference);
                    MxAnswer::Records(hosts)
                }
                Ok(Answer::Absent { .. }) => MxAnswer::Absent,
                Err(failure) => MxAnswer::Failed(failure),
            }
        })
    }
}

fn addresses(answer: Answer) -> Vec<IpAddr> {
    let Answer::Records { data, .. } = answer else {
        return Vec::new();
    };
    let address = |data: &RData| match data {
        RData::A(a) => Some(IpAddr::V4(a.0)),
        RData::AAAA(aaaa) => Some(IpAddr::V6(aaaa.0)),
        _ => None,
    };
    data.iter().filter_map(address).collect()
}

type Found = Result<Vec<IpAddr>, DnsFailure>;

/// The answers to both questions. Some resolvers, and what stands before them, answer to one of the
/// types and are silent to the other: once there are addresses, it is waited for briefly.
async fn both(v4: impl Future<Output = Found>, v6: impl Future<Output = Found>) -> (Found, Found) {
    match select(pin!(v4), pin!(v6)).await {
        Either::Left((v4, v6)) => {
            let v6 = briefly(&v4, v6).await;
            (v4, v6)
        }
        Either::Right((v6, v4)) => (briefly(&v6, v4).await, v6),
    }
}

async fn briefly(first: &Found, second: impl Future<Output = Found>) -> Found {
    if first.as_ref().map_or(true, Vec::is_empty) {
        return second.await;
    }
    let silent = |_| Err(DnsFailure::new(DnsFailureKind::Timeout));
    timeout(OTHER_FAMILY, second).await.unwrap_or_else(silent)
}

/// By turns, so that a family that leads nowhere does not use up all attempts.
fn alternate(v4: Vec<IpAddr>, v6: Vec<IpAddr>) -> Vec<IpAddr> {
    let mut all = Vec::with_capacity(v4.len() + v6.len());
    let (mut v4, mut v6) = (v4.into_iter(), v6.into_iter());
    loop {
        let pair = [v4.next(), v6.next()];
        if pair == [None, None] {
            return all;
        }
        all.extend(pair.into_iter().flatten());
    }
}

impl fmt::Debug for HickoryDns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let servers = self.config.name_servers().iter().map(|server| server.ip);
        f.debug_struct("HickoryDns")
            .field("servers", &servers.collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// The extended DNS error (RFC 8914) of the last reply. hickory drops it where the reply is an
/// error, so it is read off the wire before hickory does.
#[derive(Clone, Default)]
struct Extended(Arc<AtomicU32>);

impl Extended {
    /// The number of the EDNS option.
    const OPTION: u16 = 15;
    /// More than an info code: there was one.
    const SEEN: u32 = 1 << 16;

    fn note(&self, message: &DnsResponse) {
        let option =
            message.edns.as_ref().and_then(|edns| edns.option(EdnsCode::from(Self::OPTION)));
        let code = match option {
            Some(EdnsOption::Unknown(_, data)) => data.first_chunk().copied(),
            _ => None,
        };
        let seen = code.map_or(0, |code| Self::SEEN | u32::from(u16::from_be_bytes(code)));
        self.0.store(seen, Ordering::Relaxed);
    }

    fn last(&self) -> Option<ExtendedDnsError> {
        let seen = self.0.load(Ordering::Relaxed);
        let code = u16::try_from(seen.checked_sub(Self::SEEN)?).ok()?;
        Some(ExtendedDnsError(code))
    }
}

/// Connections whose replies are looked at before hickory takes them.
#[derive(Clone)]
struct Tap {
    inner: TokioRuntimeProvider,
    extended: Extended,
}

#[derive(Clone)]
struct TappedConnection {
    inner: DnsExchange<TokioRuntimeProvider>,
    extended: Extended,
}

impl ConnectionProvider for Tap {
    type Conn = TappedConnection;
    type FutureConn = Pin<Box<dyn Future<Output = Result<TappedConnection, NetError>> + Send>>;
    type RuntimeProvider = TokioRuntimeProvider;

    fn new_connection(
        &self,
        ip: IpAddr,
        config: &ConnectionConfig,
        context: &PoolContext,
    ) -> Result<Self::FutureConn, NetError> {
        let connecting = self.inner.new_connection(ip, config, context)?;
        let extended = self.extended.clone();
        Ok(Box::pin(async move { Ok(TappedConnection { inner: connecting.await?, extended }) }))
    }

    fn runtime_provider(&self) -> &Self::RuntimeProvider {
        &self.inner
    }
}

impl DnsHandle for TappedConnection {
    type Response = Pin<Box<dyn Stream<Item = Result<DnsResponse, NetError>> + Send>>;
    type Runtime = TokioRuntimeProvider;

    fn send(&self, request: DnsRequest) -> Self::Response {
        let extended = self.extended.clone();
        Box::pin(self.inner.send(request).inspect(move |reply| {
            if let Ok(message) = reply {
                extended.note(message);
            }
        }))
    }
}
