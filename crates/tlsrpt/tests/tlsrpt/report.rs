//! What a report is made of, and its names on the way.

use std::hash::{DefaultHasher, Hash, Hasher};

use mta_sts::{DnsName, Policy, PolicyDomain, Profile, ResultType, UnixTime};
use mta_sts_tlsrpt::{
    DateRange, DateRangeError, FailureDetails, MAX_POLICIES, PolicyType, Report, ReportError,
    ReportFormat, ReportedPolicy, Tally,
};

use super::json::read_with;
use super::{NONE, TESTING, day, domain, report, tally};

#[test]
fn err_a_report_without_what_it_needs_has_an_error_for_each() {
    let make = |name, contact, id| Report::new(name, contact, id, day(), []).map(|_| ());
    let long = "a".repeat(256);
    assert_eq!(make("Ü & Co.", "a.b+c@sender.example", "a.b@c.d"), Ok(()));
    for name in ["", "a\nb", long.as_str()] {
        assert_eq!(make(name, "a@b.example", "1"), Err(ReportError::OrganizationName), "{name}");
    }
    let contacts =
        ["", "a", "a@", "@b.example", "a@b..c", "a b@c", "a..b@c", "a@[192.0.2.1]", "a\r\n@c"];
    for contact in contacts {
        assert_eq!(make("A", contact, "1"), Err(ReportError::ContactInfo), "{contact}");
    }
    for id in ["", "a b", "a..b", "@a", "a@", "a@b@c", "a>", "a\r\nb", "ä", long.as_str()] {
        assert_eq!(make("A", "a@b.example", id), Err(ReportError::ReportId), "{id}");
    }
    let tallies = (0..=MAX_POLICIES).map(|number| {
        let domain = PolicyDomain::parse(&format!("d{number}.example")).unwrap();
        let mut tally = Tally::new(ReportedPolicy::applied(&domain, None));
        tally.succeeded();
        tally
    });
    let too_many = Report::new("A", "a@b.example", "1", day(), tallies.clone());
    assert_eq!(too_many, Err(ReportError::TooManyPolicies { limit: MAX_POLICIES }));
    let most = tallies.clone().take(MAX_POLICIES).chain(tallies.take(1));
    assert_eq!(report(most).policies().len(), MAX_POLICIES);
}

#[test]
fn err_a_range_of_time_has_an_end() {
    let (early, late) = (UnixTime::from_secs(1), UnixTime::from_secs(2));
    assert_eq!(DateRange::new(late, early), Err(DateRangeError::Reversed));
    assert_eq!(DateRange::new(late, late).map(DateRange::end), Ok(late));
    let beyond = DateRange::LATEST.plus_secs(1);
    assert_eq!(DateRange::new(late, beyond), Err(DateRangeError::TooLate));
    assert_eq!(DateRange::day(UnixTime::from_secs(u64::MAX)).end(), DateRange::LATEST);
}

#[test]
fn ok_the_last_day_can_be_written() {
    let day = DateRange::day(DateRange::LATEST);
    let report = Report::new("A", "a@b.example", "1", day, []).unwrap();
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["date-range"]["end-datetime"], "9999-12-30T22:00:00Z");
    assert_eq!(serde_json::from_value::<Report>(json).unwrap(), report);
}

#[test]
fn ok_tallies_of_one_policy_become_one_entry() {
    let (mut a, mut b) = (tally(), tally());
    a.succeeded();
    a.succeeded();
    b.failed([FailureDetails::new(ResultType::CertificateExpired)]);
    let empty = Tally::new(ReportedPolicy::applied(&domain(), None));
    let report = report([a, empty, b]);
    let [one] = report.policies() else { panic!("one policy was used") };
    assert_eq!((one.total_successful_session_count(), one.total_failure_session_count()), (2, 1));
    assert_eq!(one.failure_details().len(), 1);
}

/// The policy as a report brings it.
fn carried(policy: &ReportedPolicy) -> ReportedPolicy {
    let mut tally = Tally::new(policy.clone());
    tally.succeeded();
    let json = serde_json::to_string(&report([tally])).unwrap();
    let read: Report = serde_json::from_str(&json).unwrap();
    read.policies()[0].policy().clone()
}

fn hash(value: &impl Hash) -> u64 {
    let mut state = DefaultHasher::new();
    value.hash(&mut state);
    state.finish()
}

#[test]
fn policies_that_a_report_names_alike_are_equal_however_made() {
    let texts = [
        TESTING,
        "version: STSv1\nmode: testing\nmx: *.example.com\nmax_age: 86400",
        "version: STSv1\nmode: testing\nmx: *.example.com\nmax_age: 86400\n\n",
        "version: STSv1\nmode: testing\nmx: *.example.com.\nmax_age: 86400\n",
        "version: STSv1\nmode: testing\nmx: *.example.net\nmax_age: 86400\n",
        "version: STSv1\nmode: testing\nmax_age: 86400\nmx: *.example.com\n",
        NONE,
    ];
    let other = PolicyDomain::parse("example.net").unwrap();
    let mut all = vec![
        ReportedPolicy::applied(&domain(), None),
        ReportedPolicy::tlsa(&domain(), &DnsName::parse("mx.example.com").unwrap(), ["3 1 1 00"]),
    ];
    for text in texts {
        // Both parses: equal texts in different pieces of memory.
        for _ in 0..2 {
            let policy = Policy::parse(text.as_bytes(), Profile::Tolerant).unwrap();
            all.push(ReportedPolicy::applied(&domain(), Some(&policy)));
            all.push(ReportedPolicy::applied(&other, Some(&policy)));
        }
    }
    all.extend(all.clone().iter().map(carried));
    let named = |policy: &ReportedPolicy| {
        let lines: Vec<_> = policy.policy_string().map(str::to_owned).collect();
        let hosts: Vec<_> = policy.mx_host().map(str::to_owned).collect();
        (policy.policy_domain().to_owned(), policy.policy_type(), lines, hosts)
    };
    for a in &all {
        assert_eq!(&carried(a), a);
        for b in &all {
            assert_eq!(a == b, named(a) == named(b), "{a:?} {b:?}");
            assert_eq!(a.cmp(b), named(a).cmp(&named(b)), "{a:?} {b:?}");
            assert!(a != b || hash(a) == hash(b), "{a:?}");
        }
    }
}

#[test]
fn ok_names_on_the_way() {
    let made = |contact, id| Report::new("A", contact, id, day(), []).unwrap();
    let report = made("tls@MAIL.Sender.example", "1@x");
    assert_eq!(report.organization_name(), "A");
    let range = "1799971200!1800057599";
    let name = |id, format| report.filename(&domain(), id, format);
    assert_eq!(
        name(None, ReportFormat::Json),
        Some(format!("mail.sender.example!example.com!{range}.json"))
    );
    let longest = "a".repeat(255);
    assert!(name(Some(&longest), ReportFormat::Gzip).is_some_and(|name| name.contains(&longest)));
    for id in ["", "a-b", "a/../b", &"a".repeat(256)] {
        assert_eq!(name(Some(id), ReportFormat::Gzip), None, "{id}");
    }
    assert_eq!(
        report.subject(&domain()).as_deref(),
        Some("Report Domain: example.com Submitter: mail.sender.example Report-ID: <1@x>")
    );
    assert_eq!(ReportFormat::Gzip.media_type(), "application/tlsrpt+gzip");
    assert_eq!(ReportFormat::Json.media_type(), "application/tlsrpt+json");
    // What was read is not trusted to stand in a header field or the name of a file.
    let read = |contact: &str, id: &str| {
        read_with(|json| {
            json["contact-info"] = contact.into();
            json["report-id"] = id.into();
        })
        .unwrap()
    };
    assert_eq!(read("a@b.example", "x\r\nBcc: y").subject(&domain()), None);
    assert_eq!(read("https://b", "1").subject(&domain()), None);
    assert_eq!(read("a@../b", "1").filename(&domain(), None, ReportFormat::Json), None);
}

#[cfg(feature = "idna")]
#[test]
fn ok_the_submitter_is_of_a_labels() {
    let report = Report::new("A", "tls@münchen.example", "1", day(), []).unwrap();
    assert_eq!(report.contact_info(), "tls@xn--mnchen-3ya.example");
    assert_eq!(report.submitter().unwrap().as_str(), "xn--mnchen-3ya.example");
}

#[test]
fn ok_details_are_alike_whatever_their_count() {
    let one = FailureDetails::new(ResultType::CertificateExpired);
    let many = one.clone().with_failed_session_count(7);
    assert!(one.is_like(&many) && one != many);
    assert!(!one.is_like(&one.clone().held()));
    assert!(!one.is_like(&FailureDetails::new(ResultType::StarttlsNotSupported)));
}

#[test]
fn ok_a_policy_of_dane_is_named_with_its_records_and_its_host() {
    let mx = DnsName::parse("mx.example.com").unwrap();
    let policy = ReportedPolicy::tlsa(&domain(), &mx, ["3 1 1 00", "2 0 1 01"]);
    assert_eq!(policy.policy_type(), Some(PolicyType::Tlsa));
    assert!(policy.policy_string().eq(["3 1 1 00", "2 0 1 01"]));
    assert!(policy.mx_host().eq(["mx.example.com"]));
    let names = [PolicyType::Tlsa, PolicyType::Sts, PolicyType::NoPolicyFound];
    assert_eq!(names.map(|name| name.to_string()), ["tlsa", "sts", "no-policy-found"]);
}
