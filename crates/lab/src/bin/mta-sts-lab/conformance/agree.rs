//! When a verdict is as expected.

use serde_json::Value;

/// Whether a verdict says what is expected. It may say more: fields of an object that are not
/// expected are not looked at, and one that is expected to be null may be missing. All else is to
/// be equal.
pub(super) fn agrees(expected: &Value, got: &Value) -> bool {
    match (expected, got) {
        (Value::Object(expected), Value::Object(got)) => expected
            .iter()
            .all(|(name, value)| agrees(value, got.get(name).unwrap_or(&Value::Null))),
        (Value::Array(expected), Value::Array(got)) => {
            expected.len() == got.len() && expected.iter().zip(got).all(|(e, g)| agrees(e, g))
        }
        (expected, got) => expected == got,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn ok_a_verdict_may_say_more_and_leave_null_out() {
        let expected = json!({"mode": "enforce", "steps": [{"a": 1}], "none": null});
        let got = json!({"mode": "enforce", "steps": [{"a": 1, "b": 2}], "more": true});
        assert!(agrees(&expected, &got));
    }

    #[test]
    fn err_what_is_expected_must_be_there_and_equal() {
        let cases = [
            (json!({"a": 1}), json!({})),
            (json!({"a": 1}), json!({"a": "1"})),
            (json!({"a": null}), json!({"a": 0})),
            (json!({"a": []}), json!({"a": [1]})),
            (json!({"a": [1, 2]}), json!({"a": [2, 1]})),
            (json!({"a": {"b": true}}), json!({"a": true})),
            (json!({}), json!("valid")),
        ];
        for (expected, got) in cases {
            assert!(!agrees(&expected, &got), "{expected} {got}");
        }
    }
}
