//! Drives connections: as fast as answers come (closed loop), or at appointed times (open loop).

use std::io;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::http2::Connection;

/// What was seen in one slice of time.
#[derive(Debug, Clone, Default)]
pub struct Taken {
    /// Time from the answer's appointed or real start to its end, in nanoseconds, unsorted.
    pub latencies: Vec<u32>,
    /// From the first request to the last answer.
    pub wall: Duration,
}

/// Keeps `in_flight` calls under way, spread over the connections, for `length`; then takes the last answers.
pub fn closed(connections: &mut [Connection], in_flight: usize, length: Duration) -> io::Result<Taken> {
    let start = Instant::now();
    let mut taken = Taken { latencies: Vec::with_capacity(1 << 16), wall: Duration::ZERO };
    let each = in_flight.div_ceil(connections.len());
    for connection in connections.iter_mut() {
        fill(connection, each, start)?;
    }
    let alone = connections.len() == 1;
    while connections.iter().any(|connection| connection.in_flight() > 0) {
        let ready = if alone { 1 } else { wait(connections, None)? };
        for (n, connection) in connections.iter_mut().enumerate() {
            if ready & 1 << n == 0 {
                continue;
            }
            let now = receive(connection, &mut taken.latencies)?;
            if now.duration_since(start) < length {
                fill(connection, each, now)?;
            } else {
                connection.flush()?;
            }
        }
    }
    taken.wall = start.elapsed();
    Ok(taken)
}

fn fill(connection: &mut Connection, in_flight: usize, now: Instant) -> io::Result<()> {
    while connection.in_flight() < in_flight && connection.has_room() {
        connection.ask(now);
    }
    connection.flush()
}

/// Reads once; every call that ended is taken down with the time of the read.
fn receive(connection: &mut Connection, latencies: &mut Vec<u32>) -> io::Result<Instant> {
    let mut now = None;
    connection.receive(|started| {
        let now = *now.get_or_insert_with(Instant::now);
        latencies.push(u32::try_from(now.saturating_duration_since(started).as_nanos()).unwrap_or(u32::MAX));
    })?;
    Ok(now.unwrap_or_else(Instant::now))
}

/// Asks at the times of `schedule` (from the start), whether or not earlier calls were answered; where a connection has
/// no room the request waits here, and its waiting counts. Connections take turns.
pub fn open(connections: &mut [Connection], schedule: &[Duration]) -> io::Result<Taken> {
    let start = Instant::now();
    let mut taken = Taken { latencies: Vec::with_capacity(schedule.len()), wall: Duration::ZERO };
    let mut next = 0;
    while taken.latencies.len() < schedule.len() {
        let now = start.elapsed();
        let mut full = false;
        while let Some(due) = schedule.get(next).filter(|due| **due <= now) {
            let turn = next % connections.len();
            full = !connections[turn].has_room();
            if full {
                break;
            }
            connections[turn].ask(start + *due);
            next += 1;
        }
        for connection in connections.iter_mut() {
            connection.flush()?;
        }
        let pause = match schedule.get(next) {
            Some(due) if !full => Some(due.saturating_sub(start.elapsed())),
            _ => None,
        };
        let ready = wait(connections, pause)?;
        for (n, connection) in connections.iter_mut().enumerate() {
            if ready & 1 << n != 0 {
                receive(connection, &mut taken.latencies)?;
            }
        }
    }
    taken.wall = start.elapsed();
    Ok(taken)
}

/// Waits until a connection has something to read, at most for `pause`. Gives a bit for each that has.
fn wait(connections: &[Connection], pause: Option<Duration>) -> io::Result<u64> {
    let mut polled: Vec<PollFd<'_>> =
        connections.iter().map(|connection| PollFd::new(connection, PollFlags::IN)).collect();
    let pause = pause.unwrap_or(Duration::from_secs(30));
    let timeout = Timespec { tv_sec: pause.as_secs() as i64, tv_nsec: i64::from(pause.subsec_nanos()) };
    poll(&mut polled, Some(&timeout))?;
    let bit = |(n, polled): (usize, &PollFd<'_>)| if polled.revents().is_empty() { 0 } else { 1 << n };
    Ok(polled.iter().enumerate().map(bit).sum())
}

/// Random times at `rate` a second for `length`, the same for the same `seed`: gaps are exponentially distributed, as they
/// are between calls of many callers that do not know each other.
pub fn schedule(rate: f64, length: Duration, seed: u64) -> Vec<Duration> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut at = 0.0;
    let mut times = Vec::new();
    loop {
        // xorshift64*, whose upper bits are good enough for times.
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        let uniform = (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 / (1_u64 << 53) as f64;
        at -= (1.0 - uniform).ln() / rate;
        if at >= length.as_secs_f64() {
            return times;
        }
        times.push(Duration::from_secs_f64(at));
    }
}
