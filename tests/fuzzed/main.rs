//! The bodies of the fuzz targets (`fuzz/`) as bounded tests: every seed, and seeds with random changes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../../fuzz/bodies/authority.rs"]
mod authority;
#[path = "../../fuzz/bodies/bytes.rs"]
mod bytes;
#[path = "../../fuzz/bodies/condition.rs"]
mod condition;
#[path = "../../fuzz/bodies/documents.rs"]
mod documents;
#[path = "../../fuzz/bodies/journal.rs"]
mod journal;
#[path = "../../fuzz/bodies/plan.rs"]
mod plan;
#[path = "../../fuzz/bodies/request.rs"]
mod request;

use std::path::Path;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// Runs `check` on the seeds of `target`, on `cases` changed ones, and on as many that are made of nothing.
fn run(target: &str, cases: u32, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    let mut paths: Vec<_> = folder.read_dir().expect("seeds").map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "{} holds no seeds", folder.display());
    let seeds: Vec<Vec<u8>> = paths.iter().map(|path| std::fs::read(path).unwrap()).collect();
    seeds.iter().for_each(|seed| check(seed));

    let changes = prop::collection::vec(
        (any::<prop::sample::Index>(), 0_usize..12, prop::collection::vec(any::<u8>(), 0..4)),
        0..6,
    );
    let changed = (prop::sample::select(seeds), changes).prop_map(|(mut seed, changes)| {
        for (at, removed, added) in changes {
            let at = at.index(seed.len() + 1);
            let end = (at + removed).min(seed.len());
            seed.splice(at..end, added);
        }
        seed
    });
    let input = prop_oneof![changed, prop::collection::vec(any::<u8>(), 0..200)];
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&input, |input| {
            check(&input);
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn any_text_is_loaded_or_refused() {
    run("documents", 1_000, documents::check);
}

#[test]
fn any_condition_is_refused_or_has_the_value_of_its_specification() {
    run("condition", 4_000, condition::check);
}

#[test]
fn any_message_is_refused_or_decided() {
    run("request", 4_000, request::check);
}

#[test]
fn any_plan_is_refused_or_validated() {
    run("plan", 4_000, plan::check);
}

#[test]
fn a_changed_journal_is_noticed_and_recovered() {
    run("journal", 200, journal::check);
}

#[test]
fn mending_changes_nothing_but_the_authority() {
    run("authority", 2_000, authority::check);
}
