//! What came of all the cases, for people and for scripts.

use std::fmt::Write;

use mta_sts_terminal::exit::{Exit, Failure};
use mta_sts_terminal::style::{BAD, FAINT, GOOD, STRONG, styled};
use mta_sts_terminal::text::harmless;
use serde::Serialize;
use serde_json::{Value, json};

use super::Answer;
use super::agree::agrees;
use super::case::Case;

/// What came of one case.
#[derive(Debug)]
pub(super) struct Finding<'a> {
    case: &'a Case,
    found: Found,
}

#[derive(Debug)]
enum Found {
    Passed,
    /// The verdict is another.
    Wrong(Value),
    /// There is no verdict.
    Trouble(String),
    /// The program does not do such cases, and why.
    Skipped(String),
}

impl<'a> Finding<'a> {
    pub(super) fn of(case: &'a Case, answer: Answer) -> Self {
        let found = match answer {
            Answer::Trouble(trouble) => Found::Trouble(trouble),
            Answer::Verdict(verdict) => match verdict.get("skip") {
                Some(Value::String(reason)) => Found::Skipped(reason.clone()),
                Some(_) => Found::Trouble("expected a reason in `skip`".to_owned()),
                None => {
                    let mut right = std::iter::once(&case.expect).chain(&case.or);
                    if right.any(|expected| agrees(expected, &verdict)) {
                        Found::Passed
                    } else {
                        Found::Wrong(verdict)
                    }
                }
            },
        };
        Self { case, found }
    }
}

/// How many cases came out how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
struct Count {
    passed: usize,
    failed: usize,
    skipped: usize,
}

impl Count {
    fn add(&mut self, found: &Found) {
        match found {
            Found::Passed => self.passed += 1,
            Found::Wrong(_) | Found::Trouble(_) => self.failed += 1,
            Found::Skipped(_) => self.skipped += 1,
        }
    }
}

/// The findings, in the order of the cases.
#[derive(Debug)]
pub(super) struct Results<'a>(Vec<Finding<'a>>);

impl<'a> FromIterator<Finding<'a>> for Results<'a> {
    fn from_iter<I: IntoIterator<Item = Finding<'a>>>(findings: I) -> Self {
        Self(findings.into_iter().collect())
    }
}

impl Results<'_> {
    /// A failed case is a fault; where none passed and none failed, nothing is known.
    pub(super) fn exit(&self) -> Exit {
        match self.total() {
            Count { failed: 1.., .. } => Exit::Fault,
            Count { passed: 0, .. } => Exit::Unknown,
            Count { .. } => Exit::Well,
        }
    }

    fn total(&self) -> Count {
        let mut total = Count::default();
        self.0.iter().for_each(|finding| total.add(&finding.found));
        total
    }

    /// The counts by area, in the order in which the areas come.
    fn areas(&self) -> Vec<(&str, Count)> {
        let mut areas: Vec<(&str, Count)> = Vec::new();
        for Finding { case, found } in &self.0 {
            let at = areas.iter().position(|(area, _)| *area == case.area).unwrap_or(areas.len());
            if at == areas.len() {
                areas.push((&case.area, Count::default()));
            }
            if let Some((_, count)) = areas.get_mut(at) {
                count.add(found);
            }
        }
        areas
    }

    /// A table of the areas, then each failure.
    pub(super) fn human(&self) -> String {
        let mut out = String::new();
        let title = format!("{:<16}{:>8}{:>8}{:>9}", "area", "passed", "failed", "skipped");
        let _ = writeln!(out, "{}", styled(STRONG, title));
        let total = self.total();
        for (area, count) in self.areas().into_iter().chain([("total", total)]) {
            let failed = format!("{:>8}", count.failed);
            let failed = if count.failed > 0 { styled(BAD, failed) } else { styled(FAINT, failed) };
            let area = harmless(area);
            let _ = writeln!(out, "{area:<16}{:>8}{failed}{:>9}", count.passed, count.skipped);
        }
        for Finding { case, found } in &self.0 {
            let got = match found {
                Found::Passed | Found::Skipped(_) => continue,
                Found::Wrong(verdict) => verdict.to_string(),
                Found::Trouble(trouble) => trouble.clone(),
            };
            let head = format!("{} ({}, {})", case.id, case.clause, case.level);
            let (head, title) = (styled(STRONG, harmless(&head)), harmless(&case.title));
            let _ = writeln!(out, "\n{} {head}: {title}", styled(BAD, '✗'));
            let _ = writeln!(out, "  expected  {}", harmless(&case.expect.to_string()));
            for other in &case.or {
                let _ = writeln!(out, "  or        {}", harmless(&other.to_string()));
            }
            let _ = writeln!(out, "  got       {}", harmless(&got));
        }
        out.push_str(&self.reasons());
        let verdict = match self.exit() {
            Exit::Well => styled(GOOD, "every case that was answered is as the RFC has it"),
            Exit::Fault => styled(BAD, "not every case is as the RFC has it"),
            _ => styled(BAD, "no case was answered"),
        };
        let _ = writeln!(out, "\n{verdict}");
        out
    }

    /// Why cases were skipped: each reason once.
    fn reasons(&self) -> String {
        let mut reasons: Vec<(&str, usize)> = Vec::new();
        for finding in &self.0 {
            let Found::Skipped(reason) = &finding.found else { continue };
            match reasons.iter_mut().find(|(known, _)| known == reason) {
                Some((_, count)) => *count += 1,
                None => reasons.push((reason, 1)),
            }
        }
        let mut out = String::new();
        for (reason, count) in &reasons {
            let start = if out.is_empty() { "\n" } else { "" };
            let _ = writeln!(out, "{start}skipped {count}: {}", harmless(reason));
        }
        out
    }

    /// One line: the counts, the failures, the reasons of those skipped.
    pub(super) fn json(&self) -> Result<String, Failure> {
        let areas: Vec<_> = self
            .areas()
            .into_iter()
            .map(|(area, count)| {
                json!({
                    "area": area, "passed": count.passed, "failed": count.failed,
                    "skipped": count.skipped,
                })
            })
            .collect();
        let (mut failures, mut skips) = (Vec::new(), Vec::new());
        for Finding { case, found } in &self.0 {
            let (name, value) = match found {
                Found::Passed => continue,
                Found::Skipped(reason) => {
                    skips.push(json!({"id": case.id, "reason": reason}));
                    continue;
                }
                Found::Wrong(verdict) => ("got", verdict.clone()),
                Found::Trouble(trouble) => ("trouble", json!(trouble)),
            };
            failures.push(json!({
                "id": case.id, "clause": case.clause, "level": case.level, "area": case.area,
                "title": case.title, "expect": case.expect, "or": case.or, name: value,
            }));
        }
        let Count { passed, failed, skipped } = self.total();
        let all = json!({
            "passed": passed, "failed": failed, "skipped": skipped, "areas": areas,
            "failures": failures, "skips": skips,
        });
        serde_json::to_string(&all)
            .map(|line| line + "\n")
            .map_err(|error| Failure::unknown("the results", error))
    }
}
