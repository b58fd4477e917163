//! Instructions that the hot path takes, counted by callgrind, against what `instructions.txt` expects.
//!
//! Counts repeat to within a few in ten thousand whatever else the machine does, as long as compiler, profile and C
//! library are the same. `LICTOR_UPDATE_CASES=1 cargo test --test guards` writes the expectations anew.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A count that is higher than expected by more than these hundredths is a regression.
const MOST_ABOVE: u64 = 5;

/// One that is lower by more than these hundredths is an improvement, which the expectations must keep.
const MOST_BELOW: u64 = 10;

/// Cases whose work grows with the size of the plan alone: the one of ten steps, and the one of a hundred times as many.
const LINEAR: [(&str, &str); 2] =
    [("validate/10", "validate/1000"), ("validate/data-flow/10", "validate/data-flow/1000")];

/// Most that the longer one may take, in multiples of the shorter one.
const MOST_TIMES: u64 = 120;

/// The profile of the program that is measured: optimised as a release is, but for link-time optimisation, which takes
/// minutes. Dependencies are those of the tests.
const PROFILE: [&str; 4] = ["opt-level=3", "debug-assertions=false", "overflow-checks=true", "codegen-units=1"];

#[test]
fn the_hot_path_takes_as_many_instructions_as_expected() {
    let program = build();
    let cases = run(Command::new(&program));
    let counts: Vec<(String, u64)> = cases
        .lines()
        .map(|line| {
            let (case, rounds) = line.split_once(' ').expect("a case and its rounds");
            let rounds: u64 = rounds.parse().expect("rounds");
            (case.to_owned(), count(&program, case) / rounds)
        })
        .collect();
    assert!(!counts.is_empty());
    let of = |case: &str| counts.iter().find(|(known, _)| known == case).expect("the case is measured").1;
    for (short, long) in LINEAR {
        let times = of(long) as f64 / of(short) as f64;
        assert!(of(long) < of(short) * MOST_TIMES, "{long} takes {times:.1} times as many instructions as {short}");
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/guards/instructions.txt");
    if std::env::var_os("LICTOR_UPDATE_CASES").is_some() {
        let text = counts.iter().fold(String::from(HEADER), |mut text, (case, count)| {
            let _ = writeln!(text, "{case} {count}");
            text
        });
        std::fs::write(&file, text).expect("the expectations can be written");
        return;
    }
    let expected = read(&file);
    let mut offences: Vec<String> =
        counts.iter().filter_map(|(case, count)| offence(case, *count, &expected)).collect();
    let measured: Vec<&String> = counts.iter().map(|(case, _)| case).collect();
    let gone = expected.keys().filter(|case| !measured.contains(case));
    offences.extend(gone.map(|case| format!("{case}: expected, but not measured any more")));
    assert!(
        offences.is_empty(),
        "{}\nIf this is meant: LICTOR_UPDATE_CASES=1 cargo test --test guards, and say why in the commit.",
        offences.join("\n")
    );
}

const HEADER: &str = "# Instructions a call, counted by callgrind on x86_64. Written by the test `guards`.\n";

/// What is wrong with a count, if anything is.
fn offence(case: &str, count: u64, expected: &BTreeMap<String, u64>) -> Option<String> {
    let Some(expected) = expected.get(case) else { return Some(format!("{case}: {count}, nothing expected")) };
    let percent = (count as f64 / *expected as f64 - 1.0) * 100.0;
    if count * 100 > expected * (100 + MOST_ABOVE) {
        Some(format!("{case}: {count} instead of {expected} instructions, {percent:+.1} %"))
    } else if count * 100 < expected * (100 - MOST_BELOW) {
        Some(format!("{case}: {count} instead of {expected} instructions, {percent:+.1} %: keep the gain"))
    } else {
        None
    }
}

#[test]
fn a_count_is_held_to_its_tolerance() {
    let expected = BTreeMap::from([("a".to_owned(), 1_000)]);
    for (case, count, offends) in [
        ("a", 1_000, false),
        ("a", 1_050, false),
        ("a", 1_051, true),
        ("a", 900, false),
        ("a", 899, true),
        ("b", 1, true),
    ] {
        assert_eq!(offence(case, count, &expected).is_some(), offends, "{case} {count}");
    }
}

fn read(file: &Path) -> BTreeMap<String, u64> {
    let text = std::fs::read_to_string(file).expect("tests/guards/instructions.txt");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (case, count) = line.split_once(' ').expect("a case and its count");
            (case.to_owned(), count.parse().expect("a count"))
        })
        .collect()
}

/// Builds the program `hot_path` and gives its path.
fn build() -> PathBuf {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--example", "hot_path", "--message-format=json", "--quiet"]);
    for setting in PROFILE {
        cargo.args(["--config", &format!("profile.dev.package.lictor.{setting}")]);
    }
    cargo.env("CARGO_INCREMENTAL", "0").current_dir(env!("CARGO_MANIFEST_DIR"));
    let messages = run(cargo);
    let executable =
        messages.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok()).find_map(|message| {
            let named = message.pointer("/target/name")? == "hot_path";
            named.then(|| message.get("executable")?.as_str().map(PathBuf::from)).flatten()
        });
    executable.expect("cargo names the executable")
}

/// Instructions inside the function `measured` of `program` for one case.
fn count(program: &Path, case: &str) -> u64 {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("callgrind.out");
    let mut valgrind = Command::new("valgrind");
    valgrind
        .args(["--tool=callgrind", "--toggle-collect=hot_path::measured*"])
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(program)
        .arg(case)
        // The C library would choose among its copies of `memcpy` by the processor.
        .env("GLIBC_TUNABLES", "glibc.cpu.hwcaps=-AVX2,-AVX512F,-AVX512VL,-ERMS,-FSRM");
    run(valgrind);
    let report = std::fs::read_to_string(&file).expect("callgrind writes its report");
    let total = report.lines().find_map(|line| line.strip_prefix("totals: "));
    total.and_then(|total| total.trim().parse().ok()).filter(|count| *count > 0).expect("a count in callgrind's report")
}

/// Runs `command` and gives what it prints.
fn run(mut command: Command) -> String {
    let output = command.stdin(Stdio::null()).output();
    let Output { status, stdout, stderr } = output.unwrap_or_else(|error| {
        panic!("{command:?} cannot be run: {error}. The guards need valgrind: apt-get install valgrind")
    });
    assert!(status.success(), "{command:?} failed:\n{}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).expect("text")
}
