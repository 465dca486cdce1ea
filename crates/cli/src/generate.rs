//! `mta-sts generate`: writes a policy and its record, or the steps of a removal.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, civil};
use mta_sts::{MaxAge, Mode, PolicyDomain, Profile, UnixTime};
use mta_sts_lint as lint;
use mta_sts_lint::publish::{
    PolicyBuilder, PolicyText, PublishError, RemovalAction, RemovalStep, removal,
};
use mta_sts_terminal::Format;
use mta_sts_terminal::exit::{self, Exit, Failure};
use mta_sts_terminal::text;
use serde::Serialize;

use crate::diagnostics::{self, Line, Text};

/// Arguments of `generate`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What senders do when TLS cannot be verified
    #[arg(long, value_parser = mode, value_name = "enforce|testing|none", required_unless_present = "removal")]
    mode: Option<Mode>,
    /// An MX host, or `*.` and its domain; may be repeated
    #[arg(long, value_name = "PATTERN")]
    mx: Vec<String>,
    /// For how long senders keep the policy: seconds, or a number with s, m, h, d or w. With
    /// --removal: the longest that any policy of the domain had
    #[arg(long, value_parser = max_age, value_name = "AGE")]
    max_age: MaxAge,
    /// The domain, to print the full names
    #[arg(long, value_parser = PolicyDomain::parse)]
    domain: Option<PolicyDomain>,
    /// End the lines with CRLF instead of LF
    #[arg(long)]
    crlf: bool,
    /// Write the policy to `.well-known/mta-sts.txt` in this folder, the web root of the policy
    /// host
    #[arg(long, value_name = "DIR")]
    write: Option<PathBuf>,
    /// Print the steps by which a domain leaves MTA-STS
    #[arg(long, conflicts_with_all = ["mode", "mx", "write"])]
    removal: bool,
    /// When the last policy of another mode than `none` was served: a date (UTC, taken to its
    /// end) or a time such as 2026-11-09T10:00:00Z; now, if not given
    #[arg(long, value_parser = served, value_name = "DATE", conflicts_with = "mode")]
    last_served: Option<UnixTime>,
}

fn mode(text: &str) -> Result<Mode, String> {
    Mode::parse(text).ok_or_else(|| "expected `enforce`, `testing` or `none`".to_owned())
}

fn max_age(text: &str) -> Result<MaxAge, String> {
    let (digits, unit) = match text.strip_suffix(['s', 'm', 'h', 'd', 'w']) {
        Some(digits) => (digits, text.get(digits.len()..).unwrap_or_default()),
        None => (text, "s"),
    };
    let length = match unit {
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 604_800,
        _ => 1,
    };
    let longest = u64::from(MaxAge::LONGEST.as_secs());
    let all_digits = digits.bytes().all(|b| b.is_ascii_digit());
    let number: Option<u64> = digits.parse().ok().filter(|_| all_digits);
    let secs = number.and_then(|number| number.checked_mul(length));
    secs.filter(|secs| *secs <= longest)
        .map(MaxAge::from_secs)
        .ok_or_else(|| format!("expected 0 to {longest} seconds, such as 1209600 or 14d"))
}

fn served(text: &str) -> Result<UnixTime, String> {
    let stamp = match text.parse::<civil::Date>() {
        // Served until some time of that day: only its end is safe.
        Ok(date) if !text.contains('T') => date
            .checked_add(1.day())
            .and_then(|next| next.to_zoned(TimeZone::UTC))
            .map(|zoned| zoned.timestamp()),
        _ => text.parse::<Timestamp>(),
    };
    let stamp = stamp.map_err(|error| error.to_string())?;
    let secs = u64::try_from(stamp.as_second()).map_err(|_| "expected a time since 1970")?;
    Ok(UnixTime::from_secs(secs))
}

/// Prints the policy and its record, or the steps of a removal.
pub(crate) fn run(args: &Args, format: Format) -> Result<Exit, Failure> {
    match args.mode {
        Some(mode) => publish(args, mode, format),
        None => remove(args, format),
    }
}

/// Where things go.
struct Names {
    record: String,
    url: String,
}

impl Names {
    fn of(domain: Option<&PolicyDomain>) -> Self {
        let (record, host) = match domain {
            Some(domain) => (domain.txt_name().to_owned(), domain.policy_host().to_owned()),
            None => ("_mta-sts.<domain>".to_owned(), "mta-sts.<domain>".to_owned()),
        };
        Self { record, url: format!("https://{host}/.well-known/mta-sts.txt") }
    }
}

fn publish(args: &Args, mode: Mode, format: Format) -> Result<Exit, Failure> {
    let builder = PolicyBuilder::new(mode, args.max_age);
    let policy = args.mx.iter().fold(builder, |builder, pattern| builder.mx(pattern)).build();
    let policy = policy.map_err(|error| match error {
        PublishError::MissingMx { .. } => Failure::usage(format!("{error}; add --mx HOST")),
        error => Failure::usage(error),
    })?;
    let text = if args.crlf { policy.to_crlf() } else { policy.as_str().to_owned() };
    let written = match &args.write {
        Some(root) => Some(write(root, &text)?),
        None => None,
    };
    // A valid policy can still be unwise.
    let report = lint::policy(text.as_bytes(), Profile::Strict);
    let names = Names::of(args.domain.as_ref());
    if format == Format::Json {
        exit::print_json(&PublishJson {
            policy: &text,
            url: &names.url,
            written: written.as_deref().map(Path::display).map(|path| path.to_string()),
            id: policy.id().as_str(),
            record: policy.record().as_str(),
            record_name: &names.record,
            diagnostics: report.diagnostics.iter().map(Into::into).collect(),
        })?;
        return Ok(Exit::Well);
    }
    let lines = Line::of_file(text.as_bytes());
    let texts = [Text { source: lint::Source::Policy, name: "mta-sts.txt", lines: &lines }];
    let mut out = diagnostics::human(&report.diagnostics, &texts);
    let written = written.map(|path| format!("It is written to {}.\n", path.display()));
    let first = [serve(&names, &text), written.unwrap_or_default()].join("\n");
    out.push_str(&step(1, &first));
    // RFC 8461 §8.1: the policy before the record, lest senders fetch the old one.
    out.push_str(&step(2, &announce(&names, policy.record().as_str())));
    exit::print(&out)?;
    Ok(Exit::Well)
}

fn serve(names: &Names, text: &str) -> String {
    format!("Serve this at {}, as text/plain:\n\n{text}", names.url)
}

fn announce(names: &Names, record: &str) -> String {
    format!("When it is served, publish this TXT record at {}:\n\n{record}\n", names.record)
}

fn step(number: usize, text: &str) -> String {
    format!("{number}. {text}\n")
}

/// Writes the policy so that the web server never serves half of it.
fn write(root: &Path, text: &str) -> Result<PathBuf, Failure> {
    let folder = root.join(".well-known");
    let path = folder.join("mta-sts.txt");
    let part = folder.join(format!("mta-sts.txt.{}.part", std::process::id()));
    let written = fs::create_dir_all(&folder)
        .and_then(|()| fs::File::create(&part))
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&part, &path));
    written.map(|()| path.clone()).map_err(|error| {
        // Perhaps it was never there.
        let _ = fs::remove_file(&part);
        Failure::unknown(path.display(), error)
    })
}

fn remove(args: &Args, format: Format) -> Result<Exit, Failure> {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map(|since| UnixTime::from_secs(since.as_secs()))
        .map_err(|error| Failure::unknown("the clock of this machine", error))?;
    let steps = removal(args.max_age, args.last_served.unwrap_or(now), now);
    let names = Names::of(args.domain.as_ref());
    if format == Format::Json {
        exit::print_json(&RemovalJson {
            steps: steps.iter().map(|step| StepJson::of(step, &names, args.crlf)).collect(),
        })?;
        return Ok(Exit::Well);
    }
    let mut out = String::new();
    for (number, RemovalStep { earliest, after_first, action }) in (1..).zip(&steps) {
        let what = match action {
            RemovalAction::ServePolicy(policy) => {
                format!("Now: {}", lower(&serve(&names, &lines(policy, args.crlf))))
            }
            RemovalAction::PublishRecord(record) => announce(&names, record.as_str()),
            _ => format!(
                "{}: remove the TXT record at {}, then {}\n   and its host.",
                last(*earliest, *after_first),
                names.record,
                names.url
            ),
        };
        out.push_str(&step(number, &what));
    }
    exit::print(&out)?;
    Ok(Exit::Well)
}

/// The time of the last step. Senders hold the old policy until then.
fn last(earliest: UnixTime, after_first: MaxAge) -> String {
    let date = date(earliest);
    if after_first == MaxAge::ZERO {
        return format!("Not before {date}");
    }
    // The span is rounded down, so the seconds stand before it.
    let span = text::span(u64::from(after_first.as_secs()));
    format!("{after_first} seconds ({span}) after step 1 was done, but not before {date}")
}

fn lower(text: &str) -> String {
    text.replacen("Serve", "serve", 1)
}

fn lines(policy: &PolicyText, crlf: bool) -> String {
    if crlf { policy.to_crlf() } else { policy.as_str().to_owned() }
}

/// The time in UTC.
fn date(time: UnixTime) -> String {
    let stamp =
        i64::try_from(time.as_secs()).ok().and_then(|secs| Timestamp::from_second(secs).ok());
    stamp.map_or_else(|| "the end of time".to_owned(), |stamp| stamp.to_string())
}

#[derive(Serialize)]
struct PublishJson<'a> {
    policy: &'a str,
    url: &'a str,
    written: Option<String>,
    id: &'a str,
    record: &'a str,
    record_name: &'a str,
    diagnostics: Vec<diagnostics::Json<'a>>,
}

#[derive(Serialize)]
struct RemovalJson {
    steps: Vec<StepJson>,
}

#[derive(Serialize)]
struct StepJson {
    not_before: String,
    unix: u64,
    /// The step must wait for so many seconds after the first was done.
    seconds_after_first: u32,
    action: &'static str,
    policy: Option<String>,
    url: Option<String>,
    record: Option<String>,
    record_name: Option<String>,
}

impl StepJson {
    fn of(step: &RemovalStep, names: &Names, crlf: bool) -> Self {
        let (url, record_name) = (Some(names.url.clone()), Some(names.record.clone()));
        let bare = Self {
            not_before: date(step.earliest),
            unix: step.earliest.as_secs(),
            seconds_after_first: step.after_first.as_secs(),
            action: "remove_all",
            policy: None,
            url: None,
            record: None,
            record_name: None,
        };
        match &step.action {
            RemovalAction::ServePolicy(policy) => {
                Self { action: "serve_policy", policy: Some(lines(policy, crlf)), url, ..bare }
            }
            RemovalAction::PublishRecord(record) => Self {
                action: "publish_record",
                record: Some(record.as_str().to_owned()),
                record_name,
                ..bare
            },
            _ => Self { url, record_name, ..bare },
        }
    }
}
