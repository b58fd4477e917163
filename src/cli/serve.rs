//! `lictor serve`: serves decisions until told to stop.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::documents::{CommandError, Files};
use super::exit;
use crate::app::{self, AppOptions};
use crate::config::{Config, LogFormat, Source};
use crate::model::Layer;
use crate::policy::DocumentSet;
use crate::telemetry;

/// Arguments of `lictor serve`. Each overrides the configuration file and the environment.
#[derive(Debug, clap::Args)]
pub struct ServeArgs {
    /// Configuration file [default: lictor.yaml, if there is one]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Directory or file with policy documents of the organisation layer [default: policies/default]
    #[arg(long, value_name = "PATH")]
    policies: Vec<PathBuf>,
    /// State directory: journal, snapshots, keys [default: lictor-data]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// TCP address for gRPC, or `off`; port 0 takes a free one [default: 127.0.0.1:50151]
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    listen: Option<Switch<SocketAddr>>,
    /// Unix socket for gRPC, or `off` [default: lictor.sock in the state directory]
    #[arg(long, value_name = "PATH", value_parser = path)]
    socket: Option<Switch<PathBuf>>,
    /// HTTP address for metrics, health and readiness, or `off` [default: 127.0.0.1:9151]
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    http: Option<Switch<SocketAddr>>,
    /// Directory or file of the policies that decide over administration, in place of those that come with lictor
    #[arg(long, value_name = "PATH")]
    system_policies: Option<PathBuf>,
    /// Development mode: callers are believed who they say they are (metadata `x-lictor-principal`, `x-lictor-roles`,
    /// `x-lictor-level`), also for administration. The log, `/readyz` and every record say so.
    #[arg(long)]
    dev: bool,
}

/// Something that can be switched off.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Switch<T> {
    Off,
    On(T),
}

impl<T: Clone> Switch<T> {
    fn get(&self) -> Option<T> {
        match self {
            Self::Off => None,
            Self::On(value) => Some(value.clone()),
        }
    }
}

fn address(text: &str) -> Result<Switch<SocketAddr>, String> {
    match text {
        "off" => Ok(Switch::Off),
        _ => text
            .parse()
            .map(Switch::On)
            .map_err(|_| "write an IP address and a port, for example `127.0.0.1:50151`, or `off`".to_owned()),
    }
}

/// A socket that is called `off` can be had as `./off`.
#[expect(clippy::unnecessary_wraps, reason = "the form that clap asks for")]
fn path(text: &str) -> Result<Switch<PathBuf>, String> {
    Ok(if text == "off" { Switch::Off } else { Switch::On(PathBuf::from(text)) })
}

/// Runs `lictor serve`: 0 after an orderly stop, 1 if calls had to be cut off or events could not be flushed, 2 if it
/// cannot start.
pub fn run(args: &ServeArgs) -> ExitCode {
    match serve(args) {
        Ok(code) => code,
        Err(error) => error.report_environment(),
    }
}

fn serve(args: &ServeArgs) -> Result<ExitCode, CommandError> {
    let config = configured(args)?;
    let format = match config.logs.format {
        LogFormat::Text => telemetry::LogFormat::Text,
        LogFormat::Json => telemetry::LogFormat::Json,
    };
    telemetry::init_logs(config.logs.level.as_str(), format)
        .map_err(|error| CommandError::environment(error.to_string()))?;
    let mut options = AppOptions::from_config(&config).map_err(|error| CommandError::environment(error.to_string()))?;
    options.identity.dev = args.dev;
    options.identity.system_policies = config.identity.system_policies.map(system_policies).transpose()?;
    match app::run(options) {
        Ok(()) => Ok(ExitCode::from(exit::OK)),
        Err(error) if error.is_about_stopping() => {
            tracing::error!(%error, "not stopped in order");
            Ok(ExitCode::from(exit::FAILED))
        }
        Err(error) => Err(CommandError::environment(error.to_string())),
    }
}

/// What `--policies` names.
pub(super) fn organisation(paths: &[PathBuf]) -> Vec<Source> {
    paths.iter().map(|path| Source { path: path.clone(), layer: Layer::Organisation }).collect()
}

/// The documents over administration.
fn system_policies(path: PathBuf) -> Result<DocumentSet, CommandError> {
    Ok(Files::read([(Layer::System, &vec![path])])?.load()?.documents)
}

/// The configuration with the arguments laid over it. Paths of arguments are relative to the working directory.
fn configured(args: &ServeArgs) -> Result<Config, CommandError> {
    // A value that is not text is shown as nearly as possible by the error that it leads to.
    let lossy = |text: OsString| text.to_string_lossy().into_owned();
    let variables = std::env::vars_os().map(|(name, value)| (lossy(name), lossy(value)));
    let loaded = Config::load(args.config.as_deref(), variables);
    let mut config = loaded.map_err(|(sources, findings)| CommandError::Refused { sources, findings })?;
    if !args.policies.is_empty() {
        config.policies.sources = organisation(&args.policies);
    }
    if let Some(state) = &args.state {
        config.state.directory.clone_from(state);
    }
    if let Some(listen) = &args.listen {
        config.listen.tcp = listen.get();
    }
    if let Some(socket) = &args.socket {
        config.listen.socket = socket.get().as_deref().map(absolute).transpose()?;
    }
    if let Some(path) = &args.system_policies {
        config.identity.system_policies = Some(path.clone());
    }
    if let Some(http) = &args.http {
        config.http.address = http.get();
    }
    if config.listen.tcp.is_none() && config.listen.socket.is_none() {
        return Err(CommandError::environment(
            "both `--listen` and `--socket` are off, by argument or configuration, so that nobody could ask anything",
        ));
    }
    let missing = config.policies.sources.iter().find(|source| !source.path.exists());
    if let Some(Source { path, .. }) = missing {
        return Err(CommandError::environment(format!(
            "there is no `{}` to read policies from; create it, or say where they are with `--policies PATH`",
            path.display()
        )));
    }
    Ok(config)
}

fn absolute(path: &Path) -> Result<PathBuf, CommandError> {
    std::path::absolute(path)
        .map_err(|error| CommandError::environment(format!("`{}` is not a usable path: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        args: ServeArgs,
    }

    #[test]
    fn listeners_can_be_switched_off() {
        let parse = |args: &[&str]| Command::try_parse_from(["serve"].iter().chain(args)).map(|command| command.args);
        let policies = ["--policies", env!("CARGO_MANIFEST_DIR")];
        let args = parse(&[&policies[..], &["--listen=off", "--http=off", "--socket=./off"]].concat()).unwrap();
        let config = configured(&args).unwrap();
        assert_eq!((config.listen.tcp, config.http.address), (None, None));
        assert!(config.listen.socket.unwrap().is_absolute());
        let args = parse(&[&policies[..], &["--socket=off"]].concat()).unwrap();
        assert_eq!(configured(&args).unwrap().listen.socket, None);
        let args = parse(&[&policies[..], &["--socket=off", "--listen=off"]].concat()).unwrap();
        let Err(CommandError::Environment(message)) = configured(&args) else { panic!("nobody could ask") };
        assert!(message.contains("nobody could ask anything"), "{message}");
        assert!(parse(&["--listen=of"]).unwrap_err().to_string().contains("or `off`"));
    }
}
