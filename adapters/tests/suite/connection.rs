//! Connections that break, or on which nothing comes.

use std::time::Duration;

use mta_sts_lab::{Fate, Https, Lab, Moment, Pace};

use crate::case::{Case, Group, Names, absent};
use crate::head::{policy, respond};

fn fails(lab: &Lab, names: &Names, moment: Moment, fate: Fate) {
    lab.https().set(&names.host, Https::fails(moment, fate));
}

pub(crate) fn broken() -> Group {
    let cases: Vec<Case> = vec![
        absent("closed at the hello", "tls-closed", |l, n| {
            fails(l, n, Moment::AfterHello, Fate::Close);
        }),
        absent("reset at the hello", "tls-closed", |l, n| {
            fails(l, n, Moment::AfterHello, Fate::Reset);
        }),
        absent("closed after the handshake", "connection-failed", |l, n| {
            fails(l, n, Moment::AfterHandshake, Fate::Close);
        }),
        absent("reset after the handshake", "connection-failed", |l, n| {
            fails(l, n, Moment::AfterHandshake, Fate::Reset);
        }),
        absent("closed after the request", "connection-failed", |l, n| {
            fails(l, n, Moment::AfterRequest, Fate::Close);
        }),
        absent("reset after the request", "connection-failed", |l, n| {
            fails(l, n, Moment::AfterRequest, Fate::Reset);
        }),
        absent("nothing after the hello", "tls-timeout", |l, n| {
            fails(l, n, Moment::AfterHello, Fate::Stall);
        })
        .stalls(),
        absent("nothing after the handshake", "timeout", |l, n| {
            fails(l, n, Moment::AfterHandshake, Fate::Stall);
        })
        .stalls(),
        absent("nothing after the request", "timeout", |l, n| {
            fails(l, n, Moment::AfterRequest, Fate::Stall);
        })
        .stalls(),
        absent("half a head", "timeout", |l, n| respond(l, n, policy().pace(Pace::StallInHead)))
            .stalls(),
        absent("no body", "timeout", |l, n| respond(l, n, policy().pace(Pace::StallAfterHead)))
            .stalls(),
        absent("half a body", "timeout", |l, n| respond(l, n, policy().pace(Pace::StallInBody)))
            .stalls(),
        absent("an octet each 40 ms", "timeout", |l, n| {
            respond(l, n, policy().pace(Pace::DripAll(Duration::from_millis(40))));
        })
        .stalls(),
        absent("an octet of the body each 40 ms", "timeout", |l, n| {
            respond(l, n, policy().pace(Pace::DripBody(Duration::from_millis(40))));
        })
        .stalls(),
    ];
    Group { title: "Connections that break or stall", cases }
}
