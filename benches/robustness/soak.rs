//! Memory over a long time: load, reloads of which every other is bad, an exporter that is not read from now and then.

use std::io::Read;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::{Lictor, Load};

/// Between two reloads.
const RELOADS: Duration = Duration::from_secs(2);
/// The exporter's reader reads for so long, then pauses for half of it.
const READING: Duration = Duration::from_secs(20);
/// Minutes after which memory is taken for settled.
const WARM_UP: u64 = 1;
/// How much more memory than after the warm-up is too much, at any minute.
const MOST_MORE_KIB: u64 = 48 * 1_024;
/// The same for the median of the last quarter against that of the first.
const MOST_GROWTH_KIB: u64 = 12 * 1_024;

/// A small journal, so that its cap is reached as well.
const CONFIG: &str = "events: {exporters: [{type: stdout}], journal: {maxBytes: 32MiB, segmentBytes: 4MiB}}\n";

/// Runs for `minutes` and prints a line a minute; ends with an error where memory grows or anything failed.
pub fn run(minutes: u64) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let grown = runtime.block_on(soak(minutes));
    if let Err(why) = grown {
        eprintln!("failed: {why}");
        std::process::exit(1);
    }
    println!("ok");
}

async fn soak(minutes: u64) -> Result<(), String> {
    let mut lictor = Lictor::prepare(&policies(0));
    lictor.config = CONFIG.to_owned();
    lictor.run_with(Stdio::piped());
    let stop = Arc::new(AtomicBool::new(false));
    let exported = Arc::new(AtomicU64::new(0));
    let mut output = lictor.output().expect("the exporter's pipe");
    let reader = thread::spawn({
        let (stop, exported) = (stop.clone(), exported.clone());
        move || {
            let mut buffer = vec![0; 1 << 16];
            let mut turn = Instant::now();
            while let Ok(count @ 1..) = output.read(&mut buffer) {
                exported.fetch_add(count as u64, Ordering::Relaxed);
                if turn.elapsed() > READING && !stop.load(Ordering::Relaxed) {
                    thread::sleep(READING / 2);
                    turn = Instant::now();
                }
            }
        }
    });
    let load = Load::start(&lictor, 8, "a").await;
    println!("minute  resident MiB  answers  reloads good/bad  exported MiB");
    let started = Instant::now();
    let mut seen: Vec<u64> = Vec::new();
    let mut reloads = 0_u64;
    while (seen.len() as u64) < minutes {
        reloads += 1;
        lictor.write_policies(&policies(reloads));
        tokio::time::sleep(RELOADS).await;
        if started.elapsed().as_secs() / 60 > seen.len() as u64 {
            let resident = lictor.resident_memory_kib();
            seen.push(resident);
            println!(
                "{:>6}  {:>12.1}  {:>7}  {:>8}/{:<8}  {:>12}",
                seen.len(),
                resident as f64 / 1024.0,
                load.answered(),
                lictor.metric("lictor_policy_reloads_total{result=\"published\"}"),
                lictor.metric("lictor_policy_reloads_total{result=\"failed\"}"),
                exported.load(Ordering::Relaxed) >> 20,
            );
        }
    }
    let (answered, failures) = load.stop().await;
    let good = lictor.metric("lictor_policy_reloads_total{result=\"published\"}");
    let bad = lictor.metric("lictor_policy_reloads_total{result=\"failed\"}");
    stop.store(true, Ordering::Relaxed);
    lictor.signal("-TERM");
    let status = lictor.wait();
    reader.join().expect("the reader");
    let (code, printed) = lictor.audit_verify();
    println!("{printed}");
    if !failures.is_empty() {
        return Err(format!("{} calls failed: {:?}", failures.len(), failures.first()));
    }
    if answered == 0 || good < 2 || bad < 1 || !status.success() || code != 0 {
        return Err(format!("{answered} answers, {good} good and {bad} bad reloads, {status}, audit {code}"));
    }
    judge(&seen)
}

/// Good and bad ones in turn, the good ones of very different sizes.
fn policies(number: u64) -> String {
    let rules: String = (0..1 + (number * 37) % 500)
        .map(|n| {
            format!(
                "    - {{name: r{n}, effect: allow, actions: [a, 'b{n}.*'], when: 'size(context) < {}'}}\n",
                n + number
            )
        })
        .collect();
    let effect = if number % 2 == 1 { "    - {name: bad, effect: perhaps}\n" } else { "" };
    format!("apiVersion: lictor.dev/v1\nkind: Policy\nmetadata: {{name: p}}\nspec:\n  rules:\n{rules}{effect}")
}

fn judge(seen: &[u64]) -> Result<(), String> {
    let settled = &seen[(WARM_UP as usize).min(seen.len() - 1)..];
    let (first, most) = (settled[0], settled.iter().copied().max().unwrap_or(0));
    if most > first + MOST_MORE_KIB {
        return Err(format!("{most} KiB at most, {first} KiB after the warm-up"));
    }
    let quarter = settled.len().div_ceil(4);
    let (early, late) = (median(&settled[..quarter]), median(&settled[settled.len() - quarter..]));
    if late > early + MOST_GROWTH_KIB {
        return Err(format!("memory grows: {early} KiB in the first quarter, {late} KiB in the last"));
    }
    println!("resident: {early} KiB in the first quarter, {late} KiB in the last, {most} KiB at most");
    Ok(())
}

fn median(values: &[u64]) -> u64 {
    let mut values = values.to_vec();
    values.sort_unstable();
    values[values.len() / 2]
}
