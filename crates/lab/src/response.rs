//! HTTP responses, good and bad, as octets on a TLS stream.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::sleep;

/// The most octets of an [endless](Response::endless) body.
pub const ENDLESS_LIMIT: usize = 1024 * 1024;

/// A field that a policy parser ignores (RFC 8461 §3.2): padding that keeps a policy valid.
const FILLER: &[u8] = b"filler: ----------------------------------------------------\n";

/// How the end of a body is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Framing {
    /// A right `Content-Length`.
    #[default]
    Length,
    /// This `Content-Length`, right or wrong. If it is more than the body the rest never comes.
    DeclaredLength(u64),
    /// `Transfer-Encoding: chunked`, in chunks of this many octets (at least 1).
    Chunked(usize),
    /// As `Chunked`, and the last chunk is never sent.
    ChunkedCut(usize),
    /// None: the body ends with the connection.
    UntilClose,
}

/// What becomes of the connection after a response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ending {
    /// It stays open for a next request, as with most servers; but not after
    /// [`Framing::UntilClose`], nor when the client asks otherwise: then as `Close`.
    #[default]
    KeepOpen,
    /// A TLS `close_notify`, then the end of the stream. The head has `Connection: close`.
    Close,
    /// The end of the stream without `close_notify`: to TLS, a truncation.
    Cut,
    /// A TCP reset.
    Reset,
}

/// How fast a response comes. Stalls end when the client goes, when the [`Lab`](crate::Lab) is
/// dropped or with the connection's [time](crate::LIFETIME).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pace {
    /// At once.
    #[default]
    AtOnce,
    /// The body an octet at a time, after this long each.
    DripBody(Duration),
    /// All of it an octet at a time, after this long each.
    DripAll(Duration),
    /// Nothing ever comes.
    StallBeforeHead,
    /// Half of the head comes.
    StallInHead,
    /// The head comes, and no octet of the body.
    StallAfterHead,
    /// The head and half of the body come.
    StallInBody,
}

/// An HTTP/1.1 response.
///
/// ```
/// use mta_sts_lab::{Ending, Framing, Response};
/// let cut = Response::policy("version: STSv1\nmode: none\nmax_age: 60\n")
///     .framing(Framing::DeclaredLength(4096))
///     .ending(Ending::Cut);
/// let moved = Response::redirect(301, "https://mta-sts.example.net/.well-known/mta-sts.txt");
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Response {
    status: u16,
    interim: Vec<u16>,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    endless: bool,
    framing: Framing,
    pub(crate) ending: Ending,
    pace: Pace,
}

impl Response {
    /// This status, no header field but the framing's, no body.
    pub fn new(status: u16) -> Self {
        Self {
            status,
            interim: Vec::new(),
            headers: Vec::new(),
            body: Vec::new(),
            endless: false,
            framing: Framing::Length,
            ending: Ending::KeepOpen,
            pace: Pace::AtOnce,
        }
    }

    /// Status 200, `text/plain`, this body.
    pub fn policy(text: impl Into<Vec<u8>>) -> Self {
        Self::new(200).content_type("text/plain").body(text)
    }

    /// A redirection to `location`, with a short body.
    pub fn redirect(status: u16, location: &str) -> Self {
        let text = format!("moved to {location}\n");
        Self::new(status).content_type("text/plain").header("Location", location).body(text)
    }

    /// Another status.
    pub fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// Sends an interim response first, such as 100 or 103; may be repeated.
    pub fn interim(mut self, status: u16) -> Self {
        self.interim.push(status);
        self
    }

    /// Adds a header field, the value as it is; a field may come more than once.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// Removes every header field of this name.
    pub fn without_header(mut self, name: &str) -> Self {
        self.headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        self
    }

    /// Replaces the content type. For two of them add the second with [`header`](Self::header).
    pub fn content_type(self, value: impl AsRef<[u8]>) -> Self {
        self.without_content_type().header("Content-Type", value)
    }

    /// Removes the content type.
    pub fn without_content_type(self) -> Self {
        self.without_header("Content-Type")
    }

    /// Adds this many header fields of about 64 octets each; at most 20,000.
    pub fn header_flood(mut self, count: u16) -> Self {
        for n in 0..count.min(20_000) {
            self.headers.push((format!("X-Flood-{n}"), vec![b'x'; 48]));
        }
        self
    }

    /// Replaces the body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Goes on after the body with lines that a policy may hold, up to [`ENDLESS_LIMIT`] in all,
    /// so that a reader without a limit finds a valid policy. Framed by a length, that length is
    /// the whole's.
    pub fn endless(mut self) -> Self {
        self.endless = true;
        self
    }

    /// Compresses the body (in form; it does not get smaller) and says `Content-Encoding: gzip`,
    /// whether or not the client offered that.
    pub fn gzip(mut self) -> Self {
        self.body = gzip(&self.body);
        self.header("Content-Encoding", "gzip")
    }

    /// How the end of the body is told.
    pub fn framing(mut self, framing: Framing) -> Self {
        self.framing = framing;
        self
    }

    /// What becomes of the connection afterwards.
    pub fn ending(mut self, ending: Ending) -> Self {
        self.ending = ending;
        self
    }

    /// How fast it comes.
    pub fn pace(mut self, pace: Pace) -> Self {
        self.pace = pace;
        self
    }

    /// The ending, now that the wishes of both sides are known.
    pub(crate) fn ending_for(&self, client_closes: bool) -> Ending {
        match self.ending {
            Ending::KeepOpen if client_closes || self.framing == Framing::UntilClose => {
                Ending::Close
            }
            ending => ending,
        }
    }

    fn head(&self, body: &[u8]) -> Vec<u8> {
        let mut head = Vec::new();
        for status in &self.interim {
            head.extend_from_slice(
                format!("HTTP/1.1 {status} {}\r\n\r\n", reason(*status)).as_bytes(),
            );
        }
        let mut line = |text: &[u8]| {
            head.extend_from_slice(text);
            head.extend_from_slice(b"\r\n");
        };
        line(format!("HTTP/1.1 {} {}", self.status, reason(self.status)).as_bytes());
        for (name, value) in &self.headers {
            line(&[name.as_bytes(), b": ", value].concat());
        }
        match self.framing {
            // RFC 9110 §8.6: no Content-Length in a 204.
            Framing::Length if self.status == 204 => {}
            Framing::Length => line(format!("Content-Length: {}", body.len()).as_bytes()),
            Framing::DeclaredLength(n) => line(format!("Content-Length: {n}").as_bytes()),
            Framing::Chunked(_) | Framing::ChunkedCut(_) => line(b"Transfer-Encoding: chunked"),
            Framing::UntilClose => {}
        }
        if self.ending == Ending::Close {
            line(b"Connection: close");
        }
        line(b"");
        head
    }

    /// The body as it goes over the wire.
    fn framed(&self, body: &[u8]) -> Vec<u8> {
        let (Framing::Chunked(size) | Framing::ChunkedCut(size)) = self.framing else {
            return body.to_vec();
        };
        let mut wire = Vec::with_capacity(body.len().saturating_add(64));
        for chunk in body.chunks(size.max(1)) {
            wire.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            wire.extend_from_slice(chunk);
            wire.extend_from_slice(b"\r\n");
        }
        if matches!(self.framing, Framing::Chunked(_)) {
            wire.extend_from_slice(b"0\r\n\r\n");
        }
        wire
    }

    pub(crate) async fn send<S>(&self, stream: &mut S) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut body = self.body.clone();
        if self.endless {
            let room = ENDLESS_LIMIT.saturating_sub(body.len());
            body.extend(FILLER.iter().copied().cycle().take(room / FILLER.len() * FILLER.len()));
        }
        let head = self.head(&body);
        let body = self.framed(&body);
        let half = |octets: &[u8]| octets.get(..octets.len() / 2).unwrap_or_default().to_vec();
        let part = match self.pace {
            Pace::AtOnce => {
                return write(stream, &[head, body].concat()).await;
            }
            Pace::DripBody(interval) => {
                write(stream, &head).await?;
                return drip(stream, &body, interval).await;
            }
            Pace::DripAll(interval) => {
                return drip(stream, &[head, body].concat(), interval).await;
            }
            Pace::StallBeforeHead => Vec::new(),
            Pace::StallInHead => half(&head),
            Pace::StallAfterHead => head,
            Pace::StallInBody => [head, half(&body)].concat(),
        };
        write(stream, &part).await?;
        stall(stream).await
    }
}

/// Pads a policy to exactly `octets` with a field that parsers ignore. A text that has no room
/// for one (a line of 9 octets) comes back as it was.
pub fn padded(text: &str, octets: usize) -> Vec<u8> {
    let mut body = text.as_bytes().to_vec();
    if !body.ends_with(b"\n") {
        body.push(b'\n');
    }
    let Some(line) = octets.checked_sub(body.len()).filter(|line| *line >= 9) else {
        return text.as_bytes().to_vec();
    };
    body.extend_from_slice(b"filler:");
    body.resize(body.len().saturating_add(line - 8), b'-');
    body.push(b'\n');
    body
}

pub(crate) async fn write<S: AsyncWrite + Unpin>(stream: &mut S, octets: &[u8]) -> io::Result<()> {
    stream.write_all(octets).await?;
    stream.flush().await
}

async fn drip<S: AsyncWrite + Unpin>(
    stream: &mut S,
    octets: &[u8],
    interval: Duration,
) -> io::Result<()> {
    for octet in octets.chunks(1) {
        sleep(interval).await;
        write(stream, octet).await?;
    }
    Ok(())
}

/// Reads and forgets until the client closes, which is then an error: nothing more can be sent.
pub(crate) async fn stall<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<()> {
    let mut sink = [0; 1024];
    while stream.read(&mut sink).await? > 0 {}
    Err(io::ErrorKind::UnexpectedEof.into())
}

fn reason(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        103 => "Early Hints",
        200 => "OK",
        201 => "Created",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        410 => "Gone",
        421 => "Misdirected Request",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "Unnamed",
    }
}

/// A gzip file (RFC 1952) of stored blocks (RFC 1951 §3.2.4).
fn gzip(body: &[u8]) -> Vec<u8> {
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    for block in body.chunks(0xffff) {
        let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
        out.push(0);
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&(!length).to_le_bytes());
        out.extend_from_slice(block);
    }
    // An empty last block.
    out.extend_from_slice(&[1, 0, 0, 0xff, 0xff]);
    let mut crc = u32::MAX;
    for octet in body {
        crc ^= u32::from(*octet);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    out.extend_from_slice(&(!crc).to_le_bytes());
    out.extend_from_slice(&u32::try_from(body.len()).unwrap_or(u32::MAX).to_le_bytes());
    out
}
