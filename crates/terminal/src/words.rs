//! An outcome in sentences for mail administrators.

use crate::text;
use mta_sts::{HeldPolicy, Mode, MxPattern, Outcome, PolicyChange, Problem, Status, UnixTime};

/// Returns one or two sentences on what is known of the policy, and why.
pub fn standing(outcome: &Outcome, now: UnixTime) -> String {
    let domain = outcome.domain();
    match (outcome.status(), outcome.policy()) {
        (Status::Found, Some(_)) => found(outcome),
        (Status::Confirmed, Some(_)) => {
            "The held policy is the current one: its id is the one that DNS announces.".to_owned()
        }
        (_, Some(held)) => format!(
            "The held policy stays in force until {}{}.",
            text::date(held.expires_at(now)),
            in_spite_of(outcome.problem())
        ),
        (Status::Unknown, None) => format!(
            "Whether {domain} has a policy is not known{}. No policy is held{}: a sender defers \
             the mail, or delivers it without MTA-STS.",
            because(outcome.problem()),
            expired(outcome, now).map_or("", |_| " that has not expired")
        ),
        (_, None) => match expired(outcome, now) {
            None => absent(outcome),
            Some(date) => {
                format!("{} The policy that was held expired on {date}.", absent(outcome))
            }
        },
    }
}

/// When the policy expired that the store still has.
fn expired(outcome: &Outcome, now: UnixTime) -> Option<String> {
    outcome.entry().stored_policy().map(|held| text::date(held.expires_at(now)))
}

fn found(outcome: &Outcome) -> String {
    let spite = in_spite_of(outcome.problem());
    match outcome.change() {
        None => format!("The policy was fetched now{spite}."),
        Some(change) => format!(
            "The policy was fetched now, and takes the place of the one that was held ({}){spite}.",
            changes(change)
        ),
    }
}

fn changes(change: PolicyChange) -> String {
    let mut parts = Vec::new();
    let (old, new) = change.mode;
    if old != new {
        parts.push(format!("mode {new} instead of {old}"));
    }
    let (old, new) = change.max_age;
    if old != new {
        let (old, new) = (u64::from(old.as_secs()), u64::from(new.as_secs()));
        parts.push(format!("max_age {} instead of {}", text::span(new), text::span(old)));
    }
    if change.mx_added {
        parts.push("more MX patterns".to_owned());
    }
    if change.mx_removed {
        parts.push("without MX patterns that it had".to_owned());
    }
    parts.join(", ")
}

fn absent(outcome: &Outcome) -> String {
    const OTHERS: &str = "Senders that hold no policy deliver without MTA-STS; those that hold one \
                          go by it until it expires.";
    let domain = outcome.domain();
    match outcome.problem() {
        None => format!(
            "There is no policy: {domain} publishes no MTA-STS record. Mail to it is delivered \
             without MTA-STS."
        ),
        Some(problem @ (Problem::SeveralRecords { .. } | Problem::RecordMalformed { .. })) => {
            format!("There is no policy that counts: {problem}. {OTHERS}")
        }
        Some(Problem::PolicyInvalid { error, .. }) => {
            format!("The policy of {domain} is not valid: {error}. {OTHERS}")
        }
        Some(problem) => {
            format!("The policy of {domain} could not be fetched: {problem}. {OTHERS}")
        }
    }
}

/// Returns a sentence on what the policy means for mail. `hosts` names, in words, the hosts to which
/// mail may go.
pub fn effect(domain: &str, held: &HeldPolicy, hosts: &str) -> String {
    match held.mode() {
        Mode::Enforce => format!("Mail to {domain} goes only to {hosts}, over verified TLS."),
        Mode::Testing => format!(
            "The mode is testing: mail to {domain} is delivered as if there were no policy, and \
             what the policy would have refused is only reported."
        ),
        Mode::None => format!(
            "The mode is none: {domain} does without MTA-STS, and mail to it is delivered without."
        ),
    }
}

/// Returns the decision in sentences, for a caller that knows nothing of the MX hosts. `was_asked`
/// is `true` if DNS or the Policy Host was asked for this outcome.
pub fn decision(outcome: &Outcome, was_asked: bool, now: UnixTime) -> String {
    let standing = if was_asked {
        standing(outcome, now)
    } else {
        "Nothing is due: what DNS last said is still within its time.".to_owned()
    };
    match outcome.policy() {
        Some(held) => {
            let patterns = text::list(held.policy().mx().map(MxPattern::as_str));
            format!("{standing} {}", effect(outcome.domain().as_str(), held, &patterns))
        }
        None => standing,
    }
}

/// Returns the time for which the policy may still be applied, and its end:
/// `for 6 days more, until 2027-01-15 08:00 UTC`.
pub fn until(held: &HeldPolicy, now: UnixTime) -> String {
    match held.expires_in(now).as_secs() {
        0 => "for this delivery only".to_owned(),
        left => {
            format!("for {} more, until {}", text::span(left), text::date(held.expires_at(now)))
        }
    }
}

fn in_spite_of(problem: Option<&Problem>) -> String {
    match problem {
        None => String::new(),
        Some(Problem::RecordAbsent) => {
            ", though DNS shows no record: that alone does not remove a policy".to_owned()
        }
        Some(problem) => format!(", in spite of a problem: {problem}"),
    }
}

fn because(problem: Option<&Problem>) -> String {
    problem.map_or_else(String::new, |problem| format!(": {problem}"))
}
