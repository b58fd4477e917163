//! Who is asked: a server over its socket or TCP, or policies in process.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use hyper_util::rt::TokioIo;
use prost::Message;
use tonic::transport::{Channel, Endpoint};

use super::documents::{CommandError, Files};
use super::output::printable;
use crate::api::proto::rpc;
use crate::api::proto::v1::decision_service_client::DecisionServiceClient;
use crate::model::{Layer, Timestamp};
use crate::snapshot::Snapshot;

/// Where a server's socket is unless configured otherwise, seen from the folder that it was started in.
const DEFAULT_SOCKET: &str = "lictor-data/lictor.sock";
/// Where a server listens unless configured otherwise.
const DEFAULT_ADDRESS: &str = "127.0.0.1:50151";
/// Largest answer that is read; explanations may be long.
const MAX_ANSWER_BYTES: usize = 16 * 1024 * 1024;

/// Who is asked.
#[derive(Debug, clap::Args)]
pub struct TargetArgs {
    /// Ask the server at this Unix socket [default: ./lictor-data/lictor.sock if it exists].
    #[arg(long, value_name = "PATH", conflicts_with_all = ["address", "policies", "system_policies", "tenant_policies"])]
    socket: Option<PathBuf>,
    /// Ask the server at this TCP address [default: 127.0.0.1:50151].
    #[arg(long, value_name = "HOST:PORT", conflicts_with_all = ["policies", "system_policies", "tenant_policies"])]
    address: Option<String>,
    /// Ask no server: decide in process with the policy documents at these paths.
    #[arg(long, value_name = "PATH", num_args = 1..)]
    policies: Vec<PathBuf>,
    /// In process: policy documents of the system layer, which no other can overrule.
    #[arg(long, value_name = "PATH", num_args = 1..)]
    system_policies: Vec<PathBuf>,
    /// In process: policy documents of the tenant layer, which may narrow the others.
    #[arg(long, value_name = "PATH", num_args = 1..)]
    tenant_policies: Vec<PathBuf>,
    /// Decide as of this time, as RFC 3339 [default: now]; only in process.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub now: Option<Timestamp>,
    /// Longest wait for the server's answer, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 5_000, conflicts_with_all = ["policies", "system_policies", "tenant_policies"])]
    timeout_ms: u64,
}

impl TargetArgs {
    /// Whether no server is asked.
    pub fn is_in_process(&self) -> bool {
        [&self.policies, &self.system_policies, &self.tenant_policies].into_iter().any(|paths| !paths.is_empty())
    }

    /// How long to wait for a server.
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }

    /// The time as of which to decide in process.
    pub fn now(&self) -> Timestamp {
        self.now.unwrap_or_else(|| Timestamp::from_system(SystemTime::now()))
    }

    /// The documents to decide with in process.
    ///
    /// # Errors
    /// They cannot be read or have errors, or a resident snapshot is asked for (`pin`), which only a server has.
    pub fn snapshot(&self, pin: &str) -> Result<Snapshot, CommandError> {
        if !pin.is_empty() {
            return Err(CommandError::environment(
                "`--pin` needs a server; `--policies` names the documents themselves",
            ));
        }
        let layers = [
            (Layer::System, &self.system_policies),
            (Layer::Organisation, &self.policies),
            (Layer::Tenant, &self.tenant_policies),
        ];
        Ok(Snapshot::build(&Files::read(layers)?.load()?.documents, 0))
    }

    /// Puts a question to the server.
    ///
    /// # Errors
    /// Nobody answers, or the server refuses the question.
    pub fn ask<Q, A>(
        &self,
        question: Q,
        call: impl AsyncFnOnce(&mut DecisionServiceClient<Channel>, tonic::Request<Q>) -> Result<A, tonic::Status>,
    ) -> Result<A, CommandError> {
        if self.now.is_some() {
            return Err(CommandError::environment(
                "a server decides as of its own time; `--now` needs `--policies`, which decides in process",
            ));
        }
        let server = Server::of(self);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| CommandError::environment(format!("cannot start a runtime: {error}")))?;
        runtime.block_on(async {
            let channel = server.connect(self.timeout()).await?;
            let mut client = DecisionServiceClient::new(channel).max_decoding_message_size(MAX_ANSWER_BYTES);
            let mut request = tonic::Request::new(question);
            request.set_timeout(self.timeout());
            let answer = call(&mut client, request).await;
            answer.map_err(|status| CommandError::environment(describe(Some(&server), &status)))
        })
    }
}

/// How to show an answer.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object.
    Json,
}

/// A point in time as RFC 3339.
pub fn time(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text).ok_or_else(|| "write RFC 3339, for example `2026-03-01T09:30:00Z`".into())
}

/// A server to ask.
pub enum Server {
    Socket(PathBuf),
    Address(String),
}

impl Server {
    /// The server that `target` names.
    pub fn of(target: &TargetArgs) -> Self {
        match (&target.socket, &target.address) {
            (Some(path), _) => Self::Socket(path.clone()),
            (None, Some(address)) => Self::Address(address.clone()),
            (None, None) if Path::new(DEFAULT_SOCKET).exists() => Self::Socket(DEFAULT_SOCKET.into()),
            (None, None) => Self::Address(DEFAULT_ADDRESS.into()),
        }
    }

    /// The server in a sentence.
    pub fn name(&self) -> String {
        match self {
            Self::Socket(path) => format!("the socket `{}`", path.display()),
            Self::Address(address) => format!("`{address}`"),
        }
    }

    /// Connects within `timeout`.
    ///
    /// # Errors
    /// Nobody answers.
    pub async fn connect(&self, timeout: Duration) -> Result<Channel, CommandError> {
        let connected = match self {
            Self::Socket(path) => {
                let path = path.clone();
                let connector = tower::service_fn(move |_| {
                    let path = path.clone();
                    async move { tokio::net::UnixStream::connect(path).await.map(TokioIo::new) }
                });
                let endpoint = Endpoint::from_static("http://lictor.socket").connect_timeout(timeout);
                endpoint.connect_with_connector(connector).await
            }
            Self::Address(address) => match Endpoint::from_shared(format!("http://{address}")) {
                Ok(endpoint) => endpoint.connect_timeout(timeout).connect().await,
                Err(error) => Err(error),
            },
        };
        connected.map_err(|error| {
            CommandError::environment(format!(
                "no server answers at {}: {}\nstart one with `lictor serve`, name another with `--socket` or `--address`, \
                 or decide in process with `--policies DIR`",
                self.name(),
                root_cause(&error),
            ))
        })
    }
}

fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// What a refusal says, with every field that is wrong; `server` is `None` where the question was not sent.
pub fn describe(server: Option<&Server>, status: &tonic::Status) -> String {
    let details = rpc::Status::decode(status.details()).map(|status| status.details).unwrap_or_default();
    let at = server.map(|server| format!("the server at {} ", server.name())).unwrap_or_default();
    // Only who has answered gives details.
    let outcome = match (server, details.is_empty()) {
        (None, _) => "the question is refused",
        (Some(_), false) => "refused the question",
        (Some(_), true) => "did not answer",
    };
    let mut text = format!("{at}{outcome}: {} ({})", status.message(), status.code());
    for detail in details {
        if detail.type_url.ends_with("/google.rpc.BadRequest")
            && let Ok(bad) = rpc::BadRequest::decode(&*detail.value)
        {
            for violation in bad.field_violations {
                // Writing to a string cannot fail.
                let _ = write!(text, "\n  {}: {}", violation.field, violation.description);
            }
        }
    }
    // Whoever answers has no say over the terminal.
    printable(&text)
}
