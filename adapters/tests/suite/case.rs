//! What a fault is, and what is expected of a client that meets it.

use std::fmt;

use mta_sts_adapters::Status;
use mta_sts_lab::Lab;

/// Faults of one kind.
pub(crate) struct Group {
    pub(crate) title: &'static str,
    pub(crate) cases: Vec<Case>,
}

type Arrange = dyn Fn(&Lab, &Names) + Send + Sync;

/// One fault, or one thing that must not be taken for a fault.
pub(crate) struct Case {
    pub(crate) what: String,
    /// Changes what a published domain, with the mode `enforce` and the id `2`, would answer.
    pub(crate) arrange: Box<Arrange>,
    /// What a first lookup finds.
    pub(crate) expect: Expect,
    pub(crate) setting: Setting,
    pub(crate) time: Time,
    /// How many connections to the Policy Host a lookup makes, where that is the point.
    pub(crate) dials: Option<usize>,
    /// What the problem says to people, or a part of it.
    pub(crate) says: Option<&'static str>,
}

/// The names of a domain under test.
pub(crate) struct Names {
    pub(crate) domain: String,
    pub(crate) record: String,
    pub(crate) host: String,
}

/// What a lookup finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Expect {
    /// The published policy.
    Found,
    /// No record.
    NoRecord,
    /// Nothing, and why: the result type and the reason code of a report.
    Problem(Status, &'static str, String),
}

/// How the client is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Setting {
    /// Dials any address, as the lab is on loopback.
    AnyAddress,
    /// As `AnyAddress`, and TCP to the DNS server is refused.
    NoDnsOverTcp,
    /// Dials public addresses only, in whose place it is led to the lab.
    PublicOnly,
}

/// How much time a lookup has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Time {
    /// More than enough.
    Ample,
    /// Hardly any: the fault can only end by the deadline.
    Short,
    /// Enough, though part of it is spent in vain.
    Shared,
}

/// What a lookup found, in the form of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) status: Status,
    /// The id of the policy that is to be applied.
    pub(crate) policy: Option<String>,
    /// The result type and the reason code of the problem.
    pub(crate) problem: Option<(String, String)>,
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status)?;
        match &self.problem {
            Some((result, reason)) => write!(f, ", {result}, {reason}"),
            None => Ok(()),
        }
    }
}

impl Expect {
    /// With nothing held.
    pub(crate) fn first(&self) -> Seen {
        let (status, policy, problem) = match self {
            Self::Found => (Status::Found, Some("2".to_owned()), None),
            Self::NoRecord => (Status::Absent, None, None),
            Self::Problem(status, result, reason) => {
                (*status, None, Some(((*result).to_owned(), reason.clone())))
            }
        };
        Seen { status, policy, problem }
    }

    /// With an older policy held, of id `1`: it survives every fault.
    pub(crate) fn while_held(&self) -> Seen {
        let absent = || ("sts-policy-fetch-error".to_owned(), "dns-record-absent".to_owned());
        let Seen { problem, .. } = self.first();
        match self {
            Self::Found => self.first(),
            Self::NoRecord | Self::Problem(..) => Seen {
                status: Status::Held,
                policy: Some("1".to_owned()),
                problem: problem.or_else(|| Some(absent())),
            },
        }
    }
}

impl Case {
    pub(crate) fn new(
        what: impl Into<String>,
        expect: Expect,
        arrange: impl Fn(&Lab, &Names) + Send + Sync + 'static,
    ) -> Self {
        Self {
            what: what.into(),
            arrange: Box::new(arrange),
            expect,
            setting: Setting::AnyAddress,
            time: Time::Ample,
            dials: None,
            says: None,
        }
    }

    /// It can only end by the deadline.
    pub(crate) fn stalls(self) -> Self {
        Self { time: Time::Short, ..self }
    }

    /// It ends well, though part of the time is spent in vain.
    pub(crate) fn delays(self) -> Self {
        Self { time: Time::Shared, ..self }
    }

    pub(crate) fn set(self, setting: Setting) -> Self {
        Self { setting, ..self }
    }

    pub(crate) fn dials(self, connections: usize) -> Self {
        Self { dials: Some(connections), ..self }
    }

    pub(crate) fn says(self, text: &'static str) -> Self {
        Self { says: Some(text), ..self }
    }
}

pub(crate) fn found(what: impl Into<String>, arrange: fn(&Lab, &Names)) -> Case {
    Case::new(what, Expect::Found, arrange)
}

pub(crate) fn no_record(what: impl Into<String>, arrange: fn(&Lab, &Names)) -> Case {
    Case::new(what, Expect::NoRecord, arrange)
}

/// DNS gave no answer.
pub(crate) fn unknown(what: impl Into<String>, reason: &str, arrange: fn(&Lab, &Names)) -> Case {
    Case::new(what, no_answer(reason), arrange)
}

/// There is a record, and no policy could be fetched.
pub(crate) fn absent(what: impl Into<String>, reason: &str, arrange: fn(&Lab, &Names)) -> Case {
    Case::new(what, no_policy(reason), arrange)
}

/// There is a record, and the certificate of the Policy Host is not valid.
pub(crate) fn untrusted(what: impl Into<String>, reason: &str, arrange: fn(&Lab, &Names)) -> Case {
    let expect = Expect::Problem(Status::Absent, "sts-webpki-invalid", reason.to_owned());
    Case::new(what, expect, arrange)
}

/// There is a record, and what was fetched is no policy.
pub(crate) fn invalid(what: impl Into<String>, reason: &str, arrange: fn(&Lab, &Names)) -> Case {
    let expect = Expect::Problem(Status::Absent, "sts-policy-invalid", reason.to_owned());
    Case::new(what, expect, arrange)
}

pub(crate) fn no_answer(reason: &str) -> Expect {
    Expect::Problem(Status::Unknown, "sts-policy-fetch-error", reason.to_owned())
}

pub(crate) fn no_policy(reason: &str) -> Expect {
    Expect::Problem(Status::Absent, "sts-policy-fetch-error", reason.to_owned())
}
