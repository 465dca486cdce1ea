//! The fields that the RFC defines, and which of them a policy must have.

use super::lines::{self, Field, Fields, Pair};
use super::{MAX_POLICY_OCTETS, MaxAge, Mode, Profile};
use crate::error::PolicyError;

/// Digits of `max_age` (RFC 8461 §3.2: 1*10(DIGIT)).
const MAX_DIGITS: usize = 10;

/// What a policy says, and the number of its patterns.
pub(super) struct Rules {
    pub(super) mode: Mode,
    pub(super) max_age: MaxAge,
    pub(super) mx_count: usize,
}

/// The text of a policy.
///
/// # Errors
/// It is too long, or no text.
pub(super) fn text(octets: &[u8]) -> Result<&str, PolicyError> {
    if octets.len() > MAX_POLICY_OCTETS {
        return Err(PolicyError::TooLarge { octets: octets.len() });
    }
    core::str::from_utf8(octets).map_err(|error| {
        let before = octets.get(..error.valid_up_to()).unwrap_or_default();
        PolicyError::Encoding { at: lines::place_after(before) }
    })
}

/// Reads the text in one pass.
///
/// # Errors
/// The first fault in reading order.
pub(super) fn read(text: &str, profile: Profile) -> Result<Rules, PolicyError> {
    let (mut version_seen, mut mx_count) = (false, 0_usize);
    let (mut mode, mut max_age) = (None, None);
    for field in Fields::new(text, profile) {
        let Pair { name, value } = match field? {
            Field::Mx(_) => {
                mx_count = mx_count.saturating_add(1);
                continue;
            }
            Field::Other(pair) => pair,
        };
        let at = || lines::place(text, value);
        // A value that is what it is to be has no control characters.
        let checked = |error| lines::check_controls(text, value).err().unwrap_or(error);
        match name {
            // RFC 8461 §3.2: of a repeated field other than "mx", all but the first are ignored.
            "version" if !version_seen => {
                if value != "STSv1" {
                    return Err(checked(PolicyError::Version { at: at() }));
                }
                version_seen = true;
            }
            "mode" if mode.is_none() => {
                let wrong = || checked(PolicyError::Mode { at: at() });
                mode = Some(Mode::parse(value).ok_or_else(wrong)?);
            }
            "max_age" if max_age.is_none() => {
                max_age = Some(parse_max_age(text, value).map_err(checked)?);
            }
            // RFC 8461 §3.2: unknown fields are ignored; their lines must still be fields.
            _ => {
                lines::check_controls(text, value)?;
                if value.is_empty() {
                    return Err(PolicyError::EmptyValue { at: at() });
                }
            }
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
    Ok(Rules { mode, max_age, mx_count })
}

fn parse_max_age(text: &str, value: &str) -> Result<MaxAge, PolicyError> {
    let wrong = |octet: usize| PolicyError::MaxAge {
        at: lines::place(text, value.get(octet..).unwrap_or(value)),
    };
    let mut secs = 0_u64;
    for (octet, digit) in value.bytes().enumerate() {
        if !digit.is_ascii_digit() || octet >= MAX_DIGITS {
            return Err(wrong(octet));
        }
        secs = secs.saturating_mul(10).saturating_add(u64::from(digit & 0x0f));
    }
    if value.is_empty() {
        return Err(wrong(0));
    }
    Ok(MaxAge::from_secs(secs))
}
