//! Conformance cases for MTA-STS (RFC 8461) and TLSRPT (RFC 8460): what is given, and which
//! verdicts hold to the clause. They are JSON; their form is described in the README and by
//! [`SCHEMA`]. The command `mta-sts-lab conformance` asks any program for its verdicts.
//!
//! ```
//! let (name, text) = mta_sts_conformance::FILES[0];
//! assert_eq!(name, "record.json");
//! assert!(text.contains("\"clause\": \"RFC 8461 §3.1\""));
//! ```

/// The files of cases, one for each area: name and text.
pub const FILES: &[(&str, &str)] = &[
    ("record.json", include_str!("../cases/record.json")),
    ("record-set.json", include_str!("../cases/record-set.json")),
    ("policy.json", include_str!("../cases/policy.json")),
    ("match.json", include_str!("../cases/match.json")),
    ("certificate.json", include_str!("../cases/certificate.json")),
    ("http.json", include_str!("../cases/http.json")),
    ("domain.json", include_str!("../cases/domain.json")),
    ("address.json", include_str!("../cases/address.json")),
    ("decision.json", include_str!("../cases/decision.json")),
    ("flow.json", include_str!("../cases/flow.json")),
    ("delivery.json", include_str!("../cases/delivery.json")),
    ("bounce.json", include_str!("../cases/bounce.json")),
    ("tlsrpt-record.json", include_str!("../cases/tlsrpt-record.json")),
    ("report.json", include_str!("../cases/report.json")),
];

/// The JSON Schema (draft 2020-12) of a file of cases.
pub const SCHEMA: &str = include_str!("../schema.json");
