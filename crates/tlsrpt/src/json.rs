//! Reports as JSON (RFC 8460 §4.4): written to the letter, read with patience.

mod read;
mod write;

use alloc::format;
use alloc::string::String;

use jiff::Timestamp;
use serde::de::{self, Deserialize, Deserializer};
use serde::ser::{self, Serialize, Serializer};

use super::report::Report;
use super::text::cut;
use mta_sts::UnixTime;

/// Seconds of a day.
const DAY: u64 = 86_400;

impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        write::Report::from(self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Report {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let report = read::Report::deserialize(deserializer)?;
        Self::try_from(report).map_err(de::Error::custom)
    }
}

impl Serialize for super::ReportedPolicy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        write::Policy::from(self).serialize(serializer)
    }
}

impl Serialize for super::FailureDetails {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        write::Details::from(self).serialize(serializer)
    }
}

/// RFC 3339 §5.6, in UTC.
fn write_time<S: Serializer>(time: UnixTime, serializer: S) -> Result<S::Ok, S::Error> {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    let timestamp = Timestamp::from_second(seconds).map_err(ser::Error::custom)?;
    serializer.collect_str(&timestamp)
}

/// A date and time; without a zone it is UTC.
fn read_time<E: de::Error>(text: &str) -> Result<UnixTime, E> {
    let text = text.trim();
    let time = match midnight_after(text) {
        Some(midnight) => parse_time(&midnight).map(|time| time.plus_secs(DAY)),
        None => parse_time(text),
    };
    time.ok_or_else(|| {
        E::custom(format!(
            "expected a date and time of RFC 3339 after 1970, found {:?}",
            cut(text, 64)
        ))
    })
}

fn parse_time(text: &str) -> Option<UnixTime> {
    let timestamp = if let Ok(timestamp) = text.parse::<Timestamp>() {
        timestamp
    } else {
        let time: jiff::civil::DateTime = text.parse().ok()?;
        time.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp()
    };
    u64::try_from(timestamp.as_second()).ok().map(UnixTime::from_secs)
}

/// RFC 8460 §4.1: a report covers 00:00-24:00. RFC 3339 has no hour 24, so this is the same text
/// with the hour 0, a day too early; `None` for a text with another hour.
fn midnight_after(text: &str) -> Option<String> {
    let (date, time) = text.split_at_checked("2026-01-01T".len())?;
    let rest = time.strip_prefix("24:00")?;
    let rest = rest.strip_prefix(":00").unwrap_or(rest);
    let zone = match rest.strip_prefix('.') {
        Some(fraction) => fraction.trim_start_matches('0'),
        None => rest,
    };
    // A zone remains, or nothing: no other minute, second or fraction.
    let is_midnight = !zone.starts_with(|c: char| c.is_ascii_digit() || c == ':');
    is_midnight.then(|| format!("{date}00:00:00{zone}"))
}
