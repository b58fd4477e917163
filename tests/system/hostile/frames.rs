//! HTTP/2 frames by hand: what no client library would send.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub const DATA: u8 = 0x0;
pub const HEADERS: u8 = 0x1;
pub const PRIORITY: u8 = 0x2;
pub const RST_STREAM: u8 = 0x3;
pub const SETTINGS: u8 = 0x4;
pub const PING: u8 = 0x6;
pub const GOAWAY: u8 = 0x7;
pub const WINDOW_UPDATE: u8 = 0x8;
pub const CONTINUATION: u8 = 0x9;

pub const END_STREAM: u8 = 0x1;
pub const END_HEADERS: u8 = 0x4;

/// Setting: unread bytes that the client takes on one call.
pub const INITIAL_WINDOW_SIZE: u16 = 0x4;

/// One frame.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a small frame").to_be_bytes();
    let mut out = vec![length[1], length[2], length[3], kind, flags];
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
    out
}

/// The error codes with which a server says goodbye, in what it sent.
pub fn goodbyes(mut sent: &[u8]) -> Vec<u32> {
    let mut codes = Vec::new();
    while let Some((&[a, b, c, kind, ..], rest)) = sent.split_first_chunk::<9>() {
        let length = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        let Some((payload, after)) = rest.split_at_checked(length) else { break };
        if kind == GOAWAY {
            codes.extend(payload.get(4..8).and_then(|code| code.try_into().ok()).map(u32::from_be_bytes));
        }
        sent = after;
    }
    codes
}

/// A frame of settings.
pub fn settings(settings: &[(u16, u32)]) -> Vec<u8> {
    let pairs = settings.iter().flat_map(|(name, value)| [&name.to_be_bytes()[..], &value.to_be_bytes()].concat());
    frame(SETTINGS, 0, 0, &pairs.collect::<Vec<u8>>())
}

/// A header that is not added to the table.
pub fn field(name: &str, value: &str) -> Vec<u8> {
    let mut out = vec![0];
    for text in [name, value] {
        // An integer with a prefix of seven bits.
        match text.len().checked_sub(127) {
            None => out.push(text.len() as u8),
            Some(mut rest) => {
                out.push(127);
                while rest >= 128 {
                    out.push((rest % 128) as u8 | 0x80);
                    rest /= 128;
                }
                out.push(rest as u8);
            }
        }
        out.extend_from_slice(text.as_bytes());
    }
    out
}

/// The headers of a call of `method` of the decision service.
pub fn call(method: &str) -> Vec<u8> {
    [
        field(":method", "POST"),
        field(":scheme", "http"),
        field(":path", &format!("/lictor.v1.DecisionService/{method}")),
        field(":authority", "localhost"),
        field("content-type", "application/grpc"),
        field("te", "trailers"),
    ]
    .concat()
}

/// A message with gRPC's frame, in a frame of HTTP/2.
pub fn message(stream: u32, flags: u8, message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).expect("a small message").to_be_bytes();
    frame(DATA, flags, stream, &[&[0], &length[..], message].concat())
}

/// A connection whose client says what it wants. Neither side of it ever blocks for long.
pub struct Wire {
    stream: TcpStream,
}

impl Wire {
    /// Connects without a word; `None` if the server does not let it.
    pub fn silent(address: SocketAddr) -> Option<Self> {
        let stream = TcpStream::connect_timeout(&address, Duration::from_secs(5)).ok()?;
        stream.set_write_timeout(Some(Duration::from_millis(100))).ok()?;
        stream.set_read_timeout(Some(Duration::from_millis(1))).ok()?;
        Some(Self { stream })
    }

    /// Connects and introduces itself with these settings.
    pub fn introduced(address: SocketAddr, wanted: &[(u16, u32)]) -> Option<Self> {
        let mut wire = Self::silent(address)?;
        wire.send(&[PREFACE, &settings(wanted)].concat()).then_some(wire)
    }

    /// Sends `bytes`; `false` if the server has closed, or takes nothing.
    pub fn send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Everything that the server sends until it closes; what has come by then where it does not.
    pub fn until_closed(&mut self, patience: Duration) -> Vec<u8> {
        let (mut all, mut buffer) = (Vec::new(), [0; 16 * 1_024]);
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            match self.stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => all.extend_from_slice(&buffer[..count]),
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
                Err(_) => break,
            }
        }
        all
    }

    /// Takes what has come and forgets it; `false` if the server has closed.
    pub fn take(&mut self) -> bool {
        let mut buffer = [0; 64 * 1_024];
        match self.stream.read(&mut buffer) {
            Ok(count) => count > 0,
            Err(error) => matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut),
        }
    }
}
