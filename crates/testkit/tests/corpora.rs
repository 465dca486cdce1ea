//! The committed fuzz corpora, through the bodies of the fuzz targets, on any toolchain.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use mta_sts_testkit::fuzz::TARGETS;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

#[test]
fn every_input_passes() {
    for (target, body) in TARGETS {
        let inputs = std::fs::read_dir(fuzz().join("corpus").join(target)).unwrap();
        let mut replayed = 0;
        for input in inputs {
            let path = input.unwrap().path();
            println!("{}", path.display());
            body(&std::fs::read(path).unwrap());
            replayed += 1;
        }
        assert!(replayed > 0, "{target} has a corpus");
    }
}

#[test]
fn every_target_is_replayed_and_built() {
    let names: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let stem = |path: PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
    let files = std::fs::read_dir(fuzz().join("fuzz_targets")).unwrap();
    let files: BTreeSet<String> = files.map(|file| stem(file.unwrap().path())).collect();
    assert_eq!(files, names);
    let manifest = std::fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    let built = manifest.lines().filter_map(|line| line.strip_prefix("path = \"fuzz_targets/"));
    let built: BTreeSet<String> =
        built.map(|path| stem(path.trim_end_matches('"').into())).collect();
    assert_eq!(built, names);
}
