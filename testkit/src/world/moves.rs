//! What may happen, move by move, and by what chance.

use std::fmt;

use super::random::Random;
use super::sender::Waits;
use super::{HOSTS, Who};
use crate::model::{Mode, Recheck};

/// One thing that happens. Where nobody waits for it, it does not happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// The owner publishes a policy: its mode, `max_age` in seconds, and one of the lists of
    /// patterns.
    Publish(Mode, u64, usize),
    /// The owner takes record and policy away.
    Withdraw,
    /// Time passes, in seconds.
    Pass(u64),
    /// The senders' clock is set back, in seconds.
    SetBack(u64),
    /// A sender begins a lookup; whether the store can be read. After a refused delivery it is that
    /// of the bounce gate.
    Begin(Who, Recheck, bool),
    /// DNS answers a sender.
    Dns(Who, Dns),
    /// The Policy Host, or who poses as it, answers a sender.
    Https(Who, Https),
    /// The store takes what a sender writes, or not.
    Write(Who, Write),
    /// A sender crashes and starts again.
    Crash(Who),
    /// A sender tries to deliver a mail to up to two hosts, in this order.
    Mail(Who, [Option<(usize, Smtp)>; 2]),
    /// The store drops what it may drop.
    Purge,
}

/// What DNS says. The time to live is in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dns {
    /// What the owner publishes.
    Truth(u32),
    /// Nothing: the attacker drops the question or the answer.
    Silence,
    /// Forged: there is no record.
    Absent(u32),
    /// Forged: two records.
    Several(u32),
    /// Forged: a record that breaks the grammar.
    Malformed(u32),
    /// Forged: the id of the owner's publication of this number.
    Id(u8, u32),
}

/// What HTTPS gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Https {
    /// The owner's policy as it is now.
    Truth,
    /// Nothing: the attacker drops or breaks the connection.
    Drop,
    /// The owner's policy, cut short.
    Cut,
    /// A policy of the attacker's, under a certificate for a name of the attacker's.
    Forged,
    /// A status of the owner's own server.
    Status(u16),
}

/// What becomes of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    /// It is written.
    Written,
    /// The store fails and says so.
    Fails,
    /// It is lost where it may be: it was not urgent.
    Lost,
}

/// What a host offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Smtp {
    /// TLS with a certificate of its own name.
    Tls,
    /// TLS with a certificate that is not valid: the attacker sits in between.
    BadCertificate,
    /// TLS with a valid certificate of another name.
    OtherName,
    /// No STARTTLS: the attacker has struck it out.
    NoStarttls,
    /// It cannot be reached.
    Unreachable,
}

const AGES: [u64; 6] = [0, 600, 4_000, 86_400, 604_800, 604_800];
const TIMES: [u64; 10] = [1, 30, 61, 100, 301, 601, 3_601, 86_401, 604_801, 3_000_000];
const TTLS: [u32; 4] = [0, 60, 3_600, u32::MAX];

/// A move that may matter, given what each sender waits for.
pub(super) fn any(random: &mut Random, waits: [Waits; 2]) -> Move {
    let mode = random.pick(&[Mode::Enforce, Mode::Enforce, Mode::Testing, Mode::None]);
    match random.below(24) {
        0 | 1 => Move::Publish(mode, random.pick(&AGES), index(random, 3)),
        2 if random.once_in(4) => Move::Withdraw,
        3..=6 => Move::Pass(random.pick(&TIMES)),
        7 if random.once_in(4) => Move::SetBack(random.pick(&TIMES)),
        8 if random.once_in(2) => Move::Crash(random.pick(&Who::BOTH)),
        9 if random.once_in(4) => Move::Purge,
        _ => {
            let who = random.pick(&Who::BOTH);
            for_sender(random, who, waits[who.index()])
        }
    }
}

fn for_sender(random: &mut Random, who: Who, waits: Waits) -> Move {
    let ttl = random.pick(&TTLS);
    match waits {
        Waits::Idle => {
            let recheck = random.pick(&[
                Recheck::WhenDue,
                Recheck::WhenDue,
                Recheck::Always,
                Recheck::Refresh,
            ]);
            Move::Begin(who, recheck, !random.once_in(8))
        }
        Waits::Dns => {
            let number = u8::try_from(random.below(6)).unwrap_or(0);
            Move::Dns(
                who,
                match random.below(10) {
                    0 => Dns::Silence,
                    1 => Dns::Absent(ttl),
                    2 => Dns::Several(ttl),
                    3 => Dns::Malformed(ttl),
                    4 => Dns::Id(number, ttl),
                    _ => Dns::Truth(ttl),
                },
            )
        }
        Waits::Https => Move::Https(
            who,
            match random.below(8) {
                0 | 1 => Https::Drop,
                2 => Https::Cut,
                3 => Https::Forged,
                4 => Https::Status(random.pick(&[301, 404, 503])),
                _ => Https::Truth,
            },
        ),
        Waits::Store => Move::Write(
            who,
            match random.below(8) {
                0 => Write::Fails,
                1 => Write::Lost,
                _ => Write::Written,
            },
        ),
        Waits::Mail if random.once_in(4) => Move::Begin(who, Recheck::WhenDue, true),
        Waits::Mail => {
            let first = candidate(random);
            let second = if random.once_in(2) { None } else { Some(candidate(random)) };
            Move::Mail(who, [Some(first), second])
        }
    }
}

fn candidate(random: &mut Random) -> (usize, Smtp) {
    let smtp = match random.below(8) {
        0 => Smtp::BadCertificate,
        1 => Smtp::OtherName,
        2 => Smtp::NoStarttls,
        3 => Smtp::Unreachable,
        _ => Smtp::Tls,
    };
    (index(random, HOSTS.len()), smtp)
}

fn index(random: &mut Random, count: usize) -> usize {
    usize::try_from(random.below(u64::try_from(count).unwrap_or(1))).unwrap_or(0)
}

impl fmt::Display for Dns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truth(ttl) => write!(f, "DNS answers as the owner publishes (TTL {ttl} s)"),
            Self::Silence => write!(f, "the attacker drops the answer of DNS"),
            Self::Absent(ttl) => write!(f, "the attacker forges: no record (TTL {ttl} s)"),
            Self::Several(ttl) => write!(f, "the attacker forges two records (TTL {ttl} s)"),
            Self::Malformed(ttl) => write!(f, "the attacker forges a bad record (TTL {ttl} s)"),
            Self::Id(number, ttl) => {
                write!(f, "the attacker forges the id p{number} (TTL {ttl} s)")
            }
        }
    }
}

impl fmt::Display for Https {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truth => write!(f, "the Policy Host serves what the owner publishes"),
            Self::Drop => write!(f, "the attacker drops the connection to the Policy Host"),
            Self::Cut => write!(f, "the attacker cuts the policy short"),
            Self::Forged => {
                write!(f, "the attacker serves a policy of its own, under a certificate of its own")
            }
            Self::Status(code) => write!(f, "the Policy Host answers with status {code}"),
        }
    }
}

impl fmt::Display for Smtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tls => "verified for its name",
            Self::BadCertificate => "with a bad certificate",
            Self::OtherName => "with the certificate of another",
            Self::NoStarttls => "without STARTTLS",
            Self::Unreachable => "unreachable",
        })
    }
}

impl fmt::Display for Move {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Publish(mode, max_age, patterns) => {
                let mx = super::PATTERNS[*patterns].join(", ");
                write!(f, "the owner publishes {mode:?} for {mx}, max_age {max_age} s")
            }
            Self::Withdraw => write!(f, "the owner withdraws record and policy"),
            Self::Pass(secs) => write!(f, "{secs} s pass"),
            Self::SetBack(secs) => write!(f, "the clock is set back by {secs} s"),
            Self::Begin(who, recheck, readable) => {
                let store = if *readable { "reads the store" } else { "cannot read the store" };
                write!(f, "{who} {store} and begins a lookup ({recheck:?})")
            }
            Self::Dns(who, answer) => write!(f, "{who} asked for the record: {answer}"),
            Self::Https(who, answer) => write!(f, "{who} fetches the policy: {answer}"),
            Self::Write(who, write) => write!(
                f,
                "{who} writes what it learnt: {}",
                match write {
                    Write::Written => "written",
                    Write::Fails => "the store fails",
                    Write::Lost => "lost later, unless it was urgent",
                }
            ),
            Self::Crash(who) => write!(f, "{who} crashes and starts again"),
            Self::Mail(who, candidates) => {
                write!(f, "{who} has a mail for")?;
                for (host, smtp) in candidates.iter().flatten() {
                    write!(f, " {} ({smtp})", HOSTS[*host])?;
                }
                Ok(())
            }
            Self::Purge => write!(f, "the store drops what is over"),
        }
    }
}
