//! What DNS may answer when it is asked for the record.

use mta_sts_lab::{DnsAnswer, DnsRecord, Lab, OverTcp, Rcode, RecordData, RecordType, Section};

use crate::case::{
    Case, Expect, Group, Names, Setting, absent, found, no_answer, no_record, unknown,
};

fn txt(lab: &Lab, names: &Names, answer: DnsAnswer) {
    lab.dns().set(&names.record, RecordType::Txt, answer);
}

fn good() -> DnsAnswer {
    DnsAnswer::txt(["v=STSv1; id=2;"], 300)
}

fn rcode(code: Rcode) -> DnsAnswer {
    DnsAnswer::rcode(code)
}

fn data(text: &str) -> DnsRecord {
    DnsRecord::new(300, RecordData::Txt(vec![text.into()]))
}

/// `length` aliases of which each answer holds one: the client itself has to follow them.
fn followed(lab: &Lab, names: &Names, length: usize, end: DnsAnswer) {
    let name = |number: usize| match number {
        0 => names.record.clone(),
        number => format!("hop-{number}.{}", names.record),
    };
    for number in 0..length {
        let alias = DnsAnswer::cname(name(number + 1), 60);
        lab.dns().set(&name(number), RecordType::Txt, alias);
    }
    lab.dns().set(&name(length), RecordType::Txt, end);
}

/// Answers from which it is known whether there is a record.
pub(crate) fn answers() -> Group {
    let cases = vec![
        found("a record", |_, _| {}),
        found("a record of several strings", |lab, names| {
            txt(lab, names, DnsAnswer::txt(["v=STS", "v1; id", "=2;"], 300));
        }),
        found("a record of a string for each octet, and empty ones", |lab, names| {
            let octets = b"v=STSv1; id=2;".chunks(1).flat_map(|octet| [octet, b""]);
            txt(lab, names, DnsAnswer::txt(octets, 300));
        }),
        found("a record beside others", |lab, names| {
            let records = [["v=spf1 -all"], ["v=STSv1; id=2;"]];
            lab.dns().txt_records(&names.record, records, 300);
        }),
        found("a record among a thousand others", |lab, names| {
            let others = (0..1_000).map(|number| data(&format!("other={number}")));
            let one = std::iter::once(data("v=STSv1; id=2;"));
            txt(lab, names, DnsAnswer::records(others.chain(one)));
        }),
        found("a record beside one of 60,000 octets", |lab, names| {
            let mut strings = vec![vec![b'x'; 250]; 240];
            strings[0][..2].copy_from_slice(b"v=");
            let large = DnsRecord::new(300, RecordData::Txt(strings));
            txt(lab, names, DnsAnswer::records([large, data("v=STSv1; id=2;")]));
        }),
        found("a TTL of 0", |lab, names| {
            txt(lab, names, DnsAnswer::txt(["v=STSv1; id=2;"], 0));
        }),
        found("the largest TTL", |lab, names| {
            txt(lab, names, DnsAnswer::txt(["v=STSv1; id=2;"], u32::MAX));
        }),
        found("a record with an extended error", |lab, names| {
            txt(lab, names, good().extended_error(3, "stale"));
        }),
        found("truncated over UDP", |lab, names| txt(lab, names, good().truncated())),
        found("an alias", |lab, names| txt(lab, names, good().behind_cnames(1))),
        found("a chain of 8 aliases", |lab, names| txt(lab, names, good().behind_cnames(8))),
        found("a chain of 64 aliases", |lab, names| txt(lab, names, good().behind_cnames(64))),
        found("an alias that only the client follows", |lab, names| {
            followed(lab, names, 1, good());
        }),
        no_record("no such name", |lab, names| txt(lab, names, DnsAnswer::nxdomain(60))),
        no_record("no such name, without an SOA", |lab, names| {
            txt(lab, names, DnsAnswer::nxdomain(60).without_soa());
        }),
        no_record("no such name, for 68 years", |lab, names| {
            txt(lab, names, DnsAnswer::nxdomain(i32::MAX.unsigned_abs()));
        }),
        no_record("no such name, by a blocking resolver (extended error 15)", |lab, names| {
            txt(lab, names, DnsAnswer::nxdomain(60).extended_error(15, "blocked"));
        }),
        no_record("no TXT record at the name", |lab, names| {
            txt(lab, names, DnsAnswer::no_data(60));
        }),
        no_record("no MTA-STS record among the TXT records", |lab, names| {
            txt(lab, names, DnsAnswer::txt(["v=spf1 -all"], 300));
        }),
        no_record("60,000 octets that are no record", |lab, names| {
            txt(lab, names, DnsAnswer::bulk_txt(60_000, 300));
        }),
        no_record("an empty string", |lab, names| txt(lab, names, DnsAnswer::txt([""], 300))),
        no_record("an alias to no such name", |lab, names| {
            txt(lab, names, DnsAnswer::nxdomain(60).behind_cnames(1));
        }),
        no_record("an alias to a name without TXT records", |lab, names| {
            txt(lab, names, DnsAnswer::no_data(60).behind_cnames(1));
        }),
        absent("two records", "dns-several-records", |lab, names| {
            lab.dns().txt_records(&names.record, [["v=STSv1; id=2;"], ["v=STSv1; id=3;"]], 300);
        }),
        absent("the same record twice", "dns-several-records", |lab, names| {
            lab.dns().txt_records(&names.record, [["v=STSv1; id=2;"], ["v=STSv1; id=2;"]], 300);
        }),
        absent("a record without an id", "dns-record-malformed", |lab, names| {
            txt(lab, names, DnsAnswer::txt(["v=STSv1;"], 300));
        }),
        absent("a record with octets that are no text", "dns-record-malformed", |lab, names| {
            txt(lab, names, DnsAnswer::txt([b"v=STSv1; id=\xff;"], 300));
        }),
        absent("a record of 60,000 octets", "dns-record-malformed", |lab, names| {
            let strings = (0..240).map(|number| match number {
                0 => b"v=STSv1; id=".to_vec(),
                _ => vec![b'2'; 250],
            });
            txt(lab, names, DnsAnswer::txt(strings, 300));
        }),
    ];
    Group { title: "DNS: answers to the question for the record", cases }
}

/// Answers that say nothing, and none at all.
pub(crate) fn failures() -> Group {
    let rcodes = [
        ("FORMERR", Rcode::FORMERR, "dns-formerr"),
        ("SERVFAIL", Rcode::SERVFAIL, "dns-servfail"),
        ("NOTIMP", Rcode::NOTIMP, "dns-notimp"),
        ("REFUSED", Rcode::REFUSED, "dns-refused"),
        ("YXDOMAIN", Rcode::YXDOMAIN, "dns-rcode-6"),
        ("YXRRSET", Rcode::YXRRSET, "dns-rcode-7"),
        ("NXRRSET", Rcode::NXRRSET, "dns-rcode-8"),
        ("NOTAUTH", Rcode::NOTAUTH, "dns-rcode-9"),
        ("NOTZONE", Rcode::NOTZONE, "dns-rcode-10"),
        ("code 12, which is nobody's", Rcode(12), "dns-rcode-12"),
        ("BADVERS", Rcode::BADVERS, "dns-rcode-16"),
        ("code 3841, for private use", Rcode(3841), "dns-rcode-3841"),
    ];
    let of_rcode = |(what, code, reason): (&str, _, _)| {
        Case::new(what, no_answer(reason), move |lab, names| txt(lab, names, rcode(code)))
    };
    let extended = [
        (0, "dns-extended-error-0-other"),
        (6, "dns-extended-error-6-dnssec-bogus"),
        (7, "dns-extended-error-7-signature-expired"),
        (9, "dns-extended-error-9-dnskey-missing"),
        (15, "dns-extended-error-15-blocked"),
        (18, "dns-extended-error-18-prohibited"),
        (22, "dns-extended-error-22-no-reachable-authority"),
        (23, "dns-extended-error-23-network-error"),
        (49152, "dns-extended-error-49152-unassigned"),
    ];
    let of_extended = |(code, reason): (u16, _)| {
        let what = format!("SERVFAIL with extended error {code}");
        Case::new(what, no_answer(reason), move |lab, names| {
            txt(lab, names, rcode(Rcode::SERVFAIL).extended_error(code, "text"));
        })
    };
    let mut cases: Vec<Case> = rcodes.into_iter().map(of_rcode).collect();
    cases.extend(extended.into_iter().map(of_extended));
    cases.extend(contradictions());
    cases.extend(aliases());
    cases.extend(transport());
    Group { title: "DNS: no answer to the question for the record", cases }
}

fn contradictions() -> Vec<Case> {
    vec![
        unknown("a record with code 12", "dns-rcode-12", |lab, names| {
            txt(lab, names, good().with_rcode(Rcode(12)));
        }),
        unknown("a record with NXDOMAIN", "dns-rcode-3", |lab, names| {
            txt(lab, names, good().with_rcode(Rcode::NXDOMAIN));
        }),
        unknown("a record with SERVFAIL", "dns-servfail", |lab, names| {
            txt(lab, names, good().with_rcode(Rcode::SERVFAIL));
        }),
        unknown("lame: NOERROR with neither a record nor an SOA", "dns-no-soa", |lab, names| {
            txt(lab, names, DnsAnswer::lame());
        }),
        unknown(
            "lame, with an extended error",
            "dns-extended-error-22-no-reachable-authority",
            |lab, names| txt(lab, names, DnsAnswer::lame().extended_error(22, "")),
        ),
        unknown("records of another name", "dns-no-soa", |lab, names| {
            txt(lab, names, DnsAnswer::records([data("v=STSv1; id=2;").owned_by("a.example")]));
        }),
        unknown("an address for an answer", "dns-no-soa", |lab, names| {
            txt(lab, names, DnsAnswer::addresses([lab.https_addr().ip()], 300));
        }),
        unknown("the record as authority", "dns-no-soa", |lab, names| {
            txt(lab, names, good().in_section(Section::Authority));
        }),
        unknown("the record as additional", "dns-no-soa", |lab, names| {
            txt(lab, names, good().in_section(Section::Additional));
        }),
    ]
}

fn aliases() -> Vec<Case> {
    vec![
        unknown("SERVFAIL behind an alias", "dns-servfail", |lab, names| {
            txt(lab, names, rcode(Rcode::SERVFAIL).behind_cnames(1));
        }),
        unknown("aliases in a circle", "dns-no-soa", |lab, names| {
            txt(lab, names, DnsAnswer::cname_loop());
        }),
        unknown("aliases in a circle that only the client follows", "dns-no-soa", |lab, names| {
            followed(lab, names, 3, DnsAnswer::cname(names.record.clone(), 60));
        }),
        unknown("an alias to itself", "dns-no-soa", |lab, names| {
            txt(lab, names, DnsAnswer::cname(names.record.clone(), 60));
        }),
        unknown("an alias to lame", "dns-no-soa", |lab, names| {
            txt(lab, names, DnsAnswer::lame().behind_cnames(1));
        }),
        unknown("40 aliases that only the client follows", "dns-no-soa", |lab, names| {
            followed(lab, names, 40, good());
        }),
    ]
}

fn transport() -> Vec<Case> {
    let refused = no_answer("dns-unreachable");
    vec![
        Case::new("truncated, and TCP refused", refused, |lab, names| {
            txt(lab, names, good().truncated());
        })
        .set(Setting::NoDnsOverTcp),
        Case::new("fits UDP, and TCP refused", Expect::Found, |_, _| {}).set(Setting::NoDnsOverTcp),
        unknown("truncated, and TCP closed", "dns-unreachable", |lab, names| {
            txt(lab, names, good().truncated_then(OverTcp::Close));
        }),
        unknown("truncated, and TCP reset", "dns-unreachable", |lab, names| {
            txt(lab, names, good().truncated_then(OverTcp::Reset));
        }),
        unknown("truncated over TCP as well", "dns-unreachable", |lab, names| {
            txt(lab, names, good().truncated_then(OverTcp::Truncate));
        }),
        unknown("truncated, and silence over TCP", "dns-timeout", |lab, names| {
            txt(lab, names, good().truncated_then(OverTcp::Silence));
        })
        .stalls(),
        unknown("silence", "dns-timeout", |lab, names| txt(lab, names, DnsAnswer::silence()))
            .stalls(),
        unknown("octets that are no DNS message", "dns-timeout", |lab, names| {
            txt(lab, names, DnsAnswer::raw(*b"no DNS message, this"));
        })
        .stalls(),
        unknown("a message of no octets", "dns-timeout", |lab, names| {
            txt(lab, names, DnsAnswer::raw([]));
        })
        .stalls(),
        unknown("a message cut short within its header", "dns-malformed", |lab, names| {
            txt(lab, names, good().cut_short(7));
        }),
        unknown("a message cut short within its answer", "dns-malformed", |lab, names| {
            txt(lab, names, good().cut_short(60));
        }),
        unknown("the answer to another question", "dns-timeout", |lab, names| {
            txt(lab, names, good().wrong_question());
        })
        .stalls(),
        unknown("an answer that repeats no question", "dns-timeout", |lab, names| {
            txt(lab, names, good().without_question());
        })
        .stalls(),
        unknown("an answer of another id", "dns-timeout", |lab, names| {
            txt(lab, names, good().wrong_id());
        })
        .stalls(),
    ]
}
