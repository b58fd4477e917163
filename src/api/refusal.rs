//! Why a question could not be asked, as clients see it: a gRPC status with typed details.
//!
//! A denial is never a refusal: it is an answer. Every refusal names a stable reason in `google.rpc.ErrorInfo`; what is
//! wrong with arguments stands in `google.rpc.BadRequest`, with field paths. Texts say nothing of the server's insides.

use bytes::Bytes;
use prost::Message;
use tonic::Code;

use super::decode::{Fault, Malformed, Violation};
use super::proto::rpc;
use crate::identity::{BadAssertion, BadToken, Denied};

/// Whose reasons they are.
const DOMAIN: &str = "lictor.dev";
/// Longest name of an unknown method that an answer repeats.
const MAX_METHOD_CHARS: usize = 200;

/// A question that could not be asked.
#[derive(Debug, Clone)]
pub struct Refusal {
    code: Code,
    reason: &'static str,
    message: String,
    violations: Vec<Violation>,
    /// Path of the field that is too much for the caller; empty where it is no field.
    field: String,
}

impl Refusal {
    /// A refusal with these words.
    pub(in crate::api) fn new(code: Code, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), violations: Vec::new(), field: String::new() }
    }

    /// The same, with what is wrong with fields.
    pub(in crate::api) fn with_violations(self, violations: Vec<Violation>) -> Self {
        Self { violations, ..self }
    }

    /// The bytes are not the message that they should be.
    pub fn malformed(why: Malformed) -> Self {
        Self::new(Code::InvalidArgument, "MALFORMED_MESSAGE", format!("the request is not valid protobuf: {why}"))
    }

    /// The message breaks the rules of its fields; `violations` is not empty.
    pub fn invalid(violations: Vec<Violation>) -> Self {
        let reason = common_reason(&violations);
        let message = match violations.as_slice() {
            [] => String::from("the request is invalid"),
            [only] => format!("`{}`: {}", only.field, only.description),
            [first, rest @ ..] => format!("`{}`: {} (and {} more)", first.field, first.description, rest.len()),
        };
        Self { violations, ..Self::new(Code::InvalidArgument, reason, message) }
    }

    /// The caller may not ask or do this.
    pub fn denied(denied: Denied) -> Self {
        let Denied { reason, field, message } = denied;
        Self { field, ..Self::new(Code::PermissionDenied, reason.as_str(), message) }
    }

    /// The call's token is not accepted.
    pub fn bad_token(bad: &BadToken) -> Self {
        Self::new(Code::Unauthenticated, bad.reason(), format!("the token in `authorization` is not accepted: {bad}"))
    }

    /// The call shows several tokens: which of them counts would be a guess.
    pub fn several_tokens() -> Self {
        let message =
            "the call has more than one `authorization`; send one, and look at what stands between client and server";
        Self::new(Code::Unauthenticated, "TOKEN_AMBIGUOUS", message)
    }

    /// The call shows a token, and none is accepted.
    pub fn tokens_not_accepted() -> Self {
        let message = "this server accepts no tokens; leave `authorization` out, or have an operator configure \
                       `identity.jwt` in lictor.yaml";
        Self::new(Code::Unauthenticated, "TOKENS_NOT_ACCEPTED", message)
    }

    /// The call shows nobody, where somebody must be shown.
    pub fn credentials_required() -> Self {
        let message = "this listener serves known callers only; connect with a client certificate, or send a token as \
                       `authorization: Bearer …` where the server accepts tokens";
        Self::new(Code::Unauthenticated, "CREDENTIALS_REQUIRED", message)
    }

    /// The call says to be from somebody who cannot be.
    pub fn bad_assertion(bad: BadAssertion) -> Self {
        Self::new(Code::Unauthenticated, "ASSERTION_INVALID", bad.to_string())
    }

    /// What the caller is known by has expired in the middle of the call.
    pub fn credentials_expired() -> Self {
        let message = "the token or certificate of the call has expired; call again with a new one";
        Self::new(Code::Unauthenticated, "TOKEN_EXPIRED", message)
    }

    /// The message is larger than allowed.
    pub fn message_too_large(size: usize, limit: usize) -> Self {
        let message = format!("the request has {size} bytes, at most {limit} are accepted");
        Self::new(Code::ResourceExhausted, "MESSAGE_TOO_LARGE", message)
    }

    /// More is being asked at once than the server takes on.
    pub fn overloaded() -> Self {
        let message = "too many requests are in flight; try again with back-off";
        Self::new(Code::ResourceExhausted, "OVERLOADED", message)
    }

    /// The pinned snapshot cannot be used.
    pub fn snapshot_not_resident(digest: &str) -> Self {
        let message = format!("the snapshot `{digest}` is not resident; leave `snapshot` empty for the live one");
        Self::new(Code::NotFound, "SNAPSHOT_NOT_RESIDENT", message)
    }

    /// The caller's deadline passed before the answer was made.
    pub fn deadline_exceeded() -> Self {
        Self::new(Code::DeadlineExceeded, "DEADLINE_EXCEEDED", "the deadline passed before the answer was made")
    }

    /// The caller began a request and did not send the rest in time.
    pub fn request_timeout() -> Self {
        let message = "the rest of the request did not arrive in time";
        Self::new(Code::DeadlineExceeded, "REQUEST_TIMEOUT", message)
    }

    /// `grpc-timeout` is not a duration.
    pub fn bad_timeout() -> Self {
        let message = "the header `grpc-timeout` is not a duration such as `250m`";
        Self::new(Code::InvalidArgument, "INVALID_TIMEOUT", message)
    }

    /// The message is compressed, which saves nothing at this size.
    pub fn compressed() -> Self {
        let message = "compressed messages are not accepted; send `grpc-encoding: identity`";
        Self::new(Code::Unimplemented, "COMPRESSION_UNSUPPORTED", message)
    }

    /// No service has the method that `path` names.
    pub fn unknown_method(path: &str) -> Self {
        let shown: String = path.trim_start_matches('/').chars().take(MAX_METHOD_CHARS).collect();
        let message = format!("the server has no method `{shown}`");
        Self::new(Code::Unimplemented, "UNKNOWN_METHOD", message)
    }

    /// The frame of a message is broken, or a unary call holds none or several messages.
    pub fn bad_framing(what: &'static str) -> Self {
        Self::new(Code::InvalidArgument, "MALFORMED_FRAME", what)
    }

    /// The client went away in the middle of the request.
    pub fn cancelled() -> Self {
        Self::new(Code::Cancelled, "CANCELLED", "the request ended before it was complete")
    }

    /// The server is shutting down.
    pub fn shutting_down() -> Self {
        Self::new(Code::Unavailable, "SHUTTING_DOWN", "the server is shutting down; connect again")
    }

    /// The receipt that should bind a plan is not one of ours, or binds another plan.
    pub fn bad_receipt(why: impl std::fmt::Display) -> Self {
        Self::new(Code::InvalidArgument, "INVALID_RECEIPT", format!("the receipt is not accepted: {why}"))
    }

    /// A binding by approval, while the server keeps no approvals.
    pub fn no_approvals() -> Self {
        let message = "this server keeps no approvals; bind the plan by the receipt of its validation";
        Self::new(Code::FailedPrecondition, "APPROVALS_UNAVAILABLE", message)
    }

    /// What was found must be on record before it is answered, and its record cannot be written.
    pub fn unrecorded() -> Self {
        let message = "the answer must be recorded and its record cannot be written; try again later";
        Self::new(Code::Unavailable, "AUDIT_UNAVAILABLE", message)
    }

    /// A fault of the server's own; its log tells more.
    pub fn internal() -> Self {
        Self::new(Code::Internal, "INTERNAL", "the server failed to answer; its log tells more")
    }

    /// The gRPC code.
    pub fn code(&self) -> Code {
        self.code
    }

    /// The reason, in UPPER_SNAKE_CASE.
    pub fn reason(&self) -> &'static str {
        self.reason
    }

    /// The refusal as a `google.rpc.Status`, encoded.
    pub fn to_rpc_status(&self) -> Vec<u8> {
        let field = (!self.field.is_empty()).then(|| ("field".to_owned(), self.field.clone()));
        let metadata = field.into_iter().collect();
        let info = rpc::ErrorInfo { reason: self.reason.into(), domain: DOMAIN.into(), metadata };
        let mut details = vec![any("google.rpc.ErrorInfo", &info)];
        if !self.violations.is_empty() {
            let field_violations = self
                .violations
                .iter()
                .map(|violation| rpc::bad_request::FieldViolation {
                    field: violation.field.clone(),
                    description: violation.description.clone(),
                })
                .collect();
            details.push(any("google.rpc.BadRequest", &rpc::BadRequest { field_violations }));
        }
        rpc::Status { code: self.code as i32, message: self.message.clone(), details }.encode_to_vec()
    }

    /// The refusal as the status of a call.
    pub fn to_status(&self) -> tonic::Status {
        tonic::Status::with_details(self.code, self.message.clone(), Bytes::from(self.to_rpc_status()))
    }
}

/// The one kind of all violations, or a general word for a mix.
fn common_reason(violations: &[Violation]) -> &'static str {
    let mut kinds = violations.iter().map(|violation| violation.fault);
    let first = kinds.next();
    match first {
        Some(fault) if kinds.all(|other| other == fault) => Fault::as_str(fault),
        _ => "INVALID_REQUEST",
    }
}

fn any(name: &str, message: &impl Message) -> prost_types::Any {
    prost_types::Any { type_url: format!("type.googleapis.com/{name}"), value: message.encode_to_vec() }
}
