//! Certificates and TLS.

use mta_sts_lab::{Certificate, Https, Lab, TlsVersions};

use crate::case::{Case, Group, Names, absent, found, untrusted};
use crate::head::POLICY;

fn certificate(lab: &Lab, names: &Names, certificate: Certificate) {
    lab.https().set(&names.host, Https::policy(POLICY).certificate(certificate));
}

fn versions(lab: &Lab, names: &Names, versions: TlsVersions) {
    lab.https().set(&names.host, Https::policy(POLICY).versions(versions));
}

pub(crate) fn certificates() -> Group {
    let cases: Vec<Case> = vec![
        found("a certificate for the name", |l, n| certificate(l, n, Certificate::Good)),
        found("a wildcard certificate", |l, n| certificate(l, n, Certificate::Wildcard)),
        found("a certificate with its intermediate", |l, n| {
            certificate(l, n, Certificate::Chained);
        }),
        found("a certificate for several names", |l, n| {
            let names = vec!["www.example".to_owned(), n.host.clone()];
            certificate(l, n, Certificate::Names(names));
        }),
        found("TLS 1.2 only", |l, n| versions(l, n, TlsVersions::Only12)),
        found("TLS 1.3 only", |l, n| versions(l, n, TlsVersions::Only13)),
        untrusted("expired", "certificate-expired", |l, n| {
            certificate(l, n, Certificate::Expired);
        }),
        untrusted("not yet valid", "certificate-not-yet-valid", |l, n| {
            certificate(l, n, Certificate::NotYetValid);
        }),
        untrusted("for another name", "certificate-host-mismatch", |l, n| {
            certificate(l, n, Certificate::WrongName);
        }),
        untrusted("for the Policy Domain only", "certificate-host-mismatch", |l, n| {
            certificate(l, n, Certificate::Names(vec![n.domain.clone()]));
        }),
        untrusted("a wildcard of the level above", "certificate-host-mismatch", |l, n| {
            let (_, parent) = n.domain.split_once('.').expect("two labels");
            certificate(l, n, Certificate::Names(vec![format!("*.{parent}")]));
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
        untrusted("by an authority that nobody trusts", "certificate-not-trusted", |l, n| {
            certificate(l, n, Certificate::UnknownAuthority);
        }),
        untrusted("signed by itself", "certificate-not-trusted", |l, n| {
            certificate(l, n, Certificate::SelfSigned);
        }),
        untrusted("without its intermediate", "certificate-not-trusted", |l, n| {
            certificate(l, n, Certificate::MissingIntermediate);
        }),
        untrusted("for TLS clients", "certificate-wrong-purpose", |l, n| {
            certificate(l, n, Certificate::ClientOnly);
        }),
        absent("TLS 1.1 only", "tls-handshake-failed", |l, n| {
            versions(l, n, TlsVersions::Old11);
        }),
        absent("a protocol version alert", "tls-alert-protocol-version", |l, n| {
            versions(l, n, TlsVersions::VersionAlert);
        }),
        absent("a name that the server does not know", "tls-alert-unrecognized-name", |l, n| {
            l.https().remove(&n.host);
        }),
    ];
    Group { title: "Certificates and TLS", cases }
}
