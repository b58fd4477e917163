//! After a full run at the most talkative level of the log, no secret is anywhere but where it belongs.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
use lictor::api::proto::v1;
use lictor::api::proto::v1::decision_service_client::DecisionServiceClient;

use crate::approvals_tenants::{guarded, with};
use crate::house::eventually;
use crate::postgres;
use crate::receiver::{Answer, Receiver};
use crate::served::{
    Backend, Client, DOCUMENTS, approval_of, approving, channel, consuming, creation, getting, plan, served_by_both,
};
use crate::system::{Lictor, wait_for};
use crate::token_key::TokenKey;

served_by_both!(secrets_are_nowhere_else,);

const HOOK_SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

/// What must not be found, each in every form that somebody might have written it in.
#[derive(Default)]
struct Needles(Vec<(String, Vec<u8>)>);

impl Needles {
    fn text(&mut self, name: &str, text: &str) {
        self.0.push((name.to_owned(), text.as_bytes().to_vec()));
    }

    fn bytes(&mut self, name: &str, bytes: &[u8]) {
        self.0.push((format!("{name}, raw"), bytes.to_vec()));
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        for text in [hex, BASE64_STANDARD_NO_PAD.encode(bytes), BASE64_URL_SAFE_NO_PAD.encode(bytes)] {
            self.text(name, &text);
        }
        // As a list of numbers, as `{:?}` shows it.
        self.text(name, &format!("{bytes:?}"));
    }

    fn token(&mut self, name: &str, token: &str) {
        self.text(name, token);
        self.bytes(name, &BASE64_URL_SAFE_NO_PAD.decode(token).expect("a token"));
    }

    /// A JSON Web Token is worth something with its signature only.
    fn jwt(&mut self, name: &str, jwt: &str) {
        let (_, signature) = jwt.rsplit_once('.').expect("a signature");
        self.token(name, signature);
    }

    /// Which of them are in which of the files below `places`.
    fn found_in(&self, places: &[PathBuf]) -> Vec<String> {
        let mut python = Command::new("python3")
            .args(["-c", SEARCH])
            .args(places)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 runs");
        let mut input = python.stdin.take().expect("its input");
        for (name, bytes) in &self.0 {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            writeln!(input, "{hex} {name}").expect("written");
        }
        drop(input);
        let output = python.wait_with_output().expect("its output");
        assert!(output.status.success());
        String::from_utf8(output.stdout).expect("UTF-8").lines().map(str::to_owned).collect()
    }
}

const SEARCH: &str = "
import os, sys
needles = [line.rstrip('\\n').split(' ', 1) for line in sys.stdin]
files = [place for place in sys.argv[1:] if os.path.isfile(place)]
for place in sys.argv[1:]:
    files += [os.path.join(folder, name) for folder, _, names in os.walk(place) for name in names]
for file in files:
    try:
        data = open(file, 'rb').read()
    except OSError:
        continue
    for needle, name in needles:
        if bytes.fromhex(needle) in data:
            print(f'{name} is in {file}')
";

fn documents(lictor: &Lictor, receiver: &Receiver) -> String {
    let key = lictor.path("hook-key");
    std::fs::write(&key, HOOK_SECRET).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    format!(
        "{DOCUMENTS}---\napiVersion: lictor.dev/v1\nkind: WebhookEndpoint\nmetadata: {{name: here}}\nspec: {{url: \
         'http://127.0.0.1:{}', secrets: [{{version: v1, file: {}}}], allowPrivate: true}}\n",
        receiver.port,
        key.display()
    )
}

async fn secrets_are_nowhere_else(backend: Backend) {
    let receiver = Receiver::start(Answer::status(200)).await;
    let jwt_key = TokenKey::new("k", 9);
    let mut lictor = guarded(&backend, DOCUMENTS, &jwt_key);
    lictor.config += "logs: {level: trace}\n";
    lictor.write_policies(&documents(&lictor, &receiver));
    lictor.run();
    let channel = channel(&lictor).await;
    let mut client = Client::new(channel.clone());
    let mut decisions = DecisionServiceClient::new(channel);
    let [runtime, lead] = ["runtime-a", "lead-a"].map(|who| jwt_key.token(who, "acme", 3_600));
    let mut answers = String::new();
    let mut needles = Needles::default();

    // Everything that is done with an approval, with what goes wrong.
    let mut tokens = Vec::new();
    let mut made = Vec::new();
    for key in ["a", "a", "b", "c"] {
        let request = v1::CreateApprovalRequest { webhook_endpoints: vec!["here".into()], ..creation("acme", key) };
        let answer = client.create_approval(with(&runtime, request)).await.unwrap().into_inner();
        tokens.push(answer.token.clone());
        answers += &format!("{:?}", answer.approval);
        made.push(answer);
    }
    let [voided, whole, refused, waiting] = made.try_into().expect("four answers");
    answers += &format!("{:?}", client.approve(with(&lead, approving("acme", approval_of(&whole)))).await.unwrap());
    for request in [&voided, &waiting].map(|made| consuming("acme", made)) {
        answers += &format!("{:?}", client.consume(with(&runtime, request)).await.unwrap_err());
    }
    answers += &format!("{:?}", client.consume(with(&lead, consuming("evil", &whole))).await.unwrap_err());
    let once = v1::ConsumeRequest { redemption_key: "once".into(), ..consuming("acme", &whole) };
    for _ in 0..2 {
        let granted = client.consume(with(&runtime, once.clone())).await.unwrap().into_inner();
        assert!(!granted.grant.is_empty());
        answers += &format!("{granted:?}");
    }
    receiver.answer(Answer::status(410));
    let reject = crate::served::rejecting("acme", approval_of(&refused));
    answers += &format!("{:?}", client.reject(with(&lead, reject)).await.unwrap());
    let id = approval_of(&whole).id.clone();
    answers += &format!("{:?}", client.get_approval(with(&lead, getting("acme", &id))).await.unwrap());
    let list = v1::ListApprovalsRequest { tenant_id: "acme".into(), ..Default::default() };
    answers += &format!("{:?}", client.list_approvals(with(&lead, list)).await.unwrap());
    let history = v1::ListApprovalHistoryRequest { tenant_id: "acme".into(), ..Default::default() };
    answers += &format!("{:?}", client.list_approval_history(with(&lead, history)).await.unwrap());
    let export = v1::ExportApprovalsRequest { tenant_id: "acme".into(), ..Default::default() };
    let mut pieces = client.export_approvals(with(&lead, export)).await.unwrap().into_inner();
    while let Some(piece) = pieces.message().await.unwrap() {
        answers += &String::from_utf8(piece.csv).unwrap();
    }
    let validated = decisions.validate_ir(with(&runtime, plan("acme", 3.0))).await.unwrap().into_inner();
    answers += &format!("{validated:?}");
    let bad = format!("{}x", jwt_key.token("runtime-a", "acme", 3_600));
    answers += &format!("{:?}", client.get_approval(with(&bad, getting("acme", &id))).await.unwrap_err());
    let dead = || {
        let state = v1::WebhookDeliveryState::Dead.into();
        v1::ListWebhookDeliveriesRequest { tenant_id: "acme".into(), state, ..Default::default() }
    };
    eventually("a dead letter", async || {
        let listed = client.list_webhook_deliveries(with(&lead, dead())).await.unwrap().into_inner();
        !listed.deliveries.is_empty()
    })
    .await;
    answers += &format!("{:?}", client.list_webhook_deliveries(with(&lead, dead())).await.unwrap());
    // The command line.
    for (name, text) in [("runtime.jwt", &runtime), ("token", &waiting.token)] {
        std::fs::write(lictor.path(name), text).unwrap();
    }
    let server = lictor.tcp.to_string();
    let shown = ["--server", &server, "--token-file", "runtime.jwt", "--tenant", "acme", "--timeout-ms", "30000"];
    let hash = &approval_of(&waiting).target_hash;
    for command in [&["approvals", "show", &id][..], &["approvals", "consume", "--hash", hash, "--token-from", "token"]]
    {
        let (_, printed) = lictor.command(&[command, &shown].concat());
        answers += &printed;
    }
    for page in ["/metrics", "/readyz", "/healthz", "/.well-known/jwks.json"] {
        answers += &lictor.http_get(page).unwrap_or_default();
    }
    wait_for("records", || {
        lictor.records("ir.approval_invalid").len() >= 3 && lictor.metric("lictor_store_outbox_events") == 0
    });
    if matches!(backend, Backend::Sqlite) {
        let (code, printed) = lictor.command(&["backup", "--state", "state", "--to", "copy.db"]);
        assert_eq!(code, 0, "{printed}");
    }
    // As a crash leaves it, the journal of the store included.
    lictor.signal("-KILL");
    lictor.wait();

    for token in &tokens {
        needles.token("an approval's token", token);
    }
    for jwt in [&runtime, &lead, &bad] {
        needles.jwt("a caller's token", jwt.trim_end_matches('x'));
    }
    needles.text("the webhook's secret", HOOK_SECRET);
    needles.bytes("the webhook's secret", &BASE64_STANDARD.decode(&HOOK_SECRET[6..]).unwrap());
    let key_file = std::fs::read_dir(lictor.path("state/keys")).unwrap().map(|entry| entry.unwrap().path());
    let key_files: Vec<_> =
        key_file.filter(|path| path.extension().is_some_and(|extension| extension == "pem")).collect();
    let [key_file] = key_files.as_slice() else { panic!("one key: {key_files:?}") };
    let pem = std::fs::read_to_string(key_file).unwrap();
    let body: Vec<&str> = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let der = body.concat();
    for text in [body[0], &der] {
        needles.text("the key of receipts and grants", text);
    }
    let der = BASE64_STANDARD.decode(der).unwrap();
    // The seed, in what PKCS #8 puts around it.
    let start = der.windows(4).position(|window| window == [0x04, 0x22, 0x04, 0x20]).expect("an Ed25519 key") + 4;
    needles.bytes("the key of receipts and grants", &der[start..start + 32]);

    // The search finds what is there.
    assert!(!needles.found_in(std::slice::from_ref(key_file)).is_empty());
    std::fs::write(lictor.path("answers"), &answers).unwrap();
    let state: Vec<PathBuf> =
        std::fs::read_dir(lictor.path("state")).unwrap().map(|entry| entry.unwrap().path()).collect();
    let mut places: Vec<PathBuf> = state.into_iter().filter(|path| !path.ends_with("keys")).collect();
    places.extend(["log", "answers", "copy.db"].map(|name| lictor.path(name)));
    if matches!(backend, Backend::Postgres { .. }) {
        postgres::shared().psql("postgres", "CHECKPOINT");
        places.push(postgres::shared().data());
    }
    let mut control = Needles::default();
    control.text("id", &id);
    let with_id = control.found_in(&places);
    for place in match backend {
        Backend::Sqlite => &["answers", "lictor.db", "journal", "copy.db"][..],
        Backend::Postgres { .. } => &["answers", "journal", "pg_wal"],
    } {
        assert!(with_id.iter().any(|found| found.contains(place)), "{place} was not searched: {with_id:?}");
    }
    assert!(lictor.log().contains("TRACE"), "the log tells all that it can");
    assert_eq!(needles.found_in(&places), [""; 0]);
}
