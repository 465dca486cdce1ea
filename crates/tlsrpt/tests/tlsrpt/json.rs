//! The report as JSON.

use std::net::IpAddr;

use mta_sts::{DnsName, ResultType, UnixTime};
use mta_sts_tlsrpt::{DateRange, FailureDetails, MAX_COUNT, Report, ReportedPolicy, Tally};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{NONE, TESTING, domain, policy, report, tally};

/// RFC 8460 appendix B.
fn appendix_b() -> Value {
    json!({
        "organization-name": "Company-X",
        "date-range": {
            "start-datetime": "2016-04-01T00:00:00Z",
            "end-datetime": "2016-04-01T23:59:59Z"
        },
        "contact-info": "sts-reporting@company-x.example",
        "report-id": "5065427c-23d3-47ca-b6e0-946ea0e8c4be",
        "policies": [{
            "policy": {
                "policy-type": "sts",
                "policy-string": ["version: STSv1", "mode: testing",
                    "mx: *.mail.company-y.example", "max_age: 86400"],
                "policy-domain": "company-y.example",
                "mx-host": "*.mail.company-y.example"
            },
            "summary": {
                "total-successful-session-count": 5326,
                "total-failure-session-count": 303
            },
            "failure-details": [{
                "result-type": "certificate-expired",
                "sending-mta-ip": "2001:db8:abcd:0012::1",
                "receiving-mx-hostname": "mx1.mail.company-y.example",
                "failed-session-count": 100
            }, {
                "result-type": "starttls-not-supported",
                "sending-mta-ip": "2001:db8:abcd:0013::1",
                "receiving-mx-hostname": "mx2.mail.company-y.example",
                "receiving-ip": "203.0.113.56",
                "failed-session-count": 200,
                "additional-information":
                    "https://reports.company-x.example/report_info?id=5065427c-23d3#StarttlsNotSupported"
            }, {
                "result-type": "validation-failure",
                "sending-mta-ip": "198.51.100.62",
                "receiving-ip": "203.0.113.58",
                "receiving-mx-hostname": "mx-backup.mail.company-y.example",
                "failed-session-count": 3,
                "failure-reason-code": "X509_V_ERR_PROXY_PATH_LENGTH_EXCEEDED"
            }]
        }]
    })
}

pub(super) fn read_with(change: impl FnOnce(&mut Value)) -> serde_json::Result<Report> {
    let mut json = appendix_b();
    change(&mut json);
    serde_json::from_str(&json.to_string())
}

#[test]
fn ok_the_example_of_the_rfc_round_trips() {
    let report = read_with(|_| {}).unwrap();
    assert_eq!(report.date_range(), DateRange::day(UnixTime::from_secs(1_459_512_000)));
    assert_eq!(report.report_id(), "5065427c-23d3-47ca-b6e0-946ea0e8c4be");
    let [policy] = report.policies() else { panic!("one policy") };
    let counts: Vec<_> = policy
        .failure_details()
        .iter()
        .map(|d| (d.result_type(), d.failed_session_count()))
        .collect();
    assert_eq!(
        counts,
        [
            (Some(ResultType::CertificateExpired), 100),
            (Some(ResultType::StarttlsNotSupported), 200),
            (Some(ResultType::ValidationFailure), 3)
        ]
    );
    // It is written as section 4.4 has it: patterns in a list, addresses by RFC 5952.
    let mut expected = appendix_b();
    let policy = &mut expected["policies"][0];
    policy["policy"]["mx-host"] = json!(["*.mail.company-y.example"]);
    policy["failure-details"][0]["sending-mta-ip"] = "2001:db8:abcd:12::1".into();
    policy["failure-details"][1]["sending-mta-ip"] = "2001:db8:abcd:13::1".into();
    assert_eq!(serde_json::to_value(&report).unwrap(), expected);
    assert_eq!(serde_json::from_value::<Report>(expected).unwrap(), report);
}

#[test]
fn ok_a_report_is_written_to_the_letter() {
    let mut sum = tally();
    sum.succeeded();
    let ip: IpAddr = "2001:DB8:0::1".parse().unwrap();
    sum.failed([FailureDetails::new(ResultType::CertificateExpired)
        .with_sending_mta_ip(ip)
        .with_receiving_mx_hostname(&DnsName::parse("MX.example.com").unwrap())
        .with_receiving_mx_helo("mx")
        .with_receiving_ip([192, 0, 2, 1].into())
        .with_additional_information("https://sender.example/1")
        .with_failure_reason_code("certificate-expired")]);
    let mut bare = Tally::new(ReportedPolicy::applied(&domain(), Some(&policy(NONE))));
    bare.succeeded();
    let expected = concat!(
        r#"{"organization-name":"Sender","date-range":{"start-datetime":"2027-01-15T00:00:00Z","#,
        r#""end-datetime":"2027-01-15T23:59:59Z"},"contact-info":"tls@sender.example","#,
        r#""report-id":"id-1","policies":[{"policy":{"policy-type":"sts","policy-string":["#,
        r#""version: STSv1","mode: testing","mx: *.example.com","max_age: 86400"],"#,
        r#""policy-domain":"example.com","mx-host":["*.example.com"]},"#,
        r#""summary":{"total-successful-session-count":1,"total-failure-session-count":1},"#,
        r#""failure-details":[{"result-type":"certificate-expired","#,
        r#""sending-mta-ip":"2001:db8::1","receiving-mx-hostname":"mx.example.com","#,
        r#""receiving-mx-helo":"mx","receiving-ip":"192.0.2.1","failed-session-count":1,"#,
        r#""additional-information":"https://sender.example/1","#,
        r#""failure-reason-code":"certificate-expired"}]},"#,
        r#"{"policy":{"policy-type":"no-policy-found","policy-domain":"example.com"},"#,
        r#""summary":{"total-successful-session-count":1,"total-failure-session-count":0},"#,
        r#""failure-details":[]}]}"#,
    );
    assert_eq!(serde_json::to_string(&report([bare, sum])).unwrap(), expected);
}

#[test]
fn ok_what_others_write_is_read_alike() {
    type Change = fn(&mut Value);
    let expected = read_with(|_| {}).unwrap();
    let changes: [Change; 12] = [
        |json| json["policies"][0]["policy"]["mx-host"] = json!(["*.mail.company-y.example"]),
        |json| {
            let text = "version: STSv1\r\nmode: testing\r\nmx: *.mail.company-y.example\r\nmax_age: 86400\r\n";
            json["policies"][0]["policy"]["policy-string"] = text.into();
        },
        |json| {
            json["policies"][0]["policy"]["policy-string"]
                .as_array_mut()
                .unwrap()
                .push(Value::Null);
        },
        |json| json["policies"] = json["policies"][0].clone(),
        |json| json["policies"].as_array_mut().unwrap().push(Value::Null),
        |json| json["date-range"]["start-datetime"] = "2016-04-01T00:00:00".into(),
        |json| json["date-range"]["start-datetime"] = "2016-04-01 02:00:00+02:00".into(),
        |json| json["date-range"]["start-datetime"] = " 2016-04-01 ".into(),
        |json| json["date-range"]["end-datetime"] = "2016-04-01T23:59:59.999Z".into(),
        |json| {
            json["policies"][0]["summary"]["total-failure-session-count"] = "303".into();
            json["policies"][0]["failure-details"][2]["failed-session-count"] = " 3 ".into();
        },
        |json| {
            json["policies"][0]["failure-details"][0]["receiving-ip"] = "".into();
            json["policies"][0]["failure-details"][0]["receiving-mx-helo"] = Value::Null;
            json["policies"][0]["failure-details"][1]["receiving-ip"] = "[203.0.113.56]".into();
            json["unheard-of"] = json!({"a": [1, {}]});
        },
        |json| {
            let details = json["policies"][0]["failure-details"].as_array_mut().unwrap();
            let names = [
                ("receiving-mx-hostname", "receiving-mx-host"),
                ("additional-information", "additional-info-uri"),
                ("failure-reason-code", "failure-error-code"),
            ];
            for details in details.iter_mut().map(|details| details.as_object_mut().unwrap()) {
                for (name, draft) in names {
                    if let Some(value) = details.remove(name) {
                        details.insert(draft.into(), value);
                    }
                }
            }
            let policy = json["policies"][0]["policy"].as_object_mut().unwrap();
            let mx = policy.remove("mx-host").unwrap();
            policy.insert("mx-host-pattern".into(), mx);
        },
    ];
    for (number, change) in changes.into_iter().enumerate() {
        assert_eq!(read_with(change).unwrap(), expected, "change {number}");
    }
}

/// The report with this JSON as a count of its summary, and of one of its details.
fn read_with_counts(count: &str) -> serde_json::Result<Report> {
    let text = appendix_b().to_string();
    let text = text.replacen(":303", &format!(":{count}"), 1);
    serde_json::from_str(&text.replacen(":200", &format!(":{count}"), 1))
}

#[test]
fn counts_are_the_integers_that_json_numbers_stand_for() {
    let cases = [
        ("5", 5),
        ("5.0", 5),
        ("5.000", 5),
        ("1e3", 1_000),
        ("1.5E+1", 15),
        ("50e-1", 5),
        ("0", 0),
        ("-0", 0),
        ("-0.0", 0),
        ("\"5\"", 5),
        ("\" 5.0 \"", 5),
        ("\"1e3\"", 1_000),
        ("9007199254740991", MAX_COUNT),
        ("9007199254740993", MAX_COUNT),
        ("18446744073709551615", MAX_COUNT),
        ("18446744073709551616", MAX_COUNT),
        ("99999999999999999999", MAX_COUNT),
        ("1e300", MAX_COUNT),
        ("\"99999999999999999999\"", MAX_COUNT),
        ("\"1e300\"", MAX_COUNT),
    ];
    for (text, expected) in cases {
        let report = read_with_counts(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let [policy] = report.policies() else { panic!("one policy") };
        assert_eq!(policy.total_failure_session_count(), expected, "{text}");
        assert_eq!(policy.failure_details()[1].failed_session_count(), expected, "{text}");
    }
}

#[test]
fn counts_that_are_no_integers_are_errors_with_their_place() {
    let counts = [
        "-1", "-5.0", "0.5", "5.5", "1e-3", "\"-1\"", "\"0.5\"", "\"\"", "\"inf\"", "\"NaN\"",
        "true", "[]", "{}",
    ];
    for text in counts {
        let error = read_with_counts(text).unwrap_err();
        let said = error.to_string();
        assert!(said.contains("expected a count of sessions, a whole number"), "{text}: {said}");
        assert!(said.contains("at line 1 column"), "{text}: {said}");
    }
}

#[test]
fn hour_24_is_the_next_midnight() {
    let next = UnixTime::from_secs(1_459_555_200);
    let cases = [
        ("2016-04-01T24:00:00Z", next),
        ("2016-04-01t24:00:00z", next),
        ("2016-04-01 24:00:00", next),
        ("2016-04-01T24:00Z", next),
        ("2016-04-01T24:00:00.000Z", next),
        ("2016-04-01T24:00:00+02:00", next.minus_secs(7_200)),
        ("2016-04-01T24:00:00-05:30", next.plus_secs(19_800)),
        ("2016-03-31T24:00:00Z", UnixTime::from_secs(1_459_468_800)),
        ("2015-12-31T24:00:00Z", UnixTime::from_secs(1_451_606_400)),
    ];
    for (text, expected) in cases {
        let report = read_with(|json| {
            json["date-range"]["start-datetime"] = "2015-01-01T00:00:00Z".into();
            json["date-range"]["end-datetime"] = text.into();
        });
        let report = report.unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(report.date_range().end(), expected, "{text}");
    }
    let day = read_with(|json| {
        json["date-range"]["start-datetime"] = "2016-03-31T24:00:00Z".into();
    });
    assert_eq!(day.unwrap(), read_with(|_| {}).unwrap());
    for text in [
        "2016-04-01T24:00:01Z",
        "2016-04-01T24:01:00Z",
        "2016-04-01T24:00:00.5Z",
        "2016-04-01T24:00:00:00Z",
        "2016-04-01T24Z:",
        "2016-04-31T24:00:00Z",
        "2016-04-01T25:00:00Z",
        "2016-04-0T124:00:00Z",
    ] {
        let error = read_with(|json| json["date-range"]["end-datetime"] = text.into());
        let said = error.unwrap_err().to_string();
        assert!(said.contains(&format!("found {text:?}")), "{said}");
    }
}

#[test]
fn reading_takes_at_most_ten_times_the_memory_of_the_text() {
    let (head, tail) = (
        r#"{"date-range":{"start-datetime":"2016-04-01","end-datetime":"2016-04-02"},"policies":["#,
        "]}",
    );
    let list = |element: &str, times: usize| vec![element; times].join(",");
    let policy = |fields: &str| format!(r#"{{"policy":{{"policy-type":""}}{fields}}}"#);
    let details = |element: &str, times: usize| {
        policy(&format!(r#","failure-details":[{}]"#, list(element, times)))
    };
    let shapes = [
        list(&policy(""), 1_000),
        list(&details(r#"{"result-type":""}"#, 10_000), 50),
        list(&details(r#"{"result-type":"x"}"#, 1), 1_000),
        list(&details(r#"{"result-type":"x"}"#, 5_000), 10),
        details(r#"{"result-type":"","receiving-mx-helo":"x","receiving-ip":"x"}"#, 10_000),
        list(
            &format!(r#"{{"policy":{{"policy-type":"","mx-host":[{}]}}}}"#, list(r#""""#, 9_000)),
            9,
        ),
        list(
            &format!(
                r#"{{"policy":{{"policy-type":"","policy-string":"{}"}}}}"#,
                "x\\n".repeat(40_000)
            ),
            9,
        ),
    ];
    for shape in shapes {
        let json = format!("{head}{shape}{tail}");
        let mut read = None;
        let info =
            allocation_counter::measure(|| read = Some(serde_json::from_str::<Report>(&json)));
        read.unwrap().unwrap();
        let limit = 10 * u64::try_from(json.len()).unwrap();
        assert!(info.bytes_max <= limit, "{} for {}: {shape:.100}", info.bytes_max, json.len());
    }
}

#[test]
fn ok_what_others_leave_out_is_read_as_nothing() {
    let sparse = json!({
        "organization-name": null, "contact-info": null, "report-id": null,
        "date-range": {"start-datetime": "2025-09-20T00:00:00Z", "end-datetime": "2025-09-21T00:00:00Z"},
        "policies": [
            {"policy": {"policy-type": "future"}, "failure-details": [{"result-type": "new-error"}]},
            {"policy": {"policy-type": "sts", "policy-string": null, "mx-host": ""},
                "summary": {"total-successful-session-count": null,
                    "total-failure-session-count": "99999999999999999999"},
                "failure-details": null}
        ]
    });
    let report: Report = serde_json::from_value(sparse).unwrap();
    assert_eq!(
        (report.organization_name(), report.contact_info(), report.report_id()),
        ("", "", "")
    );
    let [one, two] = report.policies() else { panic!("two policies") };
    assert_eq!((one.policy().policy_type(), one.policy().policy_type_str()), (None, "future"));
    let details = &one.failure_details()[0];
    assert_eq!((details.result_type(), details.result_type_str()), (None, "new-error"));
    assert_eq!(details.failed_session_count(), 0);
    assert_eq!(two.policy().policy_string().count() + two.policy().mx_host().count(), 0);
    assert_eq!(two.total_failure_session_count(), MAX_COUNT);
    let again = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<Report>(&again).unwrap(), report);
}

#[test]
fn err_a_report_that_cannot_be_read_says_why() {
    type Change = fn(&mut Value);
    let changes: [(Change, &str); 14] = [
        (|json| json["report-id"] = json!(5), "expected a string"),
        (|json| json["policies"] = json!(5), "expected a list of at most 1000 elements"),
        (
            |json| json["policies"][0]["policy"]["policy-string"] = json!(5),
            "expected a string or a list of strings",
        ),
        (
            |json| json["policies"][0]["policy"]["policy-string"] = json!([5]),
            "integer `5`, expected a string",
        ),
        (|json| json["date-range"] = Value::Null, "expected struct"),
        (|json| json["date-range"]["end-datetime"] = "yesterday".into(), "found \"yesterday\""),
        (|json| json["date-range"]["start-datetime"] = "1969-12-31T23:59:59Z".into(), "after 1970"),
        (
            |json| json["date-range"]["end-datetime"] = "2016-03-31T00:00:00Z".into(),
            "after its start",
        ),
        (|json| json["policies"][0]["policy"] = json!({}), "policy-type"),
        (|json| json["policies"] = Value::from(vec![Value::Null; 1_001]), "at most 1000 elements"),
        (
            |json| json["policies"][0]["failure-details"] = vec![Value::Null; 10_001].into(),
            "at most 10000 elements",
        ),
        (
            |json| {
                json["policies"][0]["policy"]["policy-string"] = vec!["x".repeat(9_999); 14].into();
            },
            "at most 131072 octets",
        ),
        (
            |json| json["policies"][0]["summary"]["total-failure-session-count"] = json!(-1),
            "count of",
        ),
        (
            |json| json["policies"][0]["summary"]["total-failure-session-count"] = "1.5".into(),
            "count of",
        ),
    ];
    for (change, expected) in changes {
        let error = read_with(change).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn ok_lists_may_be_as_long_as_their_bounds() {
    let report = read_with(|json| {
        let mut entry = json["policies"][0].clone();
        entry["failure-details"] = vec![json!({"result-type": "new-error"}); 10_000].into();
        let mut policies = vec![Value::Null; 999];
        policies.push(entry);
        json["policies"] = policies.into();
    })
    .unwrap();
    let [policy] = report.policies() else { panic!("one policy") };
    assert_eq!(policy.failure_details().len(), 10_000);
}

#[test]
fn ok_long_text_is_cut_and_not_refused() {
    let report = read_with(|json| json["report-id"] = "ä".repeat(9_999).into()).unwrap();
    assert_eq!(report.report_id().len(), 4_096);
}

fn any_details() -> impl Strategy<Value = FailureDetails> {
    let ip = proptest::option::of(any::<IpAddr>());
    let text = proptest::option::of(".{0,12}");
    (0..ResultType::ALL.len(), ip.clone(), ip, text.clone(), text, any::<u64>(), any::<bool>())
        .prop_map(|(result, sending, receiving, helo, reason, count, held)| {
            let mut details =
                FailureDetails::new(ResultType::ALL[result]).with_failed_session_count(count);
            if let Some(ip) = sending {
                details = details.with_sending_mta_ip(ip);
            }
            if let Some(ip) = receiving {
                details = details.with_receiving_ip(ip);
            }
            if let Some(helo) = helo {
                details = details.with_receiving_mx_helo(&helo);
            }
            if let Some(reason) = reason {
                details = details.with_failure_reason_code(reason);
            }
            if held { details.held() } else { details }
        })
}

fn any_policy() -> impl Strategy<Value = ReportedPolicy> {
    prop_oneof![
        Just(ReportedPolicy::applied(&domain(), Some(&policy(TESTING)))),
        Just(ReportedPolicy::applied(&domain(), None)),
        proptest::collection::vec("(?s).{0,8}", 0..4).prop_map(|records| {
            let mx = DnsName::parse("mx.example.com").unwrap();
            ReportedPolicy::tlsa(&domain(), &mx, records.iter().map(String::as_str))
        }),
    ]
}

proptest! {
    #[test]
    fn ok_reports_round_trip(
        parts in proptest::collection::vec(
            (any_policy(), proptest::collection::vec(any_details(), 0..6)),
            0..4,
        ),
        time in 0_u64..300_000_000_000,
        id in "[a-z0-9!#$%&'*+/=?^_`{|}~-]{1,20}",
        name in "[^\\p{Cc}]{1,20}",
    ) {
        let tallies = parts.into_iter().map(|(policy, details)| {
            let mut tally = Tally::new(policy);
            tally.succeeded();
            tally.failed(details);
            tally
        });
        let day = DateRange::day(UnixTime::from_secs(time));
        let report = Report::new(&name, "tls@sender.example", &id, day, tallies).unwrap();
        let json = serde_json::to_string(&report).unwrap();
        prop_assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report);
    }

    #[test]
    fn ok_what_is_read_is_written_and_read_again(
        what in "policy-string|mx-host|policy-type|policy-domain",
        value in prop_oneof![
            "(?s).{0,12}".prop_map(Value::from),
            proptest::collection::vec("[a\r\n]{0,4}", 0..4).prop_map(Value::from),
            Just(Value::Null),
        ],
    ) {
        let read = read_with(|json| json["policies"][0]["policy"][what.as_str()] = value);
        if let Ok(report) = read {
            let json = serde_json::to_string(&report).unwrap();
            prop_assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report);
        }
    }
}
