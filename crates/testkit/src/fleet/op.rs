//! The operations of a trace: one enum, which random traces and the fuzz target share.

use std::fmt;

use arbitrary::{Arbitrary, Result, Unstructured};

use super::HOSTS;
use super::clock::Setting;
use super::random::{below, pick};
use crate::model::{Mode, Recheck};

/// The shape of a fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setup {
    /// The number of senders, 1 to 4.
    pub senders: usize,
    /// All senders share one store; otherwise each has its own.
    pub is_shared: bool,
    /// The lookups that one sender may have in progress at once, 1 to 3.
    pub overlapping: usize,
    /// The drivers write a spent budget before the fetch begins.
    pub writes_ahead: bool,
    /// The error of each clock at the start, in seconds.
    pub skews: [i64; 4],
    /// The drift of each clock, in parts in a million.
    pub drifts: [i64; 4],
}

/// The store as a lookup reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// It works.
    Works,
    /// It fails, and the driver kept nothing beside it.
    Fails,
    /// It fails, and the driver brings the entry of its last outcome.
    Notes,
}

/// One operation. Senders are named by a number, modulo the number of senders. Lookups of a sender
/// are named by a number, modulo the number of lookups in progress. An operation without an object
/// has no effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// The owner publishes a policy: its mode, its `max_age` in seconds, and a list of patterns.
    Publish(Mode, u64, u8),
    /// The owner takes record and policy away.
    Withdraw,
    /// Time passes, in seconds. Drivers enforce the deadlines of their lookups.
    Pass(u64),
    /// The clock of a sender is set.
    Clock(u8, Setting),
    /// A sender starts a lookup.
    Ask(u8, Recheck, Read),
    /// A sender starts the lookup of the bounce gate of its refused delivery.
    Gate(u8, Read),
    /// The question, fetch or write of one lookup is answered.
    Reply(u8, u8, Reply),
    /// A driver drops a lookup without a reply.
    Drop(u8, u8),
    /// A driver gives up a lookup, as its contract says: `Abandoned`.
    Abandon(u8, u8),
    /// A sender tries to deliver a mail under its last outcome.
    Mail(u8, [Option<(u8, Smtp)>; 2], Care),
    /// A sender asks its gate for permission.
    Permit(u8, Which),
    /// A sender crashes and starts again.
    Crash(u8),
    /// The store of a sender drops its entry if it may, by the clock of the sender.
    Purge(u8),
}

/// The answers for one lookup: the one that it waits for counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reply {
    /// The answer of DNS.
    pub dns: Dns,
    /// The answer of the Policy Host.
    pub https: Https,
    /// The answer of the store.
    pub write: Write,
}

/// The answer of DNS. The time to live is in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dns {
    /// The record that the owner publishes.
    Truth(u32),
    /// No answer: the attacker drops it.
    Silence,
    /// Forged: there is no record.
    Absent(u32),
    /// Forged: two records.
    Several(u32),
    /// Forged: a record that breaks the grammar.
    Malformed(u32),
    /// Forged, or old: the id of the owner's publication of this number.
    Id(u8, u32),
    /// Forged: an id that the owner never published.
    Invented(u8),
}

/// The answer of HTTPS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Https {
    /// The owner's policy as it was when the fetch was handed out.
    Truth,
    /// The owner's policy as it is when the fetch ends.
    Latest,
    /// No answer: the attacker drops or breaks the connection.
    Drop,
    /// The owner's policy, cut short.
    Cut,
    /// A policy of the attacker's, under a certificate for a name of the attacker's.
    Forged,
    /// A status of the owner's own server.
    Status(u16),
}

/// The answer of the store to a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    /// It is merged.
    Written,
    /// The store fails and says so.
    Fails,
    /// A lazy write is lost after the reply.
    Lost,
    /// A driver's mistake: the merged entry that it hands back is that of a neighbour domain.
    OtherDomain,
}

/// The state of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Smtp {
    /// TLS with a certificate of its own name.
    Tls,
    /// TLS with a certificate that is not valid: the attacker sits in between.
    BadCertificate,
    /// TLS with a valid certificate of another name.
    OtherName,
    /// No STARTTLS: the attacker has removed it.
    NoStarttls,
    /// It cannot be reached.
    Unreachable,
}

/// The care that a driver takes of its attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Care {
    /// Each attempt is judged.
    Judges,
    /// A driver drops the attempts, as a timeout around the session does.
    Drops,
    /// A driver judges the attempts on another delivery.
    Misjudges,
}

/// The outcome that a driver shows to a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// That of the gate's own lookup.
    Own,
    /// That of the sender's last delivery lookup.
    Other,
}

impl<'a> Arbitrary<'a> for Setup {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let mut skews = [0; 4];
        let mut drifts = [0; 4];
        for number in 0..4 {
            skews[number] = pick(u, &[0, 1, -1, 30, -30, 60, -60])?;
            drifts[number] = pick(u, &[0, 1, -1, 50, -50, 200, -200])?;
        }
        Ok(Self {
            senders: usize::from(below(u, 4)?) + 1,
            is_shared: below(u, 4)? > 0,
            overlapping: usize::from(pick(u, &[1_u8, 1, 2, 3])?),
            writes_ahead: below(u, 2)? == 0,
            skews,
            drifts,
        })
    }
}

const AGES: [u64; 8] = [0, 600, 4_000, 86_400, 86_400, 604_800, 604_800, 31_557_600];
const TIMES: [u64; 14] = [1, 1, 5, 5, 19, 30, 61, 100, 301, 301, 1_201, 3_601, 86_401, 604_801];
const TTLS: [u32; 4] = [0, 60, 3_600, u32::MAX];

/// Returns the operations that the bytes stand for, at most `most`. One in eight is the start of a
/// series that leads somewhere: to a refused mail and its gate, or to two overlapping lookups.
pub(super) fn trace(u: &mut Unstructured<'_>, most: usize) -> Vec<Op> {
    let mut ops = Vec::new();
    while !u.is_empty() && ops.len() < most {
        let more = match below(u, 24) {
            Ok(0 | 1) => refusal(u),
            Ok(2) => overlap(u),
            _ => Op::arbitrary(u).map(|op| vec![op]),
        };
        let Ok(more) = more else { break };
        ops.extend(more);
    }
    ops.truncate(most);
    ops
}

const TRUTH: Reply = Reply { dns: Dns::Truth(60), https: Https::Truth, write: Write::Written };

/// A mail is refused, and its gate asks DNS.
fn refusal(u: &mut Unstructured<'_>) -> Result<Vec<Op>> {
    let (who, slot): (u8, u8) = (u.arbitrary()?, u.arbitrary()?);
    let mut ops = vec![];
    if below(u, 2)? == 0 {
        ops.push(Op::Publish(Mode::Enforce, pick(u, &[4_000, 604_800])?, who % 3));
    }
    ops.push(Op::Ask(who, Recheck::Always, Read::Works));
    ops.extend([Op::Reply(who, slot, TRUTH); 4]);
    let care = pick(u, &[Care::Judges, Care::Judges, Care::Drops, Care::Misjudges])?;
    ops.push(Op::Mail(who, [Some((below(u, 3)?, Smtp::NoStarttls)), None], care));
    ops.push(Op::Gate(who, read(u)?));
    for _ in 0..below(u, 6)? {
        ops.push(Op::arbitrary(u)?);
    }
    ops.push(Op::Reply(who, slot, if below(u, 2)? == 0 { u.arbitrary()? } else { TRUTH }));
    ops.push(Op::Reply(who, slot, u.arbitrary()?));
    if below(u, 2)? == 0 {
        ops.push(Op::arbitrary(u)?);
    }
    ops.push(Op::Reply(who, slot, TRUTH));
    ops.push(Op::Permit(who, pick(u, &[Which::Own, Which::Own, Which::Own, Which::Other])?));
    Ok(ops)
}

/// Two lookups overlap, and the owner publishes in between.
fn overlap(u: &mut Unstructured<'_>) -> Result<Vec<Op>> {
    let (first, second): (u8, u8) = (u.arbitrary()?, u.arbitrary()?);
    let mode = pick(u, &[Mode::Enforce, Mode::Testing])?;
    let mut ops = vec![
        Op::Ask(first, recheck(u)?, read(u)?),
        Op::Reply(first, 0, TRUTH),
        Op::Publish(mode, pick(u, &AGES)?, second % 3),
        Op::Ask(second, recheck(u)?, read(u)?),
    ];
    for _ in 0..8 {
        let who = pick(u, &[first, second])?;
        ops.push(Op::Reply(who, u.arbitrary()?, u.arbitrary()?));
    }
    Ok(ops)
}

impl<'a> Arbitrary<'a> for Op {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let kind = below(u, 64)?;
        let (who, slot): (u8, u8) = (u.arbitrary()?, u.arbitrary()?);
        Ok(match kind {
            0..=3 => {
                let mode = pick(u, &[Mode::Enforce, Mode::Enforce, Mode::Testing, Mode::None])?;
                Self::Publish(mode, pick(u, &AGES)?, who % 3)
            }
            4 => Self::Withdraw,
            5..=12 => Self::Pass(pick(u, &TIMES)?),
            // Most traces have right clocks throughout.
            13 if slot < 100 => Self::Clock(who, u.arbitrary()?),
            13 => Self::Pass(3_000_000),
            14..=24 => Self::Ask(who, recheck(u)?, read(u)?),
            25..=28 => Self::Gate(who, read(u)?),
            29..=50 => Self::Reply(who, slot, u.arbitrary()?),
            51 => Self::Drop(who, slot),
            52 => Self::Abandon(who, slot),
            53..=58 => {
                let first = Some((below(u, 4)?, smtp(u)?));
                let second = if slot < 128 { None } else { Some((slot % 4, smtp(u)?)) };
                let care = pick(
                    u,
                    &[Care::Judges, Care::Judges, Care::Judges, Care::Drops, Care::Misjudges],
                )?;
                Self::Mail(who, [first, second], care)
            }
            59..=61 => {
                Self::Permit(who, pick(u, &[Which::Own, Which::Own, Which::Own, Which::Other])?)
            }
            62 => Self::Crash(who),
            _ => Self::Purge(who),
        })
    }
}

fn recheck(u: &mut Unstructured<'_>) -> Result<Recheck> {
    pick(u, &[Recheck::WhenDue, Recheck::WhenDue, Recheck::Always, Recheck::Refresh])
}

fn read(u: &mut Unstructured<'_>) -> Result<Read> {
    Ok(match below(u, 16)? {
        0 => Read::Fails,
        1 | 2 => Read::Notes,
        _ => Read::Works,
    })
}

fn smtp(u: &mut Unstructured<'_>) -> Result<Smtp> {
    Ok(match below(u, 8)? {
        0 => Smtp::BadCertificate,
        1 => Smtp::OtherName,
        2 => Smtp::NoStarttls,
        3 => Smtp::Unreachable,
        _ => Smtp::Tls,
    })
}

impl<'a> Arbitrary<'a> for Reply {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let ttl = pick(u, &TTLS)?;
        let dns = match below(u, 16)? {
            0 | 1 => Dns::Silence,
            2 => Dns::Absent(ttl),
            3 => Dns::Several(ttl),
            4 => Dns::Malformed(ttl),
            5 => Dns::Id(below(u, 4)?, ttl),
            6 => Dns::Invented(below(u, 8)?),
            _ => Dns::Truth(ttl),
        };
        let https = match below(u, 12)? {
            0 | 1 => Https::Drop,
            2 => Https::Cut,
            3 => Https::Forged,
            4 => Https::Status(pick(u, &[301, 404, 503])?),
            5 => Https::Latest,
            _ => Https::Truth,
        };
        let write = match below(u, 16)? {
            0 => Write::Fails,
            1 => Write::Lost,
            2 => Write::OtherDomain,
            _ => Write::Written,
        };
        Ok(Self { dns, https, write })
    }
}

impl fmt::Display for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let store = if self.is_shared { "one store" } else { "a store each" };
        let write = if self.writes_ahead { ", and writes a spent budget first" } else { "" };
        write!(
            f,
            "{} sender(s), {store}; each runs up to {} lookup(s) at once{write}; clocks are off by \
             {:?} s and drift by {:?} millionths",
            self.senders,
            self.overlapping,
            &self.skews[..self.senders],
            &self.drifts[..self.senders],
        )
    }
}

impl fmt::Display for Read {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Works => "reads the store",
            Self::Fails => "cannot read the store",
            Self::Notes => "cannot read the store, but has its last entry",
        })
    }
}

impl fmt::Display for Dns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truth(ttl) => write!(f, "the record as published (TTL {ttl} s)"),
            Self::Silence => write!(f, "no answer"),
            Self::Absent(ttl) => write!(f, "forged: no record (TTL {ttl} s)"),
            Self::Several(ttl) => write!(f, "forged: two records (TTL {ttl} s)"),
            Self::Malformed(ttl) => write!(f, "forged: a bad record (TTL {ttl} s)"),
            Self::Id(number, ttl) => write!(f, "forged or old: the id p{number} (TTL {ttl} s)"),
            Self::Invented(number) => write!(f, "forged: the invented id f{number}"),
        }
    }
}

impl fmt::Display for Https {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truth => write!(f, "the policy that was published when the fetch began"),
            Self::Latest => write!(f, "the policy that is published now"),
            Self::Drop => write!(f, "the attacker drops the connection"),
            Self::Cut => write!(f, "the attacker cuts the policy short"),
            Self::Forged => write!(f, "the attacker's policy under the attacker's certificate"),
            Self::Status(code) => write!(f, "status {code}"),
        }
    }
}

impl fmt::Display for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Written => "merged",
            Self::Fails => "the store fails",
            Self::Lost => "lost later, unless it was urgent",
            Self::OtherDomain => "the driver hands back a neighbour's entry",
        })
    }
}

impl fmt::Display for Smtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tls => "verified for its name",
            Self::BadCertificate => "with a bad certificate",
            Self::OtherName => "with the certificate of another host",
            Self::NoStarttls => "without STARTTLS",
            Self::Unreachable => "unreachable",
        })
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Publish(mode, max_age, patterns) => {
                let mx = super::PATTERNS[usize::from(*patterns) % 3].join(", ");
                write!(f, "the owner publishes {mode:?} for {mx}, max_age {max_age} s")
            }
            Self::Withdraw => write!(f, "the owner withdraws record and policy"),
            Self::Pass(secs) => write!(f, "{secs} s pass"),
            Self::Clock(who, setting) => write!(f, "the clock of sender {who} is set {setting}"),
            Self::Ask(who, recheck, read) => {
                write!(f, "sender {who} {read} and starts a lookup ({recheck:?})")
            }
            Self::Gate(who, read) => write!(f, "sender {who} {read} and starts its gate's lookup"),
            Self::Reply(who, slot, Reply { dns, https, write }) => write!(
                f,
                "sender {who}, lookup {slot} gets its reply (DNS: {dns}; HTTPS: {https}; store: \
                 {write})"
            ),
            Self::Drop(who, slot) => write!(f, "sender {who} drops lookup {slot}"),
            Self::Abandon(who, slot) => write!(f, "sender {who} gives up lookup {slot}"),
            Self::Mail(who, candidates, care) => {
                write!(f, "sender {who} has a mail for")?;
                for (host, smtp) in candidates.iter().flatten() {
                    write!(f, " {} ({smtp})", HOSTS[usize::from(*host) % HOSTS.len()])?;
                }
                f.write_str(match care {
                    Care::Judges => "",
                    Care::Drops => ", and drops the attempts",
                    Care::Misjudges => ", and judges the attempts on another delivery",
                })
            }
            Self::Permit(who, Which::Own) => write!(f, "sender {who} asks its gate for permission"),
            Self::Permit(who, Which::Other) => {
                write!(f, "sender {who} shows its gate the outcome of another lookup")
            }
            Self::Crash(who) => write!(f, "sender {who} crashes and starts again"),
            Self::Purge(who) => {
                write!(f, "the store drops its entry if it may, by the clock of sender {who}")
            }
        }
    }
}
