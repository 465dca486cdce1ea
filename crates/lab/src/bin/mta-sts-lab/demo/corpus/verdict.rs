//! What is thought of a policy: by those who collected it, and by the client.

use std::fmt;

use mta_sts::{FetchFailure, MxPattern, Outcome, Problem, Status};
use serde::Deserialize;

/// What is thought of one policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is one.
    Valid { mode: String, max_age: u32, mx: Vec<String> },
    /// It is none, by the code of its first fault.
    Refused { error: String },
    /// It never came to a judgement.
    Failed { why: String },
}

/// A line of `policies.jsonl`, as far as it is of use here.
#[derive(Deserialize)]
struct Line {
    file: String,
    tolerant: Opinion,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Opinion {
    Refused { error: String },
    Valid { mode: String, max_age: u32, mx: Vec<String> },
}

/// The file's name and the verdict of the tolerant profile.
pub(super) fn parse(line: &str) -> Result<(String, Verdict), serde_json::Error> {
    let Line { file, tolerant } = serde_json::from_str(line)?;
    let verdict = match tolerant {
        Opinion::Refused { error } => Verdict::Refused { error },
        Opinion::Valid { mode, max_age, mx } => Verdict::Valid { mode, max_age, mx },
    };
    Ok((file, verdict))
}

impl Verdict {
    pub(super) fn failed(why: impl fmt::Display) -> Self {
        Self::Failed { why: why.to_string() }
    }

    /// The client's.
    pub(super) fn of(outcome: &Outcome) -> Self {
        match (outcome.policy(), outcome.problem()) {
            (Some(held), None) if outcome.status() == Status::Found => {
                let policy = held.policy();
                Self::Valid {
                    mode: policy.mode().to_string(),
                    max_age: policy.max_age().as_secs(),
                    mx: policy.mx().map(MxPattern::as_str).map(str::to_owned).collect(),
                }
            }
            (_, Some(Problem::PolicyInvalid { error, .. })) => {
                Self::Refused { error: error.code().to_owned() }
            }
            (_, Some(Problem::Fetch(FetchFailure::TooLarge { .. }))) => {
                Self::Refused { error: "too_large".to_owned() }
            }
            (_, Some(problem)) => Self::failed(problem),
            (_, None) => Self::failed(outcome.status()),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Valid { mode, max_age, mx } => {
                write!(f, "mode {mode}, max_age {max_age}, mx {}", mx.join(" "))
            }
            Self::Refused { error } => write!(f, "refused ({error})"),
            Self::Failed { why } => write!(f, "no judgement ({why})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_both_kinds_of_verdict_are_read() {
        let valid = r#"{"file": "policies/1.txt", "class": "policy", "strict": {"error": "bad_mx"},
            "tolerant": {"ok": true, "mode": "none", "max_age": 5, "mx": ["a.test"]}}"#;
        let mx = vec!["a.test".to_owned()];
        let expected = Verdict::Valid { mode: "none".to_owned(), max_age: 5, mx };
        assert_eq!(parse(valid).ok(), Some(("policies/1.txt".to_owned(), expected)));
        let refused = r#"{"file": "2.txt", "tolerant": {"error": "bad_mode"}}"#;
        let expected = Verdict::Refused { error: "bad_mode".to_owned() };
        assert_eq!(parse(refused).ok(), Some(("2.txt".to_owned(), expected)));
    }

    #[test]
    fn err_a_line_without_a_verdict_is_refused() {
        assert!(parse(r#"{"file": "2.txt", "tolerant": {}}"#).is_err());
        assert!(parse(r#"{"file": "2.txt"}"#).is_err());
    }
}
