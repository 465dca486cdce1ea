//! What is told by `tracing`: who, what, how much time is left; never the text of a policy.
#![cfg(all(feature = "tokio", feature = "sqlite", feature = "hickory-resolver"))]

#[path = "support/lab_client.rs"]
mod lab_client;

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use mta_sts_adapters::tokio::MtaSts;
use mta_sts_adapters::{HickoryDns, Memory, PolicyDomain, Status};
use mta_sts_lab::{DnsAnswer, Lab, Rcode, RecordType};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::FmtSpan;

/// What was written to the log.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// The lines of this crate since the last call.
    fn take(&self) -> Vec<String> {
        let text = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let text = String::from_utf8(text).expect("text");
        text.lines().filter(|line| line.contains("mta_sts")).map(str::to_owned).collect()
    }
}

fn one<'a>(lines: &'a [String], what: &str) -> &'a str {
    let found: Vec<_> = lines.iter().filter(|line| line.contains(what)).collect();
    let [line] = found[..] else { panic!("{what}: {lines:#?}") };
    line
}

#[tokio::test]
async fn ok_what_happens_is_told_and_no_policy_is_shown() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .with_max_level(LevelFilter::TRACE)
        .with_span_events(FmtSpan::CLOSE)
        .init();
    let lab = Lab::start().expect("the lab starts");
    let published = lab.domain("a.example").mode("enforce").mx(["mx.a.example"]);
    published.publish();
    let client = MtaSts::builder().dns(HickoryDns::servers([lab.dns_addr()]));
    let client = lab_client::trusting(client.store(Arc::new(Memory::default())), &lab);
    let client = client.build().expect("a client");
    let domain = PolicyDomain::parse("a.example").expect("a domain");

    assert_eq!(client.policy_for(&domain).await.status(), Status::Found);
    let lines = log.take();
    let found = one(&lines, "a policy was fetched");
    for part in [" INFO ", "domain=\"a.example\"", "status=\"found\"", "mode=\"enforce\""] {
        assert!(found.contains(part), "{part}: {found}");
    }
    assert!(found.contains("expires_in=604800") || found.contains("expires_in=604799"), "{found}");

    // A weaker policy, then a failing DNS: both are for an administrator to see.
    lab.domain("a.example").id("2").mode("testing").mx(["mx.a.example"]).publish();
    assert_eq!(client.recheck(&domain).await.status(), Status::Found);
    let lines = log.take();
    let weaker = one(&lines, "protects less than before");
    assert!(weaker.contains(" WARN ") && weaker.contains("before=\"enforce\""), "{weaker}");
    let silence = DnsAnswer::rcode(Rcode::SERVFAIL);
    lab.dns().set(&published.record_name(), RecordType::Txt, silence);
    assert_eq!(client.recheck(&domain).await.status(), Status::Held);
    let lines = log.take();
    let held = one(&lines, "SERVFAIL");
    for part in [" WARN ", "lookup{domain=\"a.example\"}", "problem=\"no-answer\"", "expires_in="] {
        assert!(held.contains(part), "{part}: {held}");
    }

    // The log of all levels shows who was asked, and no policy.
    lab.domain("b.example").mode("enforce").mx(["mx.b.example"]).publish();
    client.policy_for(&PolicyDomain::parse("b.example").expect("a domain")).await;
    let lines = log.take();
    assert!(
        lines.iter().any(|line| line.contains("fetch{host=\"mta-sts.b.example\"}")),
        "{lines:#?}"
    );
    assert!(
        lines.iter().any(|line| line.contains("txt{name=\"_mta-sts.b.example\"}")),
        "{lines:#?}"
    );
    let ours = |line: &&String| line.contains("mta_sts_adapters::");
    assert!(lines.iter().filter(ours).count() > 0);
    for line in lines.iter().filter(ours) {
        assert!(!line.contains("STSv1") && !line.contains("mx.b.example"), "{line}");
    }
}
