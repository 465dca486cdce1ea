//! A wire that is tripped by a step of a lookup: a poll of one of its questions to DNS, or a few
//! octets more of what the Policy Host sends.

use std::future::poll_fn;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use mta_sts_adapters::{BoxFuture, Dns, DnsFailure, HickoryDns, MxAnswer, TxtAnswer};
use tokio::sync::Notify;

/// Long enough never to matter.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// What the relay hands over at a time, in octets.
const PORTION: usize = 128;

/// Counts steps once it is armed, and is tripped by one of them.
#[derive(Debug, Default)]
pub(crate) struct Wire {
    state: Mutex<State>,
    tripped: Notify,
    released: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// How many steps are left; `None` where steps do not count.
    left: Option<usize>,
    /// Whether the step that tripped it has to wait.
    held: bool,
}

impl Wire {
    /// To be tripped by this step from now on, the first of which is 1.
    pub(crate) fn arm(&self, step: usize) {
        *self.lock() = State { left: Some(step), held: false };
    }

    /// Ends when the wire is tripped.
    pub(crate) async fn tripped(&self) {
        self.tripped.notified().await;
    }

    /// Lets what has tripped it go on; no later step counts.
    pub(crate) fn release(&self) {
        *self.lock() = State::default();
        self.released.notify_all();
    }

    fn step(&self) {
        let mut state = self.lock();
        let Some(left) = &mut state.left else { return };
        *left = left.saturating_sub(1);
        if *left == 0 {
            *state = State { left: None, held: true };
            self.tripped.notify_one();
        }
    }

    /// Until what has tripped it has had its effect.
    fn wait(&self) {
        let held = |state: &mut State| state.held;
        let waited = self.released.wait_timeout_while(self.lock(), PATIENCE, held);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// DNS, each poll of which is a step.
#[derive(Debug)]
pub(crate) struct Watched(pub(crate) HickoryDns, pub(crate) Arc<Wire>);

impl Watched {
    fn watch<'a, T: 'a>(&'a self, mut question: BoxFuture<'a, T>) -> BoxFuture<'a, T> {
        Box::pin(poll_fn(move |context| {
            self.1.step();
            question.as_mut().poll(context)
        }))
    }
}

impl Dns for Watched {
    fn txt<'a>(&'a self, name: &'a str) -> BoxFuture<'a, TxtAnswer> {
        self.watch(self.0.txt(name))
    }

    fn addresses<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, DnsFailure>> {
        self.watch(self.0.addresses(host))
    }

    fn mx<'a>(&'a self, domain: &'a str) -> BoxFuture<'a, MxAnswer> {
        self.watch(self.0.mx(domain))
    }
}

/// Relays connections to the Policy Host, portion by portion, each of which is a step; what the
/// client sends passes whole. It ends with the process: its threads wait for nothing but sockets.
pub(crate) fn relay(host: SocketAddr, wire: &Arc<Wire>) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    let wire = Arc::clone(wire);
    thread::spawn(move || {
        for client in listener.incoming() {
            let (Ok(client), Ok(server)) = (client, TcpStream::connect(host)) else { return };
            let wire = Arc::clone(&wire);
            // A client that has gone away is what this is for.
            thread::spawn(move || drop(relay_one(&client, &server, &wire)));
        }
    });
    Ok(address)
}

fn relay_one(client: &TcpStream, server: &TcpStream, wire: &Wire) -> io::Result<()> {
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (mut from, mut to) = (client.try_clone()?, server.try_clone()?);
    let up = thread::spawn(move || {
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
    let (mut from, mut to) = (server, client);
    let mut portion = [0; PORTION];
    loop {
        let length = from.read(&mut portion)?;
        wire.step();
        wire.wait();
        if length == 0 || to.write_all(&portion[..length]).is_err() {
            break;
        }
    }
    let _ = client.shutdown(Shutdown::Both);
    let _ = server.shutdown(Shutdown::Both);
    drop(up.join());
    Ok(())
}
