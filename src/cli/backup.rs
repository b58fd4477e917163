//! `lictor backup` and `lictor restore`: copies of the store, and putting one back.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::documents::CommandError;
use super::runtime::block_on;
use super::{exit, output};
use crate::app::{SeenError, note, seen, store_options};
use crate::config::Config;
use crate::state_dir::StateDir;
use crate::store::{Mark, Place, Store, StoreError, StoreOptions};

/// Which store.
#[derive(Debug, clap::Args)]
pub(super) struct WhichStore {
    /// Configuration file of the server [default: lictor.yaml, if there is one]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// State directory of the server [default: lictor-data]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

/// Arguments of `lictor backup`.
#[derive(Debug, clap::Args)]
pub struct BackupArgs {
    #[command(flatten)]
    which: WhichStore,
    /// The new file.
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
}

/// Arguments of `lictor restore`.
#[derive(Debug, clap::Args)]
pub struct RestoreArgs {
    #[command(flatten)]
    which: WhichStore,
    /// The backup.
    #[arg(long, value_name = "FILE", required_unless_present = "epoch_only")]
    from: Option<PathBuf>,
    /// The database has been restored by other means, for example `pg_restore`: only begin a new epoch, so that what was
    /// created before is expired.
    #[arg(long, conflicts_with = "from")]
    epoch_only: bool,
}

/// Runs `lictor backup`: 0 when the backup is durable, 2 if it could not be made.
pub fn backup(args: &BackupArgs) -> ExitCode {
    back_up(args).unwrap_or_else(|error| error.report())
}

/// Runs `lictor restore`: 0 when the backup is in place, 2 if it could not be put there.
pub fn restore(args: &RestoreArgs) -> ExitCode {
    put_back(args).unwrap_or_else(|error| error.report())
}

fn back_up(args: &BackupArgs) -> Result<ExitCode, CommandError> {
    let (_, options) = args.which.load()?;
    match &options.place {
        #[cfg(feature = "sqlite")]
        Place::Sqlite(path) => {
            let made = block_on(crate::store::backup(path, &args.to))??;
            output::print(format_args!(
                "backed up `{}` to `{}`: epoch {}, {} open approvals, {} events that wait for the journal\n",
                path.display(),
                args.to.display(),
                made.epoch,
                made.open_approvals,
                made.outbox,
            ));
            Ok(ExitCode::from(exit::OK))
        }
        Place::Postgres { url, .. } => Err(CommandError::environment(format!(
            "a PostgreSQL database is backed up by its own tool: `pg_dump --format=custom --file={} {url}`; after \
             `pg_restore` run `lictor restore --epoch-only`",
            args.to.display()
        ))),
        #[allow(unreachable_patterns)]
        _ => Err(CommandError::environment("this program was built without the embedded store")),
    }
}

fn put_back(args: &RestoreArgs) -> Result<ExitCode, CommandError> {
    let (state, options) = args.which.load()?;
    // Held until the end: a server must not start meanwhile, and must not run.
    let state_dir = StateDir::open(&state).map_err(|error| CommandError::environment(error.to_string()))?;
    let (floor, owner) = (floor(state_dir.path())?, state_dir.instance_id().to_string());
    let epoch = match (&args.from, &options.place) {
        #[cfg(feature = "sqlite")]
        (Some(from), Place::Sqlite(path)) => {
            let restored = block_on(crate::store::restore(&options, from, floor, &owner))??;
            if let Some(kept) = &restored.kept {
                output::print(format_args!("kept what was there as `{}`\n", kept.display()));
            }
            output::print(format_args!("restored `{}` from `{}`\n", path.display(), from.display()));
            restored.epoch
        }
        (Some(from), _) => {
            return Err(CommandError::environment(format!(
                "a PostgreSQL database is restored by its own tool: `pg_restore --clean --if-exists --dbname=… {}`, and \
                 then `lictor restore --epoch-only`",
                from.display()
            )));
        }
        (None, _) => block_on(end_epoch(options, floor, owner))??,
    };
    note(state_dir.path(), &Mark { epoch, ..Mark::default() }).map_err(|error| {
        CommandError::environment(format!(
            "the store is restored, and its epoch {epoch} cannot be noted in `{}`: {error}; mend that and run `lictor restore \
             --epoch-only`",
            state_dir.path().display()
        ))
    })?;
    output::print(format_args!(
        "epoch {epoch} begins: approvals and receipts of earlier epochs are expired, and webhooks that waited are dead letters\n"
    ));
    Ok(ExitCode::from(exit::OK))
}

/// The epoch that the one to come must be above: what this state directory has seen, as far as that is known.
fn floor(state_dir: &Path) -> Result<u64, CommandError> {
    match seen(state_dir) {
        Ok(mark) => Ok(mark.map_or(0, |mark| mark.epoch)),
        Err(SeenError::Garbage(path)) => {
            anstream::eprintln!("`{}` does not hold an epoch and is written anew", path.display());
            Ok(0)
        }
        Err(error) => Err(CommandError::environment(error.to_string())),
    }
}

async fn end_epoch(options: StoreOptions, floor: u64, owner: String) -> Result<u64, StoreError> {
    let store = Store::open(options).await?;
    let epoch = store.raise_epoch(floor, &owner).await;
    store.close().await;
    epoch
}

impl WhichStore {
    /// The state directory and the options of the store.
    pub(super) fn load(&self) -> Result<(PathBuf, StoreOptions), CommandError> {
        let config = self.config()?;
        let options = store_options(&config)?;
        Ok((config.state.directory, options))
    }

    /// The server's configuration.
    pub(super) fn config(&self) -> Result<Config, CommandError> {
        let variables = std::env::vars_os()
            .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()));
        let mut config: Config = Config::load(self.config.as_deref(), variables)
            .map_err(|(sources, findings)| CommandError::Refused { sources, findings })?;
        if let Some(state) = &self.state {
            config.state.directory.clone_from(state);
        }
        Ok(config)
    }
}

impl From<StoreError> for CommandError {
    fn from(error: StoreError) -> Self {
        Self::environment(error.to_string())
    }
}
