//! `lictor schema`: the JSON Schema of the documents and of the configuration, for editors.

use crate::cli::output;
use std::process::ExitCode;

use super::documents::CommandError;
use super::exit;
use crate::diag::did_you_mean;
use crate::{config, policy};

/// Arguments of `lictor schema`.
#[derive(Debug, clap::Args)]
pub struct SchemaArgs {
    /// Only the documents of this kind, for example `Policy`; `Config` for the configuration file.
    #[arg(long)]
    kind: Option<String>,
}

/// Stands for the configuration file, which is no document.
const CONFIG: &str = "Config";

/// Prints the schema.
pub fn run(args: &SchemaArgs) -> ExitCode {
    let schema = match args.kind.as_deref() {
        Some(CONFIG) => Some(config::json_schema()),
        kind => policy::json_schema(kind),
    };
    match schema {
        Some(schema) => {
            output::print(format_args!("{schema:#}\n"));
            ExitCode::from(exit::OK)
        }
        None => unknown_kind(args.kind.as_deref().unwrap_or_default()).report(),
    }
}

fn unknown_kind(kind: &str) -> CommandError {
    let names: Vec<_> = policy::kind_names().chain([CONFIG]).collect();
    let help = match did_you_mean(kind, names.iter().copied()) {
        Some(known) => format!("did you mean `{known}`?"),
        None => format!("the kinds are {}", names.join(", ")),
    };
    CommandError::environment(format!("there is no kind `{kind}`; {help}"))
}
