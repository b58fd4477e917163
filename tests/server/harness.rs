//! A server with a small set of policies, and clients for it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use lictor::api::proto::rpc;
use lictor::api::proto::v1::decision_service_client::DecisionServiceClient;
use lictor::api::proto::v1::{Action, EvaluateRequest, Subject};
use lictor::api::{Server, ServerOptions, State};
use lictor::event::Recorder;
use lictor::model::Layer;
use lictor::policy::{self, SourceText};
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
        let folder = tempfile::tempdir().unwrap();
        let mut options = ServerOptions {
            tcp: Some("127.0.0.1:0".parse().unwrap()),
            socket: Some(folder.path().join("lictor.sock")),
            ..ServerOptions::default()
        };
        change(&mut options);
        let holder = Arc::new(Holder::default());
        let telemetry = Arc::new(Telemetry::new());
        let server = Server::start(&options, state(&holder, &telemetry), &Handle::current()).unwrap();
        Self { server, telemetry, holder, folder }
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
}

/// What a server decides with.
pub fn state(holder: &Arc<Holder>, telemetry: &Arc<Telemetry>) -> State {
    State { holder: holder.clone(), recorders: vec![Recorder {}], telemetry: telemetry.clone() }
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
