//! Certificates and TLS versions: a throw-away certification authority, and what goes wrong.

use std::collections::HashMap;
use std::fmt;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType, date_time_ymd,
};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::NoServerSessionStorage;
use rustls::{ServerConfig, SupportedProtocolVersion, version};

use crate::error::LabError;

/// TLS configurations kept ready; when there are more, all are made afresh.
const MAX_CACHED: usize = 1024;

/// The certificate that a host presents. Where nothing else is said it is valid from 2020 to
/// 2099, for the host's name, and signed by the [lab's authority](crate::Lab::ca_pem).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Certificate {
    /// As it should be: a SAN with the host's name.
    #[default]
    Good,
    /// A SAN `*.example.com` for `mta-sts.example.com`; valid (RFC 8461 §3.3).
    Wildcard,
    /// A SAN `mta*.example.com` for `mta-sts.example.com`; no such wildcard is valid.
    PartialWildcard,
    /// The SAN is another host's: `www.example.com` for `mta-sts.example.com`.
    WrongName,
    /// The host's name as the subject's common name, and no SAN.
    CommonNameOnly,
    /// The only SAN is the IP address 127.0.0.1.
    IpOnly,
    /// These DNS names as SANs, whatever the host. With a name that is not ASCII there is no
    /// certificate: the client is sent a fatal `internal_error` alert.
    Names(Vec<String>),
    /// Ended in 2021.
    Expired,
    /// Begins in 2090.
    NotYetValid,
    /// Signed by its own key.
    SelfSigned,
    /// Signed by an authority that nobody trusts, which has another subject than the lab's.
    UnknownAuthority,
    /// Signed by an intermediate authority, which is sent along; valid.
    Chained,
    /// Signed by an intermediate authority, which is not sent along: a common mistake.
    MissingIntermediate,
    /// For TLS clients only, by its extended key usage.
    ClientOnly,
}

/// The TLS versions that a host speaks. ALPN is `http/1.1`; sessions are never resumed, as a
/// resumed one would hide a change of the certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TlsVersions {
    /// TLS 1.2 and 1.3.
    #[default]
    Both,
    /// TLS 1.2 only.
    Only12,
    /// TLS 1.3 only.
    Only13,
    /// A server stuck at TLS 1.1. It is an imitation: whatever the client offers, the server
    /// answers its `ClientHello` with a `ServerHello` of version 1.1, as such servers do, and goes
    /// no further. A client that accepts TLS 1.1 is left waiting for the certificate.
    Old11,
    /// A server that answers every `ClientHello` with a fatal `protocol_version` alert.
    VersionAlert,
}

impl TlsVersions {
    fn supported(self) -> Vec<&'static SupportedProtocolVersion> {
        match self {
            Self::Only12 => vec![&version::TLS12],
            Self::Only13 => vec![&version::TLS13],
            Self::Both | Self::Old11 | Self::VersionAlert => {
                vec![&version::TLS13, &version::TLS12]
            }
        }
    }

    /// What an imitated server writes instead of a handshake.
    pub(crate) fn imitation(self) -> Option<&'static [u8]> {
        match self {
            // Record: handshake, TLS 1.1, 42 octets. ServerHello of 38: TLS 1.1, random of 32,
            // no session, TLS_RSA_WITH_AES_128_CBC_SHA, no compression (RFC 4346 §7.4.1.3).
            Self::Old11 => Some(
                b"\x16\x03\x02\x00\x2a\x02\x00\x00\x26\x03\x02\
                  lab-imitates-an-old-tls-1.1-host\x00\x00\x2f\x00",
            ),
            // Record: alert, TLS 1.1, 2 octets: fatal, protocol_version (RFC 4346 §7.2).
            Self::VersionAlert => Some(b"\x15\x03\x02\x00\x02\x02\x46"),
            Self::Both | Self::Only12 | Self::Only13 => None,
        }
    }
}

/// A fatal `unrecognized_name` alert (RFC 6066 §3), for hosts that are not there.
pub(crate) const UNRECOGNIZED_NAME: &[u8] = b"\x15\x03\x03\x00\x02\x02\x70";

/// A fatal `internal_error` alert (RFC 8446 §6.2), for a certificate that cannot be made.
pub(crate) const INTERNAL_ERROR: &[u8] = b"\x15\x03\x03\x00\x02\x02\x50";

type Signer = Issuer<'static, KeyPair>;

/// The authorities and the one key pair that all hosts share.
pub(crate) struct Authority {
    root: Signer,
    root_pem: String,
    root_der: CertificateDer<'static>,
    intermediate: Signer,
    intermediate_der: CertificateDer<'static>,
    unknown: Signer,
    host_key: KeyPair,
    ready: Mutex<HashMap<(String, Certificate, TlsVersions), Arc<ServerConfig>>>,
}

impl Authority {
    pub(crate) fn new() -> Result<Self, LabError> {
        let (root_params, root_key) = authority("mta-sts lab root")?;
        let root_certificate = root_params.self_signed(&root_key)?;
        let root = Issuer::new(root_params, root_key);
        let (middle_params, middle_key) = authority("mta-sts lab intermediate")?;
        let intermediate_der = middle_params.signed_by(&middle_key, &root)?.der().clone();
        // With the subject of the lab's own root, clients would report a bad signature instead.
        let (unknown_params, unknown_key) = authority("an authority nobody knows")?;
        Ok(Self {
            root,
            root_pem: root_certificate.pem(),
            root_der: root_certificate.der().clone(),
            intermediate: Issuer::new(middle_params, middle_key),
            intermediate_der,
            unknown: Issuer::new(unknown_params, unknown_key),
            host_key: KeyPair::generate()?,
            ready: Mutex::new(HashMap::new()),
        })
    }

    pub(crate) fn root_pem(&self) -> &str {
        &self.root_pem
    }

    pub(crate) fn root_der(&self) -> &[u8] {
        &self.root_der
    }

    pub(crate) fn config(
        &self,
        host: &str,
        certificate: &Certificate,
        versions: TlsVersions,
    ) -> Result<Arc<ServerConfig>, LabError> {
        let key = (host.to_owned(), certificate.clone(), versions);
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(config) = ready.get(&key) {
            return Ok(Arc::clone(config));
        }
        let chain = self.chain(host, certificate)?;
        let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(self.host_key.serialize_der()));
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&versions.supported())?
            .with_no_client_auth()
            .with_single_cert(chain, private)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        let config = Arc::new(config);
        if ready.len() >= MAX_CACHED {
            ready.clear();
        }
        ready.insert(key, Arc::clone(&config));
        Ok(config)
    }

    fn chain(
        &self,
        host: &str,
        certificate: &Certificate,
    ) -> Result<Vec<CertificateDer<'static>>, LabError> {
        let (label, parent) = host.split_once('.').unwrap_or((host, "test"));
        let names = match certificate {
            Certificate::Wildcard => vec![format!("*.{parent}")],
            Certificate::PartialWildcard => {
                vec![format!("{}*.{parent}", label.get(..3).unwrap_or_default())]
            }
            Certificate::WrongName => vec![format!("www.{parent}")],
            Certificate::Names(names) => names.clone(),
            Certificate::CommonNameOnly | Certificate::IpOnly => Vec::new(),
            _ => vec![host.to_owned()],
        };
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, host);
        for name in names {
            params.subject_alt_names.push(SanType::DnsName(name.try_into()?));
        }
        if *certificate == Certificate::IpOnly {
            params.subject_alt_names.push(SanType::IpAddress(Ipv4Addr::LOCALHOST.into()));
        }
        let (from, to) = match certificate {
            Certificate::Expired => (2020, 2021),
            Certificate::NotYetValid => (2090, 2099),
            _ => (2020, 2099),
        };
        params.not_before = date_time_ymd(from, 1, 1);
        params.not_after = date_time_ymd(to, 1, 1);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![match certificate {
            Certificate::ClientOnly => ExtendedKeyUsagePurpose::ClientAuth,
            _ => ExtendedKeyUsagePurpose::ServerAuth,
        }];
        let key = &self.host_key;
        let leaf = match certificate {
            Certificate::SelfSigned => params.self_signed(key)?,
            Certificate::UnknownAuthority => params.signed_by(key, &self.unknown)?,
            Certificate::Chained | Certificate::MissingIntermediate => {
                params.signed_by(key, &self.intermediate)?
            }
            _ => params.signed_by(key, &self.root)?,
        };
        let mut chain = vec![leaf.der().clone()];
        if *certificate == Certificate::Chained {
            chain.push(self.intermediate_der.clone());
        }
        Ok(chain)
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The keys are nobody's business, even throw-away ones.
        f.debug_struct("Authority").field("root_pem", &self.root_pem).finish_non_exhaustive()
    }
}

fn authority(name: &str) -> Result<(CertificateParams, KeyPair), rcgen::Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2099, 1, 1);
    Ok((params, KeyPair::generate()?))
}
