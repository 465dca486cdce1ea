//! What a Policy Host may do.

use std::time::Duration;

use mta_sts_testkit::lab::{
    Certificate, Ending, Fate, Framing, Https, Lab, Moment, Pace, Response, TlsVersions, padded,
};

use super::{Case, Names, absent, found, invalid, stalls, untrusted};

const POLICY: &str = "version: STSv1\nmode: enforce\nmx: mx.example\nmax_age: 604800\n";

fn https(lab: &Lab, names: &Names, https: Https) {
    lab.https().set(&names.host, https);
}

fn certificate(lab: &Lab, names: &Names, certificate: Certificate) {
    https(lab, names, Https::policy(POLICY).certificate(certificate));
}

fn respond(lab: &Lab, names: &Names, response: Response) {
    https(lab, names, Https::respond(response));
}

fn policy() -> Response {
    Response::policy(POLICY)
}

fn status(lab: &Lab, names: &Names, status: u16) {
    respond(lab, names, policy().status(status));
}

/// Certificates and TLS.
pub(crate) const TLS: &[Case] = &[
    found("a certificate for the name", |l, n| certificate(l, n, Certificate::Good)),
    found("a wildcard certificate", |l, n| certificate(l, n, Certificate::Wildcard)),
    found("a certificate with its intermediate", |l, n| certificate(l, n, Certificate::Chained)),
    found("TLS 1.2", |l, n| https(l, n, Https::policy(POLICY).versions(TlsVersions::Only12))),
    found("TLS 1.3", |l, n| https(l, n, Https::policy(POLICY).versions(TlsVersions::Only13))),
    untrusted("expired", "certificate-expired", |l, n| certificate(l, n, Certificate::Expired)),
    untrusted("not yet valid", "certificate-not-yet-valid", |l, n| {
        certificate(l, n, Certificate::NotYetValid);
    }),
    untrusted("another name", "certificate-host-mismatch", |l, n| {
        certificate(l, n, Certificate::WrongName);
    }),
    untrusted("the name as common name only", "certificate-host-mismatch", |l, n| {
        certificate(l, n, Certificate::CommonNameOnly);
    }),
    untrusted("an address only", "certificate-host-mismatch", |l, n| {
        certificate(l, n, Certificate::IpOnly);
    }),
    untrusted("half a wildcard", "certificate-host-mismatch", |l, n| {
        certificate(l, n, Certificate::PartialWildcard);
    }),
    untrusted("an authority that nobody trusts", "certificate-not-trusted", |l, n| {
        certificate(l, n, Certificate::UnknownAuthority);
    }),
    untrusted("signed by itself", "certificate-not-trusted", |l, n| {
        certificate(l, n, Certificate::SelfSigned);
    }),
    untrusted("without its intermediate", "certificate-not-trusted", |l, n| {
        certificate(l, n, Certificate::MissingIntermediate);
    }),
    untrusted("for clients", "certificate-invalid", |l, n| {
        certificate(l, n, Certificate::ClientOnly);
    }),
    absent("TLS 1.1", "tls-handshake-failed", |l, n| {
        https(l, n, Https::policy(POLICY).versions(TlsVersions::Old11));
    }),
    absent("a version alert", "tls-handshake-failed", |l, n| {
        https(l, n, Https::policy(POLICY).versions(TlsVersions::VersionAlert));
    }),
    absent("a host that is not there", "tls-handshake-failed", |l, n| l.https().remove(&n.host)),
];

/// Connections that break.
pub(crate) const CONNECTION: &[Case] = &[
    absent("closed at hello", "connection-failed", |l, n| {
        https(l, n, Https::fails(Moment::AfterHello, Fate::Close));
    }),
    absent("reset at hello", "connection-failed", |l, n| {
        https(l, n, Https::fails(Moment::AfterHello, Fate::Reset));
    }),
    absent("closed after the handshake", "connection-failed", |l, n| {
        https(l, n, Https::fails(Moment::AfterHandshake, Fate::Close));
    }),
    absent("closed after the request", "connection-failed", |l, n| {
        https(l, n, Https::fails(Moment::AfterRequest, Fate::Close));
    }),
    absent("reset after the request", "connection-failed", |l, n| {
        https(l, n, Https::fails(Moment::AfterRequest, Fate::Reset));
    }),
    stalls(absent("nothing after hello", "timeout", |l, n| {
        https(l, n, Https::fails(Moment::AfterHello, Fate::Stall));
    })),
    stalls(absent("nothing after the request", "timeout", |l, n| {
        https(l, n, Https::fails(Moment::AfterRequest, Fate::Stall));
    })),
    stalls(absent("half a head", "timeout", |l, n| {
        respond(l, n, policy().pace(Pace::StallInHead));
    })),
    stalls(absent("no body", "timeout", |l, n| respond(l, n, policy().pace(Pace::StallAfterHead)))),
    stalls(absent("half a body", "timeout", |l, n| {
        respond(l, n, policy().pace(Pace::StallInBody));
    })),
    stalls(absent("drop by drop", "timeout", |l, n| {
        respond(l, n, policy().pace(Pace::DripAll(Duration::from_millis(40))));
    })),
];

/// Heads of responses.
pub(crate) const HEAD: &[Case] = &[
    found("an interim response", |l, n| respond(l, n, policy().interim(100).interim(103))),
    found("parameters of the media type", |l, n| {
        respond(l, n, policy().content_type("Text/Plain; charset=utf-8"));
    }),
    found("no media type", |l, n| respond(l, n, policy().without_content_type())),
    found("the content coding identity", |l, n| {
        respond(l, n, policy().header("Content-Encoding", "identity"));
    }),
    absent("301", "http-status-301", |l, n| {
        let elsewhere = format!("https://{}/.well-known/mta-sts.txt", n.host);
        respond(l, n, Response::redirect(301, &elsewhere));
    }),
    absent("302", "http-status-302", |l, n| respond(l, n, Response::redirect(302, "/other"))),
    absent("308", "http-status-308", |l, n| respond(l, n, Response::redirect(308, "/other"))),
    absent("201", "http-status-201", |l, n| status(l, n, 201)),
    absent("203", "http-status-203", |l, n| status(l, n, 203)),
    absent("204", "http-status-204", |l, n| respond(l, n, Response::new(204))),
    absent("206", "http-status-206", |l, n| status(l, n, 206)),
    absent("304", "http-status-304", |l, n| respond(l, n, Response::new(304))),
    absent("404", "http-status-404", |l, n| status(l, n, 404)),
    absent("410", "http-status-410", |l, n| status(l, n, 410)),
    absent("500", "http-status-500", |l, n| status(l, n, 500)),
    absent("another media type", "http-media-type", |l, n| {
        respond(l, n, policy().content_type("text/html"));
    }),
    absent("two media types", "http-media-type", |l, n| {
        respond(l, n, policy().header("Content-Type", "text/html"));
    }),
    absent("gzip", "http-content-coding", |l, n| respond(l, n, policy().gzip())),
    absent("two content codings", "http-content-coding", |l, n| {
        let twice = policy().header("Content-Encoding", "identity");
        respond(l, n, twice.header("Content-Encoding", "br"));
    }),
    absent("too many fields", "http-malformed", |l, n| respond(l, n, policy().header_flood(5_000))),
    absent("no HTTP", "http-malformed", |l, n| https(l, n, Https::garbage())),
    absent("HTTP/0.9", "http-malformed", |l, n| https(l, n, Https::http09(POLICY))),
];

/// Bodies of responses.
pub(crate) const BODY: &[Case] = &[
    found("chunks", |l, n| respond(l, n, policy().framing(Framing::Chunked(7)))),
    found("framed by the end of the connection", |l, n| {
        respond(l, n, policy().framing(Framing::UntilClose).ending(Ending::Close));
    }),
    found("cut after its end", |l, n| respond(l, n, policy().ending(Ending::Cut))),
    found("as large as may be", |l, n| respond(l, n, Response::policy(padded(POLICY, 65_536)))),
    found("octet by octet", |l, n| respond(l, n, policy().pace(Pace::DripBody(Duration::ZERO)))),
    absent("too large", "policy-too-large", |l, n| {
        respond(l, n, Response::policy(padded(POLICY, 65_537)));
    }),
    absent("without end", "policy-too-large", |l, n| {
        respond(l, n, policy().endless().framing(Framing::Chunked(1_000)));
    }),
    absent("without end, until closed", "policy-too-large", |l, n| {
        respond(l, n, policy().endless().framing(Framing::UntilClose));
    }),
    absent("shorter than declared, closed", "http-truncated", |l, n| {
        https(l, n, Https::cut(POLICY, Ending::Close));
    }),
    absent("shorter than declared, cut", "http-truncated", |l, n| {
        https(l, n, Https::cut(POLICY, Ending::Cut));
    }),
    absent("shorter than declared, reset", "http-truncated", |l, n| {
        https(l, n, Https::cut(POLICY, Ending::Reset));
    }),
    absent("without its last chunk", "http-truncated", |l, n| {
        respond(l, n, policy().framing(Framing::ChunkedCut(7)).ending(Ending::Close));
    }),
    absent("until closed, and cut", "http-truncated", |l, n| {
        respond(l, n, policy().framing(Framing::UntilClose).ending(Ending::Cut));
    }),
    absent("until closed, and reset", "http-truncated", |l, n| {
        respond(l, n, policy().framing(Framing::UntilClose).ending(Ending::Reset));
    }),
    absent("chunks that are none", "http-malformed", |l, n| {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n";
        https(l, n, Https::raw(format!("{head}\r\nxyz\r\n{POLICY}"), Ending::Close));
    }),
    invalid("empty", "policy-missing-version", |l, n| respond(l, n, Response::policy(""))),
    invalid("no policy", "policy-bad-syntax", |l, n| {
        respond(l, n, Response::policy("<html>not here</html>\n"));
    }),
    invalid("a mode that is none", "policy-bad-mode", |l, n| {
        respond(l, n, Response::policy(POLICY.replace("enforce", "perhaps")));
    }),
    invalid("shorter in truth than declared", "policy-bad-max-age", |l, n| {
        let short = POLICY.find("604800").and_then(|at| u64::try_from(at).ok());
        let framing = Framing::DeclaredLength(short.unwrap_or_default());
        respond(l, n, policy().framing(framing));
    }),
];
