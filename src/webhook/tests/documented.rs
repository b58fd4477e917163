//! The receiver's code in `docs/webhooks.md` verifies what is really sent.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::json;

use super::house::{House, SECRET};
use super::receiver::{Answer, Receiver};
use crate::model::Timestamp;
use crate::webhook::{Message, Sender};

const PAGE: &str = include_str!("../../../docs/webhooks.md");
const SECONDS: i64 = 1_700_000_000;

/// Asks the page's code about each of these questions.
fn verdicts(questions: &serde_json::Value) -> Vec<bool> {
    let code = PAGE.split("```python\n").nth(1).and_then(|rest| rest.split("```").next()).expect("code on the page");
    let driver = "\nimport json, sys\nprint(json.dumps([verify(q['headers'], q['body'].encode(), q['secrets'], q['now']) \
                  for q in json.load(sys.stdin)]))\n";
    let mut python = Command::new("python3")
        .args(["-c", &format!("{code}{driver}")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 runs");
    python.stdin.take().unwrap().write_all(questions.to_string().as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
async fn the_documented_receiver_verifies() {
    let house = House::new();
    let receiver = Receiver::start(Answer::status(200)).await;
    house.write("plain", "a secret without prefix, made long enough");
    let endpoint = house.endpoint(
        &format!("http://127.0.0.1:{}", receiver.port),
        "allowPrivate: true, secrets: [{version: v2, file: FOLDER/key}, {version: v1, file: FOLDER/plain, grace: true}]",
    );
    let body = r#"{"event":"approval_request_created","note":"ü"}"#;
    let now = Timestamp::from_micros(SECONDS * 1_000_000);
    Sender::default().send(&endpoint, Message { id: "m-1", body: body.as_bytes() }, now).await.unwrap();
    let headers = receiver.got()[0].headers.clone();
    let ask = |body: &str, secrets: &[&str], now: i64| json!({"headers": headers, "body": body, "secrets": secrets, "now": now});
    let plain = "a secret without prefix, made long enough";
    let questions = json!([
        ask(body, &[SECRET], SECONDS),
        ask(body, &[plain], SECONDS + 299),
        ask(body, &["wrong", SECRET], SECONDS),
        ask(body, &["wrong"], SECONDS),
        ask(&body.replace("created", "rejected"), &[SECRET], SECONDS),
        ask(body, &[SECRET], SECONDS + 301),
    ]);
    assert_eq!(verdicts(&questions), [true, true, true, false, false, false]);
}
