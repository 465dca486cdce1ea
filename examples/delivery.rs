//! One mail, from the first look-up to the bounce: a delivery loop by hand, against SMTP servers
//! that are a script.
//!
//! The domain enforces its policy. On the first day its second MX takes the mail; later an attacker
//! stands before all of them, and the sender must neither deliver in clear text nor bounce before
//! DNS said that the policy is still the one it knows.

use mta_sts::delivery::{Attempt, Candidate, Conclusion, Delivery, Mx, Requirements, Verdict};
use mta_sts::lookup::Head;
use mta_sts::{
    BounceToken, CertificateFault, DnsFailure, DnsFailureKind, DnsName, Held, Lookup, MxVerified,
    Outcome, PolicyDomain, PolicyHostVerified, Step, UnixTime,
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

/// What became of the mail.
#[derive(Debug, PartialEq, Eq)]
enum Mail {
    Sent(DnsName),
    Queued,
    Bounced,
}

pub(crate) fn main() -> Result<(), Box<dyn std::error::Error>> {
    let domain = PolicyDomain::parse("example.com")?;
    let monday = UnixTime::from_secs(1_800_000_000);

    println!("Monday: first contact");
    let outcome = look_up(Lookup::new(domain.clone()), &Dns::Id("1"), monday);
    let hosts = [
        ("mx.attacker.example", Host::HasCertificate(Ok(()))),
        ("mx1.example.com", Host::Refuses),
        ("mx2.example.com", Host::HasCertificate(Ok(()))),
    ];
    let (mail, _) = deliver(&outcome, &hosts);
    assert_eq!(mail, Mail::Sent(DnsName::parse("mx2.example.com")?));

    println!("Tuesday: an attacker stands before every host");
    let tuesday = monday.plus_secs(86_400);
    let held = Held::Entry(outcome.into_entry());
    let outcome = look_up(Lookup::new(domain).held(held), &Dns::Silent, tuesday);
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
    let entry = outcome.into_entry();
    let gate = look_up(retry.recheck(Held::Entry(entry)), &Dns::Silent, friday);
    println!("  DNS is silent: {}", permission(&gate));
    assert_eq!(may_bounce(gate.bounce_token()), Mail::Queued);

    println!("  one more try, and DNS answers");
    let (_, conclusion) = deliver(&gate, &hosts);
    let Conclusion::Retry(retry) = conclusion else { return Err("the policy refused it".into()) };
    let gate = look_up(retry.recheck(Held::Entry(gate.into_entry())), &Dns::Id("1"), friday);
    println!("  the id is still the same: {}", permission(&gate));
    assert_eq!(may_bounce(gate.bounce_token()), Mail::Bounced);
    Ok(())
}

/// The walk over the candidates (RFC 8461 §5.1, step 2).
fn deliver(outcome: &Outcome, hosts: &[(&str, Host)]) -> (Mail, Conclusion) {
    let mut delivery = Delivery::new(outcome, Requirements::default());
    for (name, host) in hosts {
        let attempt = match delivery.candidate(&Mx::parse(name)) {
            Candidate::Connect(attempt) => attempt,
            Candidate::Skip(failure) => {
                println!("  {name}: skipped, {failure}");
                continue;
            }
        };
        let connected = attempt.host().cloned();
        match talk(attempt, host, &mut delivery) {
            Verdict::Refuse(failure) => println!("  {name}: {failure}"),
            Verdict::Deliver(_) => {
                println!("  {name}: sent");
                let host = connected.expect("a host that was matched has a name");
                return (Mail::Sent(host), delivery.conclude());
            }
        }
    }
    println!("  nobody took it: it stays in the queue");
    (Mail::Queued, delivery.conclude())
}

/// The dialogue with one host, as far as TLS is concerned.
fn talk(attempt: Attempt, host: &Host, delivery: &mut Delivery) -> Verdict {
    match host {
        Host::Refuses => attempt.connection_failed(delivery),
        Host::SpeaksNoTls => attempt.no_starttls(delivery),
        Host::Rejects(code) => attempt.starttls_refused(*code, delivery),
        Host::HasCertificate(Err(fault)) => attempt.certificate_failed(*fault, delivery),
        Host::HasCertificate(Ok(())) => match attempt.host().map(MxVerified::assertion) {
            Some(verified) => attempt.tls_verified(verified, delivery),
            None => attempt.tls_unverified(delivery),
        },
    }
}

/// A bounce takes the token: without one there is no way to write it.
fn may_bounce(token: Option<BounceToken>) -> Mail {
    token.map_or(Mail::Queued, |_| Mail::Bounced)
}

fn permission(gate: &Outcome) -> &'static str {
    if gate.bounce_token().is_some() { "the mail may bounce" } else { "the mail stays" }
}

/// A look-up in a world of one record and one policy.
fn look_up(lookup: Lookup, dns: &Dns, now: UnixTime) -> Outcome {
    const POLICY: &[u8] =
        b"version: STSv1\r\nmode: enforce\r\nmx: *.example.com\r\nmax_age: 1209600\r\n";
    let mut step = lookup.start(now);
    loop {
        step = match step {
            Step::QueryTxt(query) => match dns {
                Dns::Id(id) => query.answered([[format!("v=STSv1; id={id};")]], 3_600, now),
                Dns::Silent => query.failed(DnsFailure::new(DnsFailureKind::Timeout), now),
            },
            Step::FetchPolicy(fetch) => {
                let verified = PolicyHostVerified::assertion(fetch.host());
                let content_type = Some(&b"text/plain"[..]);
                fetch.responded(
                    verified,
                    Head { status: 200, content_type, content_encoding: None },
                    now,
                )
            }
            Step::ReadBody(mut body) => {
                let _ = body.chunk(POLICY);
                body.ended(now)
            }
            Step::Store(store) => store.stored(),
            Step::Done(outcome) => return outcome,
        }
    }
}
