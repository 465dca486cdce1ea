//! Files that a command reads.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Returns the first `limit` bytes of a file, or of the standard input if `path` is `-`.
///
/// A caller that must tell a file of `limit` bytes from a longer one asks for one byte more.
///
/// # Errors
/// The file cannot be opened or read.
///
/// ```
/// let manifest = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
/// assert_eq!(mta_sts_terminal::read(&manifest, 9)?, b"[package]");
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if path.as_os_str() == "-" {
        io::stdin().lock().take(limit).read_to_end(&mut bytes)?;
    } else {
        File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}
