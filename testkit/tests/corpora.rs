//! The committed fuzz corpora, through the bodies of the fuzz targets, on any toolchain.

use std::path::Path;

use mta_sts_testkit::fuzz;

type Body = fn(&[u8]);

const TARGETS: [(&str, Body); 3] =
    [("record", fuzz::record), ("policy", fuzz::policy), ("lookup", fuzz::lookup)];

#[test]
fn every_input_passes() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
    for (target, body) in TARGETS {
        let inputs = std::fs::read_dir(fuzz.join("corpus").join(target)).unwrap();
        let mut replayed = 0;
        for input in inputs {
            body(&std::fs::read(input.unwrap().path()).unwrap());
            replayed += 1;
        }
        assert!(replayed > 0, "{target} has a corpus");
    }
}

#[test]
fn every_target_is_replayed() {
    let targets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/fuzz_targets");
    for target in std::fs::read_dir(targets).unwrap() {
        let path = target.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(TARGETS.iter().any(|(target, _)| *target == name), "{name} is not replayed");
    }
}
