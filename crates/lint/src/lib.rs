//! Judgement for people: what is wrong with a record, a policy, or the MX hosts beside it, where,
//! and what to write instead.
//!
//! [`records`] judges the TXT records of a name, [`policy`] a policy text, [`against`] the live MX
//! hosts in the light of a policy. The verdict is always that of the parsers ([`record::select`],
//! [`PolicyRef::parse`]); the diagnostics explain it, go on after the first fault, and add what is
//! valid and still unwise. Nothing that a stranger publishes makes the answer long: at most
//! [`MAX_DIAGNOSTICS`] a call, quoted text clipped and freed of control characters.
//!
//! ```
//! use mta_sts::Profile;
//! use mta_sts_lint as lint;
//!
//! let text = b"version: STSv1\nmode: enforced\nmx: mx.example.org\nmax_age: 1209600\n";
//! let report = lint::policy(text, Profile::Strict);
//! assert!(report.verdict.is_err());
//! let fault = &report.diagnostics[0];
//! assert_eq!((fault.code, fault.severity), ("bad_mode", lint::Severity::Error));
//! assert_eq!(fault.at.map(|at| (at.line, at.column)), Some((2, 7)));
//! assert_eq!(fault.help.as_deref(), Some("write `mode: enforce`"));
//! ```
//!
//! # Codes
//! E, W, N: error, warning, note. Where two are named, the first is for a text that the parser
//! refuses (for hosts, under `enforce`), the second otherwise. The codes above the line
//! `two_policies` are those of [`RecordError::code`](mta_sts::RecordError::code) and
//! [`PolicyError::code`].
//!
//! | code | | when | what to do |
//! |---|---|---|---|
//! | `not_sts` | E | no TXT record, or none that begins with `v=STSv1` | publish `v=STSv1; id=…;` |
//! | `bad_version` | E | the version goes on after, or is not, `STSv1` | write `STSv1`, exactly |
//! | `missing_id` | E | the record has no field `id` | add one |
//! | `bad_id` | E | the id is not 1 to 32 letters and digits | write the id that is suggested |
//! | `bad_syntax` | E | a field or line breaks the grammar | as suggested, or remove it |
//! | `missing_version` | E | the policy has no field `version` | add `version: STSv1` |
//! | `missing_mode` | E | the policy has no field `mode` | add one |
//! | `missing_max_age` | E | the policy has no field `max_age` | add one |
//! | `missing_mx` | E | no field `mx`, and the mode is not `none` | add a line for each MX host |
//! | `bad_mode` | E | a mode other than the three | `enforce`, `testing` or `none` |
//! | `bad_max_age` | E | `max_age` is not 1 to 10 digits | write seconds, digits only |
//! | `bad_mx` | E | an `mx` is not a host name or `*.` and one | as suggested |
//! | `too_large` | E | more than 65,536 octets | publish less |
//! | `bad_encoding` | E | octets that are not UTF-8 | save as UTF-8 |
//! | `two_policies` | E/W | a second policy follows in the same file | leave one |
//! | `several_records` | E | several records begin with `v=STSv1;`: all are ignored | leave one |
//! | `quoted_record` | E/W | the quotes of a zone file are part of the record | publish it without |
//! | `zone_line` | E/W | a line of a zone file is the record's value | publish the text in quotes |
//! | `policy_in_record` | E/W | policy text in the TXT record | serve it over HTTPS |
//! | `other_record` | E/W | a record of SPF, DMARC, TLSRPT, … at this name | move it to its own name |
//! | `stray_record` | W | a further TXT record that senders ignore | remove it |
//! | `empty` | E | an empty file | publish a policy |
//! | `not_a_policy` | E | no line is like a field of a policy | publish a policy |
//! | `json` | E | JSON | one `name: value` a line, no braces or quotes |
//! | `yaml` | E | YAML: a document mark or a list | repeat `mx:` in each line |
//! | `front_matter` | E | a site generator's header was served | let the generator process it |
//! | `rtf` | E | the file of a word processor | save as plain text |
//! | `html` | E | HTML, XML, or a script's source | serve the plain text |
//! | `markdown` | E | a code fence | remove it |
//! | `utf16` | E | UTF-16 or UTF-32 | save as UTF-8 |
//! | `binary` | E | an archive, a picture, compressed data | serve the plain text |
//! | `pem` | E | a certificate or key. If it is a private key, replace it | serve the policy |
//! | `zone_file` | E | text of a zone file | DNS records belong in DNS |
//! | `http_response` | E | the header of an HTTP response is part of the file | remove it |
//! | `record_in_policy` | E/W | the TXT record's text in the policy | remove it |
//! | `literal_newline` | E | the two characters `\n` where a line should end | end the line |
//! | `cr_line_ends` | E | lines end in CR alone | end them with LF or CRLF |
//! | `comment` | E | a line of comment | remove it; a policy has none |
//! | `byte_order_mark` | W | a byte order mark at the start | save as UTF-8 without |
//! | `blank_line` | W | a blank line | remove it |
//! | `leading_space` | W | white space before a field name | remove it |
//! | `trailing_dot` | W | a dot at the end of an `mx` | remove it |
//! | `underscore` | W | `_` in an `mx`: strict senders refuse the policy | rename the host |
//! | `misspelt_field` | W | a field that is nearly one of the RFC's | write it as suggested |
//! | `unknown_field` | N | a field that the RFC does not define | none: it is ignored |
//! | `repeated_field` | W | a field that may stand once stands again: ignored | remove it |
//! | `placeholder` | W/N | the host of a template, or of an example (`example.com`) | write your own |
//! | `mode_testing` | N | failures are reported, not acted upon | `enforce`, when reports are clean |
//! | `mode_none` | N | the policy says: no MTA-STS | none, if it is being removed |
//! | `none_with_mx` | N | mode `none` has no use for `mx` | remove them |
//! | `max_age_under_day` | W | protects for less than a day, or (under 300) hardly at all | two weeks or more |
//! | `max_age_under_weeks` | N | `enforce` for less than two weeks | two weeks or more |
//! | `max_age_capped` | W | more than 31,557,600: read as that | write at most that |
//! | `address_as_mx` | W | an address: it matches no MX host | name the host |
//! | `dead_pattern` | W | no host can have such a name | correct it |
//! | `single_label` | W | a name without a dot | write it in full |
//! | `duplicate_pattern` | W | the pattern stands above already | remove it |
//! | `covered_pattern` | N | another pattern covers it | remove it, or the wildcard |
//! | `broad_wildcard` | W | a wildcard over a top-level domain or a registry's | name the hosts |
//! | `shared_wildcard` | W | a wildcard over a provider's domain that many use | name the hosts |
//! | `mx_not_covered` | E/W | no pattern covers the MX host | add a pattern |
//! | `mx_not_a_name` | E/W | the MX is no host name, so nothing can cover it | correct the MX record |
//! | `null_mx` | N | the domain takes no mail (RFC 7505) | the policy has no use |
//! | `certificate_mismatch` | E/W | the MX host's certificate lacks its name | renew it with the name |
//! | `pattern_unused` | N | a pattern matches none of the MX hosts | remove it, unless kept for later |
//! | `too_many_hosts` | N | more than 1,000 MX hosts: the first are judged | publish fewer |
//! | `more` | | there is more than this list holds; as severe as the worst of it | mend these first |
//!
//! [`record::select`]: mta_sts::record::select

#![no_std]
#![warn(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::string_slice,
    clippy::panic,
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    clippy::alloc_instead_of_core
)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::panic
    )
)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod against;
mod codes;
mod explain;
mod fields;
mod foreign;
mod gather;
mod hosts;
mod judge;
mod nearly;
mod policy_text;
pub mod publish;
mod record_text;
#[cfg(test)]
mod tests;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::fmt;

use mta_sts::PolicyId;
use mta_sts::{Place, PolicyError, SelectionError};
use mta_sts::{PolicyRef, Profile};

use codes::Code;

pub use against::LiveMx;

/// The most diagnostics that one call gives. Of more, the worst are kept, and `more` says how many
/// others there are.
pub const MAX_DIAGNOSTICS: usize = 40;

/// The most MX hosts that [`against`] judges; of more, it judges the first and says so.
pub const MAX_MX_HOSTS: usize = 1_000;

/// How bad it is, from harmless to bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Good to know.
    Note,
    /// It works, with some senders or for some time; it should be changed.
    Warning,
    /// It does not work.
    Error,
}

impl Severity {
    /// `note`, `warning` or `error`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a diagnostic is about, and what its line and column count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// The TXT records: the line is the number of the record, the column an octet of its joined
    /// strings.
    Record,
    /// The policy text: lines, and columns in characters.
    Policy,
    /// The MX hosts: the line is the number of the host, the column a character of its name.
    Mx,
}

impl Source {
    /// `record`, `policy` or `mx`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::Policy => "policy",
            Self::Mx => "mx",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One thing to say about a text.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// Its name for scripts: see the [table](self#codes).
    pub code: &'static str,
    /// What it is about.
    pub source: Source,
    /// Where it stands, if it stands anywhere (a missing field does not).
    pub at: Option<Place>,
    /// How much to underline from there, in the units of the column; 0 at the end of a line.
    pub length: usize,
    /// What is wrong: one line, no full stop.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Diagnostic {
    fn new(
        severity: Severity,
        code: impl Into<&'static str>,
        source: Source,
        message: impl Into<String>,
    ) -> Self {
        let (code, message) = (code.into(), message.into());
        Self { severity, code, source, at: None, length: 0, message, help: None }
    }

    fn at(self, at: Place, length: usize) -> Self {
        Self { at: Some(at), length, ..self }
    }

    fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }
}

/// Prints one line, with neither source text nor help.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]: {}", self.severity, self.code, self.message)?;
        match self.at {
            Some(at) => write!(f, " ({}, {at})", self.source),
            None => Ok(()),
        }
    }
}

/// What a parser says of a text, and what there is to say besides.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report<T, E> {
    /// The parser's verdict.
    pub verdict: Result<T, E>,
    /// In the order of the text; those without a place come last. Where the verdict is an error,
    /// at least one of them is.
    pub diagnostics: Vec<Diagnostic>,
}

impl<T, E> Report<T, E> {
    /// The severity of the worst diagnostic.
    pub fn worst(&self) -> Option<Severity> {
        worst(&self.diagnostics)
    }
}

/// The severity of the worst diagnostic.
pub fn worst(diagnostics: &[Diagnostic]) -> Option<Severity> {
    diagnostics.iter().map(|diagnostic| diagnostic.severity).max()
}

/// Judges the TXT records found at `_mta-sts.<domain>`; each is the sequence of its
/// character-strings (RFC 8461 §3.1).
///
/// ```
/// use mta_sts_lint as lint;
///
/// let report = lint::records([["v=STSv1; id=2026-11-09;"]]);
/// assert_eq!(report.diagnostics[0].code, "bad_id");
/// assert_eq!(report.diagnostics[0].help.as_deref(), Some("write `id=20261109`"));
/// assert!(lint::records([["v=STSv1; ", "id=20261109;"]]).diagnostics.is_empty());
/// ```
pub fn records<R>(records: R) -> Report<PolicyId, SelectionError>
where
    R: IntoIterator,
    R::Item: IntoIterator,
    <R::Item as IntoIterator>::Item: AsRef<[u8]>,
{
    let joined: Vec<Vec<u8>> = records.into_iter().map(record_text::join).collect();
    record_text::judge(&joined)
}

/// Judges a policy text (RFC 8461 §3.2).
///
/// ```
/// use mta_sts::Profile;
/// use mta_sts_lint as lint;
///
/// let text = b"version: STSv1\nmode: testing\nnmx: mx.example.org\nmax_age: 86400\n";
/// let report = lint::policy(text, Profile::Tolerant);
/// let codes: Vec<_> = report.diagnostics.iter().map(|d| d.code).collect();
/// assert_eq!(codes, ["mode_testing", "missing_mx"]);
/// assert_eq!(report.worst(), Some(lint::Severity::Error));
/// ```
pub fn policy(text: &[u8], profile: Profile) -> Report<PolicyRef<'_>, PolicyError> {
    policy_text::judge(text, profile)
}

/// Judges the domain's MX hosts by its policy, and the policy by the hosts (RFC 8461 §4.1).
///
/// At most [`MAX_MX_HOSTS`] of the hosts, the first; with more, nothing is said of patterns that no
/// host needs.
///
/// ```
/// use mta_sts::{PolicyRef, Profile};
/// use mta_sts_lint as lint;
///
/// let text = b"version: STSv1\nmode: enforce\nmx: *.example.org\nmax_age: 1209600\n";
/// let policy = PolicyRef::parse(text, Profile::Strict)?;
/// let hosts = ["mx.example.org", "a.mx.example.org"].map(lint::LiveMx::new);
/// let diagnostics = lint::against(policy, &hosts);
/// assert_eq!(diagnostics.len(), 1);
/// assert_eq!(diagnostics[0].code, "mx_not_covered");
/// # Ok::<(), mta_sts::PolicyError>(())
/// ```
pub fn against(policy: PolicyRef<'_>, hosts: &[LiveMx<'_>]) -> Vec<Diagnostic> {
    against::judge(policy, hosts)
}

/// Puts diagnostics in the order of the text and keeps at most `most`: those that are worst.
fn finish(mut diagnostics: Vec<Diagnostic>, most: usize) -> Vec<Diagnostic> {
    let place = |d: &Diagnostic| (d.source, d.at.is_none(), d.at);
    if diagnostics.len() <= most {
        diagnostics.sort_by_key(place);
        return diagnostics;
    }
    // Notes by the dozen must not hide an error.
    diagnostics.sort_by_key(|d| (Reverse(d.severity), place(d)));
    let rest = diagnostics.split_off(most.saturating_sub(1));
    diagnostics.sort_by_key(place);
    let count = rest.len();
    if let Some((severity, last)) = worst(&rest).zip(rest.first()) {
        let message = format!("{count} more diagnostics like these");
        diagnostics.push(Diagnostic::new(severity, Code::More, last.source, message));
    }
    diagnostics
}

/// A stranger's text for a message: in backquotes, clipped, without control characters.
fn quoted(text: &str) -> String {
    const MAX_CHARS: usize = 60;
    let mut quoted = String::from("`");
    for (count, c) in text.chars().enumerate() {
        if count >= MAX_CHARS {
            quoted.push('…');
            break;
        }
        if c.is_control() || nearly::is_invisible(c) {
            quoted.extend(c.escape_unicode());
        } else {
            quoted.push(c);
        }
    }
    quoted.push('`');
    quoted
}

fn chars(text: &str) -> usize {
    text.chars().count()
}
