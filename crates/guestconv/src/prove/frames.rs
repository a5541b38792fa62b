//! Ethernet frames, as far as a proof needs them: ARP (RFC 826), IPv4 with ICMP echo (RFC 792) and DHCP (RFC 2131), IPv6
//! with neighbour discovery (RFC 4861). Pure: bytes in, values out, and back. What is cut short or unknown is nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A MAC address.
pub(super) type Mac = [u8; 6];

const BROADCAST: Mac = [0xff; 6];
const ARP: [u8; 2] = [0x08, 0x06];
const IPV4: [u8; 2] = [0x08, 0x00];
const IPV6: [u8; 2] = [0x86, 0xdd];
/// What an Ethernet frame has at least, without its checksum; some cards drop what is shorter.
const LEAST_BYTES: usize = 60;
const DHCP_MAGIC: [u8; 4] = [99, 130, 83, 99];

/// What a frame from the guest says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    /// The card that sent it.
    pub(super) source: Mac,
    /// The address that sent it; `None` if it has none yet.
    pub(super) address: Option<IpAddr>,
    /// What it is.
    pub(super) kind: Kind,
}

/// What a frame is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Who has this address?
    Who(Ipv4Addr),
    /// I have the frame's address.
    Have,
    /// I answer your ping.
    Pong,
    /// The guest looks for an address, or takes (`Some`) the one that it was offered.
    Dhcp(Dhcp),
    /// Something else.
    Other,
}

/// A question of a DHCP client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Dhcp {
    /// The number that its answer must carry.
    pub(super) transaction: [u8; 4],
    /// The hardware address of the client.
    pub(super) client: Mac,
    /// Whether it asks for an offer, or takes one.
    pub(super) message: DhcpMessage,
}

/// The messages of a DHCP client that are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DhcpMessage {
    /// Who offers an address?
    Discover,
    /// I take the address.
    Request,
}

/// Returns what a frame says; `None` if it is none.
pub(super) fn parse(frame: &[u8]) -> Option<Frame> {
    let source = array::<6>(frame, 6)?;
    let payload = frame.get(14..)?;
    let (address, kind) = match array::<2>(frame, 12)? {
        ARP => parse_arp(payload)?,
        IPV4 => parse_ipv4(payload)?,
        IPV6 => parse_ipv6(payload)?,
        _ => (None, Kind::Other),
    };
    Some(Frame { source, address, kind })
}

/// Returns the question who has `wanted`, asked by `address` of `mac`.
pub(super) fn arp_question(mac: Mac, address: Ipv4Addr, wanted: Ipv4Addr) -> Vec<u8> {
    arp(1, mac, address, [0; 6], wanted, BROADCAST)
}

/// Returns the answer that `mac` has `address`.
pub(super) fn arp_answer(mac: Mac, address: Ipv4Addr, to: Mac, asker: Ipv4Addr) -> Vec<u8> {
    arp(2, mac, address, to, asker, to)
}

/// Returns a ping.
pub(super) fn ping(mac: Mac, from: Ipv4Addr, to_mac: Mac, to: Ipv4Addr) -> Vec<u8> {
    let mut echo = vec![8, 0, 0, 0, 0x67, 0x63, 0, 1];
    echo.extend(b"guestconv");
    let sum = checksum(&echo);
    put(&mut echo, 2, &sum);
    ipv4(mac, from, to_mac, to, 1, &echo)
}

/// Returns the question who has the IPv6 address `wanted` (a neighbour solicitation).
pub(super) fn neighbour_question(mac: Mac, from: Ipv6Addr, wanted: Ipv6Addr) -> Vec<u8> {
    let [.., a, b, c] = wanted.octets();
    let group = Ipv6Addr::from([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a, b, c]);
    let mut message = vec![135, 0, 0, 0, 0, 0, 0, 0];
    message.extend(wanted.octets());
    message.extend([1, 1]);
    message.extend(mac);
    let mut pseudo = Vec::from(from.octets());
    pseudo.extend(group.octets());
    pseudo.extend([0, 0, 0, 32, 0, 0, 0, 58]);
    pseudo.extend(&message);
    put(&mut message, 2, &checksum(&pseudo));
    let mut payload = vec![0x60, 0, 0, 0, 0, 32, 58, 255];
    payload.extend(from.octets());
    payload.extend(group.octets());
    payload.extend(message);
    ethernet([0x33, 0x33, 0xff, a, b, c], mac, IPV6, &payload)
}

/// Returns the answer of a DHCP server: an offer, or the lease.
pub(super) fn dhcp_answer(mac: Mac, server: Ipv4Addr, question: &Dhcp, offered: Ipv4Addr) -> Vec<u8> {
    let mut reply = vec![2, 1, 6, 0];
    reply.extend(question.transaction);
    reply.extend([0, 0, 0x80, 0]);
    reply.extend([0; 4]);
    reply.extend(offered.octets());
    reply.extend(server.octets());
    reply.extend([0; 4]);
    reply.extend(question.client);
    reply.resize(236, 0);
    reply.extend(DHCP_MAGIC);
    let kind = match question.message {
        DhcpMessage::Discover => 2,
        DhcpMessage::Request => 5,
    };
    reply.extend([53, 1, kind]);
    // Server, lease of a day, mask, router; a router makes the guest's network complete, though it leads nowhere.
    reply.extend([54, 4]);
    reply.extend(server.octets());
    reply.extend([51, 4, 0, 1, 0x51, 0x80, 1, 4, 255, 255, 255, 0, 3, 4]);
    reply.extend(server.octets());
    reply.push(255);
    reply.resize(reply.len().max(300), 0);
    let length = u16::try_from(reply.len() + 8).unwrap_or(u16::MAX);
    let mut datagram = vec![0, 67, 0, 68];
    datagram.extend(length.to_be_bytes());
    // A sum of zero: none was made (RFC 768).
    datagram.extend([0, 0]);
    datagram.extend(reply);
    ipv4(mac, server, BROADCAST, Ipv4Addr::BROADCAST, 17, &datagram)
}

fn parse_arp(payload: &[u8]) -> Option<(Option<IpAddr>, Kind)> {
    let sender = Ipv4Addr::from(array::<4>(payload, 14)?);
    let wanted = Ipv4Addr::from(array::<4>(payload, 24)?);
    let kind = match array::<2>(payload, 6)? {
        [0, 1] => Kind::Who(wanted),
        [0, 2] => Kind::Have,
        _ => Kind::Other,
    };
    Some((own(IpAddr::V4(sender)), kind))
}

fn parse_ipv4(payload: &[u8]) -> Option<(Option<IpAddr>, Kind)> {
    let header = usize::from(payload.first()? & 0xf) * 4;
    let source = own(IpAddr::V4(Ipv4Addr::from(array::<4>(payload, 12)?)));
    let body = payload.get(header..)?;
    let kind = match payload.get(9)? {
        1 if body.first() == Some(&0) => Kind::Pong,
        17 if array::<2>(body, 2)? == [0, 67] => parse_dhcp(body.get(8..)?).map_or(Kind::Other, Kind::Dhcp),
        _ => Kind::Other,
    };
    Some((source, kind))
}

fn parse_dhcp(message: &[u8]) -> Option<Dhcp> {
    if array::<4>(message, 236)? != DHCP_MAGIC {
        return None;
    }
    let mut options = message.get(240..)?;
    loop {
        match options {
            [0, rest @ ..] => options = rest,
            [53, 1, kind, ..] => {
                let message_type = match kind {
                    1 => DhcpMessage::Discover,
                    3 => DhcpMessage::Request,
                    _ => return None,
                };
                let (transaction, client) = (array::<4>(message, 4)?, array::<6>(message, 28)?);
                return Some(Dhcp { transaction, client, message: message_type });
            }
            [255, ..] | [] | [_] => return None,
            [_, length, rest @ ..] => options = rest.get(usize::from(*length)..)?,
        }
    }
}

fn parse_ipv6(payload: &[u8]) -> Option<(Option<IpAddr>, Kind)> {
    let source = own(IpAddr::V6(Ipv6Addr::from(array::<16>(payload, 8)?)));
    let is_advertisement = payload.get(6) == Some(&58) && payload.get(40) == Some(&136);
    if is_advertisement {
        let address = Ipv6Addr::from(array::<16>(payload, 48)?);
        return Some((own(IpAddr::V6(address)), Kind::Have));
    }
    Some((source, Kind::Other))
}

fn own(address: IpAddr) -> Option<IpAddr> {
    (!address.is_unspecified() && !address.is_multicast()).then_some(address)
}

fn arp(kind: u8, mac: Mac, address: Ipv4Addr, to_mac: Mac, to: Ipv4Addr, destination: Mac) -> Vec<u8> {
    let mut payload = vec![0, 1, 8, 0, 6, 4, 0, kind];
    payload.extend(mac);
    payload.extend(address.octets());
    payload.extend(to_mac);
    payload.extend(to.octets());
    ethernet(destination, mac, ARP, &payload)
}

fn ipv4(mac: Mac, from: Ipv4Addr, to_mac: Mac, to: Ipv4Addr, protocol: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len() + 20).unwrap_or(u16::MAX).to_be_bytes();
    let mut packet = vec![0x45, 0, length[0], length[1], 0, 0, 0, 0, 64, protocol, 0, 0];
    packet.extend(from.octets());
    packet.extend(to.octets());
    let sum = checksum(&packet);
    put(&mut packet, 10, &sum);
    packet.extend(body);
    ethernet(to_mac, mac, IPV4, &packet)
}

fn ethernet(to: Mac, from: Mac, kind: [u8; 2], payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::from(to);
    frame.extend(from);
    frame.extend(kind);
    frame.extend(payload);
    frame.resize(frame.len().max(LEAST_BYTES), 0);
    frame
}

/// The checksum of the internet (RFC 1071).
fn checksum(bytes: &[u8]) -> [u8; 2] {
    let word = |pair: &[u8]| {
        u32::from(pair.first().copied().unwrap_or(0)) << 8 | u32::from(pair.get(1).copied().unwrap_or(0))
    };
    let mut sum: u32 = bytes.chunks(2).map(word).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    u16::try_from(!sum & 0xffff).unwrap_or(0).to_be_bytes()
}

fn put(bytes: &mut [u8], at: usize, value: &[u8; 2]) {
    if let Some(place) = bytes.get_mut(at..at + 2) {
        place.copy_from_slice(value);
    }
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: Mac = [2, 0, 0, 0, 0, 1];
    const GUEST: Mac = [0x52, 0x54, 0, 0xc0, 0, 1];

    fn v4(text: &str) -> Ipv4Addr {
        text.parse().unwrap()
    }

    #[test]
    fn what_we_write_we_read() {
        let address = Some(IpAddr::V4(v4("10.0.2.2")));
        let dhcp = Dhcp { transaction: [1, 2, 3, 4], client: GUEST, message: DhcpMessage::Discover };
        for (name, frame, expected) in [
            (
                "who",
                arp_question(OURS, v4("10.0.2.2"), v4("10.0.2.77")),
                (address, Kind::Who(v4("10.0.2.77"))),
            ),
            ("have", arp_answer(OURS, v4("10.0.2.2"), GUEST, v4("10.0.2.77")), (address, Kind::Have)),
            ("ping", ping(OURS, v4("10.0.2.2"), GUEST, v4("10.0.2.77")), (address, Kind::Other)),
            ("offer", dhcp_answer(OURS, v4("10.0.2.2"), &dhcp, v4("10.0.2.15")), (address, Kind::Other)),
            (
                "neighbour",
                neighbour_question(OURS, "fe80::1".parse().unwrap(), "fd00::77".parse().unwrap()),
                (Some("fe80::1".parse().unwrap()), Kind::Other),
            ),
        ] {
            let (address, kind) = expected;
            assert_eq!(parse(&frame), Some(Frame { source: OURS, address, kind }), "{name}");
            assert!(frame.len() >= LEAST_BYTES, "{name}");
        }
    }

    #[test]
    fn a_ping_is_right_to_the_bit() {
        let frame = ping(OURS, v4("10.0.2.2"), GUEST, v4("10.0.2.77"));
        // A sum over a part that carries its sum is zero.
        assert_eq!((checksum(&frame[14..34]), checksum(&frame[34..51])), ([0, 0], [0, 0]));
    }

    #[test]
    fn a_client_that_looks_for_an_address_is_understood() {
        let mut message = vec![1, 1, 6, 0, 9, 8, 7, 6];
        message.resize(28, 0);
        message.extend(GUEST);
        message.resize(236, 0);
        message.extend(DHCP_MAGIC);
        for (kind, expected) in [(1, Some(DhcpMessage::Discover)), (3, Some(DhcpMessage::Request)), (7, None)]
        {
            let mut message = message.clone();
            message.extend([61, 2, 1, 2, 0, 53, 1, kind, 255]);
            let mut datagram = vec![0, 68, 0, 67, 0, 0, 0, 0];
            datagram.extend(message);
            let frame = ipv4(GUEST, Ipv4Addr::UNSPECIFIED, BROADCAST, Ipv4Addr::BROADCAST, 17, &datagram);
            let kind = expected.map_or(Kind::Other, |message| {
                Kind::Dhcp(Dhcp { transaction: [9, 8, 7, 6], client: GUEST, message })
            });
            assert_eq!(parse(&frame), Some(Frame { source: GUEST, address: None, kind }));
        }
    }

    #[test]
    fn a_frame_that_is_cut_anywhere_does_no_harm() {
        let whole = arp_answer(OURS, v4("10.0.2.2"), GUEST, v4("10.0.2.77"));
        for length in 0..42 {
            assert_eq!(parse(&whole[..length]), None, "{length}");
        }
    }
}
