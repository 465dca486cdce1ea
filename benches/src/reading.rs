//! One line of the table, of one run.

use serde::{Deserialize, Serialize};

/// What was measured, of ours and of what it is compared with.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Reading {
    pub(crate) what: String,
    pub(crate) ours: f64,
    pub(crate) unit: String,
    pub(crate) against: Option<Against>,
    pub(crate) allocations: Option<u64>,
    pub(crate) goal: Goal,
}

/// What ours is compared with.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Against {
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) allocations: Option<u64>,
}

/// Of the ratio where there is something to compare with, else of the value.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) enum Goal {
    AtMost(f64),
    AtLeast(f64),
}

impl Reading {
    pub(crate) fn new(what: impl Into<String>, ours: f64, unit: &str, goal: Goal) -> Self {
        let (what, unit) = (what.into(), unit.to_owned());
        Self { what, ours, unit, against: None, allocations: None, goal }
    }

    pub(crate) fn allocations(self, count: u64) -> Self {
        Self { allocations: Some(count), ..self }
    }

    pub(crate) fn against(self, name: &str, value: f64, allocations: Option<u64>) -> Self {
        let name = name.to_owned();
        Self { against: Some(Against { name, value, allocations }), ..self }
    }

    /// What the goal speaks of.
    pub(crate) fn judged(&self) -> f64 {
        self.against.as_ref().map_or(self.ours, |against| self.ours / against.value)
    }
}

impl Goal {
    pub(crate) fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtMost(most) => value <= most,
            Self::AtLeast(least) => value >= least,
        }
    }
}
