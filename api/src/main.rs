//! Prints the public API of a crate, one item a line, from the JSON that rustdoc writes.

use std::collections::BTreeSet;
use std::process::ExitCode;

use public_api::Builder;

/// Traits of the compiler's own, which come and go with its versions.
const UNSTABLE: [&str; 3] =
    ["core::marker::Freeze", "core::marker::StructuralPartialEq", "core::marker::UnsafeUnpin"];

fn main() -> ExitCode {
    let Some(path) = std::env::args_os().nth(1) else {
        eprintln!("usage: mta-sts-api RUSTDOC_JSON");
        return ExitCode::from(64);
    };
    match list(path.as_ref()) {
        Ok(lines) => {
            for line in lines {
                println!("{line}");
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {}: {error}", path.display());
            ExitCode::FAILURE
        }
    }
}

/// Every item, and every trait that is implemented; not the methods of derived traits.
fn list(path: &std::path::Path) -> Result<Vec<String>, public_api::Error> {
    let written_out = Builder::from_rustdoc_json(path)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .omit_auto_derived_impls(true)
        .build()?;
    let written_out: BTreeSet<_> = written_out.items().map(ToString::to_string).collect();
    let all = Builder::from_rustdoc_json(path).omit_blanket_impls(true).build()?;
    Ok(all
        .items()
        .map(ToString::to_string)
        .filter(|line| written_out.contains(line) || line.starts_with("impl"))
        .filter(|line| !UNSTABLE.iter().any(|name| line.contains(name)))
        .collect())
}
