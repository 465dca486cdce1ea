//! A driver without I/O: a lookup is run to its end with answers that were thought up beforehand.

mod course;
mod given;

use std::ops::ControlFlow;

use mta_sts::delivery::Retry;
use mta_sts::lookup::{AfterHead, AfterTxt, FetchPolicy, Head, QueryTxt, ReadBody, Store};
use mta_sts::{
    BounceToken, DnsFailure, DnsFailureKind, Entry, FetchFailure, Held, Limits, Lookup, Outcome,
    PolicyHostVerified, Step, UnixTime, Urgency,
};

pub use course::{Client, Turn, valid_policy};
pub use given::given;

/// What DNS says.
#[derive(Debug, Clone)]
pub enum TxtAnswer {
    /// These records, each a list of character-strings, and their TTL in seconds.
    Records(Vec<Vec<Vec<u8>>>, u32),
    /// There are none; the negative TTL in seconds.
    Absent(u32),
    /// Nothing.
    Failed(DnsFailure),
}

impl TxtAnswer {
    /// One record that announces an id.
    pub fn id(id: &str, ttl: u32) -> Self {
        Self::record(&format!("v=STSv1; id={id};"), ttl)
    }

    /// One record of one string.
    pub fn record(text: &str, ttl: u32) -> Self {
        Self::Records(vec![vec![text.as_bytes().to_vec()]], ttl)
    }

    /// Two records that announce ids.
    pub fn several(ttl: u32) -> Self {
        let record = |id: u8| vec![format!("v=STSv1; id={id};").into_bytes()];
        Self::Records(vec![record(1), record(2)], ttl)
    }

    /// No answer in time.
    pub fn silence() -> Self {
        Self::Failed(DnsFailure::new(DnsFailureKind::Timeout))
    }
}

/// What the Policy Host says.
#[derive(Debug, Clone)]
pub enum HttpsAnswer {
    /// A response with this head and this body, whole.
    Response {
        /// The status.
        status: u16,
        /// The media type.
        content_type: Option<String>,
        /// The body, in the chunks in which it comes.
        body: Vec<Vec<u8>>,
    },
    /// A failure before the head.
    Failed(FetchFailure),
    /// A good head and this much of a body, then a failure.
    Cut(Vec<u8>, FetchFailure),
}

impl HttpsAnswer {
    /// A response as it should be, with this body.
    pub fn policy(text: &str) -> Self {
        Self::Response {
            status: 200,
            content_type: Some("text/plain".to_owned()),
            body: vec![text.as_bytes().to_vec()],
        }
    }
}

/// The text of a policy for `mx.example.com`.
pub fn policy_text(mode: &str, max_age: u64) -> String {
    format!("version: STSv1\r\nmode: {mode}\r\nmx: mx.example.com\r\nmax_age: {max_age}\r\n")
}

/// A lookup that was run to its end.
#[derive(Debug, Clone)]
pub struct Run {
    /// What it found.
    pub outcome: Outcome,
    /// The TXT names asked for, in order.
    pub asked_txt: Vec<String>,
    /// The policy URLs fetched, in order.
    pub asked_https: Vec<String>,
    /// The entry it had written, and how urgent that was.
    pub written: Option<(Entry, Urgency)>,
}

/// Runs a lookup at one point of time, with a store that nobody else writes to. `writable` tells
/// if the store takes what it is given.
pub fn run(
    lookup: Lookup,
    txt: &TxtAnswer,
    https: &HttpsAnswer,
    writable: bool,
    now: UnixTime,
) -> Run {
    drive(lookup.start(now), txt, https, now, |entry| writable.then(|| entry.clone()))
}

/// Runs the lookup of a bounce gate at one point of time, with a store that holds `held` and that
/// nobody else writes to; also returns the gate's permission, if it gives one.
pub fn gate(
    retry: Retry,
    held: Held,
    txt: &TxtAnswer,
    https: &HttpsAnswer,
    now: UnixTime,
) -> (Run, Option<BounceToken>) {
    let (query, gate) = retry.recheck(held, Limits::default(), now);
    let run = drive(query, txt, https, now, |entry| Some(entry.clone()));
    let token = gate.permit(&run.outcome, now);
    (run, token)
}

/// Drives a lookup from any of its states to its end, at one point of time. `write` merges an entry
/// into a store and returns what the store then holds; `None` if the store failed.
pub fn drive(
    start: impl Into<Step>,
    txt: &TxtAnswer,
    https: &HttpsAnswer,
    now: UnixTime,
    mut write: impl FnMut(&Entry) -> Option<Entry>,
) -> Run {
    let mut asked_txt = Vec::new();
    let mut asked_https = Vec::new();
    let mut written = None;
    let mut step = start.into();
    loop {
        step = match step {
            Step::QueryTxt(query) => {
                asked_txt.push(query.name().to_owned());
                answer_txt(query, txt, now).into()
            }
            Step::FetchPolicy(fetch) => {
                asked_https.push(fetch.url());
                answer_https(fetch, https, now).into()
            }
            Step::ReadBody(body) => answer_body(body, https, now).into(),
            Step::Store(store) => {
                written = Some((store.entry().clone(), store.urgency()));
                let merged = write(store.entry());
                match merged {
                    Some(merged) => store.stored(merged),
                    None => store.failed(),
                }
                .into()
            }
            Step::Done(outcome) => return Run { outcome, asked_txt, asked_https, written },
        }
    }
}

/// Gives a question the answer of DNS.
pub fn answer_txt(query: QueryTxt, txt: &TxtAnswer, now: UnixTime) -> AfterTxt {
    match txt {
        TxtAnswer::Records(records, ttl) => query.answered(records, *ttl, now),
        TxtAnswer::Absent(ttl) => query.absent(*ttl, now),
        TxtAnswer::Failed(failure) => query.failed(*failure, now),
    }
}

/// Gives a fetch the head of the answer of HTTPS, or its failure.
pub fn answer_https(fetch: FetchPolicy, https: &HttpsAnswer, now: UnixTime) -> AfterHead {
    let verified = PolicyHostVerified::assertion(fetch.host());
    let plain = Some(&b"text/plain"[..]);
    let head = match https {
        HttpsAnswer::Failed(failure) => {
            return AfterHead::Store(fetch.failed(failure.clone(), now));
        }
        HttpsAnswer::Response { status, content_type, .. } => {
            (*status, content_type.as_deref().map(str::as_bytes))
        }
        HttpsAnswer::Cut(..) => (200, plain),
    };
    let (status, content_type) = head;
    let head = Head { status, content_type, content_encoding: None };
    fetch.responded(verified, head, now)
}

/// Gives the body of the answer of HTTPS, or its failure.
pub fn answer_body(mut body: ReadBody, https: &HttpsAnswer, now: UnixTime) -> Store {
    match https {
        HttpsAnswer::Response { body: chunks, .. } => {
            for chunk in chunks {
                if let ControlFlow::Break(()) = body.chunk(chunk) {
                    break;
                }
            }
            body.ended(now)
        }
        HttpsAnswer::Cut(part, failure) => {
            let _: ControlFlow<()> = body.chunk(part);
            body.failed(failure.clone(), now)
        }
        HttpsAnswer::Failed(failure) => body.failed(failure.clone(), now),
    }
}
