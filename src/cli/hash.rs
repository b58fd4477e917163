//! `lictor hash`: the hashes of a plan and of its steps.

use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::documents::CommandError;
use super::style::{BOLD, DIM, RED, RESET};
use super::target::Format;
use super::{exit, input, output};
use crate::diag::{Findings, SourceId};
use crate::ir::{self, legacy};
use crate::policy;
use crate::yaml::{self, Kind, Node, Number};

/// Arguments of `lictor hash`.
#[derive(Debug, clap::Args)]
pub struct HashArgs {
    /// The plan, a YAML or JSON file; `-` for standard input.
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,
    /// Show the hash of each step, too.
    #[arg(long)]
    steps: bool,
    /// Show the canonical form instead: the text whose SHA-256 the hash is.
    #[arg(long, conflicts_with_all = ["legacy", "steps", "output"])]
    canonical: bool,
    /// The predecessor's hashes (`LEGACY_V1`), of a plan in its own JSON: `tenant_id`, `request_id`, `created_at` and steps
    /// with the predecessor's field names, all of which it hashed.
    #[arg(long)]
    legacy: bool,
    /// How to show the hashes.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    output: Format,
}

/// What is shown.
struct Hashes {
    scheme: &'static str,
    ir_hash: String,
    /// Id and hash of each step.
    steps: Vec<(String, String)>,
}

/// Runs `lictor hash`: 0 if the plan has a hash, 1 if it has no canonical form, 2 if it cannot be read or is no plan.
pub fn run(args: &HashArgs) -> ExitCode {
    hash(args).unwrap_or_else(|error| error.report_environment())
}

fn hash(args: &HashArgs) -> Result<ExitCode, CommandError> {
    let hashes = if args.legacy {
        legacy_hashes(&input::read(&args.file, read_json)?)
    } else {
        let plan = input::read(&args.file, policy::read_plan)?;
        if args.canonical {
            return Ok(canonical(&plan));
        }
        let hashes = ir::plan_hashes(&plan);
        let ids = plan.steps.iter().map(|step| step.step_id.to_string());
        if hashes.refusals.is_empty() {
            let steps = ids.zip(hashes.step_hashes.iter().map(ToString::to_string)).collect();
            Ok(Hashes { scheme: "RFC8785_V1", ir_hash: hashes.ir_hash.to_string(), steps })
        } else {
            Err(refusals(&hashes.refusals))
        }
    };
    match hashes {
        Ok(hashes) => {
            show(args, &hashes);
            Ok(ExitCode::from(exit::OK))
        }
        Err(refusals) => Ok(refused(&refusals)),
    }
}

fn canonical(plan: &crate::model::Plan) -> ExitCode {
    match ir::plan_canonical(plan) {
        Ok(text) => {
            // No line break at the end: the hash covers exactly these bytes.
            output::print(format_args!("{text}"));
            ExitCode::from(exit::OK)
        }
        Err(found) => refused(&refusals(&found)),
    }
}

fn refusals(found: &[ir::Refusal]) -> Vec<String> {
    let line = |refusal: &ir::Refusal| match refusal.path.is_empty() {
        true => refusal.reason.to_string(),
        false => format!("{}: {}", refusal.path, refusal.reason),
    };
    found.iter().map(line).collect()
}

fn legacy_hashes(plan: &Value) -> Result<Hashes, Vec<String>> {
    let texts = |found: Vec<legacy::LegacyRefusal>| found.iter().map(ToString::to_string).collect::<Vec<_>>();
    let hashes = legacy::plan_hashes(plan).map_err(texts)?;
    let ids = plan["steps"].as_array().into_iter().flatten().map(|step| step["step_id"].as_str().unwrap_or_default());
    let steps = ids.map(str::to_owned).zip(hashes.step_hashes).collect();
    Ok(Hashes { scheme: "LEGACY_V1", ir_hash: hashes.ir_hash, steps })
}

fn refused(refusals: &[String]) -> ExitCode {
    for refusal in refusals {
        anstream::eprintln!("{BOLD}{RED}no canonical form{RESET}: {}", output::printable(refusal));
    }
    ExitCode::from(exit::FAILED)
}

fn show(args: &HashArgs, hashes: &Hashes) {
    match args.output {
        Format::Json => {
            let step = |(step_id, hash): &(String, String)| json!({"step_id": step_id, "step_hash": hash});
            let steps: Vec<Value> = hashes.steps.iter().map(step).collect();
            let answer = json!({"hash_scheme": hashes.scheme, "ir_hash": hashes.ir_hash, "steps": steps});
            output::print(format_args!("{answer:#}\n"));
        }
        Format::Text => {
            let mut text = format!("{}\n", hashes.ir_hash);
            if args.steps {
                for (index, (step_id, hash)) in hashes.steps.iter().enumerate() {
                    let id = if step_id.is_empty() { index.to_string() } else { output::printable(step_id) };
                    text.push_str(&format!("{hash}  {DIM}{id}{RESET}\n"));
                }
            }
            output::print(format_args!("{text}"));
        }
    }
}

/// Reads the predecessor's JSON, whole numbers and fractions told apart. What it may hold is its own matter.
fn read_json(source: SourceId, text: &str, out: &mut Findings) -> Option<Value> {
    let documents = yaml::parse(source, text, out);
    match documents.as_slice() {
        [document] if !out.has_errors() => Some(json_of(document)),
        _ => None,
    }
}

fn json_of(node: &Node) -> Value {
    match &node.kind {
        Kind::Null | Kind::Refused => Value::Null,
        Kind::Bool(value) => Value::Bool(*value),
        Kind::Number(Number::Integer(value)) => Value::from(*value),
        Kind::Number(Number::Float(value)) => Value::from(*value),
        // Beyond 64 bits, which the legacy form refuses as it refuses fractions.
        Kind::Number(Number::Huge) => Value::from(f64::MAX),
        Kind::String(text, _) => Value::from(text.as_str()),
        Kind::List(items) => items.iter().map(json_of).collect(),
        Kind::Map(entries) => {
            Value::Object(entries.iter().map(|entry| (entry.key.to_string(), json_of(&entry.value))).collect())
        }
    }
}
