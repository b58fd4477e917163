//! `lictor validate-ir`: validates a whole plan, by a running server or with policies in process, and shows the answer.
//!
//! With `--output json` the answer is one JSON object with the fields of `ValidateIRResponse` in the contract's names
//! (snake case), enum values without their prefix, all fields present; `required_level` and `snapshot` are null where
//! there is none.

mod json;
mod render;

#[cfg(test)]
mod tests;

pub use json::{code_word, step as json_of_step, violation as json_of_violation};

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use super::client::describe;
use super::documents::CommandError;
use super::target::{Format, TargetArgs};
use super::{exit, input, output};
use crate::api::proto::v1::{ValidateIrResponse, ValidationStatus};
use crate::api::{check_plan, to_plan_request, to_plan_response};
use crate::ir;
use crate::model::{Limits, Plan, Text};
use crate::policy;

/// Arguments of `lictor validate-ir`.
#[derive(Debug, clap::Args)]
pub struct ValidateIrArgs {
    /// The plan, a YAML or JSON file; `-` for standard input.
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,
    /// The tenant, instead of the plan's own.
    #[arg(long, value_name = "ID")]
    tenant: Option<String>,
    /// Validate with the resident snapshot of this digest.
    #[arg(long, value_name = "DIGEST")]
    pin: Option<String>,
    /// Who the receipt is for, instead of the plan's own audience.
    #[arg(long, value_name = "NAME")]
    audience: Option<String>,
    #[command(flatten)]
    target: TargetArgs,
    /// How to show the answer.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    output: Format,
}

impl ValidateIrArgs {
    fn plan(&self) -> Result<Plan, CommandError> {
        let mut plan = input::read(&self.file, policy::read_plan)?;
        for (field, given) in
            [(&mut plan.tenant_id, &self.tenant), (&mut plan.snapshot, &self.pin), (&mut plan.audience, &self.audience)]
        {
            if let Some(text) = given {
                *field = Text::from(text);
            }
        }
        Ok(plan)
    }
}

/// Runs `lictor validate-ir`: 0 if the plan may run, 1 if it may not (or not yet), 2 if it could not be validated.
pub fn run(args: &ValidateIrArgs) -> ExitCode {
    match validate(args) {
        Ok(code) => code,
        // A file or documents that are refused are no answer to the question.
        Err(error) => error.report_environment(),
    }
}

fn validate(args: &ValidateIrArgs) -> Result<ExitCode, CommandError> {
    let plan = args.plan()?;
    let answer = ask(&args.target, &plan)?;
    match args.output {
        Format::Text => output::print(format_args!("{}", render::text(&plan, &answer))),
        Format::Json => output::print(format_args!("{:#}\n", json::answer(&answer))),
    }
    let passed = answer.status() == ValidationStatus::Pass;
    Ok(ExitCode::from(if passed { exit::OK } else { exit::FAILED }))
}

fn ask(target: &TargetArgs, plan: &Plan) -> Result<ValidateIrResponse, CommandError> {
    if !target.is_in_process() {
        let question = to_plan_request(plan);
        return target.ask(question, async |client, question| Ok(client.validate_ir(question).await?.into_inner()));
    }
    let limits = Limits::default();
    check_plan(plan, &limits).map_err(|status| CommandError::environment(describe(None, &status)))?;
    let snapshot = target.snapshot(&plan.snapshot)?;
    let now = target.now();
    let begin = Instant::now();
    let validation = ir::validate(Some(&snapshot), plan, now, &limits);
    let nanos = u64::try_from(begin.elapsed().as_nanos()).unwrap_or(u64::MAX);
    Ok(to_plan_response(plan, &validation, now, nanos))
}
