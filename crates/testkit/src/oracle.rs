//! Naive oracles: what the grammar says, in the plainest manner, to hold fast code against.
//!
//! Everything here splits, collects and compares; nothing is shared with the core. The error codes
//! name the first fault in reading order.

mod address;

use std::net::Ipv4Addr;

pub use address::may_dial;

/// How a policy is read (DESIGN section 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Profile {
    /// The ABNF to the letter.
    Strict,
    /// Also: a BOM at the start, blank lines, white space before a field name, one trailing dot of
    /// an mx value, `_` in mx labels.
    Tolerant,
}

/// What a policy says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed {
    /// `enforce`, `testing` or `none`.
    pub mode: String,
    /// In seconds, capped at 31557600.
    pub max_age: u64,
    /// The patterns in order, as written but for a trailing dot.
    pub mx: Vec<String>,
}

/// The verdict on a media type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MediaType {
    /// Fit for a policy.
    Accept,
    /// Taken, with a diagnostic.
    AcceptWithDiagnostic,
    /// Not fit for a policy.
    Reject,
}

/// The id of one `_mta-sts` TXT record (RFC 8461 §3.1), its strings joined.
///
/// # Errors
/// `not_sts`, `bad_version`, `bad_syntax`, `bad_id` or `missing_id`.
pub fn record(bytes: &[u8]) -> Result<String, &'static str> {
    // One char a byte: no byte above 0x7F is anywhere allowed.
    let text: String = bytes.iter().map(|byte| char::from(*byte)).collect();
    // RFC 8461 §3.1: sts-version = %s"v=STSv1"
    let Some(rest) = text.strip_prefix("v=STSv1") else { return Err("not_sts") };
    if rest.is_empty() {
        return Err("missing_id");
    }
    let pieces: Vec<&str> = rest.split(';').collect();
    let last = pieces.len() - 1;
    // RFC 8461 §3.1: sts-field-delim = *WSP ";" *WSP, so between the version and the first ";"
    // there is white space or nothing.
    if pieces[0].starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return Err("bad_version");
    }
    if !pieces[0].trim_matches(is_wsp).is_empty() || last == 0 {
        return Err("bad_syntax");
    }

    let mut id = None;
    for (index, piece) in pieces.iter().enumerate().skip(1) {
        let mut field = piece.trim_start_matches(is_wsp);
        if index < last {
            field = field.trim_end_matches(is_wsp);
        } else if field.is_empty() {
            continue; // RFC 8461 §3.1: [sts-field-delim] at the end.
        }
        let Some((name, value)) = field.split_once('=') else { return Err("bad_syntax") };
        if !is_field_name(name) {
            return Err("bad_syntax");
        }
        // RFC 8461 §3.2: of a repeated field, all entries except for the first are ignored.
        if name == "id" && id.is_none() {
            // RFC 8461 §3.1: sts-id = %s"id=" 1*32(ALPHA / DIGIT)
            let is_id =
                (1..=32).contains(&value.len()) && value.chars().all(|c| c.is_ascii_alphanumeric());
            if !is_id {
                return Err("bad_id");
            }
            id = Some(value.to_owned());
        } else {
            // RFC 8461 §3.1: sts-ext-value = 1*(%x21-3A / %x3C / %x3E-7E)
            let is_value = |c: char| ('!'..='~').contains(&c) && c != ';' && c != '=';
            if value.is_empty() || !value.chars().all(is_value) {
                return Err("bad_syntax");
            }
        }
    }
    id.ok_or("missing_id")
}

/// The id published by all the TXT records of the name, each a list of character-strings.
///
/// # Errors
/// `none`: no MTA-STS record; `multiple`: more than one; `invalid`: one that breaks the grammar.
pub fn record_set(records: &[Vec<Vec<u8>>]) -> Result<String, &'static str> {
    // RFC 8461 §3.1: "concatenated without adding spaces".
    let mut texts: Vec<Vec<u8>> = records.iter().map(|strings| strings.concat()).collect();
    // RFC 8461 §3.1: of multiple records, those "that do not begin with v=STSv1; are discarded".
    if texts.len() > 1 {
        texts.retain(|text| text.starts_with(b"v=STSv1;"));
    }
    match texts.as_slice() {
        [] => Err("none"),
        [text] => record(text).map_err(|code| if code == "not_sts" { "none" } else { "invalid" }),
        _ => Err("multiple"),
    }
}

/// What the text of a policy says (RFC 8461 §3.2).
///
/// # Errors
/// `too_large`, `bad_encoding`, `bad_syntax`, `bad_version`, `bad_mode`, `bad_max_age`, `bad_mx`,
/// `missing_version`, `missing_mode`, `missing_max_age` or `missing_mx`.
pub fn policy(bytes: &[u8], profile: Profile) -> Result<Parsed, &'static str> {
    let tolerant = profile == Profile::Tolerant;
    if bytes.len() > 65_536 {
        return Err("too_large");
    }
    let Ok(mut text) = std::str::from_utf8(bytes) else { return Err("bad_encoding") };
    if tolerant {
        text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    }

    let (mut version, mut mode, mut max_age, mut mx) = (None, None, None, Vec::new());
    for line in lines(text) {
        let line = line.trim_end_matches(is_wsp);
        if tolerant && line.is_empty() {
            continue;
        }
        let line = if tolerant { line.trim_start_matches(is_wsp) } else { line };
        // RFC 8461 §3.2: sts-policy-field-delim = ":" *WSP
        let Some((name, value)) = line.split_once(':') else { return Err("bad_syntax") };
        let value = value.trim_start_matches(is_wsp);
        if !is_field_name(name) || value.chars().any(|c| c.is_ascii_control()) {
            return Err("bad_syntax");
        }
        // RFC 8461 §3.2: of a repeated field other than mx, all but the first are ignored.
        match name {
            "version" if version.is_none() => {
                version = Some(Some(value).filter(|value| *value == "STSv1").ok_or("bad_version")?);
            }
            "mode" if mode.is_none() => {
                let modes = ["enforce", "testing", "none"];
                mode = Some(modes.into_iter().find(|known| *known == value).ok_or("bad_mode")?);
            }
            "max_age" if max_age.is_none() => {
                // RFC 8461 §3.2: sts-policy-max-age-value = 1*10(DIGIT)
                let is_age =
                    (1..=10).contains(&value.len()) && value.chars().all(|c| c.is_ascii_digit());
                let age = value.parse::<u64>().ok().filter(|_| is_age).ok_or("bad_max_age")?;
                max_age = Some(age.min(31_557_600));
            }
            "mx" => mx.push(mx_value(value, profile).ok_or("bad_mx")?),
            // RFC 8461 §3.2: sts-policy-ext-value has at least one character.
            _ if value.is_empty() => return Err("bad_syntax"),
            _ => {}
        }
    }

    // RFC 8461 §3.2: "required once"; and mx "at least once, except when mode is none".
    version.ok_or("missing_version")?;
    let mode = mode.ok_or("missing_mode")?;
    let max_age = max_age.ok_or("missing_max_age")?;
    if mx.is_empty() && mode != "none" {
        return Err("missing_mx");
    }
    Ok(Parsed { mode: mode.to_owned(), max_age, mx })
}

/// Whether an mx pattern, as [`policy`] gives it, matches a host, as [`host`] gives it
/// (RFC 8461 §4.1).
pub fn matches(pattern: &str, host: &str) -> bool {
    let pattern = pattern.to_ascii_lowercase();
    let host = host.to_ascii_lowercase();
    let pattern: Vec<&str> = pattern.split('.').collect();
    let host: Vec<&str> = host.split('.').collect();
    // RFC 8461 §4.1: "the entire left-most label"
    match pattern.split_first() {
        Some((&"*", rest)) => !host[0].is_empty() && !rest.is_empty() && host[1..] == *rest,
        _ => pattern == host,
    }
}

/// The name of an MX host in lower case without its trailing dot; `None` if it is not one: an
/// address, a name too long for DNS, anything but letters, digits, hyphens and underscores.
/// U-labels are not this oracle's business.
pub fn host(text: &str) -> Option<String> {
    let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    let is_name = name.len() <= 253 && name.split('.').all(is_label);
    (is_name && name.parse::<Ipv4Addr>().is_err()).then_some(name)
}

/// Whether a response with this `Content-Type` may hold a policy (RFC 8461 §3.2).
pub fn content_type(value: Option<&str>, profile: Profile) -> MediaType {
    let Some(value) = value else {
        return match profile {
            Profile::Strict => MediaType::Reject,
            Profile::Tolerant => MediaType::AcceptWithDiagnostic,
        };
    };
    let media_type = value.split(';').next().unwrap_or("").trim_matches(is_wsp);
    // RFC 9110 §5.6.1: a list is several media types; a comma within quotes makes none.
    if media_type.eq_ignore_ascii_case("text/plain") && !without_quoted(value).contains(',') {
        MediaType::Accept
    } else {
        MediaType::Reject
    }
}

/// The value without its quoted strings (RFC 9110 §5.6.4), ended or not.
fn without_quoted(value: &str) -> String {
    let mut left = String::new();
    let mut rest = value.chars();
    while let Some(char) = rest.next() {
        if char != '"' {
            left.push(char);
            continue;
        }
        while let Some(quoted) = rest.next() {
            match quoted {
                '"' => break,
                '\\' => drop(rest.next()),
                _ => {}
            }
        }
    }
    left
}

/// The lines of a policy.
fn lines(text: &str) -> Vec<&str> {
    if text.is_empty() {
        return Vec::new();
    }
    // RFC 8461 §3.2: sts-policy-term = LF / CRLF, and nothing else ends a line.
    let mut pieces: Vec<&str> = text.split('\n').collect();
    // What follows the last LF had none: its CR, if any, is not a part of an end of line.
    let rest = pieces.pop().unwrap_or("");
    let mut lines: Vec<&str> =
        pieces.into_iter().map(|line| line.strip_suffix('\r').unwrap_or(line)).collect();
    if !rest.is_empty() {
        lines.push(rest);
    }
    lines
}

/// The same for records and policies: a letter or digit, then up to 31 of these, `_`, `-` and `.`.
fn is_field_name(name: &str) -> bool {
    (1..=32).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || ['_', '-', '.'].contains(&c))
}

/// An mx value without its trailing dot, if it is one. The grammar knows no length.
pub fn mx_value(value: &str, profile: Profile) -> Option<String> {
    let tolerant = profile == Profile::Tolerant;
    let value = if tolerant { value.strip_suffix('.').unwrap_or(value) } else { value };
    // RFC 5321 §4.1.2: sub-domain = Let-dig [Ldh-str], joined by dots.
    let is_let_dig = |c: char| c.is_ascii_alphanumeric() || (tolerant && c == '_');
    let is_sub_domain = |label: &str| {
        label.starts_with(is_let_dig)
            && label.ends_with(is_let_dig)
            && label.chars().all(|c| is_let_dig(c) || c == '-')
    };
    // RFC 8461 §3.2: sts-policy-mx-value = ["*."] Domain
    let domain = value.strip_prefix("*.").unwrap_or(value);
    domain.split('.').all(is_sub_domain).then(|| value.to_owned())
}

fn is_wsp(c: char) -> bool {
    c == ' ' || c == '\t'
}
