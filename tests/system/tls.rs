//! TLS as an operator sees it: certificates on disk, the command line as the client.

use crate::authority::{Authority, Certificate};
use crate::harness::{Lictor, wait_for};

const POLICY: &str = "apiVersion: lictor.dev/v1\nkind: Policy\nmetadata: {name: p}\nspec:\n  rules:\n    \
                      - {name: a, effect: allow, actions: [a]}\n";

const CONFIG: &str = "
listen: {tls: {certificate: server.pem, key: server.key, clientCa: clients.pem}}
identity:
  principals:
    - {match: 'cn:alice', name: alice, mayAssert: {subjects: [agent-*]}}
";

/// Writes a file as rotation does: beside it, then renamed.
fn put(lictor: &Lictor, name: &str, text: &str) {
    let beside = lictor.path(&format!("{name}.tmp"));
    std::fs::write(&beside, text).expect("write");
    std::fs::rename(beside, lictor.path(name)).expect("rename");
}

fn put_pair(lictor: &Lictor, name: &str, certificate: &Certificate) {
    put(lictor, &format!("{name}.key"), &certificate.key);
    put(lictor, &format!("{name}.pem"), &certificate.chain);
}

/// Asks over TLS, trusting the roots in `ca`.
fn ask(lictor: &Lictor, subject: &str, ca: &str) -> (i32, String) {
    let server = format!("https://localhost:{}", lictor.tcp.port());
    let shown = ["--tls-certificate", "alice.pem", "--tls-key", "alice.key", "--tls-ca", ca];
    let question = ["eval", "--subject", subject, "--action", "a", "--server", &server, "--timeout-ms", "30000"];
    lictor.command(&[&question[..], &shown].concat())
}

#[test]
fn certificates_are_replaced_while_the_program_runs() {
    let mut lictor = Lictor::prepare(POLICY);
    lictor.config = CONFIG.to_owned();
    let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
    put_pair(&lictor, "server", &servers.server());
    put_pair(&lictor, "alice", &clients.issue("alice", |_| {}));
    put(&lictor, "clients.pem", &clients.pem);
    put(&lictor, "first-ca.pem", &servers.pem);
    lictor.run();

    let (code, printed) = ask(&lictor, "agent/agent-7", "first-ca.pem");
    assert_eq!(code, 0, "{printed}");
    let (code, printed) = ask(&lictor, "agent/root", "first-ca.pem");
    assert_eq!(code, 2, "{printed}");
    assert!(printed.contains("the caller `alice` may not assert `root`"), "{printed}");

    let servers = Authority::new("servers");
    put(&lictor, "second-ca.pem", &servers.pem);
    put_pair(&lictor, "server", &servers.server());
    wait_for("new certificate", || ask(&lictor, "agent/agent-7", "second-ca.pem").0 == 0);
    assert_eq!(ask(&lictor, "agent/agent-7", "first-ca.pem").0, 2, "the old one is not shown any more");
    // A file that is no certificate changes nothing but a figure.
    let failed = "lictor_identity_reload_failed{of=\"tls\"}";
    assert_eq!(lictor.metric(failed), 0);
    put(&lictor, "server.pem", "nonsense");
    wait_for("failure", || lictor.metric(failed) == 1);
    assert_eq!(ask(&lictor, "agent/agent-7", "second-ca.pem").0, 0);
    assert!(lictor.metric("lictor_tls_certificate_expires_timestamp_seconds") > 1_700_000_000);
    wait_for("records", || lictor.records("policy.evaluated").len() > 1);
    assert!(lictor.records("policy.evaluated").iter().all(|event| event["meta"]["actor"] == "alice"));
}

#[test]
fn whoever_connects_wrongly_is_told_how_to() {
    let mut lictor = Lictor::prepare(POLICY);
    lictor.config = CONFIG.to_owned();
    let (servers, clients, strangers) = (Authority::new("servers"), Authority::new("clients"), Authority::new("x"));
    put_pair(&lictor, "server", &servers.server());
    put_pair(&lictor, "alice", &clients.issue("alice", |_| {}));
    put_pair(&lictor, "stranger", &strangers.issue("alice", |_| {}));
    put(&lictor, "clients.pem", &clients.pem);
    put(&lictor, "ca.pem", &servers.pem);
    put(&lictor, "other-ca.pem", &strangers.pem);
    lictor.run();
    let port = lictor.tcp.port();
    let (secure, plain) = (format!("https://localhost:{port}"), format!("localhost:{port}"));
    let elsewhere = format!("https://127.0.0.2:{port}");
    let http = format!("https://localhost:{}", lictor.http.port());
    let alice = ["--tls-certificate", "alice.pem", "--tls-key", "alice.key"];
    let stranger = ["--tls-certificate", "stranger.pem", "--tls-key", "stranger.key"];
    let show = "show one of an authority that it trusts with `--tls-certificate` and `--tls-key`";
    for (server, ca, shown, expected) in [
        (&secure, Some("ca.pem"), &alice[..], "ALLOW"),
        (&secure, Some("other-ca.pem"), &alice, "name that authority's certificate with `--tls-ca FILE`"),
        (&secure, None, &alice, "name that authority's certificate with `--tls-ca FILE`"),
        (&secure, Some("ca.pem"), &[], show),
        (&secure, Some("ca.pem"), &stranger, show),
        (&plain, None, &[], "if the server speaks TLS, name it as `https://localhost:"),
        (&http, Some("ca.pem"), &alice, "if it speaks no TLS, name it as `http://HOST:PORT`"),
        (&elsewhere, Some("ca.pem"), &alice, "`https://127.0.0.2:"),
    ] {
        let question =
            ["eval", "--subject", "agent/agent-7", "--action", "a", "--server", server, "--timeout-ms", "30000"];
        let roots: &[&str] = ca.as_ref().map_or(&[], |_| &["--tls-ca"]);
        let roots = [roots, ca.as_slice()].concat();
        let (code, printed) = lictor.command(&[&question[..], &roots, shown].concat());
        assert!(printed.contains(expected), "{server} {ca:?} {shown:?}: {printed}");
        assert_eq!(code, if expected == "ALLOW" { 0 } else { 2 }, "{printed}");
    }
}
