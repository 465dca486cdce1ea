//! What the fuzz targets do with their bytes, a body a file. Each takes any bytes and panics where
//! the core is wrong: ordinary tests replay the committed corpora through them.

mod body;
mod delivery;
mod entry;
mod fleet;
mod lint;
mod lookup;
mod mx;
mod policy;
mod record;
mod schedule;
mod tlsrpt_record;
mod tlsrpt_report;

pub use body::body;
pub use delivery::delivery;
pub use entry::entry;
pub use fleet::fleet;
pub use lint::lint;
pub use lookup::lookup;
pub use mx::mx;
pub use policy::policy;
pub use record::record;
pub use schedule::schedule;
pub use tlsrpt_record::tlsrpt_record;
pub use tlsrpt_report::tlsrpt_report;

/// A body: it takes any bytes.
pub type Body = fn(&[u8]);

/// Every target by its name, which is also that of its corpus.
pub const TARGETS: [(&str, Body); 12] = [
    ("body", body),
    ("delivery", delivery),
    ("entry", entry),
    ("fleet", fleet),
    ("lint", lint),
    ("lookup", lookup),
    ("mx", mx),
    ("policy", policy),
    ("record", record),
    ("schedule", schedule),
    ("tlsrpt_record", tlsrpt_record),
    ("tlsrpt_report", tlsrpt_report),
];

/// The parts of `data` between the marks; one part where there is none.
fn split<'a>(data: &'a [u8], mark: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let mut rest = Some(data);
    std::iter::from_fn(move || {
        let data = rest?;
        let Some(at) = data.windows(mark.len()).position(|w| w == mark) else {
            return rest.take();
        };
        rest = Some(&data[at + mark.len()..]);
        Some(&data[..at])
    })
}
