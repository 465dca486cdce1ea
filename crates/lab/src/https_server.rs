//! The HTTPS server: a small HTTP/1.1 over rustls, as a server library would repair the faults.

use std::io;
use std::sync::Arc;

use rustls::server::Acceptor;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use crate::accepting::serve_each;
use crate::closing::{fail, linger, say};
use crate::https::{Act, Fate, Hello, Hosts, HttpRequest, Https, Moment, POLICY_PATH};
use crate::response::{Ending, Response, stall, write};
use crate::tls::{Authority, INTERNAL_ERROR, UNRECOGNIZED_NAME};

/// Connections at once; further ones wait in the backlog.
const MAX_CONNECTIONS: usize = 256;
/// Octets of a request's head; more of them are answered with 431.
const MAX_HEAD: usize = 32 * 1024;

pub(crate) async fn serve(listener: TcpListener, hosts: Hosts, authority: Arc<Authority>) {
    let each = |stream| {
        let (hosts, authority) = (hosts.clone(), Arc::clone(&authority));
        async move { connection(stream, &hosts, &authority).await }
    };
    serve_each(listener, MAX_CONNECTIONS, each).await;
}

async fn connection(stream: TcpStream, hosts: &Hosts, authority: &Authority) -> io::Result<()> {
    // Drips are seen octet by octet.
    stream.set_nodelay(true)?;
    if let Some(fate) = hosts.accepted() {
        return fail(stream, fate).await;
    }
    let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
    let hello = Hello::of(&start.client_hello());
    let sni = hello.sni.clone().unwrap_or_default();
    hosts.hellos().push(hello);
    let Some(host) = hosts.host(&sni) else {
        return say(start.io, UNRECOGNIZED_NAME).await;
    };
    if let Some(octets) = host.versions.imitation() {
        return say(start.io, octets).await;
    }
    if let Act::Fail(Moment::AfterHello, fate) = host.act {
        return fail(start.io, fate).await;
    }
    let Ok(config) = authority.config(&sni, &host.certificate, host.versions) else {
        return say(start.io, INTERNAL_ERROR).await;
    };
    let mut stream = start.into_stream(config).await?;
    if let Act::Fail(Moment::AfterHandshake, fate) = host.act {
        return fail(stream.into_inner().0, fate).await;
    }
    converse(&mut stream, &sni, hosts).await
}

/// Requests and responses, until either side has enough.
async fn converse(stream: &mut TlsStream<TcpStream>, sni: &str, hosts: &Hosts) -> io::Result<()> {
    let mut unread = Vec::new();
    for earlier in 0.. {
        let Some(head) = read_head(stream, &mut unread).await? else {
            return end(stream, Ending::Close).await;
        };
        let version = stream.get_ref().1.protocol_version();
        let tls = version.and_then(|version| version.as_str()).unwrap_or("unknown").to_owned();
        let request = HttpRequest { tls, earlier, ..parse(&head, sni) };
        hosts.requests().push(request.clone());
        // Asked anew each time: a test may have changed it between two requests.
        let host = hosts.host(sni);
        if let Some(gate) = host.as_ref().and_then(|host| host.gate.as_ref()) {
            gate.passed().await;
        }
        let ending = match host {
            Some(Https { act: Act::Fail(_, fate), .. }) => {
                return fail_stream(stream, fate).await;
            }
            Some(Https { act: Act::Raw(octets, ending), .. }) => {
                write(stream, &octets).await?;
                match ending {
                    Ending::KeepOpen => stall(stream).await?,
                    ending => return end(stream, ending).await,
                }
                ending
            }
            other => {
                let response = respond(other, &request);
                response.send(stream).await?;
                response.ending_for(client_closes(&request))
            }
        };
        if ending != Ending::KeepOpen {
            return end(stream, ending).await;
        }
    }
    Ok(())
}

/// What a web server with one file says to this request.
fn respond(host: Option<Https>, request: &HttpRequest) -> Response {
    let misdirected = || {
        let host = request.host().unwrap_or_default();
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        !name.trim_end_matches('.').eq_ignore_ascii_case(&request.sni)
    };
    let refusal = |status| Response::new(status).content_type("text/plain");
    match host {
        Some(Https { act: Act::Respond(response), any_path, .. }) => {
            if misdirected() {
                refusal(421).body("this host has another name\n")
            } else if request.method != "GET" {
                refusal(405).header("Allow", "GET").ending(Ending::Close)
            } else if any_path || request.path == POLICY_PATH {
                response
            } else {
                refusal(404).body("no such file\n")
            }
        }
        _ => refusal(421).body("this host is gone\n"),
    }
}

/// A request with a body is not read on: the connection closes after the response.
fn client_closes(request: &HttpRequest) -> bool {
    let asks = request.header("connection").is_some_and(|value| {
        value.split(',').any(|option| option.trim().eq_ignore_ascii_case("close"))
    });
    let has_body = ["content-length", "transfer-encoding"]
        .iter()
        .any(|name| request.header(name).is_some_and(|value| value != "0"));
    asks || has_body || request.version != "HTTP/1.1"
}

/// The head of the next request; `None` when the client is done or sends too much.
async fn read_head(
    stream: &mut TlsStream<TcpStream>,
    unread: &mut Vec<u8>,
) -> io::Result<Option<Vec<u8>>> {
    loop {
        let end = unread.windows(4).position(|octets| octets == b"\r\n\r\n");
        if end.unwrap_or(unread.len()) > MAX_HEAD {
            Response::new(431).ending(Ending::Close).send(stream).await?;
            return Ok(None);
        }
        if let Some(at) = end {
            let rest = unread.split_off(at.saturating_add(4));
            return Ok(Some(std::mem::replace(unread, rest)));
        }
        if stream.read_buf(unread).await? == 0 {
            return Ok(None);
        }
    }
}

/// Takes a head apart for the log. Nothing is refused here: a bad request should be seen.
fn parse(head: &[u8], sni: &str) -> HttpRequest {
    let head = String::from_utf8_lossy(head);
    let mut lines = head.split("\r\n");
    let mut first = lines.next().unwrap_or_default().splitn(3, ' ').map(str::to_owned);
    let mut word = || first.next().unwrap_or_default();
    HttpRequest {
        sni: sni.to_owned(),
        method: word(),
        path: word(),
        version: word(),
        headers: lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
            .collect(),
        tls: String::new(),
        earlier: 0,
    }
}

async fn end(stream: &mut TlsStream<TcpStream>, ending: Ending) -> io::Result<()> {
    match ending {
        Ending::KeepOpen | Ending::Close => {
            stream.shutdown().await?;
            linger(stream.get_mut().0).await
        }
        Ending::Cut => fail_stream(stream, Fate::Close).await,
        Ending::Reset => fail_stream(stream, Fate::Reset).await,
    }
}

async fn fail_stream(stream: &mut TlsStream<TcpStream>, fate: Fate) -> io::Result<()> {
    // Below TLS, so that no `close_notify` goes out.
    let tcp = stream.get_mut().0;
    match fate {
        Fate::Close => {
            tcp.shutdown().await?;
            linger(tcp).await
        }
        Fate::Reset => tcp.set_zero_linger(),
        Fate::Stall => stall(tcp).await,
    }
}
