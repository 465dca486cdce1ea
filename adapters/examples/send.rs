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
use std::io;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use mail_send::SmtpClient;
use mail_send::smtp::message::Message;
use mta_sts_adapters::delivery::{
    Attempt, Candidate, Conclusion, Failure, Mx, Requirements, Session,
};
use mta_sts_adapters::tokio::MtaSts;
use mta_sts_adapters::{
    Bounce, BounceToken, HickoryDns, Limits, MxTls, PolicyDomain, Roots, Status, TlsFailure,
};
use mta_sts_lab::{DnsAnswer, Lab, Rcode, RecordType};
use mta_sts_tlsrpt::{DateRange, PolicyType, Report, Tallies};
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
        tallies: Mutex::default(),
    };
    let taken = || [&wrong, &plain, &good].map(|sink| sink.take().len());
    let mx = ["mx1.example.org", "mx2.example.org", "mx3.example.org"];

    println!("enforce: only a host with a valid certificate gets the mail");
    lab.domain("enforce.example").mode("enforce").mx(mx).publish();
    let host = sender.send("enforce.example").await?.host;
    assert_eq!(host.as_deref(), Some("mx3.example.org"));
    let mails = good.take();
    assert!(mails.len() == 1 && mails[0].tls && mails[0].text.contains("Hello"));
    assert_eq!(taken(), [0, 0, 0]);

    println!("testing: the first host gets it, and the report says what was wrong");
    lab.domain("testing.example").mode("testing").mx(mx).publish();
    let host = sender.send("testing.example").await?.host;
    assert_eq!(host.as_deref(), Some("mx1.example.org"));
    assert_eq!(taken(), [1, 0, 0]);

    lab.domain("clear.example").mode("testing").mx([mx[1], mx[2]]).publish();
    let host = sender.send("clear.example").await?.host;
    let mails = plain.take();
    assert!(mails.len() == 1 && !mails[0].tls && mails[0].text.contains("Hello"));
    assert_eq!((host.as_deref(), taken()), (Some("mx2.example.org"), [0, 0, 0]));

    println!("no policy: TLS is a success, clear text is none");
    for first in [mx[2], mx[1]] {
        let host = sender.send_by("open.example", &[first]).await?.host;
        assert_eq!(host.as_deref(), Some(first));
    }
    assert_eq!(taken(), [0, 1, 1]);

    report(&sender)?;

    println!("enforce, and no host is as it should be: the mail stays queued");
    let hostile = lab.domain("hostile.example").mode("enforce").mx([mx[0], mx[1]]);
    hostile.publish();
    let queued = sender.send("hostile.example").await?;
    assert_eq!((queued.host, taken()), (None, [0, 0, 0]));
    println!("  its time in the queue is over, and DNS does not answer");
    let silence = DnsAnswer::rcode(Rcode::SERVFAIL);
    lab.dns().set(&hostile.record_name(), RecordType::Txt, silence);
    match sender.gate(queued.conclusion).await? {
        Bounce::Deferred(outcome) => assert_eq!(outcome.status(), Status::Held),
        Bounce::Permitted(_) => return Err("silence permits no bounce".into()),
    }
    println!("  one more try, and DNS answers as before");
    hostile.publish();
    let queued = sender.send("hostile.example").await?;
    assert_eq!((queued.host, taken()), (None, [0, 0, 0]));
    match sender.gate(queued.conclusion).await? {
        Bounce::Permitted(permission) => bounce(&permission),
        Bounce::Deferred(outcome) => return Err(format!("{}", outcome.status()).into()),
    }
    Ok(())
}

/// The report of the day for each domain that asked for one.
fn report(sender: &Sender) -> Result<(), Box<dyn Error>> {
    println!("the report of the day");
    let today = DateRange::day(sender.sts.now());
    let tallies =
        std::mem::take(&mut *sender.tallies.lock().unwrap_or_else(PoisonError::into_inner));
    let counts: Vec<_> = tallies
        .iter()
        .map(|tally| {
            let policy = tally.policy();
            let kind = policy.policy_type();
            let counts = (tally.successful_sessions(), tally.failed_sessions());
            (policy.policy_domain().to_owned(), kind, counts)
        })
        .collect();
    for (domain, kind, expected) in [
        ("enforce.example", PolicyType::Sts, (1, 2)),
        ("testing.example", PolicyType::Sts, (0, 1)),
        ("clear.example", PolicyType::Sts, (0, 1)),
        ("open.example", PolicyType::NoPolicyFound, (1, 1)),
    ] {
        assert!(counts.contains(&(domain.to_owned(), Some(kind), expected)), "{counts:?}");
    }
    let report = Report::new("Sender", "tls@sender.example", "example.1", today, tallies)?;
    println!("{}", serde_json::to_string_pretty(&report)?);
    let json = serde_json::to_value(&report)?;
    let policies = json["policies"].as_array().ok_or("a list")?;
    let of = |domain: &str| {
        policies.iter().find(|of| of["policy"]["policy-domain"] == domain).ok_or("not there")
    };
    assert_eq!(of("testing.example")?["policy"]["policy-string"][1], "mode: testing");
    let failure = &of("testing.example")?["failure-details"][0];
    assert_eq!(failure["result-type"], "certificate-host-mismatch");
    assert_eq!(failure["receiving-mx-hostname"], "mx1.example.org");
    assert_eq!(failure["receiving-ip"], "127.0.0.1");
    let failure = &of("clear.example")?["failure-details"][0];
    assert_eq!(failure["result-type"], "starttls-not-supported");
    Ok(())
}

/// A bounce takes the token: without one there is no way to write it.
fn bounce(permission: &BounceToken) {
    println!("  mail to {} may bounce", permission.domain());
}

struct Sender {
    sts: MtaSts,
    tls: MxTls,
    /// In the place of the hosts' A records and of port 25.
    hosts: BTreeMap<&'static str, SocketAddr>,
    tallies: Mutex<Tallies>,
}

/// The end of a mail's way through the hosts.
struct Sent {
    /// The host that took it.
    host: Option<String>,
    conclusion: Conclusion,
}

/// A connection on which EHLO was answered.
enum Connection {
    Plain(SmtpClient<TcpStream>),
    Tls(Box<SmtpClient<TlsStream<TcpStream>>>),
    /// TLS was tried and failed, which ends the connection.
    Broken,
}

impl Sender {
    async fn send(&self, domain: &str) -> Result<Sent, Box<dyn Error>> {
        let domain = PolicyDomain::parse(domain)?;
        // In their order, and nothing filtered (RFC 8461 §8.4).
        let candidates = self.sts.candidates(&domain).await?;
        self.walk(&domain, &candidates).await
    }

    async fn send_by(&self, domain: &str, hosts: &[&str]) -> Result<Sent, Box<dyn Error>> {
        let candidates: Vec<_> = hosts.iter().map(|host| Mx::parse(host)).collect();
        self.walk(&PolicyDomain::parse(domain)?, &candidates).await
    }

    /// The walk over the MX hosts (RFC 8461 §5.1, step 2).
    async fn walk(&self, domain: &PolicyDomain, mx: &[Mx]) -> Result<Sent, Box<dyn Error>> {
        let (mut delivery, outcome) = self.sts.delivery(domain, Requirements::default()).await;
        let count = |result: &_, address: Option<SocketAddr>| {
            let mut tallies = self.tallies.lock().unwrap_or_else(PoisonError::into_inner);
            tallies.count_with(&outcome, result, [], |details| match address {
                Some(address) => details.with_receiving_ip(address.ip()),
                None => details,
            });
        };
        let mut taken_by = None;
        for mx in mx {
            let attempt = match delivery.candidate(mx) {
                Candidate::Connect(attempt) => attempt,
                Candidate::Skip(result) => {
                    println!("  skipped: {}", remark(result.failure()));
                    count(&result, None);
                    continue;
                }
            };
            let known = attempt.host().and_then(|host| self.hosts.get_key_value(host.as_str()));
            let Some((name, address)) = known else {
                let verdict = delivery.judge(attempt, Session::NotReached);
                println!("  no address: {}", remark(verdict.failure()));
                continue;
            };
            let (session, connection) = self.connect(*address, &attempt).await;
            // Judged before anything of the mail is said.
            let verdict = delivery.judge(attempt, session);
            count(verdict.result(), Some(*address));
            if verdict.is_refused() {
                println!("  {name}: {}", remark(verdict.failure()));
                continue;
            }
            match self.transmit(connection, *address, &format!("someone@{domain}")).await {
                Ok(()) => {
                    println!("  {name}: sent; {}", remark(verdict.failure()));
                    taken_by = Some((*name).to_owned());
                    break;
                }
                Err(error) => println!("  {name}: {error}"),
            }
        }
        Ok(Sent { host: taken_by, conclusion: delivery.conclude() })
    }

    /// EHLO, STARTTLS, EHLO.
    async fn connect(&self, address: SocketAddr, attempt: &Attempt) -> (Session, Connection) {
        let Ok((client, starttls)) = greet(address).await else {
            return (Session::NotReached, Connection::Broken);
        };
        let (Some(host), true) = (attempt.host(), starttls) else {
            return (Session::NoStarttls, Connection::Plain(client));
        };
        // Where the certificate must be valid the handshake fails with it; elsewhere what is wrong
        // is noted, so that one connection gives both the report and the mail's way.
        let Ok(Some(handshake)) = self.tls.handshake(attempt) else {
            return (Session::TlsFailed(TlsFailure::Other), Connection::Broken);
        };
        let connector = TlsConnector::from(handshake.config());
        let securing = async {
            let mut client = client.start_tls(&connector, host.as_str()).await?;
            // RFC 3207 §4.2: all that was learnt before TLS is forgotten, what is left in the read
            // buffer above all (not every SMTP client does that), and EHLO is said again.
            client.ehlo(NAME).await?;
            Ok(client)
        };
        let late = |_| Err(mail_send::Error::Timeout);
        match timeout(PATIENCE, securing).await.unwrap_or_else(late) {
            Ok(client) => (handshake.session(&Ok(())), Connection::Tls(Box::new(client))),
            Err(mail_send::Error::UnexpectedReply(reply)) => {
                (Session::StarttlsRefused(reply.code), Connection::Broken)
            }
            Err(error) => (handshake.session(&Err(of_io(error))), Connection::Broken),
        }
    }

    async fn transmit(
        &self,
        connection: Connection,
        address: SocketAddr,
        to: &str,
    ) -> mail_send::Result<()> {
        match connection {
            Connection::Plain(client) => say(client, to).await,
            Connection::Tls(client) => say(*client, to).await,
            // The mail may go though TLS failed, which takes another connection.
            Connection::Broken => say(greet(address).await?.0, to).await,
        }
    }

    /// DNS is asked again before mail that a policy refused may bounce (RFC 8461 §5).
    async fn gate(&self, conclusion: Conclusion) -> Result<Bounce, Box<dyn Error>> {
        let Conclusion::Retry(retry) = conclusion else {
            return Err("no policy refused it".into());
        };
        Ok(self.sts.gate(retry).await)
    }
}

/// The error of I/O in one of mail-send, which holds that of TLS.
fn of_io(error: mail_send::Error) -> io::Error {
    match error {
        mail_send::Error::Io(error) => error,
        mail_send::Error::Timeout => io::ErrorKind::TimedOut.into(),
        mail_send::Error::Tls(error) => io::Error::new(io::ErrorKind::InvalidData, *error),
        other => io::Error::other(other.to_string()),
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

fn remark(failure: Option<&Failure>) -> String {
    failure.map_or_else(|| "as it should be".to_owned(), ToString::to_string)
}
