//! Reports as JSON (RFC 8460 §4.4): written to the letter, read with patience.

mod read;
mod write;

use alloc::format;

use jiff::Timestamp;
use serde::de::{self, Deserialize, Deserializer};
use serde::ser::{self, Serialize, Serializer};

use super::ResultType;
use super::report::Report;
use super::text::cut;
use crate::time::UnixTime;

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

impl Serialize for ResultType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ResultType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = read::Text::deserialize(deserializer)?;
        text.0.parse().map_err(de::Error::custom)
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
    let bad = || {
        E::custom(format!(
            "expected a date and time of RFC 3339 after 1970, found {:?}",
            cut(text, 64)
        ))
    };
    let timestamp = if let Ok(timestamp) = text.parse::<Timestamp>() {
        timestamp
    } else {
        let time: jiff::civil::DateTime = text.parse().map_err(|_| bad())?;
        time.to_zoned(jiff::tz::TimeZone::UTC).map_err(|_| bad())?.timestamp()
    };
    u64::try_from(timestamp.as_second()).map(UnixTime::from_secs).map_err(|_| bad())
}
