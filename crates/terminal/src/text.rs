//! Text for people: times, lengths of time, lists, and text of unknown origin made harmless.

use std::fmt::Write;

use mta_sts::UnixTime;

/// The most characters of a text of unknown origin that are shown.
const MAX_CHARS: usize = 400;

/// Returns a text of unknown origin in a form that is safe to print on a terminal.
///
/// Characters for which [`is_hidden`] returns `true` are escaped. After 400 characters the text ends
/// with `…`.
pub fn harmless(text: &str) -> String {
    let mut shown = String::with_capacity(text.len().min(MAX_CHARS));
    for (count, c) in text.chars().enumerate() {
        if count == MAX_CHARS {
            shown.push('…');
            break;
        }
        if is_hidden(c) { shown.extend(c.escape_unicode()) } else { shown.push(c) }
    }
    shown
}

/// Returns `true` if a terminal would obey the character, or a reader could not see it or could take
/// it for another: control characters, marks of direction, and spaces of special kinds.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{a0}' | '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// Returns a length of time, given in seconds, in its two largest units and rounded down:
/// `6 days 23 hours`.
pub fn span(secs: u64) -> String {
    const UNITS: [(u64, &str); 5] =
        [(604_800, "week"), (86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")];
    let largest = UNITS.iter().position(|(unit, _)| secs >= *unit).unwrap_or(UNITS.len() - 1);
    let mut text = String::new();
    let mut rest = secs;
    for (unit, name) in UNITS.iter().skip(largest).take(2) {
        let count = rest / unit;
        rest %= unit;
        if count == 0 && !text.is_empty() {
            continue;
        }
        let space = if text.is_empty() { "" } else { " " };
        let plural = if count == 1 { "" } else { "s" };
        // Writing to a string does not fail.
        let _ = write!(text, "{space}{count} {name}{plural}");
    }
    text
}

/// Returns a point of time in UTC, to the minute: `2027-01-15 08:00 UTC`.
pub fn date(time: UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).ok();
    match seconds.and_then(|seconds| jiff::Timestamp::from_second(seconds).ok()) {
        Some(time) => time.strftime("%Y-%m-%d %H:%M UTC").to_string(),
        None => format!("second {time} of the epoch"),
    }
}

/// Returns a list in words, its items made [`harmless`]: `a`, `a and b`, `a, b and c`, and
/// `a, b, c and 4 more`.
pub fn list<'a>(items: impl IntoIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 3;
    let items: Vec<String> = items.into_iter().map(harmless).collect();
    let more = items.len().saturating_sub(SHOWN);
    let (shown, last) = match (items.as_slice(), more) {
        (all, 0) => match all.split_last() {
            None => return String::new(),
            Some((last, [])) => return last.clone(),
            Some((last, rest)) => (rest, last.clone()),
        },
        (all, more) => (all.get(..SHOWN).unwrap_or_default(), format!("{more} more")),
    };
    format!("{} and {last}", shown.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_lengths_of_time_have_two_units_at_most() {
        let cases = [
            (0, "0 seconds"),
            (1, "1 second"),
            (61, "1 minute 1 second"),
            (3_600, "1 hour"),
            (604_799, "6 days 23 hours"),
            (604_800, "1 week"),
            (31_557_600, "52 weeks 1 day"),
        ];
        for (secs, expected) in cases {
            assert_eq!(span(secs), expected);
        }
    }

    #[test]
    fn ok_a_date_is_in_utc_and_no_time_is_too_far() {
        assert_eq!(date(UnixTime::from_secs(1_800_000_000)), "2027-01-15 08:00 UTC");
        assert_eq!(date(UnixTime::EPOCH), "1970-01-01 00:00 UTC");
        assert_eq!(date(UnixTime::LATEST), "second 253402300799 of the epoch");
    }

    #[test]
    fn err_what_a_terminal_would_obey_is_escaped_and_what_is_long_is_clipped() {
        assert_eq!(harmless("a\u{1b}[2Jb\r\nc\u{202e}"), "a\\u{1b}[2Jb\\u{d}\\u{a}c\\u{202e}");
        assert_eq!(harmless("a\u{a0}\u{ad}\u{61c}\u{2028}"), "a\\u{a0}\\u{ad}\\u{61c}\\u{2028}");
        assert_eq!(harmless("\u{9b}31m münchen"), "\\u{9b}31m münchen");
        assert_eq!(harmless(&"x".repeat(5_000)).chars().count(), MAX_CHARS + 1);
    }

    #[test]
    fn ok_lists_read_well() {
        assert_eq!(list([]), "");
        assert_eq!(list(["a"]), "a");
        assert_eq!(list(["a", "b"]), "a and b");
        assert_eq!(list(["a", "b", "c"]), "a, b and c");
        assert_eq!(list(["a", "b", "c", "d", "e"]), "a, b, c and 2 more");
    }
}
