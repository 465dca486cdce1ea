//! `mta-sts lint`: judges what a domain publishes, without a network.

use std::ffi::OsString;
use std::path::PathBuf;

use mta_sts::{
    DnsName, MAX_POLICY_OCTETS, MxPattern, Policy, PolicyError, PolicyId, PolicyRef, Profile,
    SelectionError,
};
use mta_sts_lint::{self as lint, Diagnostic, LiveMx, Severity, Source};
use mta_sts_terminal::Format;
use mta_sts_terminal::exit::{self, Exit, Failure};
use mta_sts_terminal::read;
use mta_sts_terminal::text::harmless;
use serde::Serialize;

use crate::diagnostics::{self, Line, Text};

/// Arguments of `lint`.
#[derive(Debug, clap::Args)]
#[group(id = "input", required = true, multiple = true, args = ["record", "policy"])]
pub(crate) struct Args {
    /// How closely the policy must keep to the grammar
    #[arg(long, value_enum, default_value_t = Tolerance::Tolerant)]
    profile: Tolerance,
    /// The text of a TXT record at `_mta-sts.<domain>`; several are one set
    #[arg(long, value_name = "TXT", allow_hyphen_values = true)]
    record: Vec<OsString>,
    /// The policy file; `-` for the standard input
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// The name of an MX host, as the MX record holds it; may be repeated
    #[arg(long, value_name = "HOST", requires = "policy", allow_hyphen_values = true)]
    mx: Vec<String>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Tolerance {
    /// The grammar of RFC 8461 to the letter
    Strict,
    /// What senders commonly take as well, with a warning
    Tolerant,
}

/// Judges, prints, and tells whether there is a fault.
pub(crate) fn run(args: &Args, format: Format) -> Result<Exit, Failure> {
    let profile = match args.profile {
        Tolerance::Strict => Profile::Strict,
        Tolerance::Tolerant => Profile::Tolerant,
    };
    let name = args.policy.as_ref().map(|path| match path.as_os_str().to_str() {
        Some("-") => "standard input".to_owned(),
        _ => path.display().to_string(),
    });
    let text = match (&args.policy, &name) {
        (Some(path), Some(name)) => {
            // One octet more than a policy may have tells that it is too large.
            let limit = u64::try_from(MAX_POLICY_OCTETS).unwrap_or(u64::MAX).saturating_add(1);
            Some(read(path, limit).map_err(|error| Failure::unknown(name, error))?)
        }
        _ => None,
    };
    let records: Vec<&[u8]> = args.record.iter().map(|r| r.as_encoded_bytes()).collect();
    let result = Judged::new(&records, text.as_deref(), profile, &args.mx);
    match format {
        Format::Json => exit::print_json(&result.json())?,
        Format::Human => {
            let name = name.as_deref().unwrap_or_default();
            exit::print(&result.human(&records, text.as_deref().unwrap_or_default(), name))?;
        }
    }
    Ok(if result.is_faulty() { Exit::Fault } else { Exit::Well })
}

/// All that is known after the judgement.
struct Judged<'a> {
    record: Option<Result<PolicyId, SelectionError>>,
    policy: Option<Result<PolicyRef<'a>, PolicyError>>,
    /// Each host, and the pattern that it matches.
    mx: Vec<(&'a str, Option<String>)>,
    diagnostics: Vec<Diagnostic>,
}

impl<'a> Judged<'a> {
    fn new(
        records: &[&[u8]],
        text: Option<&'a [u8]>,
        profile: Profile,
        hosts: &'a [String],
    ) -> Self {
        let mut diagnostics = Vec::new();
        let record = (!records.is_empty()).then(|| {
            let report = lint::records(records.iter().map(|record| [record]));
            diagnostics.extend(report.diagnostics);
            report.verdict
        });
        let policy = text.map(|text| {
            let report = lint::policy(text, profile);
            diagnostics.extend(report.diagnostics);
            report.verdict
        });
        let valid = policy.as_ref().and_then(|policy| policy.as_ref().ok()).copied();
        if let Some(policy) = valid {
            let live: Vec<_> = hosts.iter().map(|host| LiveMx::new(host)).collect();
            diagnostics.extend(lint::against(policy, &live));
        }
        // A borrowed policy reads its text again for each host.
        let owned = valid.map(Policy::from);
        let matched = |host: &str| {
            let pattern = owned.as_ref()?.matching(&DnsName::parse(host).ok()?)?;
            Some(pattern.as_str().to_owned())
        };
        let mx = hosts.iter().map(|host| (&**host, matched(host))).collect();
        Self { record, policy, mx, diagnostics }
    }

    fn is_faulty(&self) -> bool {
        matches!(self.record, Some(Err(_)))
            || matches!(self.policy, Some(Err(_)))
            || lint::worst(&self.diagnostics) == Some(Severity::Error)
    }

    fn json(&self) -> LintJson<'_> {
        let refused = |error| RefusedJson { valid: false, error };
        LintJson {
            record: self.record.as_ref().map(|record| match record {
                Ok(id) => VerdictJson::Valid(RecordJson { valid: true, id: id.as_str() }),
                Err(error) => VerdictJson::Refused(refused(code(error))),
            }),
            policy: self.policy.as_ref().map(|policy| match policy {
                Ok(policy) => VerdictJson::Valid(PolicyJson {
                    valid: true,
                    mode: policy.mode().as_str(),
                    max_age: policy.max_age().as_secs(),
                    mx: policy.mx().map(MxPattern::as_str).collect(),
                }),
                Err(error) => VerdictJson::Refused(refused(error.code())),
            }),
            mx: self
                .mx
                .iter()
                .map(|(host, matched)| MxJson { host, matched: matched.as_deref() })
                .collect(),
            diagnostics: self.diagnostics.iter().map(Into::into).collect(),
        }
    }

    fn human(&self, records: &[&[u8]], text: &[u8], name: &str) -> String {
        let record_lines: Vec<_> = records.iter().map(|record| Line(record)).collect();
        let mx_lines: Vec<_> = self.mx.iter().map(|(host, _)| Line(host.as_bytes())).collect();
        let texts = [
            Text { source: Source::Record, name: "TXT record", lines: &record_lines },
            Text { source: Source::Policy, name, lines: &Line::of_file(text) },
            Text { source: Source::Mx, name: "MX host", lines: &mx_lines },
        ];
        let mut out = diagnostics::human(&self.diagnostics, &texts);
        for line in self.verdicts() {
            out.push_str(&line);
            out.push('\n');
        }
        out
    }

    /// One line for each thing judged.
    fn verdicts(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(record) = &self.record {
            lines.push(match record {
                Ok(id) => format!("record: valid, id {id}"),
                Err(error) => format!("record: invalid, {error}"),
            });
        }
        if let Some(policy) = &self.policy {
            lines.push(match policy {
                Ok(policy) => {
                    let count = policy.mx().count();
                    let patterns = if count == 1 { "pattern" } else { "patterns" };
                    format!(
                        "policy: valid, mode {}, max_age {}, {count} MX {patterns}",
                        policy.mode(),
                        policy.max_age()
                    )
                }
                Err(error) => format!("policy: invalid, {error}"),
            });
        }
        lines.extend(self.mx.iter().map(|(host, matched)| {
            let host = harmless(host);
            match matched {
                Some(pattern) => format!("mx: {host} matches {pattern}"),
                None => format!("mx: {host} matches nothing"),
            }
        }));
        lines
    }
}

/// The code of a selection's fault.
fn code(error: &SelectionError) -> &'static str {
    match error {
        SelectionError::Malformed(error) => error.code(),
        SelectionError::Several { .. } => "several_records",
        // `Absent`, and whatever else leaves no record to speak of.
        _ => "not_sts",
    }
}

#[derive(Serialize)]
struct LintJson<'a> {
    record: Option<VerdictJson<RecordJson<'a>>>,
    policy: Option<VerdictJson<PolicyJson<'a>>>,
    mx: Vec<MxJson<'a>>,
    diagnostics: Vec<diagnostics::Json<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum VerdictJson<T> {
    Valid(T),
    Refused(RefusedJson),
}

#[derive(Serialize)]
struct RefusedJson {
    valid: bool,
    error: &'static str,
}

#[derive(Serialize)]
struct RecordJson<'a> {
    valid: bool,
    id: &'a str,
}

#[derive(Serialize)]
struct PolicyJson<'a> {
    valid: bool,
    mode: &'static str,
    max_age: u32,
    mx: Vec<&'a str>,
}

#[derive(Serialize)]
struct MxJson<'a> {
    host: &'a str,
    matched: Option<&'a str>,
}
