//! From an HTTP/2 request to a call and its reply.
//!
//! The calls of `DecisionService` are served here, without tonic's layers: the message of an `Evaluate` is decoded where
//! it arrived, decided and answered in one poll. All other services go through tonic's routes.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use tower::Service as _;

use super::admission::Permit;
use super::approvals::{self, Answer, ApprovalDesk};
use super::batch::answer_batch;
use super::connection::Connection;
use super::context::CallContext;
use super::deadline;
use super::decode;
use super::frame::write_frame;
use super::message::{OneMessage, UNCLAIMED_BYTES};
use super::refusal::Refusal;
use super::reply::Reply;
use super::routed::RoutedBody;
use super::shown::Shown;
use super::stream::DecisionStream;
use super::unconfirmed::{Form, Settling, Unconfirmed};
use crate::event::{DecisionRecord, Pending};
use crate::identity::Caller;
use crate::model::Limits;

/// Bytes set aside for an answer; most are smaller.
const ANSWER_BYTES: usize = 512;

/// The calls of one connection.
#[derive(Debug)]
pub struct Calls {
    connection: Rc<Connection>,
}

impl Calls {
    /// The calls of `connection`.
    pub fn new(connection: Rc<Connection>) -> Self {
        Self { connection }
    }

    /// Begins a call, once it is known who makes it.
    fn begin(&self, request: Request<Incoming>) -> Result<Call, Refusal> {
        match self.connection.shown(request.headers())? {
            Shown::Nobody if self.connection.needs_credentials() && !is_health(request.uri().path()) => {
                Err(Refusal::credentials_required())
            }
            Shown::Nobody => self.start(request, None),
            Shown::Known(caller) => self.start(request, Some(caller)),
            Shown::Token(token) => {
                let calls = Self::new(self.connection.clone());
                let deadline = deadline::of_headers(request.headers())?;
                Ok(Call::later(async move {
                    let caller = calls.connection.verify(token, deadline).await?;
                    let mut call = calls.start(request, Some(caller))?;
                    std::future::poll_fn(|cx| call.poll(cx)).await
                }))
            }
        }
    }

    /// Begins a call by whoever is on the connection, or by `shown`.
    fn start(&self, request: Request<Incoming>, shown: Option<Arc<Caller>>) -> Result<Call, Refusal> {
        let context = CallContext::new(self.connection.clone(), shown);
        let worker = self.connection.worker();
        let deadline = deadline::of_headers(request.headers())?;
        let permit = worker.admission.enter().ok_or_else(Refusal::overloaded)?;
        Ok(match request.uri().path() {
            "/lictor.v1.DecisionService/Evaluate" => {
                let message = self.message(request, deadline);
                Call::Evaluate(Evaluate { context, message, settling: None, _permit: permit })
            }
            "/lictor.v1.DecisionService/EvaluateBatch" => {
                let message = self.message(request, deadline);
                Call::later(async move {
                    let _permit = permit;
                    let framed = answer_batch(context, message.await?, deadline).await?;
                    Ok(Reply::message(framed))
                })
            }
            "/lictor.v1.DecisionService/ValidateIR" => {
                let message = self.plan_message(request, deadline);
                let plans = worker.plans.clone();
                Call::later(async move {
                    let _permit = permit;
                    let answer = plans.validate(message, deadline, context.shared_caller().clone()).await?;
                    context.connection().hold(answer).map(Reply::message)
                })
            }
            "/lictor.v1.DecisionService/VerifyDag" => {
                let message = self.plan_message(request, deadline);
                let plans = worker.plans.clone();
                Call::later(async move {
                    let _permit = permit;
                    let answer = plans.verify(message, deadline, context.shared_caller().clone()).await?;
                    context.connection().hold(answer).map(Reply::message)
                })
            }
            "/lictor.v1.DecisionService/EvaluateStream" => {
                let stream = DecisionStream::new(context, request.into_body(), deadline, permit);
                Call::Ready(Some(Reply::stream(stream)))
            }
            path => match path.strip_prefix(approvals::SERVICE).zip(worker.plans.approvals.clone()) {
                Some((method, desk)) => {
                    let method = method.to_owned();
                    self.approval(desk, method, request, context, deadline, permit)
                }
                None => self.route(request, &context, deadline, permit),
            },
        })
    }

    /// A call about approvals: it arrives here, and is answered on the control runtime.
    fn approval(
        &self,
        desk: ApprovalDesk,
        method: String,
        request: Request<Incoming>,
        context: CallContext,
        deadline: Option<Instant>,
        permit: Permit,
    ) -> Call {
        let message = if approvals::takes_plan(&method) {
            self.plan_message(request, deadline)
        } else {
            self.message(request, deadline)
        };
        Call::later(async move {
            let mut message = message;
            let bytes = (&mut message).await?;
            let _held = message.take_claim();
            let caller = context.shared_caller().clone();
            match desk.call(method, bytes, caller, deadline).await? {
                Answer::Message(framed) => {
                    let _permit = permit;
                    context.connection().hold(framed).map(Reply::message)
                }
                Answer::Stream(body) => {
                    let body = tonic::body::Body::new(body);
                    let drained = context.worker().drained();
                    Ok(Reply::routed(RoutedBody::new(body, drained, context.expiry(), permit)))
                }
            }
        })
    }

    fn message(&self, request: Request<Incoming>, deadline: Option<Instant>) -> OneMessage {
        let worker = self.connection.worker();
        let limit = worker.desk.limits.message_bytes;
        OneMessage::new(request.into_body(), limit, deadline, worker.connection_limits.request)
            .with_claims(worker.plans.compute.clone(), UNCLAIMED_BYTES)
    }

    /// A message that holds a plan, and may be much larger than others.
    fn plan_message(&self, request: Request<Incoming>, deadline: Option<Instant>) -> OneMessage {
        let worker = self.connection.worker();
        let Limits { plan_bytes, .. } = *worker.desk.limits;
        OneMessage::new(request.into_body(), plan_bytes, deadline, worker.connection_limits.request)
            .with_claims(worker.plans.compute.clone(), UNCLAIMED_BYTES)
    }

    /// Everything that tonic serves. The services find who calls among the request's extensions, as an `Arc<Caller>`.
    fn route(
        &self,
        mut request: Request<Incoming>,
        context: &CallContext,
        deadline: Option<Instant>,
        permit: Permit,
    ) -> Call {
        request.extensions_mut().insert(context.shared_caller().clone());
        let expiry = context.expiry();
        let worker = self.connection.worker();
        let mut routes = worker.routes.clone();
        let drained = worker.drained();
        let path = request.uri().path().to_owned();
        Call::later(async move {
            let answer = routes.call(request);
            let response = match deadline {
                Some(deadline) => tokio::time::timeout_at(deadline.into(), answer).await,
                None => Ok(answer.await),
            };
            let response = response.map_err(|_| Refusal::deadline_exceeded())?;
            let response = response.unwrap_or_else(|never| match never {});
            if is_unknown_method(response.headers()) {
                return Err(Refusal::unknown_method(&path));
            }
            Ok(response.map(|body| Reply::Routed(Box::new(RoutedBody::new(body, drained, expiry, permit)))))
        })
    }
}

impl hyper::service::Service<Request<Incoming>> for Calls {
    type Response = Response<Reply>;
    type Error = Infallible;
    type Future = Answered;

    fn call(&self, request: Request<Incoming>) -> Answered {
        let call = if request.method() != Method::POST {
            Call::Ready(Some(Reply::not_grpc(StatusCode::METHOD_NOT_ALLOWED)))
        } else if !is_grpc(request.headers()) {
            Call::Ready(Some(Reply::not_grpc(StatusCode::UNSUPPORTED_MEDIA_TYPE)))
        } else {
            self.begin(request).unwrap_or_else(|refusal| Call::Refused(Some(refusal)))
        };
        Answered { connection: self.connection.clone(), call }
    }
}

/// How tonic answers where no service has the method: UNIMPLEMENTED, and not a word.
fn is_unknown_method(headers: &HeaderMap) -> bool {
    let unimplemented = headers.get(tonic::Status::GRPC_STATUS).is_some_and(|code| code == "12");
    unimplemented && !headers.contains_key(tonic::Status::GRPC_MESSAGE)
}

/// Whether anybody may call: probes have no credentials.
fn is_health(path: &str) -> bool {
    path.starts_with("/grpc.health.v1.Health/")
}

fn is_grpc(headers: &HeaderMap) -> bool {
    let Some(kind) = headers.get(header::CONTENT_TYPE) else { return false };
    kind.as_bytes().strip_prefix(b"application/grpc").is_some_and(|rest| match rest.first() {
        None | Some(b';') => true,
        Some(b'+') => rest.starts_with(b"+proto"),
        Some(_) => false,
    })
}

/// A call on its way to its reply. Never fails: a refusal is a reply.
#[derive(Debug)]
pub struct Answered {
    connection: Rc<Connection>,
    call: Call,
}

enum Call {
    Evaluate(Evaluate),
    Ready(Option<Response<Reply>>),
    Refused(Option<Refusal>),
    Later(Pin<Box<dyn Future<Output = Result<Response<Reply>, Refusal>>>>),
}

impl Call {
    fn later(future: impl Future<Output = Result<Response<Reply>, Refusal>> + 'static) -> Self {
        Self::Later(Box::pin(future))
    }
}

impl Call {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Response<Reply>, Refusal>> {
        match self {
            Self::Evaluate(call) => call.poll(cx),
            Self::Later(future) => future.as_mut().poll(cx),
            Self::Ready(response) => Poll::Ready(Ok(response.take().unwrap_or_default())),
            Self::Refused(refusal) => Poll::Ready(Err(refusal.take().unwrap_or_else(Refusal::cancelled))),
        }
    }
}

impl std::fmt::Debug for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Evaluate(_) => "Evaluate",
            Self::Ready(_) => "Ready",
            Self::Refused(_) => "Refused",
            Self::Later(_) => "Later",
        })
    }
}

impl Future for Answered {
    type Output = Result<Response<Reply>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.call.poll(cx).map(|answer| {
            Ok(answer.unwrap_or_else(|refusal| {
                self.connection.worker().refused(&refusal);
                Reply::refusal(&refusal)
            }))
        })
    }
}

/// A unary `Evaluate`.
#[derive(Debug)]
struct Evaluate {
    context: CallContext,
    message: OneMessage,
    /// The answer on its way to be on record, where it waits for that.
    settling: Option<Settling>,
    _permit: Permit,
}

impl Evaluate {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Response<Reply>, Refusal>> {
        if self.settling.is_none() {
            let Poll::Ready(message) = Pin::new(&mut self.message).poll(cx) else { return Poll::Pending };
            let (framed, pending) = self.answer(&message?)?;
            let Some(pending) = pending else { return Poll::Ready(self.reply(framed)) };
            let mut unconfirmed = Unconfirmed::default();
            unconfirmed.push(0..framed.len(), pending);
            self.settling = Some(Settling::new(self.context.connection().clone(), unconfirmed, framed, Form::Unary));
        }
        let Some(settling) = &mut self.settling else { return Poll::Pending };
        let Poll::Ready(framed) = settling.poll(cx) else { return Poll::Pending };
        Poll::Ready(self.reply(framed))
    }

    fn reply(&self, framed: Vec<u8>) -> Result<Response<Reply>, Refusal> {
        self.context.connection().hold(framed).map(Reply::message)
    }

    /// The framed answer, and what it has to wait for.
    fn answer(&self, message: &[u8]) -> Result<(Vec<u8>, Option<Pending<DecisionRecord>>), Refusal> {
        let desk = &self.context.worker().desk;
        let decoded = decode::evaluate_request(message, None, &desk.limits).map_err(Refusal::malformed)?;
        let mut framed = Vec::with_capacity(ANSWER_BYTES);
        let mut outcome = Ok(None);
        write_frame(&mut framed, |out| outcome = desk.answer_decoded(decoded, self.context.caller(), out));
        Ok((framed, outcome?))
    }
}
