//! The runtime of the client, and those of its callers.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;

use mta_sts_adapters::schedule::Alert;
use mta_sts_adapters::{HickoryDns, PolicyDomain, Status};
use mta_sts_lab::{Gate, Https};
use tokio::runtime::{Builder, Runtime};

use crate::dns::{Blocks, Panics, Reenters};
use crate::{
    HOST, LIMIT, STEP, as_time_passes, asked, builder, client, clock, domain, lab, refused,
};

/// Both kinds of runtime that a caller may be in.
fn runtimes() -> [Runtime; 2] {
    let kinds = [Builder::new_current_thread(), Builder::new_multi_thread()];
    kinds.map(|mut kind| kind.enable_all().build().expect("a runtime"))
}

#[test]
fn caller_inside_of_a_runtime_gets_the_policy() {
    for runtime in runtimes() {
        let lab = lab();
        let client = client(&lab);
        let statuses = runtime.block_on(async {
            let inside = [client.policy_for(&domain()), client.policy_for(&domain())];
            inside.map(|outcome| outcome.status())
        });
        assert_eq!(statuses, [Status::Found, Status::Confirmed]);
        let asking = client.clone();
        let task = runtime.spawn(async move { asking.recheck(&domain()).status() });
        assert_eq!(runtime.block_on(task).expect("no panic"), Status::Confirmed);
        assert!(runtime.block_on(async { client.gate(refused(&client)) }).permitted().is_some());
        runtime.block_on(async { client.refresher(|_, _| {}).shutdown() });
        assert_eq!(asked(&lab), (3, 1));
    }
}

#[test]
fn client_made_and_dropped_inside_of_a_runtime_does_not_panic() {
    for runtime in runtimes() {
        let lab = lab();
        let found = runtime.block_on(async {
            let client = client(&lab);
            let found = client.policy_for(&domain()).status();
            drop(client);
            found
        });
        assert_eq!(found, Status::Found);
    }
}

#[test]
fn refresher_that_outlives_its_client_goes_on_and_is_shut_down() {
    let lab = lab();
    let client = client(&lab);
    let gone = Arc::new(());
    let held = Arc::clone(&gone);
    let refresher = client.refresher(move |_, _| drop(Arc::clone(&held)));
    drop(client);
    refresher.wake();
    assert_eq!(Arc::strong_count(&gone), 2, "its work is there");
    refresher.shutdown();
    assert_eq!(Arc::strong_count(&gone), 1, "its work has ended");
}

#[test]
fn refresh_in_progress_outlives_its_refresher_and_its_client() {
    let lab = lab();
    let (clock, secs) = clock();
    let client = builder(&lab).clock(clock).build().expect("a client");
    let (told, alerts) = channel();
    let refresher = client.refresher(move |alert, _| {
        told.send(alert).expect("the test listens");
    });
    assert_eq!(client.policy_for(&domain()).status(), Status::Found);
    let gate = Gate::closed();
    let text = "version: STSv1\nmode: testing\nmx: mx.example.com\nmax_age: 604800\n";
    lab.https().set(HOST, Https::policy(text).held_by(&gate));
    as_time_passes(&secs, || {
        refresher.wake();
        lab.https().requests().wait_for_blocking(2, STEP).then_some(())
    });
    drop(refresher);
    drop(client);
    gate.open();
    let alert = alerts.recv_timeout(LIMIT).expect("the refresh ends");
    assert!(matches!(alert, Alert::PolicyWeaker { .. }), "{alert:?}");
    assert_eq!(alerts.recv_timeout(LIMIT).err(), Some(RecvTimeoutError::Disconnected));
}

#[test]
fn memory_answers_while_every_thread_of_the_runtime_is_blocked() {
    let lab = lab();
    let blocked = ["blocked1.example", "blocked2.example"];
    for name in blocked {
        lab.domain(name).publish();
    }
    let (entered, entries) = channel();
    let (release, released) = channel::<()>();
    let (dns, released) = (HickoryDns::servers([lab.dns_addr()]), Arc::new(Mutex::new(released)));
    let dns = Blocks { dns, begin: "_mta-sts.blocked", entered, released };
    let client = builder(&lab).dns(dns).build().expect("a client");
    assert_eq!(client.policy_for(&domain()).status(), Status::Found);
    let asking = blocked.map(|name| {
        let client = client.clone();
        let domain = PolicyDomain::parse(name).expect("a domain");
        thread::spawn(move || client.policy_for(&domain).status())
    });
    for _ in blocked {
        entries.recv_timeout(LIMIT).expect("each thread of the runtime asks");
    }
    // In a thread, so that a client that waits for its runtime fails the test and does not hang it.
    let (answers, answer) = channel();
    let hit = client.clone();
    let answering = thread::spawn(move || answers.send(hit.policy_for(&domain()).status()));
    let status = answer.recv_timeout(LIMIT);
    drop(release);
    assert_eq!(status, Ok(Status::Confirmed));
    assert_eq!(answering.join().expect("no panic"), Ok(()));
    for asking in asking {
        assert_eq!(asking.join().expect("no panic"), Status::Found);
    }
}

#[test]
fn part_that_asks_its_own_client_does_not_deadlock() {
    let lab = lab();
    lab.domain("other.example").publish();
    let domains: Vec<_> = (0..8).map(|number| format!("d{number}.example")).collect();
    for name in &domains {
        lab.domain(name).publish();
    }
    let dns = Reenters(HickoryDns::servers([lab.dns_addr()]), Arc::new(OnceLock::new()));
    let client = builder(&lab).dns(dns.clone()).build().expect("a client");
    assert!(dns.1.set(client.clone()).is_ok());
    // More callers than the runtime has threads.
    let (answers, answer) = channel();
    for name in &domains {
        let domain = PolicyDomain::parse(name).expect("a domain");
        let (client, answers) = (client.clone(), answers.clone());
        thread::spawn(move || answers.send(client.policy_for(&domain).status()));
    }
    for _ in &domains {
        assert_eq!(answer.recv_timeout(LIMIT), Ok(Status::Found));
    }
}

#[test]
fn panic_of_a_part_reaches_the_caller_and_the_client_goes_on() {
    let lab = lab();
    let client = builder(&lab).dns(Panics).build().expect("a client");
    for _ in 0..3 {
        let panic = catch_unwind(AssertUnwindSafe(|| client.recheck(&domain())));
        let panic = panic.expect_err("the resolver panics");
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"this resolver panics"));
    }
}
