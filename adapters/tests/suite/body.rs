//! Bodies of responses.

use std::time::Duration;

use mta_sts_lab::{Ending, Framing, Https, Lab, Pace, Response, padded};

use crate::case::{Group, Names, absent, found, invalid};
use crate::head::{POLICY, policy, raw, respond};

/// A head with these fields, and what follows it.
fn with(lab: &Lab, names: &Names, fields: &str, body: &str) {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n{fields}\r\n");
    raw(lab, names, format!("{head}\r\n{body}"));
}

fn chunked(lab: &Lab, names: &Names, body: &str) {
    with(lab, names, "Transfer-Encoding: chunked", body);
}

fn length(lab: &Lab, names: &Names, length: &str) {
    with(lab, names, &format!("Content-Length: {length}"), POLICY);
}

/// The size of the policy, in hexadecimal.
fn size() -> String {
    format!("{:x}", POLICY.len())
}

/// Whole bodies and cut ones.
pub(crate) fn framed() -> Group {
    let cases = vec![
        found("a right length", |l, n| length(l, n, &POLICY.len().to_string())),
        found("a right length, twice", |l, n| {
            let length = POLICY.len();
            with(l, n, &format!("Content-Length: {length}\r\nContent-Length: {length}"), POLICY);
        }),
        found("chunks", |l, n| respond(l, n, policy().framing(Framing::Chunked(7)))),
        found("chunks of an octet", |l, n| respond(l, n, policy().framing(Framing::Chunked(1)))),
        found("chunks with extensions", |l, n| {
            chunked(l, n, &format!("{};a=b;c=\"d\"\r\n{POLICY}\r\n0;e\r\n\r\n", size()));
        }),
        found("chunks with trailers", |l, n| {
            chunked(l, n, &format!("{}\r\n{POLICY}\r\n0\r\nX-A: b\r\nX-C: d\r\n\r\n", size()));
        }),
        found("chunks and a length, which does not count then", |l, n| {
            let fields = "Content-Length: 10\r\nTransfer-Encoding: chunked";
            with(l, n, fields, &format!("{}\r\n{POLICY}\r\n0\r\n\r\n", size()));
        }),
        found("framed by the end of the connection", |l, n| {
            respond(l, n, policy().framing(Framing::UntilClose).ending(Ending::Close));
        }),
        found("cut after its end", |l, n| respond(l, n, policy().ending(Ending::Cut))),
        found("octet by octet", |l, n| {
            respond(l, n, policy().pace(Pace::DripBody(Duration::ZERO)));
        }),
        found("more than its length", |l, n| {
            let length = POLICY.len();
            with(l, n, &format!("Content-Length: {length}"), &format!("{POLICY}mode: none\n"));
        }),
        found("65,535 octets", |l, n| respond(l, n, Response::policy(padded(POLICY, 65_535)))),
        found("65,536 octets", |l, n| respond(l, n, Response::policy(padded(POLICY, 65_536)))),
        absent("65,537 octets", "policy-too-large", |l, n| {
            respond(l, n, Response::policy(padded(POLICY, 65_537)));
        }),
        absent("65,537 octets in chunks", "policy-too-large", |l, n| {
            let large = Response::policy(padded(POLICY, 65_537));
            respond(l, n, large.framing(Framing::Chunked(4_096)));
        }),
        absent("without end", "policy-too-large", |l, n| {
            respond(l, n, policy().endless().framing(Framing::Chunked(1_000)));
        }),
        absent("without end, until closed", "policy-too-large", |l, n| {
            respond(l, n, policy().endless().framing(Framing::UntilClose));
        }),
        absent("shorter than its length, closed", "http-truncated", |l, n| {
            l.https().set(&n.host, Https::cut(POLICY, Ending::Close));
        }),
        absent("shorter than its length, cut", "http-truncated", |l, n| {
            l.https().set(&n.host, Https::cut(POLICY, Ending::Cut));
        }),
        absent("shorter than its length, reset", "http-truncated", |l, n| {
            l.https().set(&n.host, Https::cut(POLICY, Ending::Reset));
        }),
        absent("an octet shorter than its length", "http-truncated", |l, n| {
            length(l, n, &(POLICY.len() + 1).to_string());
        }),
        absent("without its last chunk, closed", "http-truncated", |l, n| {
            respond(l, n, policy().framing(Framing::ChunkedCut(7)).ending(Ending::Close));
        }),
        absent("without its last chunk, cut", "http-truncated", |l, n| {
            respond(l, n, policy().framing(Framing::ChunkedCut(7)).ending(Ending::Cut));
        }),
        absent("cut within a chunk", "http-truncated", |l, n| {
            chunked(l, n, &format!("{}\r\n{}", size(), &POLICY[..20]));
        }),
        absent("cut after the last chunk's size", "http-truncated", |l, n| {
            chunked(l, n, &format!("{}\r\n{POLICY}\r\n0\r\n", size()));
        }),
        absent("until closed, and cut", "http-truncated", |l, n| {
            respond(l, n, policy().framing(Framing::UntilClose).ending(Ending::Cut));
        }),
        absent("until closed, and reset", "http-truncated", |l, n| {
            respond(l, n, policy().framing(Framing::UntilClose).ending(Ending::Reset));
        }),
    ];
    Group { title: "HTTP: bodies", cases }
}

/// Framings that contradict themselves, and policies that are none.
pub(crate) fn malformed() -> Group {
    let cases = vec![
        absent("a length that is no number", "http-malformed", |l, n| length(l, n, "many")),
        absent("a negative length", "http-malformed", |l, n| length(l, n, "-1")),
        absent("a length with a sign", "http-malformed", |l, n| length(l, n, "+76")),
        absent("a length in hexadecimal", "http-malformed", |l, n| length(l, n, "0x4c")),
        absent("an empty length", "http-malformed", |l, n| length(l, n, "")),
        absent("a length above all numbers", "http-malformed", |l, n| {
            length(l, n, "99999999999999999999999");
        }),
        absent("two different lengths", "http-malformed", |l, n| {
            with(l, n, "Content-Length: 10\r\nContent-Length: 20", POLICY);
        }),
        absent("two different lengths in a field", "http-malformed", |l, n| {
            length(l, n, "10, 20");
        }),
        absent("chunks twice", "http-malformed", |l, n| {
            let body = format!("{}\r\n{POLICY}\r\n0\r\n\r\n", size());
            with(l, n, "Transfer-Encoding: chunked, chunked", &body);
        }),
        absent("gzip and chunks as transfer codings", "http-malformed", |l, n| {
            let body = format!("{}\r\n{POLICY}\r\n0\r\n\r\n", size());
            with(l, n, "Transfer-Encoding: gzip, chunked", &body);
        }),
        absent("a transfer coding that nobody knows", "http-malformed", |l, n| {
            with(l, n, "Transfer-Encoding: perhaps", POLICY);
        }),
        absent("the transfer coding identity", "http-malformed", |l, n| {
            with(l, n, "Transfer-Encoding: identity", POLICY);
        }),
        absent("chunks in HTTP/1.0", "http-malformed", |l, n| {
            let head = "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked";
            raw(l, n, format!("{head}\r\n\r\n{}\r\n{POLICY}\r\n0\r\n\r\n", size()));
        }),
        absent("a chunk whose size is no number", "http-malformed", |l, n| {
            chunked(l, n, &format!("xyz\r\n{POLICY}\r\n0\r\n\r\n"));
        }),
        absent("a chunk of a negative size", "http-malformed", |l, n| {
            chunked(l, n, &format!("-1\r\n{POLICY}\r\n0\r\n\r\n"));
        }),
        absent("a chunk of a size above all numbers", "http-malformed", |l, n| {
            chunked(l, n, &format!("fffffffffffffffff\r\n{POLICY}\r\n0\r\n\r\n"));
        }),
        absent("a chunk without a size", "http-malformed", |l, n| {
            chunked(l, n, &format!("\r\n{POLICY}\r\n0\r\n\r\n"));
        }),
        absent("a chunk longer than its size", "http-malformed", |l, n| {
            chunked(l, n, &format!("5\r\n{POLICY}\r\n0\r\n\r\n"));
        }),
        invalid("empty", "policy-missing-version", |l, n| respond(l, n, Response::policy(""))),
        invalid("no policy", "policy-bad-syntax", |l, n| {
            respond(l, n, Response::policy("<html>not here</html>\n"));
        }),
        invalid("another version", "policy-bad-version", |l, n| {
            respond(l, n, Response::policy(POLICY.replace("STSv1", "STSv2")));
        }),
        invalid("a mode that is none", "policy-bad-mode", |l, n| {
            respond(l, n, Response::policy(POLICY.replace("enforce", "perhaps")));
        }),
        invalid("no mx", "policy-missing-mx", |l, n| {
            respond(l, n, Response::policy(POLICY.replace("mx: mx.example\n", "")));
        }),
        invalid("an mx that is none", "policy-bad-mx", |l, n| {
            respond(l, n, Response::policy(POLICY.replace("mx.example", "mx..example")));
        }),
        invalid("octets that are no text", "policy-bad-encoding", |l, n| {
            respond(l, n, Response::policy([POLICY.as_bytes(), b"x: \xff\n"].concat()));
        }),
        invalid("UTF-16", "policy-bad-encoding", |l, n| {
            let wide: Vec<u8> = POLICY.encode_utf16().flat_map(u16::to_be_bytes).collect();
            respond(l, n, Response::policy([b"\xfe\xff".to_vec(), wide].concat()));
        }),
        invalid("65,536 NULs", "policy-bad-syntax", |l, n| {
            respond(l, n, Response::policy(vec![0; 65_536]));
        }),
        invalid("shorter by its length than it is", "policy-bad-max-age", |l, n| {
            let short = POLICY.find("604800").and_then(|at| u64::try_from(at).ok());
            let framing = Framing::DeclaredLength(short.unwrap_or_default());
            respond(l, n, policy().framing(framing));
        }),
    ];
    Group { title: "HTTP: bodies that are no policy", cases }
}
