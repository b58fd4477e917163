//! What a client can do to a server, each as one bounded round. Shared by the tests and the measuring program.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use lictor::api::proto::v1::{Action, EvaluateBatchRequest, EvaluateRequest, Subject};
use prost::Message;
use prost_types::value::Kind;

#[path = "frames.rs"]
pub mod frames;

use frames::*;

/// Who is attacked, and how hard.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    pub tcp: SocketAddr,
    /// 1 for a test; more where the figures count.
    pub scale: usize,
}

/// One kind of attack.
pub struct Attack {
    pub name: &'static str,
    /// One round, which ends by itself within some seconds. Gives the connections that are to stay open meanwhile.
    pub round: fn(&Target) -> Vec<Wire>,
}

pub const ATTACKS: &[Attack] = &[
    Attack { name: "idle connections", round: idle },
    Attack { name: "half a preface", round: half_a_preface },
    Attack { name: "half headers", round: half_headers },
    Attack { name: "bodies byte by byte", round: slow_bodies },
    Attack { name: "large messages never finished", round: large_messages },
    Attack { name: "oversized headers", round: oversized_headers },
    Attack { name: "compressed header bomb", round: header_bomb },
    Attack { name: "continuation flood", round: continuation_flood },
    Attack { name: "rapid reset", round: rapid_reset },
    Attack { name: "empty data flood", round: empty_data },
    Attack { name: "settings flood", round: settings_flood },
    Attack { name: "ping flood", round: ping_flood },
    Attack { name: "priority flood", round: priority_flood },
    Attack { name: "window games", round: window_games },
    Attack { name: "answers never read", round: answers_never_read },
    Attack { name: "explained batches never read", round: batches_never_read },
    Attack { name: "deadline storm", round: deadline_storm },
    Attack { name: "connection churn", round: churn },
    Attack { name: "garbage", round: garbage },
];

/// Rules for the server: one allows, many read the same attribute.
pub fn policy() -> String {
    let reader =
        |n| format!("    - {{name: r{n}, effect: deny, when: 'has(context.large) && context.large == \"{n}\"'}}\n");
    let readers: String = (0..64).map(reader).collect();
    let allow = "    - {name: allow, effect: allow}\n";
    format!("apiVersion: lictor.dev/v1\nkind: Policy\nmetadata: {{name: p}}\nspec:\n  rules:\n{allow}{readers}")
}

fn evaluate() -> EvaluateRequest {
    EvaluateRequest {
        subject: Some(Subject { id: "hostile".to_owned(), ..Subject::default() }),
        action: Some(Action { name: "b".to_owned(), properties: None }),
        ..EvaluateRequest::default()
    }
}

fn question() -> Vec<u8> {
    evaluate().encode_to_vec()
}

/// A batch whose answer is several times as large as it is.
fn explained_batch() -> Vec<u8> {
    let large = prost_types::Value { kind: Some(Kind::StringValue("x".repeat(15_000))) };
    let context = Some(prost_types::Struct { fields: [("large".to_owned(), large)].into() });
    let explained = EvaluateRequest { explain: true, context, ..evaluate() };
    EvaluateBatchRequest { requests: vec![explained; 16], ..EvaluateBatchRequest::default() }.encode_to_vec()
}

/// The numbers of a client's streams.
fn streams() -> impl Iterator<Item = u32> {
    (1..0x7fff_ffff).step_by(2)
}

/// Sends `piece` again and again, reading now and then or never, until the server has had enough of it, or `bytes` are sent.
fn flood(wire: &mut Wire, bytes: usize, reads: bool, mut piece: impl FnMut() -> Vec<u8>) {
    let (mut sent, deadline) = (0, Instant::now() + Duration::from_secs(3));
    while sent < bytes && Instant::now() < deadline {
        let mut chunk = Vec::with_capacity(64 * 1_024);
        while chunk.len() < 32 * 1_024 {
            chunk.extend(piece());
        }
        sent += chunk.len();
        if !wire.send(&chunk) || (reads && !wire.take()) {
            return;
        }
    }
}

const MIB: usize = 1 << 20;

fn idle(target: &Target) -> Vec<Wire> {
    (0..500 * target.scale).map_while(|_| Wire::introduced(target.tcp, &[])).collect()
}

fn half_a_preface(target: &Target) -> Vec<Wire> {
    let half = |mut wire: Wire| wire.send(&PREFACE[..10]).then_some(wire);
    (0..200 * target.scale).map_while(|_| Wire::silent(target.tcp).and_then(half)).collect()
}

fn half_headers(target: &Target) -> Vec<Wire> {
    let begin = |mut wire: Wire| wire.send(&frame(HEADERS, 0, 1, &call("Evaluate")[..20])).then_some(wire);
    (0..200 * target.scale).map_while(|_| Wire::introduced(target.tcp, &[]).and_then(begin)).collect()
}

fn slow_bodies(target: &Target) -> Vec<Wire> {
    let mut wires: Vec<Wire> = (0..4 * target.scale).map_while(|_| Wire::introduced(target.tcp, &[])).collect();
    let body = [&[0, 0, 0, 0, 200][..], &[0; 20]].concat();
    for wire in &mut wires {
        let open: Vec<u8> =
            streams().take(200).flat_map(|id| frame(HEADERS, END_HEADERS, id, &call("Evaluate"))).collect();
        wire.send(&open);
    }
    for byte in body.chunks(1) {
        for wire in &mut wires {
            let bytes: Vec<u8> = streams().take(200).flat_map(|id| frame(DATA, 0, id, byte)).collect();
            wire.send(&bytes);
            wire.take();
        }
        thread::sleep(Duration::from_millis(50));
    }
    wires
}

/// All but the end of the largest messages, in as many calls as there may be, as fast as flow control lets it.
fn large_messages(target: &Target) -> Vec<Wire> {
    let mut wires = Vec::new();
    for method in ["Evaluate", "EvaluateBatch", "EvaluateStream"].repeat(target.scale) {
        let Some(mut wire) = Wire::introduced(target.tcp, &[]) else { break };
        let begin = |id| {
            let announced = frame(DATA, 0, id, &[0, 0, 3, 0xff, 0xff]);
            [frame(HEADERS, END_HEADERS, id, &call(method)), announced].concat()
        };
        wire.send(&streams().take(200).flat_map(begin).collect::<Vec<u8>>());
        wires.push(wire);
    }
    for _ in 0..15 {
        for wire in &mut wires {
            for id in streams().take(200) {
                wire.send(&frame(DATA, 0, id, &[0; 16_000]));
            }
            wire.take();
        }
        thread::sleep(Duration::from_millis(50));
    }
    wires
}

fn oversized_headers(target: &Target) -> Vec<Wire> {
    let Some(mut wire) = Wire::introduced(target.tcp, &[]) else { return Vec::new() };
    for id in streams().take(50 * target.scale) {
        let block = [call("Evaluate"), field("x-long", &"x".repeat(256 * 1_024))].concat();
        let mut parts = block.chunks(16_384);
        let mut bytes = frame(HEADERS, END_STREAM, id, parts.next().unwrap_or_default());
        let count = parts.len();
        for (number, part) in parts.enumerate() {
            bytes.extend(frame(CONTINUATION, if number + 1 == count { END_HEADERS } else { 0 }, id, part));
        }
        if !wire.send(&bytes) || !wire.take() {
            // Refused as a whole: again on a new connection.
            let Some(again) = Wire::introduced(target.tcp, &[]) else { break };
            wire = again;
        }
    }
    Vec::new()
}

/// A long entry of the table, referred to as often as a frame holds.
fn header_bomb(target: &Target) -> Vec<Wire> {
    for _ in 0..20 * target.scale {
        let Some(mut wire) = Wire::introduced(target.tcp, &[]) else { break };
        let mut entry = field("x-bomb", &"x".repeat(3_900));
        entry[0] = 0x40;
        let block = [call("Evaluate"), entry, vec![0xbe; 10_000]].concat();
        wire.send(&frame(HEADERS, END_STREAM | END_HEADERS, 1, &block));
        for id in streams().skip(1).take(100) {
            let block = [call("Evaluate"), vec![0xbe; 16_000]].concat();
            if !wire.send(&frame(HEADERS, END_STREAM | END_HEADERS, id, &block)) {
                break;
            }
        }
        wire.take();
    }
    Vec::new()
}

fn continuation_flood(target: &Target) -> Vec<Wire> {
    for part in [field("a", "b"), Vec::new()] {
        let Some(mut wire) = Wire::introduced(target.tcp, &[]) else { break };
        wire.send(&frame(HEADERS, END_STREAM, 1, &call("Evaluate")));
        flood(&mut wire, 16 * MIB * target.scale, true, || frame(CONTINUATION, 0, 1, &part));
    }
    Vec::new()
}

fn rapid_reset(target: &Target) -> Vec<Wire> {
    for _ in 0..4 * target.scale {
        let Some(mut wire) = Wire::introduced(target.tcp, &[]) else { break };
        let headers = call("Evaluate");
        let mut ids = streams();
        flood(&mut wire, 8 * MIB, true, || {
            let id = ids.next().unwrap_or(1);
            [frame(HEADERS, END_HEADERS, id, &headers), frame(RST_STREAM, 0, id, &8_u32.to_be_bytes())].concat()
        });
    }
    Vec::new()
}

fn empty_data(target: &Target) -> Vec<Wire> {
    for method in ["Evaluate", "EvaluateStream"] {
        let Some(mut wire) = Wire::introduced(target.tcp, &[]) else { break };
        wire.send(&frame(HEADERS, END_HEADERS, 1, &call(method)));
        flood(&mut wire, 8 * MIB * target.scale, true, || frame(DATA, 0, 1, &[]));
    }
    Vec::new()
}

fn settings_flood(target: &Target) -> Vec<Wire> {
    for reads in [true, false] {
        let Some(mut wire) = Wire::introduced(target.tcp, &[]) else { break };
        let mut size = 0_u32;
        flood(&mut wire, 8 * MIB * target.scale, reads, || {
            size = (size + 1) % 60_000;
            settings(&[(INITIAL_WINDOW_SIZE, size)])
        });
    }
    Vec::new()
}

fn ping_flood(target: &Target) -> Vec<Wire> {
    for reads in [true, false] {
        let Some(mut wire) = Wire::introduced(target.tcp, &[]) else { break };
        flood(&mut wire, 8 * MIB * target.scale, reads, || frame(PING, 0, 0, b"lictor!!"));
    }
    Vec::new()
}

fn priority_flood(target: &Target) -> Vec<Wire> {
    let Some(mut wire) = Wire::introduced(target.tcp, &[]) else { return Vec::new() };
    let mut ids = streams();
    flood(&mut wire, 8 * MIB * target.scale, true, || frame(PRIORITY, 0, ids.next().unwrap_or(1), &[0, 0, 0, 0, 16]));
    Vec::new()
}

/// Many calls, then windows that open and close for all of them at once.
fn window_games(target: &Target) -> Vec<Wire> {
    let Some(mut wire) = Wire::introduced(target.tcp, &[(INITIAL_WINDOW_SIZE, 0)]) else { return Vec::new() };
    let open: Vec<u8> = streams()
        .take(250)
        .flat_map(|id| {
            [frame(HEADERS, END_HEADERS, id, &call("Evaluate")), message(id, END_STREAM, &question())].concat()
        })
        .collect();
    wire.send(&open);
    let mut open = false;
    flood(&mut wire, MIB * target.scale, true, || {
        open = !open;
        settings(&[(INITIAL_WINDOW_SIZE, u32::from(open))])
    });
    flood(&mut wire, MIB * target.scale, true, || frame(WINDOW_UPDATE, 0, 0, &1_u32.to_be_bytes()));
    // Beyond what a window can be.
    flood(&mut wire, MIB, true, || frame(WINDOW_UPDATE, 0, 0, &0x7fff_ffff_u32.to_be_bytes()));
    vec![wire]
}

fn answers_never_read(target: &Target) -> Vec<Wire> {
    never_read(target, "Evaluate", &question())
}

fn batches_never_read(target: &Target) -> Vec<Wire> {
    never_read(target, "EvaluateBatch", &explained_batch())
}

/// Asks as much as one connection may, and takes no byte of the answers.
fn never_read(target: &Target, method: &str, question: &[u8]) -> Vec<Wire> {
    let mut wires = Vec::new();
    for window in [0, 0x7fff_ffff] {
        for _ in 0..2 * target.scale {
            let Some(mut wire) = Wire::introduced(target.tcp, &[(INITIAL_WINDOW_SIZE, window)]) else { break };
            wire.send(&frame(WINDOW_UPDATE, 0, 0, &0x7000_0000_u32.to_be_bytes()));
            for id in streams().take(250) {
                let headers = frame(HEADERS, END_HEADERS, id, &call(method));
                let framed = [&[0][..], &(question.len() as u32).to_be_bytes(), question].concat();
                let parts = framed.chunks(16_384).map(|part| frame(DATA, 0, id, part)).collect::<Vec<_>>().concat();
                if !wire.send(&[headers, parts, frame(DATA, END_STREAM, id, &[])].concat()) {
                    break;
                }
            }
            wires.push(wire);
        }
    }
    wires
}

fn deadline_storm(target: &Target) -> Vec<Wire> {
    let Some(mut wire) = Wire::introduced(target.tcp, &[]) else { return Vec::new() };
    let headers = [call("Evaluate"), field("grpc-timeout", "1m")].concat();
    let mut ids = streams();
    // Half of them never send their question.
    flood(&mut wire, 4 * MIB * target.scale, true, || {
        let id = ids.next().unwrap_or(1);
        let begun = frame(HEADERS, END_HEADERS, id, &headers);
        if id % 4 == 1 { [begun, message(id, END_STREAM, &question())].concat() } else { begun }
    });
    Vec::new()
}

fn churn(target: &Target) -> Vec<Wire> {
    for number in 0..1_000 * target.scale {
        let Some(mut wire) = Wire::introduced(target.tcp, &[]) else { break };
        if number % 2 == 0 {
            let asked = message(1, END_STREAM, &question());
            wire.send(&[frame(HEADERS, END_HEADERS, 1, &call("Evaluate")), asked].concat());
        }
    }
    Vec::new()
}

/// Frames of every kind with arbitrary flags, streams and content.
fn garbage(target: &Target) -> Vec<Wire> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for _ in 0..200 * target.scale {
        let Some(mut wire) = Wire::introduced(target.tcp, &[]) else { break };
        for _ in 0..50 {
            let payload: Vec<u8> = (0..random() % 64).map(|_| random() as u8).collect();
            let bytes = frame((random() % 12) as u8, random() as u8, (random() % 8) as u32, &payload);
            if !wire.send(&bytes) {
                break;
            }
        }
    }
    Vec::new()
}
