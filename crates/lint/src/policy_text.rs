//! The policy text: every line's fault, fields that are missing, and what the sound ones say.

use alloc::format;
use alloc::vec::Vec;

use super::fields::{Line, lines};
use super::gather::{together, tolerances};
use super::judge::Facts;
use super::{
    Code, Diagnostic, MAX_DIAGNOSTICS, Report, Severity, Source, chars, explain, finish, foreign,
    judge, nearly, quoted,
};
use mta_sts::{Mode, PolicyRef, Profile};
use mta_sts::{Place, PolicyError};

const TEMPLATE: &str = "publish at least `version: STSv1`, `mode: testing`, `mx: HOST` for each MX \
                        host, `max_age: 1209600`, each in a line of its own";

pub(super) fn judge(octets: &[u8], profile: Profile) -> Report<PolicyRef<'_>, PolicyError> {
    let verdict = PolicyRef::parse(octets, profile);
    let mut diagnostics = match &verdict {
        Ok(policy) => {
            let mut found: Vec<_> = tolerances(*policy);
            found.extend(by_lines(policy.as_str(), profile, None));
            found
        }
        Err(error) => refused(octets, profile, error),
    };
    if let Err(error) = &verdict {
        // Whatever was recognised above, the parser's own word is the least there is to say.
        if super::worst(&diagnostics) != Some(Severity::Error) {
            diagnostics.push(plain(error));
        }
    }
    Report { verdict, diagnostics: finish(diagnostics, MAX_DIAGNOSTICS) }
}

fn refused(octets: &[u8], profile: Profile, error: &PolicyError) -> Vec<Diagnostic> {
    if let Some(diagnostic) = foreign::whole_file(octets) {
        return [diagnostic].into();
    }
    match (error, core::str::from_utf8(octets)) {
        (PolicyError::TooLarge { .. }, _) | (_, Err(_)) => [plain(error)].into(),
        (_, Ok(text)) => by_lines(text, profile, Some(error)),
    }
}

/// The error as it is, for what concerns no line, or a text that has no lines.
fn plain(error: &PolicyError) -> Diagnostic {
    let (message, help) = match error {
        PolicyError::TooLarge { .. } => {
            ("more than 65,536 octets: senders stop reading there", "publish less")
        }
        PolicyError::Encoding { .. } => (
            "octets that are not UTF-8",
            "save the file as UTF-8; plain ASCII does for every field of the RFC",
        ),
        PolicyError::MissingVersion => ("the field `version` is missing", "add `version: STSv1`"),
        PolicyError::MissingMode => ("the field `mode` is missing", "add `mode: testing`"),
        PolicyError::MissingMaxAge => {
            ("the field `max_age` is missing", "add `max_age: 1209600`, two weeks in seconds")
        }
        PolicyError::MissingMx => {
            ("the field `mx` is missing", "add a line `mx: HOST` for each MX host")
        }
        other => {
            let message = format!("{other}");
            return Diagnostic::new(Severity::Error, other.code(), Source::Policy, message);
        }
    };
    let diagnostic =
        Diagnostic::new(Severity::Error, error.code(), Source::Policy, message).help(help);
    match error.at() {
        Some(at) => diagnostic.at(at, 1),
        None => diagnostic,
    }
}

fn by_lines(text: &str, profile: Profile, error: Option<&PolicyError>) -> Vec<Diagnostic> {
    let mut reader = Reader { error, ..Reader::default() };
    for line in lines(text, profile) {
        reader.line(line);
    }
    reader.end()
}

/// What was read of a text so far.
#[derive(Default)]
struct Reader<'a, 'e> {
    error: Option<&'e PolicyError>,
    facts: Facts<'a>,
    /// For each of the RFC's fields, whether it stood there at all, well or badly.
    tried: [bool; 4],
    /// For each, the first line whose name is nearly its own.
    nearly: [Option<Line<'a>>; 4],
    unknown: Vec<Line<'a>>,
    /// The field without a value, if the line before was one: a list may follow.
    bare: Option<Line<'a>>,
    versions: usize,
    modes: usize,
    second_version: Option<Line<'a>>,
    in_list: bool,
    /// A line at fault speaks of `none`: perhaps the mode.
    perhaps_none: bool,
    anything: bool,
    diagnostics: Vec<Diagnostic>,
}

impl<'a> Reader<'a, '_> {
    fn line(&mut self, line: Line<'a>) {
        let blank = line.text.is_empty();
        self.anything = self.anything || !blank;
        // A list of YAML: the name and its items are one fault.
        let is_item = line.text.starts_with("- ");
        if is_item && (self.in_list || self.bare.is_some()) {
            if let Some(bare) = self.bare.take() {
                let diagnostic = foreign::yaml_list().at(bare.start_place(), chars(bare.text));
                self.diagnostics.push(diagnostic);
            }
            self.in_list = true;
            return;
        }
        self.flush();
        if blank {
            if let Some(error) = &line.fault {
                self.diagnostics.push(explain::fault(&line, error));
            }
            return;
        }
        self.in_list = false;
        self.perhaps_none |= line.fault.is_some() && line.text.contains("none");
        self.note_name(&line);
        match &line.fault {
            Some(_) if line.value.is_empty() && line.name.is_some() => self.bare = Some(line),
            Some(error) => {
                let diagnostic = faulty(&line, error);
                self.diagnostics.push(diagnostic);
            }
            None => self.sound(line),
        }
    }

    /// A field without a value after which no list came.
    fn flush(&mut self) {
        if let Some(bare) = self.bare.take() {
            if let Some(error) = &bare.fault {
                self.diagnostics.push(faulty(&bare, error));
            }
        }
    }

    /// Notes what the line is an attempt at.
    fn note_name(&mut self, line: &Line<'a>) {
        let equals = || line.text.split_once('=').map(|(name, _)| name);
        let spaced = || line.text.split_once([' ', '\t', '：']).map(|(name, _)| name);
        let written = line.name.or_else(equals).or_else(spaced).unwrap_or(line.text).trim();
        if explain::comment(line).is_some() {
            return;
        }
        let nearest = nearly::field(written);
        for (number, field) in nearly::FIELDS.into_iter().enumerate() {
            let exact = line.name == Some(field);
            let near = nearest == Some(field);
            let within =
                line.fault.is_some() && explain::fields_within(line.value).any(|f| f == field);
            if let Some(tried) = self.tried.get_mut(number) {
                // A sound line of a name that is only nearly right is an extension.
                *tried = *tried || exact || within || (near && line.fault.is_some());
            }
            if near && !exact && line.fault.is_none() {
                if let Some(place) = self.nearly.get_mut(number) {
                    match place {
                        None => *place = Some(line.clone()),
                        // Each further `nmx` is only misspelt.
                        Some(_) => self.unknown.push(line.clone()),
                    }
                }
            }
        }
        let joined =
            || line.fault.is_some() && explain::fields_within(line.value).any(|f| f == "version");
        if line.name == Some("version") || joined() {
            self.versions = self.versions.saturating_add(1);
            if self.versions == 2 {
                self.second_version = Some(line.clone());
            }
        }
        self.modes = self.modes.saturating_add(usize::from(line.name == Some("mode")));
    }

    fn sound(&mut self, line: Line<'a>) {
        if line.repeated {
            let name = quoted(line.name.unwrap_or_default());
            let message = format!("{name} stands above already: this one is ignored");
            self.diagnostics.push(
                Diagnostic::new(Severity::Warning, Code::RepeatedField, Source::Policy, message)
                    .at(line.start_place(), chars(line.text))
                    .help("remove the line"),
            );
            return;
        }
        match line.name {
            Some("mode") => {
                self.facts.mode = Mode::parse(line.value).map(|mode| (mode, line));
            }
            Some("max_age") => {
                self.facts.max_age = line.value.parse().ok().map(|secs| (secs, line));
            }
            Some("mx") => self.facts.mx.push(line),
            Some(name) if nearly::field(name).is_some() => {}
            _ => self.unknown.push(line),
        }
    }

    fn end(mut self) -> Vec<Diagnostic> {
        self.flush();
        if let Some(diagnostic) = self.nothing_like_a_policy() {
            return [diagnostic].into();
        }
        let missing = self.missing();
        self.diagnostics.extend(missing);
        let (near, unknown) = (self.nearly, self.unknown);
        self.diagnostics.extend(near.into_iter().flatten().chain(unknown).map(|l| extension(&l)));
        if let Some(second) = self.second_version.filter(|_| self.modes > 1) {
            let severity = if self.error.is_some() { Severity::Error } else { Severity::Warning };
            let message = "a second policy begins here; senders read it all as one";
            let help = "leave one policy: of each field but `mx` only the first counts, and the \
                        `mx` of both do";
            // What its lines repeat needs no saying one by one.
            self.diagnostics.retain(|d| d.code != <&str>::from(Code::RepeatedField));
            self.diagnostics.push(
                Diagnostic::new(severity, Code::TwoPolicies, Source::Policy, message)
                    .at(second.start_place(), chars(second.text))
                    .help(help),
            );
        }
        judge::judge(&self.facts, &mut self.diagnostics);
        together(&mut self.diagnostics);
        self.diagnostics
    }

    fn nothing_like_a_policy(&self) -> Option<Diagnostic> {
        self.error?;
        let new = |code, message| {
            let at = Place { line: 1, column: 1 };
            Diagnostic::new(Severity::Error, code, Source::Policy, message).at(at, 0).help(TEMPLATE)
        };
        if !self.anything {
            return Some(new(Code::Empty, "the file is empty"));
        }
        let known = self.tried.contains(&true) || self.nearly.iter().any(Option::is_some);
        let named = |d: &Diagnostic| {
            let others: [&str; 4] = [
                Code::RecordInPolicy.into(),
                Code::ZoneFile.into(),
                Code::Pem.into(),
                Code::Yaml.into(),
            ];
            others.contains(&d.code)
        };
        if known {
            return None;
        }
        let named = self.diagnostics.iter().find(|d| named(d)).cloned();
        let other = || new(Code::NotAPolicy, "nothing here is like a field of a policy");
        Some(named.unwrap_or_else(other))
    }

    /// The fields that a policy must have and this one has not.
    fn missing(&mut self) -> Vec<Diagnostic> {
        let errors = [
            PolicyError::MissingVersion,
            PolicyError::MissingMode,
            PolicyError::MissingMaxAge,
            PolicyError::MissingMx,
        ];
        let none = match &self.facts.mode {
            Some((mode, _)) => *mode == Mode::None,
            None => self.perhaps_none,
        };
        let yaml: &str = Code::Yaml.into();
        let listed = self.diagnostics.iter().any(|d| d.code == yaml);
        let mut diagnostics = Vec::new();
        let fields = errors.into_iter().zip(self.tried).zip(&mut self.nearly).zip(nearly::FIELDS);
        for (((error, tried), near), field) in fields {
            let optional = field == "mx" && (none || listed);
            if tried || optional {
                continue;
            }
            let diagnostic = plain(&error);
            diagnostics.push(match near.take() {
                Some(line) => {
                    let name = line.name.unwrap_or_default();
                    let message = format!("expected the field `{field}`, found {}", quoted(name));
                    let right = quoted(&format!("{field}: {}", line.value));
                    Diagnostic { message, ..diagnostic }
                        .at(line.start_place(), chars(name))
                        .help(format!("write {right}"))
                }
                None => diagnostic,
            });
        }
        diagnostics
    }
}

fn faulty(line: &Line<'_>, error: &PolicyError) -> Diagnostic {
    let no_field = matches!(
        error,
        PolicyError::MissingColon { .. }
            | PolicyError::FieldName { .. }
            | PolicyError::LeadingSpace { .. }
    );
    if no_field {
        if let Some(diagnostic) = explain::comment(line) {
            return diagnostic;
        }
        if let Some(found) = foreign::line(line.text) {
            return found.at(line.start_place(), chars(line.text.trim_end()));
        }
    }
    explain::fault(line, error)
}

/// A field that the RFC does not define.
fn extension(line: &Line<'_>) -> Diagnostic {
    let name = line.name.unwrap_or_default();
    if nearly::is_record(line.text) {
        return Diagnostic {
            severity: Severity::Warning,
            ..foreign::line(line.text).unwrap_or_else(foreign::yaml_list)
        }
        .at(line.start_place(), chars(line.text));
    }
    let new = |severity, code, message| {
        Diagnostic::new(severity, code, Source::Policy, message).at(line.start_place(), chars(name))
    };
    if let Some(field) = nearly::field(name) {
        let right = quoted(&format!("{field}: {}", line.value));
        let message = format!("{} is a field that senders ignore", quoted(name));
        return new(Severity::Warning, Code::MisspeltField, message)
            .help(format!("if it is meant, write {right}"));
    }
    let message = format!("{} is not a field of RFC 8461: senders ignore it", quoted(name));
    new(Severity::Note, Code::UnknownField, message)
}
