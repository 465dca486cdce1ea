//! The TXT records: the fault of the one that counts, and what the others do there.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{
    Code, Diagnostic, MAX_DIAGNOSTICS, Report, Severity, Source, finish, foreign, nearly, quoted,
};
use mta_sts::record::select;
use mta_sts::{Place, RecordError, SelectionError};
use mta_sts::{PolicyId, Record};

const EXAMPLE: &str = "publish `v=STSv1; id=20261109;` with an id of your own";

/// Records of other protocols, by what they begin with in lower case, and where they belong.
const OTHERS: [(&str, &str, &str); 8] = [
    ("v=spf1", "an SPF", "the domain itself"),
    ("v=dmarc1", "a DMARC", "`_dmarc.<domain>`"),
    ("v=tlsrptv1", "a TLSRPT", "`_smtp._tls.<domain>`"),
    ("v=dkim1", "a DKIM", "`<selector>._domainkey.<domain>`"),
    ("v=bimi1", "a BIMI", "`default._bimi.<domain>`"),
    ("google-site-verification=", "a Google verification", "the domain itself"),
    ("ms=ms", "a Microsoft verification", "the domain itself"),
    ("apple-domain=", "an Apple verification", "the domain itself"),
];

/// The octets of a record (RFC 8461 §3.1: concatenated without adding spaces).
pub(super) fn join<R>(record: R) -> Vec<u8>
where
    R: IntoIterator,
    R::Item: AsRef<[u8]>,
{
    let mut joined = Vec::new();
    for string in record {
        joined.extend_from_slice(string.as_ref());
    }
    joined
}

pub(super) fn judge(records: &[Vec<u8>]) -> Report<PolicyId, SelectionError> {
    let verdict = select(records.iter().map(|record| [record]));
    let begins = |record: &&Vec<u8>| record.starts_with(b"v=STSv1;");
    let alone = records.len() == 1;
    let mut diagnostics = Vec::new();
    let mut first: Option<usize> = None;
    for (octets, number) in records.iter().zip(1_usize..) {
        let counts = begins(&octets) || (alone && verdict.is_ok());
        let text = &*String::from_utf8_lossy(octets);
        match (&verdict, counts, first) {
            (Err(SelectionError::Several { count }), true, Some(first)) => {
                diagnostics.push(several(*count, first, number, octets.len()));
            }
            (Err(SelectionError::Several { .. }), true, None) => {}
            (Ok(_), true, _) => diagnostics.extend(extensions(octets, number)),
            (Err(SelectionError::Malformed(error)), counts, _) if counts || alone => {
                diagnostics.push(malformed(octets.len(), text, error, number));
            }
            (Err(SelectionError::Absent), ..) => {
                diagnostics.push(other(text, octets.len(), number, Severity::Error, alone));
            }
            _ => diagnostics.push(other(text, octets.len(), number, Severity::Warning, alone)),
        }
        if counts {
            first = first.or(Some(number));
        }
    }
    if records.is_empty() {
        let message = "no TXT record at `_mta-sts.<domain>`";
        let new = Diagnostic::new(Severity::Error, Code::NotSts, Source::Record, message);
        diagnostics.push(new.help(EXAMPLE));
    }
    Report { verdict, diagnostics: finish(diagnostics, MAX_DIAGNOSTICS) }
}

fn several(count: usize, first: usize, number: usize, octets: usize) -> Diagnostic {
    let message = format!(
        "{count} records begin with `v=STSv1;`, so all are ignored: this one is a second to \
         record {first}"
    );
    Diagnostic::new(Severity::Error, Code::SeveralRecords, Source::Record, message)
        .at(Place { line: number, column: 1 }, octets)
        .help("leave the record whose id is that of the policy, and remove every other")
}

/// A record that is none of MTA-STS, or not to the letter.
fn other(text: &str, octets: usize, number: usize, severity: Severity, alone: bool) -> Diagnostic {
    let new = |code: Code, message: String| {
        Diagnostic::new(severity, code, Source::Record, message)
            .at(Place { line: number, column: 1 }, octets)
    };
    let trimmed = text.trim();
    let lower = trimmed.to_ascii_lowercase();
    if let Some((_, name, place)) = OTHERS.iter().find(|(begins, ..)| lower.starts_with(begins)) {
        return new(Code::OtherRecord, format!("this is {name} record"))
            .help(format!("publish it at {place}, not at `_mta-sts.<domain>`"));
    }
    if foreign::is_zone_line(trimmed) {
        return new(
            Code::ZoneLine,
            "a whole line of a zone file is the value of the record".into(),
        )
        .help(match between_quotes(trimmed) {
            Some(value) => format!("publish only {}", quoted(value)),
            None => EXAMPLE.to_string(),
        });
    }
    if lower.starts_with(['"', '\'', '“', '”']) && nearly::is_record(trimmed) {
        let bare = trimmed.trim_matches(['"', '\'', '“', '”', ' ']);
        return new(Code::QuotedRecord, "quotes are part of the record".into())
            .help(format!("publish {}: without quotes, if the form adds its own", quoted(bare)));
    }
    if ["version:", "mode:", "max_age:", "mx:"].iter().any(|field| lower.contains(field)) {
        return new(Code::PolicyInRecord, "this is the text of a policy, not of a record".into())
            .help(format!(
                "serve it at `https://mta-sts.<domain>/.well-known/mta-sts.txt`; here {EXAMPLE}"
            ));
    }
    if severity < Severity::Error {
        return new(Code::StrayRecord, "a record that is none of MTA-STS: senders skip it".into())
            .help("remove it: whatever is published at this name should be for MTA-STS");
    }
    let (message, help) = not_sts(text, trimmed, &lower, alone);
    new(Code::NotSts, message).help(help)
}

fn not_sts(text: &str, trimmed: &str, lower: &str, alone: bool) -> (String, String) {
    let expected = "expected a record that begins with `v=STSv1;`, found";
    let message = format!("{expected} {}", quoted(text));
    let begins_well = trimmed.starts_with("v=STSv1");
    let help = match lower.strip_prefix("v=stsv1") {
        _ if text.is_empty() => return (format!("{expected} nothing"), EXAMPLE.to_string()),
        Some(_) if begins_well && text != trimmed => "remove the white space around it".to_string(),
        Some(rest) if begins_well && rest.starts_with('\\') => {
            "remove the backslash: it belongs to the zone file, not to the record".to_string()
        }
        Some(_) if begins_well && !alone => {
            "write `v=STSv1;`, nothing between: where there are several records, one that begins \
             otherwise does not count"
                .to_string()
        }
        Some(_) => "write `v=STSv1;`, in exactly these letters".to_string(),
        None if lower.contains("v=stsv1") || lower.contains("stsv1") => {
            "the record must begin with `v=STSv1;`, nothing before it".to_string()
        }
        None if lower.starts_with("id=") => "begin it with `v=STSv1; `".to_string(),
        None if lower.starts_with("v=sts") || lower.starts_with("v=mta") => {
            "the one version there is is `v=STSv1;`".to_string()
        }
        None => EXAMPLE.to_string(),
    };
    (message, help)
}

fn between_quotes(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once('"')?;
    rest.rsplit_once('"').map(|(inner, _)| inner)
}

/// The record that counts, where the parser refuses it. Before the fault its text is its octets;
/// after it, it may be longer, by what stands for octets that are no text.
fn malformed(octets: usize, text: &str, error: &RecordError, number: usize) -> Diagnostic {
    let column = error.column().unwrap_or(1);
    let rest = text.get(column.saturating_sub(1)..).unwrap_or_default();
    let field = rest.split(';').next().unwrap_or_default().trim_end();
    let (message, help, length) = match error {
        // `select` says `Absent` of it.
        RecordError::NotSts => (error.to_string(), EXAMPLE.into(), octets),
        RecordError::Version { .. } => version(rest),
        RecordError::MissingId => missing_id(text),
        RecordError::IdEmpty { .. } => (
            "expected 1 to 32 letters and digits after `id=`, found nothing".into(),
            id_help(""),
            0,
        ),
        RecordError::IdTooLong { .. } => {
            let value = id_value(text);
            let message = format!("expected at most 32 letters and digits, found {}", value.len());
            (message, id_help(value), field.len())
        }
        RecordError::IdCharacter { .. } => {
            let value = id_value(text);
            let message = format!("expected letters and digits in the id, found {}", quoted(value));
            (message, id_help(value), rest.chars().next().map_or(0, octets_of))
        }
        RecordError::Delimiter { .. } => delimiter(rest),
        RecordError::MissingEquals { .. } => missing_equals(text, rest, column),
        RecordError::FieldName { .. } => field_name(rest, field),
        RecordError::FieldValue { .. } => (
            "expected visible ASCII without `=` in the value of a field".into(),
            "remove what does not belong to it; a value has neither spaces nor `=` nor `;`".into(),
            1,
        ),
        other => (other.to_string(), EXAMPLE.into(), field.len()),
    };
    let left = octets.saturating_sub(column.saturating_sub(1));
    // Without a column the whole record is meant.
    let length = error.column().map_or(octets, |_| length.min(left));
    Diagnostic::new(Severity::Error, error.code(), Source::Record, message)
        .at(Place { line: number, column }, length)
        .help(help)
}

/// How many octets of the record a character of its text stands for, at least.
const fn octets_of(c: char) -> usize {
    if c == char::REPLACEMENT_CHARACTER { 1 } else { c.len_utf8() }
}

type Explained = (String, String, usize);

fn version(rest: &str) -> Explained {
    let more = rest.split([';', ' ', '=']).next().unwrap_or_default();
    let help = if rest.starts_with("id") {
        "write `v=STSv1; id=…`, with the semicolon"
    } else {
        "write `v=STSv1;`: there is no other version"
    };
    (format!("the version goes on after `STSv1` with {}", quoted(more)), help.into(), more.len())
}

fn missing_id(text: &str) -> Explained {
    let names = text.split(';').skip(1).filter_map(|field| field.split_once('='));
    let near = names.map(|(name, _)| name.trim()).find(|name| {
        nearly::distance(&name.to_ascii_lowercase(), "id") <= 1 || name.eq_ignore_ascii_case("uid")
    });
    let help = match near {
        Some(name) => format!("write `id`, in these letters, where {} stands", quoted(name)),
        None => format!("add a field `id`: {EXAMPLE}"),
    };
    ("expected the field `id`, found none".into(), help, text.len())
}

fn id_value(text: &str) -> &str {
    let values = text.split(';').skip(1).filter_map(|field| field.trim().strip_prefix("id="));
    values.into_iter().next().unwrap_or_default()
}

/// An id that keeps what letters and digits there are.
fn id_help(value: &str) -> String {
    let kept = value.chars().filter(char::is_ascii_alphanumeric).take(PolicyId::MAX_OCTETS);
    match kept.collect::<String>() {
        id if id.is_empty() => "write an id, such as the date: `id=20261109`".into(),
        id => format!("write `id={id}`"),
    }
}

fn delimiter(rest: &str) -> Explained {
    let found = rest.chars().next().unwrap_or(' ');
    let help = match found {
        '\\' => "remove the backslash: it belongs to the zone file, not to the record",
        ',' => "write `;`, not a comma",
        '"' | '\'' => "remove the quote: it belongs to the zone file, not to the record",
        c if c.is_ascii_alphanumeric() => "write `;` before it",
        _ => "write `;` between fields, and nothing else",
    };
    let message =
        format!("expected `;` between fields, found {}", quoted(found.encode_utf8(&mut [0; 4])));
    (message, help.into(), octets_of(found))
}

fn missing_equals(text: &str, rest: &str, column: usize) -> Explained {
    let before = text.get(..column.saturating_sub(1)).unwrap_or_default();
    let name = before.rsplit([';', ' ', '\t']).next().unwrap_or_default();
    let help = if rest.trim_start().starts_with('=') {
        format!("write {}, without the space", quoted(&format!("{name}=")))
    } else {
        "write `name=value`, or remove it".into()
    };
    (
        format!("expected `=` after the field name {}", quoted(name)),
        help,
        usize::from(!rest.is_empty()),
    )
}

fn field_name(rest: &str, field: &str) -> Explained {
    let found = rest.chars().next().unwrap_or(' ');
    let help = match found {
        ':' => "write `=` between a name and its value, not a colon",
        ';' => "remove the second `;`",
        '"' | '“' | '”' | '\'' => {
            "remove the quote: it belongs to the zone file, not to the record"
        }
        c if nearly::is_invisible(c) => "remove the invisible character",
        _ => "a name has 1 to 32 letters, digits, `_`, `-`, `.`; begin it with a letter or digit",
    };
    let found_field = if field.is_empty() { "nothing".to_string() } else { quoted(field) };
    let message = format!("expected a field `name=value`, found {found_field}");
    (message, help.into(), octets_of(found))
}

/// Fields beside `v` and `id` of a sound record.
fn extensions(octets: &[u8], number: usize) -> Vec<Diagnostic> {
    let Ok(record) = Record::parse(octets) else { return Vec::new() };
    let base = record.as_str().as_ptr().addr();
    let found = record.extensions().map(|(name, value)| {
        let column = name.as_ptr().addr().saturating_sub(base).saturating_add(1);
        let length = name.len().saturating_add(value.len()).saturating_add(1);
        let new = |severity, code, message| {
            Diagnostic::new(severity, code, Source::Record, message)
                .at(Place { line: number, column }, length)
        };
        match name {
            "id" => new(
                Severity::Warning,
                Code::RepeatedField,
                "`id` stands before already: this one is ignored".to_string(),
            )
            .help("leave one `id`"),
            name => {
                let what = quoted(name);
                let message = format!("{what} is not a field of RFC 8461: senders ignore it");
                new(Severity::Note, Code::UnknownField, message)
            }
        }
    });
    found.collect()
}
