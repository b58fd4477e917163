//! Memory, start-up and size of the program.

use std::time::Duration;

use super::figures::{Figure, Footprint};
use super::question;
use super::server::{Server, Setup};

/// Starts of each setup.
const STARTS: usize = 5;
/// Time that a server is left alone before its memory is read: what loading took goes back to the system a second and a half
/// after it.
const REST: Duration = Duration::from_secs(4);

/// Memory at rest and time until ready, with the default policies and with 10 000 rules.
pub fn measure() -> Vec<Footprint> {
    let many = Some(question::documents(10_000));
    [("default policies", None), ("10 000 rules", many)]
        .map(|(name, documents)| {
            let setup = Setup { documents, journal: true, ..Setup::default() };
            let (mut resident, mut peak, mut ready) = (Vec::new(), Vec::new(), Vec::new());
            for _ in 0..STARTS {
                let server = Server::lictor(&setup);
                std::thread::sleep(REST);
                let (now, highest) = server.resident_kib();
                resident.push(now as f64 / 1024.0);
                peak.push(highest as f64 / 1024.0);
                ready.push(server.ready_after.as_secs_f64() * 1e3);
            }
            let of = Figure::of;
            Footprint { name: name.to_owned(), resident: of(resident), peak: of(peak), ready: of(ready) }
        })
        .into()
}

/// Bytes of the program.
pub fn program_bytes() -> u64 {
    std::fs::metadata(env!("CARGO_BIN_EXE_lictor")).map(|file| file.len()).unwrap_or(0)
}
