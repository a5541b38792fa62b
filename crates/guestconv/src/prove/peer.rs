//! What is at the other end of a guest's network cards: a peer of our own, in this process. No frame goes further.
//!
//! It gives addresses by DHCP, plays the neighbours that the guest asks for, and asks in turn whether somebody has the
//! addresses that are expected or were heard. So an address is known to work without a word from the guest's user.

use super::frames::{self, Dhcp, DhcpMessage, Kind, Mac};
use super::process::is_early;
use super::{Evidence, ProveError};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often addresses are asked for.
const QUESTION_PERIOD: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(200);
/// How many addresses of one card are kept: the guest is hostile.
const ADDRESSES_CAP: usize = 64;

/// What was heard of one card.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Heard {
    /// Whether anything came from it.
    pub(super) is_up: bool,
    /// Addresses, and how they are known.
    pub(super) addresses: BTreeMap<IpAddr, BTreeSet<Evidence>>,
}

/// The peers of a machine's cards; they end when this goes.
pub(super) struct Peers {
    heard: Vec<Arc<Mutex<Heard>>>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Peers {
    /// Starts a peer per wire: QEMU's end and ours, and the addresses that are expected there.
    ///
    /// # Errors
    /// [`ProveError::Io`].
    pub(super) fn start(
        wires: &[(PathBuf, PathBuf)],
        expected: impl Fn(usize) -> Vec<IpAddr>,
    ) -> Result<Self, ProveError> {
        let failed = |source| ProveError::Io { act: "make the guest's network", source };
        let mut peers = Self { heard: Vec::new(), stop: Arc::default(), threads: Vec::new() };
        for (index, (there, here)) in wires.iter().enumerate() {
            let socket = UnixDatagram::bind(here).map_err(failed)?;
            socket.set_read_timeout(Some(TICK)).map_err(failed)?;
            socket.set_write_timeout(Some(TICK)).map_err(failed)?;
            let heard = Arc::<Mutex<Heard>>::default();
            let mut peer = Peer::new(index, expected(index), Arc::clone(&heard));
            let (stop, there) = (Arc::clone(&peers.stop), there.clone());
            peers.heard.push(heard);
            peers.threads.push(std::thread::spawn(move || peer.serve(&socket, &there, &stop)));
        }
        Ok(peers)
    }

    /// Returns what was heard so far, card by card.
    pub(super) fn heard(&self) -> Vec<Heard> {
        let copy = |heard: &Arc<Mutex<Heard>>| heard.lock().map(|heard| heard.clone()).unwrap_or_default();
        self.heard.iter().map(copy).collect()
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.threads.drain(..).for_each(|thread| drop(thread.join()));
    }
}

/// The peer of one card.
pub(super) struct Peer {
    mac: Mac,
    /// What we are called on this wire, and what the guest may have of us.
    address: Ipv4Addr,
    lease: Ipv4Addr,
    expected: Vec<IpAddr>,
    heard: Arc<Mutex<Heard>>,
    /// The card, once it was heard.
    guest: Option<Mac>,
}

impl Peer {
    pub(super) fn new(index: usize, expected: Vec<IpAddr>, heard: Arc<Mutex<Heard>>) -> Self {
        let number = u8::try_from(index + 2).unwrap_or(u8::MAX);
        Self {
            mac: [2, 0x67, 0x63, 0, 0, number],
            address: Ipv4Addr::new(10, 0, number, 2),
            lease: Ipv4Addr::new(10, 0, number, 15),
            expected,
            heard,
            guest: None,
        }
    }

    fn serve(&mut self, socket: &UnixDatagram, guest: &Path, stop: &AtomicBool) {
        let mut frame = vec![0; 64 << 10];
        let mut asked = Instant::now();
        while !stop.load(Ordering::Relaxed) {
            let mut answers = match socket.recv(&mut frame) {
                Ok(count) => self.answers(frame.get(..count).unwrap_or_default()),
                Err(error) if is_early(&error) => Vec::new(),
                Err(_) => {
                    std::thread::sleep(TICK);
                    Vec::new()
                }
            };
            if asked.elapsed() > QUESTION_PERIOD {
                asked = Instant::now();
                answers.extend(self.questions());
            }
            for answer in answers {
                // QEMU may not be there yet, or any more; a frame may be lost, as on any wire.
                let _ = socket.send_to(&answer, guest);
            }
        }
    }

    /// Takes note of a frame from the guest and returns what is answered.
    pub(super) fn answers(&mut self, frame: &[u8]) -> Vec<Vec<u8>> {
        let Some(frame) = frames::parse(frame) else { return Vec::new() };
        self.guest = Some(frame.source);
        if let Ok(mut heard) = self.heard.lock() {
            heard.is_up = true;
        }
        let evidence = match &frame.kind {
            Kind::Have => Evidence::Neighbour,
            Kind::Pong => Evidence::Ping,
            _ => Evidence::Seen,
        };
        if let Some(address) = frame.address {
            self.note(address, evidence);
        }
        match (frame.kind, frame.address) {
            // Somebody who asks without an address of his own, or for his own, looks whether it is free: it is.
            (Kind::Who(wanted), Some(IpAddr::V4(asker))) if wanted != asker && !self.is_guests(wanted) => {
                vec![frames::arp_answer(self.mac, wanted, frame.source, asker)]
            }
            (Kind::Dhcp(question), _) => self.lease(&question),
            _ => Vec::new(),
        }
    }

    fn lease(&self, question: &Dhcp) -> Vec<Vec<u8>> {
        if question.message == DhcpMessage::Request {
            self.note(IpAddr::V4(self.lease), Evidence::Lease);
        }
        vec![frames::dhcp_answer(self.mac, self.address, question, self.lease)]
    }

    fn is_guests(&self, address: Ipv4Addr) -> bool {
        let address = IpAddr::V4(address);
        let is_heard = self.heard.lock().is_ok_and(|heard| heard.addresses.contains_key(&address));
        is_heard || self.expected.contains(&address)
    }

    fn note(&self, address: IpAddr, evidence: Evidence) {
        let Ok(mut heard) = self.heard.lock() else { return };
        let is_known = heard.addresses.contains_key(&address);
        if is_known || heard.addresses.len() < ADDRESSES_CAP {
            heard.addresses.entry(address).or_default().insert(evidence);
        }
    }

    /// Returns the questions for the addresses that are expected or were heard and have not answered yet.
    pub(super) fn questions(&self) -> Vec<Vec<u8>> {
        let Some(guest) = self.guest else { return Vec::new() };
        let heard = self.heard.lock().map(|heard| heard.addresses.clone()).unwrap_or_default();
        let wanted: BTreeSet<IpAddr> = heard.keys().chain(&self.expected).copied().collect();
        let question = |address: IpAddr| {
            let has = |evidence| heard.get(&address).is_some_and(|known| known.contains(&evidence));
            match address {
                IpAddr::V4(address) if !has(Evidence::Neighbour) => {
                    Some(frames::arp_question(self.mac, neighbour_of(address), address))
                }
                IpAddr::V4(address) if !has(Evidence::Ping) => {
                    Some(frames::ping(self.mac, neighbour_of(address), guest, address))
                }
                IpAddr::V6(address) if !has(Evidence::Neighbour) => {
                    Some(frames::neighbour_question(self.mac, OUR_LINK_ADDRESS, address))
                }
                _ => None,
            }
        };
        wanted.into_iter().filter_map(question).collect()
    }
}

/// The address by which we ask in IPv6.
const OUR_LINK_ADDRESS: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0x67, 0x63, 0, 1);

/// Returns an address of the same small network: a guest answers its neighbours only.
fn neighbour_of(address: Ipv4Addr) -> Ipv4Addr {
    let [a, b, c, d] = address.octets();
    // 2 or 1, and never the address itself; both are in the smallest network that has room for a neighbour.
    Ipv4Addr::new(a, b, c, d ^ if d & 3 == 1 || d & 3 == 2 { 3 } else { 1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUEST: Mac = [0x52, 0x54, 0, 0xc0, 0, 1];

    fn v4(text: &str) -> Ipv4Addr {
        text.parse().unwrap()
    }

    #[test]
    fn a_guest_that_answers_is_known_by_neighbour_and_ping() {
        let heard = Arc::<Mutex<Heard>>::default();
        let expected = v4("10.0.2.77");
        let mut peer = Peer::new(0, vec![IpAddr::V4(expected)], Arc::clone(&heard));
        assert_eq!(peer.questions(), Vec::<Vec<u8>>::new(), "nobody is there to be asked");
        // A guest that asks for its gateway is answered; one that only looks whether its address is free is not.
        let question = frames::arp_question(GUEST, expected, v4("10.0.2.1"));
        assert_eq!(peer.answers(&question), [frames::arp_answer(peer.mac, v4("10.0.2.1"), GUEST, expected)]);
        let probe = frames::arp_question(GUEST, Ipv4Addr::UNSPECIFIED, expected);
        assert_eq!(peer.answers(&probe), Vec::<Vec<u8>>::new());
        let who = frames::arp_question(peer.mac, neighbour_of(expected), expected);
        assert_eq!(peer.questions(), [who]);
        peer.answers(&frames::arp_answer(GUEST, expected, peer.mac, neighbour_of(expected)));
        assert_eq!(peer.questions(), [frames::ping(peer.mac, neighbour_of(expected), GUEST, expected)]);
        let known = BTreeSet::from([Evidence::Seen, Evidence::Neighbour]);
        let addresses = BTreeMap::from([(IpAddr::V4(expected), known)]);
        assert_eq!(*heard.lock().unwrap(), Heard { is_up: true, addresses });
    }

    #[test]
    fn a_neighbour_is_another_address_of_the_same_network() {
        for (address, expected) in [
            ("10.0.2.77", "10.0.2.78"),
            ("10.0.2.2", "10.0.2.1"),
            ("10.0.2.15", "10.0.2.14"),
            ("10.0.2.4", "10.0.2.5"),
        ] {
            assert_eq!(neighbour_of(v4(address)), v4(expected), "{address}");
        }
    }
}
