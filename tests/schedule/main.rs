//! When to refresh which policy (RFC 8461 §3.3, §10.2): rule by rule, under any order of events,
//! over two weeks of a hundred thousand domains, and beside as many hostile ones.

mod cost;
mod events;
mod failures;
mod fairness;
mod memory;
mod properties;
mod rules;
mod simulation;
mod world;
