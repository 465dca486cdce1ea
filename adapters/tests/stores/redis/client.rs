//! The client for tokio while its store is away.

use std::sync::Arc;

use mta_sts_adapters::tokio::MtaSts;
use mta_sts_adapters::{HickoryDns, PolicyDomain, Redis, Status, Store};
use mta_sts_lab::Lab;

use super::lab_client::trusting;
use super::server::Server;

fn client(lab: &Lab, store: &Arc<Redis>) -> MtaSts {
    let builder = MtaSts::builder().dns(HickoryDns::servers([lab.dns_addr()]));
    trusting(builder.store(Arc::clone(store)), lab).build().expect("a client")
}

/// Once the server is back and no longer left alone; bounded.
async fn flushed(client: &MtaSts) {
    for _ in 0..100 {
        if client.flush().await.is_ok() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("it is not taken: {:?}", client.store_trouble());
}

#[tokio::test]
async fn ok_a_client_serves_and_says_so_while_redis_is_down_and_writes_once_it_is_back() {
    let Some(mut server) = Server::start() else { return };
    let lab = Lab::start().expect("the lab starts");
    let [known, new] = ["known.example", "new.example"].map(|name| {
        lab.domain(name).mode("enforce").publish();
        PolicyDomain::parse(name).expect("a domain")
    });
    let store = Arc::new(Redis::open(&server.url()).expect("a URL"));
    let client = client(&lab, &store);
    assert_eq!(client.policy_for(&known).await.status(), Status::Found);
    assert_eq!(client.store_trouble(), None);

    server.stop();
    // What is known goes on to protect, also where DNS is in the hands of an attacker.
    lab.domain("known.example").withdraw();
    assert_eq!(client.recheck(&known).await.status(), Status::Held);
    let found = client.policy_for(&new).await;
    assert_eq!((found.status(), found.is_persisted()), (Status::Found, false));
    assert_eq!(client.policy_for(&new).await.status(), Status::Confirmed);
    assert!(client.store_trouble().is_some());
    assert!(client.flush().await.is_err());

    server.start_again();
    flushed(&client).await;
    assert_eq!(client.store_trouble(), None);
    let stored = store.get(&new).expect("readable").expect("an entry");
    assert_eq!(stored.policy(client.now()), found.policy());
    // And another machine has it too.
    let other = self::client(&lab, &Arc::new(Redis::open(&server.url()).expect("a URL")));
    assert_eq!(other.policy_for(&new).await.status(), Status::Confirmed);
}
