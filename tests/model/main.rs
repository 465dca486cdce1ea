//! The reference model and the machine agree: lookup by lookup, over every combination of what one
//! lookup can meet, over every short course of lookups, and over long random ones.

#[path = "../common/any.rs"]
mod any;
mod course;
mod delivery;
mod one;
mod steps;

const DAY: u64 = 86_400;
