//! Health and reflection.

use tokio_stream::StreamExt;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::{ServerReflectionRequest, ServerReflectionResponse};

use crate::harness::{POLICIES, Running};

fn of(service: &str) -> HealthCheckRequest {
    HealthCheckRequest { service: service.into() }
}

#[tokio::test]
async fn serving_once_a_snapshot_is_live() {
    let running = Running::start_empty(|_| {});
    let mut health = HealthClient::new(running.tcp().await);
    let mut watched = health.watch(of("")).await.unwrap().into_inner();
    assert_eq!(watched.next().await.unwrap().unwrap().status(), ServingStatus::NotServing);
    for service in ["", "lictor.v1.DecisionService"] {
        let before = health.check(of(service)).await.unwrap().into_inner();
        assert_eq!(before.status(), ServingStatus::NotServing);
    }
    running.publish(POLICIES, 1);
    for service in ["", "lictor.v1.DecisionService"] {
        let after = health.check(of(service)).await.unwrap().into_inner();
        assert_eq!(after.status(), ServingStatus::Serving);
    }
    assert_eq!(health.check(of("other")).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(watched.next().await.unwrap().unwrap().status(), ServingStatus::Serving);
    // A watcher does not keep the server from stopping.
    assert!(running.stop().await);
}

async fn reflect(running: &Running, message: MessageRequest) -> ServerReflectionResponse {
    let request = ServerReflectionRequest { host: String::new(), message_request: Some(message) };
    let mut client = ServerReflectionClient::new(running.tcp().await);
    let mut answers = client.server_reflection_info(tokio_stream::iter([request])).await.unwrap().into_inner();
    answers.next().await.unwrap().unwrap()
}

#[tokio::test]
async fn reflection_describes_the_services() {
    let running = Running::start(|_| {});
    let answer = reflect(&running, MessageRequest::ListServices(String::new())).await;
    let Some(MessageResponse::ListServicesResponse(list)) = answer.message_response else { panic!("{answer:?}") };
    let names: Vec<&str> = list.service.iter().map(|service| service.name.as_str()).collect();
    for name in ["lictor.v1.DecisionService", "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection"] {
        assert!(names.contains(&name), "{names:?}");
    }
    let symbol = MessageRequest::FileContainingSymbol("lictor.v1.DecisionService".into());
    let answer = reflect(&running, symbol).await;
    assert!(matches!(answer.message_response, Some(MessageResponse::FileDescriptorResponse(_))), "{answer:?}");

    let without = Running::start(|options| options.reflection = false);
    let mut client = ServerReflectionClient::new(without.tcp().await);
    let refused = client.server_reflection_info(tokio_stream::iter([])).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unimplemented);
}
