//! `lictor escalate --once`: what the workers of a server do by themselves, done once, for those who run it from cron.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use super::backup::WhichStore;
use super::documents::CommandError;
use super::output::printable;
use super::runtime::block_on;
use super::serve::organisation;
use super::style::{RESET, YELLOW};
use super::{exit, output};
use crate::api::WireCodec;
use crate::app::{reload_options, store_options};
use crate::approval::{ApprovalError, Approvals, Parts, Round};
use crate::reload::load_once;
use crate::snapshot::Holder;
use crate::store::Store;

/// Arguments of `lictor escalate`.
#[derive(Debug, clap::Args)]
pub struct EscalateArgs {
    /// Do it once and end; servers do it by themselves all the time.
    #[arg(long, required = true)]
    once: bool,
    #[command(flatten)]
    which: WhichStore,
    /// Directory or file with the server's policy documents, which say what webhooks are told [default: as configured, else
    /// policies/default]
    #[arg(long, value_name = "PATH")]
    policies: Vec<PathBuf>,
}

/// Runs `lictor escalate --once`: 0 when everything that was due is done, 2 if the store cannot be used.
pub fn run(args: &EscalateArgs) -> ExitCode {
    escalate(args).unwrap_or_else(|error| error.report_environment())
}

fn escalate(args: &EscalateArgs) -> Result<ExitCode, CommandError> {
    let mut config = args.which.config()?;
    if !args.policies.is_empty() {
        config.policies.sources = organisation(&args.policies);
    }
    let options = store_options(&config)?;
    let holder = Arc::new(Holder::default());
    match load_once(&reload_options(&config), &config.state.directory) {
        Ok(snapshot) => drop(holder.publish(Arc::new(snapshot))),
        // What is due is due all the same.
        Err(error) => anstream::eprintln!(
            "{YELLOW}warning:{RESET} the policies cannot be used, so that every webhook of an approval is told, whatever its \
             `events` say; name them with `--policies`: {}",
            printable(&error)
        ),
    }
    let done = block_on(async {
        let store = Store::open(options).await.map_err(ApprovalError::Store)?;
        let approvals = Approvals::new(Parts {
            store: store.clone(),
            holder,
            limits: Arc::default(),
            issuer: None,
            codec: Box::new(WireCodec),
            people: Box::new(()),
            metrics: Arc::default(),
            courier: None,
        });
        let done = async { Ok::<_, ApprovalError>((approvals.work_once().await?, approvals.archive().await?)) };
        let done = done.await;
        store.close().await;
        done
    })?;
    let done = done.map_err(|error| CommandError::environment(error.to_string()))?;
    let (Round { escalated, expired }, archived) = done;
    output::print(format_args!("{escalated} escalated, {expired} expired, {archived} archived\n"));
    Ok(ExitCode::from(exit::OK))
}
