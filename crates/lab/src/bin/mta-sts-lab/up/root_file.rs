//! The root certificate as a file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process;

use mta_sts_terminal::exit::Failure;

/// The names that are tried for a temporary file.
const ATTEMPTS: u32 = 100;

/// A file with the root certificate in PEM.
#[derive(Debug)]
pub(super) struct RootFile {
    path: PathBuf,
    is_temporary: bool,
}

impl RootFile {
    /// Writes the file that the caller named. It stays.
    pub(super) fn kept(path: &Path, pem: &str) -> Result<Self, Failure> {
        fs::write(path, pem).map_err(|error| Failure::unknown(path.display(), error))?;
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        Ok(Self { path, is_temporary: false })
    }

    /// Writes a new file in the system's folder of temporary files, removed with this value.
    pub(super) fn temporary(pem: &str) -> Result<Self, Failure> {
        let folder = std::env::temp_dir();
        let failed = |error| Failure::unknown(folder.display(), error);
        for attempt in 0..ATTEMPTS {
            let path = folder.join(format!("mta-sts-lab-{}-{attempt}.pem", process::id()));
            match created(&path) {
                Ok(mut file) => {
                    let written = Self { path, is_temporary: true };
                    file.write_all(pem.as_bytes()).map_err(failed)?;
                    return Ok(written);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(failed(error)),
            }
        }
        Err(failed(io::ErrorKind::AlreadyExists.into()))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// A file that did not exist: a link that another user put there is not followed.
fn created(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

impl Drop for RootFile {
    fn drop(&mut self) {
        if self.is_temporary {
            // What cannot be removed is left to the system: it holds nothing secret.
            let _ = fs::remove_file(&self.path);
        }
    }
}
