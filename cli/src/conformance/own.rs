//! The verdicts of this implementation, in process.

mod certificate;
mod delivery;
mod lookup;
mod octets;
mod report;
mod text;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::Answer;
use super::case::Case;
use certificate::Certificates;

/// This implementation, as the cases are put to it.
pub(super) struct Own {
    certificates: Certificates,
}

/// A verdict, or why the input cannot be judged.
type Verdict = Result<Value, String>;

impl Own {
    pub(super) fn new() -> Result<Self, crate::exit::Failure> {
        Ok(Self { certificates: Certificates::new()? })
    }

    pub(super) fn answer(&self, case: &Case) -> Answer {
        let verdict = match case.area.as_str() {
            "record" => given(case).and_then(|input| text::record(&input)),
            "record-set" => given(case).map(|input| text::record_set(&input)),
            "policy" => given(case).map(|input| text::policy(&input)),
            "match" => given(case).and_then(|input| text::host_match(&input)),
            "domain" => given(case).map(|input| text::domain(&input)),
            "address" => given(case).map(|input| text::address(&input)),
            "tlsrpt-record" => given(case).map(|input| text::tlsrpt_record(&input)),
            "certificate" => given(case).and_then(|input| self.certificates.judge(&input)),
            "http" => given(case).and_then(|input| lookup::http(&input)),
            "decision" => given(case).and_then(|input| lookup::decision(&input)),
            "flow" => given(case).and_then(|input| lookup::flow(&input)),
            "delivery" => given(case).and_then(|input| delivery::delivery(&input)),
            "bounce" => given(case).and_then(|input| delivery::bounce(&input)),
            "report" => given(case).and_then(|input| report::report(&input)),
            other => Ok(json!({"skip": format!("nothing is known of an area {other}")})),
        };
        verdict.map_or_else(Answer::Trouble, Answer::Verdict)
    }
}

fn given<T: DeserializeOwned>(case: &Case) -> Result<T, String> {
    let input = Value::Object(case.input.clone());
    serde_json::from_value(input).map_err(|error| format!("the input cannot be read: {error}"))
}
