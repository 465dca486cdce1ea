//! The cases by the clause that they hold to.

use std::collections::BTreeMap;
use std::fmt::Write;

use mta_sts_terminal::exit::Failure;
use mta_sts_terminal::style::{STRONG, styled};
use mta_sts_terminal::text::harmless;

use super::case::Case;

/// For people: the clauses in their order, and below each its cases.
pub(super) fn human(cases: &[Case]) -> String {
    let mut clauses: BTreeMap<Vec<u64>, (&str, Vec<&Case>)> = BTreeMap::new();
    for case in cases {
        let place = clauses.entry(numbers(&case.clause));
        place.or_insert_with(|| (&case.clause, Vec::new())).1.push(case);
    }
    let mut out = String::new();
    for (clause, cases) in clauses.values() {
        let count = match cases.len() {
            1 => "1 case".to_owned(),
            count => format!("{count} cases"),
        };
        let _ = writeln!(out, "{} ({count})", styled(STRONG, harmless(clause)));
        for case in cases {
            let (id, title) = (harmless(&case.id), harmless(&case.title));
            let _ = writeln!(out, "  {:<6}  {id:<36}  {title}", case.level);
        }
    }
    let count = clauses.len();
    let _ = writeln!(out, "\n{} cases of {count} clauses", cases.len());
    out
}

/// A line of JSON for each case, without what is given and expected.
pub(super) fn json(cases: &[Case]) -> Result<String, Failure> {
    let mut out = String::new();
    for case in cases {
        let mut line = case.question();
        if let Some(fields) = line.as_object_mut() {
            fields.remove("input");
        }
        let line = serde_json::to_string(&line);
        out.push_str(&line.map_err(|error| Failure::unknown("the list", error))?);
        out.push('\n');
    }
    Ok(out)
}

/// The numbers of a clause, so that section 10 comes after section 9.
fn numbers(clause: &str) -> Vec<u64> {
    let digits = clause.split(|c: char| !c.is_ascii_digit());
    digits.filter_map(|digits| digits.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_clauses_stand_in_the_order_of_their_numbers() {
        let mut clauses = ["RFC 8461 §10.2", "RFC 8461 §3.1", "RFC 6890 §2.2", "RFC 8461 §3"];
        clauses.sort_by_key(|clause| numbers(clause));
        assert_eq!(clauses, ["RFC 6890 §2.2", "RFC 8461 §3", "RFC 8461 §3.1", "RFC 8461 §10.2"]);
    }
}
