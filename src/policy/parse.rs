//! The fields that the RFC defines, and which of them a policy must have.

use super::{Field, Fields, MAX_POLICY_OCTETS, MaxAge, Mode, PolicyRef, Profile};
use crate::error::{Place, PolicyError};
use crate::mx::MxPattern;

/// Digits of `max_age` (RFC 8461 §3.2: 1*10(DIGIT)).
const MAX_DIGITS: usize = 10;

impl<'a> PolicyRef<'a> {
    /// Reads a policy text by the rules of `profile`; at most [`MAX_POLICY_OCTETS`].
    ///
    /// # Errors
    /// The first fault in reading order, with its line and column: see [`PolicyError`].
    pub fn parse(text: &'a [u8], profile: Profile) -> Result<Self, PolicyError> {
        if text.len() > MAX_POLICY_OCTETS {
            return Err(PolicyError::TooLarge { octets: text.len() });
        }
        let text =
            core::str::from_utf8(text).map_err(|error| not_utf8(text, error.valid_up_to()))?;
        let mut version_seen = false;
        let mut mode = None;
        let mut max_age = None;
        let mut mx_count = 0_usize;
        for field in Fields::new(text, profile) {
            let field = field?;
            match field.name {
                // RFC 8461 §3.2: of a repeated field other than "mx", all but the first are ignored.
                "version" if !version_seen => {
                    version(field)?;
                    version_seen = true;
                }
                "mode" if mode.is_none() => {
                    let value = Mode::parse(field.value);
                    mode = Some(value.ok_or(PolicyError::Mode { at: field.at })?);
                }
                "max_age" if max_age.is_none() => max_age = Some(parse_max_age(field)?),
                "mx" => {
                    MxPattern::parse(field.value, profile)
                        .map_err(|error| PolicyError::Mx { error, at: field.at })?;
                    mx_count = mx_count.saturating_add(1);
                }
                // RFC 8461 §3.2: unknown fields are ignored; their lines must still be fields.
                _ if field.value.is_empty() => {
                    return Err(PolicyError::EmptyValue { at: field.at });
                }
                _ => {}
            }
        }
        if !version_seen {
            return Err(PolicyError::MissingVersion);
        }
        let mode = mode.ok_or(PolicyError::MissingMode)?;
        let max_age = max_age.ok_or(PolicyError::MissingMaxAge)?;
        // RFC 8461 §3.2: "mx" is required at least once, except when the mode is "none".
        if mx_count == 0 && mode != Mode::None {
            return Err(PolicyError::MissingMx);
        }
        Ok(Self { text, profile, mode, max_age, mx_count })
    }
}

fn version(field: Field<'_>) -> Result<(), PolicyError> {
    match field.value {
        "STSv1" => Ok(()),
        _ => Err(PolicyError::Version { at: field.at }),
    }
}

fn parse_max_age(field: Field<'_>) -> Result<MaxAge, PolicyError> {
    let mut secs = 0_u64;
    for (position, digit) in field.value.chars().enumerate() {
        let place = Place { column: field.at.column.saturating_add(position), ..field.at };
        let value = digit.to_digit(10).filter(|_| position < MAX_DIGITS);
        let value = value.ok_or(PolicyError::MaxAge { at: place })?;
        secs = secs.saturating_mul(10).saturating_add(u64::from(value));
    }
    if field.value.is_empty() {
        return Err(PolicyError::MaxAge { at: field.at });
    }
    Ok(MaxAge::from_secs(secs))
}

fn not_utf8(text: &[u8], valid: usize) -> PolicyError {
    let before = text.get(..valid).unwrap_or_default();
    let line = before.split(|b| *b == b'\n').count();
    let in_line = before.rsplit(|b| *b == b'\n').next().unwrap_or_default();
    // Octets that continue a character are not counted.
    let column = in_line.iter().filter(|b| (**b & 0xc0) != 0x80).count().saturating_add(1);
    PolicyError::Encoding { at: Place { line, column } }
}
