//! `lictor approvals`: asking for approvals, deciding them, and redeeming them, at a running server.
//!
//! With `--output json` an approval is one JSON object with the fields of `Approval` in the contract's names (snake case),
//! enum values without their prefix; lists and `watch` print one object a line.

pub mod json;
mod render;

use std::path::PathBuf;
use std::process::ExitCode;

use super::at_server::{AtServer, Client};
use super::documents::CommandError;
use super::runtime::block_on;
use super::target::Format;
use super::{exit, input, output};
use crate::api::proto::v1::{self, ApprovalStatus};
use crate::api::to_plan_request;
use crate::model::level_of;
use crate::policy;

/// Arguments of `lictor approvals`.
#[derive(Debug, clap::Args)]
pub struct ApprovalsArgs {
    #[command(subcommand)]
    command: Command,
}

/// A sub-command's own arguments, and those of all.
#[derive(Debug, clap::Args)]
struct Asking<T: clap::Args> {
    #[command(flatten)]
    own: T,
    #[command(flatten)]
    server: AtServer,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Show what waits for approval.
    List(Asking<ListArgs>),
    /// Show what an approval would let run, why it needs approval, and what became of it.
    Show(Asking<IdArgs>),
    /// Approve what `show` has shown, named by its hash.
    Approve(Asking<VoteArgs>),
    /// Reject it; one reject is final.
    Reject(Asking<VoteArgs>),
    /// Take an approval back.
    Cancel(Asking<CancelArgs>),
    /// Wait until an approval is decided; 0 if it may run.
    Watch(Asking<IdArgs>),
    /// Ask for the approval of a plan; prints the token that redeems it, once.
    Create(Asking<CreateArgs>),
    /// Redeem an approval: exit code 0 means that the plan may run now, once.
    Consume(Asking<ConsumeArgs>),
}

#[derive(Debug, clap::Args)]
struct ListArgs {
    /// Show also what is decided.
    #[arg(long)]
    all: bool,
    /// Show also what is archived.
    #[arg(long)]
    archived: bool,
    /// Only what this principal created.
    #[arg(long, value_name = "PRINCIPAL", default_value = "", hide_default_value = true)]
    created_by: String,
    /// Only what this principal approved or rejected.
    #[arg(long, value_name = "PRINCIPAL", default_value = "", hide_default_value = true)]
    approver: String,
    /// Most that are shown.
    #[arg(long, value_name = "NUMBER", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
}

#[derive(Debug, clap::Args)]
struct IdArgs {
    /// The approval.
    #[arg(value_name = "ID")]
    id: String,
}

#[derive(Debug, clap::Args)]
struct VoteArgs {
    /// The approval.
    #[arg(value_name = "ID")]
    id: String,
    /// The hash that you have seen (`lictor approvals show`): what you decide about is this, and nothing else.
    #[arg(long, value_name = "HASH")]
    hash: String,
    /// Level to decide with, 1 to 5 or a name such as `manager`; your own if not given.
    #[arg(long, value_name = "LEVEL", value_parser = level)]
    level: Option<u32>,
    /// For the record.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    notes: String,
}

#[derive(Debug, clap::Args)]
struct CancelArgs {
    /// The approval.
    #[arg(value_name = "ID")]
    id: String,
    /// For the record.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    reason: String,
}

#[derive(Debug, clap::Args)]
struct CreateArgs {
    /// The plan, a YAML or JSON file; `-` for standard input.
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,
    /// Makes the command repeatable: the same key gives the same approval, with a new token.
    #[arg(long, value_name = "KEY")]
    key: String,
    /// Who asks for it; cannot approve it.
    #[arg(long, value_name = "PRINCIPAL", default_value = "", hide_default_value = true)]
    requested_by: String,
    /// Why, for the approver.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    justification: String,
    /// How long it is valid, in seconds [default: the approval policy's].
    #[arg(long, value_name = "SECONDS")]
    ttl: Option<i64>,
}

#[derive(Debug, clap::Args)]
struct ConsumeArgs {
    /// The hash of what is about to run.
    #[arg(long, value_name = "HASH")]
    hash: String,
    /// A file with the token; `-` for standard input. Tokens do not belong on command lines, which others can see.
    #[arg(long, value_name = "FILE", default_value = "-")]
    token_from: PathBuf,
    /// Makes the command repeatable.
    #[arg(long, value_name = "KEY", default_value = "", hide_default_value = true)]
    key: String,
}

fn level(text: &str) -> Result<u32, String> {
    level_of(text).map(u32::from).ok_or_else(|| "write 1 to 5, or a name such as `team_lead` or `manager`".into())
}

/// Runs the sub-command: 0 if it did what it says, 1 if a watched approval may not run, 2 if the server refuses or nobody
/// answers.
pub fn run(args: &ApprovalsArgs) -> ExitCode {
    let outcome = block_on(execute(&args.command)).flatten();
    outcome.unwrap_or_else(|error| error.report_environment())
}

impl Command {
    fn server(&self) -> &AtServer {
        match self {
            Self::List(asking) => &asking.server,
            Self::Show(asking) | Self::Watch(asking) => &asking.server,
            Self::Approve(asking) | Self::Reject(asking) => &asking.server,
            Self::Cancel(asking) => &asking.server,
            Self::Create(asking) => &asking.server,
            Self::Consume(asking) => &asking.server,
        }
    }
}

async fn execute(command: &Command) -> Result<ExitCode, CommandError> {
    let server = command.server();
    // What can go wrong with files does so before anybody is asked.
    let plan = match command {
        Command::Create(create) => Some(input::read(&create.own.file, policy::read_plan)?),
        _ => None,
    };
    let token = match command {
        Command::Consume(consume) => token(&consume.own.token_from)?,
        _ => String::new(),
    };
    server
        .ask(async |client| match command {
            Command::List(list) => self::list(server, &list.own, client).await,
            Command::Show(show) => self::show(server, &show.own.id, client).await,
            Command::Approve(vote) => self::vote(server, &vote.own, true, client).await,
            Command::Reject(vote) => self::vote(server, &vote.own, false, client).await,
            Command::Cancel(cancel) => self::cancel(server, &cancel.own, client).await,
            Command::Watch(watch) => self::watch(server, &watch.own.id, client).await,
            Command::Create(create) => {
                let plan = plan.as_ref().map(to_plan_request).unwrap_or_default();
                self::create(server, &create.own, plan, client).await
            }
            Command::Consume(consume) => self::consume(server, &consume.own, token, client).await,
        })
        .await
}

fn token(file: &std::path::Path) -> Result<String, CommandError> {
    let read =
        if file.as_os_str() == "-" { std::io::read_to_string(std::io::stdin()) } else { std::fs::read_to_string(file) };
    let text = read.map_err(|error| CommandError::environment(format!("cannot read the token: {error}")))?;
    Ok(text.trim().to_owned())
}

async fn list(server: &AtServer, list: &ListArgs, client: &mut Client) -> Result<ExitCode, tonic::Status> {
    let open = [ApprovalStatus::Pending, ApprovalStatus::Escalated].map(i32::from);
    let status = if list.all || list.archived { Vec::new() } else { open.to_vec() };
    let mut page_token = String::new();
    let mut left = list.limit;
    let mut shown = 0;
    while left > 0 {
        let request = v1::ListApprovalsRequest {
            tenant_id: server.tenant.clone(),
            status: status.clone(),
            created_by: list.created_by.clone(),
            approver: list.approver.clone(),
            page_size: i32::try_from(left.min(500)).ok(),
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
        shown += page.approvals.len();
        left = left.saturating_sub(u32::try_from(page.approvals.len()).unwrap_or(u32::MAX));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    if shown == 0 && matches!(server.output, Format::Text) {
        let what = if status.is_empty() { "there are no such approvals" } else { "nothing waits for approval" };
        output::print(format_args!("{what}\n"));
    }
    Ok(ExitCode::from(exit::OK))
}

fn print(server: &AtServer, approval: Option<&v1::Approval>) {
    let Some(approval) = approval else { return };
    match server.output {
        Format::Text => output::print(format_args!("{}", render::approval(approval))),
        Format::Json => output::print(format_args!("{:#}\n", json::approval(approval))),
    }
}

async fn show(server: &AtServer, id: &str, client: &mut Client) -> Result<ExitCode, tonic::Status> {
    let request = v1::GetApprovalRequest { tenant_id: server.tenant.clone(), approval_id: id.to_owned() };
    let answer = client.get_approval(server.timed(request)).await?.into_inner();
    print(server, answer.approval.as_ref());
    Ok(ExitCode::from(exit::OK))
}

async fn vote(
    server: &AtServer,
    vote: &VoteArgs,
    approves: bool,
    client: &mut Client,
) -> Result<ExitCode, tonic::Status> {
    // Both requests have the same fields.
    macro_rules! request {
        ($Request:ident) => {
            server.timed(v1::$Request {
                tenant_id: server.tenant.clone(),
                approval_id: vote.id.clone(),
                target_hash: vote.hash.clone(),
                level: vote.level,
                notes: vote.notes.clone(),
                etag: String::new(),
            })
        };
    }
    let approval = if approves {
        client.approve(request!(ApproveRequest)).await?.into_inner().approval
    } else {
        client.reject(request!(RejectRequest)).await?.into_inner().approval
    };
    print(server, approval.as_ref());
    Ok(ExitCode::from(exit::OK))
}

async fn cancel(server: &AtServer, cancel: &CancelArgs, client: &mut Client) -> Result<ExitCode, tonic::Status> {
    let request = v1::CancelRequest {
        tenant_id: server.tenant.clone(),
        approval_id: cancel.id.clone(),
        reason: cancel.reason.clone(),
    };
    let answer = client.cancel(server.timed(request)).await?.into_inner();
    print(server, answer.approval.as_ref());
    Ok(ExitCode::from(exit::OK))
}

async fn watch(server: &AtServer, id: &str, client: &mut Client) -> Result<ExitCode, tonic::Status> {
    let request = v1::WatchApprovalRequest { tenant_id: server.tenant.clone(), approval_id: id.to_owned() };
    let mut changes = client.watch_approval(request).await?.into_inner();
    while let Some(change) = changes.message().await? {
        let Some(approval) = change.approval else { continue };
        match server.output {
            Format::Text => output::print(format_args!("{}", render::row(&approval))),
            Format::Json => output::print(format_args!("{}\n", json::approval(&approval))),
        }
        match approval.status() {
            ApprovalStatus::Pending | ApprovalStatus::Escalated => {}
            ApprovalStatus::Approved | ApprovalStatus::AutoApproved | ApprovalStatus::Consumed => {
                return Ok(ExitCode::from(exit::OK));
            }
            _ => return Ok(ExitCode::from(exit::FAILED)),
        }
    }
    Ok(ExitCode::from(exit::FAILED))
}

async fn create(
    server: &AtServer,
    create: &CreateArgs,
    plan: v1::ValidateIrRequest,
    client: &mut Client,
) -> Result<ExitCode, tonic::Status> {
    let request = v1::CreateApprovalRequest {
        idempotency_key: create.key.clone(),
        tenant_id: server.tenant.clone(),
        target: Some(v1::create_approval_request::Target::Plan(plan)),
        requested_by: create.requested_by.clone(),
        justification: create.justification.clone(),
        ttl_seconds: create.ttl,
        webhook_endpoints: Vec::new(),
        correlation_id: String::new(),
    };
    let answer = client.create_approval(server.timed(request)).await?.into_inner();
    let Some(approval) = &answer.approval else { return Ok(ExitCode::from(exit::FAILED)) };
    match server.output {
        Format::Text => {
            output::print(format_args!("{}", render::approval(approval)));
            output::print(format_args!("{}", render::token(&answer.token)));
        }
        Format::Json => {
            let answer = serde_json::json!({"approval": json::approval(approval), "token": answer.token});
            output::print(format_args!("{answer:#}\n"));
        }
    }
    Ok(ExitCode::from(exit::OK))
}

async fn consume(
    server: &AtServer,
    consume: &ConsumeArgs,
    token: String,
    client: &mut Client,
) -> Result<ExitCode, tonic::Status> {
    let request = v1::ConsumeRequest {
        tenant_id: server.tenant.clone(),
        token,
        target_hash: consume.hash.clone(),
        step: None,
        redemption_key: consume.key.clone(),
    };
    let answer = client.consume(server.timed(request)).await?.into_inner();
    match server.output {
        Format::Text => output::print(format_args!("{}", render::redeemed(&answer))),
        Format::Json => output::print(format_args!("{:#}\n", json::redeemed(&answer))),
    }
    Ok(ExitCode::from(exit::OK))
}
