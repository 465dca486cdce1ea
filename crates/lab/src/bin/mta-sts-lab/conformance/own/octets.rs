//! Octets as a case writes them.

use serde::Deserialize;

/// A text, by its UTF-8, or `{"hex": …}` for what is no text.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Written")]
pub(super) struct Octets(Vec<u8>);

impl Octets {
    pub(super) fn from_text(text: String) -> Self {
        Self(text.into_bytes())
    }
}

impl AsRef<[u8]> for Octets {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Text(String),
    Hex { hex: String },
}

impl TryFrom<Written> for Octets {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let hex = match written {
            Written::Text(text) => return Ok(Self(text.into_bytes())),
            Written::Hex { hex } => hex,
        };
        let digits: Option<Vec<_>> = hex.chars().map(|digit| digit.to_digit(16)).collect();
        let digits = digits.filter(|digits| digits.len() % 2 == 0);
        let digits = digits.ok_or("expected pairs of hexadecimal digits in `hex`")?;
        let octets = digits.chunks_exact(2).filter_map(|pair| match pair {
            [high, low] => u8::try_from(high * 16 + low).ok(),
            _ => None,
        });
        Ok(Self(octets.collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{from_value, json};

    #[test]
    fn ok_a_text_and_hexadecimal_digits() {
        let octets = |value| from_value::<Octets>(value).expect("octets").0;
        assert_eq!(octets(json!("é")), [0xc3, 0xa9]);
        assert_eq!(octets(json!({"hex": "00fF"})), [0, 255]);
        assert_eq!(octets(json!({"hex": ""})), [0; 0]);
    }

    #[test]
    fn err_half_an_octet_and_other_digits() {
        for hex in ["0", "0g", "0x"] {
            assert!(from_value::<Octets>(json!({"hex": hex})).is_err(), "{hex}");
        }
    }
}
