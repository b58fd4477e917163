//! A server with a small set of policies, and clients for it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use lictor::api::proto::rpc;
use lictor::api::proto::v1::decision_service_client::DecisionServiceClient;
use lictor::api::proto::v1::{Action, EvaluateRequest, Subject};
use lictor::api::{Listeners, Server, ServerOptions, State};
use lictor::config::{Principal, PrincipalAsserts};
use lictor::event::{EventLog, EventOptions};
use lictor::identity::{Identity, IdentityOptions};
use lictor::model::{Layer, Timestamp};
use lictor::policy::{self, Pattern, SourceText};
use lictor::receipt::{Issuer, IssuerOptions};
use lictor::snapshot::{Holder, Snapshot};
use lictor::telemetry::Telemetry;
use prost::Message;
use tokio::runtime::Handle;
use tonic::transport::{Channel, Endpoint};

/// What the tests ask about.
pub const POLICIES: &str = "
apiVersion: lictor.dev/v1
kind: Policy
metadata: {name: files}
spec:
  rules:
    - {name: read, effect: allow, actions: [file.read], reason: reading is fine}
    - {name: write, effect: deny, actions: [file.write], reason: writing is not}
    - {name: watch, effect: warn, actions: ['file.*'], reason: files are watched}
    - name: publish
      effect: require_approval
      requiredLevel: 3
      actions: [file.publish]
      obligations: [{id: notify, properties: {channel: press}}]
";

/// A running server and the folder of its socket.
pub struct Running {
    pub server: Server,
    pub telemetry: Arc<Telemetry>,
    pub holder: Arc<Holder>,
    pub issuer: Arc<Issuer>,
    events: EventLog,
    pub folder: tempfile::TempDir,
}

impl Running {
    /// Starts with the policies on a free port and a socket in a new folder, with `change` applied to the options.
    pub fn start(change: impl FnOnce(&mut ServerOptions)) -> Self {
        let running = Self::start_empty(change);
        running.publish(POLICIES, 1);
        running
    }

    /// Starts without policies.
    pub fn start_empty(change: impl FnOnce(&mut ServerOptions)) -> Self {
        Self::start_with_events(change, |_| {})
    }

    /// Starts with the policies, knowing callers by `identity`.
    pub fn start_as(identity: Arc<Identity>, change: impl FnOnce(&mut ServerOptions)) -> Self {
        let running = Self::launch(identity, change, |_| {});
        running.publish(POLICIES, 1);
        running
    }

    /// Starts without policies, with `change_events` applied to the options of the event log.
    pub fn start_with_events(
        change: impl FnOnce(&mut ServerOptions),
        change_events: impl FnOnce(&mut EventOptions),
    ) -> Self {
        Self::launch(identity(), change, change_events)
    }

    fn launch(
        identity: Arc<Identity>,
        change: impl FnOnce(&mut ServerOptions),
        change_events: impl FnOnce(&mut EventOptions),
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut options = ServerOptions {
            tcp: Some("127.0.0.1:0".parse().unwrap()),
            socket: Some(folder.path().join("lictor.sock")),
            ..ServerOptions::default()
        };
        change(&mut options);
        let mut event_options = EventOptions::new(folder.path().join("state"));
        change_events(&mut event_options);
        let events = EventLog::open(event_options).unwrap();
        let holder = Arc::new(Holder::default());
        let telemetry = Arc::new(Telemetry::new());
        let keys = folder.path().join("keys");
        std::fs::create_dir(&keys).unwrap();
        let receipts = IssuerOptions {
            issuer: "lictor".to_owned(),
            audience: "lictor".to_owned(),
            ttl_seconds: 3_600,
            grace_seconds: 0,
            epoch: 0,
            key: None,
            previous_keys: Vec::new(),
            directory: keys,
            noted: None,
        };
        let now = Timestamp::from_system(std::time::SystemTime::now());
        let issuer = Arc::new(Issuer::new(receipts, now).unwrap());
        let state = State {
            holder: holder.clone(),
            recorders: vec![events.recorder(0)],
            telemetry: telemetry.clone(),
            issuer: Some(issuer.clone()),
            identity,
            approvals: None,
        };
        let listeners = Listeners::bind(&options, &Handle::current()).unwrap();
        let server = Server::start(listeners, &options, state, &Handle::current()).unwrap();
        Self { server, telemetry, holder, issuer, events, folder }
    }

    /// Makes `documents` live; gives the digest.
    pub fn publish(&self, documents: &str, revision: u64) -> String {
        let text = SourceText { name: "test.yaml".into(), layer: Layer::Organisation, text: documents.into() };
        let loaded = policy::load(&[text]);
        assert!(!loaded.findings.has_errors(), "{:?}", loaded.findings);
        let snapshot = Arc::new(Snapshot::build(&loaded.documents, revision));
        let digest = snapshot.digest().to_owned();
        drop(self.holder.publish(snapshot));
        digest
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("lictor.sock")
    }

    /// A connection over TCP.
    pub async fn tcp(&self) -> Channel {
        let address = self.server.tcp_address().unwrap();
        Endpoint::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap()
    }

    /// A connection over the Unix socket.
    pub async fn unix(&self) -> Channel {
        let path = self.socket();
        let connect = tower::service_fn(move |_| {
            let path = path.clone();
            async move { tokio::net::UnixStream::connect(path).await.map(TokioIo::new) }
        });
        Endpoint::from_static("http://lictor").connect_with_connector(connect).await.unwrap()
    }

    /// A client over TCP.
    pub async fn client(&self) -> DecisionServiceClient<Channel> {
        DecisionServiceClient::new(self.tcp().await)
    }

    /// Stops within a generous time; gives whether everything was answered.
    pub async fn stop(self) -> bool {
        self.server.shutdown(Duration::from_secs(10)).await
    }

    /// Stops, and gives the events of the journal, one JSON value each.
    pub async fn stop_and_read_journal(self) -> Vec<serde_json::Value> {
        assert!(self.server.shutdown(Duration::from_secs(10)).await);
        self.events.close(Duration::from_secs(10)).unwrap();
        journal_in(self.folder.path())
    }

    /// The events that stand in the journal's files.
    pub fn read_journal(&self) -> Vec<serde_json::Value> {
        journal_in(self.folder.path())
    }
}

fn journal_in(folder: &Path) -> Vec<serde_json::Value> {
    let mut segments: Vec<PathBuf> = std::fs::read_dir(folder.join("state/journal"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "jsonl"))
        .collect();
    segments.sort();
    let text: String = segments.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Callers that may ask in every tenant.
pub fn identity() -> Arc<Identity> {
    let any: Box<[Pattern]> = [Pattern::parse("**").unwrap()].into();
    let anybody = Principal {
        matches: Pattern::parse("**").unwrap(),
        name: None,
        roles: Vec::new(),
        level: None,
        tenants: Some(any),
        may_assert: PrincipalAsserts::default(),
    };
    let mut options = IdentityOptions::default();
    options.principals.push(anybody);
    Arc::new(Identity::new(options).unwrap())
}

/// May an agent do `action`?
pub fn question(action: &str) -> EvaluateRequest {
    EvaluateRequest {
        subject: Some(Subject { r#type: "agent".into(), id: "support-7".into(), ..Subject::default() }),
        action: Some(Action { name: action.into(), ..Action::default() }),
        ..EvaluateRequest::default()
    }
}

/// The reason of a refusal and the paths of the fields that are wrong.
pub fn reason(details: &[u8]) -> (String, Vec<String>) {
    let status = rpc::Status::decode(details).unwrap();
    let mut reason = String::new();
    let mut fields = Vec::new();
    for detail in &status.details {
        match detail.type_url.as_str() {
            "type.googleapis.com/google.rpc.ErrorInfo" => {
                let info = rpc::ErrorInfo::decode(&*detail.value).unwrap();
                assert_eq!(info.domain, "lictor.dev");
                reason = info.reason;
            }
            "type.googleapis.com/google.rpc.BadRequest" => {
                let bad = rpc::BadRequest::decode(&*detail.value).unwrap();
                fields.extend(bad.field_violations.into_iter().map(|violation| violation.field));
            }
            other => panic!("unexpected detail {other}"),
        }
    }
    (reason, fields)
}
