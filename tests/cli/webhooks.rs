//! `lictor webhooks`, and what `lictor check` says of webhook endpoints.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::thread::JoinHandle;

use super::folder_with;

const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

/// A receiver that answers one request with `status` and gives its head.
fn receiver(status: u16) -> (u16, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut bytes = Vec::new();
        while !bytes.ends_with(b"}") {
            let mut buffer = [0; 4096];
            let count = stream.read(&mut buffer).unwrap();
            assert!(count > 0, "the request ends");
            bytes.extend_from_slice(&buffer[..count]);
        }
        write!(stream, "HTTP/1.1 {status} Told\r\ncontent-length: 0\r\n\r\n").unwrap();
        String::from_utf8(bytes).unwrap()
    });
    (port, serving)
}

fn endpoint(port: u16) -> String {
    format!(
        "apiVersion: lictor.dev/v1\nkind: WebhookEndpoint\nmetadata: {{name: finance}}\nspec:\n  \
         url: http://127.0.0.1:{port}/hook\n  allowPrivate: true\n  secrets: [{{version: v2, env: FINANCE_HOOK_SECRET}}]\n"
    )
}

/// Exit code, standard output, standard error, with the secret in the environment and a proxy that nobody must ask.
fn lictor(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_lictor"))
        .args(arguments)
        .current_dir(folder)
        .env("FINANCE_HOOK_SECRET", SECRET)
        .envs(["http_proxy", "HTTP_PROXY", "ALL_PROXY"].map(|name| (name, "http://127.0.0.1:1")))
        .output()
        .expect("lictor runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code().expect("an exit code"), text(output.stdout), text(output.stderr))
}

#[test]
fn an_endpoint_is_tried_from_the_command_line() {
    let (port, serving) = receiver(202);
    let folder = folder_with(&[("w.yaml", &endpoint(port))]);
    let (code, out, error) = lictor(folder.path(), &["webhooks", "test", "finance", "w.yaml"]);
    assert_eq!((code, error.as_str()), (0, ""), "{out}");
    assert!(out.starts_with("delivered: `finance` took it with status 202 in "), "{out}");
    assert!(out.contains("signed with key v2"), "{out}");
    let request = serving.join().unwrap();
    assert!(request.starts_with("POST /hook HTTP/1.1\r\n"), "{request}");
    for part in ["x-webhook-signature: sha256=", "webhook-signature: v1,", r#""event":"webhook_test""#] {
        assert!(request.contains(part), "{part} is not in {request}");
    }

    let (port, serving) = receiver(503);
    let folder = folder_with(&[("w.yaml", &endpoint(port))]);
    let (code, out, _) = lictor(folder.path(), &["webhooks", "test", "finance", "w.yaml", "--output", "json"]);
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &report["delivered"], &report["status"]), (1, &false.into(), &503.into()), "{out}");
    assert_eq!((&report["outcome"], &report["endpoint"]), (&"status".into(), &"finance".into()));
    assert!(!out.contains(SECRET));
    drop(serving.join());

    let keyless = endpoint(port).replace("FINANCE_HOOK_SECRET", "LICTOR_TEST_NO_SUCH_SECRET");
    std::fs::write(folder.path().join("keyless.yaml"), keyless).unwrap();
    let (code, out, _) = lictor(folder.path(), &["webhooks", "test", "finance", "keyless.yaml"]);
    assert!(code == 1 && out.contains("nothing was signed or sent without key v2"), "{code} {out}");
    assert!(!out.contains("signed with"), "{out}");

    let (code, _, error) = lictor(folder.path(), &["webhooks", "test", "finanse", "w.yaml"]);
    assert!(code == 2 && error.contains("did you mean `finance`?"), "{error}");
}

#[test]
fn a_check_warns_of_secrets_that_are_not_here_and_passes() {
    let text = endpoint(8080).replace("FINANCE_HOOK_SECRET", "LICTOR_TEST_NOT_SET");
    let missing = text
        .replace("env: LICTOR_TEST_NOT_SET", "env: LICTOR_TEST_NOT_SET}, {version: v1, file: /none/here, grace: true");
    let folder = folder_with(&[("missing.yaml", &missing), ("here.yaml", &endpoint(8080)), ("short", "hunter2")]);
    let (code, out, error) = lictor(folder.path(), &["check", "missing.yaml", "--deny-warnings"]);
    assert_eq!(code, 0, "the server runs elsewhere: {error}");
    assert!(out.contains("2 warnings"), "{out}");
    for part in [
        "warning[unusable-secret]: the environment variable `LICTOR_TEST_NOT_SET`, which should hold a secret, is not set",
        "warning[unusable-secret]: cannot read the secret in `/none/here`",
        "help: make sure that it is in order where the server runs",
    ] {
        assert!(error.contains(part), "{part} is not in {error}");
    }
    let (code, out, error) = lictor(folder.path(), &["check", "here.yaml"]);
    assert_eq!((code, error.as_str()), (0, ""), "{out}");
    let short = folder.path().join("short").display().to_string();
    let text = endpoint(8080).replace("env: FINANCE_HOOK_SECRET", &format!("file: {short}"));
    std::fs::write(folder.path().join("short.yaml"), text).unwrap();
    let (code, _, error) = lictor(folder.path(), &["check", "short.yaml"]);
    assert!(code == 0 && error.contains("warning[short-secret]: the secret has only 7 bytes"), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
    let broken = folder.path().join("broken");
    std::fs::write(&broken, "whsec_not base64 at all, and long enough").unwrap();
    let text = endpoint(8080).replace("env: FINANCE_HOOK_SECRET", &format!("file: {}", broken.display()));
    std::fs::write(folder.path().join("broken.yaml"), text).unwrap();
    let (code, _, error) = lictor(folder.path(), &["check", "broken.yaml"]);
    let said = format!("error[malformed-secret]: the secret in `{}` begins with `whsec_`", broken.display());
    assert!(code == 1 && error.contains(&said) && error.contains("openssl rand -base64 32"), "{error}");
    assert!(!error.contains("not base64 at all"), "{error}");
}
