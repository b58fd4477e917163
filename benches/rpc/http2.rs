//! A client that does little else than write requests and find the ends of answers, so that what is measured is the server.
//!
//! Requests are copied from a template; answers are not decoded, only counted and their lengths checked. Knows just as much
//! of HTTP/2 as a gRPC server may ask of a client: settings, windows, pings.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Most calls that may be in flight on one connection.
const MOST_IN_FLIGHT: usize = 256;
/// Places for calls, by the numbers of their streams: so many later ones may overtake a call that is not answered.
const PLACES: usize = 1 << 14;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const FRAME_HEADER: usize = 9;
const MAX_FRAME: usize = 16_384;
/// The largest window there is.
const LARGEST_WINDOW: u32 = (1 << 31) - 1;
/// What a window is before anyone says otherwise.
const FIRST_WINDOW: i64 = 65_535;
/// Bytes after which the server's windows are filled up again.
const REFILL: u32 = 1 << 28;
/// A server that is silent for so long is broken.
const PATIENCE: Duration = Duration::from_secs(30);

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;

/// Where a server listens.
#[derive(Debug, Clone)]
pub enum Address {
    Unix(PathBuf),
    Tcp(SocketAddr),
    /// TCP with TLS, by a server that is `localhost`.
    Tls(SocketAddr, Arc<rustls::ClientConfig>),
}

/// What is asked again and again.
#[derive(Debug, Clone)]
pub struct Question {
    /// `/package.Service/Method`.
    pub path: &'static str,
    /// The encoded message.
    pub message: Vec<u8>,
    /// Whether all messages go over one stream.
    pub streaming: bool,
    /// The least bytes that an answer has.
    pub least_answer: usize,
    /// The token that each call shows.
    pub bearer: Option<String>,
}

enum Socket {
    Unix(UnixStream),
    Tcp(TcpStream),
    Tls(Box<rustls::StreamOwned<rustls::ClientConnection, TcpStream>>),
}

impl Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Unix(socket) => socket.read(buffer),
            Self::Tcp(socket) => socket.read(buffer),
            Self::Tls(socket) => socket.read(buffer),
        }
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Unix(socket) => socket.write_all(bytes),
            Self::Tcp(socket) => socket.write_all(bytes),
            Self::Tls(socket) => socket.write_all(bytes),
        }
    }
}

/// A call in flight.
#[derive(Clone, Copy)]
struct Call {
    started: Instant,
    received: usize,
}

/// Finds the ends of gRPC messages in the bytes of a stream.
#[derive(Default)]
struct Messages {
    header: [u8; 5],
    header_bytes: usize,
    rest: usize,
}

impl Messages {
    /// Calls `ended` with the length of each message that ends in `bytes`.
    fn feed(&mut self, mut bytes: &[u8], mut ended: impl FnMut(usize)) {
        while !bytes.is_empty() {
            if self.header_bytes < 5 {
                let take = bytes.len().min(5 - self.header_bytes);
                self.header[self.header_bytes..self.header_bytes + take].copy_from_slice(&bytes[..take]);
                self.header_bytes += take;
                bytes = &bytes[take..];
                if self.header_bytes < 5 {
                    return;
                }
                self.rest = length_of(&self.header);
            }
            let take = bytes.len().min(self.rest);
            self.rest -= take;
            bytes = &bytes[take..];
            if self.rest == 0 {
                ended(length_of(&self.header));
                self.header_bytes = 0;
            }
        }
    }
}

fn length_of(header: &[u8; 5]) -> usize {
    u32::from_be_bytes([header[1], header[2], header[3], header[4]]) as usize
}

/// One connection to a server, asking one question.
pub struct Connection {
    socket: Socket,
    question: Question,
    /// The frames of one request but for the stream's number; the header block as it is after the first request.
    template: Vec<u8>,
    /// Where in the template the numbers of streams stand.
    numbers: Vec<usize>,
    next_stream: u32,
    outbox: Vec<u8>,
    inbox: Vec<u8>,
    filled: usize,
    calls: Box<[Option<Call>]>,
    asked: VecDeque<Instant>,
    messages: Messages,
    in_flight: usize,
    window: i64,
    stream_window: i64,
    first_stream_window: i64,
    received: u32,
    keep_answer: Option<Vec<u8>>,
}

impl Connection {
    /// Connects, introduces itself, and asks once to see that the server answers. Gives that first answer as well.
    pub fn open(address: &Address, question: Question) -> io::Result<(Self, Vec<u8>)> {
        let socket = match address {
            Address::Unix(path) => {
                let socket = UnixStream::connect(path)?;
                socket.set_read_timeout(Some(PATIENCE))?;
                Socket::Unix(socket)
            }
            Address::Tcp(address) => Socket::Tcp(tcp(address)?),
            Address::Tls(address, config) => {
                let name = rustls::pki_types::ServerName::try_from("localhost").map_err(io::Error::other)?;
                let tls = rustls::ClientConnection::new(config.clone(), name).map_err(io::Error::other)?;
                Socket::Tls(Box::new(rustls::StreamOwned::new(tls, tcp(address)?)))
            }
        };
        let mut connection = Self {
            socket,
            question,
            template: Vec::new(),
            numbers: Vec::new(),
            next_stream: 1,
            outbox: Vec::new(),
            inbox: vec![0; 1 << 18],
            filled: 0,
            calls: vec![None; PLACES].into(),
            asked: VecDeque::new(),
            messages: Messages::default(),
            in_flight: 0,
            window: FIRST_WINDOW,
            stream_window: FIRST_WINDOW,
            first_stream_window: FIRST_WINDOW,
            received: 0,
            keep_answer: Some(Vec::new()),
        };
        connection.introduce();
        connection.flush()?;
        let mut answered = 0;
        while answered == 0 {
            answered = connection.receive(|_| ())?;
        }
        let answer = connection.keep_answer.take().unwrap_or_default();
        let message = answer.get(5..).unwrap_or_default().to_vec();
        Ok((connection, message))
    }

    /// Preface, settings, the first request: the only one whose headers are spelt out.
    fn introduce(&mut self) {
        self.outbox.extend_from_slice(PREFACE);
        frame(&mut self.outbox, SETTINGS, 0, 0, &[&setting(4, LARGEST_WINDOW)[..], &setting(2, 0)].concat());
        let more = LARGEST_WINDOW - 65_535;
        frame(&mut self.outbox, WINDOW_UPDATE, 0, 0, &more.to_be_bytes());
        let headers = first_headers(&self.question);
        frame(&mut self.outbox, HEADERS, END_HEADERS, 1, &headers);
        self.next_stream = 3;
        // The first request uses the template's data frames only.
        let end = if self.question.streaming { 0 } else { END_STREAM };
        let mut data = Vec::new();
        let mut numbers = Vec::new();
        let framed = grpc_frame(&self.question.message);
        let chunks = framed.chunks(MAX_FRAME).count();
        for (n, chunk) in framed.chunks(MAX_FRAME).enumerate() {
            numbers.push(data.len() + 5);
            frame(&mut data, DATA, if n + 1 == chunks { end } else { 0 }, 1, chunk);
        }
        self.outbox.extend_from_slice(&data);
        self.spend(framed.len());
        if self.question.streaming {
            self.asked.push_back(Instant::now());
        } else {
            frame(&mut self.template, HEADERS, END_HEADERS, 1, later_headers(&self.question));
            self.numbers.push(5);
            self.calls[0] = Some(Call { started: Instant::now(), received: 0 });
        }
        self.in_flight = 1;
        let shift = self.template.len();
        self.numbers.extend(numbers.iter().map(|at| at + shift));
        self.template.extend_from_slice(&data);
    }

    fn spend(&mut self, bytes: usize) {
        self.window -= bytes as i64;
        if self.question.streaming {
            self.stream_window -= bytes as i64;
        }
    }

    /// Bytes of one request that windows count.
    fn weight(&self) -> i64 {
        self.question.message.len() as i64 + 5
    }

    /// Number of calls that wait for their answers.
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Whether another request may be sent now.
    pub fn has_room(&self) -> bool {
        let weight = self.weight();
        let has_place = self.calls[slot(self.next_stream)].is_none();
        has_place && self.in_flight < MOST_IN_FLIGHT && self.window >= weight && self.stream_window >= weight
    }

    /// Puts a request into the buffer that [`Self::flush`] sends. Only if there is room.
    pub fn ask(&mut self, started: Instant) {
        let start = self.outbox.len();
        self.outbox.extend_from_slice(&self.template);
        if self.question.streaming {
            self.asked.push_back(started);
        } else {
            let stream = self.next_stream;
            self.next_stream += 2;
            for at in &self.numbers {
                self.outbox[start + at..start + at + 4].copy_from_slice(&stream.to_be_bytes());
            }
            self.calls[slot(stream)] = Some(Call { started, received: 0 });
        }
        self.in_flight += 1;
        self.spend(self.question.message.len() + 5);
    }

    /// Sends what is in the buffer.
    pub fn flush(&mut self) -> io::Result<()> {
        if !self.outbox.is_empty() {
            self.socket.write_all(&self.outbox)?;
            self.outbox.clear();
        }
        Ok(())
    }

    /// Waits for bytes, reads once, and calls `answered` with the start of each call whose answer is complete. Gives
    /// the number of answers.
    pub fn receive(&mut self, mut answered: impl FnMut(Instant)) -> io::Result<usize> {
        let read = self.socket.read(&mut self.inbox[self.filled..])?;
        if read == 0 {
            return Err(broken("the server closed the connection"));
        }
        self.filled += read;
        let inbox = std::mem::take(&mut self.inbox);
        let mut at = 0;
        let mut answers = 0;
        while let Some(header) = inbox[at..self.filled].first_chunk::<FRAME_HEADER>() {
            let length = u32::from_be_bytes([0, header[0], header[1], header[2]]) as usize;
            let end = at + FRAME_HEADER + length;
            if end > self.filled {
                break;
            }
            let stream = u32::from_be_bytes([header[5], header[6], header[7], header[8]]);
            answers += self.frame(header[3], header[4], stream, &inbox[at + FRAME_HEADER..end], &mut answered)?;
            at = end;
        }
        self.inbox = inbox;
        self.inbox.copy_within(at..self.filled, 0);
        self.filled -= at;
        self.in_flight -= answers;
        Ok(answers)
    }

    fn frame(
        &mut self,
        kind: u8,
        flags: u8,
        stream: u32,
        payload: &[u8],
        answered: &mut impl FnMut(Instant),
    ) -> io::Result<usize> {
        match kind {
            DATA => {
                self.refill(stream, payload.len() as u32);
                if let Some(answer) = &mut self.keep_answer {
                    answer.extend_from_slice(payload);
                }
                if self.question.streaming {
                    return self.streamed(payload, answered);
                }
                if let Some(call) = &mut self.calls[slot(stream)] {
                    call.received += payload.len();
                }
                if flags & END_STREAM != 0 { self.ended(stream, answered) } else { Ok(0) }
            }
            HEADERS if flags & END_STREAM != 0 => self.ended(stream, answered),
            RST_STREAM if self.question.streaming || self.calls[slot(stream)].is_some() => {
                Err(broken("the server reset a call"))
            }
            SETTINGS if flags & ACK == 0 => self.settings(payload).map(|()| 0),
            PING if flags & ACK == 0 => {
                frame(&mut self.outbox, PING, ACK, 0, payload);
                Ok(0)
            }
            GOAWAY => Err(broken("the server is leaving")),
            WINDOW_UPDATE => {
                let more = i64::from(number(payload) & LARGEST_WINDOW);
                match stream {
                    0 => self.window += more,
                    _ => self.stream_window += more,
                }
                Ok(0)
            }
            HEADERS | RST_STREAM | SETTINGS | PING | CONTINUATION => Ok(0),
            kind => Err(broken(&format!("a frame of the unknown kind {kind}"))),
        }
    }

    fn streamed(&mut self, payload: &[u8], answered: &mut impl FnMut(Instant)) -> io::Result<usize> {
        let (mut answers, mut least) = (0, usize::MAX);
        let asked = &mut self.asked;
        self.messages.feed(payload, |length| {
            least = least.min(length);
            answers += 1;
            if let Some(started) = asked.pop_front() {
                answered(started);
            }
        });
        if least < self.question.least_answer { Err(broken("an answer is too short")) } else { Ok(answers) }
    }

    fn ended(&mut self, stream: u32, answered: &mut impl FnMut(Instant)) -> io::Result<usize> {
        if self.question.streaming {
            return Err(broken("the server ended the stream"));
        }
        let Some(call) = self.calls[slot(stream)].take() else { return Ok(0) };
        if call.received < self.question.least_answer + 5 {
            return Err(broken("a call was refused"));
        }
        answered(call.started);
        Ok(1)
    }

    fn settings(&mut self, payload: &[u8]) -> io::Result<()> {
        for entry in payload.chunks_exact(6) {
            let value = number(&entry[2..]);
            match entry[1] {
                1 if value < 4_096 => return Err(broken("the server has no room for our headers")),
                4 => {
                    self.stream_window += i64::from(value) - self.first_stream_window;
                    self.first_stream_window = i64::from(value);
                }
                _ => {}
            }
        }
        frame(&mut self.outbox, SETTINGS, ACK, 0, &[]);
        Ok(())
    }

    fn refill(&mut self, stream: u32, bytes: u32) {
        self.received += bytes;
        if self.received >= REFILL {
            frame(&mut self.outbox, WINDOW_UPDATE, 0, 0, &self.received.to_be_bytes());
            if self.question.streaming {
                frame(&mut self.outbox, WINDOW_UPDATE, 0, stream, &self.received.to_be_bytes());
            }
            self.received = 0;
        }
    }
}

fn tcp(address: &SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpStream::connect(address)?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    Ok(socket)
}

/// Readable only tells of bytes that have not been decrypted yet: with TLS, a connection is to be driven alone.
impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.socket {
            Socket::Unix(socket) => socket.as_fd(),
            Socket::Tcp(socket) => socket.as_fd(),
            Socket::Tls(socket) => socket.sock.as_fd(),
        }
    }
}

fn slot(stream: u32) -> usize {
    (stream >> 1) as usize % PLACES
}

fn broken(what: &str) -> io::Error {
    io::Error::other(what.to_owned())
}

fn number(bytes: &[u8]) -> u32 {
    bytes.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes))
}

fn setting(name: u16, value: u32) -> [u8; 6] {
    let (name, value) = (name.to_be_bytes(), value.to_be_bytes());
    [name[0], name[1], value[0], value[1], value[2], value[3]]
}

fn frame(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    out.extend_from_slice(&(payload.len() as u32).to_be_bytes()[1..]);
    out.extend_from_slice(&[kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
}

fn grpc_frame(message: &[u8]) -> Vec<u8> {
    let mut framed = vec![0];
    framed.extend_from_slice(&(message.len() as u32).to_be_bytes());
    framed.extend_from_slice(message);
    framed
}

/// The header block of the first request; what is not in the static table goes into the dynamic one.
fn first_headers(question: &Question) -> Vec<u8> {
    let mut block = vec![0x83, 0x86];
    let literal = |block: &mut Vec<u8>, text: &str| {
        match text.len().checked_sub(0x7f) {
            None => block.push(text.len() as u8),
            Some(mut rest) => {
                block.push(0x7f);
                while rest >= 0x80 {
                    block.push(rest as u8 | 0x80);
                    rest >>= 7;
                }
                block.push(rest as u8);
            }
        }
        block.extend_from_slice(text.as_bytes());
    };
    let bearer = question.bearer.as_ref().map(|token| (23, format!("Bearer {token}")));
    let [path, authority, content_type] =
        [(4, question.path), (1, "localhost"), (31, "application/grpc")].map(|(name, value)| (name, value.to_owned()));
    for (name, value) in [path, authority].into_iter().chain(bearer).chain([content_type]) {
        block.push(0x40 | name);
        literal(&mut block, &value);
    }
    block.push(0x40);
    literal(&mut block, "te");
    literal(&mut block, "trailers");
    block.push(0x40 | 58);
    literal(&mut block, "tonic/0.14.9");
    block
}

/// The same from the table: method, scheme, then path, authority, token if any, content type, `te`, user agent (62).
fn later_headers(question: &Question) -> &'static [u8] {
    match question.bearer {
        Some(_) => &[0x83, 0x86, 0xc3, 0xc2, 0xc1, 0xc0, 0xbf, 0xbe],
        None => &[0x83, 0x86, 0xc2, 0xc1, 0xc0, 0xbf, 0xbe],
    }
}
