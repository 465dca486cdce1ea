//! Heads of responses.

use mta_sts_lab::{Ending, Https, Lab, Response};

use crate::case::{Case, Expect, Group, Names, absent, found, no_policy};

pub(crate) const POLICY: &str = "version: STSv1\nmode: enforce\nmx: mx.example\nmax_age: 604800\n";

pub(crate) fn policy() -> Response {
    Response::policy(POLICY)
}

pub(crate) fn respond(lab: &Lab, names: &Names, response: Response) {
    lab.https().set(&names.host, Https::respond(response));
}

/// These octets, then the end of the connection.
pub(crate) fn raw(lab: &Lab, names: &Names, octets: impl Into<Vec<u8>>) {
    lab.https().set(&names.host, Https::raw(octets, Ending::Close));
}

/// A policy below a head of these lines.
fn below(lab: &Lab, names: &Names, status_line: &str, fields: &str) {
    let length = POLICY.len();
    let head = format!(
        "{status_line}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n{fields}\r\n"
    );
    raw(lab, names, format!("{head}{POLICY}"));
}

/// A redirection to a host with a valid policy.
fn elsewhere(lab: &Lab, names: &Names, status: u16) {
    let target = lab.domain(&format!("target.{}", names.domain)).mode("enforce");
    target.publish();
    let url =
        format!("https://{}:{}/.well-known/mta-sts.txt", target.policy_host(), lab.https_port());
    respond(lab, names, Response::redirect(status, &url));
}

/// Statuses. None but 200 is a policy, and no redirect is followed: no other host, and nothing
/// more of this one, is asked for.
pub(crate) fn statuses() -> Group {
    let with_policy = [
        201, 202, 203, 204, 205, 206, 226, 299, 300, 304, 305, 400, 401, 403, 404, 407, 408, 410,
        418, 421, 429, 451, 499, 500, 502, 503, 504, 599, 600, 999,
    ];
    let of_status = |status: u16| {
        let expect = no_policy(&format!("http-status-{status}"));
        Case::new(format!("{status} with a policy"), expect, move |l, n| {
            respond(l, n, policy().status(status));
        })
    };
    let of_redirect = |status: u16| {
        let expect = no_policy(&format!("http-status-{status}"));
        let what = format!("{status} to a host with a valid policy");
        Case::new(what, expect, move |l, n| elsewhere(l, n, status)).dials(1)
    };
    let mut cases: Vec<Case> = with_policy.into_iter().map(of_status).collect();
    cases.extend([301, 302, 303, 307, 308].into_iter().map(of_redirect));
    cases.extend([
        absent("302 to itself", "http-status-302", |l, n| {
            respond(l, n, Response::redirect(302, "/.well-known/mta-sts.txt"));
        })
        .dials(1),
        absent("301 to another path", "http-status-301", |l, n| {
            respond(l, n, Response::redirect(301, "/mta-sts.txt"));
        })
        .dials(1),
        absent("307 to http", "http-status-307", |l, n| {
            let url = format!("http://{}/.well-known/mta-sts.txt", n.host);
            respond(l, n, Response::redirect(307, &url));
        })
        .dials(1),
        absent("302 to nowhere", "http-status-302", |l, n| respond(l, n, policy().status(302))),
        absent("200 with a Location and another body", "http-media-type", |l, n| {
            respond(l, n, policy().content_type("text/html").header("Location", "/elsewhere"));
        })
        .dials(1),
        found("100 and 103, then 200", |l, n| respond(l, n, policy().interim(100).interim(103))),
        absent("100, then 404", "http-status-404", |l, n| {
            respond(l, n, policy().status(404).interim(100));
        }),
        absent("100 alone, and the end", "connection-failed", |l, n| {
            raw(l, n, "HTTP/1.1 100 Continue\r\n\r\n");
        }),
        absent("100 alone, and silence", "timeout", |l, n| {
            let head = "HTTP/1.1 100 Continue\r\n\r\n";
            l.https().set(&n.host, Https::raw(head, Ending::KeepOpen));
        })
        .stalls(),
        found("100 times 100, then 200", |l, n| {
            respond(l, n, (0..100).fold(policy(), |response, _| response.interim(100)));
        }),
        absent("10,000 times 100, and silence", "timeout", |l, n| {
            let heads = "HTTP/1.1 100 Continue\r\n\r\n".repeat(10_000);
            l.https().set(&n.host, Https::raw(heads, Ending::KeepOpen));
        })
        .stalls(),
        absent("101", "http-status-101", |l, n| {
            let head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade";
            raw(l, n, format!("{head}\r\n\r\n{POLICY}"));
        }),
        absent("99", "http-malformed", |l, n| respond(l, n, policy().status(99))),
        absent("099", "http-malformed", |l, n| below(l, n, "HTTP/1.1 099 Low", "")),
        absent("1000", "http-malformed", |l, n| respond(l, n, policy().status(1000))),
        absent("no status", "http-malformed", |l, n| below(l, n, "HTTP/1.1 OK", "")),
    ]);
    Group { title: "HTTP: statuses", cases }
}

/// Fields that count.
pub(crate) fn fields() -> Group {
    let media_types = [
        ("text/plain", true),
        ("Text/PLAIN", true),
        ("text/plain; charset=utf-8", true),
        ("text/plain;charset=\"utf-8\"", true),
        ("text/plain ; format=flowed", true),
        ("text/plain; x=\"a,b\"", true),
        ("text/html", false),
        ("text/plainer", false),
        ("text/*", false),
        ("application/octet-stream", false),
        ("application/json", false),
        ("multipart/mixed; boundary=text/plain", false),
        ("", false),
        ("text", false),
        (";text/plain", false),
        ("text/plain, text/html", false),
    ];
    let of_media_type = |(value, taken): (&'static str, bool)| {
        let reason =
            if value.contains(',') { "http-several-media-types" } else { "http-media-type" };
        let expect = if taken { Expect::Found } else { no_policy(reason) };
        Case::new(format!("media type `{value}`"), expect, move |l, n| {
            respond(l, n, policy().content_type(value));
        })
    };
    let mut cases: Vec<Case> = media_types.into_iter().map(of_media_type).collect();
    cases.extend([
        found("no media type", |l, n| respond(l, n, policy().without_content_type())),
        absent("two media types", "http-several-media-types", |l, n| {
            respond(l, n, policy().header("Content-Type", "text/html"));
        }),
        absent("a media type of octets that are no text", "http-media-type", |l, n| {
            respond(l, n, policy().content_type(b"text/plain\xff"));
        }),
        found("the content coding identity", |l, n| {
            respond(l, n, policy().header("Content-Encoding", "identity"));
        }),
        absent("gzip", "http-content-coding", |l, n| respond(l, n, policy().gzip())),
        absent("gzip in name only", "http-content-coding", |l, n| {
            respond(l, n, policy().header("Content-Encoding", "gzip"));
        }),
        absent("two content codings", "http-content-coding", |l, n| {
            let twice = policy().header("Content-Encoding", "identity");
            respond(l, n, twice.header("Content-Encoding", "br"));
        }),
        found("a policy to be kept for ever by caches", |l, n| {
            let cached = policy().header("Cache-Control", "max-age=31536000, immutable");
            respond(l, n, cached.header("ETag", "\"1\"").header("Age", "31536000"));
        }),
        found("cookies and hints of other protocols", |l, n| {
            let cookies = policy().header("Set-Cookie", "a=b").header("Alt-Svc", "h2=\":1\"");
            respond(l, n, cookies.header("Refresh", "0; url=/").header("Link", "</>; rel=preload"));
        }),
        found("a hundred fields", |l, n| respond(l, n, policy().header_flood(100))),
        absent("5,000 fields", "http-malformed", |l, n| {
            respond(l, n, policy().header_flood(5_000));
        }),
        found("a field of 16 KiB", |l, n| {
            respond(l, n, policy().header("X-Large", vec![b'x'; 16 * 1024]));
        }),
        absent("a field of 64 KiB", "http-malformed", |l, n| {
            respond(l, n, policy().header("X-Large", vec![b'x'; 64 * 1024]));
        }),
    ]);
    Group { title: "HTTP: fields of the head", cases }
}

/// Heads that are none, or hardly.
pub(crate) fn syntax() -> Group {
    let cases = vec![
        found("HTTP/1.0", |l, n| below(l, n, "HTTP/1.0 200 OK", "")),
        found("no reason phrase", |l, n| below(l, n, "HTTP/1.1 200", "")),
        found("a reason phrase of octets that are no text", |l, n| {
            let head = b"HTTP/1.1 200 \xff\xfe\r\nContent-Type: text/plain\r\n\r\n";
            raw(l, n, [head, POLICY.as_bytes()].concat());
        }),
        absent("HTTP/0.9", "http-malformed", |l, n| {
            l.https().set(&n.host, Https::http09(POLICY));
        }),
        absent("no HTTP", "http-malformed", |l, n| l.https().set(&n.host, Https::garbage())),
        absent("HTTP/2.0", "http-malformed", |l, n| below(l, n, "HTTP/2.0 200 OK", "")),
        absent("HTTP/1.2", "http-malformed", |l, n| below(l, n, "HTTP/1.2 200 OK", "")),
        absent("http/1.1 in lower case", "http-malformed", |l, n| {
            below(l, n, "http/1.1 200 OK", "");
        }),
        absent("ICY", "http-malformed", |l, n| below(l, n, "ICY 200 OK", "")),
        absent("an octet before the status line", "http-malformed", |l, n| {
            below(l, n, "xHTTP/1.1 200 OK", "");
        }),
        found("lines that end with LF alone", |l, n| {
            let length = POLICY.len();
            let head =
                format!("HTTP/1.1 200 OK\nContent-Type: text/plain\nContent-Length: {length}");
            raw(l, n, format!("{head}\n\n{POLICY}"));
        }),
        absent("lines that end with CR alone", "http-malformed", |l, n| {
            raw(l, n, format!("HTTP/1.1 200 OK\rContent-Type: text/plain\r\r{POLICY}"));
        }),
        absent("a status line of 64 KiB", "http-malformed", |l, n| {
            below(l, n, &format!("HTTP/1.1 200 {}", "x".repeat(64 * 1024)), "");
        }),
        absent("a NUL in a value", "http-malformed", |l, n| {
            below(l, n, "HTTP/1.1 200 OK", "X-A: a\0b\r\n");
        }),
        absent("a NUL in a name", "http-malformed", |l, n| {
            below(l, n, "HTTP/1.1 200 OK", "X\0A: b\r\n");
        }),
        absent("a NUL in the status line", "http-malformed", |l, n| {
            below(l, n, "HTTP/1.1 200 \0", "");
        }),
        absent("a folded field", "http-malformed", |l, n| {
            below(l, n, "HTTP/1.1 200 OK", "X-A: b\r\n c\r\n");
        }),
        absent("a space before the colon", "http-malformed", |l, n| {
            below(l, n, "HTTP/1.1 200 OK", "X-A : b\r\n");
        }),
        absent("a field without a name", "http-malformed", |l, n| {
            below(l, n, "HTTP/1.1 200 OK", ": b\r\n");
        }),
        absent("a field without a colon", "http-malformed", |l, n| {
            below(l, n, "HTTP/1.1 200 OK", "X-A\r\n");
        }),
        absent("a status line alone, and the end", "connection-failed", |l, n| {
            raw(l, n, "HTTP/1.1 200 OK\r\n");
        }),
        absent("a head without its end", "connection-failed", |l, n| {
            raw(l, n, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n");
        }),
        absent("nothing at all", "connection-failed", |l, n| raw(l, n, "")),
    ];
    Group { title: "HTTP: heads that are none", cases }
}
