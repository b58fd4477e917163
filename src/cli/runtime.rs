//! Running what waits for others.

use super::documents::CommandError;

/// Runs `work` to its end on this thread.
///
/// # Errors
/// The system has no more of what a runtime needs.
pub fn block_on<T>(work: impl Future<Output = T>) -> Result<T, CommandError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| CommandError::environment(format!("cannot set up a runtime: {error}")))?;
    Ok(runtime.block_on(work))
}
