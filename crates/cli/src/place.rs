//! Where a store is: the option `--store`.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use mta_sts_adapters::{Redis, Sqlite, Store, StoreError};
use mta_sts_terminal::exit::Failure;

/// How the keys of a store in Redis begin, unless said otherwise.
pub(crate) const DEFAULT_PREFIX: &str = "mta-sts:";
/// The variable that gives the place where the option does not: a command line, with the password
/// in it, is there for all users of the machine to see.
const VARIABLE: &str = "MTA_STS_STORE";

/// A file of `SQLite`, or a Redis server.
#[derive(Clone)]
pub(crate) enum Place {
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
    /// The place that the environment gives.
    pub(crate) fn from_environment() -> Result<Option<Self>, Failure> {
        match env::var_os(VARIABLE).map(OsString::into_string) {
            None => Ok(None),
            Some(Ok(text)) => {
                let place = text.parse();
                place.map(Some).map_err(|e| Failure::usage(format_args!("{VARIABLE}: {e}")))
            }
            // A path need not be text.
            Some(Err(path)) => Ok(Some(Self::File(path.into()))),
        }
    }

    /// The store as it is; none is made.
    pub(crate) fn open_to_read(&self, prefix: &str) -> Result<Arc<dyn Store>, Failure> {
        self.open(prefix, |path| Sqlite::open_read_only(path))
    }

    /// The store to be changed; a file is made where there is none.
    pub(crate) fn open_or_make(&self) -> Result<Arc<dyn Store>, Failure> {
        match self {
            Self::File(path) => {
                let store = Sqlite::open(path).map_err(|error| self.failed(error))?;
                Ok(Arc::new(store))
            }
            Self::Redis(_) => self.open_to_write(DEFAULT_PREFIX),
        }
    }

    /// The store to be changed; none is made.
    pub(crate) fn open_to_write(&self, prefix: &str) -> Result<Arc<dyn Store>, Failure> {
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
    pub(crate) fn failed(&self, error: impl fmt::Display) -> Failure {
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
