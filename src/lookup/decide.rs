//! The decision table: what each answer means, given what is held.

use alloc::boxed::Box;

use super::gate::Refused;
use super::outcome::{Asked, Outcome, Status};
use super::{FetchPolicy, Limits, Problem, QueryTxt, Recheck, Step, Store, Urgency};
use crate::entry::{Entry, HeldPolicy, Remembered};
use crate::policy::{MaxAge, Mode, Policy};
use crate::record::PolicyId;
use crate::time::UnixTime;

/// What every state of a lookup carries.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) entry: Entry,
    /// Whether the store could be read: if not, what it holds is not known.
    pub(super) readable: bool,
    pub(super) recheck: Recheck,
    pub(super) limits: Limits,
    pub(super) gate: Option<Box<Refused>>,
}

/// A fetch under way.
#[derive(Debug)]
pub(super) struct Fetch {
    pub(super) context: Context,
    /// The id that the policy will be held under.
    id: PolicyId,
    cause: Cause,
}

/// Why a policy is fetched.
#[derive(Debug)]
enum Cause {
    /// DNS announces the id; the TTL in seconds.
    Announced { ttl: u32 },
    /// The held policy is to be refreshed though DNS announces nothing (RFC 8461 §10.2), and why it
    /// does not.
    Refresh { problem: Option<Problem> },
}

/// DNS gave no usable id.
#[derive(Debug)]
pub(super) struct TxtFault {
    pub(super) remembered: Remembered,
    pub(super) ttl: u32,
    /// What is wrong with the records; `None` where there is none at all.
    pub(super) problem: Option<Problem>,
}

/// The lookup begins: with the answer from memory, where that will do, or by asking DNS.
#[inline]
pub(super) fn started(context: Context, now: UnixTime) -> Step {
    let domain = context.entry.domain();
    let decision = match context.recheck {
        Recheck::WhenDue => context.entry.decide(domain, now),
        Recheck::Always | Recheck::Refresh => None,
    };
    match decision.map(|decision| (decision.status(), decision.problem())) {
        Some((status, problem)) => {
            Step::Done(outcome(context, status, problem, Asked::Nothing, now))
        }
        None => Step::QueryTxt(QueryTxt(Box::new(context))),
    }
}

/// The answer for who cannot wait for one: a lookup that has not ended says nothing of absence.
pub(super) fn unasked(context: Context, now: UnixTime) -> Outcome {
    let decision = context.entry.decide(context.entry.domain(), now);
    let (status, problem) = if let Some(decision) = decision {
        (decision.status(), decision.problem())
    } else {
        let problem = context.readable.then_some(Problem::NotAwaited);
        (without_fetch(&context, Status::Unknown, now), problem)
    };
    outcome(context, status, problem, Asked::Nothing, now)
}

/// DNS announces `id`.
pub(super) fn id_announced(
    mut context: Box<Context>,
    id: PolicyId,
    ttl: u32,
    now: UnixTime,
) -> Step {
    let known = context.entry.policy(now).is_some_and(|held| held.id() == id);
    if known && context.recheck != Recheck::Refresh {
        // RFC 8461 §3: the id is that of the held policy, so it is still current. Its expiry stays.
        context.entry.remember(Remembered::SameId, ttl, now);
        return finish(*context, Status::Confirmed, None, Asked::Id(id), now);
    }
    fetch(*context, id, Cause::Announced { ttl }, now)
}

/// DNS announces no usable id: nothing that it says removes a held policy (RFC 8461 §3.1).
pub(super) fn no_id(mut context: Box<Context>, fault: TxtFault, now: UnixTime) -> Step {
    context.entry.remember(fault.remembered, fault.ttl, now);
    let held = context.entry.policy(now).map(|held| (held.policy().mode(), held.id()));
    let problem = fault.problem.or(held.map(|_| Problem::RecordAbsent));
    match held {
        // RFC 8461 §10.2: fetch "regardless of the state of the _mta-sts TXT record", so that who
        // blocks DNS cannot let the policy run out. A removed policy ("none") is left in peace.
        Some((Mode::Enforce | Mode::Testing, id)) if context.recheck == Recheck::Refresh => {
            fetch(*context, id, Cause::Refresh { problem }, now)
        }
        _ => {
            let asked = match fault.remembered {
                Remembered::NoAnswer => Asked::Nothing,
                _ => Asked::NoId,
            };
            let fallback = match fault.remembered {
                Remembered::NoAnswer => Status::Unknown,
                _ => Status::Absent,
            };
            let status = without_fetch(&context, fallback, now);
            finish(*context, status, problem, asked, now)
        }
    }
}

/// Fetches the policy, unless it was tried too often or too recently.
fn fetch(mut context: Context, id: PolicyId, cause: Cause, now: UnixTime) -> Step {
    // RFC 8461 §3.3: five minutes or longer between attempts per version id.
    let held_back = match context.entry.backs_off_until(id, now) {
        Some(until) => Some(Problem::BackingOff { id, until }),
        None => context.entry.spend_fetch(now).err().map(|until| Problem::FetchLimited { until }),
    };
    let fetch = Fetch { context, id, cause };
    match held_back {
        None => Step::FetchPolicy(FetchPolicy(Box::new(fetch))),
        Some(problem) => not_fetched(fetch, problem, now),
    }
}

/// The fetch was made and gave no policy.
pub(super) fn fetch_failed(mut fetch: Box<Fetch>, problem: Problem, now: UnixTime) -> Step {
    fetch.context.entry.fetch_failed(fetch.id, now);
    // The fetch's problem is the news, not why DNS announced nothing.
    if let Cause::Refresh { problem } = &mut fetch.cause {
        *problem = None;
    }
    not_fetched(*fetch, problem, now)
}

/// RFC 8461 §3.3: without a policy by HTTPS, the held one applies; without that, none does.
fn not_fetched(fetch: Fetch, problem: Problem, now: UnixTime) -> Step {
    let Fetch { mut context, id, cause } = fetch;
    let (problem, asked) = match cause {
        Cause::Announced { ttl } => {
            let known = context.entry.policy(now).is_some_and(|held| held.id() == id);
            if known {
                context.entry.remember(Remembered::SameId, ttl, now);
            } else {
                context.entry.forget(now);
            }
            (problem, Asked::Id(id))
        }
        Cause::Refresh { problem: earlier } => (earlier.unwrap_or(problem), Asked::NoId),
    };
    let status = without_fetch(&context, Status::Absent, now);
    finish(context, status, Some(problem), asked, now)
}

/// A policy was fetched and verified: it takes the place of whatever was held, at once.
pub(super) fn fetched(fetch: Box<Fetch>, policy: Policy, now: UnixTime) -> Step {
    let Fetch { mut context, id, cause } = *fetch;
    context.entry.fetch_succeeded(id, now);
    let old = context.entry.policy(now).cloned();
    let for_this_delivery_only = policy.max_age() == MaxAge::ZERO;
    let new = HeldPolicy::new(policy, id, now);
    let (transient, urgency) = if for_this_delivery_only {
        let cleared = context.entry.stored_policy().is_some();
        if cleared {
            context.entry.clear(now);
        }
        (Some(Box::new(new)), if cleared { Urgency::Durable } else { Urgency::Lazy })
    } else {
        context.entry.put(new);
        (None, Urgency::Durable)
    };
    let (problem, asked) = match cause {
        Cause::Announced { ttl } => {
            if transient.is_none() {
                context.entry.remember(Remembered::SameId, ttl, now);
            } else {
                context.entry.forget(now);
            }
            (None, Asked::Id(id))
        }
        Cause::Refresh { problem } => (problem, Asked::NoId),
    };
    let mut outcome = outcome(context, Status::Found, problem, asked, now);
    outcome.transient = transient;
    outcome.compare(old.as_ref());
    Step::Store(Store { outcome: Box::new(outcome), urgency })
}

/// The status where nothing new was fetched.
fn without_fetch(context: &Context, fallback: Status, now: UnixTime) -> Status {
    if context.entry.policy(now).is_some() {
        Status::Held
    } else if context.readable {
        fallback
    } else {
        // A store that failed is not an empty store.
        Status::Unknown
    }
}

fn finish(
    context: Context,
    status: Status,
    problem: Option<Problem>,
    asked: Asked,
    now: UnixTime,
) -> Step {
    let outcome = outcome(context, status, problem, asked, now);
    Step::Store(Store { outcome: Box::new(outcome), urgency: Urgency::Lazy })
}

#[inline]
fn outcome(
    context: Context,
    status: Status,
    problem: Option<Problem>,
    asked: Asked,
    now: UnixTime,
) -> Outcome {
    let unreadable = (!context.readable).then_some(Problem::StoreUnreadable);
    Outcome {
        entry: context.entry,
        transient: None,
        status,
        problem: problem.or(unreadable),
        change: None,
        persisted: true,
        asked,
        decided_at: now,
        gate: context.gate,
    }
}
