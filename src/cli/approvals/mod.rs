//! `lictor approvals`: asking for approvals, deciding them, and redeeming them, at a running server.
//!
//! With `--output json` an approval is one JSON object with the fields of `Approval` in the contract's names (snake case),
//! enum values without their prefix; lists and `watch` print one object a line.

pub mod json;
mod render;

use std::path::PathBuf;
use std::process::ExitCode;

use super::client::{ClientArgs, Connection, MAX_ANSWER_BYTES, describe};
use super::documents::CommandError;
use super::target::Format;
use super::{exit, input, output};
use crate::api::proto::v1::approval_service_client::ApprovalServiceClient;
use crate::api::proto::v1::{self, ApprovalStatus};
use crate::api::to_plan_request;
use crate::model::level_of;
use crate::policy;

type Client = ApprovalServiceClient<Connection>;

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
    common: Common,
}

/// Which server, which tenant, and how to show the answer.
#[derive(Debug, clap::Args)]
struct Common {
    /// The tenant [default: default].
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    tenant: String,
    /// How to show the answer.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    output: Format,
    #[command(flatten)]
    client: ClientArgs,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Show what waits for approval.
    List(Asking<ListArgs>),
    /// Show what an approval would let run, why it needs approval, and what became of it.
    Show(Asking<IdArgs>),
    /// Approve, after showing what would run.
    Approve(Asking<VoteArgs>),
    /// Reject.
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
    #[arg(long, value_name = "PRINCIPAL", default_value = "")]
    created_by: String,
    /// Only what this principal approved or rejected.
    #[arg(long, value_name = "PRINCIPAL", default_value = "")]
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
    #[arg(long, value_name = "TEXT", default_value = "")]
    notes: String,
}

#[derive(Debug, clap::Args)]
struct CancelArgs {
    /// The approval.
    #[arg(value_name = "ID")]
    id: String,
    /// For the record.
    #[arg(long, value_name = "TEXT", default_value = "")]
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
    #[arg(long, value_name = "PRINCIPAL", default_value = "")]
    requested_by: String,
    /// Why, for the approver.
    #[arg(long, value_name = "TEXT", default_value = "")]
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
    #[arg(long, value_name = "KEY", default_value = "")]
    key: String,
}

fn level(text: &str) -> Result<u32, String> {
    level_of(text).map(u32::from).ok_or_else(|| "write 1 to 5, or a name such as `team_lead` or `manager`".into())
}

/// Runs the sub-command: 0 if it did what it says, 1 if a watched approval may not run, 2 if the server refuses or nobody
/// answers.
pub fn run(args: &ApprovalsArgs) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(execute(&args.command)),
        Err(error) => Err(CommandError::environment(format!("cannot start a runtime: {error}"))),
    };
    outcome.unwrap_or_else(|error| error.report_environment())
}

impl Command {
    fn common(&self) -> &Common {
        match self {
            Self::List(asking) => &asking.common,
            Self::Show(asking) | Self::Watch(asking) => &asking.common,
            Self::Approve(asking) | Self::Reject(asking) => &asking.common,
            Self::Cancel(asking) => &asking.common,
            Self::Create(asking) => &asking.common,
            Self::Consume(asking) => &asking.common,
        }
    }
}

async fn execute(command: &Command) -> Result<ExitCode, CommandError> {
    let args = command.common();
    // What can go wrong with files does so before anybody is asked.
    let plan = match command {
        Command::Create(create) => Some(input::read(&create.own.file, policy::read_plan)?),
        _ => None,
    };
    let token = match command {
        Command::Consume(consume) => token(&consume.own.token_from)?,
        _ => String::new(),
    };
    let connection = args.client.connect("").await?;
    let mut client = ApprovalServiceClient::new(connection).max_decoding_message_size(MAX_ANSWER_BYTES);
    let asked = async {
        match command {
            Command::List(list) => self::list(args, &list.own, &mut client).await,
            Command::Show(show) => self::show(args, &show.own.id, &mut client).await,
            Command::Approve(vote) => approve(args, &vote.own, &mut client).await,
            Command::Reject(vote) => reject(args, &vote.own, &mut client).await,
            Command::Cancel(cancel) => self::cancel(args, &cancel.own, &mut client).await,
            Command::Watch(watch) => self::watch(args, &watch.own.id, &mut client).await,
            Command::Create(create) => {
                let plan = plan.as_ref().map(to_plan_request).unwrap_or_default();
                self::create(args, &create.own, plan, &mut client).await
            }
            Command::Consume(consume) => self::consume(args, &consume.own, token, &mut client).await,
        }
    };
    asked.await.map_err(|status| CommandError::environment(describe(Some(&args.client.server()), &status)))
}

fn token(file: &std::path::Path) -> Result<String, CommandError> {
    let read =
        if file.as_os_str() == "-" { std::io::read_to_string(std::io::stdin()) } else { std::fs::read_to_string(file) };
    let text = read.map_err(|error| CommandError::environment(format!("cannot read the token: {error}")))?;
    Ok(text.trim().to_owned())
}

fn timed<T>(args: &Common, message: T) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    request.set_timeout(args.client.timeout());
    request
}

async fn list(args: &Common, list: &ListArgs, client: &mut Client) -> Result<ExitCode, tonic::Status> {
    let open = [ApprovalStatus::Pending, ApprovalStatus::Escalated].map(i32::from);
    let status = if list.all || list.archived { Vec::new() } else { open.to_vec() };
    let mut page_token = String::new();
    let mut left = list.limit;
    let mut shown = 0;
    while left > 0 {
        let request = v1::ListApprovalsRequest {
            tenant_id: args.tenant.clone(),
            status: status.clone(),
            created_by: list.created_by.clone(),
            approver: list.approver.clone(),
            page_size: i32::try_from(left.min(500)).ok(),
            page_token,
            include_archived: list.archived,
            ..v1::ListApprovalsRequest::default()
        };
        let page = client.list_approvals(timed(args, request)).await?.into_inner();
        for approval in &page.approvals {
            match args.output {
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
    if shown == 0 && matches!(args.output, Format::Text) {
        let what = if status.is_empty() { "there are no such approvals" } else { "nothing waits for approval" };
        output::print(format_args!("{what}\n"));
    }
    Ok(ExitCode::from(exit::OK))
}

fn print(args: &Common, approval: Option<&v1::Approval>) {
    let Some(approval) = approval else { return };
    match args.output {
        Format::Text => output::print(format_args!("{}", render::approval(approval))),
        Format::Json => output::print(format_args!("{:#}\n", json::approval(approval))),
    }
}

async fn show(args: &Common, id: &str, client: &mut Client) -> Result<ExitCode, tonic::Status> {
    let request = v1::GetApprovalRequest { tenant_id: args.tenant.clone(), approval_id: id.to_owned() };
    let answer = client.get_approval(timed(args, request)).await?.into_inner();
    print(args, answer.approval.as_ref());
    Ok(ExitCode::from(exit::OK))
}

async fn approve(args: &Common, vote: &VoteArgs, client: &mut Client) -> Result<ExitCode, tonic::Status> {
    let request = v1::ApproveRequest {
        tenant_id: args.tenant.clone(),
        approval_id: vote.id.clone(),
        target_hash: vote.hash.clone(),
        level: vote.level,
        notes: vote.notes.clone(),
        etag: String::new(),
    };
    let answer = client.approve(timed(args, request)).await?.into_inner();
    print(args, answer.approval.as_ref());
    Ok(ExitCode::from(exit::OK))
}

async fn reject(args: &Common, vote: &VoteArgs, client: &mut Client) -> Result<ExitCode, tonic::Status> {
    let request = v1::RejectRequest {
        tenant_id: args.tenant.clone(),
        approval_id: vote.id.clone(),
        target_hash: vote.hash.clone(),
        level: vote.level,
        notes: vote.notes.clone(),
        etag: String::new(),
    };
    let answer = client.reject(timed(args, request)).await?.into_inner();
    print(args, answer.approval.as_ref());
    Ok(ExitCode::from(exit::OK))
}

async fn cancel(args: &Common, cancel: &CancelArgs, client: &mut Client) -> Result<ExitCode, tonic::Status> {
    let request = v1::CancelRequest {
        tenant_id: args.tenant.clone(),
        approval_id: cancel.id.clone(),
        reason: cancel.reason.clone(),
    };
    let answer = client.cancel(timed(args, request)).await?.into_inner();
    print(args, answer.approval.as_ref());
    Ok(ExitCode::from(exit::OK))
}

async fn watch(args: &Common, id: &str, client: &mut Client) -> Result<ExitCode, tonic::Status> {
    let request = v1::WatchApprovalRequest { tenant_id: args.tenant.clone(), approval_id: id.to_owned() };
    let mut changes = client.watch_approval(request).await?.into_inner();
    while let Some(change) = changes.message().await? {
        let Some(approval) = change.approval else { continue };
        match args.output {
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
    args: &Common,
    create: &CreateArgs,
    plan: v1::ValidateIrRequest,
    client: &mut Client,
) -> Result<ExitCode, tonic::Status> {
    let request = v1::CreateApprovalRequest {
        idempotency_key: create.key.clone(),
        tenant_id: args.tenant.clone(),
        target: Some(v1::create_approval_request::Target::Plan(plan)),
        requested_by: create.requested_by.clone(),
        justification: create.justification.clone(),
        ttl_seconds: create.ttl,
        webhook_endpoints: Vec::new(),
        correlation_id: String::new(),
    };
    let answer = client.create_approval(timed(args, request)).await?.into_inner();
    let Some(approval) = &answer.approval else { return Ok(ExitCode::from(exit::FAILED)) };
    match args.output {
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
    args: &Common,
    consume: &ConsumeArgs,
    token: String,
    client: &mut Client,
) -> Result<ExitCode, tonic::Status> {
    let request = v1::ConsumeRequest {
        tenant_id: args.tenant.clone(),
        token,
        target_hash: consume.hash.clone(),
        step: None,
        redemption_key: consume.key.clone(),
    };
    let answer = client.consume(timed(args, request)).await?.into_inner();
    match args.output {
        Format::Text => output::print(format_args!("{}", render::redeemed(&answer))),
        Format::Json => output::print(format_args!("{:#}\n", json::redeemed(&answer))),
    }
    Ok(ExitCode::from(exit::OK))
}
