//! The services that tonic serves: health and reflection.

use tonic::service::Routes;
use tonic_health::pb::health_server::HealthServer;

use super::health::{HealthService, Readiness};
use super::proto;

/// Most bytes of a request to these services.
const MESSAGE_BYTES: usize = 16 * 1_024;

/// Health, and reflection if asked for.
///
/// # Errors
/// The descriptors that were compiled in cannot be read, which a test rules out.
pub fn build(readiness: Readiness, reflection: bool) -> Result<Routes, tonic_reflection::server::Error> {
    let health = HealthServer::new(HealthService::new(readiness)).max_decoding_message_size(MESSAGE_BYTES);
    let mut routes = Routes::new(health);
    if reflection {
        let describe = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        };
        routes = routes
            .add_service(describe().build_v1()?.max_decoding_message_size(MESSAGE_BYTES))
            .add_service(describe().build_v1alpha()?.max_decoding_message_size(MESSAGE_BYTES));
    }
    Ok(routes.prepare())
}
