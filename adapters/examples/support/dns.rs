//! DNS by hand, on smol: one question, by UDP and where it must be by TCP, to a recursive resolver.
//!
//! Numbers are those of "What the driver owes the machine" in the documentation of `mta_sts`.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use hickory_proto::op::{DnsResponse, Edns, Message, Query, ResponseCode};
use hickory_proto::rr::rdata::opt::{EdnsCode, EdnsOption};
use hickory_proto::rr::{Name, RData, RecordType};
use mta_sts::{DnsFailure, DnsFailureKind, ExtendedDnsError};
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::net::{TcpStream, UdpSocket};

/// A resolver, which is asked and believed.
pub(crate) struct Resolver(pub(crate) SocketAddr);

/// What DNS said, if it said anything.
pub(crate) enum Answer {
    Records { data: Vec<RData>, ttl: u32 },
    Absent { ttl: u32 },
}

impl Resolver {
    /// Asks for exactly this name, by UDP, and by TCP what does not fit.
    pub(crate) async fn ask(&self, name: &str, kind: RecordType) -> Result<Answer, DnsFailure> {
        let malformed = |_| DnsFailure::new(DnsFailureKind::Malformed);
        let mut name = Name::from_ascii(name).map_err(malformed)?;
        name.set_fqdn(true);
        // A random id, and EDNS, without which there are no extended errors.
        let mut message = Message::query();
        message.metadata.recursion_desired = true;
        message.add_query(Query::query(name, kind));
        message.edns.get_or_insert_with(Edns::new).set_max_payload(1232);
        let octets = message.to_vec().map_err(malformed)?;
        let unreachable = |_| DnsFailure::new(DnsFailureKind::Network);
        let mut reply = self.by_udp(&message, &octets).await.map_err(unreachable)?;
        if reply.metadata.truncation {
            let octets = self.by_tcp(&octets).await.map_err(unreachable)?;
            let whole = DnsResponse::from_buffer(octets).map_err(malformed)?;
            if !answers(&whole, &message) || whole.metadata.truncation {
                return Err(DnsFailureKind::Malformed.into());
            }
            reply = whole;
        }
        read(&reply, kind).map_err(|kind| match extended(&reply) {
            Some(error) => DnsFailure::new(kind).extended(error),
            None => DnsFailure::new(kind),
        })
    }

    async fn by_udp(&self, asked: &Message, octets: &[u8]) -> io::Result<DnsResponse> {
        // Loopback, as the resolver is; a port that the system chooses; and connected, so that
        // nobody else's datagrams are heard.
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        socket.connect(self.0).await?;
        socket.send(octets).await?;
        let mut datagram = [0; 1232];
        loop {
            let length = socket.recv(&mut datagram).await?;
            let reply = DnsResponse::from_buffer(datagram[..length].to_vec());
            // What does not answer this question may be forged: the true reply may yet come.
            if let Some(reply) = reply.ok().filter(|reply| answers(reply, asked)) {
                return Ok(reply);
            }
        }
    }

    async fn by_tcp(&self, octets: &[u8]) -> io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect(self.0).await?;
        let length = u16::try_from(octets.len()).map_err(io::Error::other)?;
        stream.write_all(&[&length.to_be_bytes(), octets].concat()).await?;
        let mut length = [0; 2];
        stream.read_exact(&mut length).await?;
        let mut reply = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut reply).await?;
        Ok(reply)
    }
}

impl Answer {
    pub(crate) fn into_addresses(self) -> Vec<IpAddr> {
        let Self::Records { data, .. } = self else { return Vec::new() };
        let address = |data: &RData| match data {
            RData::A(a) => Some(IpAddr::V4(a.0)),
            RData::AAAA(aaaa) => Some(IpAddr::V6(aaaa.0)),
            _ => None,
        };
        data.iter().filter_map(address).collect()
    }
}

/// Whether a reply is one to this question.
fn answers(reply: &DnsResponse, asked: &Message) -> bool {
    reply.metadata.id == asked.metadata.id && reply.queries == asked.queries
}

/// (1) The resolver has followed the CNAMEs; what there is of the wanted type is the answer.
fn read(reply: &DnsResponse, kind: RecordType) -> Result<Answer, DnsFailureKind> {
    let ttl = reply.answers.iter().map(|record| record.ttl).min().unwrap_or(0);
    let data = reply.answers.iter().filter(|record| record.record_type() == kind);
    let data: Vec<_> = data.map(|record| record.data.clone()).collect();
    match (reply.metadata.response_code, reply.negative_ttl()) {
        (ResponseCode::NoError, _) if !data.is_empty() => Ok(Answer::Records { data, ttl }),
        (ResponseCode::NXDomain, ttl) if data.is_empty() => {
            Ok(Answer::Absent { ttl: ttl.unwrap_or(0) })
        }
        (ResponseCode::NoError, Some(ttl)) => Ok(Answer::Absent { ttl }),
        // RFC 2308 §2.2: without an SOA it is no NODATA, but a lame server or a loop of CNAMEs.
        (ResponseCode::NoError, None) => Err(DnsFailureKind::Unproven),
        (ResponseCode::ServFail, _) => Err(DnsFailureKind::ServerFailure),
        (ResponseCode::Refused, _) => Err(DnsFailureKind::Refused),
        (code, _) => Err(DnsFailureKind::ResponseCode(code.into())),
    }
}

/// (1) The extended DNS error, option 15 (RFC 8914 §2).
fn extended(reply: &DnsResponse) -> Option<ExtendedDnsError> {
    match reply.edns.as_ref()?.option(EdnsCode::from(15))? {
        EdnsOption::Unknown(_, data) => {
            data.first_chunk().map(|code| ExtendedDnsError(u16::from_be_bytes(*code)))
        }
        _ => None,
    }
}
