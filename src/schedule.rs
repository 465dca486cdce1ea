//! When to refresh which policy (RFC 8461 §3.3, §10.2).
