//! `lictor webhooks test`: whether an endpoint can be reached and takes our signature.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use serde_json::json;

use crate::cli::documents::{CommandError, DocumentArgs};
use crate::cli::style::{BOLD, DIM, GREEN, RED, RESET};
use crate::cli::target::Format;
use crate::cli::{exit, output};
use crate::diag::did_you_mean;
use crate::model::Timestamp;
use crate::policy::WebhookEndpoint;
use crate::snapshot::Snapshot;
use crate::webhook::{AttemptError, Message, Sender, new_id, test_payload};

/// Arguments of `lictor webhooks test`.
#[derive(Debug, clap::Args)]
pub struct TestArgs {
    /// Name of the endpoint.
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    documents: DocumentArgs,
    /// How to show what came of it.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    output: Format,
}

/// Sends the message and prints what came of it.
pub fn run(args: &TestArgs) -> ExitCode {
    let endpoint = match endpoint(args) {
        Ok(endpoint) => endpoint,
        Err(error) => return error.report(),
    };
    let now = Timestamp::from_system(SystemTime::now());
    let id = new_id(now);
    let started = Instant::now();
    let result = match send(&endpoint, &id, now) {
        Ok(result) => result,
        Err(error) => return CommandError::environment(format!("cannot send anything: {error}")).report(),
    };
    let report = Report { endpoint: &endpoint, id: &id, result: &result, millis: started.elapsed().as_millis() };
    match args.output {
        Format::Text => report.print_text(),
        Format::Json => report.print_json(),
    }
    ExitCode::from(if result.is_ok() { exit::OK } else { exit::FAILED })
}

fn endpoint(args: &TestArgs) -> Result<Arc<WebhookEndpoint>, CommandError> {
    let loaded = args.documents.load()?;
    let snapshot = Snapshot::build(&loaded.documents, 1);
    let endpoints = snapshot.endpoints();
    endpoints.get(&args.name).cloned().ok_or_else(|| {
        let names: Vec<_> = endpoints.iter().map(|endpoint| endpoint.name.as_str()).collect();
        let help = match did_you_mean(&args.name, names.iter().copied()) {
            Some(known) => format!("did you mean `{known}`?"),
            None if names.is_empty() => {
                "the policies define none; write a document of the kind `WebhookEndpoint`".into()
            }
            None => format!("the policies define {}", names.join(", ")),
        };
        CommandError::environment(format!("there is no webhook endpoint `{}`; {help}", args.name))
    })
}

/// One attempt.
fn send(endpoint: &Arc<WebhookEndpoint>, id: &str, now: Timestamp) -> std::io::Result<Result<u16, AttemptError>> {
    let body = test_payload(id, now);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(Sender::default().send(endpoint, Message { id, body: &body }, now));
    // A name server that does not answer must not keep the program.
    runtime.shutdown_background();
    Ok(result)
}

struct Report<'r> {
    endpoint: &'r WebhookEndpoint,
    id: &'r str,
    result: &'r Result<u16, AttemptError>,
    millis: u128,
}

impl Report<'_> {
    fn print_text(&self) {
        let Self { endpoint, id, result, millis } = self;
        match result {
            Ok(status) => output::print(format_args!(
                "{BOLD}{GREEN}delivered{RESET}: `{}` took it with status {status} in {millis} ms\n",
                endpoint.name
            )),
            Err(error) => output::print(format_args!(
                "{BOLD}{RED}not delivered{RESET}: {}\n",
                output::printable(&error.to_string())
            )),
        }
        let grace: Vec<_> = endpoint.grace.iter().map(|secret| secret.version.as_str()).collect();
        let besides = if grace.is_empty() { String::new() } else { format!(", besides {}", grace.join(", ")) };
        let signed = match result {
            Err(AttemptError::Secret(_)) => {
                format!("nothing was signed or sent without key {}", endpoint.secret.version)
            }
            _ => format!("signed with key {}{besides}", endpoint.secret.version),
        };
        output::print(format_args!("{DIM}{} · webhook-id {id} · {signed}{RESET}\n", endpoint.url.as_str()));
    }

    fn print_json(&self) {
        let Self { endpoint, id, result, millis } = self;
        let error = result.as_ref().err();
        let status = result.as_ref().ok().copied().or_else(|| error.and_then(AttemptError::status));
        let report = json!({
            "delivered": result.is_ok(),
            "endpoint": endpoint.name,
            "url": endpoint.url.as_str(),
            "webhook_id": id,
            "key_version": endpoint.secret.version,
            "status": status,
            "outcome": error.map_or("delivered", |error| error.kind()),
            "error": error.map(ToString::to_string),
            "millis": u64::try_from(*millis).unwrap_or(u64::MAX),
        });
        output::print(format_args!("{report:#}\n"));
    }
}
