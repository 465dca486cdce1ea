//! What is counted, for a program and for Prometheus.

use mta_sts_adapters::{Snapshot, Status};
use mta_sts_lab::{DnsAnswer, Https, RecordType, Response};

use crate::client::{Client, builder};
use crate::{domain, lab, record};

#[test]
fn ok_what_was_done_is_counted() {
    let lab = lab(["found.example", "broken.example", "tested.example"]);
    lab.domain("tested.example").id("1").mode("testing").max_age(1_000).publish();
    lab.https().set("mta-sts.broken.example", Https::respond(Response::new(404)));
    lab.dns().set(&record("absent.example"), RecordType::Txt, DnsAnswer::nxdomain(60));
    let client = Client::build(builder(&lab));
    let statuses = ["found.example", "found.example", "broken.example", "absent.example"]
        .map(|name| client.policy_for(&domain(name)).status());
    assert_eq!(statuses, [Status::Found, Status::Confirmed, Status::Absent, Status::Absent]);
    assert_eq!(client.policy_for(&domain("tested.example")).status(), Status::Found);
    let snapshot = client.metrics();
    let counts = |counts: &[mta_sts_adapters::Count]| -> Vec<(&'static str, u64)> {
        let counted = counts.iter().filter(|count| count.count > 0);
        counted.map(|count| (count.label, count.count)).collect()
    };
    assert_eq!(counts(&snapshot.lookups), [("found", 2), ("confirmed", 1), ("absent", 2)]);
    assert_eq!(counts(&snapshot.txt_queries), [("records", 3), ("absent", 1)]);
    assert_eq!(counts(&snapshot.fetches), [("ok", 2), ("http", 1)]);
    assert_eq!(counts(&snapshot.entries), [("enforce", 1), ("testing", 1), ("without_policy", 2)]);
    assert_eq!(Snapshot::count(&snapshot.refreshes, "ok"), 0);
    assert_eq!((snapshot.policies_weakened, snapshot.entries_pending), (0, 0));
    let left = snapshot.next_expiry.expect("two policies are held").as_secs();
    assert!((900..=1_000).contains(&left), "{left}");
    let taken: Vec<_> = snapshot.durations.iter().map(|d| (d.label, d.count)).collect();
    assert_eq!(taken, [("txt", 4), ("fetch", 3), ("store_read", 0), ("store_write", 0)]);

    #[cfg(feature = "prometheus")]
    {
        let text = client.exporter().text();
        for line in [
            "# TYPE mta_sts_lookups counter",
            "mta_sts_lookups_total{status=\"found\"} 2",
            "mta_sts_fetches_total{result=\"http\"} 1",
            "mta_sts_entries{mode=\"without_policy\"} 2",
            "# TYPE mta_sts_txt_duration_seconds histogram",
            "mta_sts_txt_duration_seconds_count 4",
            "mta_sts_txt_duration_seconds_bucket{le=\"+Inf\"} 4",
            "mta_sts_policies_weakened_total 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
        assert!(text.contains("\nmta_sts_next_expiry_seconds "), "{text}");
        assert!(text.ends_with("# EOF\n"));
    }
}
