//! The policy text (RFC 8461 §3.2).

use mta_sts::{DnsName, Policy, PolicyError, PolicyRef, Profile};

use crate::oracle;

/// A policy text: against the oracle by both profiles; what the strict one takes the tolerant one
/// takes alike; what is printed reads as the same policy.
///
/// # Panics
/// Where the core disagrees with the oracle or with itself.
pub fn policy(data: &[u8]) {
    let strict = PolicyRef::parse(data, Profile::Strict);
    let tolerant = PolicyRef::parse(data, Profile::Tolerant);
    assert_eq!(verdict(&strict), oracle::policy(data, oracle::Profile::Strict));
    assert_eq!(verdict(&tolerant), oracle::policy(data, oracle::Profile::Tolerant));
    if let Ok(strict) = &strict {
        let same = tolerant.as_ref().expect("what the strict profile takes the tolerant one takes");
        assert_eq!((same.mode(), same.max_age()), (strict.mode(), strict.max_age()));
        assert!(same.mx().eq(strict.mx()));
        assert_eq!(same.tolerances().count(), 0, "nothing had to be tolerated");
    }
    let Ok(policy) = tolerant.map(Policy::from) else { return };
    assert!(strict.is_ok() || policy.as_policy_ref().tolerances().next().is_some());
    let printed = policy.to_string();
    // Underscores are kept in print, and the printed form of a policy near the limit may be longer.
    if let Ok(again) = Policy::parse(printed.as_bytes(), Profile::Tolerant) {
        assert_eq!(again.to_string(), printed);
        assert!(again.mx().eq(policy.mx()));
    } else {
        assert!(printed.len() > mta_sts::MAX_POLICY_OCTETS, "{printed}");
    }
    for pattern in policy.mx() {
        let host = pattern.as_str().replacen('*', "x", 1);
        if let Ok(host) = DnsName::parse(&host) {
            assert!(pattern.matches(&host) && policy.matches(&host));
            assert!(oracle::matches(pattern.as_str(), host.as_str()));
        }
    }
}

fn verdict(policy: &Result<PolicyRef<'_>, PolicyError>) -> Result<oracle::Parsed, &'static str> {
    policy.as_ref().map_err(PolicyError::code).map(|policy| oracle::Parsed {
        mode: policy.mode().to_string(),
        max_age: policy.max_age().as_secs().into(),
        mx: policy.mx().map(|p| p.as_str().to_owned()).collect(),
    })
}
