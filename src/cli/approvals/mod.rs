//! `lictor approvals`: asking for approvals, deciding them, and redeeming them, at a running server.
//!
//! With `--output json` an approval is one JSON object with the fields of `Approval` in the contract's names (snake case),
//! enum values without their prefix; lists and `watch` print one object a line.

mod acting;
mod args;
mod content;
pub mod json;
mod quoted;
mod reading;
mod render;
mod watching;

use std::process::ExitCode;

use self::args::{CancelArgs, ConsumeArgs, CreateArgs, ExportArgs, HistoryArgs, IdArgs, ListArgs, ShowArgs, VoteArgs};
use super::at_server::AtServer;
use super::documents::CommandError;
use super::runtime::block_on;

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
    Show(Asking<ShowArgs>),
    /// Approve what `show` has shown, named by its hash; 1 if the level is too low to count.
    Approve(Asking<VoteArgs>),
    /// Reject it; one reject is final.
    Reject(Asking<VoteArgs>),
    /// Take an approval back.
    Cancel(Asking<CancelArgs>),
    /// Wait until an approval is decided, also while the server restarts; 0 if it may run.
    Watch(Asking<IdArgs>),
    /// Show who did what to approvals, and why, newest first.
    History(Asking<HistoryArgs>),
    /// Print the tenant's approvals as CSV.
    Export(Asking<ExportArgs>),
    /// Ask for the approval of a plan or of a single action; prints the token that redeems it, once.
    Create(Box<Asking<CreateArgs>>),
    /// Redeem an approval: exit code 0 means that the plan or action may run now, once.
    Consume(Asking<ConsumeArgs>),
}

/// Runs the sub-command: 0 if it did what it says, 1 if a watched approval may not run or one that was given does not count,
/// 2 if the server refuses or nobody answers.
pub fn run(args: &ApprovalsArgs) -> ExitCode {
    let outcome = block_on(execute(&args.command)).flatten();
    outcome.unwrap_or_else(|error| error.report_environment())
}

async fn execute(command: &Command) -> Result<ExitCode, CommandError> {
    match command {
        Command::List(Asking { own, server }) => {
            server.ask(async |client| reading::list(server, own, client).await).await
        }
        Command::Show(Asking { own, server }) => {
            server.ask(async |client| reading::show(server, own, client).await).await
        }
        Command::History(Asking { own, server }) => {
            server.ask(async |client| reading::history(server, own, client).await).await
        }
        Command::Export(Asking { own, server }) => {
            server.ask(async |client| reading::export(server, own, client).await).await
        }
        Command::Watch(Asking { own, server }) => watching::watch(server, &own.id).await,
        Command::Approve(Asking { own, server }) => {
            server.ask(async |client| acting::vote(server, own, true, client).await).await
        }
        Command::Reject(Asking { own, server }) => {
            server.ask(async |client| acting::vote(server, own, false, client).await).await
        }
        Command::Cancel(Asking { own, server }) => {
            server.ask(async |client| acting::cancel(server, own, client).await).await
        }
        // What can go wrong with files does so before anybody is asked.
        Command::Create(create) => {
            let Asking { own, server } = &**create;
            let (target, token_file) = (acting::target(own)?, acting::TokenFile::make(own)?);
            server.ask(async |client| acting::create(server, own, Some(target), token_file, client).await).await
        }
        Command::Consume(Asking { own, server }) => {
            let step = acting::step(own)?;
            let token = acting::token(&own.token_from)?;
            server.ask(async |client| acting::consume(server, own, token, step, client).await).await
        }
    }
}
