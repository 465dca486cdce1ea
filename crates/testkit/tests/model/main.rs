//! The reference model: against the decision table, row by row and as a whole, and in scenarios.

mod flows;
mod memory;
mod table;

use mta_sts_testkit::model::{Https, Mode, Policy, Recheck, Sender, Txt, Verdict, World};

/// Some time in 2001.
pub const NOW: u64 = 1_000_000_000;
/// A day in seconds.
pub const DAY: u64 = 86_400;

/// A sender that holds a policy for a week, fetched at [`NOW`].
pub fn holding(mode: Mode, id: &str) -> Sender {
    Sender {
        policy: Some(Policy {
            mode,
            text: format!("{mode:?} of {id}"),
            id: id.to_owned(),
            fetched_at: NOW,
            max_age: 7 * DAY,
            counted: None,
        }),
        generation: 1,
        ..Sender::default()
    }
}

/// A record with this id and a short life.
pub fn id(id: &str) -> Txt {
    Txt::Id(id.to_owned(), 60)
}

/// A valid policy for a week.
pub fn serves(mode: Mode, text: &str) -> Https {
    Https::Policy { mode, text: text.to_owned(), max_age: 7 * DAY }
}

/// A world whose store works.
pub fn world(txt: Txt, https: Https) -> World {
    World { txt, https, readable: true, writable: true }
}

/// A lookup with a working store and nothing refused.
pub fn look(sender: &mut Sender, now: u64, recheck: Recheck, txt: Txt, https: Https) -> Verdict {
    sender.lookup(now, recheck, &world(txt, https), None)
}

/// The mode of the policy that a lookup gives.
pub fn mode(verdict: &Verdict) -> Option<Mode> {
    verdict.policy.as_ref().map(|policy| policy.mode)
}
