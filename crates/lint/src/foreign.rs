//! Files that are something else altogether: one diagnostic that says what.

use alloc::vec::Vec;

use super::{Code, Diagnostic, Severity, Source, nearly};
use mta_sts::Place;

/// How much of a file tells what it is, in octets.
const HEAD: usize = 4_096;

/// What stands in place of a policy, if it is recognised: to be asked only of a text that the
/// parser refuses.
pub(super) fn whole_file(octets: &[u8]) -> Option<Diagnostic> {
    let head = octets.get(..HEAD).unwrap_or(octets);
    if let Some(found) = by_octets(head) {
        return Some(found);
    }
    let text = match core::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) => core::str::from_utf8(head.get(..error.valid_up_to())?).ok()?,
    };
    let trimmed = text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']);
    by_first_line(text, trimmed).or_else(|| by_line_ends(text))
}

fn by_octets(head: &[u8]) -> Option<Diagnostic> {
    const UTF16: [&[u8]; 3] = [b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff"];
    const BINARY: [&[u8]; 8] = [
        b"\x1f\x8b",
        b"PK\x03\x04",
        b"%PDF",
        b"\x89PNG",
        b"\xd0\xcf\x11\xe0",
        b"BZh",
        b"\x28\xb5\x2f\xfd",
        b"\xff\xd8\xff",
    ];
    let begins = |magic: &[&[u8]]| magic.iter().any(|magic| head.starts_with(magic));
    if begins(&BINARY) {
        return Some(found(
            Code::Binary,
            "the file is an archive, a document, a picture or compressed data, not text",
            "serve the policy as plain text; if the web server compresses it, turn that off here",
        ));
    }
    // ASCII in UTF-16 has a zero in every second octet.
    let (zeros, others): (Vec<u8>, Vec<u8>) = head.iter().partition(|octet| **octet == 0);
    let zeroed = !zeros.is_empty() && zeros.len().saturating_mul(2) >= others.len();
    (begins(&UTF16) || zeroed).then(|| {
        found(
            Code::Utf16,
            "the file is UTF-16 or UTF-32, not UTF-8",
            "save the file as UTF-8 without a byte order mark (in Notepad: `UTF-8`; in PowerShell: \
             `Set-Content -Encoding ascii`)",
        )
    })
}

fn by_first_line(text: &str, trimmed: &str) -> Option<Diagnostic> {
    let first = trimmed.lines().next().unwrap_or_default();
    let lower = first.to_ascii_lowercase();
    let at = place_of(text, trimmed);
    let diagnostic = match () {
        () if lower.starts_with("{\\rtf") => found(
            Code::Rtf,
            "the file is RTF, written by a word processor",
            "save it as plain text (in TextEdit: Format, Make Plain Text)",
        ),
        () if trimmed.starts_with('<') || trimmed.starts_with("#!") => found(
            Code::Html,
            "the file is HTML, XML or the source of a script, not a policy",
            "serve the plain text of the policy; an error page or a catch-all of the web server \
             often stands here instead",
        ),
        () if is_json(trimmed) => found(
            Code::Json,
            "the file is JSON; a policy is lines of `name: value`",
            "write each field in a line of its own, without braces, quotes and commas, and one \
             line `mx: …` for each host",
        ),
        () if lower.contains("-----begin ") => found(
            Code::Pem,
            "the file is a certificate or key in PEM, not a policy",
            "serve the policy here; if this is a private key, it is public now: replace it",
        ),
        () if lower.starts_with("http/") => found(
            Code::HttpResponse,
            "the file begins with the header of an HTTP response",
            "remove the header; the web server writes its own",
        ),
        () if first.starts_with("```") => found(
            Code::Markdown,
            "the file begins with a code fence of Markdown",
            "remove the lines of backquotes",
        ),
        () if first.trim_end() == "---" => front_matter(trimmed),
        () if lower.starts_with("%yaml") => yaml("remove the marks of YAML"),
        () if nearly::is_record(trimmed) => record_in_policy(),
        () if is_zone_line(first) => zone_file(),
        () => return None,
    };
    Some(diagnostic.at(at, super::chars(first.trim_end())))
}

fn by_line_ends(text: &str) -> Option<Diagnostic> {
    let next_field = |rest: &str| {
        rest.is_empty() || rest.split_once(':').is_some_and(|(n, _)| nearly::field(n).is_some())
    };
    let literal = text.match_indices("\\n").find(|(at, mark)| {
        let rest = text.get(at.saturating_add(mark.len())..).unwrap_or_default();
        next_field(rest.trim_start_matches([' ', '\t']))
    });
    if let Some((octet, _)) = literal {
        return Some(
            found(
                Code::LiteralNewline,
                "the two characters `\\` and `n` stand where a line should end",
                "end the line there (`printf` turns `\\n` into a line end; a quoted value in YAML \
                 or JSON must be in double quotes)",
            )
            .at(place(text, octet), 2),
        );
    }
    let lone = text.find('\r').filter(|_| !text.contains('\n'))?;
    Some(
        found(
            Code::CrLineEnds,
            "the lines end in CR alone, so this is all one line",
            "end the lines with LF or CRLF",
        )
        .at(place(text, lone), 1),
    )
}

/// A line that is not a field and belongs to something else.
pub(super) fn line(text: &str) -> Option<Diagnostic> {
    let text = text.trim();
    if nearly::is_record(text) {
        return Some(record_in_policy());
    }
    if text.starts_with("```") {
        return Some(found(
            Code::Markdown,
            "a code fence of Markdown is part of the file",
            "remove the lines of backquotes",
        ));
    }
    if text.starts_with("-----BEGIN ") {
        return Some(found(
            Code::Pem,
            "a certificate or key in PEM is part of the file",
            "remove it; if it is a private key, it is public now: replace it",
        ));
    }
    is_zone_line(text).then(zone_file)
}

/// The list of YAML.
pub(super) fn yaml_list() -> Diagnostic {
    yaml("repeat the name in each line: `mx: HOST` for each host")
}

fn yaml(help: &str) -> Diagnostic {
    found(Code::Yaml, "this is YAML; a policy has no lists and no document marks", help)
}

fn record_in_policy() -> Diagnostic {
    found(
        Code::RecordInPolicy,
        "this is the text of the TXT record, not of the policy",
        "publish it in DNS at `_mta-sts.<domain>`; the policy begins with `version: STSv1`",
    )
}

fn zone_file() -> Diagnostic {
    found(
        Code::ZoneFile,
        "this is text of a zone file, not of a policy",
        "publish DNS records in DNS; the policy holds lines such as `mx: mail.example.org`",
    )
}

fn front_matter(trimmed: &str) -> Diagnostic {
    if !trimmed.lines().skip(1).any(|line| line.trim_end() == "---") {
        return yaml("remove the line `---`");
    }
    found(
        Code::FrontMatter,
        "the file begins with the front matter of a site generator, which was not processed",
        "serve what the generator makes of the file, or remove the lines from `---` to `---` and \
         the blank line behind them",
    )
}

fn is_json(trimmed: &str) -> bool {
    let mut marks = trimmed.chars().filter(|c| !c.is_whitespace());
    match (marks.next(), marks.next()) {
        (Some('{'), Some('"' | '}' | '\'')) => true,
        (Some('['), Some('{' | '"' | ']')) => true,
        (Some('{'), Some(_)) => trimmed.contains("version") || trimmed.contains("mode"),
        _ => false,
    }
}

/// Whether the line is like a resource record or a directive of a zone file.
pub(super) fn is_zone_line(line: &str) -> bool {
    if ["$TTL", "$ORIGIN", "$INCLUDE"].iter().any(|directive| line.starts_with(directive)) {
        return true;
    }
    let mut words = line.split_ascii_whitespace();
    let owner = words.next().unwrap_or_default();
    // `mx: 10 mail.example.org` is a field.
    let mut words = words.skip_while(|word| {
        word.bytes().all(|b| b.is_ascii_digit()) || word.eq_ignore_ascii_case("IN")
    });
    let kind = words.next().unwrap_or_default();
    !owner.ends_with(':')
        && words.next().is_some()
        && ["TXT", "MX", "A", "AAAA", "CNAME", "NS", "SOA", "TLSA"].contains(&kind)
}

fn found(code: Code, message: &str, help: &str) -> Diagnostic {
    Diagnostic::new(Severity::Error, code, Source::Policy, message).help(help)
}

fn place_of(text: &str, rest: &str) -> Place {
    place(text, text.len().saturating_sub(rest.len()))
}

fn place(text: &str, octet: usize) -> Place {
    let before = text.get(..octet).unwrap_or_default();
    let line = before.matches('\n').count().saturating_add(1);
    let last = before.rsplit('\n').next().unwrap_or_default();
    Place { line, column: super::chars(last).saturating_add(1) }
}
