//! Where a store is.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use mta_sts_adapters::{Redis, Sqlite, Store, StoreError};

use crate::exit::Failure;

/// A file of `SQLite`, or a Redis server.
#[derive(Clone)]
pub(super) enum Place {
    File(PathBuf),
    /// Its URL, with the password in it.
    Redis(String),
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Err("expected a path or a URL, found nothing".to_owned());
        }
        match text.split_once("://") {
            None => Ok(Self::File(text.into())),
            Some(_) => match Redis::open(text) {
                Ok(_) => Ok(Self::Redis(text.to_owned())),
                Err(error) => Err(error.to_string()),
            },
        }
    }
}

impl Place {
    /// The store as it is; none is made.
    pub(super) fn open_to_read(&self, prefix: &str) -> Result<Arc<dyn Store>, Failure> {
        self.open(prefix, |path| Sqlite::open_read_only(path))
    }

    /// The store to be changed; none is made.
    pub(super) fn open_to_write(&self, prefix: &str) -> Result<Arc<dyn Store>, Failure> {
        self.open(prefix, |path| Sqlite::open_existing(path))
    }

    fn open(
        &self,
        prefix: &str,
        open_file: fn(&Path) -> Result<Sqlite, StoreError>,
    ) -> Result<Arc<dyn Store>, Failure> {
        match self {
            Self::File(path) => {
                let found = fs::metadata(path).map_err(|error| self.failed(error))?;
                if found.is_dir() {
                    return Err(self.failed("expected a file, found a folder"));
                }
                let store = open_file(path).map_err(|error| self.failed(error))?;
                Ok(Arc::new(store))
            }
            Self::Redis(url) => {
                let store = Redis::open(url).map_err(|error| self.failed(error))?;
                let store = store.with_prefix(prefix);
                store.ping().map_err(|error| self.failed(error))?;
                Ok(Arc::new(store))
            }
        }
    }

    /// The store could not be used.
    pub(super) fn failed(&self, error: impl fmt::Display) -> Failure {
        Failure::unknown(self, error)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            // Without what logs in.
            Self::Redis(url) => match Redis::open(url) {
                Ok(store) => f.write_str(store.address()),
                Err(_) => f.write_str("Redis"),
            },
        }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Place({self})")
    }
}
