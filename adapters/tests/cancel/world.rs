//! A client, the lab it asks, and what must hold once a future of the client was dropped.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mta_sts_adapters::delivery::{Candidate, Conclusion, Delivery, Mx, Requirements, Retry};
use mta_sts_adapters::tokio::{Builder, MtaSts};
use mta_sts_adapters::{
    Bounce, BoxFuture, HickoryDns, Memory, Outcome, PolicyDomain, Status, UnixTime, system_clock,
};
use mta_sts_lab::{Lab, RecordType};
use tokio::runtime::{self, Handle, Runtime};
use tokio::task::yield_now;
use tokio::time::timeout;

use crate::lab_client::trusting;
use crate::wire::{PATIENCE, Watched, Wire, relay};

/// The TTL of the records, in seconds.
const TTL: u64 = 300;

/// What is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    /// `policy_for` with nothing held.
    First,
    /// `policy_for` with a policy held, once DNS announces another.
    Due,
    /// `recheck` with a policy held, and DNS announces another.
    Recheck,
    /// `refresh` with a policy held, and nothing new.
    Refresh,
    /// `gate` after a refusal by the policy that is held, and DNS announces another.
    Gate,
}

impl Act {
    pub(crate) const ALL: [Self; 5] =
        [Self::First, Self::Due, Self::Recheck, Self::Refresh, Self::Gate];

    /// How often DNS may be asked for the record and the host for the policy, by the future that
    /// is dropped and by the next caller together.
    pub(crate) fn most(self) -> (usize, usize) {
        match self {
            // One lookup for both.
            Self::First | Self::Due => (1, 1),
            // The next caller is answered from memory, or does not share a lookup of this kind.
            Self::Recheck | Self::Refresh | Self::Gate => (2, 2),
        }
    }

    fn holds(self) -> bool {
        matches!(self, Self::Due | Self::Recheck | Self::Refresh | Self::Gate)
    }
}

pub(crate) struct World<'a> {
    lab: &'a Lab,
    pub(crate) act: Act,
    pub(crate) domain: PolicyDomain,
    pub(crate) client: MtaSts,
    pub(crate) wire: Arc<Wire>,
    /// The refusal that the gate is asked about.
    retry: Mutex<Option<Retry>>,
}

impl<'a> World<'a> {
    /// Ready for the act, of a domain of its own.
    pub(crate) fn new(lab: &'a Lab, runtime: &Runtime, act: Act, name: &str) -> Self {
        let wire = Arc::<Wire>::default();
        let relay = relay(lab.https_addr(), &wire).expect("a relay");
        let secs = Arc::new(AtomicU64::new(system_clock().as_secs()));
        let reads = Arc::clone(&secs);
        let client = builder(lab)
            .dns(Watched(HickoryDns::servers([lab.dns_addr()]), Arc::clone(&wire)))
            .connect_elsewhere(move |_| relay)
            .clock(Arc::new(move || UnixTime::from_secs(reads.load(Ordering::SeqCst))))
            .build()
            .expect("a client");
        let domain = PolicyDomain::parse(name).expect("a domain");
        lab.domain(name).id("1").mode("enforce").publish();
        let mut retry = None;
        if act.holds() {
            let found = runtime.block_on(client.policy_for(&domain));
            assert_eq!(found.status(), Status::Found);
            let mut delivery = Delivery::new(&found, Requirements::default());
            assert!(matches!(delivery.candidate(&Mx::parse("mx.invalid")), Candidate::Skip(_)));
            retry = match delivery.conclude() {
                Conclusion::Retry(retry) => Some(retry),
                other => panic!("the policy refused it: {other:?}"),
            };
            secs.fetch_add(TTL + 1, Ordering::SeqCst);
        }
        if matches!(act, Act::Due | Act::Recheck | Act::Gate) {
            lab.domain(name).id("2").mode("testing").publish();
        }
        lab.dns().queries().take();
        lab.https().requests().take();
        Self { lab, act, domain, client, wire, retry: Mutex::new(retry) }
    }

    /// The future to be dropped.
    pub(crate) fn future(&self) -> BoxFuture<'_, Outcome> {
        let (client, domain) = (&self.client, &self.domain);
        match self.act {
            Act::First | Act::Due => Box::pin(client.policy_for(domain)),
            Act::Recheck => Box::pin(client.recheck(domain)),
            Act::Refresh => Box::pin(client.refresh(domain)),
            Act::Gate => {
                let retry = lock(&self.retry).take().expect("one gate");
                Box::pin(async {
                    match client.gate(retry).await {
                        Bounce::Deferred(outcome) => *outcome,
                        Bounce::Permitted(_) => panic!("DNS announces another policy"),
                    }
                })
            }
        }
    }

    /// The next caller has an answer, what was held is still there, and no more was asked (DNS for
    /// the record, the host for the policy) than given; then no task is left.
    pub(crate) async fn check(&self, which: &str, most: (usize, usize)) {
        if self.act.holds() {
            let held = timeout(PATIENCE, self.client.policy_for(&self.domain)).await;
            assert!(held.is_ok_and(|outcome| outcome.policy().is_some()), "{which}");
        }
        let next = timeout(PATIENCE, self.client.policy_for(&self.domain)).await;
        let next = next.unwrap_or_else(|_| panic!("{which}: no answer"));
        assert!(next.policy().is_some(), "{which}: {next:?}");
        assert!(matches!(next.status(), Status::Found | Status::Confirmed), "{which}: {next:?}");
        timeout(PATIENCE, no_tasks()).await.unwrap_or_else(|_| panic!("{which}: a task is left"));
        let (txt, fetches) = self.asked();
        assert!(txt <= most.0 && fetches <= most.1, "{which}: {txt} TXT, {fetches} GET");
        let status = timeout(PATIENCE, self.client.policy_for(&self.domain)).await;
        assert_eq!(status.map(|outcome| outcome.status()), Ok(Status::Confirmed), "{which}");
    }

    /// The questions for the record and for the policy since the world was made.
    pub(crate) fn asked(&self) -> (usize, usize) {
        let txt = self.lab.dns().queries().all();
        let txt = txt.iter().filter(|query| query.rtype == RecordType::Txt).count();
        (txt, self.lab.https().requests().all().len())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A client's builder that asks the lab and trusts it.
pub(crate) fn builder(lab: &Lab) -> Builder {
    trusting(MtaSts::builder().dns(HickoryDns::servers([lab.dns_addr()])), lab)
}

/// Until the runtime has no task but the one that waits here.
async fn no_tasks() {
    while Handle::current().metrics().num_alive_tasks() > 0 {
        yield_now().await;
    }
}

pub(crate) fn runtime() -> Runtime {
    runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// A store that the test can look into.
pub(crate) fn store() -> Arc<Memory> {
    Arc::new(Memory::new(64))
}
