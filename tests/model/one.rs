//! One lookup, whatever it meets.

use mta_sts::{
    AddressClass, CertificateFault, DnsFailure, DnsFailureKind, FetchFailure, TlsFailure,
};
use mta_sts_testkit::model::{Https, Mode, Recheck, Txt};
use mta_sts_testkit::pair::Pair;
use mta_sts_testkit::script::{HttpsAnswer, Turn, given, policy_text, valid_policy};

use super::DAY;

pub(crate) const NOW: u64 = 1_800_000_000;
pub(crate) const HELD: [&str; 6] = ["nothing", "enforce", "testing", "none", "expired", "future"];
pub(crate) const MEMORY: [&str; 5] = ["-", "same_id", "absent", "malformed", "no_answer"];
pub(crate) const BACKOFF: [&str; 5] = ["-", "h1", "n2", "h1+n2", "budget"];
pub(crate) const RECHECK: [Recheck; 3] = [Recheck::WhenDue, Recheck::Always, Recheck::Refresh];

fn response(status: u16, content_type: Option<&str>) -> HttpsAnswer {
    let body = vec![policy_text("enforce", DAY).into_bytes()];
    HttpsAnswer::Response { status, content_type: content_type.map(str::to_owned), body }
}

/// Every fault of the transport and of HTTP.
fn faults() -> Vec<HttpsAnswer> {
    let excerpt = || "x/y".into();
    let failures = [
        FetchFailure::Dns(DnsFailure::new(DnsFailureKind::ServerFailure)),
        FetchFailure::NoAddress,
        FetchFailure::Address(AddressClass::Loopback),
        FetchFailure::ConnectionRefused,
        FetchFailure::Connection,
        FetchFailure::Timeout,
        FetchFailure::Tls(TlsFailure::Other),
        FetchFailure::Tls(TlsFailure::Closed),
        FetchFailure::SeveralMediaTypes(excerpt()),
        FetchFailure::Http,
        FetchFailure::Status(503),
        FetchFailure::MediaType(excerpt()),
        FetchFailure::NoMediaType,
        FetchFailure::ContentCoding(excerpt()),
        FetchFailure::TooLarge { limit: 65_536 },
        FetchFailure::Truncated,
        FetchFailure::Abandoned,
    ];
    let cut = |failure| HttpsAnswer::Cut(policy_text("enforce", DAY).into_bytes(), failure);
    let mut faults: Vec<_> = failures.into_iter().map(HttpsAnswer::Failed).collect();
    faults
        .extend([204, 301, 302, 304, 404, 500].map(|status| response(status, Some("text/plain"))));
    faults.extend(["text/html", "", "text/plain, text/html"].map(|kind| response(200, Some(kind))));
    faults
        .extend([FetchFailure::Truncated, FetchFailure::Timeout, FetchFailure::Abandoned].map(cut));
    faults.push(HttpsAnswer::Response {
        status: 200,
        content_type: Some("text/plain".to_owned()),
        body: vec![vec![b'\n'; 65_536], vec![b'\n']],
    });
    faults
}

/// Every kind of HTTPS answer, each as the model knows it and as the machine gets it.
fn https() -> Vec<(Https, HttpsAnswer)> {
    let certificate = [
        FetchFailure::Certificate(CertificateFault::Expired),
        FetchFailure::Certificate(CertificateFault::NotYetValid),
        FetchFailure::Certificate(CertificateFault::WrongName),
        FetchFailure::Certificate(CertificateFault::UntrustedIssuer),
        FetchFailure::Certificate(CertificateFault::Revoked),
        FetchFailure::Certificate(CertificateFault::Other),
        FetchFailure::OtherHostVerified,
    ];
    let mut all: Vec<_> = [
        valid_policy(Mode::Enforce, "fetched", DAY),
        valid_policy(Mode::Testing, "fetched", DAY),
        valid_policy(Mode::None, "fetched", DAY),
        valid_policy(Mode::Enforce, "held", 7 * DAY),
        valid_policy(Mode::Enforce, "fetched", 0),
        valid_policy(Mode::None, "fetched", 0),
        valid_policy(Mode::Enforce, "fetched", u64::from(u32::MAX)),
        Https::Invalid,
    ]
    .map(|https| (https.clone(), HttpsAnswer::from(&https)))
    .into();
    all.extend(certificate.map(|fault| (Https::Certificate, HttpsAnswer::Failed(fault))));
    all.extend(faults().into_iter().map(|fault| (Https::Fails, fault)));
    all
}

fn txt() -> Vec<Txt> {
    let ids = ["h1", "n2"].map(|id| Txt::Id(id.to_owned(), 300));
    let rest = [Txt::Absent(300), Txt::Several(300), Txt::Malformed(300), Txt::NoAnswer];
    ids.into_iter().chain(rest).collect()
}

/// A pair in a state of the decision table, compared all the way there.
pub(crate) fn pair(held: &str, memory: &str, backoff: &str) -> Pair {
    let mut pair = Pair::new();
    for turn in given(held, memory, backoff, NOW) {
        pair.turn(&turn);
    }
    pair
}

/// Every lookup that starts from this state; how many there are.
fn every_lookup_from(pair: &Pair, https: &[(Https, HttpsAnswer)]) -> usize {
    let mut count = 0;
    for recheck in RECHECK {
        for txt in txt() {
            for change in [|turn: Turn| turn, Turn::blind, Turn::unwritable] {
                for (kind, answer) in https {
                    let turn = change(Turn::new(NOW, recheck, txt.clone(), kind.clone()));
                    let verdict = pair.clone().turn_with(&turn, answer);
                    count += 1;
                    if !verdict.asks_https {
                        break;
                    }
                }
            }
        }
    }
    count
}

#[test]
fn every_lookup_from_every_state() {
    let https = https();
    let mut count = 0;
    for held in HELD {
        for memory in MEMORY {
            for backoff in BACKOFF {
                if (held, memory) != ("nothing", "same_id") {
                    count += every_lookup_from(&pair(held, memory, backoff), &https);
                }
            }
        }
    }
    assert!(count > 20_000, "{count}");
}
