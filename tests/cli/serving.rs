//! What keeps `lictor serve` from starting, and what it says then.

use super::{MISSPELT, POLICY, folder_with, lictor};

const TLS: &str = "listen: {tls: {certificate: none.pem, key: none.key}}\n";
const JWT: &str = "identity: {jwt: {issuer: i, audience: a, jwks: none.json, algorithms: [EdDSA]}}\n";
const LEVEL: &str = "identity:\n  principals:\n    - {match: \"uid:*\", level: 3}\n";

#[test]
fn who_may_not_be_let_in_is_said_before_anything_starts() {
    let folder = folder_with(&[
        ("policies/p.yaml", POLICY),
        ("system/s.yaml", MISSPELT),
        ("tls.yaml", TLS),
        ("jwt.yaml", JWT),
        ("level.yaml", LEVEL),
    ]);
    let elsewhere = ["--listen", "0.0.0.0:0"];
    for (arguments, expected) in [
        (&elsewhere[..], "not a loopback address"),
        (&elsewhere, "listen.tls"),
        (&["--dev", "--listen", "0.0.0.0:0"], "`--dev` believes callers who they say they are"),
        (&["--system-policies", "system"], "did you mean `effect`?"),
        (&["--system-policies", "missing"], "missing"),
        (&["--config", "tls.yaml"], "none.pem` of `listen.tls`"),
        (&["--config", "jwt.yaml"], "none.json` (`identity.jwt.jwks`)"),
        (&["--config", "level.yaml"], "tools run as the same user as the agent that calls them"),
    ] {
        let serve = ["serve", "--policies", "policies", "--http", "off", "--socket", "off"];
        let (code, out, error) = lictor(folder.path(), &[&serve[..], arguments].concat());
        assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}\n{error}");
        assert!(error.contains(expected), "{arguments:?}\n{error}");
    }
}

#[test]
fn a_token_does_not_travel_in_the_clear() {
    let folder = folder_with(&[("token", "secret-token\n"), ("empty", "\n")]);
    let ask = ["eval", "--subject", "agent/a", "--action", "file.read"];
    for (arguments, expected) in [
        (&["--server", "192.0.2.1:1", "--token-file", "token"][..], "in the clear; name the server as `https://"),
        (&["--server", "127.0.0.1:1", "--token-file", "empty"], "holds no token"),
        (&["--server", "127.0.0.1:1", "--token-file", "none"], "cannot read the token"),
        (&["--server", "https://127.0.0.1:1", "--tls-ca", "token"], "holds no certificate"),
        (&["--socket", "s", "--dev-roles", "admin"], "--dev-as"),
    ] {
        let (code, out, error) = lictor(folder.path(), &[&ask[..], arguments].concat());
        assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}\n{error}");
        assert!(error.contains(expected) && !error.contains("secret-token"), "{arguments:?}\n{error}");
    }
}
