//! The server of an MX host: the part of SMTP that a delivery needs (RFC 5321, RFC 3207).

use std::io;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::Acceptor;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::LazyConfigAcceptor;

use crate::accepting::serve_each;
use crate::closing::{fail, linger, say};
use crate::https::{Fate, Hello};
use crate::response::write;
use crate::smtp::{MAIL_LIMIT, Mail, MxHost, SmtpCommand, StartTls};
use crate::tls::{Authority, INTERNAL_ERROR};

/// Connections at once to one host; further ones wait in the backlog.
const MAX_CONNECTIONS: usize = 64;
/// Bytes of a line with its end. RFC 5321 §4.5.3.1 asks for 1,000.
const MAX_LINE: usize = 4_096;
/// Commands of one connection.
const MAX_COMMANDS: usize = 200;
/// Recipients of one mail. RFC 5321 §4.5.3.1.8 asks for 100.
const MAX_RECIPIENTS: usize = 100;

pub(crate) async fn serve(listener: TcpListener, host: MxHost, authority: Arc<Authority>) {
    let each = |stream| {
        let (host, authority) = (host.clone(), Arc::clone(&authority));
        async move { connection(stream, &host, &authority).await }
    };
    serve_each(listener, MAX_CONNECTIONS, each).await;
}

async fn connection(mut stream: TcpStream, host: &MxHost, authority: &Authority) -> io::Result<()> {
    stream.set_nodelay(true)?;
    write(&mut stream, format!("220 {} ESMTP lab\r\n", host.name()).as_bytes()).await?;
    let mut session = Session::new(&mut stream, host, None);
    if session.run().await? == Next::Close {
        stream.shutdown().await?;
        return linger(&mut stream).await;
    }
    // RFC 3207 §4.2: what was read before TLS is dropped with the session.
    let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
    host.hellos().push(Hello::of(&start.client_hello()));
    let smtp = host.smtp();
    if let StartTls::Broken(fate) = smtp.starttls {
        return fail(start.io, fate).await;
    }
    if smtp.starttls == StartTls::NotTls {
        return say(start.io, b"500 5.5.1 what is this?\r\n").await;
    }
    if let Some(bytes) = smtp.versions.imitation() {
        return say(start.io, bytes).await;
    }
    let Ok(config) = authority.config(host.name(), &smtp.certificate, smtp.versions) else {
        return say(start.io, INTERNAL_ERROR).await;
    };
    // The authority's configurations are for HTTPS. SMTP has no application protocol.
    let mut config = ServerConfig::clone(&config);
    config.alpn_protocols.clear();
    let mut stream = start.into_stream(Arc::new(config)).await?;
    let version = stream.get_ref().1.protocol_version();
    let tls = version.and_then(|version| version.as_str()).unwrap_or("unknown").to_owned();
    // Within TLS there is no second STARTTLS: the session ends by closing.
    Session::new(&mut stream, host, Some(tls)).run().await?;
    stream.shutdown().await?;
    fail(stream.into_inner().0, Fate::Close).await
}

/// What follows the commands of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Close,
    Handshake,
}

/// Commands in clear text, or commands over TLS: nothing of the former counts for the latter.
struct Session<'a, S> {
    stream: &'a mut S,
    host: &'a MxHost,
    tls: Option<String>,
    unread: Vec<u8>,
    from: Option<String>,
    recipients: Vec<String>,
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin> Session<'a, S> {
    fn new(stream: &'a mut S, host: &'a MxHost, tls: Option<String>) -> Self {
        Self { stream, host, tls, unread: Vec::new(), from: None, recipients: Vec::new() }
    }

    async fn run(&mut self) -> io::Result<Next> {
        for _ in 0..MAX_COMMANDS {
            let Some(line) = self.line().await? else { return Ok(Next::Close) };
            let line = String::from_utf8_lossy(&line).into_owned();
            self.host.commands().push(SmtpCommand { line: line.clone(), tls: self.tls.clone() });
            let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
            let smtp = self.host.smtp();
            let name = self.host.name();
            let offers = self.tls.is_none() && smtp.starttls != StartTls::Missing;
            match verb.to_ascii_uppercase().as_str() {
                "EHLO" => {
                    self.reset();
                    let starttls = if offers { "250-STARTTLS\r\n" } else { "" };
                    self.say(&format!("250-{name}\r\n{starttls}250 SIZE {MAIL_LIMIT}")).await?;
                }
                "HELO" => {
                    self.reset();
                    self.say(&format!("250 {name}")).await?;
                }
                "STARTTLS" if !offers => self.say("502 5.5.1 command not implemented").await?,
                "STARTTLS" if smtp.starttls == StartTls::Refused => {
                    self.say("454 4.7.0 TLS not available").await?;
                }
                "STARTTLS" => {
                    self.say("220 2.0.0 ready").await?;
                    return Ok(Next::Handshake);
                }
                "MAIL" => {
                    self.reset();
                    self.from = Some(argument(rest));
                    self.say("250 2.1.0 accepted").await?;
                }
                "RCPT" => self.recipient(argument(rest), &smtp.recipient).await?,
                "DATA" => {
                    if !self.data().await? {
                        return Ok(Next::Close);
                    }
                }
                "RSET" => {
                    self.reset();
                    self.say("250 2.0.0 reset").await?;
                }
                "NOOP" => self.say("250 2.0.0 still here").await?,
                "QUIT" => {
                    self.say("221 2.0.0 bye").await?;
                    return Ok(Next::Close);
                }
                _ => self.say("500 5.5.1 command not known").await?,
            }
        }
        self.say("421 4.7.0 too many commands").await?;
        Ok(Next::Close)
    }

    fn reset(&mut self) {
        self.from = None;
        self.recipients.clear();
    }

    async fn recipient(&mut self, recipient: String, reply: &str) -> io::Result<()> {
        if self.from.is_none() {
            return self.say("503 5.5.1 MAIL first").await;
        }
        if self.recipients.len() >= MAX_RECIPIENTS {
            return self.say("452 4.5.3 too many recipients").await;
        }
        if reply.starts_with('2') {
            self.recipients.push(recipient);
        }
        self.say(reply).await
    }

    /// Takes a mail. Returns `false` if the connection is to be closed.
    async fn data(&mut self) -> io::Result<bool> {
        let Some(from) = self.from.clone().filter(|_| !self.recipients.is_empty()) else {
            self.say("503 5.5.1 no recipients").await?;
            return Ok(true);
        };
        self.say("354 end with a line of one dot").await?;
        let mut text = Vec::new();
        loop {
            let Some(line) = self.line().await? else { return Ok(false) };
            if line == b"." {
                break;
            }
            // RFC 5321 §4.5.2: a dot before the line's own text is taken off.
            text.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
            text.extend_from_slice(b"\r\n");
            if text.len() > MAIL_LIMIT {
                // The rest is not read: what comes would be endless in the worst case.
                self.say("552 5.3.4 too large").await?;
                return Ok(false);
            }
        }
        let recipients = std::mem::take(&mut self.recipients);
        self.reset();
        self.host.mails().push(Mail { from, recipients, text, tls: self.tls.clone() });
        self.say("250 2.0.0 accepted").await?;
        Ok(true)
    }

    /// The next line, without its end; `None` at the end of the stream, or if the line is too long.
    async fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            if let Some(at) = self.unread.iter().position(|byte| *byte == b'\n') {
                let rest = self.unread.split_off(at.saturating_add(1));
                let mut line = std::mem::replace(&mut self.unread, rest);
                line.pop();
                line.pop_if(|byte| *byte == b'\r');
                return Ok(Some(line));
            }
            if self.unread.len() >= MAX_LINE {
                self.say("500 5.5.2 line too long").await?;
                return Ok(None);
            }
            // Room for all that came with the line: what came with STARTTLS is dropped whole.
            self.unread.reserve(MAX_LINE);
            if self.stream.read_buf(&mut self.unread).await? == 0 {
                return Ok(None);
            }
        }
    }

    async fn say(&mut self, reply: &str) -> io::Result<()> {
        write(self.stream, format!("{reply}\r\n").as_bytes()).await
    }
}

/// The path in `FROM:<path> PARAMETERS`, with its brackets.
fn argument(rest: &str) -> String {
    let path = rest.split_once(':').map_or(rest, |(_, path)| path).trim_start();
    path.split_ascii_whitespace().next().unwrap_or_default().to_owned()
}
