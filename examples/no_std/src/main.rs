//! One lookup, driven on bare metal: no std, no libc, a heap that only grows.
//!
//! The process ends with status 0 if the lookup found what it should, 1 if it did not, 2 if the
//! program panicked.

#![no_std]
#![no_main]

extern crate alloc;

mod metal;

use mta_sts::lookup::{AfterHead, AfterTxt, Head, Start};
use mta_sts::{Held, Lookup, Mode, PolicyDomain, PolicyHostVerified, Status, UnixTime};

/// The policy that the made-up Policy Host serves.
const POLICY: &[u8] =
    b"version: STSv1\r\nmode: enforce\r\nmx: *.example.net\r\nmax_age: 604800\r\n";

/// Drives the lookup. Returns `None` if it did not find the policy.
fn lookup() -> Option<()> {
    let now = UnixTime::from_secs(1_800_000_000);
    let domain = PolicyDomain::parse("münchen.example").ok()?;
    let Start::QueryTxt(query) = Lookup::new(domain, Held::Nothing).start(now) else {
        return None;
    };
    let AfterTxt::FetchPolicy(fetch) = query.answered([["v=STSv1; id=", "7;"]], 300, now) else {
        return None;
    };
    let verified = PolicyHostVerified::assertion(fetch.host());
    let content_type = Some(&b"text/plain"[..]);
    let head = Head { status: 200, content_type, content_encoding: None };
    let AfterHead::ReadBody(mut body) = fetch.responded(verified, head, now) else { return None };
    // One byte at a time, as a slow network would.
    if POLICY.iter().any(|byte| body.chunk(&[*byte]).is_break()) {
        return None;
    }
    let store = body.ended(now);
    let merged = store.entry().clone();
    let outcome = store.stored(merged);
    let bytes = outcome.entry().to_bytes();
    let entry = mta_sts::Entry::from_bytes(outcome.domain(), &bytes).ok()?;
    let held = entry.policy(now)?;
    let found = outcome.status() == Status::Found
        && outcome.domain().as_str() == "xn--mnchen-3ya.example"
        && held.mode() == Mode::Enforce
        && held.id().as_str() == "7";
    found.then_some(())
}

/// What the entry point calls; the status of the process.
extern "C" fn run() -> i32 {
    if lookup().is_some() { 0 } else { 1 }
}
