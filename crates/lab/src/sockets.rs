//! The sockets of a lab: all on loopback, all on ports that the system chose.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;

use tokio::net::{self, TcpSocket};
use tokio::task::JoinSet;

use crate::dns::Zone;
use crate::error::LabError;
use crate::https::Hosts;
use crate::tls::Authority;
use crate::{dns_server, https_server};

/// Tries for a port that is free over UDP and TCP alike.
const ATTEMPTS: usize = 16;

const HOME: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const REFUSING: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
const BLACK_HOLE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 3));

/// The sockets that the servers take over.
pub(crate) struct Sockets {
    dns_udp: UdpSocket,
    dns_tcp: TcpListener,
    dns_udp_only: UdpSocket,
    https: Vec<TcpListener>,
}

/// The addresses, and the sockets that nobody serves.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) dns: SocketAddr,
    pub(crate) dns_udp_only: SocketAddr,
    pub(crate) https: SocketAddr,
    pub(crate) refusing: SocketAddr,
    pub(crate) black_hole: SocketAddr,
    pub(crate) has_ipv6: bool,
    // Bound and not listening: the port is ours, and the system refuses connections to it.
    _refusing: [TcpSocket; 2],
    // Listening and never accepting.
    _black_hole: TcpListener,
}

impl Sockets {
    pub(crate) fn open() -> Result<(Self, Held), LabError> {
        let (dns_udp, dns_tcp) = pair("dns", TcpListener::bind::<SocketAddr>)?;
        let (dns_udp_only, no_tcp) = pair("dns without tcp", refusing)?;
        let first = TcpListener::bind((HOME, 0)).map_err(failed("https"))?;
        let https = first.local_addr().map_err(failed("https"))?;
        let port = https.port();
        let refused = refusing(SocketAddr::new(REFUSING, port))
            .or_else(|_| refusing(SocketAddr::new(HOME, 0)))
            .map_err(failed("a refusing port"))?;
        let black_hole = TcpListener::bind((BLACK_HOLE, port))
            .or_else(|_| TcpListener::bind((HOME, 0)))
            .map_err(failed("a black hole"))?;
        let second = TcpListener::bind((Ipv6Addr::LOCALHOST, port)).ok();
        let held = Held {
            dns: dns_udp.local_addr().map_err(failed("dns"))?,
            dns_udp_only: dns_udp_only.local_addr().map_err(failed("dns without tcp"))?,
            https,
            refusing: refused.local_addr().map_err(failed("a refusing port"))?,
            black_hole: black_hole.local_addr().map_err(failed("a black hole"))?,
            has_ipv6: second.is_some(),
            _refusing: [no_tcp, refused],
            _black_hole: black_hole,
        };
        let https = std::iter::once(first).chain(second).collect();
        Ok((Self { dns_udp, dns_tcp, dns_udp_only, https }, held))
    }

    /// Starts the servers on the runtime that is entered.
    pub(crate) fn into_servers(
        self,
        zone: &Zone,
        hosts: &Hosts,
        authority: &Arc<Authority>,
    ) -> Result<JoinSet<()>, LabError> {
        let mut servers = JoinSet::new();
        for socket in [self.dns_udp, self.dns_udp_only] {
            let socket = socket
                .set_nonblocking(true)
                .and_then(|()| net::UdpSocket::from_std(socket))
                .map_err(failed("dns"))?;
            servers.spawn(dns_server::serve_udp(socket, zone.clone()));
        }
        let listener = registered(self.dns_tcp, "dns")?;
        servers.spawn(dns_server::serve_tcp(listener, zone.clone()));
        for listener in self.https {
            let listener = registered(listener, "https")?;
            servers.spawn(https_server::serve(listener, hosts.clone(), Arc::clone(authority)));
        }
        Ok(servers)
    }
}

fn failed(what: &'static str) -> impl Fn(io::Error) -> LabError {
    move |error| LabError::Listen { what, kind: error.kind() }
}

/// Hands a listener over to the runtime that is entered.
pub(crate) fn registered(
    listener: TcpListener,
    what: &'static str,
) -> Result<net::TcpListener, LabError> {
    listener
        .set_nonblocking(true)
        .and_then(|()| net::TcpListener::from_std(listener))
        .map_err(failed(what))
}

/// A listener for the MX host of this number, and its address.
pub(crate) fn mx_listener(number: u16, port: u16) -> Result<(TcpListener, SocketAddr), LabError> {
    // 127.0.1.1 to 127.0.1.250, then 127.0.2.1 and so on.
    let (third, fourth) = (number / 250 + 1, number % 250 + 1);
    let own = match (u8::try_from(third), u8::try_from(fourth)) {
        (Ok(third), Ok(fourth)) => {
            TcpListener::bind((Ipv4Addr::new(127, 0, third, fourth), port)).ok()
        }
        _ => None,
    };
    let listener = match own {
        Some(listener) => listener,
        None => TcpListener::bind((HOME, 0)).map_err(failed("smtp"))?,
    };
    let address = listener.local_addr().map_err(failed("smtp"))?;
    Ok((listener, address))
}

/// A UDP socket, and a TCP socket of the same port.
fn pair<T>(
    what: &'static str,
    tcp: impl Fn(SocketAddr) -> io::Result<T>,
) -> Result<(UdpSocket, T), LabError> {
    let mut last = io::ErrorKind::AddrInUse;
    for _ in 0..ATTEMPTS {
        let udp = UdpSocket::bind((HOME, 0)).map_err(failed(what))?;
        match tcp(udp.local_addr().map_err(failed(what))?) {
            Ok(tcp) => return Ok((udp, tcp)),
            Err(error) => last = error.kind(),
        }
    }
    Err(LabError::Listen { what, kind: last })
}

fn refusing(at: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(at)?;
    Ok(socket)
}
