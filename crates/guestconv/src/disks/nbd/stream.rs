//! The connection to a server of NBD, all of whose answers have an end: in length, and in time.

use super::address::Server;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// How long it may take until a server is connected, or has answered a request: disks that sleep take ten seconds to wake.
pub(super) const TIME_LIMIT: Duration = Duration::from_secs(60);

/// A connection.
#[derive(Debug)]
pub(crate) struct Stream {
    socket: Socket,
    /// When what is read or written now must be done.
    deadline: Instant,
}

#[derive(Debug)]
enum Socket {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Stream {
    /// Connects to a server.
    pub(super) fn connect(server: &Server) -> io::Result<Self> {
        match server {
            Server::Unix(path) => Ok(Self::of(UnixStream::connect(path)?)),
            Server::Tcp(host, port) => {
                let mut last = io::Error::new(ErrorKind::NotFound, "the host has no address");
                for address in (host.as_str(), *port).to_socket_addrs()? {
                    match TcpStream::connect_timeout(&address, TIME_LIMIT) {
                        Ok(stream) => {
                            stream.set_nodelay(true)?;
                            return Ok(Self::with(Socket::Tcp(stream)));
                        }
                        Err(error) => last = error,
                    }
                }
                Err(last)
            }
        }
    }

    /// Returns a connection that is there already.
    pub(super) fn of(stream: UnixStream) -> Self {
        Self::with(Socket::Unix(stream))
    }

    fn with(socket: Socket) -> Self {
        Self { socket, deadline: Instant::now() + TIME_LIMIT }
    }

    /// Begins a request: it must be answered in time.
    pub(super) fn begin(&mut self) {
        self.deadline = Instant::now() + TIME_LIMIT;
    }

    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.wait_at_most(|socket, limit| match socket {
            Socket::Unix(stream) => stream.set_write_timeout(limit),
            Socket::Tcp(stream) => stream.set_write_timeout(limit),
        })?;
        let sent = match &mut self.socket {
            Socket::Unix(stream) => stream.write_all(bytes),
            Socket::Tcp(stream) => stream.write_all(bytes),
        };
        sent.map_err(told)
    }

    /// Fills the buffer.
    pub(super) fn fill(&mut self, mut buffer: &mut [u8]) -> io::Result<()> {
        while !buffer.is_empty() {
            self.wait_at_most(|socket, limit| match socket {
                Socket::Unix(stream) => stream.set_read_timeout(limit),
                Socket::Tcp(stream) => stream.set_read_timeout(limit),
            })?;
            let read = match &mut self.socket {
                Socket::Unix(stream) => stream.read(buffer),
                Socket::Tcp(stream) => stream.read(buffer),
            };
            match read {
                Ok(0) => return Err(io::Error::new(ErrorKind::UnexpectedEof, "it closed the connection")),
                Ok(count) => buffer = buffer.split_at_mut(count).1,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(told(error)),
            }
        }
        Ok(())
    }

    pub(super) fn array<const LENGTH: usize>(&mut self) -> io::Result<[u8; LENGTH]> {
        let mut bytes = [0; LENGTH];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    pub(super) fn u16(&mut self) -> io::Result<u16> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    pub(super) fn u32(&mut self) -> io::Result<u32> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    pub(super) fn u64(&mut self) -> io::Result<u64> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    fn wait_at_most(&self, set: impl FnOnce(&Socket, Option<Duration>) -> io::Result<()>) -> io::Result<()> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(told(ErrorKind::TimedOut.into()));
        }
        set(&self.socket, Some(left))
    }
}

fn told(error: io::Error) -> io::Error {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => {
            let text = format!("it did not answer within {} seconds", TIME_LIMIT.as_secs());
            io::Error::new(ErrorKind::TimedOut, text)
        }
        _ => error,
    }
}
