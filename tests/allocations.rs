//! What allocates, and how often. The counts are of one thread, so tests may run beside another.

use core::fmt::{self, Write};

use mta_sts::{
    DnsName, Entry, Held, Lookup, Mode, MxPattern, Policy, PolicyDomain, PolicyRef, Profile,
    Record, Status, UnixTime, record,
};
use mta_sts_testkit::model;
use mta_sts_testkit::script::{self, Client, Turn, valid_policy};

const NOW: u64 = 1_800_000_000;
const TIME: UnixTime = UnixTime::from_secs(NOW);
const POLICY: &[u8] = b"version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\n\
    mx: *.example.net\r\nmx: backupmx.example.com\r\nmax_age: 604800\r\nx-new: value\r\n";

/// How many allocations it takes.
fn allocations<T>(run: impl FnOnce() -> T) -> (u64, T) {
    let mut result = None;
    let info = allocation_counter::measure(|| result = Some(run()));
    (info.count_total, result.expect("it ran"))
}

/// Text in an array, as a caller without an allocator would have it.
struct Buffer {
    octets: [u8; 512],
    len: usize,
}

impl Buffer {
    const fn new() -> Self {
        Self { octets: [0; 512], len: 0 }
    }

    fn text(&self) -> &str {
        core::str::from_utf8(&self.octets[..self.len]).unwrap()
    }
}

impl Write for Buffer {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len + text.len();
        self.octets.get_mut(self.len..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}

fn domain() -> PolicyDomain {
    PolicyDomain::parse("example.com").unwrap()
}

#[test]
fn ok_the_counter_counts() {
    assert_eq!(allocations(|| vec![1_u8]).0, 1);
    assert_eq!(allocations(|| 1 + 1).0, 0);
}

#[test]
fn ok_a_name_is_read_with_one() {
    let (count, domain) = allocations(|| PolicyDomain::parse("Example.com."));
    assert_eq!((count, domain.unwrap().txt_name()), (1, "_mta-sts.example.com"));
    let (count, host) = allocations(|| DnsName::parse("MX.example.com"));
    assert_eq!((count, host.unwrap().as_str()), (1, "mx.example.com"));
    let (count, address) = allocations(|| PolicyDomain::parse("[192.0.2.1]"));
    assert_eq!((count, address.is_err()), (0, true));
}

#[test]
fn ok_a_record_is_read_without_allocation() {
    let (count, record) = allocations(|| Record::parse(b"v=STSv1; id=20160831085700Z; a=b;"));
    assert_eq!((count, record.unwrap().id().as_str()), (0, "20160831085700Z"));
    let (count, record) = allocations(|| Record::parse(b"v=STSv1; id=;"));
    assert_eq!((count, record.is_err()), (0, true));
}

#[test]
fn ok_a_record_is_selected_without_allocation() {
    let one = [["v=STSv1; id=2016;"]];
    let (count, id) = allocations(|| record::select(one));
    assert_eq!((count, id.unwrap().as_str()), (0, "2016"));

    let pieces = [&b"v=STS"[..], b"v1; ", b"", b"id=20", b"16;"];
    let many: [&[&[u8]]; 3] = [&[b"v=spf1 -all"], &pieces, &[b"v=STSv10; id=1"]];
    let (count, id) = allocations(|| record::select(many));
    assert_eq!((count, id.unwrap().as_str()), (0, "2016"));

    let (count, id) = allocations(|| record::select([["v=STSv1; id=1"], ["v=STSv1; id=2"]]));
    assert_eq!((count, id.is_err()), (0, true));
}

#[test]
fn ok_a_borrowed_policy_is_read_without_allocation() {
    for profile in [Profile::Strict, Profile::Tolerant] {
        let (count, policy) = allocations(|| PolicyRef::parse(POLICY, profile));
        assert_eq!((count, policy.unwrap().mode()), (0, Mode::Enforce));
    }
    let policy = PolicyRef::parse(POLICY, Profile::Strict).unwrap();
    let (count, mx) = allocations(|| policy.mx().count());
    assert_eq!((count, mx), (0, 3));
    let host = DnsName::parse("mx.example.net").unwrap();
    assert_eq!(allocations(|| policy.matches(&host)), (0, true));
    assert_eq!(allocations(|| policy.extensions().count()), (0, 1));
}

#[test]
fn ok_an_owned_policy_takes_two_allocations() {
    for profile in [Profile::Strict, Profile::Tolerant] {
        let (count, policy) = allocations(|| Policy::parse(POLICY, profile));
        assert_eq!(policy.unwrap().mx().len(), 3);
        assert!(count <= 2, "{count}");
    }
}

#[test]
fn held_policy_is_two_allocations_and_is_cloned_without_any() {
    let mut policy = None;
    let info = allocation_counter::measure(|| policy = Policy::parse(POLICY, Profile::Strict).ok());
    assert_eq!(info.count_current, 2);
    let (count, copy) = allocations(|| policy.clone());
    assert_eq!((count, copy), (0, policy));
}

#[test]
fn ok_a_policy_of_thousands_of_hosts_takes_no_more() {
    let mut text = String::from("version: STSv1\nmode: enforce\nmax_age: 604800\n");
    for number in 0..5_000 {
        writeln!(text, "mx: m{number}.a").unwrap();
    }
    let (count, policy) = allocations(|| Policy::parse(text.as_bytes(), Profile::Strict));
    assert!(count <= 3, "{count}");
    let policy = policy.unwrap();
    for (name, allowed) in [("M4999.a", true), ("q4999.a", false)] {
        let host = DnsName::parse(name).unwrap();
        assert_eq!(allocations(|| policy.matches(&host)), (0, allowed), "{name}");
    }
}

#[test]
fn ok_printing_allocates_nothing() {
    let policy = Policy::parse(POLICY, Profile::Strict).unwrap();
    let mut buffer = Buffer::new();
    let (count, written) = allocations(|| write!(buffer, "{policy}"));
    assert_eq!((count, written), (0, Ok(())));
    let same = Policy::parse(buffer.text().as_bytes(), Profile::Strict).unwrap();
    assert_eq!(same.mx().len(), 3);

    let record = Record::parse(b"v=STSv1; id=2016; a=b").unwrap();
    let mut buffer = Buffer::new();
    let (count, written) = allocations(|| write!(buffer, "{record}"));
    assert_eq!((count, written), (0, Ok(())));
    assert_eq!(buffer.text(), "v=STSv1; id=2016; a=b");
}

#[test]
fn ok_matching_allocates_nothing() {
    let policy = Policy::parse(POLICY, Profile::Strict).unwrap();
    let pattern = MxPattern::parse("*.example.net", Profile::Strict).unwrap();
    for (name, allowed, by_pattern) in [
        ("mail.example.com", true, false),
        ("mx.example.net", true, true),
        ("a.mx.example.net", false, false),
        ("example.net", false, false),
    ] {
        let host = DnsName::parse(name).unwrap();
        assert_eq!(allocations(|| policy.matches(&host)), (0, allowed), "{name}");
        assert_eq!(allocations(|| pattern.matches(&host)), (0, by_pattern), "{name}");
    }
}

/// An entry after these lookups, the last one a second ago.
fn entry(policy: bool, last: model::Txt) -> Entry {
    let mut client = Client::new(domain());
    if policy {
        let https = valid_policy(model::Mode::Enforce, "mx", 604_800);
        let txt = model::Txt::Id("1".to_owned(), 60);
        client.turn(&Turn::new(NOW - 100, model::Recheck::Always, txt, https));
    }
    client.turn(&Turn::new(NOW - 1, model::Recheck::Always, last, model::Https::Fails));
    client.entry().expect("the lookups wrote it").clone()
}

#[test]
fn ok_the_hot_path_allocates_nothing() {
    use model::Txt;
    let domain = domain();
    let same_id = Txt::Id("1".to_owned(), 300);
    for (policy, last, status) in [
        (true, same_id, Status::Confirmed),
        (true, Txt::Absent(300), Status::Held),
        (true, Txt::Malformed(300), Status::Held),
        (true, Txt::NoAnswer, Status::Held),
        (false, Txt::Absent(300), Status::Absent),
        (false, Txt::NoAnswer, Status::Unknown),
    ] {
        let entry = entry(policy, last);
        let host = DnsName::parse("mx.example.com").unwrap();
        let (count, decided) = allocations(|| {
            let decision = entry.decide(&domain, TIME)?;
            let allowed = decision.policy().is_some_and(|held| held.policy().matches(&host));
            Some((decision.status(), allowed))
        });
        assert_eq!((count, decided), (0, Some((status, policy))));
        let (count, due) = allocations(|| entry.decide(&domain, TIME.plus_secs(90_000)).is_none());
        assert_eq!((count, due), (0, true));

        // A whole lookup from memory takes no more, with a copy of the entry and of the domain.
        let (count, step) =
            allocations(|| Lookup::new(domain.clone(), Held::Entry(entry.clone())).start(TIME));
        assert!(
            matches!(step, mta_sts::lookup::Start::Done(outcome) if outcome.status() == status)
        );
        assert_eq!(count, 0);
    }
}

#[test]
fn ok_an_entry_is_read_with_two_allocations() {
    let domain = domain();
    let last = model::Txt::Absent(300);
    for (policy, most) in [(false, 0), (true, 2)] {
        let bytes = entry(policy, last.clone()).to_bytes();
        let (count, entry) = allocations(|| Entry::from_bytes(&domain, &bytes));
        assert_eq!(entry.unwrap().stored_policy().is_some(), policy);
        assert!(count <= most, "{count}");
    }
}

/// The ids that failed are a list of their own.
#[test]
fn ok_a_list_of_failures_takes_two_allocations_more() {
    let domain = domain();
    let mut client = Client::new(domain.clone());
    for turn in script::given("enforce", "-", "h1+n2", NOW) {
        client.turn(&turn);
    }
    let bytes = client.entry().expect("the lookups wrote it").to_bytes();
    let (count, entry) = allocations(|| Entry::from_bytes(&domain, &bytes));
    assert_eq!(entry.unwrap().backing_off(TIME).count(), 2);
    assert!(count <= 4, "{count}");
}
