//! The command line. Each sub-command is a file: its arguments and what it does.
//!
//! Human output goes to a terminal in colour, `--output json` is for machines. Exit codes are in [`exit`].

mod approvals;
mod at_server;
mod audit;
mod backup;
mod catalog;
mod check;
mod client;
mod documents;
mod escalate;
mod eval;
pub mod exit;
mod hash;
mod import;
mod input;
mod json_error;
mod output;
mod receipt;
mod runtime;
mod schema;
mod serve;
mod style;
mod target;
mod test;
mod validate_ir;
mod verify_dag;
mod webhooks;

use std::process::ExitCode;

use clap::Parser;

/// The policy-decision point for AI agents.
#[derive(Debug, Parser)]
#[command(name = "lictor", version, about, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Ask for approvals, decide them, and redeem them.
    Approvals(Box<approvals::ApprovalsArgs>),
    /// Verify or read the journal of events.
    Audit(audit::AuditArgs),
    /// Copy the store to a new file, beside the running server.
    Backup(backup::BackupArgs),
    /// Put a backup of the store in its place, and expire what was approved before.
    Restore(backup::RestoreArgs),
    /// Escalate and expire the approvals that are due, as servers do by themselves.
    Escalate(escalate::EscalateArgs),
    /// Serve decisions over gRPC until told to stop.
    Serve(serve::ServeArgs),
    /// Check policy documents and say what is wrong with them.
    Check(check::CheckArgs),
    /// Print the JSON Schema of policy documents.
    Schema(schema::SchemaArgs),
    /// Turn rules of the predecessor (JSON) into policy documents.
    Import(import::ImportArgs),
    /// Make catalogues of actions from what is there already.
    Catalog(catalog::CatalogArgs),
    /// Ask whether an action may happen: a running server, or policies in process.
    Eval(Box<eval::EvalArgs>),
    /// Validate a whole plan before it runs: ask a running server, or policies in process.
    ///
    /// Exit code 0: the plan may run; 1: it may not, or not yet; 2: it could not be validated.
    ValidateIr(validate_ir::ValidateIrArgs),
    /// Compare what was made of a plan, nodes or calls, with the plan.
    ///
    /// Exit code 0: it is the plan; 1: it is not; 2: a file cannot be read or understood, or the receipt is not genuine.
    VerifyDag(verify_dag::VerifyDagArgs),
    /// Show the hash of a plan.
    ///
    /// Exit code 0: it has one; 1: it has no canonical form; 2: the file cannot be read or understood.
    Hash(hash::HashArgs),
    /// Check a receipt offline; make and show the keys that sign receipts.
    Receipt(receipt::ReceiptArgs),
    /// Run the test cases of policy documents.
    Test(test::TestArgs),
    /// Try webhook endpoints.
    Webhooks(webhooks::WebhooksArgs),
}

/// Runs the program with the arguments that it was started with.
pub fn main() -> ExitCode {
    // Clap exits with 2 on wrong usage and with 0 after --help.
    match Cli::parse().command {
        Command::Approvals(args) => approvals::run(&args),
        Command::Audit(args) => audit::run(&args),
        Command::Backup(args) => backup::backup(&args),
        Command::Restore(args) => backup::restore(&args),
        Command::Escalate(args) => escalate::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Schema(args) => schema::run(&args),
        Command::Import(args) => import::run(&args),
        Command::Catalog(args) => catalog::run(&args),
        Command::Eval(args) => eval::run(&args),
        Command::ValidateIr(args) => validate_ir::run(&args),
        Command::VerifyDag(args) => verify_dag::run(&args),
        Command::Hash(args) => hash::run(&args),
        Command::Receipt(args) => receipt::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Webhooks(args) => webhooks::run(&args),
    }
}
