//! `lictor eval`: asks whether an action may happen, a running server or policies in process, and shows the answer.
//!
//! With `--output json` the answer is one JSON object with the fields of `EvaluateResponse` in the contract's names
//! (snake case), enum values without their prefix, all fields present; `required_level`, `snapshot` and `explanation` are
//! null where there is none.

mod ask;
mod json;
mod question;
mod render;

#[cfg(test)]
mod tests;

use crate::cli::output;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use super::documents::CommandError;
use super::exit;

/// Arguments of `lictor eval`.
#[derive(Debug, clap::Args)]
pub struct EvalArgs {
    #[command(flatten)]
    question: question::QuestionArgs,
    #[command(flatten)]
    target: TargetArgs,
    /// How to show the answer.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    output: Format,
}

/// Who is asked.
#[derive(Debug, clap::Args)]
struct TargetArgs {
    /// Ask the server at this Unix socket [default: ./lictor-data/lictor.sock if it exists].
    #[arg(long, value_name = "PATH", conflicts_with_all = ["address", "policies", "system_policies", "tenant_policies"])]
    socket: Option<PathBuf>,
    /// Ask the server at this TCP address [default: 127.0.0.1:50151].
    #[arg(long, value_name = "HOST:PORT", conflicts_with_all = ["policies", "system_policies", "tenant_policies"])]
    address: Option<String>,
    /// Ask no server: decide in process with the policy documents at these paths.
    #[arg(long, value_name = "PATH", num_args = 1..)]
    policies: Vec<PathBuf>,
    /// In process: policy documents of the system layer, which no other can overrule.
    #[arg(long, value_name = "PATH", num_args = 1..)]
    system_policies: Vec<PathBuf>,
    /// In process: policy documents of the tenant layer, which may narrow the others.
    #[arg(long, value_name = "PATH", num_args = 1..)]
    tenant_policies: Vec<PathBuf>,
    /// Decide as of this time, as RFC 3339 [default: now]; only in process.
    #[arg(long, value_name = "TIME", value_parser = question::time)]
    now: Option<crate::model::Timestamp>,
    /// Longest wait for the server's answer, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 5_000, conflicts_with_all = ["policies", "system_policies", "tenant_policies"])]
    timeout_ms: u64,
}

impl TargetArgs {
    /// Whether no server is asked.
    fn is_in_process(&self) -> bool {
        [&self.policies, &self.system_policies, &self.tenant_policies].into_iter().any(|paths| !paths.is_empty())
    }

    fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// One JSON object.
    Json,
}

/// Runs `lictor eval`: 0 if the action may happen, 1 if it may not (or not yet), 2 if the question could not be asked.
pub fn run(args: &EvalArgs) -> ExitCode {
    match eval(args) {
        Ok(code) => code,
        // Documents that are refused are no answer to the question.
        Err(error) => {
            error.report();
            ExitCode::from(exit::USAGE)
        }
    }
}

fn eval(args: &EvalArgs) -> Result<ExitCode, CommandError> {
    let request = args.question.read()?;
    let answer = ask::ask(&args.target, &request)?;
    match args.output {
        Format::Text => output::print(format_args!("{}", render::text(&request, &answer))),
        Format::Json => output::print(format_args!("{:#}\n", json::answer(&answer))),
    }
    Ok(ExitCode::from(if answer.allowed { exit::OK } else { exit::FAILED }))
}
