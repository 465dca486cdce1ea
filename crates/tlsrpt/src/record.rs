//! The TXT record `_smtp._tls`: parse, print, select among several (RFC 8460 §3).

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::error::{TlsrptRecordError as Error, TlsrptSelectionError};
use super::uri::{self, ReportUri};
use mta_sts::NameError;
use mta_sts::record::only;
use mta_sts::{DnsName, PolicyDomain};

const VERSION: &[u8] = b"v=TLSRPTv1";
/// Octets that the strings of a TXT record can have together (RFC 1035 §3.2.1).
const MAX_RECORD: usize = 65_535;

/// The name of a domain's TLSRPT record.
///
/// # Errors
/// [`NameError::TooLong`] for a domain so long that the name would have more than 253 octets: it
/// cannot ask for reports.
///
/// ```
/// use mta_sts::PolicyDomain;
/// use mta_sts_tlsrpt::record_name;
///
/// let domain = PolicyDomain::parse("example.com")?;
/// assert_eq!(record_name(&domain)?.as_str(), "_smtp._tls.example.com");
/// # Ok::<(), mta_sts::NameError>(())
/// ```
pub fn record_name(domain: &PolicyDomain) -> Result<DnsName, NameError> {
    DnsName::parse(&format!("_smtp._tls.{domain}"))
}

/// One TLSRPT record, with its text kept: borrowed from the caller, or owned.
///
/// The grammar is kept to the letter. Of a repeated `rua` all URIs count, in their order.
///
/// ```
/// use mta_sts_tlsrpt::TlsrptRecord;
///
/// let text = b"v=TLSRPTv1; rua=mailto:tls@example.com, https://example.com/tls; x=1";
/// let record = TlsrptRecord::parse(text)?;
/// let uris: Vec<_> = record.rua().map(|uri| uri.as_str()).collect();
/// assert_eq!(uris, ["mailto:tls@example.com", "https://example.com/tls"]);
/// assert_eq!(record.extensions().collect::<Vec<_>>(), [("x", "1")]);
/// assert_eq!(record.to_string().as_bytes(), text);
/// # Ok::<(), mta_sts_tlsrpt::TlsrptRecordError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TlsrptRecord<'a> {
    text: Cow<'a, str>,
}

impl<'a> TlsrptRecord<'a> {
    /// Reads a record that lies in one piece. Nothing is allocated.
    ///
    /// # Errors
    /// The first fault in reading order; then a missing `rua`, and a `rua` without a URI that
    /// reports can go to.
    pub fn parse(text: &'a [u8]) -> Result<Self, Error> {
        read(text)?;
        // The grammar admits ASCII only, so a record that was read is text.
        let text = core::str::from_utf8(text).map_err(|_| Error::NotTlsrpt)?;
        Ok(Self { text: Cow::Borrowed(text) })
    }

    /// The URIs that reports can go to, `mailto` and `https`, in the order of the text; at least
    /// one.
    pub fn rua(&self) -> impl Iterator<Item = ReportUri<'_>> {
        self.uris().filter(|uri| uri.scheme().is_some())
    }

    /// The URIs of other schemes, in the order of the text: no report goes there.
    pub fn unsupported_rua(&self) -> impl Iterator<Item = ReportUri<'_>> {
        self.uris().filter(|uri| uri.scheme().is_none())
    }

    /// Every field but the version and `rua`: name and value, in the order of the text.
    pub fn extensions(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields().filter(|(name, _)| *name != "rua")
    }

    /// The record's text, exactly as it came.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The record with a text of its own.
    pub fn into_owned(self) -> TlsrptRecord<'static> {
        TlsrptRecord { text: Cow::Owned(self.text.into_owned()) }
    }

    fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.text.split(';').skip(1).filter_map(|field| field.trim().split_once('='))
    }

    fn uris(&self) -> impl Iterator<Item = ReportUri<'_>> {
        self.fields()
            .filter(|(name, _)| *name == "rua")
            .flat_map(|(_, uris)| uris.split(','))
            .map(|uri| ReportUri::from_checked(uri.trim()))
    }
}

impl TlsrptRecord<'static> {
    /// The shortest record that asks for reports at these URIs, for publishing.
    ///
    /// # Errors
    /// As [`parse`](TlsrptRecord::parse), with columns of the record as it would be.
    ///
    /// ```
    /// use mta_sts_tlsrpt::TlsrptRecord;
    ///
    /// let record = TlsrptRecord::new(["mailto:tls@example.com"])?;
    /// assert_eq!(record.as_str(), "v=TLSRPTv1; rua=mailto:tls@example.com;");
    /// assert!(TlsrptRecord::new(["mailto:a@example.com; x=1"]).is_err());
    /// # Ok::<(), mta_sts_tlsrpt::TlsrptRecordError>(())
    /// ```
    pub fn new<'u>(uris: impl IntoIterator<Item = &'u str>) -> Result<Self, Error> {
        let mut text = String::from("v=TLSRPTv1; rua=");
        for (number, uri) in uris.into_iter().enumerate() {
            if number > 0 {
                text.push(',');
            }
            uri::check(uri.as_bytes(), text.len().saturating_add(1))?;
            text.push_str(uri);
        }
        text.push(';');
        TlsrptRecord::parse(text.as_bytes()).map(TlsrptRecord::into_owned)
    }
}

/// Prints the text as it came.
impl fmt::Display for TlsrptRecord<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Reads the TXT records of `_smtp._tls.<domain>` and gives the one that counts. Each record is
/// the sequence of its character-strings.
///
/// # Errors
/// [`TlsrptSelectionError`]: none is a TLSRPT record, several are, or the one that is has a fault.
/// In each case the domain wants no reports.
///
/// ```
/// use mta_sts_tlsrpt::select;
///
/// let answer = [vec!["v=spf1 -all"], vec!["v=TLSRPTv1; ", "rua=mailto:", "tls@example.com"]];
/// assert_eq!(select(&answer)?.as_str(), "v=TLSRPTv1; rua=mailto:tls@example.com");
/// # Ok::<(), mta_sts_tlsrpt::TlsrptSelectionError>(())
/// ```
pub fn select<R>(records: R) -> Result<TlsrptRecord<'static>, TlsrptSelectionError>
where
    R: IntoIterator,
    R::Item: IntoIterator,
    <R::Item as IntoIterator>::Item: AsRef<[u8]>,
{
    let begins =
        |text: &[u8]| text.strip_prefix(VERSION).is_some_and(|rest| rest.starts_with(b";"));
    let texts = records.into_iter().map(join).map(|text| (begins(&text), text));
    let chosen = only(texts).map_err(|count| match count {
        0 => TlsrptSelectionError::Absent,
        count => TlsrptSelectionError::Several { count },
    })?;
    match TlsrptRecord::parse(&chosen) {
        Ok(record) => Ok(record.into_owned()),
        Err(Error::NotTlsrpt) => Err(TlsrptSelectionError::Absent),
        Err(error) => Err(error.into()),
    }
}

/// RFC 8460 §3: several strings are concatenated without adding spaces. One octet too many is kept,
/// so that a record that is too long does not pass for a shorter one.
fn join<R>(record: R) -> Vec<u8>
where
    R: IntoIterator,
    R::Item: AsRef<[u8]>,
{
    let mut text = Vec::new();
    for string in record {
        let room = MAX_RECORD.saturating_add(1).saturating_sub(text.len());
        if room == 0 {
            break;
        }
        text.extend(string.as_ref().iter().take(room));
    }
    text
}

struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    const fn column(&self) -> usize {
        self.at.saturating_add(1)
    }

    fn take_while(&mut self, wanted: impl Fn(u8) -> bool) -> &'a [u8] {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let length = rest.iter().take_while(|b| wanted(**b)).count();
        self.at = self.at.saturating_add(length);
        rest.get(..length).unwrap_or_default()
    }

    fn skip(&mut self) {
        self.at = self.at.saturating_add(1);
    }

    fn skip_space(&mut self) {
        self.take_while(is_space);
    }
}

const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// What is known of the fields `rua`.
#[derive(Default)]
struct Rua {
    found: bool,
    supported: bool,
}

/// Checks a record: `tlsrpt-version 1*(field-delim tlsrpt-field) [field-delim]`.
fn read(text: &[u8]) -> Result<(), Error> {
    if text.len() > MAX_RECORD {
        return Err(Error::TooLong { limit: MAX_RECORD });
    }
    if !text.starts_with(VERSION) {
        return Err(Error::NotTlsrpt);
    }
    let mut text = Cursor { text, at: VERSION.len() };
    if text.peek().is_some_and(|b| b.is_ascii_alphanumeric()) {
        return Err(Error::Version { column: text.column() });
    }
    let mut rua = Rua::default();
    // Here a field has ended: a delimiter follows, or nothing.
    while text.peek().is_some() {
        let column = text.column();
        text.skip_space();
        match text.peek() {
            Some(b';') => text.skip(),
            Some(_) => return Err(Error::Delimiter { column: text.column() }),
            // White space may stand only beside a delimiter.
            None => return Err(Error::Delimiter { column }),
        }
        text.skip_space();
        if text.peek().is_none() {
            break;
        }
        field(&mut text, &mut rua)?;
    }
    match rua {
        // RFC 8460 §3: "Note that the tlsrpt-rua record is required."
        Rua { found: false, .. } => Err(Error::MissingRua),
        Rua { supported: false, .. } => Err(Error::Unsupported),
        Rua { .. } => Ok(()),
    }
}

fn field(text: &mut Cursor<'_>, rua: &mut Rua) -> Result<(), Error> {
    const MAX: usize = 32;
    let column = text.column();
    let name = text.take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
    if !name.first().is_some_and(u8::is_ascii_alphanumeric) {
        return Err(Error::FieldName { column });
    }
    if name.len() > MAX {
        return Err(Error::FieldName { column: column.saturating_add(MAX) });
    }
    match text.peek() {
        Some(b'=') => text.skip(),
        // A name that ends here lacks its value; within it, the octet is out of place.
        None | Some(b';' | b' ' | b'\t') => {
            return Err(Error::MissingEquals { column: text.column() });
        }
        Some(_) => return Err(Error::FieldName { column: text.column() }),
    }
    if name == b"rua" {
        return uris(text, rua);
    }
    let column = text.column();
    let value = text.take_while(|b| matches!(b, 0x21..=0x3a | 0x3c | 0x3e..=0x7e));
    match text.peek() {
        _ if value.is_empty() => Err(Error::FieldValue { column }),
        None | Some(b';' | b' ' | b'\t') => Ok(()),
        Some(_) => Err(Error::FieldValue { column: text.column() }),
    }
}

/// Reads `tlsrpt-uri *(*WSP "," *WSP tlsrpt-uri)`.
fn uris(text: &mut Cursor<'_>, rua: &mut Rua) -> Result<(), Error> {
    rua.found = true;
    loop {
        let column = text.column();
        let uri = text.take_while(|b| !is_space(b) && !matches!(b, b',' | b';'));
        rua.supported |= uri::check(uri, column)?.is_some();
        let end = text.at;
        text.skip_space();
        if text.peek() != Some(b',') {
            // The white space belongs to what follows.
            text.at = end;
            return Ok(());
        }
        text.skip();
        text.skip_space();
    }
}

#[cfg(test)]
mod tests;
