//! The verdicts of this implementation, in process.

mod certificate;
mod delivery;
mod lookup;
mod octets;
mod report;
mod text;

use std::cell::OnceCell;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::Answer;
use super::case::Case;
use certificate::Certificates;

/// This implementation, as the cases are put to it.
#[derive(Default)]
pub(super) struct Own {
    /// Made when a case first needs them: not every machine has sockets to give.
    certificates: OnceCell<Result<Certificates, String>>,
}

/// A verdict, or why the input cannot be judged.
type Verdict = Result<Value, String>;

impl Own {
    pub(super) fn answer(&self, case: &Case) -> Answer {
        let verdict = match case.area.as_str() {
            "record" => given(case).and_then(|input| text::record(&input)),
            "record-set" => given(case).map(|input| text::record_set(&input)),
            "policy" => given(case).map(|input| text::policy(&input)),
            "match" => given(case).and_then(|input| text::host_match(&input)),
            "domain" => given(case).map(|input| text::domain(&input)),
            "address" => given(case).map(|input| text::address(&input)),
            "tlsrpt-record" => given(case).map(|input| text::tlsrpt_record(&input)),
            "certificate" => given(case).and_then(|input| self.certificate(&input)),
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

    fn certificate(&self, input: &certificate::Input) -> Verdict {
        self.certificates
            .get_or_init(Certificates::new)
            .as_ref()
            .map_err(Clone::clone)?
            .judge(input)
    }
}

fn given<T: DeserializeOwned>(case: &Case) -> Result<T, String> {
    let input = Value::Object(case.input.clone());
    serde_json::from_value(input).map_err(|error| format!("the input cannot be read: {error}"))
}
