//! Asking for approvals, deciding them, and redeeming them.

use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::args::{CancelArgs, ConsumeArgs, CreateArgs, VoteArgs};
use super::quoted::Length;
use super::{json, render};
use crate::api::proto::v1::{self, create_approval_request::Target};
use crate::api::{to_filled_struct, to_plan_request, to_request};
use crate::cli::at_server::{AtServer, Client};
use crate::cli::documents::CommandError;
use crate::cli::target::Format;
use crate::cli::{exit, input, output};
use crate::diag::{Findings, SourceId};
use crate::model::Request;
use crate::{policy, yaml};

fn print(server: &AtServer, approval: Option<&v1::Approval>) {
    let Some(approval) = approval else { return };
    match server.output {
        Format::Text => output::print(format_args!("{}", render::approval(approval, &[], Length::Short))),
        Format::Json => output::print(format_args!("{:#}\n", json::approval(approval))),
    }
}

pub async fn vote(
    server: &AtServer,
    vote: &VoteArgs,
    approves: bool,
    client: &mut Client,
) -> Result<ExitCode, tonic::Status> {
    // Both requests have the same fields.
    macro_rules! request {
        ($Request:ident) => {
            server.timed(v1::$Request {
                tenant_id: server.tenant.clone(),
                approval_id: vote.id.clone(),
                target_hash: vote.hash.clone(),
                level: vote.level,
                notes: vote.notes.clone(),
                etag: String::new(),
            })
        };
    }
    let approval = if approves {
        client.approve(request!(ApproveRequest)).await?.into_inner().approval
    } else {
        client.reject(request!(RejectRequest)).await?.into_inner().approval
    };
    print(server, approval.as_ref());
    let missing = approval.as_ref().filter(|_| approves).and_then(missing);
    let Some((counts, missing)) = missing else { return Ok(ExitCode::from(exit::OK)) };
    anstream::eprintln!("{missing}");
    Ok(ExitCode::from(if counts { exit::OK } else { exit::FAILED }))
}

/// Whether the approval that was just given counts, and what is missing still; `None` where nothing is.
fn missing(approval: &v1::Approval) -> Option<(bool, String)> {
    let (number, stage) = approval.stages.iter().enumerate().find(|(_, stage)| !stage.complete)?;
    let (number, level) = (number + 1, stage.level);
    let counting = stage.approvals.iter().filter(|vote| vote.level >= level).count();
    let more = usize::try_from(stage.quorum).unwrap_or(usize::MAX).saturating_sub(counting);
    // The last vote of all is the one that was just given.
    let at = |vote: &v1::StageApproval| vote.at.map(|at| (at.seconds, at.nanos));
    let last = approval.stages.iter().flat_map(|stage| stage.approvals.iter().map(move |vote| (stage, vote)));
    let low = last.max_by_key(|(_, vote)| at(vote)).filter(|(stage, vote)| vote.level < stage.level);
    let missing = format!("stage {number} needs {more} more of level {level} or above");
    Some(match low {
        Some((_, vote)) => {
            (false, format!("your approval with level {} is on record and does not count: {missing}", vote.level))
        }
        None => (true, format!("your approval counts, and it waits still: {missing}")),
    })
}

pub async fn cancel(server: &AtServer, cancel: &CancelArgs, client: &mut Client) -> Result<ExitCode, tonic::Status> {
    let request = v1::CancelRequest {
        tenant_id: server.tenant.clone(),
        approval_id: cancel.id.clone(),
        reason: cancel.reason.clone(),
    };
    let answer = client.cancel(server.timed(request)).await?.into_inner();
    print(server, answer.approval.as_ref());
    Ok(ExitCode::from(exit::OK))
}

/// What is to be approved: the file's plan or request, or the action of the flags.
///
/// # Errors
/// The file cannot be read, or is neither.
pub fn target(create: &CreateArgs) -> Result<Target, CommandError> {
    if let Some(path) = &create.file {
        return input::read(path, parse);
    }
    let mut request = Request::default();
    create.what.lay_over(&mut request)?;
    create.what.check(&request)?;
    Ok(Target::Action(to_request(&request)))
}

/// A text with `steps` is a plan, any other a request.
fn parse(source: SourceId, text: &str, findings: &mut Findings) -> Option<Target> {
    // What is wrong with it is said by whoever reads it in earnest.
    let nodes = yaml::parse(source, text, &mut Findings::default());
    let has_steps = |node: &yaml::Node| match &node.kind {
        yaml::Kind::Map(entries) => entries.iter().any(|entry| entry.key == "steps"),
        _ => false,
    };
    if nodes.iter().any(has_steps) {
        policy::read_plan(source, text, findings).map(|plan| Target::Plan(to_plan_request(&plan)))
    } else {
        policy::read_request(source, text, findings).map(|request| Target::Action(to_request(&request)))
    }
}

/// A new file for the token, which is removed again unless it is kept.
#[derive(Debug)]
pub struct TokenFile {
    path: PathBuf,
    file: std::fs::File,
    is_kept: bool,
}

impl TokenFile {
    /// Makes the file before there is a token. One that is there already may hold the token of another approval.
    ///
    /// # Errors
    /// It cannot be made, or is there.
    pub fn make(create: &CreateArgs) -> Result<Option<Self>, CommandError> {
        use std::os::unix::fs::OpenOptionsExt as _;
        let Some(path) = &create.token_to else { return Ok(None) };
        match std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
            Ok(file) => Ok(Some(Self { path: path.clone(), file, is_kept: false })),
            Err(error) => {
                let help = match error.kind() {
                    ErrorKind::AlreadyExists => "; it may hold a token that is still good: name another, or remove it",
                    _ => "",
                };
                Err(CommandError::environment(format!("cannot make `{}`: {error}{help}", path.display())))
            }
        }
    }

    fn keep(&mut self, token: &str) -> std::io::Result<()> {
        self.file.write_all(format!("{token}\n").as_bytes())?;
        self.file.sync_all()?;
        self.is_kept = true;
        Ok(())
    }
}

impl Drop for TokenFile {
    fn drop(&mut self) {
        if !self.is_kept {
            // It holds nothing of use; that it stays is all that can happen.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

pub async fn create(
    server: &AtServer,
    create: &CreateArgs,
    target: Option<Target>,
    mut token_file: Option<TokenFile>,
    client: &mut Client,
) -> Result<ExitCode, tonic::Status> {
    let request = v1::CreateApprovalRequest {
        idempotency_key: create.key.clone(),
        tenant_id: server.tenant.clone(),
        target,
        requested_by: create.requested_by.clone(),
        justification: create.justification.clone(),
        ttl_seconds: create.ttl,
        webhook_endpoints: create.webhooks.clone(),
        correlation_id: String::new(),
    };
    let answer = client.create_approval(server.timed(request)).await?.into_inner();
    let Some(approval) = &answer.approval else { return Ok(ExitCode::from(exit::FAILED)) };
    let kept = token_file.as_mut().is_some_and(|file| match file.keep(&answer.token) {
        Ok(()) => true,
        Err(error) => {
            anstream::eprintln!("the token could not be written, and is printed instead: {error}");
            false
        }
    });
    match server.output {
        Format::Text => {
            output::print(format_args!("{}", render::approval(approval, &[], Length::Short)));
            if !kept {
                output::print(format_args!("{}", render::token(&answer.token)));
            }
        }
        Format::Json => {
            let token = (!kept).then_some(&answer.token);
            let answer = serde_json::json!({"approval": json::approval(approval), "token": token});
            output::print(format_args!("{answer:#}\n"));
        }
    }
    Ok(ExitCode::from(exit::OK))
}

/// The token in a file, `-` for standard input.
///
/// # Errors
/// It cannot be read.
pub fn token(file: &Path) -> Result<String, CommandError> {
    let (name, read) = if file.as_os_str() == "-" {
        ("standard input".to_owned(), std::io::read_to_string(std::io::stdin()))
    } else {
        (format!("`{}`", file.display()), std::fs::read_to_string(file))
    };
    let text =
        read.map_err(|error| CommandError::environment(format!("cannot read the token from {name}: {error}")))?;
    Ok(text.trim().to_owned())
}

/// The step that is to be redeemed, with its arguments.
///
/// # Errors
/// They cannot be read, or the token is to come from there.
pub fn step(consume: &ConsumeArgs) -> Result<Option<v1::ConsumeStep>, CommandError> {
    let Some(step_id) = consume.step.clone() else { return Ok(None) };
    let from_stdin = |path: &Path| path.as_os_str() == "-";
    if consume.params.as_deref().is_some_and(from_stdin) && from_stdin(&consume.token_from) {
        let message = "the token and the arguments cannot both come from standard input; name a file with --token-from";
        return Err(CommandError::environment(message));
    }
    let params = consume.params.as_deref().map(|path| input::read(path, policy::read_params)).transpose()?;
    Ok(Some(v1::ConsumeStep { step_id, params: params.as_ref().map(to_filled_struct) }))
}

pub async fn consume(
    server: &AtServer,
    consume: &ConsumeArgs,
    token: String,
    step: Option<v1::ConsumeStep>,
    client: &mut Client,
) -> Result<ExitCode, tonic::Status> {
    let request = v1::ConsumeRequest {
        tenant_id: server.tenant.clone(),
        token,
        target_hash: consume.hash.clone(),
        step,
        redemption_key: consume.key.clone(),
    };
    let answer = client.consume(server.timed(request)).await?.into_inner();
    match server.output {
        Format::Text => output::print(format_args!("{}", render::redeemed(&answer))),
        Format::Json => output::print(format_args!("{:#}\n", json::redeemed(&answer))),
    }
    Ok(ExitCode::from(exit::OK))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(level: u32, quorum: u32, votes: &[(u32, i64)]) -> v1::ApprovalStage {
        let vote = |(level, seconds): &(u32, i64)| v1::StageApproval {
            level: *level,
            at: Some(prost_types::Timestamp { seconds: *seconds, nanos: 0 }),
            ..v1::StageApproval::default()
        };
        let counting = votes.iter().filter(|(of, _)| *of >= level).count();
        v1::ApprovalStage {
            level,
            quorum,
            approvals: votes.iter().map(vote).collect(),
            complete: counting >= quorum as usize,
        }
    }

    #[test]
    fn an_approver_is_told_what_is_missing() {
        for (stages, expected) in [
            (vec![stage(3, 1, &[(3, 1)])], None),
            (vec![stage(3, 1, &[(2, 1)])], Some((false, "stage 1 needs 1 more of level 3"))),
            (vec![stage(3, 2, &[(2, 1), (3, 2)])], Some((true, "stage 1 needs 1 more of level 3"))),
            (vec![stage(3, 2, &[(3, 1), (2, 2)])], Some((false, "stage 1 needs 1 more of level 3"))),
            (vec![stage(2, 1, &[(2, 1)]), stage(4, 2, &[])], Some((true, "stage 2 needs 2 more of level 4"))),
        ] {
            let found = missing(&v1::Approval { stages: stages.clone(), ..v1::Approval::default() });
            let said = expected.map(|(counts, _)| counts);
            assert_eq!(found.as_ref().map(|(counts, _)| *counts), said, "{stages:?}");
            if let (Some((_, text)), Some((_, part))) = (found, expected) {
                assert!(text.contains(part), "{text}");
            }
        }
    }
}
