//! MX hosts, as an SMTP client over rustls sees them.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use hickory_resolver::proto::rr::RecordType as Type;
use mta_sts_lab::{Certificate, Fate, Lab, MAIL_LIMIT, MxHost, Smtp, StartTls, TlsVersions};
use rustls::pki_types::ServerName;
use rustls::{AlertDescription, CertificateError, Error, PeerIncompatible};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::client::{resolver, tls_config};

const MX: &str = "mx.example.com";

/// A client that reads one reply after each command.
struct Client<S> {
    stream: S,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    /// The lines of the next reply; none at the end of the stream.
    async fn reply(&mut self) -> Vec<String> {
        let mut text = String::new();
        loop {
            // One byte at a time, so that nothing of TLS is read.
            match self.stream.read_u8().await {
                Ok(byte) => text.push(char::from(byte)),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
                    return Vec::new();
                }
            }
            let last = text.lines().last().unwrap_or_default();
            if text.ends_with("\r\n") && last.as_bytes().get(3) == Some(&b' ') {
                return text.lines().map(str::to_owned).collect();
            }
        }
    }

    async fn send(&mut self, text: &str) -> Vec<String> {
        self.stream.write_all(text.as_bytes()).await.unwrap();
        self.stream.flush().await.unwrap();
        self.reply().await
    }

    /// Sends a command and returns the code of the reply.
    async fn code(&mut self, command: &str) -> String {
        let reply = self.send(&format!("{command}\r\n")).await;
        reply[0][..3].to_owned()
    }

    /// Delivers a mail, and returns the code of each reply.
    async fn deliver(&mut self) -> Vec<String> {
        let mut codes = Vec::new();
        for command in ["MAIL FROM:<a@example.net> SIZE=9", "RCPT TO:<b@example.com>", "DATA"] {
            codes.push(self.code(command).await);
        }
        codes.push(self.code("Subject: tea\r\n\r\n..\r\n.").await);
        codes
    }
}

async fn plain(host: &MxHost) -> Client<TcpStream> {
    let stream = TcpStream::connect(host.address()).await.unwrap();
    let mut client = Client { stream };
    assert_eq!(client.reply().await, [format!("220 {MX} ESMTP lab")]);
    client
}

/// An error of rustls, or of the stream.
type Failed = Result<Error, ErrorKind>;

/// Asks for STARTTLS and shakes hands.
async fn secured(lab: &Lab, host: &MxHost) -> Result<Client<TlsStream<TcpStream>>, Failed> {
    let mut client = plain(host).await;
    let offers = client.send("EHLO out.example\r\n").await;
    assert!(offers.contains(&"250-STARTTLS".to_owned()), "{offers:?}");
    assert_eq!(client.code("STARTTLS").await, "220");
    let connector = TlsConnector::from(tls_config(lab));
    let name = ServerName::try_from(MX).unwrap();
    match connector.connect(name, client.stream).await {
        Ok(stream) => Ok(Client { stream }),
        Err(error) => {
            let kind = error.kind();
            let inner = error.into_inner().and_then(|inner| inner.downcast().ok());
            Err(inner.map_or(Err(kind), |error| Ok(*error)))
        }
    }
}

async fn refusal(lab: &Lab, host: &MxHost, smtp: Smtp) -> Failed {
    host.set(smtp);
    secured(lab, host).await.err().expect("a handshake that fails")
}

fn started() -> (Lab, MxHost) {
    let lab = Lab::start().unwrap();
    let host = lab.mx_host(MX, Smtp::new()).unwrap();
    (lab, host)
}

#[tokio::test]
async fn mail_arrives_over_verified_tls() {
    let (lab, host) = started();
    let mut client = secured(&lab, &host).await.unwrap();
    let offers = client.send("EHLO out.example\r\n").await;
    assert_eq!(offers, [format!("250-{MX}"), format!("250 SIZE {MAIL_LIMIT}")]);
    assert_eq!(client.deliver().await, ["250", "250", "354", "250"]);
    assert_eq!(client.code("QUIT").await, "221");
    assert_eq!(client.reply().await, [""; 0]);
    let mail = host.mails().take().remove(0);
    assert_eq!((mail.from.as_str(), mail.tls.as_deref()), ("<a@example.net>", Some("TLSv1_3")));
    assert_eq!(mail.recipients, ["<b@example.com>"]);
    assert_eq!(mail.text, b"Subject: tea\r\n\r\n.\r\n");
    assert_eq!(host.hellos().take()[0].sni.as_deref(), Some(MX));
    let commands = host.commands().take();
    let secured: Vec<_> = commands.iter().map(|command| command.tls.is_some()).collect();
    assert_eq!(secured, [false, false, true, true, true, true, true]);
    assert_eq!(commands[1].line, "STARTTLS");
}

#[tokio::test]
async fn starttls_that_is_missing_or_refused_leaves_clear_text() {
    let (_lab, host) = started();
    for (starttls, is_offered, code) in
        [(StartTls::Missing, false, "502"), (StartTls::Refused, true, "454")]
    {
        host.set(Smtp::new().starttls(starttls));
        let mut client = plain(&host).await;
        let offers = client.send("EHLO out.example\r\n").await;
        assert_eq!(offers.contains(&"250-STARTTLS".to_owned()), is_offered);
        assert_eq!(client.code("STARTTLS").await, code);
        assert_eq!(client.deliver().await, ["250", "250", "354", "250"]);
        assert_eq!(host.mails().take()[0].tls, None);
    }
    assert_eq!(host.hellos().count(), 0);
}

#[tokio::test]
async fn broken_handshakes() {
    let (lab, host) = started();
    let broken = |fate| Smtp::new().starttls(StartTls::Broken(fate));
    let closed = refusal(&lab, &host, broken(Fate::Close)).await;
    assert_eq!(closed, Err(ErrorKind::UnexpectedEof));
    let reset = refusal(&lab, &host, broken(Fate::Reset)).await;
    assert_eq!(reset, Err(ErrorKind::ConnectionReset));
    let not_tls = refusal(&lab, &host, Smtp::new().starttls(StartTls::NotTls)).await;
    assert!(matches!(not_tls, Ok(Error::InvalidMessage(_))), "{not_tls:?}");
    let old = refusal(&lab, &host, Smtp::new().versions(TlsVersions::Old11)).await;
    let too_old = Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13);
    assert_eq!(old, Ok(too_old));
    let alert = refusal(&lab, &host, Smtp::new().versions(TlsVersions::VersionAlert)).await;
    assert_eq!(alert, Ok(Error::AlertReceived(AlertDescription::ProtocolVersion)));
    assert_eq!((host.hellos().count(), host.mails().count()), (5, 0));
}

#[tokio::test]
async fn stalled_handshake_lasts_until_the_lab_is_gone() {
    let (lab, host) = started();
    host.set(Smtp::new().starttls(StartTls::Broken(Fate::Stall)));
    let mut client = plain(&host).await;
    assert_eq!(client.code("STARTTLS").await, "220");
    let connector = TlsConnector::from(tls_config(&lab));
    let handshake = connector.connect(ServerName::try_from(MX).unwrap(), client.stream);
    let end = async {
        host.hellos().wait_for(1).await;
        drop(lab);
    };
    let (ended, ()) = tokio::join!(handshake, end);
    assert!(ended.is_err());
    assert!(TcpStream::connect(host.address()).await.is_err());
}

#[tokio::test]
async fn certificates_are_those_of_the_mx_host() {
    let (lab, host) = started();
    for (certificate, expected) in [
        (Certificate::WrongName, "name"),
        (Certificate::CommonNameOnly, "name"),
        (Certificate::Names(vec!["example.com".to_owned()]), "name"),
        (Certificate::Expired, "expired"),
        (Certificate::SelfSigned, "issuer"),
        (Certificate::UnknownAuthority, "issuer"),
        (Certificate::MissingIntermediate, "issuer"),
    ] {
        let failed = refusal(&lab, &host, Smtp::new().certificate(certificate.clone())).await;
        let Ok(Error::InvalidCertificate(error)) = failed else { panic!("{failed:?}") };
        let seen = match error {
            CertificateError::NotValidForNameContext { .. } => "name",
            CertificateError::ExpiredContext { .. } => "expired",
            CertificateError::UnknownIssuer => "issuer",
            other => panic!("{certificate:?}: {other:?}"),
        };
        assert_eq!(seen, expected, "{certificate:?}");
    }
    for certificate in [Certificate::Wildcard, Certificate::Chained] {
        host.set(Smtp::new().certificate(certificate));
        assert!(secured(&lab, &host).await.is_ok());
    }
}

#[tokio::test]
async fn recipient_is_refused_by_the_chosen_reply() {
    let (lab, host) = started();
    host.set(Smtp::new().recipient_reply("550 5.1.1 no such mailbox"));
    let mut client = secured(&lab, &host).await.unwrap();
    assert_eq!(client.code("RCPT TO:<b@example.com>").await, "503");
    assert_eq!(client.code("MAIL FROM:<>").await, "250");
    let reply = client.send("RCPT TO:<b@example.com>\r\n").await;
    assert_eq!(reply, ["550 5.1.1 no such mailbox"]);
    assert_eq!(client.code("DATA").await, "503");
    assert_eq!(client.code("TEA").await, "500");
    assert_eq!(host.mails().count(), 0);
}

#[tokio::test]
async fn commands_before_tls_are_forgotten() {
    let (lab, host) = started();
    let mut client = plain(&host).await;
    assert_eq!(client.code("MAIL FROM:<a@example.net>").await, "250");
    // RFC 3207 §4.2: an attacker put a command behind STARTTLS, into the same segment.
    let reply = client.send("STARTTLS\r\nRCPT TO:<b@example.com>\r\n").await;
    assert_eq!(reply, ["220 2.0.0 ready"]);
    let connector = TlsConnector::from(tls_config(&lab));
    let name = ServerName::try_from(MX).unwrap();
    let mut client = Client { stream: connector.connect(name, client.stream).await.unwrap() };
    assert_eq!(client.code("RCPT TO:<c@example.com>").await, "503");
    assert_eq!(client.code("STARTTLS").await, "502");
    let lines: Vec<_> = host.commands().take().into_iter().map(|command| command.line).collect();
    assert!(!lines.contains(&"RCPT TO:<b@example.com>".to_owned()), "{lines:?}");
}

#[tokio::test]
async fn lines_mails_and_commands_are_bounded() {
    let (_lab, host) = started();
    let mut client = plain(&host).await;
    let reply = client.send(&"x".repeat(4_096)).await;
    assert_eq!(reply, ["500 5.5.2 line too long"]);
    assert_eq!(client.reply().await, [""; 0]);

    let mut client = plain(&host).await;
    for command in ["MAIL FROM:<>", "RCPT TO:<b@example.com>", "DATA"] {
        client.code(command).await;
    }
    let line = format!("{}\r\n", "x".repeat(1_022));
    let reply = client.send(&line.repeat(MAIL_LIMIT / line.len() + 1)).await;
    assert_eq!(reply, ["552 5.3.4 too large"]);
    assert_eq!(client.reply().await, [""; 0]);

    let mut client = plain(&host).await;
    for _ in 1..200 {
        assert_eq!(client.code("NOOP").await, "250");
    }
    assert_eq!(client.code("NOOP").await, "250");
    assert_eq!(client.reply().await, ["421 4.7.0 too many commands"]);
    assert_eq!(host.mails().count(), 0);
}

#[tokio::test]
async fn each_host_has_an_address_that_dns_knows() {
    let (lab, first) = started();
    let second = lab.mx_host("MX2.example.com.", Smtp::new()).unwrap();
    assert_eq!((first.name(), second.name()), (MX, "mx2.example.com"));
    assert_ne!(first.address(), second.address());
    let resolver = resolver(lab.dns_addr(), Duration::from_secs(20));
    for host in [&first, &second] {
        let name = format!("{}.", host.name());
        let found = resolver.lookup(name, Type::A).await.unwrap();
        assert_eq!(found.answers()[0].data.ip_addr(), Some(host.address().ip()));
    }
    if cfg!(target_os = "linux") {
        let at = |host: [u8; 4]| SocketAddr::from((host, lab.https_port()));
        assert_eq!(first.address(), at([127, 0, 1, 1]));
        assert_eq!(second.address(), at([127, 0, 1, 2]));
    }
    first.clone().set(Smtp::new().starttls(StartTls::Missing));
    let offers = plain(&first).await.send("EHLO out.example\r\n").await;
    assert_eq!(offers.len(), 2);
}
