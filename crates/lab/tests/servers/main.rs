//! Each behaviour of the lab shows, to real clients, what it says.

mod client;
mod dns;
mod https;
mod smtp;
mod tls;
mod world;
