//! Records, policies and what they match.

use std::hint::black_box;

use mail_auth::common::parse::TxtRecordParser;
use mail_auth::mta_sts::MtaSts;
use mta_sts::{DnsName, Policy, PolicyRef, Profile, Record};

use crate::Anything;
use crate::makings::{policy, policy_at};
use crate::measure::{alone, compare};
use crate::reading::{Goal, Reading};

pub(crate) fn readings() -> Result<Vec<Reading>, Anything> {
    let mut readings = vec![record()];
    for mx in [4, 100] {
        readings.extend(parsing(mx));
    }
    readings.push(flatness());
    for mx in [4, 100, 5_000] {
        readings.extend(matching(mx)?);
    }
    readings.push(growth()?);
    Ok(readings)
}

fn record() -> Reading {
    let text = b"v=STSv1; id=20160831085700Z;";
    compare(
        "TXT record",
        0.5,
        || Record::parse(black_box(text)),
        "mail-auth",
        || MtaSts::parse(black_box(text)),
    )
}

fn parsing(mx: usize) -> [Reading; 2] {
    let text = policy(mx);
    let peer = || mailrs_mta_sts::Policy::parse(black_box(&text));
    let bytes = text.as_bytes();
    [
        compare(
            format!("policy of {mx} mx, borrowed"),
            1.0 / 4.0,
            || PolicyRef::parse(black_box(bytes), Profile::Tolerant),
            "mailrs",
            peer,
        ),
        compare(
            format!("policy of {mx} mx, owned"),
            1.0 / 3.0,
            || Policy::parse(black_box(bytes), Profile::Tolerant),
            "mailrs",
            peer,
        ),
    ]
}

/// The time of an octet in a policy as long as may be, to that in one of 8 KiB: one much shorter is
/// known by heart to the processor's branch prediction after a few rounds.
fn flatness() -> Reading {
    let octet = |mx| {
        let text = policy_at("example.com", mx);
        let time = alone(|| PolicyRef::parse(black_box(text.as_bytes()), Profile::Tolerant));
        time / text.len() as f64
    };
    let what = "an octet of a policy, borrowed, 64 KiB to 8 KiB";
    let long = octet(2_900);
    Reading::new(what, long, "ns", Goal::AtMost(1.1)).against("8 KiB", octet(400), None)
}

fn matching(mx: usize) -> Result<Vec<Reading>, Anything> {
    let text = policy(mx);
    let ours = Policy::parse(text.as_bytes(), Profile::Tolerant)?;
    let theirs = mailrs_mta_sts::Policy::parse(&text)?;
    // The last exact pattern; and one as long that is none of them.
    let domain = if mx > 1_000 { "a" } else { "example.com" };
    let [hit, miss] = [format!("M{}.{domain}", mx - 1), format!("Q{}.{domain}", mx - 1)];
    let mut readings = Vec::new();
    for (what, host) in [("hit", hit), ("miss", miss)] {
        let name = DnsName::parse(&host)?;
        assert_eq!(ours.matches(&name), what == "hit");
        readings.push(compare(
            format!("match, {mx} mx, {what}"),
            1.0 / 20.0,
            || black_box(&ours).matches(black_box(&name)),
            "mailrs",
            || mailrs_mta_sts::enforce(black_box(&theirs), black_box(&host)),
        ));
    }
    Ok(readings)
}

/// The time of a pattern among 5,000, to that of one among 100.
fn growth() -> Result<Reading, Anything> {
    let miss = DnsName::parse("mx.elsewhere.example.com")?;
    let pattern = |mx: usize| -> Result<f64, Anything> {
        let policy = Policy::parse(policy(mx).as_bytes(), Profile::Tolerant)?;
        Ok(alone(|| black_box(&policy).matches(black_box(&miss))) / mx as f64)
    };
    let reading =
        Reading::new("a pattern of 5,000 to one of 100", pattern(5_000)?, "ns", Goal::AtMost(1.1));
    Ok(reading.against("of 100", pattern(100)?, None))
}
