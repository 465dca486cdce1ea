//! JSON that knows where it comes from, so that a test that fails says which row is at fault.

use std::path::Path;

use serde_json::Value;

/// A value of a row of a file.
#[derive(Debug)]
pub(super) struct Json {
    place: String,
    value: Value,
}

/// The rows of a JSON array.
pub(super) fn array(path: &Path) -> Vec<Json> {
    let place = path.display().to_string();
    let value = serde_json::from_str(&read(path)).unwrap_or_else(|e| panic!("{place}: {e}"));
    let rows = Json { place, value }.list(Json::clone);
    assert!(!rows.is_empty(), "{} holds no row", path.display());
    rows
}

/// The rows of a file with one JSON value a line.
pub(super) fn lines(path: &Path) -> Vec<Json> {
    let row = |(index, line): (usize, &str)| {
        let place = format!("{}:{}", path.display(), index + 1);
        let value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{place}: {e}"));
        Json { place, value }
    };
    let rows: Vec<Json> = read(path).lines().enumerate().map(row).collect();
    assert!(!rows.is_empty(), "{} holds no row", path.display());
    rows
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

impl Json {
    fn clone(&self) -> Self {
        Self { place: self.place.clone(), value: self.value.clone() }
    }

    pub(super) fn fail(&self, words: &str) -> ! {
        panic!("{}: {words}: {}", self.place, self.value)
    }

    pub(super) fn value(&self) -> &Value {
        &self.value
    }

    /// The member of this name, if there is one.
    pub(super) fn get(&self, name: &str) -> Option<Self> {
        let value = self.value.get(name)?.clone();
        Some(Self { place: format!("{}/{name}", self.place), value })
    }

    /// The member of this name.
    pub(super) fn at(&self, name: &str) -> Self {
        self.get(name).unwrap_or_else(|| self.fail(&format!("no {name:?} in it")))
    }

    /// Nothing for `null`.
    pub(super) fn some<T>(&self, read: impl Fn(&Self) -> T) -> Option<T> {
        (!self.value.is_null()).then(|| read(self))
    }

    pub(super) fn list<T>(&self, read: impl Fn(&Self) -> T) -> Vec<T> {
        let Value::Array(values) = &self.value else { self.fail("not a list") };
        let item = |(index, value): (usize, &Value)| {
            read(&Self { place: format!("{}[{index}]", self.place), value: value.clone() })
        };
        values.iter().enumerate().map(item).collect()
    }

    pub(super) fn text(&self) -> String {
        self.value.as_str().unwrap_or_else(|| self.fail("not a text")).to_owned()
    }

    pub(super) fn number(&self) -> u64 {
        self.value.as_u64().unwrap_or_else(|| self.fail("not a number"))
    }

    pub(super) fn truth(&self) -> bool {
        self.value.as_bool().unwrap_or_else(|| self.fail("neither true nor false"))
    }

    /// A text as it is, all else as JSON.
    pub(super) fn plain(&self) -> String {
        self.value.as_str().map_or_else(|| self.value.to_string(), str::to_owned)
    }
}
