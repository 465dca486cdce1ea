//! The cases: read, checked, and their long texts written out.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::Path;

use mta_sts_terminal::exit::Failure;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Octets of a file of cases.
const MAX_FILE: u64 = 8 << 20;
/// Files of a folder.
const MAX_FILES: usize = 256;
/// Octets of all the texts of one case that are written out.
const MAX_TEXT: usize = 1 << 20;

/// How strongly the clause binds (RFC 2119).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    Must,
    Should,
    May,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Must => "must",
            Self::Should => "should",
            Self::May => "may",
        })
    }
}

/// A case: what is given, and which verdicts hold to the clause.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    pub(super) id: String,
    pub(super) clause: String,
    pub(super) level: Level,
    #[serde(default)]
    pub(super) area: String,
    pub(super) title: String,
    pub(super) input: Map<String, Value>,
    pub(super) expect: Value,
    /// Other verdicts that the clause leaves open.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) or: Vec<Value>,
}

impl Case {
    /// Whether it is the case, or one of the area, that is called so.
    pub(super) fn is(&self, name: &str) -> bool {
        self.id == name || self.area == name
    }

    /// What a program is given: all but the expected verdicts.
    pub(super) fn question(&self) -> Value {
        serde_json::json!({
            "id": self.id, "clause": self.clause, "level": self.level, "area": self.area,
            "title": self.title, "input": self.input,
        })
    }
}

/// A file of cases, all of one area.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    area: String,
    /// For the reader of the file.
    #[serde(rename = "about")]
    _about: String,
    cases: Vec<Case>,
}

/// The cases that are compiled in.
pub(super) fn built_in() -> Result<Vec<Case>, Failure> {
    let files = mta_sts_conformance::FILES.iter();
    gather(files.map(|(name, text)| Ok(((*name).to_owned(), (*text).to_owned()))))
}

/// The cases of every `*.json` of a folder, by the names of the files.
pub(super) fn read(folder: &Path) -> Result<Vec<Case>, Failure> {
    let unreadable = |error| Failure::unknown(folder.display(), error);
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            paths.push(path);
        }
    }
    if paths.len() > MAX_FILES {
        let found = format!("expected at most {MAX_FILES} files, found {}", paths.len());
        return Err(Failure::unknown(folder.display(), found));
    }
    paths.sort_unstable();
    let cases = gather(paths.iter().map(|path| {
        let name = path.display().to_string();
        let octets = mta_sts_terminal::read(path, MAX_FILE + 1);
        let octets = octets.map_err(|error| Failure::unknown(&name, error))?;
        if octets.len() as u64 > MAX_FILE {
            return Err(Failure::unknown(name, format!("expected at most {MAX_FILE} octets")));
        }
        let text = String::from_utf8(octets).map_err(|error| Failure::unknown(&name, error))?;
        Ok((name, text))
    }))?;
    if cases.is_empty() {
        return Err(Failure::unknown(folder.display(), "no file *.json with a case is there"));
    }
    Ok(cases)
}

fn gather(
    files: impl Iterator<Item = Result<(String, String), Failure>>,
) -> Result<Vec<Case>, Failure> {
    let (mut cases, mut seen) = (Vec::new(), BTreeSet::new());
    for file in files {
        let (name, text) = file?;
        let file: File =
            serde_json::from_str(&text).map_err(|error| Failure::unknown(&name, error))?;
        for mut case in file.cases {
            let fault = |what: String| Failure::unknown(&name, format!("case {}: {what}", case.id));
            if !seen.insert(case.id.clone()) {
                return Err(fault("the id is taken by another case".to_owned()));
            }
            if !case.area.is_empty() {
                return Err(fault("the area is that of the file".to_owned()));
            }
            let mut room = MAX_TEXT;
            let expected = std::iter::once(&mut case.expect).chain(&mut case.or);
            for value in case.input.values_mut().chain(expected) {
                write_out(value, &mut room).map_err(&fault)?;
            }
            case.area.clone_from(&file.area);
            cases.push(case);
        }
    }
    Ok(cases)
}

/// Puts the text that it means in the place of each `{"join": […]}`, whose parts are texts and
/// `{"repeat": text, "times": n}`.
fn write_out(value: &mut Value, room: &mut usize) -> Result<(), String> {
    match value {
        Value::Array(values) => values.iter_mut().try_for_each(|value| write_out(value, room)),
        Value::Object(fields) if fields.contains_key("join") => {
            let joined: Joined = serde_json::from_value(value.clone())
                .map_err(|error| format!("`join`: {error}"))?;
            let mut text = String::new();
            for part in joined.join {
                let (part, times) = match part {
                    Part::Text(text) => (text, 1),
                    Part::Repeat { repeat, times } => (repeat, times),
                };
                let octets = part.len().saturating_mul(times);
                *room = room
                    .checked_sub(octets)
                    .ok_or_else(|| format!("`join`: more than {MAX_TEXT} octets"))?;
                text.push_str(&part.repeat(times));
            }
            *value = Value::String(text);
            Ok(())
        }
        Value::Object(fields) => fields.values_mut().try_for_each(|value| write_out(value, room)),
        _ => Ok(()),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Joined {
    join: Vec<Part>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Part {
    Text(String),
    Repeat { repeat: String, times: usize },
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn ok_long_texts_are_written_out() {
        let mut value = json!([{"text": {"join": ["a", {"repeat": "bc", "times": 3}]}}, "d"]);
        write_out(&mut value, &mut MAX_TEXT.clone()).expect("it fits");
        assert_eq!(value, json!([{"text": "abcbcbc"}, "d"]));
    }

    #[test]
    fn err_a_text_that_is_too_long_or_no_text() {
        let longer = json!({"join": [{"repeat": "x", "times": MAX_TEXT + 1}]});
        let endless = json!({"join": [{"repeat": "xx", "times": usize::MAX}]});
        for mut value in [longer, endless, json!({"join": [7]}), json!({"join": [], "more": 1})] {
            assert!(write_out(&mut value, &mut MAX_TEXT.clone()).is_err(), "{value}");
        }
    }

    #[test]
    fn ok_a_question_does_not_tell_the_answer() {
        for case in built_in().expect("the cases that are built in can be read") {
            let question = case.question();
            assert!(question.get("expect").is_none() && question.get("or").is_none());
            assert_eq!(question["area"], json!(case.area));
        }
    }
}
