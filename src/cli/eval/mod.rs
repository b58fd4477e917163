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

pub use json::{decision_word, reason_word, word};
pub use question::WhatArgs;

use std::process::ExitCode;

use super::documents::CommandError;
use super::target::{Format, TargetArgs};
use super::{exit, output};

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
