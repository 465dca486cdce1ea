//! One mail, from the first look-up to the bounce: a delivery loop by hand, against SMTP servers
//! that are a script.
//!
//! The domain enforces its policy. On the first day its second MX takes the mail; later an attacker
//! stands before all of them, and the sender must neither deliver in clear text nor bounce before
//! DNS said that the policy is still the one it knows.

use mta_sts::delivery::{
    Attempt, Candidate, Conclusion, Delivery, Failure, Mx, Requirements, Retry, Session, Verdict,
};
use mta_sts::lookup::{AfterHead, AfterTxt, Head, QueryTxt, Start};
use mta_sts::{
    BounceToken, CertificateFault, DnsFailure, DnsFailureKind, DnsName, Entry, Held, Limits,
    Lookup, MxVerified, Outcome, PolicyDomain, PolicyHostVerified, UnixTime,
};

/// What a host does when a mail comes.
enum Host {
    Refuses,
    SpeaksNoTls,
    Rejects(u16),
    HasCertificate(Result<(), CertificateFault>),
}

/// What DNS says of the TXT record.
enum Dns {
    Id(&'static str),
    Silent,
}

/// A store of one domain.
#[derive(Default)]
struct Database(Option<Entry>);

/// The end of a mail's way.
#[derive(Debug, PartialEq, Eq)]
enum Mail {
    Sent(DnsName),
    Queued,
    Bounced,
}

pub(crate) fn main() -> Result<(), Box<dyn std::error::Error>> {
    let domain = PolicyDomain::parse("example.com")?;
    let monday = UnixTime::from_secs(1_800_000_000);

    let mut database = Database::default();

    println!("Monday: first contact");
    let outcome = look_up(&mut database, &domain, &Dns::Id("1"), monday);
    let hosts = [
        ("mx.attacker.example", Host::HasCertificate(Ok(()))),
        ("mx1.example.com", Host::Refuses),
        ("mx2.example.com", Host::HasCertificate(Ok(()))),
    ];
    let (mail, _) = deliver(&outcome, &hosts);
    assert_eq!(mail, Mail::Sent(DnsName::parse("mx2.example.com")?));

    println!("Tuesday: an attacker stands before every host");
    let tuesday = monday.plus_secs(86_400);
    let outcome = look_up(&mut database, &domain, &Dns::Silent, tuesday);
    println!("  DNS is silent; the policy is {}", outcome.status());
    let hosts = [
        ("mx.attacker.example", Host::HasCertificate(Ok(()))),
        ("mx1.example.com", Host::SpeaksNoTls),
        ("mx2.example.com", Host::Rejects(454)),
        ("mx3.example.com", Host::HasCertificate(Err(CertificateFault::WrongName))),
    ];
    let (mail, conclusion) = deliver(&outcome, &hosts);
    assert_eq!(mail, Mail::Queued);

    println!("Friday: the mail has been in the queue for too long");
    let friday = tuesday.plus_secs(3 * 86_400);
    let Conclusion::Retry(retry) = conclusion else { return Err("the policy refused it".into()) };
    let (token, _) = ask_to_bounce(&mut database, retry, &Dns::Silent, friday);
    println!("  DNS is silent: {}", permission(token.as_ref()));
    assert_eq!(may_bounce(token), Mail::Queued);

    println!("  one more try, and DNS answers");
    let outcome = look_up(&mut database, &domain, &Dns::Silent, friday);
    let (_, conclusion) = deliver(&outcome, &hosts);
    let Conclusion::Retry(retry) = conclusion else { return Err("the policy refused it".into()) };
    let (token, outcome) = ask_to_bounce(&mut database, retry, &Dns::Id("1"), friday);
    println!("  the policy is {}: {}", outcome.status(), permission(token.as_ref()));
    assert_eq!(may_bounce(token), Mail::Bounced);
    Ok(())
}

/// The walk over the candidates (RFC 8461 §5.1, step 2).
fn deliver(outcome: &Outcome, hosts: &[(&str, Host)]) -> (Mail, Conclusion) {
    let mut delivery = Delivery::new(outcome, Requirements::default());
    for (name, host) in hosts {
        let attempt = match delivery.candidate(&Mx::parse(name)) {
            Candidate::Connect(attempt) => attempt,
            Candidate::Skip(result) => {
                println!("  {name}: skipped, {}", remark(result.failure()));
                continue;
            }
        };
        let connected = attempt.host().cloned();
        let session = talk(&attempt, host);
        match delivery.judge(attempt, session) {
            Verdict::Refuse(result) => println!("  {name}: {}", remark(result.failure())),
            Verdict::Deliver(_) => {
                println!("  {name}: sent");
                let host = connected.expect("a host that was matched has a name");
                return (Mail::Sent(host), delivery.conclude());
            }
        }
    }
    println!("  no host took it: it stays in the queue");
    (Mail::Queued, delivery.conclude())
}

/// The dialogue with one host, as far as TLS is concerned.
fn talk(attempt: &Attempt, host: &Host) -> Session {
    match host {
        Host::Refuses => Session::NotReached,
        Host::SpeaksNoTls => Session::NoStarttls,
        Host::Rejects(code) => Session::StarttlsRefused(*code),
        Host::HasCertificate(Err(fault)) => Session::CertificateInvalid(*fault),
        Host::HasCertificate(Ok(())) => match attempt.host() {
            Some(host) => Session::Verified(MxVerified::assertion(host)),
            None => Session::Unverified,
        },
    }
}

fn remark(failure: Option<&Failure>) -> String {
    failure.map_or_else(|| "as it should be".to_owned(), ToString::to_string)
}

/// A bounce takes the token: without one there is no way to write it.
fn may_bounce(token: Option<BounceToken>) -> Mail {
    token.map_or(Mail::Queued, |_| Mail::Bounced)
}

fn permission(token: Option<&BounceToken>) -> &'static str {
    if token.is_some() { "the mail may bounce" } else { "the mail stays" }
}

impl Database {
    fn held(&self) -> Held {
        self.0.clone().map_or(Held::Nothing, Held::Entry)
    }

    /// Merges the entry into what is stored, and returns the result.
    fn merge(&mut self, entry: &Entry) -> Entry {
        let stored = self.0.get_or_insert_with(|| entry.clone());
        stored.merge(entry.clone()).expect("it is a store of one domain");
        stored.clone()
    }
}

fn look_up(database: &mut Database, domain: &PolicyDomain, dns: &Dns, now: UnixTime) -> Outcome {
    match Lookup::new(domain.clone(), database.held()).start(now) {
        Start::QueryTxt(query) => ask(database, query, dns, now),
        Start::Done(outcome) => outcome,
    }
}

/// DNS is asked again before mail that a policy refused may bounce (RFC 8461 §5).
fn ask_to_bounce(
    database: &mut Database,
    retry: Retry,
    dns: &Dns,
    now: UnixTime,
) -> (Option<BounceToken>, Outcome) {
    let (query, gate) = retry.recheck(database.held(), Limits::default(), now);
    let outcome = ask(database, query, dns, now);
    (gate.permit(&outcome, now), outcome)
}

/// A look-up in a world of one record and one policy.
fn ask(database: &mut Database, query: QueryTxt, dns: &Dns, now: UnixTime) -> Outcome {
    const POLICY: &[u8] =
        b"version: STSv1\r\nmode: enforce\r\nmx: *.example.com\r\nmax_age: 1209600\r\n";
    let after = match dns {
        Dns::Id(id) => query.answered([[format!("v=STSv1; id={id};")]], 3_600, now),
        Dns::Silent => query.failed(DnsFailure::new(DnsFailureKind::Timeout), now),
    };
    let store = match after {
        AfterTxt::Store(store) => store,
        AfterTxt::FetchPolicy(fetch) => {
            let verified = PolicyHostVerified::assertion(fetch.host());
            let content_type = Some(&b"text/plain"[..]);
            let head = Head { status: 200, content_type, content_encoding: None };
            match fetch.responded(verified, head, now) {
                AfterHead::Store(store) => store,
                AfterHead::ReadBody(mut body) => {
                    // Past the limit the reply is the same.
                    let _ = body.chunk(POLICY);
                    body.ended(now)
                }
            }
        }
    };
    let merged = database.merge(store.entry());
    store.stored(merged)
}
