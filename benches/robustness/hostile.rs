//! What others notice of an attack: their answers, their latency beside that of an undisturbed run, the server's memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::attacks::{self, ATTACKS, Attack, Target};
use crate::harness::{Client, Lictor, question};

/// How long a caller is watched, undisturbed and during each attack.
const WATCHED: Duration = Duration::from_secs(4);
/// Between two questions of that caller.
const PAUSE: Duration = Duration::from_millis(1);

/// What one caller saw.
struct Seen {
    /// Latencies in microseconds, sorted.
    latencies: Vec<f64>,
    failures: usize,
}

impl Seen {
    fn percentile(&self, of_hundred: usize) -> f64 {
        let at = (self.latencies.len() * of_hundred / 100).min(self.latencies.len().saturating_sub(1));
        self.latencies.get(at).copied().unwrap_or(f64::NAN)
    }
}

/// Runs every attack whose name contains `only`, `scale` times as hard as the tests do.
pub fn run(scale: usize, only: Option<&str>) {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    setrlimit(Resource::Nofile, raised).expect("as many files as allowed");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    println!(
        "| attack | answers | failed | p50 µs (undisturbed) | p99 µs (undisturbed) | p99 ratio | memory at most, MiB | at rest, MiB |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for attack in ATTACKS.iter().filter(|attack| only.is_none_or(|word| attack.name.contains(word))) {
        runtime.block_on(measure(attack, scale));
    }
}

async fn measure(attack: &Attack, scale: usize) {
    let lictor = Lictor::start(&attacks::policy());
    let client = lictor.client().await;
    watch(&client).await; // warms both sides
    let calm = watch(&client).await;
    let at_rest = lictor.peak_memory_kib();
    lictor.reset_peak_memory();

    let stop = Arc::new(AtomicBool::new(false));
    let target = Target { tcp: lictor.tcp, scale };
    let attacker = thread::spawn({
        let (stop, round) = (stop.clone(), attack.round);
        move || {
            let mut held = round(&target);
            let first = held.len();
            while !stop.load(Ordering::Relaxed) {
                drop(held);
                held = round(&target);
            }
            drop(held);
            first
        }
    });
    let attacked = watch(&client).await;
    stop.store(true, Ordering::Relaxed);
    let first = attacker.join().expect("the attacker");
    let peak = lictor.peak_memory_kib();
    assert!(!lictor.log().contains("panicked"), "{}", lictor.log());
    println!(
        "| {} | {} | {} | {:.0} ({:.0}) | {:.0} ({:.0}) | {:.1} | {:.1} | {:.1} |",
        attack.name,
        attacked.latencies.len(),
        attacked.failures,
        attacked.percentile(50),
        calm.percentile(50),
        attacked.percentile(99),
        calm.percentile(99),
        attacked.percentile(99) / calm.percentile(99),
        peak as f64 / 1024.0,
        at_rest as f64 / 1024.0,
    );
    if first > 0 {
        let each = (peak.saturating_sub(at_rest)) as f64 / first as f64;
        eprintln!("{}: {first} connections held in a round, {each:.1} KiB each at most", attack.name);
    }
}

async fn watch(client: &Client) -> Seen {
    let mut client = client.clone();
    let mut seen = Seen { latencies: Vec::new(), failures: 0 };
    let until = Instant::now() + WATCHED;
    while Instant::now() < until {
        let asked = Instant::now();
        match client.evaluate(question("a")).await {
            Ok(_) => seen.latencies.push(asked.elapsed().as_secs_f64() * 1e6),
            Err(_) => seen.failures += 1,
        }
        tokio::time::sleep(PAUSE).await;
    }
    seen.latencies.sort_by(f64::total_cmp);
    seen
}
