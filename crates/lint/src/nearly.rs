//! What somebody probably meant: names and values that are nearly right.

use alloc::string::String;
use alloc::vec::Vec;

use mta_sts::Mode;

/// Longer words are not compared: nothing that is meant here is nearly as long.
const MAX_WORD: usize = 40;

/// How many characters must be inserted, removed or replaced to make one word of the other.
pub(super) fn distance(left: &str, right: &str) -> usize {
    if left.len() > MAX_WORD || right.len() > MAX_WORD {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=super::chars(right)).collect();
    for (number, from) in left.chars().enumerate() {
        let mut corner = number;
        let mut before = number.saturating_add(1);
        if let Some(first) = row.first_mut() {
            *first = before;
        }
        for (cell, to) in row.iter_mut().skip(1).zip(right.chars()) {
            let replaced = corner.saturating_add(usize::from(from != to));
            corner = *cell;
            before = replaced.min(before.saturating_add(1)).min(cell.saturating_add(1));
            *cell = before;
        }
    }
    row.last().copied().unwrap_or_default()
}

/// The fields of a policy (RFC 8461 §3.2).
pub(super) const FIELDS: [&str; 4] = ["version", "mode", "max_age", "mx"];

/// Letters of the longest field, and as many as one that is near may have besides.
const FIELD_LETTERS: usize = 9;

/// The field of the RFC that `name` is, or nearly is.
pub(super) fn field(name: &str) -> Option<&'static str> {
    if let Some(exact) = FIELDS.into_iter().find(|field| *field == name) {
        return Some(exact);
    }
    let word = letters(name);
    // A word of one letter is near to everything, a long one to nothing.
    if !(2..=FIELD_LETTERS).contains(&word.len()) {
        return None;
    }
    FIELDS.into_iter().find(|field| {
        let (near, field) = match *field {
            "max_age" => (2, "maxage"),
            "version" => (2, "version"),
            // `mx1`, `nmx` and `ms` are near; of two letters more are not.
            field => (1, field),
        };
        word.len().abs_diff(field.len()) <= near && distance(&word, field) <= near
    })
}

/// The mode that `value` nearly is.
pub(super) fn mode(value: &str) -> Option<Mode> {
    let word = letters(bare(value));
    let begins = |prefixes: &[&str]| prefixes.iter().any(|prefix| word.starts_with(prefix));
    if begins(&["enforc", "enfroc", "inforc"]) {
        return Some(Mode::Enforce);
    }
    if matches!(&*word, "test" | "tests" | "report" | "reporting" | "monitor" | "monitoring") {
        return Some(Mode::Testing);
    }
    if matches!(&*word, "off" | "disabled" | "disable" | "no") {
        return Some(Mode::None);
    }
    let modes = [Mode::Enforce, Mode::Testing, Mode::None];
    modes.into_iter().find(|mode| {
        let near = if *mode == Mode::None { 1 } else { 2 };
        distance(&word, mode.as_str()) <= near
    })
}

/// The value without what people put around one: a comment behind it, quotes, brackets.
pub(super) fn bare(value: &str) -> &str {
    let wrapping =
        |c: char| c.is_whitespace() || is_invisible(c) || "\"'`“”‘’„«»[](){}<>,;".contains(c);
    [" #", "\t#", " //", "\t//", " ;"]
        .into_iter()
        .fold(value, |rest, mark| rest.split_once(mark).map_or(rest, |(before, _)| before))
        .trim_matches(wrapping)
}

/// The digits that somebody wrote with a unit, separators or quotes; in seconds.
pub(super) fn seconds(value: &str) -> Option<u64> {
    let value = bare(value);
    let mut digits = 0_u64;
    let mut unit = String::new();
    for c in value.chars() {
        match c.to_digit(10) {
            Some(digit) if unit.is_empty() => {
                digits = digits.checked_mul(10)?.checked_add(u64::from(digit))?;
            }
            None if c.is_alphabetic() => unit.extend(c.to_lowercase()),
            None if matches!(c, ',' | '.' | '_' | '\'' | ' ' | '"') => {}
            _ => return None,
        }
    }
    let length = match &*unit {
        "" | "s" | "sec" | "secs" | "second" | "seconds" => 1,
        "m" | "min" | "minutes" => 60,
        "h" | "hour" | "hours" => 3_600,
        "d" | "day" | "days" => 86_400,
        "w" | "week" | "weeks" => 604_800,
        "y" | "year" | "years" => 31_536_000,
        _ => return None,
    };
    digits.checked_mul(length).filter(|secs| *secs > 0)
}

/// Whether the value looks like one that a template leaves to be filled in.
pub(super) fn is_placeholder(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    let marks = [
        "yourdomain",
        "your-domain",
        "your_domain",
        "your.domain",
        "yourcompany",
        "yourserver",
        "your_",
        "_hostname",
        "primary_",
        "changeme",
        "placeholder",
        "{{",
        "}}",
        "${",
        "<%",
        "|",
    ];
    let shouted = value.len() > 2
        && value.chars().all(|c| c.is_ascii_uppercase() || matches!(c, '_' | '-'))
        // `ENFORCE` is a value in the wrong case.
        && mode(value).is_none();
    shouted || marks.iter().any(|mark| lower.contains(mark))
}

/// Whether the text is that of an MTA-STS record, perhaps quoted or as a line of a zone file.
pub(super) fn is_record(text: &str) -> bool {
    let line = text.lines().next().unwrap_or_default();
    line.to_ascii_lowercase().contains("v=stsv1")
}

/// Whether nobody can see the character, or it looks like a space and is none.
pub(super) fn is_invisible(c: char) -> bool {
    matches!(c, '\u{a0}' | '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{2000}'..='\u{200f}'
        | '\u{2028}'..='\u{202f}' | '\u{205f}'..='\u{206f}' | '\u{3000}' | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// The letters and digits in lower case.
fn letters(text: &str) -> String {
    let letters = text.chars().filter(char::is_ascii_alphanumeric).take(MAX_WORD.saturating_add(1));
    letters.map(|c| c.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_distance() {
        let cases = [
            ("", "", 0),
            ("", "mx", 2),
            ("mx", "", 2),
            ("nmx", "mx", 1),
            ("ms", "mx", 1),
            ("maxage", "maxage", 0),
            ("kitten", "sitting", 3),
            ("ü", "u", 1),
        ];
        for (left, right, expected) in cases {
            assert_eq!(distance(left, right), expected, "{left} {right}");
            assert_eq!(distance(right, left), expected, "{right} {left}");
        }
        let word = |length| "a".repeat(length);
        assert_eq!(distance(&word(40), &word(40)), 0);
        assert_eq!(distance(&word(41), "a"), usize::MAX);
        assert_eq!(distance("a", &word(41)), usize::MAX);
    }

    #[test]
    fn ok_bare_values() {
        let cases = [
            ("\" x \"", "x"),
            ("\u{200b}[x]\u{a0}", "x"),
            ("x\t// y", "x"),
            ("x ; y", "x"),
            ("x#y", "x#y"),
        ];
        for (value, expected) in cases {
            assert_eq!(bare(value), expected, "{value}");
        }
    }

    #[test]
    fn ok_near_fields() {
        let cases = [
            ("nmx", Some("mx")),
            ("ms", Some("mx")),
            ("MX", Some("mx")),
            ("mx1", Some("mx")),
            ("Mode", Some("mode")),
            ("mod", Some("mode")),
            ("maxage", Some("max_age")),
            ("max-age", Some("max_age")),
            ("Max Age", Some("max_age")),
            ("vesrion", Some("version")),
            ("Version", Some("version")),
            ("x", None),
            ("contact", None),
            ("sha256_fingerprints", None),
            ("message", None),
        ];
        for (name, expected) in cases {
            assert_eq!(field(name), expected, "{name}");
        }
    }

    #[test]
    fn ok_near_modes() {
        let cases = [
            ("enforced", Some(Mode::Enforce)),
            ("Enforce", Some(Mode::Enforce)),
            ("\"enforce\"", Some(Mode::Enforce)),
            ("enforcing", Some(Mode::Enforce)),
            ("enfoce", Some(Mode::Enforce)),
            ("[testing]", Some(Mode::Testing)),
            ("test", Some(Mode::Testing)),
            ("testing # 1. Decide", Some(Mode::Testing)),
            ("None", Some(Mode::None)),
            ("MODE", None),
            ("strict", None),
        ];
        for (value, expected) in cases {
            assert_eq!(mode(value), expected, "{value}");
        }
    }

    #[test]
    fn ok_seconds_of_a_person() {
        let cases = [
            ("604,800", Some(604_800)),
            ("604800s", Some(604_800)),
            ("\"604800\"", Some(604_800)),
            ("1 week", Some(604_800)),
            ("14d", Some(1_209_600)),
            ("90 min", Some(5_400)),
            ("36 Hours", Some(129_600)),
            ("1y", Some(31_536_000)),
            ("0d", None),
            ("1d2", None),
            ("604800  # a week", Some(604_800)),
            ("-1", None),
            ("one", None),
            ("99999999999999999999999", None),
        ];
        for (value, expected) in cases {
            assert_eq!(seconds(value), expected, "{value}");
        }
    }

    #[test]
    fn ok_placeholders() {
        for value in ["MODE", "PRIMARY_HOSTNAME", "mx1.your_domain.tld", "[enforce|testing|none]"] {
            assert!(is_placeholder(value), "{value}");
        }
        for value in ["ENFORCE", "testing", "MX", "mx1.example.com", "None", "SMTP.GOOGLE.COM"] {
            assert!(!is_placeholder(value), "{value}");
        }
    }
}
