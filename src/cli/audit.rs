//! `lictor audit`: looking at the journal.

mod tail;
mod verify;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::documents::CommandError;
use crate::event::journal_dir;

/// Arguments of `lictor audit`.
#[derive(Debug, clap::Args)]
pub struct AuditArgs {
    #[command(subcommand)]
    command: AuditCommand,
}

#[derive(Debug, clap::Subcommand)]
enum AuditCommand {
    /// Check that no record of the journal was changed, removed or added.
    Verify(verify::VerifyArgs),
    /// Show the newest records of the journal.
    Tail(tail::TailArgs),
}

/// Where the journal is.
#[derive(Debug, clap::Args)]
struct StateArgs {
    /// State directory of the server.
    #[arg(long, value_name = "DIR", default_value = "lictor-data")]
    state: PathBuf,
}

/// How results are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    /// For people.
    Text,
    /// For machines.
    Json,
}

impl StateArgs {
    fn journal(&self) -> Result<PathBuf, CommandError> {
        let directory = journal_dir(&self.state);
        if directory.is_dir() {
            return Ok(directory);
        }
        Err(no_journal(&self.state))
    }
}

fn no_journal(state: &Path) -> CommandError {
    CommandError::environment(format!(
        "there is no journal in `{}`; name the server's state directory with --state",
        state.display()
    ))
}

/// Runs the sub-command.
pub fn run(args: &AuditArgs) -> ExitCode {
    let outcome = match &args.command {
        AuditCommand::Verify(args) => verify::run(args),
        AuditCommand::Tail(args) => tail::run(args),
    };
    outcome.unwrap_or_else(|error| error.report())
}
