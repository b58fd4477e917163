//! `lictor escalate --once`: what the workers of a server do by themselves, done once, for those who run it from cron.

use std::process::ExitCode;
use std::sync::Arc;

use super::backup::WhichStore;
use super::documents::CommandError;
use super::runtime::block_on;
use super::{exit, output};
use crate::api::WireCodec;
use crate::approval::{ApprovalError, Approvals, Parts, Round};
use crate::store::Store;

/// Arguments of `lictor escalate`.
#[derive(Debug, clap::Args)]
pub struct EscalateArgs {
    /// Do it once and end; servers do it by themselves all the time.
    #[arg(long, required = true)]
    once: bool,
    #[command(flatten)]
    which: WhichStore,
}

/// Runs `lictor escalate --once`: 0 when everything that was due is done, 2 if the store cannot be used.
pub fn run(args: &EscalateArgs) -> ExitCode {
    escalate(args).unwrap_or_else(|error| error.report_environment())
}

fn escalate(args: &EscalateArgs) -> Result<ExitCode, CommandError> {
    let (_, options) = args.which.load()?;
    let done = block_on(async {
        let store = Store::open(options).await.map_err(ApprovalError::Store)?;
        let approvals = Approvals::new(Parts {
            store: store.clone(),
            holder: Arc::default(),
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
