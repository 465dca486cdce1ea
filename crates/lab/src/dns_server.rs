//! The DNS server: one UDP socket and one TCP listener on the same port.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use hickory_proto::ProtoError;
use hickory_proto::op::{Edns, Message, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::opt::EdnsOption;
use hickory_proto::rr::rdata::{A, AAAA, CNAME, MX, NULL, SOA, TXT};
use hickory_proto::rr::{Name, RData, Record, RecordType as WireType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::accepting::serve_each;
use crate::dns::{DnsQuery, Zone, key};
use crate::dns_answer::{Delivery, DnsAnswer, OverTcp, Section, Soa};
use crate::dns_record::{DnsRecord, Rcode, RecordData, RecordType};
use crate::lifetime::LIFETIME;

/// Questions over UDP that may wait at once; further ones are dropped, as a busy server does.
const MAX_DATAGRAMS: usize = 256;
/// TCP connections at once; further ones wait in the backlog.
const MAX_CONNECTIONS: usize = 64;
/// The UDP payload of a client without EDNS (RFC 1035 §2.3.4).
const PLAIN_PAYLOAD: usize = 512;
/// RFC 8914 §2: the option code of an extended DNS error.
const EXTENDED_ERROR: u16 = 15;

/// What to do with a question.
enum Reply {
    Message(Vec<u8>),
    Nothing,
    Close,
    Reset,
}

pub(crate) async fn serve_udp(socket: UdpSocket, zone: Zone) {
    let socket = Arc::new(socket);
    let mut tasks = JoinSet::new();
    let mut buffer = vec![0; 4096];
    loop {
        let (length, peer) = match socket.recv_from(&mut buffer).await {
            Ok(datagram) => datagram,
            // An earlier reply met a closed port; the socket itself is well.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => continue,
            Err(_) => return,
        };
        while tasks.try_join_next().is_some() {}
        if tasks.len() >= MAX_DATAGRAMS {
            continue;
        }
        let (socket, zone) = (Arc::clone(&socket), zone.clone());
        let question = buffer.get(..length).unwrap_or_default().to_vec();
        tasks.spawn(timeout(LIFETIME, async move {
            if let Reply::Message(octets) = reply(&zone, &question, false).await {
                // A client that has gone away is no concern of the server's.
                let _ = socket.send_to(&octets, peer).await;
            }
        }));
    }
}

pub(crate) async fn serve_tcp(listener: TcpListener, zone: Zone) {
    let each = |stream| {
        let zone = zone.clone();
        async move { converse(stream, &zone).await }
    };
    serve_each(listener, MAX_CONNECTIONS, each).await;
}

async fn converse(mut stream: TcpStream, zone: &Zone) -> io::Result<()> {
    loop {
        let length = stream.read_u16().await?;
        let mut question = vec![0; usize::from(length)];
        stream.read_exact(&mut question).await?;
        match reply(zone, &question, true).await {
            Reply::Message(octets) => {
                let length = u16::try_from(octets.len()).unwrap_or(u16::MAX);
                stream.write_all(&[&length.to_be_bytes(), octets.as_slice()].concat()).await?;
            }
            Reply::Nothing => {}
            Reply::Close => return Ok(()),
            Reply::Reset => return stream.set_zero_linger(),
        }
    }
}

async fn reply(zone: &Zone, question: &[u8], over_tcp: bool) -> Reply {
    let Ok(request) = Message::from_vec(question) else { return malformed(question) };
    let [query] = request.queries.as_slice() else { return malformed(question) };
    let rtype = RecordType::from(u16::from(query.query_type()));
    let name = key(&query.name().to_ascii());
    let edns = request.edns.is_some();
    zone.log(DnsQuery { name: name.clone(), rtype, over_tcp, edns });

    let answer = match request.metadata.op_code {
        OpCode::Query => zone.answer(&name, rtype),
        _ => DnsAnswer::rcode(Rcode::NOTIMP),
    };
    if let Some(gate) = &answer.gate {
        gate.passed().await;
    }
    let cut = match answer.delivery {
        Delivery::Silent => return Reply::Nothing,
        Delivery::Raw(ref octets) => return Reply::Message(octets.clone()),
        Delivery::Truncated(_) if !over_tcp => true,
        Delivery::Truncated(OverTcp::Close) => return Reply::Close,
        Delivery::Truncated(OverTcp::Reset) => return Reply::Reset,
        Delivery::Truncated(OverTcp::Silence) => return Reply::Nothing,
        Delivery::Truncated(then) => then == OverTcp::Truncate,
        Delivery::Whole
        | Delivery::CutShort(_)
        | Delivery::NoQuestion
        | Delivery::WrongQuestion
        | Delivery::WrongId => false,
    };
    encode(&request, query, &answer, if over_tcp { usize::from(u16::MAX) } else { 0 }, cut)
}

/// Encodes within `room` octets, or within what the client says it takes if that is more; what
/// does not fit is cut.
fn encode(request: &Message, query: &Query, answer: &DnsAnswer, room: usize, cut: bool) -> Reply {
    let whole = respond(request, query, answer)
        .and_then(|message| Ok((message.to_vec()?, message)))
        .or_else(|error| {
            // The tester set something that has no form on the wire: say so where it is seen.
            let answer = DnsAnswer::rcode(Rcode::SERVFAIL)
                .extended_error(0, format!("lab: cannot encode this answer: {error}"));
            let message = respond(request, query, &answer)?;
            Ok::<_, ProtoError>((message.to_vec()?, message))
        });
    let Ok((mut octets, mut message)) = whole else { return Reply::Nothing };
    if let Delivery::CutShort(length) = answer.delivery {
        octets.truncate(length);
    }
    let payload = request.edns.as_ref().map_or(0, |edns| usize::from(edns.max_payload()));
    if !cut && octets.len() <= room.max(payload).max(PLAIN_PAYLOAD) {
        return Reply::Message(octets);
    }
    message.answers.clear();
    message.authorities.clear();
    message.metadata.truncation = true;
    message.to_vec().map_or(Reply::Nothing, Reply::Message)
}

fn respond(request: &Message, query: &Query, answer: &DnsAnswer) -> Result<Message, ProtoError> {
    let id = match answer.delivery {
        Delivery::WrongId => request.metadata.id ^ 0x5555,
        _ => request.metadata.id,
    };
    let mut message = Message::response(id, request.metadata.op_code);
    message.metadata.recursion_desired = request.metadata.recursion_desired;
    message.metadata.recursion_available = true;
    message.metadata.checking_disabled = request.metadata.checking_disabled;
    message.metadata.response_code = match answer.rcode {
        // The upper bits of the code travel in the EDNS record (RFC 6891 §6.1.3).
        Rcode(code) if code > 15 && request.edns.is_none() => ResponseCode::ServFail,
        Rcode(code) => code.into(),
    };
    match answer.delivery {
        Delivery::NoQuestion => {}
        Delivery::WrongQuestion => {
            let name = Name::from_ascii("wrong-question.test.")?;
            message.add_query(Query::query(name, query.query_type()));
        }
        _ => {
            message.add_query(query.clone());
        }
    }
    for record in &answer.records {
        let record = wire_record(record, query.name())?;
        match answer.section {
            Section::Answer => message.add_answer(record),
            Section::Authority => message.add_authority(record),
            Section::Additional => message.add_additional(record),
        };
    }
    if let Some(soa) = &answer.soa {
        message.add_authority(wire_soa(soa, query.name())?);
    }
    if let Some(asked) = &request.edns {
        let mut edns = Edns::new();
        edns.set_version(0).set_max_payload(1232).set_dnssec_ok(asked.flags().dnssec_ok);
        if let Some((code, text)) = &answer.extended_error {
            let option = [&code.to_be_bytes(), text.as_bytes()].concat();
            edns.options_mut().insert(EdnsOption::Unknown(EXTENDED_ERROR, option));
        }
        message.set_edns(edns);
    }
    Ok(message)
}

fn wire_record(record: &DnsRecord, asked: &Name) -> Result<Record, ProtoError> {
    let name = |text: &str| match text {
        "@" => Ok(asked.clone()),
        text => absolute(text),
    };
    let data = match &record.data {
        RecordData::Address(IpAddr::V4(address)) => RData::A(A(*address)),
        RecordData::Address(IpAddr::V6(address)) => RData::AAAA(AAAA(*address)),
        RecordData::Cname(target) => RData::CNAME(CNAME(name(target)?)),
        RecordData::Mx(preference, exchange) => RData::MX(MX::new(*preference, name(exchange)?)),
        RecordData::Txt(strings) => {
            RData::TXT(TXT::from_bytes(strings.iter().map(Vec::as_slice).collect()))
        }
        RecordData::Raw(rtype, octets) => {
            RData::Unknown { code: WireType::Unknown(*rtype), rdata: NULL::with(octets.clone()) }
        }
    };
    let owner = record.owner.as_deref().map_or_else(|| Ok(asked.clone()), name)?;
    Ok(Record::from_rdata(owner, record.ttl, data))
}

/// The SOA of a zone made up for the occasion: the last two labels of the name.
fn wire_soa(soa: &Soa, asked: &Name) -> Result<Record, ProtoError> {
    let under = soa.under.as_deref().map_or_else(|| Ok(asked.clone()), absolute)?;
    let zone = under.trim_to(2);
    let data = SOA::new(
        absolute("ns.lab.test")?,
        absolute("hostmaster.lab.test")?,
        1,
        3600,
        600,
        86_400,
        soa.minimum,
    );
    Ok(Record::from_rdata(zone, soa.ttl, RData::SOA(data)))
}

fn absolute(name: &str) -> Result<Name, ProtoError> {
    let mut name = Name::from_ascii(name)?;
    name.set_fqdn(true);
    Ok(name)
}

/// FORMERR with the id of the question, where there is one.
fn malformed(question: &[u8]) -> Reply {
    match question {
        [high, low, ..] if question.len() >= 12 => {
            let id = u16::from_be_bytes([*high, *low]);
            let message = Message::error_msg(id, OpCode::Query, ResponseCode::FormErr);
            message.to_vec().map_or(Reply::Nothing, Reply::Message)
        }
        _ => Reply::Nothing,
    }
}
