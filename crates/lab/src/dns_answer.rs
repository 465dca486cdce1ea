//! What the DNS server does when it is asked.

use std::net::IpAddr;

use crate::dns_record::{DnsRecord, Rcode, RecordData, txt_data};
use crate::gate::Gate;

/// One behaviour of the DNS server: what it replies, and how.
///
/// ```
/// use mta_sts_lab::{DnsAnswer, Rcode};
/// let lame = DnsAnswer::lame();
/// let bogus = DnsAnswer::rcode(Rcode::SERVFAIL).extended_error(6, "bogus signature");
/// let over_tcp = DnsAnswer::txt(["v=STSv1; id=1;"], 300).truncated();
/// let dangling = DnsAnswer::nxdomain(60).behind_cnames(1);
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct DnsAnswer {
    pub(crate) rcode: Rcode,
    pub(crate) records: Vec<DnsRecord>,
    pub(crate) soa: Option<Soa>,
    pub(crate) extended_error: Option<(u16, String)>,
    pub(crate) aliases: Aliases,
    pub(crate) section: Section,
    pub(crate) delivery: Delivery,
    pub(crate) gate: Option<Gate>,
}

/// The two times of an SOA record, the lesser of which is the negative TTL (RFC 2308 §5).
#[derive(Clone, Debug)]
pub(crate) struct Soa {
    pub(crate) ttl: u32,
    pub(crate) minimum: u32,
    /// A name whose zone it is; `None` for the name that was asked.
    pub(crate) under: Option<String>,
}

/// Aliases between the name that was asked and the rest of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Aliases {
    None,
    Chain(u8),
    Loop,
}

#[derive(Clone, Debug)]
pub(crate) enum Delivery {
    Whole,
    Silent,
    Truncated(OverTcp),
    Raw(Vec<u8>),
    /// The whole message, and of its octets only so many.
    CutShort(usize),
    NoQuestion,
    WrongQuestion,
    WrongId,
}

/// The part of a DNS message that has the records (RFC 1035 §4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Section {
    /// Where the answer belongs.
    #[default]
    Answer,
    /// Where the SOA of a negative answer, or a referral, belongs.
    Authority,
    /// Where addresses of name servers belong.
    Additional,
}

/// What follows over TCP, when the reply over UDP was truncated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OverTcp {
    /// The whole answer.
    Answer,
    /// The connection is closed once the question is read.
    Close,
    /// The connection is reset once the question is read.
    Reset,
    /// Nothing, the connection stays open.
    Silence,
    /// Truncated again.
    Truncate,
}

impl DnsAnswer {
    /// These records, NOERROR. None of them: a lame answer.
    pub fn records(records: impl IntoIterator<Item = DnsRecord>) -> Self {
        Self {
            rcode: Rcode::NOERROR,
            records: records.into_iter().collect(),
            soa: None,
            extended_error: None,
            aliases: Aliases::None,
            section: Section::Answer,
            delivery: Delivery::Whole,
            gate: None,
        }
    }

    /// One TXT record of these character-strings (octets, not text: RFC 1035 §3.3.14).
    pub fn txt<S: AsRef<[u8]>>(strings: impl IntoIterator<Item = S>, ttl: u32) -> Self {
        Self::records([DnsRecord::new(ttl, txt_data(strings))])
    }

    /// One TXT record of `octets` octets in all: above some 1,200 it does not fit UDP, and comes
    /// whole over TCP. At most 65,000, which with the rest still fits a message; more is cut.
    pub fn bulk_txt(octets: usize, ttl: u32) -> Self {
        let filler = vec![b'x'; octets.min(65_000)];
        Self::txt(filler.chunks(255), ttl)
    }

    /// A or AAAA records. A client that asks for the one and is sent the other should take
    /// neither: set each under its own type.
    pub fn addresses(addresses: impl IntoIterator<Item = IpAddr>, ttl: u32) -> Self {
        let record = |address| DnsRecord::new(ttl, RecordData::Address(address));
        Self::records(addresses.into_iter().map(record))
    }

    /// MX records of (preference, exchange).
    pub fn mx<S: Into<String>>(hosts: impl IntoIterator<Item = (u16, S)>, ttl: u32) -> Self {
        let record = |(preference, host): (u16, S)| {
            DnsRecord::new(ttl, RecordData::Mx(preference, host.into()))
        };
        Self::records(hosts.into_iter().map(record))
    }

    /// A CNAME record. Set under [`RecordType::Cname`](crate::RecordType::Cname), the server follows
    /// it as a recursive resolver does; set under another type, it is all that the answer holds.
    pub fn cname(target: impl Into<String>, ttl: u32) -> Self {
        Self::records([DnsRecord::new(ttl, RecordData::Cname(target.into()))])
    }

    /// The name does not exist (NXDOMAIN), for `negative_ttl` seconds by the SOA that comes along.
    pub fn nxdomain(negative_ttl: u32) -> Self {
        Self { rcode: Rcode::NXDOMAIN, ..Self::records([]) }.soa(negative_ttl, negative_ttl)
    }

    /// The name exists and has no such record (NODATA), for `negative_ttl` seconds.
    pub fn no_data(negative_ttl: u32) -> Self {
        Self::records([]).soa(negative_ttl, negative_ttl)
    }

    /// NOERROR with nothing in it, not even an SOA: says nothing about whether a record exists.
    pub fn lame() -> Self {
        Self::records([])
    }

    /// A response code, with nothing else. NXDOMAIN too is without an SOA here.
    pub fn rcode(rcode: Rcode) -> Self {
        Self { rcode, ..Self::records([]) }
    }

    /// No reply at all, on either transport.
    pub fn silence() -> Self {
        Self { delivery: Delivery::Silent, ..Self::records([]) }
    }

    /// Two CNAME records that point at each other, NOERROR, no SOA: what a resolver that gave up
    /// on a loop may send. The other name is as with [`behind_cnames`](Self::behind_cnames).
    pub fn cname_loop() -> Self {
        Self { aliases: Aliases::Loop, ..Self::records([]) }
    }

    /// These octets in place of a DNS message; over TCP they are framed by their length.
    pub fn raw(octets: impl Into<Vec<u8>>) -> Self {
        Self { delivery: Delivery::Raw(octets.into()), ..Self::records([]) }
    }

    /// Puts `depth` CNAME records before the answer: `name` → `cname-1.name` → … → what the answer
    /// says, its SOA too. At most 64.
    ///
    /// A client that follows the aliases itself may ask for each of these names and gets what
    /// belongs there, so that it comes to the same end. In the zone a name of this form that was
    /// set itself goes before.
    pub fn behind_cnames(mut self, depth: u8) -> Self {
        self.aliases = Aliases::Chain(depth.min(64));
        self
    }

    /// Replaces the response code and leaves the records: such replies exist, and they contradict
    /// themselves.
    pub fn with_rcode(mut self, rcode: Rcode) -> Self {
        self.rcode = rcode;
        self
    }

    /// Adds an SOA with these two times in seconds, the TTL and the MINIMUM field (RFC 2308 §5).
    pub fn soa(mut self, ttl: u32, minimum: u32) -> Self {
        self.soa = Some(Soa { ttl, minimum, under: None });
        self
    }

    /// Takes the SOA away.
    pub fn without_soa(mut self) -> Self {
        self.soa = None;
        self
    }

    /// Adds an extended DNS error (RFC 8914), which only a client that speaks EDNS is sent.
    pub fn extended_error(mut self, code: u16, text: impl Into<String>) -> Self {
        self.extended_error = Some((code, text.into()));
        self
    }

    /// Truncated over UDP, whole over TCP.
    pub fn truncated(self) -> Self {
        self.truncated_then(OverTcp::Answer)
    }

    /// Truncated over UDP, and over TCP as given.
    ///
    /// For a TCP port that refuses, ask at [`Lab::dns_addr_without_tcp`](crate::Lab).
    pub fn truncated_then(mut self, tcp: OverTcp) -> Self {
        self.delivery = Delivery::Truncated(tcp);
        self
    }

    /// Puts the records into another section than they belong to, where they answer nothing.
    pub fn in_section(mut self, section: Section) -> Self {
        self.section = section;
        self
    }

    /// Sends no more than this many octets of the message, without the flag that says so. Over TCP
    /// the length is that of the octets sent.
    pub fn cut_short(mut self, octets: usize) -> Self {
        self.delivery = Delivery::CutShort(octets);
        self
    }

    /// Leaves out the question, which a reply has to repeat.
    pub fn without_question(mut self) -> Self {
        self.delivery = Delivery::NoQuestion;
        self
    }

    /// Repeats another question than the one that was asked.
    pub fn wrong_question(mut self) -> Self {
        self.delivery = Delivery::WrongQuestion;
        self
    }

    /// Carries another message id than the question.
    pub fn wrong_id(mut self) -> Self {
        self.delivery = Delivery::WrongId;
        self
    }

    /// Waits for the gate before it replies. The question is logged before.
    pub fn held_by(mut self, gate: &Gate) -> Self {
        self.gate = Some(gate.clone());
        self
    }
}

impl DnsAnswer {
    /// The answer with its aliases written out, for the name that stands at `position` in the
    /// chain that begins at `base`.
    pub(crate) fn at(mut self, base: &str, position: u8) -> Self {
        let depth = match self.aliases {
            Aliases::None => return self,
            Aliases::Chain(depth) => depth,
            Aliases::Loop => 1,
        };
        let name = |n: u8| if n == 0 { base.to_owned() } else { format!("cname-{n}.{base}") };
        let ttl = self.records.first().map_or(60, |record| record.ttl);
        let hop = |from: u8, to: u8| DnsRecord {
            owner: (from != position).then(|| name(from)),
            ttl,
            data: RecordData::Cname(name(to)),
        };
        let mut hops: Vec<_> = (position..depth).map(|n| hop(n, n.saturating_add(1))).collect();
        if self.aliases == Aliases::Loop {
            hops = vec![hop(position, 1 - position.min(1)), hop(1 - position.min(1), position)];
        }
        for record in &mut self.records {
            record.owner.get_or_insert_with(|| name(depth));
        }
        if let Some(soa) = &mut self.soa {
            soa.under.get_or_insert_with(|| name(depth));
        }
        hops.append(&mut self.records);
        Self { records: hops, aliases: Aliases::None, ..self }
    }

    /// How far the chain goes: positions up to this one have an answer.
    pub(crate) fn depth(&self) -> u8 {
        match self.aliases {
            Aliases::None => 0,
            Aliases::Chain(depth) => depth,
            Aliases::Loop => 1,
        }
    }
}
