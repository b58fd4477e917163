//! `grpc.health.v1`: SERVING while a snapshot is live and the server takes on calls.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::Health;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use super::drain::Drain;
use crate::snapshot::Holder;

/// Services that the server speaks for; the empty name is the server as a whole.
const KNOWN: [&str; 3] = ["", "lictor.v1.DecisionService", "lictor.v1.ApprovalService"];
/// How often a watcher's status is looked at.
const WATCH_INTERVAL: Duration = Duration::from_millis(250);

/// Whether the server can decide. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Readiness {
    holder: Arc<Holder>,
    drain: Drain,
}

impl Readiness {
    /// Looks at the snapshots in `holder` and at whether the server drains.
    pub fn new(holder: Arc<Holder>, drain: Drain) -> Self {
        Self { holder, drain }
    }

    /// `Ok` if the server takes on calls and has a live snapshot, else the reason.
    ///
    /// # Errors
    /// The reason, for people.
    pub fn check(&self) -> Result<Arc<crate::model::SnapshotLabel>, &'static str> {
        if self.drain.is_draining() {
            return Err("the server is shutting down");
        }
        match self.holder.load().live() {
            Some(snapshot) => Ok(snapshot.label().clone()),
            None => Err("no policy snapshot is live yet"),
        }
    }

    fn status(&self) -> ServingStatus {
        if self.check().is_ok() { ServingStatus::Serving } else { ServingStatus::NotServing }
    }
}

/// The health service.
#[derive(Debug)]
pub struct HealthService {
    readiness: Readiness,
}

impl HealthService {
    /// Answers from `readiness`.
    pub fn new(readiness: Readiness) -> Self {
        Self { readiness }
    }
}

fn response(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status as i32 }
}

#[tonic::async_trait]
impl Health for HealthService {
    async fn check(&self, request: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        if !KNOWN.contains(&request.get_ref().service.as_str()) {
            return Err(Status::not_found("the server has no such service"));
        }
        Ok(Response::new(response(self.readiness.status())))
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn watch(&self, request: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let known = KNOWN.contains(&request.get_ref().service.as_str());
        let readiness = self.readiness.clone();
        let (sender, receiver) = tokio::sync::mpsc::channel(1);
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(WATCH_INTERVAL);
            let mut last = None;
            loop {
                tokio::select! {
                    _ = ticks.tick() => {}
                    () = sender.closed() => return,
                }
                let status = if known { readiness.status() } else { ServingStatus::ServiceUnknown };
                if last != Some(status) {
                    last = Some(status);
                    if sender.send(Ok(response(status))).await.is_err() {
                        return;
                    }
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }
}
