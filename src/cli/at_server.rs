//! Asking a server about approvals: which server, for which tenant, and how its answer is shown.

use super::client::{ClientArgs, Connection, MAX_ANSWER_BYTES, describe};
use super::documents::CommandError;
use super::target::Format;
use crate::api::proto::v1::approval_service_client::ApprovalServiceClient;

/// A client of the service of approvals.
pub type Client = ApprovalServiceClient<Connection>;

/// Which server, which tenant, and how to show the answer.
#[derive(Debug, clap::Args)]
pub struct AtServer {
    /// The tenant [default: default].
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    pub tenant: String,
    /// How to show the answer; of lists, JSON has one object a line.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub output: Format,
    #[command(flatten)]
    client: ClientArgs,
}

impl AtServer {
    /// Connects, and gives what `ask` makes of it.
    ///
    /// # Errors
    /// Nobody answers, or the server refuses.
    pub async fn ask<T>(
        &self,
        ask: impl AsyncFnOnce(&mut Client) -> Result<T, tonic::Status>,
    ) -> Result<T, CommandError> {
        let connection = self.client.connect("").await?;
        let mut client = ApprovalServiceClient::new(connection).max_decoding_message_size(MAX_ANSWER_BYTES);
        let asked = ask(&mut client).await;
        asked.map_err(|status| CommandError::environment(describe(Some(&self.client.server()), &status)))
    }

    /// `message`, to be answered in time.
    pub fn timed<T>(&self, message: T) -> tonic::Request<T> {
        let mut request = tonic::Request::new(message);
        request.set_timeout(self.client.timeout());
        request
    }
}
