//! When to refresh whom (RFC 8461 §3.3, §10.2): rule by rule, under any order of events, and over
//! a month of a hundred thousand domains.

mod events;
mod failures;
mod memory;
mod properties;
mod rules;
mod simulation;
mod world;
