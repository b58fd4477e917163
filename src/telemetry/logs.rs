//! Logs: to standard error, as text or JSON, without values of requests.

use std::fmt::{self, Debug, Write};
use std::io::IsTerminal;

use tracing::Dispatch;
use tracing::field::Field;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::{Writer, debug_fn};
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use crate::model::changes_the_display;

#[cfg(test)]
mod tests;

/// Form of the logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Why logs could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter is not one.
    #[error(
        "`{filter}` is not a log filter; write a level (error, warn, info, debug, trace) or `target=level,…`: {source}"
    )]
    Filter {
        /// What was given.
        filter: String,
        /// Why.
        source: tracing_subscriber::filter::ParseError,
    },
    /// Logs are set up already.
    #[error("logs are set up already: {0}")]
    Twice(#[from] TryInitError),
}

/// What is left out unless the filter says otherwise: the watching library warns of every directory that a ConfigMap's swap
/// takes away.
const QUIET: &str = "notify=error";

/// Sends the logs of the whole process to standard error, those that `filter` lets through.
///
/// # Errors
/// The filter is malformed, or logs are set up already.
pub fn init(filter: &str, format: LogFormat) -> Result<(), LogError> {
    subscriber(parse(filter)?, format, std::io::stderr, std::io::stderr().is_terminal()).try_init()?;
    Ok(())
}

fn parse(filter: &str) -> Result<EnvFilter, LogError> {
    EnvFilter::builder()
        .parse(format!("{QUIET},{filter}"))
        .map_err(|source| LogError::Filter { filter: filter.to_owned(), source })
}

fn subscriber<W>(filter: EnvFilter, format: LogFormat, writer: W, ansi: bool) -> Dispatch
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).with_ansi(ansi);
    match format {
        LogFormat::Text => builder.with_target(false).fmt_fields(debug_fn(write_field).delimited(" ")).finish().into(),
        LogFormat::Json => builder.json().flatten_event(true).finish().into(),
    }
}

/// Writes a field in one line: names of files and texts from outside must not look like lines of the log.
fn write_field(writer: &mut Writer<'_>, field: &Field, value: &dyn Debug) -> fmt::Result {
    match field.name() {
        "message" => write!(OneLine(writer), "{value:?}"),
        // What the `log` facade adds, which is part of the line already.
        name if name.starts_with("log.") => Ok(()),
        name => {
            let (faint, plain) = if writer.has_ansi_escapes() { ("\x1b[2m", "\x1b[0m") } else { ("", "") };
            write!(writer, "{faint}{name}={plain}")?;
            write!(OneLine(writer), "{value:?}")
        }
    }
}

/// Escapes what would break the line, move the cursor or change the direction of text.
struct OneLine<'a, 'w>(&'a mut Writer<'w>);

impl Write for OneLine<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if !text.contains(changes_the_display) {
            return self.0.write_str(text);
        }
        text.chars().try_for_each(|c| {
            if changes_the_display(c) { write!(self.0, "{}", c.escape_default()) } else { self.0.write_char(c) }
        })
    }
}
