//! Gates that wait while DNS is silent.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use mta_sts::{Outcome, Problem};

/// The last silence of DNS that a gate of one domain met.
///
/// Gates of one domain ask one after the other, and each asks for itself. If DNS is silent, a
/// thousand of them would take a thousand timeouts. A gate may share such an end, because silence
/// permits no bounce: a gate that waited when the question was asked has waited for as long in vain. An answer is never shared.
#[derive(Debug, Default)]
pub(crate) struct Silence(Mutex<Option<(Instant, Outcome)>>);

impl Silence {
    /// Notes the outcome of a gate that began to ask at `asked_at`, if DNS was silent.
    pub(crate) fn note(&self, asked_at: Instant, outcome: &Outcome) {
        if matches!(outcome.problem(), Some(Problem::NoAnswer(_))) {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) =
                Some((asked_at, outcome.clone()));
        }
    }

    /// Returns the outcome of a gate that asked since `arrived` and met silence, if there is one.
    pub(crate) fn since(&self, arrived: Instant) -> Option<Outcome> {
        let noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (asked_at, outcome) = noted.as_ref()?;
        (*asked_at >= arrived).then(|| outcome.clone())
    }
}
