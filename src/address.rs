//! May a Policy Host be dialled at this address?
//!
//! Whoever publishes a TXT record chooses which host is asked for a policy, and by its A and AAAA
//! records at which address. Without a filter a stranger could make a mail server send requests
//! into its own network. The rule here allows globally reachable unicast addresses only.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::error::AddressClass;

/// Whether a Policy Host may be dialled at `address` unless configured otherwise.
///
/// # Errors
/// The [`AddressClass`] that is the reason, where the address is not globally reachable unicast by
/// the IANA special-purpose registries (RFC 6890). An IPv4 address inside an IPv6 one (mapped,
/// compatible, 6to4, NAT64) is judged too, so that the filter cannot be walked around.
///
/// ```
/// use mta_sts::{AddressClass, policy_host_address};
///
/// assert_eq!(policy_host_address("1.1.1.1".parse()?), Ok(()));
/// assert_eq!(policy_host_address("::ffff:10.0.0.1".parse()?), Err(AddressClass::Private));
/// # Ok::<(), core::net::AddrParseError>(())
/// ```
pub const fn policy_host_address(address: IpAddr) -> Result<(), AddressClass> {
    let refused = match address {
        IpAddr::V4(v4) => refusal_v4(v4),
        IpAddr::V6(v6) => refusal_v6(v6),
    };
    match refused {
        Some(class) => Err(class),
        None => Ok(()),
    }
}

const fn refusal_v4(address: Ipv4Addr) -> Option<AddressClass> {
    use AddressClass as Class;
    Some(match address.octets() {
        [0, ..] => Class::Unspecified,
        [127, ..] => Class::Loopback,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Class::Private,
        [100, 64..=127, ..] => Class::Shared,
        [169, 254, ..] => Class::LinkLocal,
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => Class::Documentation,
        [198, 18..=19, ..] => Class::Benchmarking,
        // Protocol assignments, and the deprecated relays of 6to4.
        [192, 0, 0, _] | [192, 88, 99, _] => Class::Reserved,
        [224..=239, ..] => Class::Multicast,
        [240..=255, ..] => Class::Reserved,
        _ => return None,
    })
}

const fn refusal_v6(address: Ipv6Addr) -> Option<AddressClass> {
    use AddressClass as Class;
    Some(match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => Class::Unspecified,
        [0, 0, 0, 0, 0, 0, 0, 1] => Class::Loopback,
        // IPv4-mapped; then IPv4-compatible, deprecated; then the well-known NAT64 prefix.
        [0, 0, 0, 0, 0, 0xffff, high, low] => return refusal_embedded(high, low),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => return refusal_embedded(high, low),
        // 6to4: the embedded address is judged, and no relay is left that would carry it.
        [0x2002, high, low, ..] => match refusal_embedded(high, low) {
            Some(class) => class,
            None => Class::Translated,
        },
        // Local-use NAT64 and Teredo lead to IPv4 addresses that cannot be judged here.
        [0x64, 0xff9b, 1, ..] | [0x2001, 0, ..] => Class::Translated,
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Class::Documentation,
        [0x2001, 2, 0, ..] => Class::Benchmarking,
        // The rest of the block of protocol assignments, 2001::/23.
        [0x2001, 0..=0x1ff, ..] => Class::Reserved,
        [0xfc00..=0xfdff, ..] => Class::Private,
        [0xfe80..=0xfebf, ..] => Class::LinkLocal,
        [0xfec0..=0xfeff, ..] => Class::Private,
        [0xff00..=0xffff, ..] => Class::Multicast,
        // Global unicast is 2000::/3; all else is unassigned or special.
        [0x2000..=0x3fff, ..] => return None,
        _ => Class::Reserved,
    })
}

const fn refusal_embedded(high: u16, low: u16) -> Option<AddressClass> {
    let [a, b] = high.to_be_bytes();
    let [c, d] = low.to_be_bytes();
    refusal_v4(Ipv4Addr::new(a, b, c, d))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_global_unicast_is_allowed() {
        for text in [
            "8.8.8.8",
            "172.15.0.1",
            "172.32.0.1",
            "100.63.1.1",
            "223.255.255.255",
            "2606:4700::1111",
            "64:ff9b::808:808",
            "::ffff:8.8.8.8",
            "2a00::1",
            "3ffe::1",
        ] {
            assert_eq!(policy_host_address(text.parse().unwrap()), Ok(()), "{text}");
        }
    }

    #[test]
    fn err_each_class_is_named() {
        use AddressClass as Class;
        let cases = [
            ("0.0.0.0", Class::Unspecified),
            ("::", Class::Unspecified),
            ("127.8.9.1", Class::Loopback),
            ("::1", Class::Loopback),
            ("10.1.2.3", Class::Private),
            ("172.31.255.255", Class::Private),
            ("192.168.0.1", Class::Private),
            ("fd12::1", Class::Private),
            ("fec0::1", Class::Private),
            ("100.127.255.255", Class::Shared),
            ("169.254.169.254", Class::LinkLocal),
            ("febf::1", Class::LinkLocal),
            ("203.0.113.9", Class::Documentation),
            ("2001:db8::1", Class::Documentation),
            ("3fff:0fff::1", Class::Documentation),
            ("198.19.1.1", Class::Benchmarking),
            ("2001:2::1", Class::Benchmarking),
            ("239.1.1.1", Class::Multicast),
            ("ff02::1", Class::Multicast),
            ("192.0.0.1", Class::Reserved),
            ("192.88.99.1", Class::Reserved),
            ("240.0.0.1", Class::Reserved),
            ("255.255.255.255", Class::Reserved),
            ("2001:10::1", Class::Reserved),
            ("2001:20::1", Class::Reserved),
            ("100::1", Class::Reserved),
            ("5f00::1", Class::Reserved),
            ("::2", Class::Reserved),
            ("::7f00:1", Class::Reserved),
            ("::ffff:192.168.1.1", Class::Private),
            ("64:ff9b::a00:1", Class::Private),
            ("2002:7f00:1::", Class::Loopback),
            ("2002:808:808::", Class::Translated),
            ("64:ff9b:1::808:808", Class::Translated),
            ("2001::1", Class::Translated),
        ];
        for (text, class) in cases {
            assert_eq!(policy_host_address(text.parse().unwrap()), Err(class), "{text}");
        }
    }
}
