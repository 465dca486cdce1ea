//! The TXT record `_mta-sts`: parse, print, select among several (RFC 8461 §3.1).
//!
//! The grammar is kept to the letter. A record may come in many character-strings; they are read
//! where they lie, joined with nothing between, and nothing is allocated.

use alloc::borrow::Cow;
use core::fmt;

use crate::error::{RecordError, SelectionError};

const VERSION: &[u8] = b"v=STSv1";

/// The `id` of a policy instance: 1 to 32 ASCII letters and digits (RFC 8461 §3.1).
///
/// Ids are compared for equality only; the RFC gives them no order. (The order that the type has
/// is that of the text, for use as a key.)
///
/// ```
/// use mta_sts::PolicyId;
///
/// let id = PolicyId::parse("20160831085700Z").unwrap();
/// assert_eq!(id.as_str(), "20160831085700Z");
/// assert_eq!(PolicyId::parse("2016-08-31"), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyId {
    len: u8,
    text: [u8; Self::MAX_OCTETS],
}

impl PolicyId {
    /// The longest id, in octets.
    pub const MAX_OCTETS: usize = 32;

    const EMPTY: Self = Self { len: 0, text: [0; Self::MAX_OCTETS] };

    /// Reads an id; `None` where it is empty, longer than 32 octets, or has anything but ASCII
    /// letters and digits.
    pub fn parse(text: &str) -> Option<Self> {
        Self::of(text.as_bytes())
    }

    fn of(text: &[u8]) -> Option<Self> {
        let mut id = Self::EMPTY;
        let is_id = !text.is_empty() && text.iter().all(u8::is_ascii_alphanumeric);
        (is_id && id.append(text)).then_some(id)
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        let text = self.text.get(..usize::from(self.len)).unwrap_or_default();
        core::str::from_utf8(text).unwrap_or_default()
    }

    /// Appends octets; `false` where there is no place for them.
    fn append(&mut self, octets: &[u8]) -> bool {
        let start = usize::from(self.len);
        let end = start.saturating_add(octets.len());
        match (self.text.get_mut(start..end), u8::try_from(end)) {
            (Some(place), Ok(len)) => {
                place.copy_from_slice(octets);
                self.len = len;
                true
            }
            _ => false,
        }
    }
}

impl fmt::Display for PolicyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for PolicyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PolicyId").field(&self.as_str()).finish()
    }
}

#[cfg(feature = "arbitrary")]
impl<'a> arbitrary::Arbitrary<'a> for PolicyId {
    fn arbitrary(u: &mut arbitrary::Unstructured<'a>) -> arbitrary::Result<Self> {
        let mut id = Self::EMPTY;
        for _ in 0..u.int_in_range(1..=Self::MAX_OCTETS)? {
            id.append(&[*u.choose(b"0123456789ABCXYZabcxyz")?]);
        }
        Ok(id)
    }
}

/// One MTA-STS TXT record, with its text kept: borrowed from the caller, or owned.
///
/// ```
/// use mta_sts::Record;
///
/// let record = Record::parse(b"v=STSv1; id=20160831085700Z; x=1;")?;
/// assert_eq!(record.id().as_str(), "20160831085700Z");
/// assert_eq!(record.extensions().collect::<Vec<_>>(), [("x", "1")]);
/// assert_eq!(record.to_string(), "v=STSv1; id=20160831085700Z; x=1;");
/// # Ok::<(), mta_sts::RecordError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Record<'a> {
    // ASCII, as the grammar has nothing else.
    text: Cow<'a, [u8]>,
    id: PolicyId,
}

impl<'a> Record<'a> {
    /// Reads a record that lies in one piece.
    ///
    /// # Errors
    /// The first fault in reading order.
    pub fn parse(text: &'a [u8]) -> Result<Self, RecordError> {
        let (_, id) = read(core::iter::once(text));
        Ok(Self { text: Cow::Borrowed(text), id: id? })
    }

    /// The id of the policy instance.
    pub const fn id(&self) -> PolicyId {
        self.id
    }

    /// The record's text, exactly as it came.
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.text).unwrap_or_default()
    }

    /// Every field but the version and the first `id`: name and value, in the order of the text.
    pub fn extensions(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut id_seen = false;
        let fields =
            self.as_str().split(';').skip(1).filter_map(|field| field.trim().split_once('='));
        fields.filter(move |(name, _)| *name != "id" || core::mem::replace(&mut id_seen, true))
    }

    /// The record with a text of its own.
    pub fn into_owned(self) -> Record<'static> {
        Record { text: Cow::Owned(self.text.into_owned()), id: self.id }
    }
}

/// Prints the text as it came.
impl fmt::Display for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record").field("text", &self.as_str()).field("id", &self.id).finish()
    }
}

/// Reads the TXT records of `_mta-sts.<domain>` and gives the id of the one that counts. Each
/// record is the sequence of its character-strings.
///
/// # Errors
/// [`SelectionError`]: none is an MTA-STS record, several are, or the one that is has a fault.
///
/// ```
/// use mta_sts::record::select;
///
/// let answer = [vec!["v=spf1 -all"], vec!["v=STSv1; ", "id=1", "7;"]];
/// assert_eq!(select(&answer)?.as_str(), "17");
/// # Ok::<(), mta_sts::SelectionError>(())
/// ```
pub fn select<R>(records: R) -> Result<PolicyId, SelectionError>
where
    R: IntoIterator,
    R::Item: IntoIterator,
    <R::Item as IntoIterator>::Item: AsRef<[u8]>,
{
    let chosen = only(records.into_iter().map(read)).map_err(|count| match count {
        0 => SelectionError::Absent,
        count => SelectionError::Several { count },
    })?;
    chosen.map_err(|error| match error {
        RecordError::NotSts => SelectionError::Absent,
        error => SelectionError::Malformed(error),
    })
}

/// Returns the record that counts among those of a name, by the rule that RFC 8461 §3.1 and
/// RFC 8460 §3 share. Each record comes with `true` if it begins with its version and `;`.
///
/// If there are several records, those are discarded that do not begin so. One must remain.
///
/// # Errors
/// The number of records that remain instead.
pub fn only<T>(records: impl Iterator<Item = (bool, T)>) -> Result<T, usize> {
    let (mut total, mut count) = (0_usize, 0_usize);
    let mut chosen = None;
    for (begins, record) in records {
        total = total.saturating_add(1);
        count = count.saturating_add(usize::from(begins));
        if begins || total == 1 {
            chosen = Some(record);
        }
    }
    chosen.filter(|_| count == 1 || total == 1).ok_or(count)
}

/// At most `limit` octets of the records, for a report: one line each.
pub(crate) fn raw_octets<R>(records: R, limit: usize) -> alloc::vec::Vec<u8>
where
    R: IntoIterator,
    R::Item: IntoIterator,
    <R::Item as IntoIterator>::Item: AsRef<[u8]>,
{
    let mut bytes = alloc::vec::Vec::new();
    for (number, record) in records.into_iter().enumerate() {
        if bytes.len() >= limit {
            break;
        }
        if number > 0 {
            bytes.push(b'\n');
        }
        for string in record {
            bytes.extend(string.as_ref().iter().take(limit.saturating_sub(bytes.len())));
        }
    }
    bytes
}

/// Returns `true` if the record begins with `v=STSv1;`, and its id.
fn read<R>(record: R) -> (bool, Result<PolicyId, RecordError>)
where
    R: IntoIterator,
    R::Item: AsRef<[u8]>,
{
    let tail = record.into_iter();
    let mut text = Joined { head: None, at: 0, tail, column: 1 };
    // RFC 8461 §3.1: the record MUST begin with the version, exact in case and spacing.
    let mut expected = VERSION;
    while !expected.is_empty() {
        let piece = text.piece();
        let common = expected.len().min(piece.len());
        if common == 0 || piece.get(..common) != expected.get(..common) {
            return (false, Err(RecordError::NotSts));
        }
        text.skip(common);
        expected = expected.get(common..).unwrap_or_default();
    }
    (text.peek() == Some(b';'), fields(&mut text))
}

/// Reads what follows the version: `1*(sts-field-delim sts-field) [sts-field-delim]`.
fn fields<I>(text: &mut Joined<I>) -> Result<PolicyId, RecordError>
where
    I: Iterator,
    I::Item: AsRef<[u8]>,
{
    let mut id = None;
    match text.peek() {
        None => return Err(RecordError::MissingId),
        Some(more) if more.is_ascii_alphanumeric() => {
            return Err(RecordError::Version { column: text.column });
        }
        Some(_) => {
            text.skip_space();
            if text.peek().is_none() {
                return Err(RecordError::Delimiter { column: text.column });
            }
        }
    }
    // Here a field has ended: a delimiter follows, or nothing.
    while let Some(byte) = text.peek() {
        if byte != b';' {
            return Err(RecordError::Delimiter { column: text.column });
        }
        text.bump();
        text.skip_space();
        if text.peek().is_none() {
            break;
        }
        if let Some(first) = field(text, id.is_none())? {
            id = Some(first);
        }
    }
    id.ok_or(RecordError::MissingId)
}

/// Reads one field with the white space after it; gives the id if it is the field `id` and still
/// wanted. RFC 8461 §3.2: of a repeated field all but the first are ignored, so a later `id` need
/// only be well-formed.
fn field<I>(text: &mut Joined<I>, id_wanted: bool) -> Result<Option<PolicyId>, RecordError>
where
    I: Iterator,
    I::Item: AsRef<[u8]>,
{
    let is_id = field_name(text)?;
    let start = text.column;
    if !(is_id && id_wanted) {
        text.run(|b| matches!(b, 0x21..=0x3a | 0x3c | 0x3e..=0x7e), |_| ());
        if text.column == start {
            return Err(RecordError::FieldValue { column: start });
        }
        // White space may stand only before a delimiter.
        let end = text.column;
        text.skip_space();
        return match text.peek() {
            None if end == text.column => Ok(None),
            Some(b';') => Ok(None),
            _ => Err(RecordError::FieldValue { column: end }),
        };
    }
    let mut id = PolicyId::EMPTY;
    let mut fits = true;
    text.run(|b| b.is_ascii_alphanumeric(), |octets| fits = fits && id.append(octets));
    if !fits {
        let column = start.saturating_add(PolicyId::MAX_OCTETS);
        return Err(RecordError::IdTooLong { column });
    }
    let end = text.column;
    let found = text.peek();
    text.skip_space();
    match (text.peek(), found) {
        (Some(b';'), _) | (None, None) if end == start => {
            Err(RecordError::IdEmpty { column: start })
        }
        (Some(b';'), _) | (None, None) => Ok(Some(id)),
        (_, found) => Err(RecordError::IdCharacter { found: found.unwrap_or(b' '), column: end }),
    }
}

/// Reads a field name and the `=` after it; whether the name is `id`.
fn field_name<I>(text: &mut Joined<I>) -> Result<bool, RecordError>
where
    I: Iterator,
    I::Item: AsRef<[u8]>,
{
    const MAX: usize = 32;
    let start = text.column;
    if !text.peek().is_some_and(|b| b.is_ascii_alphanumeric()) {
        return Err(RecordError::FieldName { column: start });
    }
    // What the name has yet to say to be `id`.
    let mut id = Some(&b"id"[..]);
    text.run(
        |b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'),
        |octets| id = id.and_then(|rest| rest.strip_prefix(octets)),
    );
    if text.column.saturating_sub(start) > MAX {
        return Err(RecordError::FieldName { column: start.saturating_add(MAX) });
    }
    match text.peek() {
        Some(b'=') => {
            text.bump();
            Ok(id == Some(&[]))
        }
        // A name that ends here lacks its value; within it, the octet is out of place.
        None | Some(b';' | b' ' | b'\t') => Err(RecordError::MissingEquals { column: text.column }),
        Some(_) => Err(RecordError::FieldName { column: text.column }),
    }
}

/// The octets of a record, read across its character-strings. RFC 8461 §3.1: they are
/// concatenated without adding spaces.
struct Joined<I: Iterator> {
    head: Option<I::Item>,
    at: usize,
    tail: I,
    column: usize,
}

impl<I> Joined<I>
where
    I: Iterator,
    I::Item: AsRef<[u8]>,
{
    /// What is left of the character-string at hand, or of the first after it that is not empty.
    fn piece(&mut self) -> &[u8] {
        while self.head.as_ref().is_none_or(|head| head.as_ref().len() <= self.at) {
            let Some(next) = self.tail.next() else { return &[] };
            self.head = Some(next);
            self.at = 0;
        }
        self.head.as_ref().and_then(|head| head.as_ref().get(self.at..)).unwrap_or_default()
    }

    fn skip(&mut self, octets: usize) {
        self.at = self.at.saturating_add(octets);
        self.column = self.column.saturating_add(octets);
    }

    /// Shows and skips all octets that are wanted up to the first that is not.
    fn run(&mut self, wanted: impl Fn(u8) -> bool, mut show: impl FnMut(&[u8])) {
        loop {
            let piece = self.piece();
            let end = piece.iter().position(|b| !wanted(*b));
            let (octets, _) =
                piece.split_at_checked(end.unwrap_or(piece.len())).unwrap_or_default();
            show(octets);
            let count = octets.len();
            self.skip(count);
            if end.is_some() || count == 0 {
                break;
            }
        }
    }

    fn peek(&mut self) -> Option<u8> {
        self.piece().first().copied()
    }

    fn bump(&mut self) {
        self.skip(1);
    }

    fn skip_space(&mut self) {
        self.run(|b| matches!(b, b' ' | b'\t'), |_| ());
    }
}

/// The shortest record that announces the id, for publishing.
///
/// ```
/// use mta_sts::{PolicyId, Record};
///
/// let id = PolicyId::parse("7").unwrap();
/// assert_eq!(Record::from(id).as_str(), "v=STSv1; id=7;");
/// ```
impl From<PolicyId> for Record<'static> {
    fn from(id: PolicyId) -> Self {
        Self { text: Cow::Owned(alloc::format!("v=STSv1; id={id};").into_bytes()), id }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::borrow::ToOwned;
    use alloc::format;
    use alloc::string::ToString;
    use alloc::vec::Vec;

    fn id(text: &str) -> PolicyId {
        PolicyId::parse(text).unwrap()
    }

    #[test]
    fn ok_an_id_has_1_to_32_letters_and_digits() {
        let longest: alloc::string::String = "aB3".chars().cycle().take(32).collect();
        for (text, taken) in [
            ("", false),
            ("7", true),
            ("20160831085700Z", true),
            (&longest, true),
            (&format!("{longest}x"), false),
            ("a-b", false),
            ("\u{e9}", false),
        ] {
            let id = PolicyId::parse(text);
            assert_eq!(id.map(|id| id.as_str().to_owned()).as_deref(), taken.then_some(text));
        }
    }

    #[test]
    fn err_an_octet_is_named_as_people_read_it() {
        for (record, named) in [
            (&b"v=STSv1; id=a-b"[..], "found '-' in column 14"),
            (b"v=STSv1; id=a'", "found '\\'' in column 14"),
            (b"v=STSv1; id=a~", "found '~' in column 14"),
            (b"v=STSv1; id=a\x7f", "found 0x7f in column 14"),
            (b"v=STSv1; id=a\x1f", "found 0x1f in column 14"),
            (b"v=STSv1; id=a\xff", "found 0xff in column 14"),
        ] {
            let error = Record::parse(record).unwrap_err().to_string();
            assert!(error.ends_with(named), "{error}");
        }
    }

    #[test]
    fn ok_records() {
        let long_name = format!("v=STSv1; {}=1; id=a", "x".repeat(32));
        let cases = [
            (long_name.as_str(), "a"),
            ("v=STSv1; id=20160831085700Z;", "20160831085700Z"),
            ("v=STSv1;id=a", "a"),
            ("v=STSv1 \t ; \t id=a \t ; \t", "a"),
            ("v=STSv1;x=1;id=a;id=not-an-id", "a"),
            ("v=STSv1;ids=b;id=a", "a"),
            ("v=STSv1;i=b;id=a", "a"),
            ("v=STSv1; v=STSv1; id=a", "a"),
            ("v=STSv1; id=01234567890123456789012345678901", "01234567890123456789012345678901"),
        ];
        for (text, expected) in cases {
            assert_eq!(Record::parse(text.as_bytes()).map(|r| r.id()), Ok(id(expected)), "{text}");
        }
    }

    #[test]
    fn err_each_fault_has_its_variant_and_column() {
        let cases: [(&str, RecordError); 24] = [
            ("", RecordError::NotSts),
            ("v=STSv", RecordError::NotSts),
            (" v=STSv1; id=a", RecordError::NotSts),
            ("V=STSv1; id=a", RecordError::NotSts),
            ("v=STSv10; id=a", RecordError::Version { column: 8 }),
            ("v=STSv1", RecordError::MissingId),
            ("v=STSv1 ; ", RecordError::MissingId),
            ("v=STSv1; x=1", RecordError::MissingId),
            ("v=STSv1 ", RecordError::Delimiter { column: 9 }),
            ("v=STSv1; id=", RecordError::IdEmpty { column: 13 }),
            ("v=STSv1; id= ;", RecordError::IdEmpty { column: 13 }),
            ("v=STSv1; id=a-b", RecordError::IdCharacter { found: b'-', column: 14 }),
            ("v=STSv1; id=a ", RecordError::IdCharacter { found: b' ', column: 14 }),
            ("v=STSv1; id=a b", RecordError::IdCharacter { found: b' ', column: 14 }),
            ("v=STSv1; id=a\n", RecordError::IdCharacter { found: b'\n', column: 14 }),
            (
                "v=STSv1; id=0123456789012345678901234567890123",
                RecordError::IdTooLong { column: 45 },
            ),
            ("v=STSv1 id=a", RecordError::Delimiter { column: 9 }),
            ("v=STSv1-x; id=a", RecordError::Delimiter { column: 8 }),
            ("v=STSv1;; id=a", RecordError::FieldName { column: 9 }),
            ("v=STSv1; _x=1", RecordError::FieldName { column: 10 }),
            ("v=STSv1; a12345678901234567890123456789012=1", RecordError::FieldName { column: 42 }),
            ("v=STSv1; foo; id=a", RecordError::MissingEquals { column: 13 }),
            ("v=STSv1; x=; id=a", RecordError::FieldValue { column: 12 }),
            ("v=STSv1; id=a; x=1 ", RecordError::FieldValue { column: 19 }),
        ];
        for (text, expected) in cases {
            assert_eq!(Record::parse(text.as_bytes()).map(|r| r.id()), Err(expected), "{text}");
        }
    }

    #[test]
    fn ok_every_split_into_strings_reads_the_same() {
        for text in ["v=STSv1; id=abc; x=1;", "v=STSv1; id=a-c", "v=STSv10", "v=STSv1 ; id=a"] {
            let whole = select([[text.as_bytes()]]);
            for at in 0..=text.len() {
                let (left, right) = text.as_bytes().split_at(at);
                assert_eq!(select([[left, b"", right]]), whole, "{text} at {at}");
            }
            let octets: Vec<[u8; 1]> = text.bytes().map(|b| [b]).collect();
            assert_eq!(select([&octets]), whole, "{text} octet by octet");
        }
    }

    #[test]
    fn ok_selection_counts_only_what_begins_as_the_rfc_says() {
        let set = |records: &[&str]| select(records.iter().map(|r| [*r]));
        assert_eq!(set(&[]), Err(SelectionError::Absent));
        assert_eq!(set(&["v=spf1 -all"]), Err(SelectionError::Absent));
        assert_eq!(set(&["v=spf1 -all", "x"]), Err(SelectionError::Absent));
        assert_eq!(set(&["v=STSv1 ; id=b"]), Ok(id("b")));
        assert_eq!(set(&["v=STSv1 ; id=b", "v=STSv1; id=a"]), Ok(id("a")));
        assert_eq!(set(&["v=STSv1 ; id=b", "v=STSv1 ; id=a"]), Err(SelectionError::Absent));
        assert_eq!(
            set(&["v=STSv1;", "x", "v=STSv1; id=a"]),
            Err(SelectionError::Several { count: 2 })
        );
        assert_eq!(
            set(&["v=STSv1; id=-", "x"]),
            Err(SelectionError::Malformed(RecordError::IdCharacter { found: b'-', column: 13 }))
        );
    }

    #[test]
    fn ok_extensions_keep_later_ids_and_print_is_the_text() {
        let text = "v=STSv1;id=a;x=1 ; id=b";
        let record = Record::parse(text.as_bytes()).unwrap().into_owned();
        assert_eq!(record.extensions().collect::<Vec<_>>(), [("x", "1"), ("id", "b")]);
        assert_eq!(record.to_string(), text);
        let short = Record::from(id("a"));
        assert_eq!(Record::parse(short.as_str().as_bytes()), Ok(short.clone()));
    }

    #[test]
    fn ok_raw_octets_are_bounded() {
        assert_eq!(raw_octets([["ab", "cd"], ["e", "f"]], 100), b"abcd\nef");
        assert_eq!(raw_octets([["ab", "cd"], ["e", "f"]], 3), b"abc");
    }
}
