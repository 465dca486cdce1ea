//! Failures of TLS other than those of a certificate, at a Policy Host and at an MX alike.

use alloc::borrow::Cow;
use alloc::format;
use core::fmt;

use thiserror::Error;

/// A failure of a TLS handshake for a reason other than the certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[non_exhaustive]
pub enum TlsFailure {
    /// The other side ended the handshake with an alert.
    #[error("the other side sent the alert {0}")]
    Alert(TlsAlert),
    /// The other side answered with something that is not TLS.
    #[error("the other side does not speak TLS")]
    NotTls,
    /// The handshake did not end in time.
    #[error("the handshake did not end in time")]
    Timeout,
    /// The connection ended within the handshake.
    #[error("the connection ended within the handshake")]
    Closed,
    /// Another reason.
    #[error("the handshake failed")]
    Other,
}

impl TlsFailure {
    /// The failure reason code for a report (RFC 8460 §4.3), such as
    /// `tls-alert-protocol-version`, `tls-not-spoken`, `tls-timeout`, `tls-closed` or
    /// `tls-handshake-failed`.
    pub fn reason_code(self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Alert(alert) => {
                return Cow::Owned(match alert.name() {
                    Some(name) => format!("tls-alert-{name}"),
                    None => format!("tls-alert-{}", alert.0),
                });
            }
            Self::NotTls => "tls-not-spoken",
            Self::Timeout => "tls-timeout",
            Self::Closed => "tls-closed",
            Self::Other => "tls-handshake-failed",
        })
    }
}

/// The description of a TLS alert (RFC 8446 §6), by its number.
///
/// ```
/// use mta_sts::TlsAlert;
///
/// assert_eq!(TlsAlert(70).name(), Some("protocol-version"));
/// assert_eq!(TlsAlert(70).to_string(), "protocol-version");
/// assert_eq!(TlsAlert(1).to_string(), "1");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct TlsAlert(pub u8);

impl TlsAlert {
    /// The registered name, in lower case with hyphens; `None` for an unassigned number.
    pub const fn name(self) -> Option<&'static str> {
        // The registry "TLS Alerts", with those that are reserved for older versions.
        Some(match self.0 {
            0 => "close-notify",
            10 => "unexpected-message",
            20 => "bad-record-mac",
            21 => "decryption-failed",
            22 => "record-overflow",
            30 => "decompression-failure",
            40 => "handshake-failure",
            41 => "no-certificate",
            42 => "bad-certificate",
            43 => "unsupported-certificate",
            44 => "certificate-revoked",
            45 => "certificate-expired",
            46 => "certificate-unknown",
            47 => "illegal-parameter",
            48 => "unknown-ca",
            49 => "access-denied",
            50 => "decode-error",
            51 => "decrypt-error",
            52 => "too-many-cids-requested",
            60 => "export-restriction",
            70 => "protocol-version",
            71 => "insufficient-security",
            80 => "internal-error",
            86 => "inappropriate-fallback",
            90 => "user-canceled",
            100 => "no-renegotiation",
            109 => "missing-extension",
            110 => "unsupported-extension",
            111 => "certificate-unobtainable",
            112 => "unrecognized-name",
            113 => "bad-certificate-status-response",
            114 => "bad-certificate-hash-value",
            115 => "unknown-psk-identity",
            116 => "certificate-required",
            117 => "general-error",
            120 => "no-application-protocol",
            121 => "ech-required",
            _ => return None,
        })
    }
}

impl fmt::Display for TlsAlert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => self.0.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;

    #[test]
    fn alert_names_are_distinct_and_can_stand_in_a_reason_code() {
        let names: BTreeSet<_> = (0..=u8::MAX).filter_map(|code| TlsAlert(code).name()).collect();
        assert_eq!(names.len(), 37);
        assert!(names.iter().all(|name| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')));
        let code = |alert| TlsFailure::Alert(TlsAlert(alert)).reason_code();
        assert_eq!(code(40), "tls-alert-handshake-failure");
        assert_eq!(code(255), "tls-alert-255");
    }
}
