//! The answer of a client to a request to bounce.

use mta_sts::{BounceToken, Outcome};

/// The answer to a request to fail mail permanently that a policy refused (RFC 8461 §5).
#[derive(Debug)]
#[must_use = "without the permission the mail stays in the queue"]
pub enum Bounce {
    /// The mail may fail permanently: DNS was asked after the refusal, it answered, and nothing
    /// newer is published than the policy that refused the mail.
    Permitted(BounceToken),
    /// The mail stays in the queue. If the outcome has another policy than the one that refused the
    /// mail, deliver again under that one.
    Deferred(Box<Outcome>),
}

impl Bounce {
    pub(crate) fn new(token: Option<BounceToken>, outcome: Outcome) -> Self {
        match token {
            Some(token) => Self::Permitted(token),
            None => Self::Deferred(Box::new(outcome)),
        }
    }

    /// Returns the permission; `None` if the mail stays in the queue.
    pub fn permitted(self) -> Option<BounceToken> {
        match self {
            Self::Permitted(token) => Some(token),
            Self::Deferred(_) => None,
        }
    }
}
