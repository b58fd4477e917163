//! Lists, one approval, what became of it, and the file for auditors.

use std::io::Write as _;
use std::process::ExitCode;

use super::args::{ExportArgs, HistoryArgs, ListArgs, ShowArgs};
use super::quoted::Length;
use super::{json, render};
use crate::api::proto::v1::{self, ApprovalStatus};
use crate::cli::at_server::{AtServer, Client};
use crate::cli::target::Format;
use crate::cli::{exit, output};
use crate::model::Timestamp;

/// Most entries of a page.
const PAGE: u32 = 500;

/// How much of long texts is shown.
const fn length(full: bool) -> Length {
    if full { Length::Full } else { Length::Short }
}

pub async fn list(server: &AtServer, list: &ListArgs, client: &mut Client) -> Result<ExitCode, tonic::Status> {
    let open = [ApprovalStatus::Pending, ApprovalStatus::Escalated].map(i32::from);
    let status = if list.all || list.archived { Vec::new() } else { open.to_vec() };
    let mut page_token = String::new();
    let mut left = list.limit;
    while left > 0 {
        let request = v1::ListApprovalsRequest {
            tenant_id: server.tenant.clone(),
            status: status.clone(),
            created_by: list.created_by.clone(),
            approver: list.approver.clone(),
            page_size: i32::try_from(left.min(PAGE)).ok(),
            page_token,
            include_archived: list.archived,
            ..v1::ListApprovalsRequest::default()
        };
        let page = client.list_approvals(server.timed(request)).await?.into_inner();
        for approval in &page.approvals {
            match server.output {
                Format::Text => output::print(format_args!("{}", render::row(approval))),
                Format::Json => output::print(format_args!("{}\n", json::approval(approval))),
            }
        }
        left = left.saturating_sub(u32::try_from(page.approvals.len()).unwrap_or(u32::MAX));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    if left == list.limit && matches!(server.output, Format::Text) {
        let what = if status.is_empty() { "there are no such approvals" } else { "nothing waits for approval" };
        output::print(format_args!("{what}\n"));
    }
    say_more(&page_token);
    Ok(ExitCode::from(exit::OK))
}

/// Says that a list was cut.
fn say_more(page_token: &str) {
    if !page_token.is_empty() {
        anstream::eprintln!("there are more; `--limit` shows more of them");
    }
}

pub async fn show(server: &AtServer, args: &ShowArgs, client: &mut Client) -> Result<ExitCode, tonic::Status> {
    let request = v1::GetApprovalRequest { tenant_id: server.tenant.clone(), approval_id: args.id.clone() };
    let answer = client.get_approval(server.timed(request)).await?.into_inner();
    let Some(approval) = &answer.approval else { return Ok(ExitCode::from(exit::FAILED)) };
    let history = HistoryArgs { id: args.id.clone(), actor: String::new(), limit: PAGE, full: args.full };
    // Who may see an approval need not be let see what others did.
    let mut changes = match changes(server, &history, client).await {
        Ok((changes, _)) => changes,
        Err(status) if status.code() == tonic::Code::PermissionDenied => Vec::new(),
        Err(status) => return Err(status),
    };
    changes.reverse();
    match server.output {
        Format::Text => {
            output::print(format_args!("{}", render::approval(approval, &changes, length(args.full))));
        }
        Format::Json => {
            let mut object = json::approval(approval);
            if let Some(members) = object.as_object_mut() {
                members.insert("history".into(), changes.iter().map(json::change).collect());
            }
            output::print(format_args!("{object:#}\n"));
        }
    }
    Ok(ExitCode::from(exit::OK))
}

/// What became of approvals, newest first, and where to go on.
async fn changes(
    server: &AtServer,
    args: &HistoryArgs,
    client: &mut Client,
) -> Result<(Vec<v1::ApprovalHistoryEntry>, String), tonic::Status> {
    let mut changes = Vec::new();
    let mut page_token = String::new();
    let mut left = args.limit;
    while left > 0 {
        let request = v1::ListApprovalHistoryRequest {
            tenant_id: server.tenant.clone(),
            approval_id: args.id.clone(),
            actor: args.actor.clone(),
            page_size: i32::try_from(left.min(PAGE)).ok(),
            page_token,
            ..v1::ListApprovalHistoryRequest::default()
        };
        let page = client.list_approval_history(server.timed(request)).await?.into_inner();
        left = left.saturating_sub(u32::try_from(page.entries.len()).unwrap_or(u32::MAX));
        changes.extend(page.entries);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    Ok((changes, page_token))
}

pub async fn history(server: &AtServer, args: &HistoryArgs, client: &mut Client) -> Result<ExitCode, tonic::Status> {
    let (changes, page_token) = changes(server, args, client).await?;
    for entry in &changes {
        match server.output {
            Format::Text => {
                let mut text = String::new();
                // Writing to a string cannot fail.
                let _ = render::change(&mut text, entry, args.id.is_empty(), length(args.full));
                output::print(format_args!("{text}"));
            }
            Format::Json => output::print(format_args!("{}\n", json::change(entry))),
        }
    }
    if changes.is_empty() && matches!(server.output, Format::Text) {
        output::print(format_args!("nothing became of such approvals\n"));
    }
    say_more(&page_token);
    Ok(ExitCode::from(exit::OK))
}

pub async fn export(server: &AtServer, args: &ExportArgs, client: &mut Client) -> Result<ExitCode, tonic::Status> {
    let request = v1::ExportApprovalsRequest {
        tenant_id: server.tenant.clone(),
        from: args.from.map(time),
        to: args.to.map(time),
        include_archived: args.archived,
        ..v1::ExportApprovalsRequest::default()
    };
    // As long as it takes.
    let mut pieces = client.export_approvals(request).await?.into_inner();
    let mut out = std::io::stdout().lock();
    while let Some(piece) = pieces.message().await? {
        // The bytes as they are: this is a file, not a screen.
        if let Err(error) = out.write_all(&piece.csv).and_then(|()| out.flush()) {
            anstream::eprintln!("cannot write to standard output: {error}");
            return Ok(ExitCode::from(exit::USAGE));
        }
    }
    Ok(ExitCode::from(exit::OK))
}

fn time(time: Timestamp) -> prost_types::Timestamp {
    let micros = time.as_micros();
    prost_types::Timestamp {
        seconds: micros.div_euclid(1_000_000),
        nanos: i32::try_from(micros.rem_euclid(1_000_000) * 1_000).unwrap_or(0),
    }
}
