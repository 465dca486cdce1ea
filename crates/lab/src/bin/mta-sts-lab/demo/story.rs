//! The steps of the story: what happens in the world, and how a delivery should then find it.

use std::ops::RangeInclusive;

use mta_sts::{Mode, Outcome, Problem, Status, UnixTime};
use mta_sts_lab::{Certificate, DnsAnswer, Domain, Fate, Rcode, RecordType};
use mta_sts_terminal::words;

use super::world::{Asked, World};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// One step.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) name: &'static str,
    /// What happens before the delivery.
    pub(super) world: &'static str,
    /// How much time passes first, in seconds.
    after: u64,
    change: fn(&World),
    expected: Expected,
}

/// How a step should come out. What is shown is what did.
#[derive(Debug)]
struct Expected {
    status: Status,
    /// The mode of the policy in force, and its id.
    policy: Option<(Mode, &'static str)>,
    /// The code of the problem.
    problem: Option<&'static str>,
    /// Questions for TXT: a resolver may ask again where it got an error.
    txt: RangeInclusive<usize>,
    https: usize,
}

/// A step as it came out.
pub(super) struct Told {
    pub(super) step: &'static Step,
    pub(super) outcome: Outcome,
    pub(super) asked: Asked,
    pub(super) now: UnixTime,
    /// In what it is other than expected.
    pub(super) fault: Option<String>,
}

/// Lets the step happen, then asks as for a delivery.
pub(super) async fn tell(step: &'static Step, world: &World) -> Told {
    world.pass(step.after);
    (step.change)(world);
    let (outcome, asked) = world.watch(world.client.policy_for(&world.domain)).await;
    let fault = step.expected.fault(&outcome, asked);
    Told { step, outcome, asked, now: world.now(), fault }
}

impl Told {
    /// The decision in words.
    pub(super) fn decision(&self) -> String {
        words::decision(&self.outcome, self.asked != Asked::default(), self.now)
    }
}

impl Expected {
    fn fault(&self, outcome: &Outcome, asked: Asked) -> Option<String> {
        let policy = outcome.policy().map(|held| (held.policy().mode(), held.id().to_string()));
        let expected = self.policy.map(|(mode, id)| (mode, id.to_owned()));
        let problem = outcome.problem().map(Problem::code);
        if outcome.status() != self.status {
            return Some(format!("expected {}, found {}", self.status, outcome.status()));
        }
        if policy != expected {
            let said = |policy: Option<(Mode, String)>| match policy {
                Some((mode, id)) => format!("a policy {mode} of id {id}"),
                None => "no policy".to_owned(),
            };
            return Some(format!("expected {}, found {}", said(expected), said(policy)));
        }
        if problem != self.problem {
            let said = |problem: Option<&'static str>| problem.unwrap_or("none");
            let (expected, found) = (said(self.problem), said(problem));
            return Some(format!("expected the problem {expected}, found {found}"));
        }
        if !self.txt.contains(&asked.txt) || asked.https != self.https {
            let (txt, https) = (&self.txt, self.https);
            let found = (asked.txt, asked.https);
            return Some(format!("expected {txt:?} TXT and {https} HTTPS, found {found:?}"));
        }
        None
    }
}

/// The domain as its owner first publishes it.
fn owner(world: &World, id: &str) -> Domain {
    let domain = world.domain.as_str();
    world.lab.domain(domain).id(id).mode("enforce").mx([format!("mx1.{domain}")]).ttl(300)
}

/// As the owner publishes it after the change.
fn moved(world: &World, id: &str) -> Domain {
    let hosts = ["mx1", "mx2"].map(|host| format!("{host}.{}", world.domain));
    owner(world, id).mx(hosts).max_age(14 * DAY)
}

/// The policy with which an attacker would switch the protection off.
const FORGED: &str = "version: STSv1\r\nmode: none\r\nmax_age: 86400\r\n";

pub(super) const STEPS: &[Step] = &[
    Step {
        name: "first contact",
        world: "the domain publishes a record and a policy, to be held for a week",
        after: 0,
        change: |world| owner(world, "1").publish(),
        expected: Expected {
            status: Status::Found,
            policy: Some((Mode::Enforce, "1")),
            problem: None,
            txt: 1..=1,
            https: 1,
        },
    },
    Step {
        name: "held, no I/O",
        world: "10 seconds later: what DNS said is still within its TTL",
        after: 10,
        change: |_| {},
        expected: Expected {
            status: Status::Confirmed,
            policy: Some((Mode::Enforce, "1")),
            problem: None,
            txt: 0..=0,
            https: 0,
        },
    },
    Step {
        name: "id confirmed",
        world: "an hour later: the TTL is over, the id is the same",
        after: HOUR,
        change: |_| {},
        expected: Expected {
            status: Status::Confirmed,
            policy: Some((Mode::Enforce, "1")),
            problem: None,
            txt: 1..=1,
            https: 0,
        },
    },
    Step {
        name: "id changed, policy replaced",
        world: "a day later: a second MX host, two weeks of max_age, a new id",
        after: DAY,
        change: |world| moved(world, "2").publish(),
        expected: Expected {
            status: Status::Found,
            policy: Some((Mode::Enforce, "2")),
            problem: None,
            txt: 1..=1,
            https: 1,
        },
    },
    Step {
        name: "policy host down, held",
        world: "an hour later: a new id, but the policy host resets every connection",
        after: HOUR,
        change: |world| {
            moved(world, "3").publish();
            world.lab.https().fail_on_accept(Some(Fate::Reset));
        },
        expected: Expected {
            status: Status::Held,
            policy: Some((Mode::Enforce, "2")),
            problem: Some("policy-fetch"),
            txt: 1..=1,
            https: 1,
        },
    },
    Step {
        name: "back-off",
        world: "a minute later: the same id, too soon for another fetch",
        after: MINUTE,
        change: |_| {},
        expected: Expected {
            status: Status::Held,
            policy: Some((Mode::Enforce, "2")),
            problem: Some("backing-off"),
            txt: 1..=1,
            https: 0,
        },
    },
    Step {
        name: "DNS down, held",
        world: "an hour later: the domain's name servers are gone, the resolver says SERVFAIL",
        after: HOUR,
        change: |world| {
            let gone = DnsAnswer::rcode(Rcode::SERVFAIL).extended_error(22, "");
            set_record(world, gone);
        },
        expected: Expected {
            status: Status::Held,
            policy: Some((Mode::Enforce, "2")),
            problem: Some("no-answer"),
            txt: 1..=4,
            https: 0,
        },
    },
    Step {
        name: "DNS forged empty, held",
        world: "10 minutes later: an attacker answers that there is no record, for a week",
        after: 10 * MINUTE,
        change: |world| set_record(world, DnsAnswer::nxdomain(604_800)),
        expected: Expected {
            status: Status::Held,
            policy: Some((Mode::Enforce, "2")),
            problem: Some("record-absent"),
            txt: 1..=1,
            https: 0,
        },
    },
    Step {
        name: "wrong certificate, held",
        world: "2 hours later: the attacker announces a policy `none`, under another's certificate",
        after: 2 * HOUR,
        change: |world| {
            let forged = moved(world, "4").policy(FORGED).certificate(Certificate::WrongName);
            forged.publish();
            world.lab.https().fail_on_accept(None);
        },
        expected: Expected {
            status: Status::Held,
            policy: Some((Mode::Enforce, "2")),
            problem: Some("policy-certificate"),
            txt: 1..=1,
            https: 1,
        },
    },
    Step {
        name: "expired, not revived",
        world: "15 days later: max_age is over; the old id is back, the policy host is down",
        after: 15 * DAY,
        change: |world| {
            moved(world, "2").publish();
            world.lab.https().fail_on_accept(Some(Fate::Reset));
        },
        expected: Expected {
            status: Status::Absent,
            policy: None,
            problem: Some("policy-fetch"),
            txt: 1..=1,
            https: 1,
        },
    },
    Step {
        name: "none",
        world: "a day later: the owner is back, and gives MTA-STS up: mode `none`, a new id",
        after: DAY,
        change: |world| {
            let none = "version: STSv1\r\nmode: none\r\nmax_age: 86400\r\n";
            moved(world, "5").policy(none).publish();
            world.lab.https().fail_on_accept(None);
        },
        expected: Expected {
            status: Status::Found,
            policy: Some((Mode::None, "5")),
            problem: None,
            txt: 1..=1,
            https: 1,
        },
    },
];

fn set_record(world: &World, answer: DnsAnswer) {
    let name = owner(world, "1").record_name();
    world.lab.dns().set(&name, RecordType::Txt, answer);
}
