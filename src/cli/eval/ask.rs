//! Asking: a server over its socket or TCP, or policies in process.

use std::time::Instant;

use crate::api::proto::v1::EvaluateResponse;
use crate::api::{check_request, to_request, to_response};
use crate::cli::client::describe;
use crate::cli::documents::CommandError;
use crate::cli::target::TargetArgs;
use crate::decide;
use crate::model::{Limits, Request};

/// Asks `request`.
///
/// # Errors
/// Nobody answers, the server refuses the question, or the documents have errors.
pub fn ask(target: &TargetArgs, request: &Request) -> Result<EvaluateResponse, CommandError> {
    if target.is_in_process() {
        return in_process(target, request);
    }
    target.ask(to_request(request), async |client, question| Ok(client.evaluate(question).await?.into_inner()))
}

fn in_process(target: &TargetArgs, request: &Request) -> Result<EvaluateResponse, CommandError> {
    let limits = Limits::default();
    check_request(request, &limits).map_err(|status| CommandError::environment(describe(None, &status)))?;
    let snapshot = target.snapshot(&request.snapshot)?;
    let begin = Instant::now();
    let decision = decide::evaluate(Some(&snapshot), request, target.now(), &limits);
    let nanos = u64::try_from(begin.elapsed().as_nanos()).unwrap_or(u64::MAX);
    Ok(to_response(request, &decision, nanos))
}
