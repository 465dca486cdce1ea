//! The conformance suite: what the client must do against a real DNS and HTTPS server on loopback, in
//! one table. It shows the table, of what was seen, with
//!
//! ```sh
//! cargo test -p mta-sts-adapters --all-features --test suite -- --nocapture --test-threads=1
//! ```
#![cfg(all(feature = "hickory-resolver", feature = "tokio"))]

mod addresses;
mod body;
mod case;
mod client;
mod connection;
mod dns;
mod head;
mod run;
mod table;
mod tls;

use case::Group;

/// The whole table, in the order of the document.
fn groups() -> Vec<Group> {
    vec![
        dns::answers(),
        dns::failures(),
        addresses::of_the_host(),
        addresses::filter(),
        tls::certificates(),
        connection::broken(),
        head::statuses(),
        head::fields(),
        head::syntax(),
        body::framed(),
        body::malformed(),
    ]
}

#[test]
fn ok_txt_answers() {
    run::all(&dns::answers());
}

#[test]
fn err_txt_failures() {
    run::all(&dns::failures());
}

#[test]
fn ok_addresses() {
    run::all(&addresses::of_the_host());
}

#[test]
fn err_addresses_that_are_not_dialled() {
    run::all(&addresses::filter());
}

#[test]
fn ok_tls() {
    run::all(&tls::certificates());
}

#[test]
fn ok_connections() {
    run::all(&connection::broken());
}

#[test]
fn ok_statuses() {
    run::all(&head::statuses());
}

#[test]
fn ok_heads() {
    run::all(&head::fields());
}

#[test]
fn err_heads_that_are_no_http() {
    run::all(&head::syntax());
}

#[test]
fn ok_bodies() {
    run::all(&body::framed());
}

#[test]
fn err_bodies_that_are_malformed() {
    run::all(&body::malformed());
}

#[test]
fn ok_the_document_says_what_the_suite_says() {
    table::check(&groups());
}
