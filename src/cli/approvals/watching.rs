//! Waiting until an approval is decided, whatever becomes of the connection meanwhile.

use std::process::ExitCode;
use std::time::Duration;

use tonic::Code;

use super::{json, render};
use crate::api::proto::v1::{self, ApprovalStatus};
use crate::cli::at_server::{AtServer, Client};
use crate::cli::documents::CommandError;
use crate::cli::target::Format;
use crate::cli::{exit, output};

/// First wait before it is asked again.
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// Longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Waits until the approval is decided. Once a server has answered, it is asked again for as long as it takes.
pub async fn watch(server: &AtServer, id: &str) -> Result<ExitCode, CommandError> {
    let mut seen = String::new();
    let mut wait = FIRST_WAIT;
    loop {
        let before = seen.clone();
        let outcome = server.ask(async |client| match follow(server, id, client, &mut seen).await {
            Err(status) if is_passing(status.code()) => Ok(None),
            outcome => outcome,
        });
        let lost = match outcome.await {
            Ok(Some(code)) => return Ok(code),
            Ok(None) => "the connection ended".to_owned(),
            Err(error) if before.is_empty() => return Err(error),
            Err(CommandError::Environment(message)) if message.starts_with("no server answers") => message,
            Err(error) => return Err(error),
        };
        if seen != before {
            wait = FIRST_WAIT;
        }
        let lost = lost.lines().next().unwrap_or_default();
        anstream::eprintln!("{lost}; asking again until it is decided");
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// Whether the same call may be answered later.
const fn is_passing(code: Code) -> bool {
    matches!(code, Code::Unavailable | Code::Unknown | Code::Cancelled | Code::Internal | Code::ResourceExhausted)
}

/// Shows each change until the last; `None` where the stream ends before it.
async fn follow(
    server: &AtServer,
    id: &str,
    client: &mut Client,
    seen: &mut String,
) -> Result<Option<ExitCode>, tonic::Status> {
    let request = v1::WatchApprovalRequest { tenant_id: server.tenant.clone(), approval_id: id.to_owned() };
    let mut changes = client.watch_approval(request).await?.into_inner();
    while let Some(change) = changes.message().await? {
        let Some(approval) = change.approval else { continue };
        if approval.etag == *seen {
            continue;
        }
        seen.clone_from(&approval.etag);
        match server.output {
            Format::Text => output::print(format_args!("{}{}", render::row(&approval), render::resolution(&approval))),
            Format::Json => output::print(format_args!("{}\n", json::approval(&approval))),
        }
        match approval.status() {
            ApprovalStatus::Pending | ApprovalStatus::Escalated => {}
            ApprovalStatus::Approved | ApprovalStatus::AutoApproved | ApprovalStatus::Consumed => {
                return Ok(Some(ExitCode::from(exit::OK)));
            }
            _ => return Ok(Some(ExitCode::from(exit::FAILED))),
        }
    }
    Ok(None)
}
