//! What the sub-commands take.

use std::path::PathBuf;

use crate::cli::eval::WhatArgs;
use crate::cli::target::time;
use crate::model::{Timestamp, level_of};

#[derive(Debug, clap::Args)]
pub struct ListArgs {
    /// Show also what is decided.
    #[arg(long)]
    pub all: bool,
    /// Show also what is archived.
    #[arg(long)]
    pub archived: bool,
    /// Only what this principal created.
    #[arg(long, value_name = "PRINCIPAL", default_value = "", hide_default_value = true)]
    pub created_by: String,
    /// Only what this principal approved or rejected.
    #[arg(long, value_name = "PRINCIPAL", default_value = "", hide_default_value = true)]
    pub approver: String,
    /// Most that are shown.
    #[arg(long, value_name = "NUMBER", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub limit: u32,
}

#[derive(Debug, clap::Args)]
pub struct ShowArgs {
    /// The approval.
    #[arg(value_name = "ID")]
    pub id: String,
    /// Show long texts to the end, and not their first 20 lines.
    #[arg(long)]
    pub full: bool,
}

#[derive(Debug, clap::Args)]
pub struct IdArgs {
    /// The approval.
    #[arg(value_name = "ID")]
    pub id: String,
}

#[derive(Debug, clap::Args)]
pub struct HistoryArgs {
    /// The approval; all of the tenant if not given.
    #[arg(value_name = "ID", default_value = "", hide_default_value = true)]
    pub id: String,
    /// Only what this principal, or worker, did.
    #[arg(long, value_name = "PRINCIPAL", default_value = "", hide_default_value = true)]
    pub actor: String,
    /// Most changes that are shown, newest first.
    #[arg(long, value_name = "NUMBER", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub limit: u32,
    /// Show long texts to the end, and not their first 20 lines.
    #[arg(long)]
    pub full: bool,
}

#[derive(Debug, clap::Args)]
pub struct ExportArgs {
    /// Also what is archived.
    #[arg(long)]
    pub archived: bool,
    /// Only what was created at this time or after, as RFC 3339.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub from: Option<Timestamp>,
    /// Only what was created before this time, as RFC 3339.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub to: Option<Timestamp>,
}

#[derive(Debug, clap::Args)]
pub struct VoteArgs {
    /// The approval.
    #[arg(value_name = "ID")]
    pub id: String,
    /// The hash that you have seen (`lictor approvals show`): what you decide about is this, and nothing else.
    #[arg(long, value_name = "HASH")]
    pub hash: String,
    /// Level to decide with, 1 to 5 or a name such as `manager`; your own if not given.
    #[arg(long, value_name = "LEVEL", value_parser = level)]
    pub level: Option<u32>,
    /// For the record.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub notes: String,
}

#[derive(Debug, clap::Args)]
pub struct CancelArgs {
    /// The approval.
    #[arg(value_name = "ID")]
    pub id: String,
    /// For the record.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub reason: String,
}

#[derive(Debug, clap::Args)]
pub struct CreateArgs {
    /// A plan (with `steps`) or a request for a single action, a YAML or JSON file; `-` for standard input.
    #[arg(short, long, value_name = "FILE", required_unless_present = "action", conflicts_with = "WhatArgs")]
    pub file: Option<PathBuf>,
    /// The single action that was answered REQUIRE_APPROVAL, as `lictor eval` takes it.
    #[command(flatten)]
    pub what: WhatArgs,
    /// Makes the command repeatable: the same key gives the same approval, with a new token.
    #[arg(long, value_name = "KEY")]
    pub key: String,
    /// Who asks for it; cannot approve it.
    #[arg(long, value_name = "PRINCIPAL", default_value = "", hide_default_value = true)]
    pub requested_by: String,
    /// Why, for the approver.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub justification: String,
    /// How long it is valid, in seconds [default: the approval policy's].
    #[arg(long, value_name = "SECONDS")]
    pub ttl: Option<i64>,
    /// A WebhookEndpoint to tell, beside those of the approval policy; may be given several times.
    #[arg(long = "webhook", value_name = "NAME")]
    pub webhooks: Vec<String>,
    /// Write the token to this file, which only its owner may read, and do not print it.
    #[arg(long, value_name = "FILE")]
    pub token_to: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub struct ConsumeArgs {
    /// The hash of what is about to run.
    #[arg(long, value_name = "HASH")]
    pub hash: String,
    /// A file with the token; `-` for standard input. Tokens do not belong on command lines, which others can see.
    #[arg(long, value_name = "FILE", default_value = "-")]
    pub token_from: PathBuf,
    /// Makes the command repeatable.
    #[arg(long, value_name = "KEY", default_value = "", hide_default_value = true)]
    pub key: String,
    /// Redeem this step of a plan alone, and not the whole: its id, or its position from 0 where it has none.
    #[arg(long, value_name = "ID")]
    pub step: Option<String>,
    /// The arguments that the step is about to be called with, a YAML or JSON file with one map; `-` for standard input.
    #[arg(long, value_name = "FILE", requires = "step")]
    pub params: Option<PathBuf>,
}

fn level(text: &str) -> Result<u32, String> {
    level_of(text).map(u32::from).ok_or_else(|| "write 1 to 5, or a name such as `team_lead` or `manager`".into())
}
