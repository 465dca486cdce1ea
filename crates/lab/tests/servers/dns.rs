//! DNS: each behaviour, as hickory-resolver or a bare socket sees it.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::{DnsError, NetError, NoRecords};
use hickory_resolver::proto::op::{Edns, Message, OpCode, Query, ResponseCode};
use hickory_resolver::proto::rr::rdata::opt::{EdnsCode, EdnsOption};
use hickory_resolver::proto::rr::{Name, RData, RecordType as Type};
use mta_sts_lab::{DnsAnswer, DnsRecord, Lab, OverTcp, Rcode, RecordData, RecordType, Section};

use crate::client::resolver;

const NAME: &str = "_mta-sts.example.com";
const RECORD: &str = "v=STSv1; id=1;";
/// Long enough never to matter: what is asked is answered.
const LONG: Duration = Duration::from_secs(20);
/// For what is never answered.
const SHORT: Duration = Duration::from_millis(200);

async fn ask(lab: &Lab, answer: DnsAnswer) -> Result<Lookup, NetError> {
    ask_within(lab.dns_addr(), lab, answer, LONG).await
}

async fn ask_within(
    server: SocketAddr,
    lab: &Lab,
    answer: DnsAnswer,
    patience: Duration,
) -> Result<Lookup, NetError> {
    lab.dns().set(NAME, RecordType::Txt, answer);
    lab.dns().queries().take();
    resolver(server, patience).lookup(format!("{NAME}."), Type::TXT).await
}

fn texts(lookup: &Lookup) -> Vec<Vec<Vec<u8>>> {
    let texts = lookup.answers().iter().filter_map(|record| match &record.data {
        RData::TXT(txt) => Some(txt.txt_data.iter().map(|string| string.to_vec()).collect()),
        _ => None,
    });
    texts.collect()
}

fn absent(result: Result<Lookup, NetError>) -> NoRecords {
    match result {
        Err(NetError::Dns(DnsError::NoRecordsFound(no_records))) => no_records,
        other => panic!("not a negative answer: {other:?}"),
    }
}

fn transports(lab: &Lab) -> Vec<bool> {
    lab.dns().queries().take().iter().map(|query| query.over_tcp).collect()
}

fn record() -> DnsAnswer {
    DnsAnswer::txt([RECORD], 300)
}

/// Sends one question over UDP without a resolver's opinion, and reads what comes.
fn bare(lab: &Lab, edns: bool, op_code: OpCode) -> Vec<u8> {
    let mut message = Message::query();
    message.metadata.id = 0x1234;
    message.metadata.op_code = op_code;
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(Name::from_ascii("_MTA-sts.Example.com.").unwrap(), Type::TXT));
    if edns {
        message.set_edns(Edns::new());
    }
    exchange(lab, &message.to_vec().unwrap())
}

fn exchange(lab: &Lab, octets: &[u8]) -> Vec<u8> {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(LONG)).unwrap();
    socket.send_to(octets, lab.dns_addr()).unwrap();
    let mut buffer = vec![0; 4096];
    let length = socket.recv(&mut buffer).unwrap();
    buffer.truncate(length);
    buffer
}

#[tokio::test]
async fn ok_records_come_as_they_were_set() {
    let lab = Lab::start().unwrap();
    let strings: [&[u8]; 3] = [b"v=STSv1; ", b"", b"id=\xff;"];
    let found = ask(&lab, DnsAnswer::txt(strings, 300)).await.unwrap();
    assert_eq!(texts(&found), [strings.map(<[u8]>::to_vec).to_vec()]);
    assert_eq!(found.answers()[0].ttl, 300);
    let question = lab.dns().queries().all().remove(0);
    assert_eq!((question.name.as_str(), question.rtype), (NAME, RecordType::Txt));
    assert!(question.edns && !question.over_tcp);

    lab.dns().txt_records(NAME, [vec!["a", "b"], vec!["c"]], 9);
    let resolver = resolver(lab.dns_addr(), LONG);
    let found = resolver.lookup(format!("{NAME}."), Type::TXT).await.unwrap();
    assert_eq!(texts(&found), [vec![b"a".to_vec(), b"b".to_vec()], vec![b"c".to_vec()]]);

    let raw = DnsRecord::new(5, RecordData::Raw(RecordType::Txt.number(), b"\x01x\x02yz".into()));
    let found = ask(&lab, DnsAnswer::records([raw])).await.unwrap();
    assert_eq!(texts(&found), [[b"x".to_vec(), b"yz".to_vec()]]);
}

#[tokio::test]
async fn ok_ttls_of_zero_and_of_the_maximum() {
    let lab = Lab::start().unwrap();
    for ttl in [0, u32::MAX] {
        let found = ask(&lab, DnsAnswer::txt([RECORD], ttl)).await.unwrap();
        assert_eq!(found.answers()[0].ttl, ttl);
    }
}

#[tokio::test]
async fn ok_addresses_and_mx_hosts() {
    let lab = Lab::start().unwrap();
    let resolver = resolver(lab.dns_addr(), LONG);
    let addresses: Vec<IpAddr> =
        ["127.0.0.1", "10.0.0.1", "::1"].map(|text| text.parse().unwrap()).to_vec();
    lab.dns().addresses("mta-sts.example.com", addresses.clone(), 60);
    let mut found = Vec::new();
    for rtype in [Type::A, Type::AAAA] {
        let lookup = resolver.lookup("mta-sts.example.com.", rtype).await.unwrap();
        found.extend(lookup.answers().iter().filter_map(|record| record.data.ip_addr()));
    }
    assert_eq!(found, addresses);

    lab.dns().mx("example.com", [(10, "mx.example.com")], 60);
    let lookup = resolver.lookup("example.com.", Type::MX).await.unwrap();
    let RData::MX(mx) = &lookup.answers()[0].data else { panic!("{lookup:?}") };
    assert_eq!((mx.preference, mx.exchange.to_ascii()), (10, "mx.example.com.".to_owned()));

    lab.dns().addresses("mta-sts.example.com", [], 60);
    let none = absent(resolver.lookup("mta-sts.example.com.", Type::A).await);
    assert_eq!(none.response_code, ResponseCode::NXDomain);
}

#[tokio::test]
async fn err_negative_answers_have_their_code_and_their_soa() {
    let lab = Lab::start().unwrap();
    for (answer, code, ttl) in [
        (DnsAnswer::nxdomain(77), ResponseCode::NXDomain, Some(77)),
        (DnsAnswer::no_data(78), ResponseCode::NoError, Some(78)),
        (DnsAnswer::no_data(1).soa(604_800, 30), ResponseCode::NoError, Some(30)),
        (DnsAnswer::nxdomain(1).without_soa(), ResponseCode::NXDomain, None),
        (DnsAnswer::lame(), ResponseCode::NoError, None),
    ] {
        let none = absent(ask(&lab, answer).await);
        assert_eq!((none.response_code, none.negative_ttl), (code, ttl));
        assert_eq!(none.soa.is_some(), ttl.is_some());
    }
}

#[tokio::test]
async fn err_names_that_were_not_set() {
    let lab = Lab::start().unwrap();
    let resolver = resolver(lab.dns_addr(), LONG);
    lab.dns().txt(NAME, [RECORD], 60);
    for (name, code) in [
        ("_mta-sts.example.com.", ResponseCode::NoError),
        ("example.com.", ResponseCode::NoError),
        ("ample.com.", ResponseCode::NXDomain),
        ("example.net.", ResponseCode::NXDomain),
    ] {
        let none = absent(resolver.lookup(name, Type::A).await);
        assert_eq!((none.response_code, none.negative_ttl), (code, Some(60)), "{name}");
    }
    lab.dns().set_unknown(DnsAnswer::rcode(Rcode::REFUSED));
    let refused = resolver.lookup("example.net.", Type::A).await;
    assert!(
        matches!(refused, Err(NetError::Dns(DnsError::ResponseCode(ResponseCode::Refused)))),
        "{refused:?}"
    );
    lab.dns().clear();
    let none = absent(resolver.lookup(format!("{NAME}."), Type::TXT).await);
    assert_eq!(none.response_code, ResponseCode::NXDomain);
}

#[tokio::test]
async fn err_response_codes() {
    let lab = Lab::start().unwrap();
    for rcode in [
        Rcode::FORMERR,
        Rcode::SERVFAIL,
        Rcode::NOTIMP,
        Rcode::REFUSED,
        Rcode::YXDOMAIN,
        Rcode::NOTAUTH,
        Rcode::NOTZONE,
        Rcode::BADVERS,
    ] {
        let Err(NetError::Dns(DnsError::ResponseCode(code))) =
            ask(&lab, DnsAnswer::rcode(rcode)).await
        else {
            panic!("{rcode:?}")
        };
        assert_eq!(u16::from(code), rcode.0);
    }
    let contradiction = ask(&lab, record().with_rcode(Rcode(12))).await.unwrap();
    assert_eq!(contradiction.message().metadata.response_code, ResponseCode::Unknown(12));
}

#[test]
fn ok_messages_are_well_formed() {
    let lab = Lab::start().unwrap();
    lab.dns().set(NAME, RecordType::Txt, DnsAnswer::rcode(Rcode::BADVERS));
    for (edns, code) in [(true, ResponseCode::BADSIG), (false, ResponseCode::ServFail)] {
        // An extended code has no place in a message without EDNS; 16 has two names.
        let reply = Message::from_vec(&bare(&lab, edns, OpCode::Query)).unwrap();
        assert_eq!(reply.metadata.response_code, code);
    }
    lab.dns().set(NAME, RecordType::Txt, record().extended_error(3, "stale"));
    for edns in [true, false] {
        let reply = Message::from_vec(&bare(&lab, edns, OpCode::Query)).unwrap();
        assert_eq!(reply.metadata.id, 0x1234);
        assert!(reply.metadata.recursion_available && reply.metadata.recursion_desired);
        assert_eq!(reply.queries[0].name().to_ascii(), "_MTA-sts.Example.com.");
        assert_eq!(reply.answers.len(), 1);
        let option = reply.edns.map(|edns| edns.option(EdnsCode::Unknown(15)).cloned());
        let error = EdnsOption::Unknown(15, b"\x00\x03stale".to_vec());
        assert_eq!(option, edns.then_some(Some(error)));
    }
}

#[test]
fn err_questions_that_the_server_does_not_take() {
    let lab = Lab::start().unwrap();
    let reply = Message::from_vec(&bare(&lab, false, OpCode::Status)).unwrap();
    assert_eq!(reply.metadata.response_code, ResponseCode::NotImp);
    let reply = Message::from_vec(&exchange(&lab, &[7; 20])).unwrap();
    assert_eq!(reply.metadata.response_code, ResponseCode::FormErr);
    assert_eq!(reply.metadata.id, 0x0707);
}

#[test]
fn err_extended_error_of_a_failure() {
    let lab = Lab::start().unwrap();
    let answer = DnsAnswer::rcode(Rcode::SERVFAIL).extended_error(6, "bogus");
    lab.dns().set(NAME, RecordType::Txt, answer);
    let reply = Message::from_vec(&bare(&lab, true, OpCode::Query)).unwrap();
    assert_eq!(reply.metadata.response_code, ResponseCode::ServFail);
    let option = reply.edns.unwrap().option(EdnsCode::Unknown(15)).cloned();
    assert_eq!(option, Some(EdnsOption::Unknown(15, b"\x00\x06bogus".to_vec())));
}

#[tokio::test]
async fn err_replies_that_are_none() {
    let lab = Lab::start().unwrap();
    for answer in [
        DnsAnswer::silence(),
        record().wrong_id(),
        DnsAnswer::raw(*b"this is no DNS message"),
        record().truncated_then(OverTcp::Silence),
    ] {
        let result = ask_within(lab.dns_addr(), &lab, answer.clone(), SHORT).await;
        assert!(matches!(result, Err(NetError::Timeout)), "{answer:?}: {result:?}");
        assert!(!transports(&lab).is_empty(), "{answer:?}");
    }
    for (answer, id, name) in [
        (record().wrong_id(), 0x1234 ^ 0x5555, "_MTA-sts.Example.com."),
        (record().wrong_question(), 0x1234, "wrong-question.test."),
    ] {
        lab.dns().set(NAME, RecordType::Txt, answer);
        let reply = Message::from_vec(&bare(&lab, true, OpCode::Query)).unwrap();
        assert_eq!((reply.metadata.id, reply.queries[0].name().to_ascii()), (id, name.into()));
    }
    lab.dns().set(NAME, RecordType::Txt, DnsAnswer::raw(*b"garbage"));
    assert_eq!(bare(&lab, true, OpCode::Query), b"garbage");
}

#[test]
fn err_replies_that_are_cut_short_or_misplaced() {
    let lab = Lab::start().unwrap();
    lab.dns().set(NAME, RecordType::Txt, record());
    let whole = bare(&lab, true, OpCode::Query);
    for octets in [0, 7, 40] {
        lab.dns().set(NAME, RecordType::Txt, record().cut_short(octets));
        assert_eq!(bare(&lab, true, OpCode::Query), whole[..octets]);
    }
    lab.dns().set(NAME, RecordType::Txt, record().without_question());
    let reply = Message::from_vec(&bare(&lab, true, OpCode::Query)).unwrap();
    assert_eq!((reply.metadata.id, reply.queries.len(), reply.answers.len()), (0x1234, 0, 1));
    for (section, counts) in [
        (Section::Answer, [1, 0, 0]),
        (Section::Authority, [0, 1, 0]),
        (Section::Additional, [0, 0, 1]),
    ] {
        lab.dns().set(NAME, RecordType::Txt, record().in_section(section));
        let reply = Message::from_vec(&bare(&lab, true, OpCode::Query)).unwrap();
        let found = [&reply.answers, &reply.authorities, &reply.additionals].map(Vec::len);
        assert_eq!(found, counts, "{section:?}");
    }
}

#[tokio::test]
async fn ok_truncated_over_udp_and_whole_over_tcp() {
    let lab = Lab::start().unwrap();
    let found = ask(&lab, record().truncated()).await.unwrap();
    assert_eq!(texts(&found), [[RECORD.as_bytes()]]);
    assert_eq!(transports(&lab), [false, true]);

    let found = ask(&lab, DnsAnswer::bulk_txt(60_000, 60)).await.unwrap();
    assert_eq!(texts(&found).concat().concat().len(), 60_000);
    assert_eq!(transports(&lab), [false, true]);
}

#[tokio::test]
async fn err_truncated_and_not_to_be_had_over_tcp() {
    let lab = Lab::start().unwrap();
    for tcp in [OverTcp::Close, OverTcp::Reset, OverTcp::Truncate] {
        let result = ask(&lab, record().truncated_then(tcp)).await;
        assert!(matches!(result, Err(NetError::Truncated)), "{tcp:?}: {result:?}");
        assert!(transports(&lab).contains(&true), "{tcp:?}");
    }
    let result = ask_within(lab.dns_addr_without_tcp(), &lab, record().truncated(), LONG).await;
    assert!(matches!(result, Err(NetError::Truncated)), "{result:?}");
    assert_eq!(transports(&lab), [false]);
    let found = ask_within(lab.dns_addr_without_tcp(), &lab, record(), LONG).await.unwrap();
    assert_eq!(texts(&found), [[RECORD.as_bytes()]]);
}

#[tokio::test]
async fn ok_behind_aliases() {
    let lab = Lab::start().unwrap();
    for depth in [1, 3, 20] {
        let found = ask(&lab, record().behind_cnames(depth)).await.unwrap();
        assert_eq!(found.answers().len(), usize::from(depth) + 1);
        assert_eq!(texts(&found), [[RECORD.as_bytes()]]);
    }
    lab.dns().cname("alias.example.net", NAME, 60);
    let resolver = resolver(lab.dns_addr(), LONG);
    let found = resolver.lookup("alias.example.net.", Type::TXT).await.unwrap();
    assert_eq!(texts(&found), [[RECORD.as_bytes()]]);
    let link = resolver.lookup("cname-20._mta-sts.example.com.", Type::TXT).await.unwrap();
    assert_eq!(link.answers().len(), 1);
}

#[tokio::test]
async fn err_behind_aliases() {
    let lab = Lab::start().unwrap();
    let dangling = absent(ask(&lab, DnsAnswer::nxdomain(66).behind_cnames(2)).await);
    assert_eq!(dangling.response_code, ResponseCode::NXDomain);
    assert_eq!(dangling.negative_ttl, Some(66));
    let no_data = absent(ask(&lab, DnsAnswer::no_data(67).behind_cnames(1)).await);
    assert_eq!(no_data.response_code, ResponseCode::NoError);
    assert_eq!(no_data.negative_ttl, Some(67));

    let circle = absent(ask(&lab, DnsAnswer::cname_loop()).await);
    assert_eq!((circle.response_code, circle.soa), (ResponseCode::NoError, None));
    lab.dns().cname("a.example.net", "b.example.net", 60);
    lab.dns().cname("b.example.net", "a.example.net", 60);
    let resolver = resolver(lab.dns_addr(), LONG);
    let circle = absent(resolver.lookup("a.example.net.", Type::TXT).await);
    assert_eq!((circle.response_code, circle.soa), (ResponseCode::NoError, None));
}

#[tokio::test]
async fn err_an_answer_that_cannot_be_encoded_says_so() {
    let lab = Lab::start().unwrap();
    let long = DnsAnswer::txt([[b'x'; 256]], 60);
    let no_name = DnsAnswer::records([DnsRecord::new(60, RecordData::Cname("a..b".into()))]);
    for answer in [long, no_name] {
        lab.dns().set(NAME, RecordType::Txt, answer);
        let reply = Message::from_vec(&bare(&lab, true, OpCode::Query)).unwrap();
        assert_eq!(reply.metadata.response_code, ResponseCode::ServFail);
        let option = reply.edns.unwrap().option(EdnsCode::Unknown(15)).cloned();
        let Some(EdnsOption::Unknown(15, text)) = option else { panic!("{option:?}") };
        assert!(text.starts_with(b"\x00\x00lab: cannot encode"), "{text:?}");
    }
}
