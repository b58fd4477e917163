//! Who is asked: a server over its socket or TCP, or policies in process.

use std::path::PathBuf;
use std::time::SystemTime;

use super::client::{ClientArgs, Connection, MAX_ANSWER_BYTES, describe};
use super::documents::{CommandError, Files};
use super::runtime::block_on;
use crate::api::proto::v1::decision_service_client::DecisionServiceClient;
use crate::model::{Layer, Timestamp};
use crate::snapshot::Snapshot;

/// Arguments that only make sense where a server is asked.
const OF_SERVERS: [&str; 8] =
    ["socket", "server", "tls_ca", "tls_certificate", "tls_key", "token_file", "dev_as", "timeout_ms"];

/// Who is asked.
#[derive(Debug, clap::Args)]
pub struct TargetArgs {
    #[command(flatten)]
    client: ClientArgs,
    /// Ask no server: decide in process with the policy documents at these paths.
    #[arg(long, value_name = "PATH", num_args = 1.., conflicts_with_all = OF_SERVERS)]
    policies: Vec<PathBuf>,
    /// In process: policy documents of the system layer, which no other can overrule.
    #[arg(long, value_name = "PATH", num_args = 1.., conflicts_with_all = OF_SERVERS)]
    system_policies: Vec<PathBuf>,
    /// In process: policy documents of the tenant layer, which may narrow the others.
    #[arg(long, value_name = "PATH", num_args = 1.., conflicts_with_all = OF_SERVERS)]
    tenant_policies: Vec<PathBuf>,
    /// Decide as of this time, as RFC 3339 [default: now]; only in process.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub now: Option<Timestamp>,
}

impl TargetArgs {
    /// Whether no server is asked.
    pub fn is_in_process(&self) -> bool {
        [&self.policies, &self.system_policies, &self.tenant_policies].into_iter().any(|paths| !paths.is_empty())
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
        call: impl AsyncFnOnce(&mut DecisionServiceClient<Connection>, tonic::Request<Q>) -> Result<A, tonic::Status>,
    ) -> Result<A, CommandError> {
        if self.now.is_some() {
            return Err(CommandError::environment(
                "a server decides as of its own time; `--now` needs `--policies`, which decides in process",
            ));
        }
        block_on(async {
            let connection = self.client.connect(", or decide in process with `--policies DIR`").await?;
            let mut client = DecisionServiceClient::new(connection).max_decoding_message_size(MAX_ANSWER_BYTES);
            let mut request = tonic::Request::new(question);
            request.set_timeout(self.client.timeout());
            let answer = call(&mut client, request).await;
            answer.map_err(|status| CommandError::environment(describe(Some(&self.client.server()), &status)))
        })
        .flatten()
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
