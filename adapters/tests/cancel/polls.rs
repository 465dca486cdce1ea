//! Dropped after each of its own polls.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use mta_sts_adapters::{
    BoxFuture, Dns, HickoryDns, MxAnswer as Mx, PolicyDomain, Status, Store, TxtAnswer as Txt,
};
use mta_sts_lab::Lab;

use crate::world::{Act, World, builder, runtime, store};

/// What comes of a future that is polled so often at most.
async fn polled<F: Future>(future: F, most: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut polls = 0;
    poll_fn(|context| {
        if polls == most {
            return Poll::Ready(None);
        }
        polls += 1;
        match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            // Of a future that is to be polled no more nobody would be woken.
            Poll::Pending if polls == most => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// From none at all to as many as it takes.
fn each_poll(mut ended: impl FnMut(usize) -> bool) {
    const BOUND: usize = 100;
    let polls = (0..BOUND).take_while(|polls| !ended(*polls)).count();
    assert!((1..BOUND).contains(&polls), "{polls} polls");
}

#[test]
fn ok_a_lookup_that_is_dropped_after_any_poll() {
    let lab = Lab::start().expect("the lab starts");
    for act in Act::ALL {
        each_poll(|polls| {
            let runtime = runtime();
            let name = format!("poll-{polls}-{act:?}.example");
            let world = World::new(&lab, &runtime, act, &name);
            runtime.block_on(async {
                let ended = polled(world.future(), polls).await.is_some();
                world.check(&format!("{act:?} after {polls} polls"), act.most()).await;
                ended
            })
        });
    }
}

#[test]
fn ok_a_flush_that_is_dropped_after_any_poll_loses_nothing() {
    let lab = Lab::start().expect("the lab starts");
    each_poll(|polls| {
        let store = store();
        let runtime = runtime();
        let client = builder(&lab).store(store.clone()).build().expect("a client");
        let domain = PolicyDomain::parse(&format!("flush-{polls}.example")).expect("a domain");
        runtime.block_on(async {
            // Nothing urgent: it waits in memory.
            assert_eq!(client.policy_for(&domain).await.status(), Status::Absent);
            assert_eq!(store.get(&domain), Ok(None));
            let ended = polled(client.flush(), polls).await.is_some();
            assert_eq!(client.flush().await, Ok(()));
            assert!(store.get(&domain).is_ok_and(|entry| entry.is_some()), "{polls} polls");
            ended
        })
    });
}

#[test]
fn ok_a_question_to_dns_that_is_dropped_after_any_poll() {
    let lab = Lab::start().expect("the lab starts");
    lab.domain("example.com").publish();
    let dns = HickoryDns::servers([lab.dns_addr()]);
    let asked: [fn(&HickoryDns) -> BoxFuture<'_, bool>; 3] = [
        |dns| {
            Box::pin(async { matches!(dns.txt("_mta-sts.example.com").await, Txt::Records { .. }) })
        },
        |dns| Box::pin(async { dns.addresses("mta-sts.example.com").await.is_ok() }),
        |dns| Box::pin(async { matches!(dns.mx("example.com").await, Mx::Records(_)) }),
    ];
    for ask in asked {
        each_poll(|polls| {
            runtime().block_on(async {
                let ended = polled(ask(&dns), polls).await;
                assert!(ended != Some(false) && ask(&dns).await, "{polls} polls");
                ended.is_some()
            })
        });
    }
}
