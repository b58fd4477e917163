//! From an HTTP/2 request to a call and its reply.
//!
//! The calls of `DecisionService` are served here, without tonic's layers: the message of an `Evaluate` is decoded where
//! it arrived, decided and answered in one poll. All other services go through tonic's routes.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use tower::Service as _;

use super::admission::Permit;
use super::batch::answer_batch;
use super::connection::Connection;
use super::deadline;
use super::decode;
use super::frame::write_frame;
use super::message::{OneMessage, UNCLAIMED_BYTES};
use super::refusal::Refusal;
use super::reply::Reply;
use super::routed::RoutedBody;
use super::stream::DecisionStream;
use super::unconfirmed::{Form, Settling, Unconfirmed};
use crate::event::{DecisionRecord, Pending};
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

    fn start(&self, request: Request<Incoming>) -> Result<Call, Refusal> {
        let worker = self.connection.worker();
        let deadline = deadline::of_headers(request.headers())?;
        let permit = worker.admission.enter().ok_or_else(Refusal::overloaded)?;
        Ok(match request.uri().path() {
            "/lictor.v1.DecisionService/Evaluate" => {
                let message = self.message(request, deadline);
                Call::Evaluate(Evaluate {
                    connection: self.connection.clone(),
                    message,
                    settling: None,
                    _permit: permit,
                })
            }
            "/lictor.v1.DecisionService/EvaluateBatch" => {
                let message = self.message(request, deadline);
                let connection = self.connection.clone();
                Call::later(async move {
                    let _permit = permit;
                    let framed = answer_batch(connection.clone(), message.await?, deadline).await?;
                    Ok(Reply::message(framed))
                })
            }
            "/lictor.v1.DecisionService/ValidateIR" => {
                let message = self.plan_message(request, deadline);
                let (plans, actor) = (worker.plans.clone(), self.connection.actor().clone());
                let connection = self.connection.clone();
                Call::later(async move {
                    let _permit = permit;
                    connection.hold(plans.validate(message, deadline, actor).await?).map(Reply::message)
                })
            }
            "/lictor.v1.DecisionService/VerifyDag" => {
                let message = self.plan_message(request, deadline);
                let (plans, actor) = (worker.plans.clone(), self.connection.actor().clone());
                let connection = self.connection.clone();
                Call::later(async move {
                    let _permit = permit;
                    connection.hold(plans.verify(message, deadline, actor).await?).map(Reply::message)
                })
            }
            "/lictor.v1.DecisionService/EvaluateStream" => {
                let stream = DecisionStream::new(self.connection.clone(), request.into_body(), deadline, permit);
                Call::Ready(Some(Reply::stream(stream)))
            }
            _ => self.route(request, deadline, permit),
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

    /// Everything that tonic serves.
    fn route(&self, request: Request<Incoming>, deadline: Option<Instant>, permit: Permit) -> Call {
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
            Ok(response.map(|body| Reply::Routed(Box::new(RoutedBody::new(body, drained, permit)))))
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
            self.start(request).unwrap_or_else(|refusal| Call::Refused(Some(refusal)))
        };
        Answered { connection: self.connection.clone(), call }
    }
}

/// How tonic answers where no service has the method: UNIMPLEMENTED, and not a word.
fn is_unknown_method(headers: &HeaderMap) -> bool {
    let unimplemented = headers.get(tonic::Status::GRPC_STATUS).is_some_and(|code| code == "12");
    unimplemented && !headers.contains_key(tonic::Status::GRPC_MESSAGE)
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
        let answer = match &mut self.call {
            Call::Evaluate(call) => call.poll(cx),
            Call::Later(future) => future.as_mut().poll(cx),
            Call::Ready(response) => Poll::Ready(Ok(response.take().unwrap_or_default())),
            Call::Refused(refusal) => Poll::Ready(Err(refusal.take().unwrap_or_else(Refusal::cancelled))),
        };
        answer.map(|answer| {
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
    connection: Rc<Connection>,
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
            self.settling = Some(Settling::new(self.connection.clone(), unconfirmed, framed, Form::Unary));
        }
        let Some(settling) = &mut self.settling else { return Poll::Pending };
        let Poll::Ready(framed) = settling.poll(cx) else { return Poll::Pending };
        Poll::Ready(self.reply(framed))
    }

    fn reply(&self, framed: Vec<u8>) -> Result<Response<Reply>, Refusal> {
        self.connection.hold(framed).map(Reply::message)
    }

    /// The framed answer, and what it has to wait for.
    fn answer(&self, message: &[u8]) -> Result<(Vec<u8>, Option<Pending<DecisionRecord>>), Refusal> {
        let desk = &self.connection.worker().desk;
        let decoded = decode::evaluate_request(message, None, &desk.limits).map_err(Refusal::malformed)?;
        let mut framed = Vec::with_capacity(ANSWER_BYTES);
        let mut outcome = Ok(None);
        write_frame(&mut framed, |out| outcome = desk.answer_decoded(decoded, self.connection.actor(), out));
        Ok((framed, outcome?))
    }
}
