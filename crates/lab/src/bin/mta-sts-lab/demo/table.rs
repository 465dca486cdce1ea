//! The story for people: a row for each step, with what happened and what was decided below it.

use std::fmt::Write;

use mta_sts::Problem;
use mta_sts_terminal::style::{BAD, FAINT, GOOD, STRONG, style_of, styled};
use mta_sts_terminal::text;

use super::story::Told;
use super::world::{Asked, World};

/// Where it all happens, and the names of the columns.
pub(super) fn header(world: &World) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        "The life of a policy. All of it happens on loopback: DNS at {}, HTTPS at {},\n\
         with a certification authority that ends with the demo. The clock is set by hand.\n",
        world.lab.dns_addr(),
        world.lab.https_addr()
    );
    let titles = columns(["#", "step", "asked", "status", "policy", "expires in", "problem"]);
    let _ = writeln!(out, "{}", styled(STRONG, titles.trim_end()));
    out
}

/// A step.
pub(super) fn row(number: usize, told: &Told) -> String {
    let outcome = &told.outcome;
    let held = outcome.policy();
    let policy =
        held.map_or_else(|| "-".to_owned(), |h| format!("{}, id {}", h.policy().mode(), h.id()));
    let left =
        held.map_or_else(|| "-".to_owned(), |h| text::span(h.expires_in(told.now).as_secs()));
    let problem = outcome.problem().map_or("-".into(), Problem::reason_code);
    let status = outcome.status();
    let asked = asked(told.asked);
    let number = number.to_string();
    let cells = [&number, told.step.name, &asked, status.as_str(), &policy, &left, &problem];
    // Colours go around the padding, so that the columns stay.
    let line = columns(cells).trim_end().to_owned();
    let line = line.replacen(
        &format!("  {status} "),
        &format!("  {} ", styled(style_of(status), status)),
        1,
    );
    let mut out = format!("{line}\n");
    let _ = writeln!(out, "    {}", styled(FAINT, told.step.world));
    let _ = writeln!(out, "    → {}", text::harmless(&told.decision()));
    if let Some(fault) = &told.fault {
        let _ = writeln!(out, "    {} {}", styled(BAD, '✗'), text::harmless(fault));
    }
    out
}

/// What there is to say at the end.
pub(super) fn summary(steps: usize, wrong: usize, asked: Asked) -> String {
    let verdict = match wrong {
        0 => styled(GOOD, format_args!("{steps} steps, all as they should be")),
        wrong => styled(BAD, format_args!("{steps} steps, {wrong} not as they should be")),
    };
    format!("\n{verdict}; {} questions for TXT, {} connections by HTTPS\n", asked.txt, asked.https)
}

fn asked(asked: Asked) -> String {
    let mut parts = Vec::new();
    for (count, what) in [(asked.txt, "TXT"), (asked.https, "HTTPS")] {
        match count {
            0 => {}
            1 => parts.push(what.to_owned()),
            count => parts.push(format!("{count} {what}")),
        }
    }
    if parts.is_empty() { "nothing".to_owned() } else { parts.join(" + ") }
}

fn columns(cells: [&str; 7]) -> String {
    let [number, step, asked, status, policy, left, problem] = cells;
    format!("{number:>2}  {step:<28}{asked:<13}  {status:<11}{policy:<16}{left:<17}{problem}")
}
