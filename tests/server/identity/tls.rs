//! Callers that show a certificate.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use lictor::api::proto::v1::decision_service_client::DecisionServiceClient;
use lictor::api::proto::v1::{EvaluateRequest, EvaluateStreamRequest};
use lictor::config::Tls;
use lictor::identity::{Identity, IdentityOptions, TlsFiles};
use rcgen::date_time_ymd;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use super::credentials::{
    Authority, Certificate, TokenKey, connect, patterns, principal, with_token, write_keys, write_tls,
};
use crate::harness::{Running, question, reason};

/// Longest that something is waited for that should happen soon.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server at which clients of `clients` show certificates.
struct Guarded {
    running: Running,
    files: Arc<TlsFiles>,
    servers: Authority,
    clients: Authority,
    folder: tempfile::TempDir,
}

impl Guarded {
    fn start(options: IdentityOptions) -> Self {
        Self::start_with(options, |_, _, _| {})
    }

    /// The same with `change` applied to its files, knowing their folder and who issues clients' certificates.
    fn start_with(options: IdentityOptions, change: impl FnOnce(&mut Tls, &Path, &Authority)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
        let mut tls = write_tls(folder.path(), &servers.server(), Some(&clients));
        change(&mut tls, folder.path(), &clients);
        let identity = Arc::new(Identity::new(options).unwrap());
        let files = Arc::new(TlsFiles::open(tls, identity.accepts_tokens()).unwrap());
        let running = Running::start_as(identity, |options| options.tls = Some(files.clone()));
        Self { running, files, servers, clients, folder }
    }

    /// A client that shows this certificate. What the server thinks of it shows at the first call.
    async fn client(&self, shown: Option<&Certificate>) -> Option<DecisionServiceClient<Channel>> {
        connect(&self.running, &self.servers, shown).await.ok().map(DecisionServiceClient::new)
    }

    /// Whether a client that shows this certificate is served.
    async fn serves(&self, shown: Option<&Certificate>) -> bool {
        let Some(mut client) = self.client(shown).await else { return false };
        client.evaluate(question("file.read")).await.is_ok()
    }
}

/// Any client may ask about anybody, so that what is refused is refused for its certificate.
fn anybody() -> IdentityOptions {
    let mut options = IdentityOptions::default();
    options.principals.push(principal("**", &["default"], |principal| {
        principal.may_assert.subjects = patterns(&["**"]);
    }));
    options
}

#[tokio::test]
async fn a_guest_stays_a_guest_whatever_the_question_says() {
    let mut options = IdentityOptions::default();
    options.principals.push(principal("spiffe://example.org/ns/*/guest", &["default"], |principal| {
        principal.name = Some("front-desk".into());
        principal.roles = vec!["guest".into()];
        principal.may_assert.subjects = patterns(&["support-*"]);
    }));
    let guarded = Guarded::start(options);
    let guest = guarded.clients.spiffe("spiffe://example.org/ns/shop/guest");
    let mut client = guarded.client(Some(&guest)).await.unwrap();
    let with_roles = |roles: &[&str]| {
        let mut request = question("file.read");
        request.subject.as_mut().unwrap().roles = roles.iter().map(|role| (*role).to_owned()).collect();
        request
    };
    assert!(client.evaluate(with_roles(&["guest"])).await.unwrap().into_inner().allowed);
    let refused = client.evaluate(with_roles(&["admin"])).await.unwrap_err();
    assert_eq!((refused.code(), &*reason(refused.details()).0), (Code::PermissionDenied, "ROLE_NOT_ALLOWED"));
    let elsewhere = EvaluateRequest { tenant_id: "acme".into(), ..question("file.read") };
    let refused = client.evaluate(elsewhere).await.unwrap_err();
    assert_eq!(reason(refused.details()).0, "TENANT_NOT_ALLOWED");

    // Somebody whom no principal names speaks for itself only.
    let stranger = guarded.clients.issue("stranger", |_| {});
    let mut client = guarded.client(Some(&stranger)).await.unwrap();
    let refused = client.evaluate(question("file.read")).await.unwrap_err();
    assert_eq!(reason(refused.details()).0, "SUBJECT_NOT_ALLOWED");
    let mut itself = question("file.read");
    itself.subject.as_mut().unwrap().id = "cn:stranger".into();
    assert!(client.evaluate(itself).await.unwrap().into_inner().allowed);

    let events = guarded.running.stop_and_read_journal().await;
    let evaluated = events.iter().filter(|event| event["type"] == "policy.evaluated");
    let actors: Vec<_> = evaluated.map(|event| event["meta"]["actor"].as_str().unwrap()).collect();
    assert_eq!(actors, ["front-desk", "cn:stranger"]);
    assert!(events.iter().all(|event| event["meta"].get("asserted").is_none()));
}

#[tokio::test]
async fn only_good_certificates_are_served() {
    let guarded = Guarded::start(anybody());
    let good = guarded.clients.issue("good", |_| {});
    let expired = guarded.clients.issue("expired", |params| params.not_after = date_time_ymd(2020, 1, 1));
    let early = guarded.clients.issue("early", |params| params.not_before = date_time_ymd(2090, 1, 1));
    let foreign = Authority::new("clients").issue("foreign", |_| {});
    let nameless = guarded.clients.issue("x", |params| params.distinguished_name = rcgen::DistinguishedName::new());
    assert!(guarded.serves(Some(&good)).await);
    for (what, shown) in [
        ("expired", Some(&expired)),
        ("not valid yet", Some(&early)),
        ("of another authority", Some(&foreign)),
        ("without a name", Some(&nameless)),
        ("none", None),
    ] {
        assert!(!guarded.serves(shown).await, "{what}");
    }
    // Plain HTTP/2 is no TLS.
    let plain =
        tonic::transport::Endpoint::from_shared(format!("http://{}", guarded.running.server.tcp_address().unwrap()));
    let plain = plain.unwrap().connect().await.map(DecisionServiceClient::new);
    if let Ok(mut plain) = plain {
        assert!(plain.evaluate(question("file.read")).await.is_err());
    }
    assert!(guarded.serves(Some(&good)).await);
}

#[tokio::test]
async fn certificates_are_replaced_while_the_server_runs() {
    let mut guarded = Guarded::start(anybody());
    let old = guarded.clients.issue("old", |_| {});
    let mut before = guarded.client(Some(&old)).await.unwrap();
    before.evaluate(question("file.read")).await.unwrap();
    assert!(!guarded.files.refresh().unwrap(), "nothing has changed");

    // Half of a rotation: the key does not fit the certificate.
    let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
    let next = servers.server();
    std::fs::write(guarded.folder.path().join("server.key"), &next.key).unwrap();
    assert!(guarded.files.refresh().is_err());
    assert!(guarded.serves(Some(&old)).await, "what was served before goes on");

    write_tls(guarded.folder.path(), &next, Some(&clients));
    assert!(guarded.files.refresh().unwrap());
    assert!(!guarded.serves(Some(&old)).await, "the server's certificate is another one");
    guarded.servers = servers;
    assert!(!guarded.serves(Some(&old)).await, "the roots of clients are others");
    assert!(guarded.serves(Some(&clients.issue("new", |_| {}))).await);
    ends(&mut before).await;
}

/// Waits until the connection has ended that the client began with. Where it began it is not let in again.
async fn ends(client: &mut DecisionServiceClient<Channel>) {
    let ended = async {
        while client.evaluate(question("file.read")).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, ended).await.expect("the connection ends");
}

#[tokio::test]
async fn revoked_certificates_are_not_served() {
    let guarded = Guarded::start_with(anybody(), |tls, folder, clients| {
        std::fs::write(folder.join("clients.crl"), clients.revoke(&[7], 2090)).unwrap();
        tls.client_crl = Some(folder.join("clients.crl"));
    });
    let numbered = |number: u64| guarded.clients.issue("somebody", |p| p.serial_number = Some(number.into()));
    let (stolen, good) = (numbered(7), numbered(8));
    assert!(guarded.serves(Some(&good)).await && !guarded.serves(Some(&stolen)).await);
    let rewrite = |text: &str| {
        std::fs::write(guarded.folder.path().join("clients.crl"), text).unwrap();
        guarded.files.refresh()
    };
    assert!(rewrite(&guarded.clients.revoke(&[7, 8], 2090)).unwrap());
    assert!(!guarded.serves(Some(&good)).await);
    assert!(rewrite(&guarded.clients.revoke(&[], 2090)).unwrap());
    assert!(guarded.serves(Some(&good)).await);
    assert!(rewrite("nonsense").is_err());
    assert!(guarded.serves(Some(&good)).await, "what was read before holds");
    // A list that is out of date, or of another authority, says nothing that could be relied on.
    for useless in [guarded.clients.revoke(&[], 2025), Authority::new("others").revoke(&[], 2090)] {
        assert!(rewrite(&useless).unwrap());
        assert!(!guarded.serves(Some(&good)).await);
    }
}

#[tokio::test]
async fn open_connections_end_whose_certificates_are_revoked() {
    let guarded = Guarded::start_with(anybody(), |tls, folder, clients| {
        std::fs::write(folder.join("clients.crl"), clients.revoke(&[], 2090)).unwrap();
        tls.client_crl = Some(folder.join("clients.crl"));
    });
    let numbered = |number: u64| guarded.clients.issue("somebody", |p| p.serial_number = Some(number.into()));
    let mut stolen = guarded.client(Some(&numbered(7))).await.unwrap();
    let mut good = guarded.client(Some(&numbered(8))).await.unwrap();
    // Calls that stay open, each with one answer: the sender is held, so that they do not end by themselves.
    let mut streams = Vec::new();
    for client in [&mut stolen, &mut good] {
        let (questions, asked) = tokio::sync::mpsc::channel(2);
        questions.send(streamed()).await.unwrap();
        let mut answers = client.evaluate_stream(ReceiverStream::new(asked)).await.unwrap().into_inner();
        assert!(answers.message().await.unwrap().is_some());
        streams.push((questions, answers));
    }
    std::fs::write(guarded.folder.path().join("clients.crl"), guarded.clients.revoke(&[7], 2090)).unwrap();
    assert!(guarded.files.refresh().unwrap());
    ends(&mut stolen).await;
    let (_, cut) = &mut streams[0];
    let outcome = tokio::time::timeout(PATIENCE, cut.message()).await.expect("the stream is cut off");
    assert!(!matches!(outcome, Ok(Some(_))), "{outcome:?}");
    // The other goes on, on the same connection.
    good.evaluate(question("file.read")).await.unwrap();
    let (questions, answers) = &mut streams[1];
    questions.send(streamed()).await.unwrap();
    let answered = tokio::time::timeout(PATIENCE, answers.message()).await.expect("an answer");
    assert!(answered.unwrap().is_some());
}

fn streamed() -> EvaluateStreamRequest {
    EvaluateStreamRequest { request: Some(question("file.read")) }
}

#[tokio::test]
async fn a_certificate_or_a_token_is_enough_where_both_are_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let key = TokenKey::new("k1", 1);
    let mut options = anybody();
    options.jwt = Some(write_keys(folder.path(), &[&key]));
    let guarded = Guarded::start(options);
    assert!(guarded.serves(Some(&guarded.clients.issue("good", |_| {}))).await);
    assert!(!guarded.serves(Some(&Authority::new("clients").issue("foreign", |_| {}))).await);

    let channel = connect(&guarded.running, &guarded.servers, None).await.unwrap();
    let mut client = DecisionServiceClient::new(channel.clone());
    let token = key.token("a", "default", 3_600);
    assert!(client.evaluate(with_token(question("file.read"), &token)).await.unwrap().into_inner().allowed);
    let refused = client.evaluate(question("file.read")).await.unwrap_err();
    assert_eq!((refused.code(), &*reason(refused.details()).0), (Code::Unauthenticated, "CREDENTIALS_REQUIRED"));
    HealthClient::new(channel).check(HealthCheckRequest::default()).await.unwrap();
}
