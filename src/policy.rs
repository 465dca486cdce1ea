//! The policy text: parse, print (RFC 8461 §3.2).
//!
//! One parser, two profiles: [`Profile::Strict`] is the RFC's grammar to the letter,
//! [`Profile::Tolerant`] takes five harmless departures from it as well, and names each
//! ([`PolicyRef::tolerances`]). Nothing that changes a meaning is tolerated.

mod lines;
mod parse;

use alloc::sync::Arc;
use core::fmt;

use crate::error::{Place, PolicyError};
use crate::mx::MxPattern;
use crate::name::DnsName;
pub use crate::profile::Profile;
use lines::{Field, Fields, Pair};
use parse::Rules;

/// The longest policy that is read, in octets (RFC 8461 §3.3).
pub const MAX_POLICY_OCTETS: usize = 65_536;

/// What a sender does when validation fails (RFC 8461 §5). Ordered from weak to strong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum Mode {
    /// Deliver as though the domain had no policy.
    None,
    /// Deliver all the same, and report.
    Testing,
    /// Do not deliver.
    Enforce,
}

impl Mode {
    /// The value of the field `mode`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Testing => "testing",
            Self::Enforce => "enforce",
        }
    }

    /// The mode that a value of the field `mode` names, exact in case.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::None, Self::Testing, Self::Enforce].into_iter().find(|mode| mode.as_str() == text)
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// For how long a policy may be applied after its fetch: 0 to 31,557,600 seconds, about a year
/// (RFC 8461 §3.2). A larger value is capped.
///
/// ```
/// use mta_sts::MaxAge;
///
/// assert_eq!(MaxAge::from_secs(86_400).as_secs(), 86_400);
/// assert_eq!(MaxAge::from_secs(9_999_999_999), MaxAge::LONGEST);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MaxAge(u32);

impl MaxAge {
    /// The longest: 31,557,600 seconds.
    pub const LONGEST: Self = Self(31_557_600);
    /// Good for the delivery at hand only.
    pub const ZERO: Self = Self(0);

    /// `secs` seconds, or [`LONGEST`](Self::LONGEST) if that is less.
    pub const fn from_secs(secs: u64) -> Self {
        // RFC 8461 §3.2: "maximum value of 31557600".
        if secs > 31_557_600 {
            return Self::LONGEST;
        }
        let [_, _, _, _, a, b, c, d] = secs.to_be_bytes();
        Self(u32::from_be_bytes([a, b, c, d]))
    }

    /// In seconds.
    pub const fn as_secs(self) -> u32 {
        self.0
    }
}

impl fmt::Display for MaxAge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(feature = "arbitrary")]
impl<'a> arbitrary::Arbitrary<'a> for MaxAge {
    fn arbitrary(u: &mut arbitrary::Unstructured<'a>) -> arbitrary::Result<Self> {
        u.arbitrary().map(Self::from_secs)
    }
}

/// A policy that borrows its text; reading one allocates nothing.
///
/// ```
/// use mta_sts::{DnsName, Mode, PolicyRef, Profile};
///
/// let text = "version: STSv1\nmode: enforce\nmx: *.example.net\nmax_age: 604800\n";
/// let policy = PolicyRef::parse(text.as_bytes(), Profile::Strict)?;
/// assert_eq!(policy.mode(), Mode::Enforce);
/// assert_eq!(policy.max_age().as_secs(), 604_800);
/// assert!(policy.matches(&DnsName::parse("mx.example.net")?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PolicyRef<'a> {
    text: &'a str,
    profile: Profile,
    mode: Mode,
    max_age: MaxAge,
    mx_count: usize,
}

impl<'a> PolicyRef<'a> {
    /// Reads a policy text by the rules of `profile`; at most [`MAX_POLICY_OCTETS`].
    ///
    /// # Errors
    /// The first fault in reading order, with its line and column: see [`PolicyError`].
    pub fn parse(text: &'a [u8], profile: Profile) -> Result<Self, PolicyError> {
        let text = parse::text(text)?;
        let Rules { mode, max_age, mx_count } = parse::read(text, profile)?;
        Ok(Self { text, profile, mode, max_age, mx_count })
    }

    /// The text, exactly as it was read.
    pub const fn as_str(self) -> &'a str {
        self.text
    }

    /// The profile by which it was read.
    pub const fn profile(self) -> Profile {
        self.profile
    }

    /// What to do when validation fails.
    pub const fn mode(self) -> Mode {
        self.mode
    }

    /// For how long it may be applied after its fetch, capped.
    pub const fn max_age(self) -> MaxAge {
        self.max_age
    }

    /// The patterns of the fields `mx`, in the order of the text.
    pub fn mx(self) -> impl Iterator<Item = MxPattern<'a>> {
        self.fields().filter_map(|field| match field {
            Field::Mx(pattern) => Some(pattern),
            Field::Other(_) => None,
        })
    }

    /// The pattern that `host`, the name of an MX record, matches, if any (RFC 8461 §4.1).
    pub fn matching(self, host: &DnsName) -> Option<MxPattern<'a>> {
        self.mx().find(|pattern| pattern.matches(host))
    }

    /// Whether `host` matches a pattern.
    pub fn matches(self, host: &DnsName) -> bool {
        self.matching(host).is_some()
    }

    /// Fields that the RFC does not define, in the order of the text, ignored but kept
    /// (RFC 8461 §3.2): name and value.
    pub fn extensions(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.fields().filter_map(|field| match field {
            Field::Mx(_) | Field::Other(Pair { name: "version" | "mode" | "max_age", .. }) => None,
            Field::Other(Pair { name, value }) => Some((name, value)),
        })
    }

    /// What the tolerant profile took that the RFC's grammar does not admit, and where; nothing
    /// for a text that the strict profile takes too.
    pub fn tolerances(self) -> impl Iterator<Item = Tolerance> + 'a {
        lines::tolerances(self.text)
    }

    fn fields(self) -> impl Iterator<Item = Field<'a>> {
        // A text that was parsed yields no error again.
        Fields::new(self.text, self.profile).filter_map(Result::ok)
    }
}

/// Prints the policy in its plainest form, one field a line, CRLF at each end: what the strict
/// profile reads as the same policy.
impl fmt::Display for PolicyRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "version: STSv1\r\nmode: {}\r\n", self.mode)?;
        for pattern in self.mx() {
            write!(f, "mx: {pattern}\r\n")?;
        }
        write!(f, "max_age: {}\r\n", self.max_age)?;
        for (name, value) in self.extensions() {
            write!(f, "{name}: {value}\r\n")?;
        }
        Ok(())
    }
}

/// A policy with its text. It takes two allocations whatever its size, and none to clone it.
///
/// ```
/// use mta_sts::{DnsName, Policy, Profile};
///
/// let policy = Policy::parse(
///     b"version: STSv1\r\nmode: testing\r\nmx: mx.example.com\r\nmax_age: 86400\r\n",
///     Profile::default(),
/// )?;
/// let host = DnsName::parse("MX.Example.COM")?;
/// assert_eq!(policy.matching(&host).map(|p| p.as_str()), Some("mx.example.com"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Policy {
    text: Arc<str>,
    /// Where in the text the patterns stand.
    mx: Arc<[Span]>,
    mode: Mode,
    max_age: MaxAge,
    profile: Profile,
}

impl Policy {
    /// Reads a policy text by the rules of `profile`; at most [`MAX_POLICY_OCTETS`].
    ///
    /// # Errors
    /// The first fault in reading order, with its line and column: see [`PolicyError`].
    pub fn parse(text: &[u8], profile: Profile) -> Result<Self, PolicyError> {
        PolicyRef::parse(text, profile).map(Self::from)
    }

    /// The most patterns that a text has room for.
    pub(crate) const MAX_MX: usize = MAX_POLICY_OCTETS / "mx:a".len();

    /// Makes the policy that a store kept, from its text and from what was read of the text when it
    /// was fetched. `None` if a pattern does not lie within the text, or the text is too long.
    pub(crate) fn restored(
        text: &str,
        profile: Profile,
        mode: Mode,
        max_age: MaxAge,
        mx: Arc<[Span]>,
    ) -> Option<Self> {
        let are_within = mx.iter().all(|span| span.of(text).is_some());
        (are_within && text.len() <= MAX_POLICY_OCTETS).then(|| {
            let text = text.into();
            Self { text, mx, mode, max_age, profile }
        })
    }

    /// Where in the text the patterns stand.
    pub(crate) fn spans(&self) -> &[Span] {
        &self.mx
    }

    /// The policy as a borrowed view.
    pub fn as_policy_ref(&self) -> PolicyRef<'_> {
        let Self { text, mx, mode, max_age, profile } = self;
        let mx_count = mx.len();
        PolicyRef { text, profile: *profile, mode: *mode, max_age: *max_age, mx_count }
    }

    /// The text, exactly as it was fetched.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The profile by which it was read.
    pub const fn profile(&self) -> Profile {
        self.profile
    }

    /// What to do when validation fails.
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// For how long it may be applied after its fetch, capped.
    pub const fn max_age(&self) -> MaxAge {
        self.max_age
    }

    /// The patterns of the fields `mx`, in the order of the text.
    pub fn mx(&self) -> impl ExactSizeIterator<Item = MxPattern<'_>> {
        self.mx.iter().map(|span| MxPattern::from_checked(span.part_of(&self.text)))
    }

    /// The pattern that `host`, the name of an MX record, matches, if any (RFC 8461 §4.1).
    pub fn matching(&self, host: &DnsName) -> Option<MxPattern<'_>> {
        self.mx().find(|pattern| pattern.matches(host))
    }

    /// Whether `host` matches a pattern.
    pub fn matches(&self, host: &DnsName) -> bool {
        self.matching(host).is_some()
    }
}

impl From<PolicyRef<'_>> for Policy {
    #[expect(clippy::expect_used, reason = "one text has one number of patterns")]
    fn from(policy: PolicyRef<'_>) -> Self {
        let PolicyRef { text, profile, mode, max_age, mx_count } = policy;
        let mut patterns = policy.mx();
        let mut next = |_| {
            let pattern = patterns.next().expect("the patterns were counted");
            Span::within(text, pattern.as_str())
        };
        // A known length saves the allocation of a list that grows.
        let mx = (0..mx_count).map(&mut next).collect();
        Self { text: text.into(), mx, mode, max_age, profile }
    }
}

/// A part of a policy's text: its start and length in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u16,
    pub(crate) len: u16,
}

impl Span {
    /// The place of `part`, which is a slice of `text`.
    #[expect(clippy::expect_used, reason = "no policy is longer than `MAX_POLICY_OCTETS`")]
    fn within(text: &str, part: &str) -> Self {
        let start = part.as_ptr().addr().saturating_sub(text.as_ptr().addr());
        let number = |bytes: usize| bytes.try_into().expect("a policy has at most 65,536 bytes");
        Self { start: number(start), len: number(part.len()) }
    }

    /// The part of the text that it was made of.
    #[expect(clippy::expect_used, reason = "the parser and `Policy::restored` check it")]
    fn part_of(self, text: &str) -> &str {
        self.of(text).expect("a pattern lies within its text")
    }

    /// The part of `text`; `None` if the text is shorter.
    fn of(self, text: &str) -> Option<&str> {
        let start = usize::from(self.start);
        text.get(start..start.saturating_add(self.len.into()))
    }
}

/// Prints the plainest form, as [`PolicyRef`] does; [`as_str`](Policy::as_str) is the fetched text.
impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_policy_ref().fmt(f)
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy")
            .field("mode", &self.mode)
            .field("max_age", &self.max_age.as_secs())
            .field("mx", &self.mx().map(MxPattern::as_str).collect::<alloc::vec::Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// Something that only the tolerant profile takes, and where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tolerance {
    /// What it is.
    pub kind: ToleranceKind,
    /// Where it stands.
    pub at: Place,
}

/// A departure from the grammar that only the tolerant profile takes. The enum is exhaustive on
/// purpose: a further tolerance is a change that every reader of policies should see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ToleranceKind {
    /// A UTF-8 byte order mark at the start.
    ByteOrderMark,
    /// A blank line.
    BlankLine,
    /// White space before a field name.
    LeadingSpace,
    /// A dot at the end of an `mx`.
    TrailingDot,
    /// `_` in a label of an `mx`.
    Underscore,
}

#[cfg(feature = "arbitrary")]
impl<'a> arbitrary::Arbitrary<'a> for Policy {
    fn arbitrary(u: &mut arbitrary::Unstructured<'a>) -> arbitrary::Result<Self> {
        use core::fmt::Write;
        let mut text = alloc::string::String::new();
        let (mode, max_age): (Mode, MaxAge) = u.arbitrary()?;
        let count = u.int_in_range(u8::from(mode != Mode::None)..=6)?;
        let mut written = write!(text, "version: STSv1\nmode: {mode}\nmax_age: {max_age}\n");
        for _ in 0..count {
            let wildcard = if u.arbitrary()? { "*." } else { "" };
            let host: DnsName = u.arbitrary()?;
            written = written.and_then(|()| writeln!(text, "mx: {wildcard}{host}"));
        }
        written.map_err(|_| arbitrary::Error::IncorrectFormat)?;
        Self::parse(text.as_bytes(), u.arbitrary()?).map_err(|_| arbitrary::Error::IncorrectFormat)
    }
}
