//! What the project costs, measured beside its peers.
//!
//! `benches/run` prints the table of PERFORMANCE.md: every section three times, each time in a
//! process of its own. `benches/run scale` measures how cost and memory grow with the number of
//! domains, and draws `docs/scale.svg`. `benches/run instructions` counts instructions by valgrind.
//! `benches/run SECTION` runs one section once.

mod clients;
mod held;
mod instructions;
mod makings;
pub mod measure;
mod memory;
mod reading;
mod scale;
mod stores;
mod table;
mod text;

use reading::Reading;

/// Whatever went wrong.
pub type Anything = Box<dyn std::error::Error>;
type Section = fn() -> Result<Vec<Reading>, Anything>;

/// In the order of the table.
const SECTIONS: [(&str, Section); 6] = [
    ("text", text::readings),
    ("held", held::readings),
    ("memory", memory::readings),
    ("schedule", memory::schedule_readings),
    ("clients", clients::readings),
    ("stores", stores::readings),
];

/// Runs what the arguments name: a section, `scale`, `instructions`, or else the whole table.
///
/// # Errors
/// There is no such section, or something could not be measured.
pub fn run() -> Result<(), Anything> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => table::print(&SECTIONS.map(|(name, _)| name)),
        ["scale"] => scale::draw(),
        ["scale-point", size] => scale::point(size),
        ["instructions"] => instructions::print(),
        ["repeat", work, times] => instructions::repeat(work, times),
        [name, ..] => {
            let section = SECTIONS.iter().find(|(section, _)| section == name);
            let (_, run) = section.ok_or_else(|| format!("no section is called {name}"))?;
            println!("{}", serde_json::to_string(&run()?)?);
            Ok(())
        }
    }
}
