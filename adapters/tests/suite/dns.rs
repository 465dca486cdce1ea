//! What DNS may answer.

use std::net::{IpAddr, Ipv4Addr};

use mta_sts_testkit::lab::{DnsAnswer, DnsRecord, Lab, OverTcp, Rcode, RecordData, RecordType};

use super::{Case, Names, absent, found, no_record, stalls, unknown};

fn txt(lab: &Lab, names: &Names, answer: DnsAnswer) {
    lab.dns().set(&names.record, RecordType::Txt, answer);
}

fn good() -> DnsAnswer {
    DnsAnswer::txt(["v=STSv1; id=2;"], 300)
}

fn rcode(code: Rcode) -> DnsAnswer {
    DnsAnswer::rcode(code)
}

fn a(lab: &Lab, names: &Names, answer: DnsAnswer) {
    lab.dns().set(&names.host, RecordType::A, answer);
}

fn aaaa(lab: &Lab, names: &Names, answer: DnsAnswer) {
    lab.dns().set(&names.host, RecordType::Aaaa, answer);
}

fn here() -> IpAddr {
    Ipv4Addr::LOCALHOST.into()
}

/// The TXT question.
pub(crate) const TXT: &[Case] = &[
    found("a record", |_, _| {}),
    found("a record of several strings", |lab, names| {
        txt(lab, names, DnsAnswer::txt(["v=STS", "v1; id", "=2;"], 300));
    }),
    found("a record beside others", |lab, names| {
        let records = [["v=spf1 -all"], ["v=STSv1; id=2;"]];
        lab.dns().txt_records(&names.record, records, 300);
    }),
    found("a record without a TTL", |lab, names| {
        txt(lab, names, DnsAnswer::txt(["v=STSv1; id=2;"], 0));
    }),
    found("a record that fits no UDP reply", |lab, names| txt(lab, names, good().truncated())),
    found("an alias", |lab, names| txt(lab, names, good().behind_cnames(1))),
    found("a chain of aliases", |lab, names| txt(lab, names, good().behind_cnames(8))),
    found("an alias that only the client follows", |lab, names| {
        let target = format!("target.{}", names.record);
        txt(lab, names, DnsAnswer::cname(target.clone(), 60));
        lab.dns().set(&target, RecordType::Txt, good());
    }),
    no_record("no such name", |lab, names| txt(lab, names, DnsAnswer::nxdomain(60))),
    no_record("no such name, without an SOA", |lab, names| {
        txt(lab, names, DnsAnswer::nxdomain(60).without_soa());
    }),
    no_record("no TXT record at the name", |lab, names| txt(lab, names, DnsAnswer::no_data(60))),
    no_record("no MTA-STS record among the TXT records", |lab, names| {
        txt(lab, names, DnsAnswer::txt(["v=spf1 -all"], 300));
    }),
    no_record("an alias to no such name", |lab, names| {
        txt(lab, names, DnsAnswer::nxdomain(60).behind_cnames(1));
    }),
    no_record("an alias to a name without TXT records", |lab, names| {
        txt(lab, names, DnsAnswer::no_data(60).behind_cnames(1));
    }),
    absent("two records", "dns-several-records", |lab, names| {
        lab.dns().txt_records(&names.record, [["v=STSv1; id=2;"], ["v=STSv1; id=3;"]], 300);
    }),
    absent("a record without an id", "dns-record-malformed", |lab, names| {
        txt(lab, names, DnsAnswer::txt(["v=STSv1;"], 300));
    }),
    absent("a record with octets that are no text", "dns-record-malformed", |lab, names| {
        txt(lab, names, DnsAnswer::txt([b"v=STSv1; id=\xff;"], 300));
    }),
    unknown("an empty answer without an SOA", "dns-no-soa", |lab, names| {
        txt(lab, names, DnsAnswer::lame());
    }),
    unknown("aliases in a circle", "dns-no-soa", |lab, names| {
        txt(lab, names, DnsAnswer::cname_loop());
    }),
    unknown("records of another name", "dns-no-soa", |lab, names| {
        let record = DnsRecord::new(300, RecordData::Txt(vec![b"v=STSv1; id=2;".to_vec()]));
        txt(lab, names, DnsAnswer::records([record.owned_by("elsewhere.example")]));
    }),
    unknown("SERVFAIL", "dns-servfail", |lab, names| txt(lab, names, rcode(Rcode::SERVFAIL))),
    unknown("REFUSED", "dns-refused", |lab, names| txt(lab, names, rcode(Rcode::REFUSED))),
    unknown("FORMERR", "dns-formerr", |lab, names| txt(lab, names, rcode(Rcode::FORMERR))),
    unknown("NOTIMP", "dns-notimp", |lab, names| txt(lab, names, rcode(Rcode::NOTIMP))),
    unknown("YXDOMAIN", "dns-rcode-6", |lab, names| txt(lab, names, rcode(Rcode::YXDOMAIN))),
    unknown("a code that nobody knows", "dns-rcode-12", |lab, names| {
        txt(lab, names, rcode(Rcode(12)));
    }),
    unknown("a record with a code that nobody knows", "dns-rcode-12", |lab, names| {
        txt(lab, names, good().with_rcode(Rcode(12)));
    }),
    unknown("a record of no such name", "dns-rcode-3", |lab, names| {
        txt(lab, names, good().with_rcode(Rcode::NXDOMAIN));
    }),
    unknown("a record with SERVFAIL", "dns-servfail", |lab, names| {
        txt(lab, names, good().with_rcode(Rcode::SERVFAIL));
    }),
    unknown("SERVFAIL behind an alias", "dns-servfail", |lab, names| {
        txt(lab, names, rcode(Rcode::SERVFAIL).behind_cnames(1));
    }),
    unknown("a DNSSEC failure", "dns-extended-error-6-dnssec-bogus", |lab, names| {
        txt(lab, names, rcode(Rcode::SERVFAIL).extended_error(6, "bogus"));
    }),
    unknown(
        "an empty answer with an extended error",
        "dns-extended-error-22-no-reachable-authority",
        |lab, names| {
            txt(lab, names, DnsAnswer::lame().extended_error(22, ""));
        },
    ),
    unknown("truncated, and TCP closed", "dns-unreachable", |lab, names| {
        txt(lab, names, good().truncated_then(OverTcp::Close));
    }),
    unknown("truncated, and TCP reset", "dns-unreachable", |lab, names| {
        txt(lab, names, good().truncated_then(OverTcp::Reset));
    }),
    unknown("truncated over TCP as well", "dns-unreachable", |lab, names| {
        txt(lab, names, good().truncated_then(OverTcp::Truncate));
    }),
    stalls(unknown("silence", "dns-timeout", |lab, names| txt(lab, names, DnsAnswer::silence()))),
    stalls(unknown("garbage", "dns-timeout", |lab, names| {
        txt(lab, names, DnsAnswer::raw(*b"no DNS message, this"));
    })),
    stalls(unknown("the reply to another question", "dns-timeout", |lab, names| {
        txt(lab, names, good().wrong_id());
    })),
    stalls(unknown("truncated, and silence over TCP", "dns-timeout", |lab, names| {
        txt(lab, names, good().truncated_then(OverTcp::Silence));
    })),
];

/// The addresses of the Policy Host.
pub(crate) const ADDRESSES: &[Case] = &[
    found("AAAA fails", |lab, names| aaaa(lab, names, rcode(Rcode::SERVFAIL))),
    found("a name without AAAA", |lab, names| aaaa(lab, names, DnsAnswer::no_data(60))),
    found("an address behind an alias", |lab, names| {
        a(lab, names, DnsAnswer::addresses([here()], 60).behind_cnames(2));
    }),
    found("an address that refuses before one that does not", |lab, names| {
        a(lab, names, DnsAnswer::addresses([lab.refusing_addr().ip(), here()], 60));
    }),
    absent("no host", "policy-host-no-address", |lab, names| {
        a(lab, names, DnsAnswer::nxdomain(60));
        aaaa(lab, names, DnsAnswer::nxdomain(60));
    }),
    absent("a host without addresses", "policy-host-no-address", |lab, names| {
        a(lab, names, DnsAnswer::no_data(60));
        aaaa(lab, names, DnsAnswer::no_data(60));
    }),
    absent("A fails and there is no AAAA", "dns-servfail", |lab, names| {
        a(lab, names, rcode(Rcode::SERVFAIL));
        aaaa(lab, names, DnsAnswer::no_data(60));
    }),
    absent("A and AAAA are refused", "dns-refused", |lab, names| {
        a(lab, names, rcode(Rcode::REFUSED));
        aaaa(lab, names, rcode(Rcode::REFUSED));
    }),
    absent("every connection is refused", "connection-refused", |lab, names| {
        a(lab, names, DnsAnswer::addresses([lab.refusing_addr().ip()], 60));
    }),
    stalls(absent("nobody at the address", "timeout", |lab, names| {
        a(lab, names, DnsAnswer::addresses([lab.black_hole_addr().ip()], 60));
    })),
    stalls(found("nobody at the first address", |lab, names| {
        a(lab, names, DnsAnswer::addresses([lab.black_hole_addr().ip(), here()], 60));
    })),
    stalls(absent("silence for the address", "timeout", |lab, names| {
        a(lab, names, DnsAnswer::silence());
    })),
];
