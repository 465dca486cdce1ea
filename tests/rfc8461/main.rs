//! Every rule of RFC 8461 §2 to §5, §8 and §10 that binds a sender and that the core can keep, each
//! in a test named by its section; and the life cycles of the conformance vectors, written out.
//!
//! What only a driver can keep is listed in the crate's documentation: to follow CNAMEs (§3.1), to
//! verify chains and names (§3.3, §4.2), SNI and TLS versions (§7).

mod delivery;
mod discovery;
mod flows;
mod policy;

use mta_sts::{Held, Lookup, Mode, Outcome, PolicyDomain, Recheck, UnixTime};
use mta_sts_testkit::script::{self, HttpsAnswer, Run, TxtAnswer};

const DAY: u64 = 86_400;
const WEEK: u64 = 7 * DAY;
const NOW: u64 = 1_800_000_000;

fn domain() -> PolicyDomain {
    PolicyDomain::parse("example.com").unwrap()
}

fn at(secs: u64) -> UnixTime {
    UnixTime::from_secs(secs)
}

/// A record with this id and a short life.
fn id(id: &str) -> TxtAnswer {
    TxtAnswer::id(id, 60)
}

fn records(records: &[&[&str]]) -> TxtAnswer {
    let octets = |strings: &&[&str]| strings.iter().map(|s| s.as_bytes().to_vec()).collect();
    TxtAnswer::Records(records.iter().map(octets).collect(), 60)
}

/// A response with a policy for `mx.example.com`; `max_age` in seconds.
fn serves(mode: Mode, max_age: u64) -> HttpsAnswer {
    HttpsAnswer::policy(&script::policy_text(mode.as_str(), max_age))
}

fn fails() -> HttpsAnswer {
    HttpsAnswer::Failed(mta_sts::FetchFailure::Connection)
}

/// A lookup for a delivery, `held` being what is held.
fn look(held: Held, txt: &TxtAnswer, https: &HttpsAnswer, now: u64) -> Run {
    look_for(Recheck::WhenDue, held, txt, https, now)
}

fn look_for(recheck: Recheck, held: Held, txt: &TxtAnswer, https: &HttpsAnswer, now: u64) -> Run {
    script::run(Lookup::new(domain(), held).recheck(recheck), txt, https, true, at(now))
}

/// A store that holds a policy of this mode for a week, fetched at [`NOW`] under the id `1`.
fn holding(mode: Mode) -> Held {
    keep(look(Held::Nothing, &id("1"), &serves(mode, WEEK), NOW).outcome)
}

fn keep(outcome: Outcome) -> Held {
    Held::Entry(outcome.into_entry())
}

/// The mode that applies.
fn mode(run: &Run) -> Option<Mode> {
    run.outcome.policy().map(|held| held.policy().mode())
}

fn code(run: &Run) -> Option<&'static str> {
    run.outcome.problem().map(mta_sts::Problem::code)
}
