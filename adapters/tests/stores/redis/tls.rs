//! A server that speaks TLS.

use std::fs;
use std::sync::Arc;

use mta_sts_adapters::{Redis, Store, StoreError, Urgency};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use super::server::Server;
use crate::entries::{NOW, first, id};

struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("a certificate").pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }
}

#[test]
fn ok_tls_is_spoken_and_the_certificate_verified() {
    let ours = Authority::new("ours");
    let folder = std::env::temp_dir().join(format!("mta-sts-redis-tls-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    let [certificate, key] = ["server.pem", "server.key"].map(|name| folder.join(name));
    let own_key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    let signed = params.signed_by(&own_key, &ours.issuer).expect("a certificate");
    fs::write(&certificate, signed.pem()).expect("a file");
    fs::write(&key, own_key.serialize_pem()).expect("a file");
    let [certificate, key] = [certificate, key].map(|path| path.display().to_string());
    // The port that is free beside the one without TLS.
    let tls_port = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.local_addr().expect("it is bound").port().to_string()
    };
    let arguments = ["--tls-port", &tls_port, "--tls-cert-file", &certificate];
    let more = ["--tls-key-file", &key, "--tls-ca-cert-file", &certificate];
    let arguments = [&arguments[..], &more, &["--tls-auth-clients", "no"]].concat();
    let Some(_server) = Server::with(&arguments) else { return };

    let open = |host: &str| Redis::open(&format!("rediss://{host}:{tls_port}")).expect("a URL");
    let trusting = |host: &str, root: &Authority| {
        let store = open(host).with_clock(Arc::new(|| NOW));
        store.with_root(root.pem.clone()).expect("a root")
    };
    let store = trusting("localhost", &ours);
    assert_eq!(store.merge(&first("example.com", "1"), Urgency::Durable).map(drop), Ok(()));
    assert_eq!(id(&store, "example.com").as_deref(), Some("1"));
    for refused in [
        trusting("localhost", &Authority::new("others")),
        trusting("127.0.0.1", &ours),
        open("localhost"),
    ] {
        let error = refused.ping().expect_err("a certificate that is not trusted");
        assert!(matches!(error, StoreError::Backend(_)), "{error:?}");
    }
    let _ = fs::remove_dir_all(&folder);
}

#[test]
fn err_a_root_that_is_none_and_a_url_without_tls() {
    let refused = Redis::open("rediss://127.0.0.1").expect("a URL").with_root("no certificate");
    assert!(matches!(refused, Err(StoreError::Unusable(_))), "{refused:?}");
    let root = Authority::new("ours").pem;
    let refused = Redis::open("redis://127.0.0.1").expect("a URL").with_root(root);
    assert!(matches!(refused, Err(StoreError::Unusable(_))), "{refused:?}");
}
