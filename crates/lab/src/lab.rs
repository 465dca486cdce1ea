//! The lab as a whole: it owns the servers, and stops them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;

use tokio::runtime;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::dns::{Zone, key};
use crate::domain::Domain;
use crate::error::LabError;
use crate::https::Hosts;
use crate::smtp::{MxHost, Smtp};
use crate::smtp_server;
use crate::sockets::{Held, Sockets, mx_listener, registered};
use crate::tls::Authority;

/// The TTL of the addresses of MX hosts, in seconds.
const MX_HOST_TTL: u32 = 300;

/// A running lab. The servers stop, and their sockets are closed, when it is dropped.
#[derive(Debug)]
pub struct Lab {
    zone: Zone,
    hosts: Hosts,
    authority: Arc<Authority>,
    held: Held,
    runtime: runtime::Handle,
    mx_hosts: AtomicU16,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Lab {
    /// Starts the servers. It may be called from blocking and from async code: it takes a few
    /// milliseconds.
    ///
    /// # Errors
    /// Sockets, a thread or certificates that could not be had.
    pub fn start() -> Result<Self, LabError> {
        let authority = Arc::new(Authority::new()?);
        let (zone, hosts) = (Zone::new(), Hosts::new());
        let (sockets, held) = Sockets::open()?;
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| LabError::Run(error.kind()))?;
        let servers = {
            // Registering the sockets needs the runtime that will drive them.
            let _inside = runtime.enter();
            sockets.into_servers(&zone, &hosts, &authority)?
        };
        let (stop, stopped) = oneshot::channel();
        let handle = runtime.handle().clone();
        let thread = thread::Builder::new()
            .name("mta-sts-lab".to_owned())
            .spawn(move || runtime.block_on(run(servers, stopped)))
            .map_err(|error| LabError::Run(error.kind()))?;
        Ok(Self {
            zone,
            hosts,
            authority,
            held,
            runtime: handle,
            mx_hosts: AtomicU16::new(0),
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// What the DNS server answers.
    pub fn dns(&self) -> &Zone {
        &self.zone
    }

    /// What the HTTPS server does.
    pub fn https(&self) -> &Hosts {
        &self.hosts
    }

    /// A domain to publish: record, policy host, policy and MX hosts at once.
    pub fn domain(&self, name: &str) -> Domain {
        Domain::new(self.zone.clone(), self.hosts.clone(), name)
    }

    /// Starts an MX host of this name, and sets the address of the name in the zone.
    ///
    /// The first 60,000 hosts have addresses of their own, 127.0.1.1 and onwards, with one port, the
    /// [HTTPS port](Self::https_port), where all of 127/8 is loopback (as on Linux). A sender that
    /// dials this port instead of 25 then reaches each host by the address that DNS has for it.
    /// Elsewhere every host is at 127.0.0.1 with a port of its own. A name that is given twice has
    /// two hosts, and the zone the address of the later one.
    ///
    /// ```
    /// use mta_sts_lab::{Lab, Smtp, StartTls};
    /// let lab = Lab::start()?;
    /// lab.domain("example.com").mode("enforce").mx(["mx.example.com"]).publish();
    /// let host = lab.mx_host("mx.example.com", Smtp::new())?;
    /// // Deliver to `host.address()`, then take STARTTLS away and deliver again.
    /// host.set(Smtp::new().starttls(StartTls::Missing));
    /// assert!(host.mails().all().is_empty());
    /// # Ok::<(), mta_sts_lab::LabError>(())
    /// ```
    ///
    /// # Errors
    /// A socket that could not be had.
    pub fn mx_host(&self, name: &str, smtp: Smtp) -> Result<MxHost, LabError> {
        let number = self.mx_hosts.fetch_add(1, Ordering::Relaxed);
        let (listener, address) = mx_listener(number, self.https_port())?;
        let host = MxHost::new(&key(name), address, smtp);
        let listener = {
            let _inside = self.runtime.enter();
            registered(listener, "smtp")?
        };
        // It ends with the runtime, which ends with the lab.
        self.runtime.spawn(smtp_server::serve(listener, host.clone(), Arc::clone(&self.authority)));
        self.zone.addresses(host.name(), [address.ip()], MX_HOST_TTL);
        Ok(host)
    }

    /// The DNS server, UDP and TCP.
    pub fn dns_addr(&self) -> SocketAddr {
        self.held.dns
    }

    /// The same DNS server and zone over UDP; its TCP port refuses connections.
    pub fn dns_addr_without_tcp(&self) -> SocketAddr {
        self.held.dns_udp_only
    }

    /// The HTTPS server on 127.0.0.1.
    pub fn https_addr(&self) -> SocketAddr {
        self.held.https
    }

    /// The port of the HTTPS server, in place of 443.
    pub fn https_port(&self) -> u16 {
        self.held.https.port()
    }

    /// Whether the HTTPS server listens on `::1` as well, on the same port.
    pub fn has_ipv6(&self) -> bool {
        self.held.has_ipv6
    }

    /// An address that refuses connections.
    ///
    /// It is 127.0.0.2 with the HTTPS port, where all of 127/8 is loopback (as on Linux), so that
    /// an A record can lead there; 127.0.0.1 and another port elsewhere.
    pub fn refusing_addr(&self) -> SocketAddr {
        self.held.refusing
    }

    /// An address where nothing ever comes: the system completes the TCP handshake, and nobody
    /// accepts the connection. (A host that does not even complete it cannot be imitated on
    /// loopback.)
    ///
    /// It is 127.0.0.3 with the HTTPS port, or 127.0.0.1 and another port, as with
    /// [`refusing_addr`](Self::refusing_addr).
    pub fn black_hole_addr(&self) -> SocketAddr {
        self.held.black_hole
    }

    /// The certificate of the lab's root authority, PEM. Its key dies with the lab.
    pub fn ca_pem(&self) -> &str {
        self.authority.root_pem()
    }

    /// The certificate of the lab's root authority, DER.
    pub fn ca_der(&self) -> &[u8] {
        self.authority.root_der()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic in there has been printed already; a second one here would abort.
            let _ = thread.join();
        }
    }
}

/// Runs until the lab is dropped. Whatever the servers have spawned ends with the set.
async fn run(servers: JoinSet<()>, stopped: oneshot::Receiver<()>) {
    let _ = stopped.await;
    drop(servers);
}
