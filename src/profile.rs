//! How strictly policy texts are read.

/// How closely a policy text must keep to the RFC's grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum Profile {
    /// The ABNF of RFC 8461 §3.2 to the letter.
    Strict,
    /// Besides: a byte order mark at the start, blank lines, white space before a field name, one
    /// dot at the end of an `mx`, `_` in the labels of an `mx`.
    #[default]
    Tolerant,
}
