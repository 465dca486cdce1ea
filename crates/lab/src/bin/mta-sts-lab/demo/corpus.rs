//! Real policies, served and looked up like any other, and compared with the verdicts that come
//! with them.

mod verdict;

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::path::{Path, PathBuf};

use futures_util::{StreamExt, stream};
use indicatif::{ProgressBar, ProgressStyle};
use mta_sts::{MAX_POLICY_OCTETS, PolicyDomain};
use mta_sts_terminal::exit::Failure;
use mta_sts_terminal::read;
use mta_sts_terminal::style::{BAD, GOOD, STRONG, styled};
use serde::Serialize;

use super::world::World;
use verdict::Verdict;

/// The most policies that are served, and the largest file of verdicts, in octets.
const MAX_FILES: usize = 20_000;
const MAX_VERDICTS: u64 = 64 * 1024 * 1024;
/// How many are looked up at the same time.
const AT_ONCE: usize = 8;

/// A folder of policies.
pub(super) struct Corpus {
    folder: PathBuf,
    /// Their names, as the verdicts call them.
    files: Vec<String>,
    verdicts: HashMap<String, Verdict>,
}

impl Corpus {
    pub(super) fn read(folder: &Path) -> Result<Self, Failure> {
        let below = folder.join("policies");
        let (place, prefix) =
            if below.is_dir() { (below.as_path(), "policies/") } else { (folder, "") };
        let failed = |error| Failure::unknown(format_args!("{}", place.display()), error);
        let mut files = Vec::new();
        for entry in std::fs::read_dir(place).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let is_policy = path.extension().is_some_and(|end| end == "txt") && path.is_file();
            let name = path.file_name().and_then(|name| name.to_str());
            if let Some(name) = name.filter(|_| is_policy) {
                files.push(format!("{prefix}{name}"));
            }
            if files.len() > MAX_FILES {
                let folder = place.display();
                return Err(Failure::unknown(folder, format_args!("more than {MAX_FILES} files")));
            }
        }
        if files.is_empty() {
            return Err(Failure::unknown(place.display(), "no policy in it (`*.txt`)"));
        }
        files.sort_unstable();
        let verdicts = read_verdicts(&folder.join("policies.jsonl"))?;
        Ok(Self { folder: folder.to_owned(), files, verdicts })
    }

    /// Serves each under a domain of its own, and looks it up.
    pub(super) async fn serve(&self, world: &World) -> Summary {
        // It hides itself where there is no terminal.
        let bar = ProgressBar::new(u64::try_from(self.files.len()).unwrap_or(u64::MAX));
        if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos} of {len} policies") {
            bar.set_style(style);
        }
        let mut lookups = stream::iter(self.files.iter().enumerate())
            .map(|(number, file)| self.look_up(number, file, world))
            .buffered(AT_ONCE);
        let mut summary = Summary::default();
        while let Some((file, verdict)) = lookups.next().await {
            summary.add(file, &verdict, self.verdicts.get(file));
            bar.inc(1);
        }
        bar.finish_and_clear();
        summary
    }

    async fn look_up<'a>(&self, number: usize, file: &'a str, world: &World) -> (&'a str, Verdict) {
        // One octet more than a policy may have tells that it is too large.
        let limit = u64::try_from(MAX_POLICY_OCTETS).unwrap_or(u64::MAX).saturating_add(1);
        let octets = match read(&self.folder.join(file), limit) {
            Ok(octets) => octets,
            Err(error) => return (file, Verdict::failed(error)),
        };
        let name = format!("p{number}.corpus.example");
        let domain = match PolicyDomain::parse(&name) {
            Ok(domain) => domain,
            Err(error) => return (file, Verdict::failed(error)),
        };
        let published = world.lab.domain(&name).policy(octets);
        published.publish();
        let outcome = world.client.policy_for(&domain).await;
        published.withdraw();
        (file, Verdict::of(&outcome))
    }
}

fn read_verdicts(path: &Path) -> Result<HashMap<String, Verdict>, Failure> {
    if !path.exists() {
        return Ok(HashMap::new());
    }
    let octets = read(path, MAX_VERDICTS);
    let octets = octets.map_err(|error| Failure::unknown(path.display(), error))?;
    let text = String::from_utf8_lossy(&octets);
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(number, line)| {
            let place = || format!("{}, line {}", path.display(), number.saturating_add(1));
            verdict::parse(line).map_err(|error| Failure::unknown(place(), error))
        })
        .collect()
}

/// What became of the policies.
#[derive(Debug, Default)]
pub(super) struct Summary {
    policies: usize,
    /// How many were found, by mode.
    found: BTreeMap<String, usize>,
    /// How many were refused, by the code of the fault.
    refused: BTreeMap<String, usize>,
    /// Those that could not even be judged, and why.
    failed: Vec<(String, String)>,
    /// How many there was a verdict for.
    compared: usize,
    disagreements: Vec<Disagreement>,
}

#[derive(Debug, Serialize)]
struct Disagreement {
    file: String,
    expected: String,
    found: String,
}

/// The summary as JSON.
#[derive(Debug, Serialize)]
pub(super) struct SummaryJson<'a> {
    corpus: CorpusJson<'a>,
}

#[derive(Debug, Serialize)]
struct CorpusJson<'a> {
    policies: usize,
    found: &'a BTreeMap<String, usize>,
    refused: &'a BTreeMap<String, usize>,
    failed: usize,
    compared: usize,
    disagreements: &'a [Disagreement],
}

impl Summary {
    fn add(&mut self, file: &str, found: &Verdict, expected: Option<&Verdict>) {
        self.policies = self.policies.saturating_add(1);
        let count = match found {
            Verdict::Valid { mode, .. } => self.found.entry(mode.clone()).or_default(),
            Verdict::Refused { error } => self.refused.entry(error.clone()).or_default(),
            Verdict::Failed { why } => {
                self.failed.push((file.to_owned(), why.clone()));
                return;
            }
        };
        *count = count.saturating_add(1);
        let Some(expected) = expected else { return };
        self.compared = self.compared.saturating_add(1);
        if expected != found {
            self.disagreements.push(Disagreement {
                file: file.to_owned(),
                expected: expected.to_string(),
                found: found.to_string(),
            });
        }
    }

    pub(super) fn json(&self) -> SummaryJson<'_> {
        SummaryJson {
            corpus: CorpusJson {
                policies: self.policies,
                found: &self.found,
                refused: &self.refused,
                failed: self.failed.len(),
                compared: self.compared,
                disagreements: &self.disagreements,
            },
        }
    }

    pub(super) fn human(&self) -> String {
        let sum = |counts: &BTreeMap<String, usize>| counts.values().sum::<usize>();
        let list = |counts: &BTreeMap<String, usize>| {
            let parts: Vec<_> = counts.iter().map(|(what, n)| format!("{what} {n}")).collect();
            if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) }
        };
        let mut out = format!(
            "\n{}: {} policies, each under a domain of its own\n",
            styled(STRONG, "Corpus"),
            self.policies
        );
        let _ = writeln!(out, "  found    {}{}", sum(&self.found), list(&self.found));
        let _ = writeln!(out, "  refused  {}{}", sum(&self.refused), list(&self.refused));
        if !self.failed.is_empty() {
            let _ = writeln!(out, "  failed   {}", styled(BAD, self.failed.len()));
        }
        let agreed = self.compared.saturating_sub(self.disagreements.len());
        let _ = match (self.compared, agreed) {
            (0, _) => writeln!(out, "  verdicts none to compare with"),
            (compared, agreed) => {
                let style = if agreed == compared { GOOD } else { BAD };
                let text = format!("{agreed} of {compared} agree");
                writeln!(out, "  verdicts {}", styled(style, text))
            }
        };
        out
    }

    /// What should not have happened.
    pub(super) fn faults(&self) -> impl Iterator<Item = String> {
        let failed = self.failed.iter().map(|(file, why)| format!("{file}: {why}"));
        failed.chain(self.disagreements.iter().map(|disagreement| {
            let Disagreement { file, expected, found } = disagreement;
            format!("{file}: expected {expected}, found {found}")
        }))
    }
}
