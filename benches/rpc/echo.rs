//! The floor: a stock tonic server of the same messages that decides nothing.
//!
//! Current-thread runtime unless threads are what is compared, the default allocator, requests decoded into prost's types, answers of the size of Lictor's. The
//! service is written as tonic's generator writes it.

use std::convert::Infallible;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};

use lictor::api::proto::v1::evaluate_batch_result::Result as BatchOutcome;
use lictor::api::proto::v1::evaluate_stream_response::Result as StreamOutcome;
use lictor::api::proto::v1::{
    EvaluateBatchRequest, EvaluateBatchResponse, EvaluateBatchResult, EvaluateRequest, EvaluateResponse,
    EvaluateStreamRequest, EvaluateStreamResponse,
};
use prost::Message;
use tokio_stream::wrappers::{TcpListenerStream, UnixListenerStream};
use tokio_stream::{Stream, StreamExt};
use tonic::body::Body;
use tonic::server::{Grpc, NamedService, StreamingService, UnaryService};
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;

/// How the echo is run.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub enum Threads {
    /// One thread does everything.
    One,
    /// As many as there are processors, which take work from each other: what `#[tokio::main]` gives.
    Stealing,
}

/// Serves on a Unix socket and a TCP port until killed; prints the port. Answers have `answer_bytes` bytes.
pub fn run(socket: &Path, answer_bytes: usize, threads: Threads) {
    let mut builder = match threads {
        Threads::One => tokio::runtime::Builder::new_current_thread(),
        Threads::Stealing => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = builder.enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let unix = tokio::net::UnixListener::bind(socket).expect("a Unix socket");
        let tcp = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        println!("{}", tcp.local_addr().expect("its address"));
        let echo = Echo { answer: answer_of(answer_bytes) };
        let unix = Server::builder().add_service(echo.clone()).serve_with_incoming(UnixListenerStream::new(unix));
        let tcp = TcpListenerStream::new(tcp)
            .map(|socket| socket.and_then(|socket| socket.set_nodelay(true).map(|()| socket)));
        let tcp = Server::builder().add_service(echo).serve_with_incoming(tcp);
        let (unix, tcp) = tokio::join!(unix, tcp);
        unix.and(tcp).expect("serves");
    });
}

/// An answer that encodes to `bytes` bytes: one text, which costs less to make than the fields of a real one.
fn answer_of(bytes: usize) -> EvaluateResponse {
    let text = |length: usize| EvaluateResponse { reason: "x".repeat(length), ..EvaluateResponse::default() };
    let overhead = text(bytes).encoded_len().saturating_sub(bytes);
    text(bytes.saturating_sub(overhead))
}

#[derive(Clone)]
struct Echo {
    answer: EvaluateResponse,
}

type Answer<T> = Pin<Box<dyn Future<Output = Result<Response<T>, Status>> + Send>>;
type Answers = Pin<Box<dyn Stream<Item = Result<EvaluateStreamResponse, Status>> + Send>>;

impl UnaryService<EvaluateRequest> for Echo {
    type Response = EvaluateResponse;
    type Future = Answer<EvaluateResponse>;

    fn call(&mut self, request: Request<EvaluateRequest>) -> Self::Future {
        let answer = self.answer.clone();
        Box::pin(async move {
            drop(request.into_inner());
            Ok(Response::new(answer))
        })
    }
}

struct Batch(Echo);

impl UnaryService<EvaluateBatchRequest> for Batch {
    type Response = EvaluateBatchResponse;
    type Future = Answer<EvaluateBatchResponse>;

    fn call(&mut self, request: Request<EvaluateBatchRequest>) -> Self::Future {
        let answer = self.0.answer.clone();
        Box::pin(async move {
            let result = |request: EvaluateRequest| EvaluateBatchResult {
                request_id: request.request_id,
                result: Some(BatchOutcome::Response(answer.clone())),
            };
            let results = request.into_inner().requests.into_iter().map(result).collect();
            Ok(Response::new(EvaluateBatchResponse { snapshot: None, results }))
        })
    }
}

struct Flow(Echo);

impl StreamingService<EvaluateStreamRequest> for Flow {
    type Response = EvaluateStreamResponse;
    type ResponseStream = Answers;
    type Future = Answer<Answers>;

    fn call(&mut self, request: Request<Streaming<EvaluateStreamRequest>>) -> Self::Future {
        let answer = self.0.answer.clone();
        Box::pin(async move {
            let answers = request.into_inner().map(move |request| {
                let request_id = request?.request.unwrap_or_default().request_id;
                Ok(EvaluateStreamResponse { request_id, result: Some(StreamOutcome::Response(answer.clone())) })
            });
            Ok(Response::new(Box::pin(answers) as Answers))
        })
    }
}

impl NamedService for Echo {
    const NAME: &'static str = "lictor.v1.DecisionService";
}

impl tower::Service<http::Request<Body>> for Echo {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let echo = self.clone();
        match request.uri().path() {
            "/lictor.v1.DecisionService/Evaluate" => {
                Box::pin(async move { Ok(Grpc::new(ProstCodec::default()).unary(echo, request).await) })
            }
            "/lictor.v1.DecisionService/EvaluateBatch" => {
                Box::pin(async move { Ok(Grpc::new(ProstCodec::default()).unary(Batch(echo), request).await) })
            }
            "/lictor.v1.DecisionService/EvaluateStream" => {
                Box::pin(async move { Ok(Grpc::new(ProstCodec::default()).streaming(Flow(echo), request).await) })
            }
            path => panic!("the load program asked for {path}"),
        }
    }
}
