//! The judgement of files: real ones, and a collection of broken ones, each with the fault that
//! is to be named.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use mta_sts::{PolicyRef, Profile};
use mta_sts_lint::{self as lint, Severity};

/// Codes for a file, or a line, that is something else: they say more than the parser's code.
const RECOGNISED: &[&str] = &[
    "two_policies",
    "empty",
    "not_a_policy",
    "json",
    "yaml",
    "front_matter",
    "rtf",
    "html",
    "markdown",
    "utf16",
    "binary",
    "pem",
    "zone_file",
    "http_response",
    "record_in_policy",
    "literal_newline",
    "cr_line_ends",
    "comment",
];

/// Each file of `tests/data/broken`, and the errors in the order of its lines.
const BROKEN: &[(&str, &[&str])] = &[
    ("certificate.pem", &["pem"]),
    ("comments.txt", &["comment", "bad_mode"]),
    ("control.txt", &["bad_syntax"]),
    ("document.yaml", &["yaml"]),
    ("echo-newlines.txt", &["literal_newline"]),
    ("empty.txt", &["empty"]),
    ("equals.txt", &["bad_syntax", "bad_syntax", "bad_syntax", "bad_syntax"]),
    ("error-page.html", &["html"]),
    ("fenced.md", &["markdown"]),
    ("front-matter.md", &["front_matter"]),
    ("gzip.bin", &["binary"]),
    ("http-response.txt", &["http_response"]),
    ("joined-without-newline.txt", &["two_policies", "bad_max_age"]),
    ("latin1.txt", &["bad_encoding"]),
    ("list.yaml", &["yaml"]),
    ("max-age-commas.txt", &["bad_max_age"]),
    ("max-age-hyphen.txt", &["missing_max_age"]),
    ("max-age-long.txt", &["bad_max_age"]),
    ("max-age-unit.txt", &["bad_max_age"]),
    ("mode-brackets.txt", &["bad_mode"]),
    ("mode-capital.txt", &["bad_mode"]),
    ("mode-enforced.txt", &["bad_mode"]),
    ("mode-nbsp.txt", &["bad_mode"]),
    ("mode-quoted.txt", &["bad_mode"]),
    ("mode-template.txt", &["bad_mode"]),
    ("mx-inner-star.txt", &["bad_mx"]),
    ("mx-list.txt", &["bad_mx"]),
    ("mx-literal.txt", &["bad_mx"]),
    ("mx-preference.txt", &["bad_mx"]),
    ("mx-star.txt", &["bad_mx"]),
    ("mx-template.txt", &["bad_mx"]),
    ("mx-unicode.txt", &["bad_mx"]),
    ("mx-url.txt", &["bad_mx"]),
    ("names-capital.txt", &["missing_version", "missing_mode", "missing_mx", "missing_max_age"]),
    ("nmx.txt", &["missing_mx"]),
    ("not-found.txt", &["not_a_policy"]),
    ("old-mac.txt", &["cr_line_ends"]),
    ("one-line.txt", &["bad_version"]),
    ("only-blank-lines.txt", &["empty"]),
    ("policy.json", &["json"]),
    ("record-below-policy.txt", &["record_in_policy"]),
    ("semicolons.txt", &["bad_version"]),
    ("shell.sh", &["html"]),
    ("two-policies.txt", &["bad_max_age", "two_policies"]),
    ("txt-record.txt", &["record_in_policy"]),
    ("utf16-be-no-mark.txt", &["utf16"]),
    ("utf16-le.txt", &["utf16"]),
    ("version-2.txt", &["bad_version"]),
    ("wide-colon.txt", &["bad_syntax"]),
    ("word-processor.rtf", &["rtf"]),
    ("zone-line.txt", &["zone_file"]),
    ("zone.db", &["zone_file"]),
];

fn broken() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/broken")
}

fn errors(octets: &[u8], profile: Profile) -> Vec<&'static str> {
    let report = lint::policy(octets, profile);
    let errors = report.diagnostics.iter().filter(|d| d.severity == Severity::Error);
    errors.map(|d| d.code).collect()
}

#[test]
fn err_each_broken_file_is_named_for_what_it_is() {
    let present: BTreeSet<_> = std::fs::read_dir(broken())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let listed: BTreeSet<_> = BROKEN.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(present, listed);
    for (name, expected) in BROKEN {
        let octets = std::fs::read(broken().join(name)).unwrap();
        let report = lint::policy(&octets, Profile::Tolerant);
        assert!(report.verdict.is_err(), "{name}");
        assert_eq!(errors(&octets, Profile::Tolerant), *expected, "{name}: {report:#?}");
        let all = report.diagnostics.iter().filter(|d| d.severity == Severity::Error);
        assert!(all.clone().all(|d| d.help.is_some()), "{name}: {report:#?}");
    }
}

#[test]
fn ok_real_policies_have_errors_if_and_only_if_they_are_refused() {
    let Some(corpus) = std::env::var_os("MTA_STS_CORPUS").map(PathBuf::from) else {
        println!("skipped: MTA_STS_CORPUS is not set");
        return;
    };
    let folder = corpus.join("policies");
    let mut count = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let octets = std::fs::read(&path).unwrap();
        for profile in [Profile::Strict, Profile::Tolerant] {
            let errors = errors(&octets, profile);
            match PolicyRef::parse(&octets, profile) {
                Ok(_) => assert_eq!(errors, <[&str; 0]>::default(), "{}", path.display()),
                Err(error) => {
                    let named = |code: &&str| *code == error.code() || RECOGNISED.contains(code);
                    assert!(errors.iter().any(named), "{}: {error}: {errors:?}", path.display());
                }
            }
        }
        count += 1;
    }
    assert!(count > 0, "no file in {}", folder.display());
}

#[test]
fn ok_no_cut_of_a_broken_file_brings_it_down() {
    for (name, _) in BROKEN {
        let octets = std::fs::read(broken().join(name)).unwrap();
        for end in 0..=octets.len() {
            let head = octets.get(..end).unwrap_or_default();
            let report = lint::policy(head, Profile::Strict);
            let refused = report.worst() == Some(Severity::Error);
            assert_eq!(refused, report.verdict.is_err(), "{name} to {end}: {report:?}");
        }
    }
}
