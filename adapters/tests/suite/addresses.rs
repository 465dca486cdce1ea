//! The addresses of the Policy Host.

use std::net::{IpAddr, Ipv4Addr};

use mta_sts_lab::{DnsAnswer, Lab, Rcode, RecordType};

use crate::case::{Case, Expect, Group, Names, Setting, absent, found, no_policy};

fn a(lab: &Lab, names: &Names, answer: DnsAnswer) {
    lab.dns().set(&names.host, RecordType::A, answer);
}

fn aaaa(lab: &Lab, names: &Names, answer: DnsAnswer) {
    lab.dns().set(&names.host, RecordType::Aaaa, answer);
}

fn at(lab: &Lab, names: &Names, addresses: &[IpAddr]) {
    lab.dns().addresses(&names.host, addresses.iter().copied(), 60);
}

fn rcode(code: Rcode) -> DnsAnswer {
    DnsAnswer::rcode(code)
}

fn here() -> IpAddr {
    Ipv4Addr::LOCALHOST.into()
}

fn refusing(lab: &Lab) -> IpAddr {
    lab.refusing_addr().ip()
}

fn black_hole(lab: &Lab) -> IpAddr {
    lab.black_hole_addr().ip()
}

/// What DNS says of them, and what is there.
pub(crate) fn of_the_host() -> Group {
    let cases = vec![
        found("AAAA answered with SERVFAIL", |lab, names| {
            aaaa(lab, names, rcode(Rcode::SERVFAIL));
        })
        .dials(1),
        found("no AAAA", |lab, names| aaaa(lab, names, DnsAnswer::no_data(60))).dials(1),
        found("A answered with SERVFAIL, and an AAAA", |lab, names| {
            a(lab, names, rcode(Rcode::SERVFAIL));
            aaaa(lab, names, DnsAnswer::addresses([public_v6()], 60));
        })
        .set(Setting::PublicOnly)
        .dials(1),
        found("an A, and silence for AAAA", |lab, names| {
            aaaa(lab, names, DnsAnswer::silence());
        })
        .delays()
        .dials(1),
        found("an AAAA, and silence for A", |lab, names| {
            a(lab, names, DnsAnswer::silence());
            aaaa(lab, names, DnsAnswer::addresses([public_v6()], 60));
        })
        .set(Setting::PublicOnly)
        .delays()
        .dials(1),
        absent("no A, and an IPv4 address for AAAA", "dns-no-soa", |lab, names| {
            a(lab, names, DnsAnswer::no_data(60));
            aaaa(lab, names, DnsAnswer::addresses([here()], 60));
        }),
        found("an address behind aliases", |lab, names| {
            a(lab, names, DnsAnswer::addresses([here()], 60).behind_cnames(2));
        }),
        found("a first address that refuses", |lab, names| {
            at(lab, names, &[refusing(lab), here()]);
        })
        .dials(1),
        found("three addresses that refuse before one that does not", |lab, names| {
            at(lab, names, &[refusing(lab), refusing(lab), refusing(lab), here()]);
        })
        .dials(1),
        absent("more addresses than are tried", "connection-refused", |lab, names| {
            let refused = refusing(lab);
            at(lab, names, &[refused, refused, refused, refused, here()]);
        })
        .dials(0),
        found("a hundred addresses", |lab, names| at(lab, names, &[here(); 100])).dials(1),
        absent("no such host", "policy-host-no-address", |lab, names| {
            a(lab, names, DnsAnswer::nxdomain(60));
            aaaa(lab, names, DnsAnswer::nxdomain(60));
        }),
        absent("a host without addresses", "policy-host-no-address", |lab, names| {
            a(lab, names, DnsAnswer::no_data(60));
            aaaa(lab, names, DnsAnswer::no_data(60));
        }),
        absent("A answered with SERVFAIL, and no AAAA", "dns-servfail", |lab, names| {
            a(lab, names, rcode(Rcode::SERVFAIL));
            aaaa(lab, names, DnsAnswer::no_data(60));
        }),
        absent("no A, and AAAA answered with SERVFAIL", "dns-servfail", |lab, names| {
            a(lab, names, DnsAnswer::no_data(60));
            aaaa(lab, names, rcode(Rcode::SERVFAIL));
        }),
        absent("A and AAAA refused", "dns-refused", |lab, names| {
            a(lab, names, rcode(Rcode::REFUSED));
            aaaa(lab, names, rcode(Rcode::REFUSED));
        }),
        absent("A and AAAA lame", "dns-no-soa", |lab, names| {
            a(lab, names, DnsAnswer::lame());
            aaaa(lab, names, DnsAnswer::lame());
        }),
        absent("A and AAAA bogus by DNSSEC", "dns-extended-error-6-dnssec-bogus", |lab, names| {
            let bogus = || rcode(Rcode::SERVFAIL).extended_error(6, "bogus");
            a(lab, names, bogus());
            aaaa(lab, names, bogus());
        }),
        absent("the host's aliases in a circle", "dns-no-soa", |lab, names| {
            a(lab, names, DnsAnswer::cname_loop());
            aaaa(lab, names, DnsAnswer::cname_loop());
        }),
        absent("every connection refused", "connection-refused", |lab, names| {
            at(lab, names, &[refusing(lab)]);
        })
        .dials(0),
        absent("nobody at the address", "tls-timeout", |lab, names| {
            at(lab, names, &[black_hole(lab)]);
        })
        .stalls(),
        found("nobody at the first address", |lab, names| {
            at(lab, names, &[black_hole(lab), here()]);
        })
        .delays()
        .dials(1),
        absent("silence for A and AAAA", "timeout", |lab, names| {
            a(lab, names, DnsAnswer::silence());
            aaaa(lab, names, DnsAnswer::silence());
        })
        .stalls(),
    ];
    Group { title: "Addresses of the Policy Host", cases }
}

fn public() -> IpAddr {
    Ipv4Addr::new(8, 8, 8, 8).into()
}

fn public_v6() -> IpAddr {
    [0x2606, 0x4700, 0, 0, 0, 0, 0, 0x1111].into()
}

/// The filter. What passes it is led to the lab; what does not would be, too.
pub(crate) fn filter() -> Group {
    let refused = [
        ("loopback", "127.0.0.1", "loopback address"),
        ("loopback, another", "127.255.255.254", "loopback address"),
        ("loopback, IPv6", "::1", "loopback address"),
        ("private, 10/8", "10.1.2.3", "private address"),
        ("private, 172.16/12", "172.31.255.255", "private address"),
        ("private, 192.168/16", "192.168.0.1", "private address"),
        ("unique local", "fd12:3456::1", "private address"),
        ("site local", "fec0::1", "private address"),
        ("shared by a carrier's customers", "100.64.0.1", "shared address"),
        ("link-local: a cloud's credentials", "169.254.169.254", "link-local address"),
        ("link-local, IPv6", "fe80::1", "link-local address"),
        ("IPv4-mapped loopback", "::ffff:127.0.0.1", "loopback address"),
        ("IPv4-mapped private", "::ffff:10.0.0.1", "private address"),
        ("IPv4-mapped link-local", "::ffff:169.254.169.254", "link-local address"),
        ("IPv4-compatible loopback", "::7f00:1", "reserved address"),
        ("6to4 of a private address", "2002:a00:1::1", "private address"),
        ("6to4 of a public address", "2002:808:808::1", "translated address"),
        ("NAT64 of loopback", "64:ff9b::127.0.0.1", "loopback address"),
        ("NAT64 of a private address", "64:ff9b::10.0.0.1", "private address"),
        ("local NAT64", "64:ff9b:1::808:808", "translated address"),
        ("Teredo", "2001::1", "translated address"),
        ("documentation", "192.0.2.1", "documentation address"),
        ("documentation, IPv6", "2001:db8::1", "documentation address"),
        ("benchmarks", "198.18.0.1", "benchmarking address"),
        ("multicast", "224.0.0.1", "multicast address"),
        ("multicast, IPv6", "ff02::1", "multicast address"),
        ("broadcast", "255.255.255.255", "reserved address"),
        ("unspecified", "0.0.0.0", "unspecified address"),
        ("unspecified, IPv6", "::", "unspecified address"),
        ("discard only", "100::1", "reserved address"),
    ];
    let of_refused = |(what, address, class): (&str, &str, _)| {
        let address: IpAddr = address.parse().expect("an address");
        let expect = no_policy("policy-host-address-refused");
        let what = format!("{what}: {address}");
        filtered(what, expect, vec![address]).dials(0).says(class)
    };
    let mut cases: Vec<Case> = refused.into_iter().map(of_refused).collect();
    let private: IpAddr = Ipv4Addr::new(10, 0, 0, 1).into();
    let refused = no_policy("policy-host-address-refused");
    cases.extend([
        filtered("several, none of them public", refused, vec![private, here()]).dials(0),
        filtered("public", Expect::Found, vec![public()]).dials(1),
        filtered("public, IPv6", Expect::Found, vec![public_v6()]).dials(1),
        filtered("private before public", Expect::Found, vec![private, public()]).dials(1),
        filtered("public before private", Expect::Found, vec![public(), private]).dials(1),
        // With one connection to the public address that breaks, there is none to the private one.
        broken("a public one that breaks, and a private one", vec![public(), private]),
        broken("a private one, and a public one that breaks", vec![private, public()]),
    ]);
    Group { title: "Addresses of the Policy Host that are not dialled", cases }
}

fn filtered(what: impl Into<String>, expect: Expect, addresses: Vec<IpAddr>) -> Case {
    Case::new(what, expect, move |lab, names| at(lab, names, &addresses)).set(Setting::PublicOnly)
}

fn broken(what: &str, addresses: Vec<IpAddr>) -> Case {
    use mta_sts_lab::{Fate, Https, Moment};
    Case::new(what, no_policy("tls-closed"), move |lab, names| {
        at(lab, names, &addresses);
        lab.https().set(&names.host, Https::fails(Moment::AfterHello, Fate::Reset));
    })
    .set(Setting::PublicOnly)
    .dials(1)
}
