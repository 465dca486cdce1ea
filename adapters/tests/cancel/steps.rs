//! Dropped at every step of the lookup behind it.

use std::time::Duration;

use mta_sts_adapters::{PolicyDomain, Status, Store};
use mta_sts_lab::Lab;
use tokio::select;
use tokio::time::{sleep, timeout};

use crate::wire::PATIENCE;
use crate::world::{Act, World, builder, runtime, store};

/// More steps than any lookup has.
const BOUND: usize = 500;

#[test]
fn ok_whoever_ceases_to_wait_at_any_step_costs_nobody_anything() {
    let lab = Lab::start().expect("the lab starts");
    for act in Act::ALL {
        let all = each_step(|step| {
            let which = format!("{act:?} at step {step}");
            let runtime = runtime();
            let world = World::new(&lab, &runtime, act, &format!("drop-{step}-{act:?}.example"));
            runtime.block_on(async {
                let tripped = trip(&world, step).await;
                world.wire.release();
                world.check(&which, act.most()).await;
                tripped
            })
        });
        println!("{act:?}: {all} steps");
    }
}

#[test]
fn ok_a_runtime_that_ends_at_any_step_takes_nothing_with_it() {
    let lab = Lab::start().expect("the lab starts");
    for act in Act::ALL {
        let all = each_step(|step| {
            let which = format!("{act:?}, and the runtime, at step {step}");
            let first = runtime();
            let world = World::new(&lab, &first, act, &format!("end-{step}-{act:?}.example"));
            let tripped = first.block_on(trip(&world, step));
            // Every task ends where it is, the lookup's own too.
            drop(first);
            world.wire.release();
            // The next caller has to begin anew.
            runtime().block_on(world.check(&which, (2, 2)));
            tripped
        });
        println!("{act:?}: {all} steps");
    }
}

#[test]
fn ok_a_runtime_that_ends_takes_the_background_writes_to_the_next() {
    let lab = Lab::start().expect("the lab starts");
    let store = store();
    let client = builder(&lab).store(store.clone()).build().expect("a client");
    // What waits for its turn to be written ends with the runtime.
    for name in ["one.example", "two.example"] {
        let domain = PolicyDomain::parse(name).expect("a domain");
        runtime().block_on(async {
            assert_eq!(client.policy_for(&domain).await.status(), Status::Absent);
            assert_eq!(store.get(&domain), Ok(None));
        });
    }
    runtime().block_on(async {
        for name in ["two.example", "one.example"] {
            let domain = PolicyDomain::parse(name).expect("a domain");
            assert_eq!(client.policy_for(&domain).await.status(), Status::Absent);
            let written = async {
                while store.get(&domain) == Ok(None) {
                    sleep(Duration::from_millis(20)).await;
                }
            };
            assert_eq!(timeout(PATIENCE, written).await, Ok(()), "{name}");
        }
    });
}

/// Whether the wire was tripped before the act had ended; then its future is dropped.
async fn trip(world: &World<'_>, step: usize) -> bool {
    world.wire.arm(step);
    select! {
        biased;
        () = world.wire.tripped() => true,
        _ = world.future() => false,
    }
}

/// All steps from the first, up to one that is not reached any more; how many there are.
fn each_step(mut reached: impl FnMut(usize) -> bool) -> usize {
    let steps = (1..BOUND).take_while(|step| reached(*step)).count();
    assert!(steps + 1 < BOUND, "it never ends");
    // Questions, a handshake and a body take more than these.
    assert!(steps > 10, "{steps} steps only");
    steps
}
