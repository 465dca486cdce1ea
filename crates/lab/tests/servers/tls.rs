//! Certificates and TLS versions, as rustls sees them.

use std::io::ErrorKind;
use std::sync::Arc;

use mta_sts_lab::{Certificate, Fate, Https, Lab, Moment, POLICY_PATH, TlsVersions};
use rustls::{AlertDescription, CertificateError, ClientConfig, Error, PeerIncompatible};

use crate::client::{Fetch, HOST, POLICY, fetch, get, tls_config};

async fn refusal(lab: &Lab, https: Https) -> Error {
    lab.https().set(HOST, https);
    match get(lab).await {
        Fetch::Tls(Ok(error)) => error,
        other => panic!("TLS did not refuse: {other:?}"),
    }
}

#[tokio::test]
async fn ok_certificates() {
    let lab = Lab::start().unwrap();
    let names = vec!["example.com".to_owned(), HOST.to_owned()];
    for certificate in
        [Certificate::Good, Certificate::Wildcard, Certificate::Chained, Certificate::Names(names)]
    {
        lab.https().set(HOST, Https::policy(POLICY).certificate(certificate.clone()));
        assert_eq!(get(&lab).await.body(), Ok(POLICY.as_bytes()), "{certificate:?}");
    }
}

#[tokio::test]
async fn err_certificates() {
    let lab = Lab::start().unwrap();
    for (certificate, expected) in [
        (Certificate::PartialWildcard, "name"),
        (Certificate::WrongName, "name"),
        (Certificate::CommonNameOnly, "name"),
        (Certificate::IpOnly, "name"),
        (Certificate::Names(vec!["example.com".to_owned()]), "name"),
        (Certificate::Expired, "expired"),
        (Certificate::NotYetValid, "not yet valid"),
        (Certificate::SelfSigned, "issuer"),
        (Certificate::UnknownAuthority, "issuer"),
        (Certificate::MissingIntermediate, "issuer"),
        (Certificate::ClientOnly, "purpose"),
    ] {
        let https = Https::policy(POLICY).certificate(certificate.clone());
        let seen = match refusal(&lab, https).await {
            Error::InvalidCertificate(CertificateError::NotValidForNameContext { .. }) => "name",
            Error::InvalidCertificate(CertificateError::ExpiredContext { .. }) => "expired",
            Error::InvalidCertificate(CertificateError::NotValidYetContext { .. }) => {
                "not yet valid"
            }
            Error::InvalidCertificate(CertificateError::UnknownIssuer) => "issuer",
            Error::InvalidCertificate(CertificateError::InvalidPurposeContext { .. }) => "purpose",
            other => panic!("{certificate:?}: {other:?}"),
        };
        assert_eq!(seen, expected, "{certificate:?}");
    }
    let unmade = Certificate::Names(vec!["b\u{fc}cher.example".to_owned()]);
    let alert = refusal(&lab, Https::policy(POLICY).certificate(unmade)).await;
    assert_eq!(alert, Error::AlertReceived(AlertDescription::InternalError));
    assert_eq!((lab.https().requests().count(), lab.https().hellos().count()), (0, 12));
}

#[tokio::test]
async fn a_new_certificate_is_seen_by_a_client_that_remembers_sessions() {
    let lab = Lab::start().unwrap();
    let config = tls_config(&lab);
    for versions in [TlsVersions::Only12, TlsVersions::Only13] {
        let good = Https::policy(POLICY).versions(versions);
        lab.https().set(HOST, good.clone());
        let first = fetch(lab.https_addr(), Arc::clone(&config), HOST, POLICY_PATH).await;
        assert_eq!(first.status(), 200);
        lab.https().set(HOST, good.certificate(Certificate::Expired));
        let second = fetch(lab.https_addr(), Arc::clone(&config), HOST, POLICY_PATH).await;
        assert!(matches!(second, Fetch::Tls(Ok(Error::InvalidCertificate(_)))), "{second:?}");
    }
}

#[tokio::test]
async fn versions() {
    let lab = Lab::start().unwrap();
    for (versions, name) in [
        (TlsVersions::Both, "TLSv1_3"),
        (TlsVersions::Only13, "TLSv1_3"),
        (TlsVersions::Only12, "TLSv1_2"),
    ] {
        lab.https().set(HOST, Https::policy(POLICY).versions(versions));
        assert_eq!(get(&lab).await.status(), 200);
        assert_eq!(lab.https().requests().take()[0].tls, name);
    }
    let old = refusal(&lab, Https::policy(POLICY).versions(TlsVersions::Old11)).await;
    assert_eq!(old, Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13));
    let alert = refusal(&lab, Https::policy(POLICY).versions(TlsVersions::VersionAlert)).await;
    assert_eq!(alert, Error::AlertReceived(AlertDescription::ProtocolVersion));
}

#[tokio::test]
async fn application_protocols() {
    let lab = Lab::start().unwrap();
    lab.https().policy(HOST, POLICY);
    for (offered, agreed) in [(vec!["h2", "http/1.1"], true), (vec!["h2"], false)] {
        let mut config = ClientConfig::clone(&tls_config(&lab));
        config.alpn_protocols = offered.iter().map(|name| name.as_bytes().to_vec()).collect();
        let seen = fetch(lab.https_addr(), Arc::new(config), HOST, POLICY_PATH).await;
        assert_eq!(matches!(seen, Fetch::Reply { status: 200, .. }), agreed, "{seen:?}");
        assert_eq!(lab.https().hellos().take()[0].alpn, offered);
    }
}

#[tokio::test]
async fn err_a_host_that_is_not_there() {
    let lab = Lab::start().unwrap();
    lab.https().policy(HOST, POLICY);
    lab.https().remove(HOST);
    let seen = get(&lab).await;
    assert!(
        matches!(&seen, Fetch::Tls(Ok(Error::AlertReceived(AlertDescription::UnrecognisedName)))),
        "{seen:?}"
    );
    let hello = lab.https().hellos().take().remove(0);
    assert_eq!((hello.sni.as_deref(), hello.alpn.len()), (Some(HOST), 0));

    // rustls sends no server name for an address.
    let seen = fetch(lab.https_addr(), tls_config(&lab), "127.0.0.1", POLICY_PATH).await;
    assert!(
        matches!(&seen, Fetch::Tls(Ok(Error::AlertReceived(AlertDescription::UnrecognisedName)))),
        "{seen:?}"
    );
    assert_eq!(lab.https().hellos().take()[0].sni, None);
}

#[tokio::test]
async fn err_the_handshake_ends_early() {
    let lab = Lab::start().unwrap();
    lab.https().set(HOST, Https::fails(Moment::AfterHello, Fate::Close));
    assert!(matches!(get(&lab).await, Fetch::Tls(Err(ErrorKind::UnexpectedEof))));
    lab.https().set(HOST, Https::fails(Moment::AfterHello, Fate::Reset));
    assert!(matches!(get(&lab).await, Fetch::Tls(Err(ErrorKind::ConnectionReset))));
    assert_eq!(lab.https().hellos().take().len(), 2);

    lab.https().policy(HOST, POLICY);
    lab.https().fail_on_accept(Some(Fate::Close));
    assert!(matches!(get(&lab).await, Fetch::Tls(Err(_))));
    assert_eq!((lab.https().hellos().count(), lab.https().connections()), (2, 3));
    lab.https().fail_on_accept(None);
    assert_eq!(get(&lab).await.status(), 200);
}
