//! `lictor verify-dag`: compares the DAG that an executor compiled, and the calls that it made, with the plan. Asks nobody,
//! unless an approval is named, which a server keeps.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::client::{ClientArgs, MAX_ANSWER_BYTES, describe};
use super::documents::{CommandError, Files};
use super::output::{self, printable};
use super::runtime::block_on;
use super::style::{BOLD, DIM, GREEN, RED, RESET, YELLOW};
use super::target::Format;
use super::{exit, input};
use crate::api::proto::v1;
use crate::api::proto::v1::decision_service_client::DecisionServiceClient;
use crate::api::{check_dag, read_dag_response, to_dag_request};
use crate::ir::{self, Binding, Schemas};
use crate::model::{BoundTo, Compared, DagVerification, Layer, Limits, Text};
use crate::policy;
use crate::receipt::{Receipt, check_signature, public_keys};
use crate::snapshot::Snapshot;

/// Arguments of `lictor verify-dag`.
#[derive(Debug, clap::Args)]
pub struct VerifyDagArgs {
    /// The plan as it was validated, a YAML or JSON file; `-` for standard input.
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,
    /// A file with the nodes of the DAG: `nodes: [{irStepId, irStepHash, content, dependsOn, seq}]`.
    #[arg(long, value_name = "FILE")]
    nodes: Option<PathBuf>,
    /// A file with the calls that were made: `executions: [{seq, stepId, action, resource, params, outcome}]`.
    #[arg(long, value_name = "FILE")]
    executions: Option<PathBuf>,
    /// The tenant, instead of the plan's own.
    #[arg(long, value_name = "ID")]
    tenant: Option<String>,
    /// The receipt of the validation. Its age does not matter: an audit comes after the run.
    #[arg(long, value_name = "TOKEN", requires = "jwks")]
    receipt: Option<String>,
    /// The keys that are trusted to sign receipts: a JWKS, a JWK, or a public key in PEM.
    #[arg(long, value_name = "FILE", requires = "receipt")]
    jwks: Option<PathBuf>,
    /// The approval that let the plan run: a server compares with what was approved and redeemed.
    #[arg(long, value_name = "ID", conflicts_with_all = ["receipt", "jwks"])]
    approval: Option<String>,
    /// The policy documents that the plan was validated with: arguments that it leaves open are held against the schemas of
    /// their catalogues.
    #[arg(short, long, value_name = "PATH", num_args = 1.., conflicts_with = "approval")]
    policies: Vec<PathBuf>,
    #[command(flatten)]
    client: ClientArgs,
    /// How to show the answer.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    output: Format,
}

/// Runs `lictor verify-dag`: 0 if what was made of the plan is the plan, 1 if not, 2 if a file cannot be read or the
/// receipt is not genuine.
pub fn run(args: &VerifyDagArgs) -> ExitCode {
    match verify(args) {
        Ok((found, receipt)) => {
            let validated_by = receipt.map(|receipt| receipt.snapshot).unwrap_or_default();
            let has_documents = !args.policies.is_empty() || args.approval.is_some();
            match args.output {
                Format::Text => output::print(format_args!("{}", text(&found, &validated_by, has_documents))),
                Format::Json => output::print(format_args!("{:#}\n", answer(&found))),
            }
            ExitCode::from(if found.success { exit::OK } else { exit::FAILED })
        }
        Err(error) => error.report_environment(),
    }
}

/// What was found, and the receipt that it was held to.
fn verify(args: &VerifyDagArgs) -> Result<(DagVerification, Option<Receipt>), CommandError> {
    let mut plan = input::read(&args.file, policy::read_plan)?;
    if let Some(tenant) = &args.tenant {
        plan.tenant_id = tenant.as_str().into();
    }
    if args.nodes.is_none() && args.executions.is_none() {
        let message = "there is nothing to compare the plan with; name a file with --nodes, --executions, or both";
        return Err(CommandError::environment(message));
    }
    let nodes = args.nodes.as_deref().map(|path| input::read(path, policy::read_nodes)).transpose()?;
    let executions = args.executions.as_deref().map(|path| input::read(path, policy::read_executions)).transpose()?;
    if let Some(id) = &args.approval {
        let question = to_dag_request(&plan, &nodes.unwrap_or_default(), &executions.unwrap_or_default(), id);
        return Ok((block_on(ask(&args.client, question)).flatten()?, None));
    }
    let receipt = receipt(args)?;
    let (nodes, executions) = (nodes.unwrap_or_default(), executions.unwrap_or_default());
    check_dag(&plan, &nodes, &executions, &Limits::default())
        .map_err(|status| CommandError::environment(describe(None, &status)))?;
    let binding = receipt
        .as_ref()
        .map_or(Binding::None, |receipt| Binding::Receipt { ir_hash: &receipt.ir_hash, status: receipt.status() });
    if args.policies.is_empty() {
        return Ok((ir::verify_dag(&plan, &nodes, &executions, binding, &Schemas::none()), receipt));
    }
    let loaded = Files::read([(Layer::Organisation, &args.policies)])?.load()?;
    let snapshot = Snapshot::build(&loaded.documents, 0);
    let found = ir::verify_dag(&plan, &nodes, &executions, binding, &Schemas::given(&snapshot));
    Ok((found, receipt))
}

async fn ask(client: &ClientArgs, question: v1::VerifyDagRequest) -> Result<DagVerification, CommandError> {
    let connection = client.connect("").await?;
    let mut service = DecisionServiceClient::new(connection).max_decoding_message_size(MAX_ANSWER_BYTES);
    let mut request = tonic::Request::new(question);
    request.set_timeout(client.timeout());
    let answer = service.verify_dag(request).await;
    let answer = answer.map_err(|status| CommandError::environment(describe(Some(&client.server()), &status)))?;
    Ok(read_dag_response(answer.get_ref()))
}

fn receipt(args: &VerifyDagArgs) -> Result<Option<Receipt>, CommandError> {
    let (Some(token), Some(path)) = (&args.receipt, &args.jwks) else { return Ok(None) };
    let name = format!("`{}`", path.display());
    let text = std::fs::read_to_string(path)
        .map_err(|error| CommandError::environment(format!("cannot read {name}: {error}")))?;
    let keys = public_keys(&name, &text).map_err(|error| CommandError::environment(error.to_string()))?;
    let receipt = check_signature(token.trim(), &keys);
    receipt.map(Some).map_err(|error| CommandError::environment(format!("the receipt is not accepted: {error}")))
}

/// The answer with the names of `VerifyDagResponse`.
fn answer(found: &DagVerification) -> Value {
    let malformed = found.malformed.iter().map(|node| json!({"index": node.index, "reason": node.reason}));
    let mismatches = found.hash_mismatches.iter().map(|mismatch| {
        json!({"step_id": mismatch.step_id, "expected": mismatch.expected, "actual": mismatch.actual,
            "changed_paths": mismatch.changed_paths})
    });
    let deviations = found.deviations.iter().map(|deviation| {
        json!({"kind": deviation.kind.as_str(), "step_id": deviation.step_id,
            "execution_seq": deviation.execution_seq, "message": deviation.message})
    });
    json!({
        "success": found.success,
        "bound_to": found.bound_to.as_str(),
        "compared": found.compared.as_str(),
        "ir_hash": found.ir_hash,
        "dag_hash": found.dag_hash,
        "missing_steps": found.missing_steps,
        "extra_nodes": found.extra_nodes,
        "duplicates": found.duplicates,
        "malformed": malformed.collect::<Vec<_>>(),
        "hash_mismatches": mismatches.collect::<Vec<_>>(),
        "rewired": found.rewired,
        "reordered": found.reordered,
        "deviations": deviations.collect::<Vec<_>>(),
        "not_run": found.not_run,
        "refused": found.refused,
        "params_snapshot": found.params_snapshot,
        "unchecked_params": found.unchecked_params,
    })
}

/// The answer as a tree. `validated_by` is the snapshot that the receipt names, empty without one; `has_documents` tells whether
/// there were any to hold open arguments against.
fn text(found: &DagVerification, validated_by: &str, has_documents: bool) -> String {
    let mut out = String::new();
    let verdict = if found.success {
        format!("{BOLD}{GREEN}the same{RESET}  what was made of the plan is the plan")
    } else {
        format!("{BOLD}{RED}different{RESET}  what was made of the plan is not the plan")
    };
    let hash = if found.ir_hash.is_empty() { "none: the plan has no canonical form" } else { &found.ir_hash };
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{verdict}\n  {DIM}plan hash{RESET} {hash}\n  {DIM}dag hash{RESET}  {}", found.dag_hash);
    if found.bound_to == BoundTo::None {
        let note = "bound to nothing: that these steps were validated is not proved; give the receipt";
        let _ = writeln!(out, "  {YELLOW}!{RESET} {note}");
    }
    if found.compared != Compared::Content {
        let which = if found.compared == Compared::Mixed { "of some nodes " } else { "" };
        let note = format!("{which}only the declared hash was compared: what the nodes will do is not known");
        let _ = writeln!(out, "  {YELLOW}!{RESET} {note}");
    }
    if !found.params_snapshot.is_empty() && !validated_by.is_empty() && found.params_snapshot != validated_by {
        let note = format!(
            "open arguments were held against other documents ({}) than those that the plan was validated with ({validated_by})",
            found.params_snapshot
        );
        let _ = writeln!(out, "  {YELLOW}!{RESET} {note}");
    }
    if !found.unchecked_params.is_empty() {
        let steps = printable(&found.unchecked_params.join(", "));
        let remedy = match has_documents {
            true => "no catalogue has a `paramsSchema` for their actions",
            false => "give --policies",
        };
        let _ =
            writeln!(out, "  {YELLOW}!{RESET} open arguments were held against no schema; {remedy}. Steps: {steps}");
    }
    for (title, lines) in groups(found) {
        let _ = writeln!(out, "\n{BOLD}{title}{RESET}");
        let last = lines.len().saturating_sub(1);
        for (i, line) in lines.iter().enumerate() {
            let fork = if i == last { "└─" } else { "├─" };
            let _ = writeln!(out, "{DIM}{fork}{RESET} {RED}✗{RESET} {}", printable(line));
        }
    }
    out
}

/// What was found, by kind; kinds of which there is nothing are left out.
fn groups(found: &DagVerification) -> Vec<(&'static str, Vec<String>)> {
    let ids = |list: &[Text]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
    let malformed = found.malformed.iter().map(|node| format!("nodes[{}]: {}", node.index, node.reason));
    let mismatches = found.hash_mismatches.iter().map(|mismatch| {
        if mismatch.changed_paths.is_empty() {
            return format!("{}: declares {}, the step is {}", mismatch.step_id, mismatch.actual, mismatch.expected);
        }
        format!("{}: {}", mismatch.step_id, mismatch.changed_paths.join(", "))
    });
    let deviations = found.deviations.iter().map(|deviation| {
        let step = if deviation.step_id.is_empty() { String::new() } else { format!(" {}", deviation.step_id) };
        let call = deviation.execution_seq.map_or_else(String::new, |seq| format!(" (call {seq})"));
        format!("{}{step}{call}: {}", deviation.kind.as_str(), deviation.message)
    });
    let mut groups = vec![
        ("steps without a node", ids(&found.missing_steps)),
        ("nodes without a step", ids(&found.extra_nodes)),
        ("ids of several nodes", ids(&found.duplicates)),
        ("malformed nodes", malformed.collect()),
        ("changed nodes", mismatches.collect()),
        ("nodes that wait for others", ids(&found.rewired)),
        ("in another order", ids(&found.reordered)),
        ("deviations", deviations.collect()),
        ("steps that never ran", ids(&found.not_run)),
        ("steps that were refused", ids(&found.refused)),
    ];
    groups.retain(|(_, lines)| !lines.is_empty());
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_documents_than_those_of_the_validation_are_said() {
        let mut found = DagVerification { params_snapshot: "sha256:b".into(), success: true, ..Default::default() };
        let said = |found: &DagVerification, validated_by| {
            text(found, validated_by, true).contains("other documents (sha256:b)")
        };
        assert!(said(&found, "sha256:a"));
        assert!(!said(&found, "sha256:b") && !said(&found, ""));
        found.params_snapshot = Text::default();
        assert!(!said(&found, "sha256:a"));
    }
}
