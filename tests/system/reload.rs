//! Reloading under load: no failed call, no mixed snapshot inside a batch, every refusal on record.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use lictor::api::proto::v1::evaluate_batch_result::Result as Item;
use lictor::api::proto::v1::{EvaluateBatchRequest, EvaluateBatchResponse};

use crate::harness::{Lictor, Load, question, wait_for};

/// Two rules whose names tell the generation.
fn generation(number: usize) -> String {
    format!(
        "apiVersion: lictor.dev/v1\nkind: Policy\nmetadata: {{name: p}}\nspec:\n  rules:\n\
         \x20   - {{name: a-{number}, effect: allow, actions: [a]}}\n\
         \x20   - {{name: b-{number}, effect: deny, actions: [b]}}\n"
    )
}

fn bad(number: usize) -> String {
    format!(
        "apiVersion: lictor.dev/v1\nkind: Policy\nmetadata: {{name: p}}\nspec:\n  rules:\n    - {{name: a-{number}, efect: allow}}\n"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_reloads_half_of_them_bad() {
    let lictor = Lictor::start(&generation(0));
    let load = Load::start(&lictor, 4, "a").await;
    let stop = Arc::new(AtomicBool::new(false));
    let batches = tokio::spawn(batches(lictor.client().await, stop.clone()));

    for number in 1..=25 {
        lictor.write_policies(&bad(number));
        wait_for("refusal", || lictor.metric("lictor_policy_reloads_total{result=\"failed\"}") == number as u64);
        lictor.write_policies(&generation(number));
        wait_for("publication", || {
            lictor.metric("lictor_policy_reloads_total{result=\"published\"}") == number as u64 + 1
        });
    }

    stop.store(true, Ordering::Relaxed);
    let (seen, mixed) = batches.await.expect("batches");
    let (answered, failures) = load.stop().await;
    assert!(failures.is_empty(), "{failures:?}");
    assert!(mixed.is_empty(), "batches of more than one snapshot: {mixed:?}");
    assert!(answered > 0 && seen > 0);
    let (published, refused) = (lictor.records("policy.snapshot_published"), lictor.records("policy.reload_failed"));
    assert_eq!((published.len(), refused.len()), (26, 25));
    for refusal in refused {
        let text = refusal["payload"].to_string();
        assert!(text.contains("efect") && text.contains("policies.yaml"), "a refusal names its reason: {text}");
    }
    let answer = lictor.client().await.evaluate(question("a")).await.expect("answer").into_inner();
    assert_eq!(answer.matched_rule, "a-25");
}

/// Asks batches until told to stop; gives their number and those whose items disagree on the generation.
async fn batches(mut client: crate::harness::Client, stop: Arc<AtomicBool>) -> (usize, Vec<Vec<String>>) {
    let (mut seen, mut mixed) = (0, Vec::new());
    while !stop.load(Ordering::Relaxed) {
        let requests = (0..64).map(|item| question(if item % 2 == 0 { "a" } else { "b" })).collect();
        let request = EvaluateBatchRequest { requests, ..EvaluateBatchRequest::default() };
        let answer = client.evaluate_batch(request).await.expect("no batch fails").into_inner();
        seen += 1;
        let generations = generations(&answer);
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        if generations.len() != 1 {
            mixed.push(generations);
        }
    }
    (seen, mixed)
}

fn generations(answer: &EvaluateBatchResponse) -> Vec<String> {
    let mut generations: Vec<String> = answer
        .results
        .iter()
        .map(|item| match &item.result {
            Some(Item::Response(response)) => {
                assert_eq!(response.snapshot, answer.snapshot, "an item names the batch's snapshot");
                response.matched_rule[2..].to_owned()
            }
            other => panic!("no decision: {other:?}"),
        })
        .collect();
    generations.sort();
    generations.dedup();
    generations
}
