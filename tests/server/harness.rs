//! A server with a small set of policies, and clients for it.

use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use lictor::api::proto::v1::decision_service_client::DecisionServiceClient;
use lictor::api::proto::v1::{Action, EvaluateRequest, Subject};
use lictor::api::{Server, ServerOptions, State};
use lictor::event::{EventLog, EventOptions};
use lictor::snapshot::Holder;
use lictor::telemetry::Telemetry;
use tokio::runtime::Handle;
use tonic::transport::{Channel, Endpoint, Uri};

/// A running server and the folder of its socket.
pub struct Running {
    pub server: Server,
    pub telemetry: Arc<Telemetry>,
    pub holder: Arc<Holder>,
    _events: EventLog,
    folder: tempfile::TempDir,
}

impl Running {
    /// Starts on a free port and a socket in a new folder, with `change` applied to the options.
    pub fn start(change: impl FnOnce(&mut ServerOptions)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut options = ServerOptions {
            tcp: Some("127.0.0.1:0".parse().unwrap()),
            socket: Some(folder.path().join("lictor.sock")),
            ..ServerOptions::default()
        };
        change(&mut options);
        let holder = Arc::new(Holder::default());
        let telemetry = Arc::new(Telemetry::new());
        let events = EventLog::open(EventOptions::new(folder.path())).unwrap();
        let recorders = vec![events.recorder(0)];
        let state = State { holder: holder.clone(), recorders, telemetry: telemetry.clone() };
        let server = Server::start(&options, state, &Handle::current()).unwrap();
        Self { server, telemetry, holder, _events: events, folder }
    }

    /// A client over TCP.
    pub async fn over_tcp(&self) -> DecisionServiceClient<Channel> {
        let address = self.server.tcp_address().unwrap();
        DecisionServiceClient::new(Endpoint::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap())
    }

    /// A client over the Unix socket.
    pub async fn over_unix(&self) -> DecisionServiceClient<Channel> {
        let path = self.folder.path().join("lictor.sock");
        let connect = tower::service_fn(move |_: Uri| {
            let path = path.clone();
            async move { tokio::net::UnixStream::connect(path).await.map(TokioIo::new) }
        });
        DecisionServiceClient::new(
            Endpoint::from_static("http://lictor").connect_with_connector(connect).await.unwrap(),
        )
    }

    /// Stops within a generous time; gives whether everything was answered.
    pub async fn stop(self) -> bool {
        self.server.shutdown(Duration::from_secs(10)).await
    }
}

/// May `subject` do `action`?
pub fn question(subject: &str, action: &str) -> EvaluateRequest {
    EvaluateRequest {
        subject: Some(Subject { id: subject.into(), ..Subject::default() }),
        action: Some(Action { name: action.into(), ..Action::default() }),
        ..EvaluateRequest::default()
    }
}
