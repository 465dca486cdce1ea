//! Many look-ups at once on one thread, without any runtime: an event loop of one's own.
//!
//! A state of the machine is a value. It waits in a map until the network has something for it, and
//! the key is the loop's: here the number of the question that was sent. The network is made up; a
//! real loop would have sockets and `poll` in its place.

use std::collections::{BTreeMap, VecDeque};

use mta_sts::lookup::Head;
use mta_sts::{
    DnsFailure, DnsFailureKind, FetchFailure, Held, Lookup, Outcome, PolicyDomain,
    PolicyHostVerified, Status, Step, UnixTime,
};

/// What the network tells the loop.
enum Event {
    Txt { question: u64, id: Option<&'static str> },
    Head { question: u64, status: u16 },
    Body { question: u64, bytes: &'static [u8] },
    End { question: u64 },
    Timeout { question: u64 },
}

/// A network with a mind of its own: it answers late and in another order than it was asked.
#[derive(Default)]
struct Network {
    events: VecDeque<Event>,
}

impl Network {
    /// Sends a TXT question; the answer comes later.
    fn ask(&mut self, question: u64, name: &str) {
        match name {
            "_mta-sts.example.com" => self.events.push_back(Event::Txt { question, id: Some("1") }),
            "_mta-sts.example.net" => self.events.push_front(Event::Txt { question, id: None }),
            "_mta-sts.example.org" => self.events.push_back(Event::Txt { question, id: Some("9") }),
            _ => self.events.push_back(Event::Timeout { question }),
        }
    }

    /// Sends a request; head, body and end come later.
    fn fetch(&mut self, question: u64, host: &str) {
        let found = host == "mta-sts.example.com";
        self.events.push_front(Event::Head { question, status: if found { 200 } else { 404 } });
        if found {
            for bytes in
                [&b"version: STSv1\nmode: enf"[..], b"orce\nmx: mx.example.com\nmax_age: 60"]
            {
                self.events.push_back(Event::Body { question, bytes });
            }
            self.events.push_back(Event::End { question });
        }
    }
}

pub(crate) fn main() {
    let now = UnixTime::from_secs(1_800_000_000);
    let mut network = Network::default();
    let mut waiting: BTreeMap<u64, Step> = BTreeMap::new();
    let mut done: Vec<Outcome> = Vec::new();

    for (question, name) in (0..).zip(["example.com", "example.net", "example.org", "example.edu"])
    {
        let domain = PolicyDomain::parse(name).expect("a domain name");
        let started = Lookup::new(domain, Held::Nothing).start(now);
        go_on(started.into(), question, &mut network, &mut waiting, &mut done);
    }
    while let Some(event) = network.events.pop_front() {
        let question = match event {
            Event::Txt { question, .. } | Event::Head { question, .. } => question,
            Event::Body { question, .. } | Event::End { question } => question,
            Event::Timeout { question } => question,
        };
        // An answer that nobody waits for is late: it is dropped.
        let Some(step) = waiting.remove(&question) else { continue };
        let next = handle(step, &event, now);
        go_on(next, question, &mut network, &mut waiting, &mut done);
    }

    assert!(waiting.is_empty(), "every look-up has ended");
    let status =
        |name: &str| done.iter().find(|o| o.domain().as_str() == name).map(Outcome::status);
    assert_eq!(status("example.com"), Some(Status::Found));
    assert_eq!(status("example.net"), Some(Status::Absent));
    assert_eq!(status("example.org"), Some(Status::Absent));
    assert_eq!(status("example.edu"), Some(Status::Unknown));
    for outcome in &done {
        let problem = outcome.problem().map(|p| format!(" ({p})")).unwrap_or_default();
        println!("{}: {}{problem}", outcome.domain(), outcome.status());
    }
}

/// Gives a waiting state what has come for it. One that the event does not fit waits on.
fn handle(step: Step, event: &Event, now: UnixTime) -> Step {
    match (step, event) {
        (Step::QueryTxt(query), Event::Txt { id: Some(id), .. }) => {
            query.answered([[format!("v=STSv1; id={id};")]], 300, now).into()
        }
        (Step::QueryTxt(query), Event::Txt { id: None, .. }) => query.absent(300, now).into(),
        (Step::QueryTxt(query), Event::Timeout { .. }) => {
            query.failed(DnsFailure::new(DnsFailureKind::Timeout), now).into()
        }
        (Step::FetchPolicy(fetch), Event::Head { status, .. }) => {
            let verified = PolicyHostVerified::assertion(fetch.host());
            let content_type = Some(&b"text/plain"[..]);
            let head = Head { status: *status, content_type, content_encoding: None };
            fetch.responded(verified, head, now).into()
        }
        (Step::FetchPolicy(fetch), Event::Timeout { .. }) => {
            fetch.failed(FetchFailure::Timeout, now).into()
        }
        (Step::ReadBody(mut body), Event::Body { bytes, .. }) => {
            if body.chunk(bytes).is_break() {
                body.ended(now).into()
            } else {
                body.into()
            }
        }
        (Step::ReadBody(body), Event::End { .. }) => body.ended(now).into(),
        (step, _) => step,
    }
}

/// Does what a step asks for, and lets it wait for the answer.
fn go_on(
    mut step: Step,
    question: u64,
    network: &mut Network,
    waiting: &mut BTreeMap<u64, Step>,
    done: &mut Vec<Outcome>,
) {
    loop {
        match step {
            // A store would merge the entry here and return the result; this one forgets.
            Step::Store(store) => {
                let merged = store.entry().clone();
                step = store.stored(merged).into();
            }
            Step::Done(outcome) => return done.push(outcome),
            other => {
                match &other {
                    Step::QueryTxt(query) => network.ask(question, query.name()),
                    Step::FetchPolicy(fetch) => network.fetch(question, fetch.host()),
                    _ => {}
                }
                waiting.insert(question, other);
                return;
            }
        }
    }
}
