//! Asking: a server over its socket or TCP, or policies in process.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use hyper_util::rt::TokioIo;
use prost::Message;
use tonic::transport::{Channel, Endpoint};

use super::TargetArgs;
use crate::api::proto::rpc;
use crate::api::proto::v1::EvaluateResponse;
use crate::api::proto::v1::decision_service_client::DecisionServiceClient;
use crate::api::{check_request, to_request, to_response};
use crate::cli::documents::{CommandError, Files};
use crate::decide;
use crate::model::{Layer, Limits, Request, Timestamp, has_forbidden_character};
use crate::snapshot::Snapshot;

/// Where a server's socket is unless configured otherwise, seen from the folder that it was started in.
const DEFAULT_SOCKET: &str = "lictor-data/lictor.sock";
/// Where a server listens unless configured otherwise.
const DEFAULT_ADDRESS: &str = "127.0.0.1:50151";
/// Largest answer that is read; explanations may be long.
const MAX_ANSWER_BYTES: usize = 16 * 1024 * 1024;

/// Asks `request`.
///
/// # Errors
/// Nobody answers, the server refuses the question, or the documents have errors.
pub fn ask(target: &TargetArgs, request: &Request) -> Result<EvaluateResponse, CommandError> {
    if target.is_in_process() {
        return in_process(target, request);
    }
    if target.now.is_some() {
        return Err(CommandError::environment(
            "a server decides as of its own time; `--now` needs `--policies`, which decides in process",
        ));
    }
    let server = Server::of(target);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| CommandError::environment(format!("cannot start a runtime: {error}")))?;
    runtime.block_on(remote(&server, target.timeout(), request))
}

fn in_process(target: &TargetArgs, request: &Request) -> Result<EvaluateResponse, CommandError> {
    if !request.snapshot.is_empty() {
        return Err(CommandError::environment("`--pin` needs a server; `--policies` names the documents themselves"));
    }
    let limits = Limits::default();
    check_request(request, &limits).map_err(|status| CommandError::environment(describe(None, &status)))?;
    let layers = [
        (Layer::System, &target.system_policies),
        (Layer::Organisation, &target.policies),
        (Layer::Tenant, &target.tenant_policies),
    ];
    let loaded = Files::read(layers)?.load()?;
    let snapshot = Snapshot::build(&loaded.documents, 0);
    let now = target.now.unwrap_or_else(|| Timestamp::from_system(SystemTime::now()));
    let begin = Instant::now();
    let decision = decide::evaluate(Some(&snapshot), request, now, &limits);
    let nanos = u64::try_from(begin.elapsed().as_nanos()).unwrap_or(u64::MAX);
    Ok(to_response(request, &decision, nanos))
}

/// A server to ask.
enum Server {
    Socket(PathBuf),
    Address(String),
}

impl Server {
    fn of(target: &TargetArgs) -> Self {
        match (&target.socket, &target.address) {
            (Some(path), _) => Self::Socket(path.clone()),
            (None, Some(address)) => Self::Address(address.clone()),
            (None, None) if Path::new(DEFAULT_SOCKET).exists() => Self::Socket(DEFAULT_SOCKET.into()),
            (None, None) => Self::Address(DEFAULT_ADDRESS.into()),
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Socket(path) => format!("the socket `{}`", path.display()),
            Self::Address(address) => format!("`{address}`"),
        }
    }

    async fn connect(&self, timeout: Duration) -> Result<Channel, CommandError> {
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

async fn remote(server: &Server, timeout: Duration, request: &Request) -> Result<EvaluateResponse, CommandError> {
    let channel = server.connect(timeout).await?;
    let mut client = DecisionServiceClient::new(channel).max_decoding_message_size(MAX_ANSWER_BYTES);
    let mut call = tonic::Request::new(to_request(request));
    call.set_timeout(timeout);
    match client.evaluate(call).await {
        Ok(answer) => Ok(answer.into_inner()),
        Err(status) => Err(CommandError::environment(describe(Some(server), &status))),
    }
}

/// What a refusal says, with every field that is wrong; `server` is `None` where the question was not sent.
fn describe(server: Option<&Server>, status: &tonic::Status) -> String {
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
    text.chars()
        .map(|c| if c != '\n' && has_forbidden_character(c.encode_utf8(&mut [0; 4])) { '\u{fffd}' } else { c })
        .collect()
}
