//! Mail that is really sent: an SMTP client on tokio that looks up the policy, walks the MX hosts,
//! and keeps count for the domain's owner.
//!
//! Three hosts are the mail exchanges of every domain: one has another host's certificate, one
//! offers no STARTTLS, one is as it should be. DNS, HTTPS and SMTP are servers on loopback.
//!
//! SMTP is mail-send's: a client that keeps what it has read before STARTTLS, as lettre 0.11.23
//! does, would take a reply that an attacker put there for the first over TLS (RFC 3207 §4.2). The
//! servers try that.

#[path = "support/sink.rs"]
mod sink;

use std::collections::BTreeMap;
use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use mail_send::SmtpClient;
use mail_send::smtp::message::Message;
use mta_sts_adapters::delivery::{
    Attempt, Candidate, Conclusion, Delivery, Failure, Mx, Requirements, Verdict,
};
use mta_sts_adapters::tlsrpt::{DateRange, FailureDetails, Report, ReportedPolicy, Tally};
use mta_sts_adapters::tokio::MtaSts;
use mta_sts_adapters::{
    BounceToken, Held, HickoryDns, Limits, MxAnswer, MxTls, Outcome, PolicyDomain, Roots, Status,
};
use mta_sts_testkit::lab::{DnsAnswer, Lab, Rcode, RecordType};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use sink::{Authority, Sink};

/// The most that any step of SMTP may take.
const PATIENCE: Duration = Duration::from_secs(5);
const NAME: &str = "out.sender.example";

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn main() -> Result<(), Box<dyn Error>> {
    let lab = Lab::start()?;
    let authority = Authority::new()?;
    let wrong = Sink::start(Some(authority.certify("mx.elsewhere.example")?)).await?;
    let plain = Sink::start(None).await?;
    let good = Sink::start(Some(authority.certify("mx3.example.org")?)).await?;
    let client = MtaSts::builder()
        .dns(HickoryDns::servers([lab.dns_addr()]))
        .roots(Roots::GivenOnly)
        .extra_root(lab.ca_pem())
        .extra_root(authority.root().as_ref())
        .policy_port(lab.https_port())
        .allow_private_addresses(true)
        .limits(Limits::default().with_query_timeout(PATIENCE).with_fetch_timeout(PATIENCE));
    let sender = Sender {
        tls: client.mx_tls()?,
        sts: client.build()?,
        hosts: BTreeMap::from([
            ("mx1.example.org", wrong.address),
            ("mx2.example.org", plain.address),
            ("mx3.example.org", good.address),
        ]),
    };
    let taken = || [&wrong, &plain, &good].map(|sink| sink.take().len());
    let mx = ["mx1.example.org", "mx2.example.org", "mx3.example.org"];

    println!("enforce: only a host with a valid certificate gets the mail");
    lab.domain("enforce.example").mode("enforce").mx(mx).publish();
    let sent = sender.send("enforce.example").await?;
    assert_eq!(sent.host.as_deref(), Some("mx3.example.org"));
    let mails = good.take();
    assert!(mails.len() == 1 && mails[0].tls && mails[0].text.contains("Hello"));
    assert_eq!(taken(), [0, 0, 0]);
    let faults: Vec<_> = sent.tally.details().map(|d| d.result_type_str().to_owned()).collect();
    assert_eq!(faults, ["starttls-not-supported", "certificate-host-mismatch"]);

    println!("testing: the first host gets it, and the report says what was wrong");
    lab.domain("testing.example").mode("testing").mx(mx).publish();
    let tested = sender.send("testing.example").await?;
    assert_eq!(tested.host.as_deref(), Some("mx1.example.org"));
    assert_eq!(taken(), [1, 0, 0]);
    assert_eq!((tested.tally.successful_sessions(), tested.tally.failed_sessions()), (0, 1));

    lab.domain("without.example").mode("testing").mx([mx[1], mx[2]]).publish();
    let clear = sender.send("without.example").await?;
    let mails = plain.take();
    assert!(mails.len() == 1 && !mails[0].tls && mails[0].text.contains("Hello"));
    assert_eq!((clear.host.as_deref(), taken()), (Some("mx2.example.org"), [0, 0, 0]));

    println!("the report of the day");
    let today = DateRange::day(sender.sts.now());
    let tallies = [sent.tally, tested.tally, clear.tally];
    let report = Report::new("Sender", "tls@sender.example", "example.1", today, tallies)?;
    println!("{}", serde_json::to_string_pretty(&report)?);
    let json = serde_json::to_value(&report)?;
    let failures = &json["policies"][1]["failure-details"];
    assert_eq!(json["policies"][1]["policy"]["policy-string"][1], "mode: testing");
    assert_eq!(failures[0]["result-type"], "certificate-host-mismatch");
    assert_eq!(failures[0]["receiving-mx-hostname"], "mx1.example.org");
    let failures = &json["policies"][2]["failure-details"];
    assert_eq!(failures[0]["result-type"], "starttls-not-supported");

    println!("enforce, and no host is as it should be: the mail stays queued");
    let hostile = lab.domain("hostile.example").mode("enforce").mx([mx[0], mx[1]]);
    hostile.publish();
    let queued = sender.send("hostile.example").await?;
    assert_eq!((queued.host, taken()), (None, [0, 0, 0]));
    println!("  its time in the queue is over, and DNS does not answer");
    let silence = DnsAnswer::rcode(Rcode::SERVFAIL);
    lab.dns().set(&hostile.record_name(), RecordType::Txt, silence);
    let gate = sender.gate(queued.conclusion).await?;
    assert_eq!(gate.status(), Status::Held);
    assert!(!may_bounce(gate.bounce_token()));
    println!("  one more try, and DNS answers as before");
    hostile.publish();
    let queued = sender.send("hostile.example").await?;
    assert_eq!((queued.host, taken()), (None, [0, 0, 0]));
    let gate = sender.gate(queued.conclusion).await?;
    assert!(may_bounce(gate.bounce_token()));
    Ok(())
}

/// A bounce takes the token: without one there is no way to write it.
fn may_bounce(token: Option<BounceToken>) -> bool {
    let Some(token) = token else {
        println!("  the mail stays queued");
        return false;
    };
    println!("  mail to {} may bounce", token.domain());
    drop(token);
    true
}

struct Sender {
    sts: MtaSts,
    tls: MxTls,
    /// In the place of the hosts' A records and of port 25.
    hosts: BTreeMap<&'static str, SocketAddr>,
}

/// What became of a mail.
struct Sent {
    /// Who took it.
    host: Option<String>,
    conclusion: Conclusion,
    tally: Tally,
}

/// A connection on which EHLO was answered.
enum Session {
    Plain(SmtpClient<TcpStream>),
    Tls(Box<SmtpClient<TlsStream<TcpStream>>>),
    /// TLS was tried and failed, which ends the connection.
    Broken,
}

impl Sender {
    /// The walk over the MX hosts (RFC 8461 §5.1, step 2).
    async fn send(&self, domain: &str) -> Result<Sent, Box<dyn Error>> {
        let domain = PolicyDomain::parse(domain)?;
        let outcome = self.sts.policy_for(&domain).await;
        let mut delivery = Delivery::new(&outcome, Requirements::default());
        let mut tally = Tally::new(ReportedPolicy::of_lookup(&outcome));
        tally_lookup(&mut tally, &outcome);
        let mut host = None;
        for mx in self.candidates(&domain).await? {
            let attempt = match delivery.candidate(&mx) {
                Candidate::Connect(attempt) => attempt,
                Candidate::Skip(failure) => {
                    println!("  skipped: {failure}");
                    tally_session(&mut tally, Some(&failure), None);
                    continue;
                }
            };
            let known = attempt.host().and_then(|host| self.hosts.get_key_value(host.as_str()));
            let Some((name, address)) = known else {
                println!("  no address: {}", remark(&attempt.connection_failed(&mut delivery)));
                continue;
            };
            let (verdict, session) = self.connect(*address, attempt, &mut delivery).await;
            tally_session(&mut tally, verdict.failure(), Some(*address));
            if verdict.is_refused() {
                println!("  {name}: {}", remark(&verdict));
                continue;
            }
            match self.transmit(session, *address, &format!("someone@{domain}")).await {
                Ok(()) => {
                    println!("  {name}: sent; {}", remark(&verdict));
                    host = Some((*name).to_owned());
                    break;
                }
                Err(error) => println!("  {name}: {error}"),
            }
        }
        Ok(Sent { host, conclusion: delivery.conclude(), tally })
    }

    /// The names of the MX records, in their order, and nothing filtered (RFC 8461 §8.4).
    async fn candidates(&self, domain: &PolicyDomain) -> Result<Vec<Mx>, Box<dyn Error>> {
        Ok(match timeout(PATIENCE, self.sts.dns().mx(domain.as_str())).await? {
            MxAnswer::Records(hosts) => hosts
                .iter()
                .map(|mx| match mx.exchange.as_str() {
                    "" => Mx::Null,
                    host => Mx::parse(host),
                })
                .collect(),
            // RFC 5321 §5.1: the domain itself is the one host then.
            MxAnswer::Absent => vec![Mx::implicit(domain)],
            MxAnswer::Failed(failure) => return Err(failure.into()),
        })
    }

    /// EHLO, STARTTLS, EHLO; and the verdict, before anything of the mail is said.
    async fn connect(
        &self,
        address: SocketAddr,
        attempt: Attempt,
        delivery: &mut Delivery,
    ) -> (Verdict, Session) {
        let Ok((client, starttls)) = greet(address).await else {
            return (attempt.connection_failed(delivery), Session::Broken);
        };
        let (Some(host), true) = (attempt.host().cloned(), starttls) else {
            return (attempt.no_starttls(delivery), Session::Plain(client));
        };
        // Where the certificate must be valid the handshake fails with it; elsewhere what is wrong
        // is noted, so that one connection gives both the report and the mail's way.
        let Ok(Some(handshake)) = self.tls.handshake(&attempt) else {
            return (attempt.tls_failed(delivery), Session::Broken);
        };
        let connector = TlsConnector::from(handshake.config());
        let session = match client.start_tls(&connector, host.as_str()).await {
            // RFC 3207 §4.2: all that was learnt before TLS is forgotten, what is left in the read
            // buffer above all (not every SMTP client does that), and EHLO is said again.
            Ok(mut client) => match client.ehlo(NAME).await {
                Ok(_) => Session::Tls(Box::new(client)),
                Err(_) => Session::Broken,
            },
            Err(mail_send::Error::UnexpectedReply(reply)) => {
                return (attempt.starttls_refused(reply.code, delivery), Session::Broken);
            }
            Err(_) => Session::Broken,
        };
        let completed = matches!(session, Session::Tls(_));
        (handshake.verdict(completed, attempt, delivery), session)
    }

    async fn transmit(
        &self,
        session: Session,
        address: SocketAddr,
        to: &str,
    ) -> mail_send::Result<()> {
        match session {
            Session::Plain(client) => say(client, to).await,
            Session::Tls(client) => say(*client, to).await,
            // The mail may go though TLS failed, which takes another connection.
            Session::Broken => say(greet(address).await?.0, to).await,
        }
    }

    /// DNS is asked again before mail that a policy refused may bounce (RFC 8461 §5).
    async fn gate(&self, conclusion: Conclusion) -> Result<Outcome, Box<dyn Error>> {
        let Conclusion::Retry(retry) = conclusion else {
            return Err("no policy refused it".into());
        };
        // The client reads the entry itself.
        Ok(self.sts.drive(retry.recheck(Held::Nothing)).await)
    }
}

/// Connects and says EHLO; the second is whether STARTTLS is offered.
async fn greet(address: SocketAddr) -> mail_send::Result<(SmtpClient<TcpStream>, bool)> {
    let mut client = SmtpClient::connect(address, PATIENCE).await?;
    let greeting =
        timeout(PATIENCE, client.read()).await.map_err(|_| mail_send::Error::Timeout)??;
    if greeting.code != 220 {
        return Err(mail_send::Error::UnexpectedReply(greeting));
    }
    let starttls = client.ehlo(NAME).await?.has_capability(smtp_proto::EXT_START_TLS);
    Ok((client, starttls))
}

async fn say<S>(mut client: SmtpClient<S>, to: &str) -> mail_send::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let text = format!("From: me@sender.example\r\nTo: {to}\r\nSubject: Hello\r\n\r\nHello.\r\n");
    client.send(Message::new("me@sender.example", [to], text.as_bytes())).await?;
    client.quit().await
}

fn remark(verdict: &Verdict) -> String {
    verdict.failure().map_or_else(|| "as it should be".to_owned(), ToString::to_string)
}

fn tally_lookup(tally: &mut Tally, outcome: &Outcome) {
    match (FailureDetails::of_lookup(outcome), outcome.policy()) {
        (Some(details), Some(_)) => tally.noted(details),
        (Some(details), None) => tally.failed([details]),
        (None, _) => {}
    }
}

/// Each host that was tried is a session, and so is one that was skipped; but not one where the
/// network failed, which is not for this report.
fn tally_session(tally: &mut Tally, failure: Option<&Failure>, address: Option<SocketAddr>) {
    let Some(failure) = failure else { return tally.succeeded() };
    let Some(details) = FailureDetails::of_delivery(failure) else { return };
    tally.failed([match address {
        Some(address) => details.with_receiving_ip(address.ip()),
        None => details,
    }]);
}
