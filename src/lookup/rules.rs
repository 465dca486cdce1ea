//! The decision table: the meaning of each answer, given what is held.

use alloc::boxed::Box;
use alloc::sync::Arc;

use super::gate::Refused;
use super::outcome::{Asked, Outcome, Status};
use super::{
    AfterTxt, FetchPolicy, HeadTolerance, Limits, Problem, QueryTxt, Recheck, Start, Store, Urgency,
};
use crate::entry::{Entry, HeldPolicy, Remembered};
use crate::policy::{Mode, Policy};
use crate::record::PolicyId;
use crate::time::{CLOCK_TOLERANCE, UnixTime};

/// The part that every state of a lookup carries.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) entry: Entry,
    /// The store could be read. If not, an entry without a policy says nothing of what is stored.
    pub(super) readable: bool,
    pub(super) recheck: Recheck,
    pub(super) limits: Limits,
    pub(super) gate: Option<Arc<Refused>>,
    /// The time of the TXT question. The answer is at least as old, so its memory counts from here.
    pub(super) asked_at: UnixTime,
}

/// A fetch in progress.
#[derive(Debug)]
pub(super) struct Fetch {
    pub(super) context: Context,
    /// The id that the policy will be held under.
    id: PolicyId,
    cause: Cause,
    /// The time at which the fetch was handed out. The response is no older, so the policy's age
    /// and its place among other fetches count from here.
    began_at: UnixTime,
    /// The part of the response's head that the tolerant profile overlooked.
    pub(super) head_tolerance: Option<HeadTolerance>,
}

/// The reason for which a policy is fetched.
#[derive(Debug)]
enum Cause {
    /// DNS announces the id; the TTL in seconds.
    Announced { ttl: u32 },
    /// The held policy is to be refreshed though DNS announces nothing (RFC 8461 §10.2), for this
    /// reason.
    Refresh { problem: Option<Problem> },
}

/// The answer of DNS that gives no usable id.
#[derive(Debug)]
pub(super) struct TxtFault {
    pub(super) remembered: Remembered,
    pub(super) ttl: u32,
    /// The fault of the records; `None` where there is no record.
    pub(super) problem: Option<Problem>,
}

/// The lookup begins: with the answer from memory, where that will do, or by asking DNS.
#[inline]
pub(super) fn started(context: Context, now: UnixTime) -> Start {
    let domain = context.entry.domain();
    // What is remembered of an unreadable store's domain says nothing of a policy in that store.
    let may_answer = context.readable || context.entry.policy(now).is_some();
    let decision = match context.recheck {
        Recheck::WhenDue if may_answer => context.entry.decide(domain, now),
        _ => None,
    };
    match decision.map(|decision| (decision.status(), decision.problem())) {
        Some((status, problem)) => {
            Start::Done(outcome(context, status, problem, Asked::Nothing, now))
        }
        None => Start::QueryTxt(QueryTxt(Box::new(context))),
    }
}

/// Builds an interim outcome. That a lookup is in progress never means absence.
pub(super) fn unasked(context: Context, now: UnixTime) -> Outcome {
    let may_answer = context.readable || context.entry.policy(now).is_some();
    let decision = context.entry.decide(context.entry.domain(), now).filter(|_| may_answer);
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
) -> AfterTxt {
    context.asked_at = context.asked_at.min(now);
    let known = context.entry.policy(now).is_some_and(|held| held.id() == id);
    if known && context.recheck != Recheck::Refresh {
        // RFC 8461 §3: the id is that of the held policy, so it is still current. Its expiry stays.
        context.entry.remember(Remembered::Id(id), ttl, context.asked_at);
        return AfterTxt::Store(finish(*context, Status::Confirmed, None, Asked::Id(id), now));
    }
    fetch(*context, id, Cause::Announced { ttl }, now)
}

/// DNS announces no usable id: nothing that it says removes a held policy (RFC 8461 §3.1).
pub(super) fn no_id(mut context: Box<Context>, fault: TxtFault, now: UnixTime) -> AfterTxt {
    context.asked_at = context.asked_at.min(now);
    context.entry.remember(fault.remembered, fault.ttl, context.asked_at);
    let held = context.entry.policy(now).map(|held| (held.mode(), held.id()));
    let problem = fault.problem.or(held.map(|_| Problem::RecordAbsent));
    match held {
        // RFC 8461 §10.2: fetch "regardless of the state of the _mta-sts TXT record", so that an
        // attacker who blocks DNS cannot let the policy run out. A removed policy ("none") is left
        // in peace.
        Some((Mode::Enforce | Mode::Testing, id)) if context.recheck == Recheck::Refresh => {
            fetch(*context, id, Cause::Refresh { problem }, now)
        }
        _ => {
            let (asked, fallback) = match fault.remembered {
                Remembered::NoAnswer => (Asked::Nothing, Status::Unknown),
                _ => (Asked::NoId, Status::Absent),
            };
            let status = without_fetch(&context, fallback, now);
            AfterTxt::Store(finish(*context, status, problem, asked, now))
        }
    }
}

/// Fetches the policy, unless it was tried too often or too recently.
fn fetch(mut context: Context, id: PolicyId, cause: Cause, now: UnixTime) -> AfterTxt {
    // RFC 8461 §3.3: five minutes or longer between attempts per version id.
    let held_back = match context.entry.backs_off_until(id, now) {
        Some(until) => Some(Problem::BackingOff { id, until }),
        None => context.entry.spend_fetch(now).err().map(|until| Problem::FetchLimited { until }),
    };
    let fetch = Fetch { context, id, cause, began_at: now, head_tolerance: None };
    match held_back {
        None => AfterTxt::FetchPolicy(FetchPolicy(Box::new(fetch))),
        Some(problem) => AfterTxt::Store(not_fetched(fetch, problem, now)),
    }
}

/// The fetch was made and gave no policy.
pub(super) fn fetch_failed(mut fetch: Box<Fetch>, problem: Problem, now: UnixTime) -> Store {
    fetch.context.entry.fetch_failed(fetch.id, now);
    // The fetch's problem is the news, not the reason for which DNS announced nothing.
    if let Cause::Refresh { problem } = &mut fetch.cause {
        *problem = None;
    }
    not_fetched(*fetch, problem, now)
}

/// RFC 8461 §3.3: without a policy by HTTPS, the held one applies; without that, none does.
fn not_fetched(fetch: Fetch, problem: Problem, now: UnixTime) -> Store {
    let Fetch { mut context, id, cause, .. } = fetch;
    let (problem, asked) = match cause {
        Cause::Announced { ttl } => {
            let known = context.entry.policy(now).is_some_and(|held| held.id() == id);
            if known {
                context.entry.remember(Remembered::Id(id), ttl, context.asked_at);
            } else {
                context.entry.forget(context.asked_at);
            }
            (problem, Asked::Id(id))
        }
        Cause::Refresh { problem: earlier } => (earlier.unwrap_or(problem), Asked::NoId),
    };
    let status = without_fetch(&context, Status::Absent, now);
    finish(context, status, Some(problem), asked, now)
}

/// A policy was fetched and verified: it takes the place of whatever was held, at once.
pub(super) fn fetched(fetch: Box<Fetch>, policy: Policy, now: UnixTime) -> Store {
    let Fetch { mut context, id, cause, began_at, head_tolerance } = *fetch;
    context.entry.fetch_succeeded(id, now);
    let old = context.entry.policy(now).cloned();
    // The earlier of the two: the clock may have been set back meanwhile.
    let new = HeldPolicy::new(policy, id, began_at.min(now));
    // A policy of `max_age` 0, or one that ran out while it was fetched.
    let is_for_this_delivery_only = new.is_expired(now);
    // A longer fetch than the limits allow shows that the clock was set meanwhile. Then the age says
    // nothing, and the held policy stays.
    let longest = context.limits.fetch_timeout().as_secs().saturating_add(CLOCK_TOLERANCE);
    let is_aged =
        now.secs_since(new.fetched_at()) <= longest || new.policy().max_age().as_secs() == 0;
    let (transient, urgency) = if is_for_this_delivery_only {
        let cleared = is_aged && context.entry.stored_policy().is_some();
        if cleared {
            context.entry.clear(new.fetched_at());
        }
        (Some(Box::new(new)), if cleared { Urgency::Durable } else { Urgency::Lazy })
    } else {
        context.entry.put(new);
        (None, Urgency::Durable)
    };
    let (problem, asked) = match cause {
        Cause::Announced { ttl } => {
            if transient.is_none() {
                context.entry.remember(Remembered::Id(id), ttl, context.asked_at);
            } else {
                context.entry.forget(context.asked_at);
            }
            (None, Asked::Id(id))
        }
        Cause::Refresh { problem } => (problem, Asked::NoId),
    };
    let mut outcome = outcome(context, Status::Found, problem, asked, now);
    outcome.transient = transient;
    outcome.head_tolerance = head_tolerance;
    outcome.compare(old.as_ref());
    debug_assert!(outcome.policy().is_some(), "`Found` comes with a policy");
    Store { outcome: Box::new(outcome), urgency }
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
) -> Store {
    let outcome = outcome(context, status, problem, asked, now);
    Store { outcome: Box::new(outcome), urgency: Urgency::Lazy }
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
        head_tolerance: None,
        persisted: true,
        is_store_seen: context.readable,
        asked,
        asked_at: context.asked_at,
        decided_at: now,
        gate: context.gate,
    }
}
