//! Addresses at which a stranger's Policy Host must not be dialled.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The blocks of the IANA IPv4 special-purpose and multicast registries. `192.0.0.0/24` is taken
/// whole: its few reachable addresses are anycast to the nearest network's own devices.
const BLOCKED_V4: &[(Ipv4Addr, u32)] = &[
    (Ipv4Addr::UNSPECIFIED, 8),           // RFC 791: this network
    (Ipv4Addr::new(10, 0, 0, 0), 8),      // RFC 1918: private
    (Ipv4Addr::new(100, 64, 0, 0), 10),   // RFC 6598: shared
    (Ipv4Addr::new(127, 0, 0, 0), 8),     // RFC 1122: loopback
    (Ipv4Addr::new(169, 254, 0, 0), 16),  // RFC 3927: link local
    (Ipv4Addr::new(172, 16, 0, 0), 12),   // RFC 1918: private
    (Ipv4Addr::new(192, 0, 0, 0), 24),    // RFC 6890: protocol assignments
    (Ipv4Addr::new(192, 0, 2, 0), 24),    // RFC 5737: documentation
    (Ipv4Addr::new(192, 88, 99, 0), 24),  // RFC 7526: 6to4 relays, deprecated
    (Ipv4Addr::new(192, 168, 0, 0), 16),  // RFC 1918: private
    (Ipv4Addr::new(198, 18, 0, 0), 15),   // RFC 2544: benchmarking
    (Ipv4Addr::new(198, 51, 100, 0), 24), // RFC 5737: documentation
    (Ipv4Addr::new(203, 0, 113, 0), 24),  // RFC 5737: documentation
    (Ipv4Addr::new(224, 0, 0, 0), 4),     // RFC 5771: multicast
    (Ipv4Addr::new(240, 0, 0, 0), 4),     // RFC 1112: reserved, and the limited broadcast
];

/// The only IPv6 block from which global unicast addresses are given out.
const GLOBAL_UNICAST: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// What of it is not to be dialled.
const BLOCKED_V6: &[(Ipv6Addr, u32)] = &[
    // RFC 2928: protocol assignments, with Teredo, benchmarking, ORCHID and its second version.
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    // RFC 3849: documentation.
    (Ipv6Addr::new(0x2001, 0x0db8, 0, 0, 0, 0, 0, 0), 32),
    // RFC 3056: 6to4, an IPv4 address in disguise.
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    // RFC 9637: documentation.
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// RFC 4291 §2.5.5.2: an IPv4 address written as one of IPv6.
const MAPPED: (Ipv6Addr, u32) = (Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96);
/// RFC 6052 §2.1: an IPv4 address behind the well-known prefix of NAT64.
const NAT64: (Ipv6Addr, u32) = (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);

/// Whether a Policy Host may be dialled there by default: globally reachable unicast only.
///
/// An address of IPv4 within one of IPv6 (mapped, NAT64) is judged as what it stands for.
pub fn may_dial(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !BLOCKED_V4.iter().any(|block| within_v4(v4, *block)),
        IpAddr::V6(v6) if within_v6(v6, MAPPED) || within_v6(v6, NAT64) => {
            let [.., a, b, c, d] = v6.octets();
            may_dial(IpAddr::V4(Ipv4Addr::new(a, b, c, d)))
        }
        IpAddr::V6(v6) => {
            within_v6(v6, GLOBAL_UNICAST) && !BLOCKED_V6.iter().any(|block| within_v6(v6, *block))
        }
    }
}

fn within_v4(address: Ipv4Addr, (block, length): (Ipv4Addr, u32)) -> bool {
    let bits = |address: Ipv4Addr| format!("{:032b}", address.to_bits());
    bits(address)[..length as usize] == bits(block)[..length as usize]
}

fn within_v6(address: Ipv6Addr, (block, length): (Ipv6Addr, u32)) -> bool {
    let bits = |address: Ipv6Addr| format!("{:0128b}", address.to_bits());
    bits(address)[..length as usize] == bits(block)[..length as usize]
}
