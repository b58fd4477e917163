//! The name, kind and help text of every metric.

/// Decisions, by `decision`, `effect` and `reason_code`.
pub const DECISIONS: &str = "lictor_decisions_total";
/// Decisions of a tenant, by the first 8 hexadecimal digits of the SHA-256 of its id, or `other`.
pub const TENANT_DECISIONS: &str = "lictor_tenant_decisions_total";
/// Time that evaluating a decision took.
pub const EVALUATE_DURATION: &str = "lictor_evaluate_duration_seconds";
/// Validated plans, by `status` and `tier`.
pub const VALIDATIONS: &str = "lictor_validations_total";
/// What became of approvals, by what happened.
pub const APPROVALS: &str = "lictor_approvals_total";
/// Refused redemptions, by reason.
pub const APPROVALS_REFUSED: &str = "lictor_approvals_refused_total";
/// Violations of validated plans, by `code`.
pub const VIOLATIONS: &str = "lictor_validation_violations_total";
/// Time that validating a plan took.
pub const VALIDATE_DURATION: &str = "lictor_validate_duration_seconds";
/// DAGs and executions that were compared with their plan, by `result`: `ok` or `failed`.
pub const DAG_VERIFICATIONS: &str = "lictor_dag_verifications_total";
/// Attempts to deliver a message to a webhook endpoint, by `endpoint` and `outcome`: `delivered` or why not.
pub const WEBHOOK_ATTEMPTS: &str = "lictor_webhook_attempts_total";
/// Messages to webhook endpoints that were given up, by `endpoint`.
pub const WEBHOOK_DEAD_LETTERS: &str = "lictor_webhook_dead_letters_total";
/// Time between a change of an approval and its delivery to a webhook endpoint.
pub const WEBHOOK_DELIVERY: &str = "lictor_webhook_delivery_seconds";
/// Calls and items that could not be asked, by gRPC `code` and `reason`.
pub const RPC_ERRORS: &str = "lictor_rpc_errors_total";
/// Calls in flight.
pub const CALLS_IN_FLIGHT: &str = "lictor_calls_in_flight";
/// Open connections.
pub const CONNECTIONS: &str = "lictor_connections";
/// Connections that were closed at once because of the limit.
pub const CONNECTIONS_REFUSED: &str = "lictor_connections_refused_total";
/// Attempts to load the policies, by `result`: `published`, `unchanged` or `failed`.
pub const POLICY_RELOADS: &str = "lictor_policy_reloads_total";
/// 1 while the last attempt to load the policies failed.
pub const POLICY_RELOAD_FAILED: &str = "lictor_policy_reload_failed";
/// 1 while certificates or keys on disk cannot be used, by `of`: `tls` or `jwks`.
pub const IDENTITY_RELOAD_FAILED: &str = "lictor_identity_reload_failed";
/// When the server's certificate expires, in seconds since 1970.
pub const CERTIFICATE_EXPIRES: &str = "lictor_tls_certificate_expires_timestamp_seconds";
/// Revision of the live snapshot; 0 before the first.
pub const SNAPSHOT_REVISION: &str = "lictor_snapshot_revision";
/// Time since the live snapshot was published.
pub const SNAPSHOT_AGE: &str = "lictor_snapshot_age_seconds";
/// Rules of the live snapshot.
pub const SNAPSHOT_RULES: &str = "lictor_snapshot_rules";
/// 1, with the version as a label.
pub const BUILD_INFO: &str = "lictor_build_info";
/// Time since the process started to serve.
pub const UPTIME: &str = "lictor_uptime_seconds";
/// Memory that the process holds.
pub const PROCESS_RESIDENT: &str = "process_resident_memory_bytes";
/// Processor time that the process has used.
pub const PROCESS_CPU: &str = "process_cpu_seconds_total";
/// Open file descriptors.
pub const PROCESS_FDS: &str = "process_open_fds";

/// Decision records that wait for the writer.
pub const RING_RECORDS: &str = "lictor_event_ring_records";
/// Bytes that those records own.
pub const RING_BYTES: &str = "lictor_event_ring_bytes";
/// Decision records that were lost before the journal, by `reason`.
pub const EVENTS_DROPPED: &str = "lictor_events_dropped_total";
/// Events written to the journal.
pub const JOURNAL_EVENTS: &str = "lictor_journal_events_total";
/// Sequence number of the last event of the journal.
pub const JOURNAL_SEQUENCE: &str = "lictor_journal_sequence";
/// Time between a decision and its record in the journal; grows while the journal cannot be written.
pub const JOURNAL_LAG: &str = "lictor_journal_lag_seconds";
/// Records that are decided and not yet in the journal.
pub const JOURNAL_LAG_RECORDS: &str = "lictor_journal_lag_records";
/// Size of the journal.
pub const JOURNAL_BYTES: &str = "lictor_journal_bytes";
/// Segments that the cap deleted.
pub const JOURNAL_SEGMENTS_DELETED: &str = "lictor_journal_segments_deleted_total";
/// Failed writes and fsyncs, by `operation`.
pub const JOURNAL_FAILURES: &str = "lictor_journal_failures_total";
/// 1 while the journal cannot be written.
pub const JOURNAL_FAILING: &str = "lictor_journal_failing";
/// Tickets that gap records name as missing.
pub const GAP_TICKETS: &str = "lictor_gap_tickets_total";
/// Events that an exporter has yet to deliver, by `exporter`.
pub const EXPORTER_LAG: &str = "lictor_exporter_lag_events";
/// Deliveries that failed and are tried again, by `exporter`.
pub const EXPORTER_FAILURES: &str = "lictor_exporter_failures_total";
/// Events that the journal's cap deleted before the exporter read them, by `exporter`.
pub const EXPORTER_LOST: &str = "lictor_exporter_lost_total";

/// 1 while the store answers.
pub const STORE_UP: &str = "lictor_store_up";
/// Operations of the store, by `operation` and `outcome`: `ok` or what went wrong.
pub const STORE_OPERATIONS: &str = "lictor_store_operations_total";
/// Time that those operations took, by `operation`, whatever came of them.
pub const STORE_OPERATION_DURATION: &str = "lictor_store_operation_seconds";
/// Transactions that the embedded store has committed.
pub const STORE_COMMITS: &str = "lictor_store_commits_total";
/// Writes that those transactions held.
pub const STORE_COMMITTED_WRITES: &str = "lictor_store_committed_writes_total";
/// Most writes that one of those transactions has held.
pub const STORE_LARGEST_COMMIT: &str = "lictor_store_largest_commit_writes";
/// How far the machine's clock is behind the embedded store's time.
pub const STORE_CLOCK_BEHIND: &str = "lictor_store_clock_behind_seconds";
/// Approvals that wait for people.
pub const APPROVALS_OPEN: &str = "lictor_approvals_open";
/// Committed events that wait for the journal.
pub const OUTBOX_EVENTS: &str = "lictor_store_outbox_events";
/// Age of the oldest of them, 0 if there is none.
pub const OUTBOX_AGE: &str = "lictor_store_outbox_age_seconds";
/// Webhook deliveries that wait for an attempt.
pub const DELIVERIES_PENDING: &str = "lictor_webhook_deliveries_pending";
/// Webhook deliveries that failed for good.
pub const DELIVERIES_DEAD: &str = "lictor_webhook_deliveries_dead";

/// Kind of a metric that goes through the `metrics` facade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
}

/// Every metric that goes through the `metrics` facade, with its help text. The histograms are our own.
pub const DESCRIBED: [(&str, Kind, &str); 51] = [
    (DECISIONS, Kind::Counter, "Decisions by outcome, effect and reason"),
    (TENANT_DECISIONS, Kind::Counter, "Decisions by tenant, as 8 hexadecimal digits of the SHA-256 of its id"),
    (VALIDATIONS, Kind::Counter, "Validated plans by status and tier"),
    (APPROVALS, Kind::Counter, "What became of approvals: created, approved, consumed and so on"),
    (APPROVALS_REFUSED, Kind::Counter, "Refused redemptions of approvals by reason"),
    (VIOLATIONS, Kind::Counter, "Violations of validated plans by code"),
    (DAG_VERIFICATIONS, Kind::Counter, "DAGs and executions that were compared with their plan, by result"),
    (WEBHOOK_ATTEMPTS, Kind::Counter, "Attempts to deliver a message to a webhook endpoint, by outcome"),
    (WEBHOOK_DEAD_LETTERS, Kind::Counter, "Messages to webhook endpoints that were given up"),
    (RPC_ERRORS, Kind::Counter, "Calls and items that could not be asked, by gRPC code and reason"),
    (CALLS_IN_FLIGHT, Kind::Gauge, "Calls in flight, streams included"),
    (CONNECTIONS, Kind::Gauge, "Open client connections"),
    (CONNECTIONS_REFUSED, Kind::Counter, "Connections closed at once because of the limit"),
    (POLICY_RELOADS, Kind::Counter, "Attempts to load the policies by result"),
    (POLICY_RELOAD_FAILED, Kind::Gauge, "1 while the last attempt to load the policies failed"),
    (IDENTITY_RELOAD_FAILED, Kind::Gauge, "1 while certificates (tls) or keys of tokens (jwks) on disk cannot be used"),
    (CERTIFICATE_EXPIRES, Kind::Gauge, "When the server's certificate expires, in seconds since 1970"),
    (SNAPSHOT_REVISION, Kind::Gauge, "Revision of the live snapshot, 0 before the first"),
    (SNAPSHOT_AGE, Kind::Gauge, "Seconds since the live snapshot was published"),
    (SNAPSHOT_RULES, Kind::Gauge, "Rules of the live snapshot"),
    (RING_RECORDS, Kind::Gauge, "Decision records waiting for the journal's writer"),
    (RING_BYTES, Kind::Gauge, "Bytes owned by the records waiting for the writer"),
    (
        EVENTS_DROPPED,
        Kind::Counter,
        "Decision records that were lost before the journal, by reason; gap records name them",
    ),
    (JOURNAL_EVENTS, Kind::Counter, "Events written to the journal"),
    (JOURNAL_SEQUENCE, Kind::Gauge, "Sequence number of the journal's last event"),
    (JOURNAL_LAG, Kind::Gauge, "Seconds between a decision and its record; grows while the journal cannot be written"),
    (JOURNAL_LAG_RECORDS, Kind::Gauge, "Records decided and not yet in the journal"),
    (JOURNAL_BYTES, Kind::Gauge, "Size of the journal in bytes"),
    (JOURNAL_SEGMENTS_DELETED, Kind::Counter, "Journal segments deleted by the cap"),
    (JOURNAL_FAILURES, Kind::Counter, "Failed writes and fsyncs of the journal, by operation"),
    (JOURNAL_FAILING, Kind::Gauge, "1 while the journal cannot be written"),
    (GAP_TICKETS, Kind::Counter, "Tickets that gap records name as missing"),
    (EXPORTER_LAG, Kind::Gauge, "Events that an exporter has yet to deliver"),
    (EXPORTER_FAILURES, Kind::Counter, "Deliveries that failed and are tried again, by exporter"),
    (EXPORTER_LOST, Kind::Counter, "Events deleted by the journal's cap before the exporter read them"),
    (STORE_UP, Kind::Gauge, "1 while the store answers"),
    (STORE_OPERATIONS, Kind::Counter, "Operations of the store by operation and outcome"),
    (STORE_COMMITS, Kind::Counter, "Transactions that the embedded store has committed"),
    (STORE_COMMITTED_WRITES, Kind::Counter, "Writes that the embedded store's transactions held"),
    (STORE_LARGEST_COMMIT, Kind::Gauge, "Most writes that one transaction of the embedded store has held"),
    (STORE_CLOCK_BEHIND, Kind::Gauge, "Seconds that the machine's clock is behind the time of the embedded store"),
    (APPROVALS_OPEN, Kind::Gauge, "Approvals that wait for people"),
    (OUTBOX_EVENTS, Kind::Gauge, "Committed events that wait for the journal"),
    (OUTBOX_AGE, Kind::Gauge, "Seconds since the oldest event that waits for the journal happened"),
    (DELIVERIES_PENDING, Kind::Gauge, "Webhook deliveries that wait for an attempt"),
    (DELIVERIES_DEAD, Kind::Gauge, "Webhook deliveries that failed for good"),
    (BUILD_INFO, Kind::Gauge, "1, with the version as a label"),
    (UPTIME, Kind::Gauge, "Seconds since the server was started"),
    (PROCESS_RESIDENT, Kind::Gauge, "Resident memory in bytes"),
    (PROCESS_CPU, Kind::Counter, "Processor time used, in seconds"),
    (PROCESS_FDS, Kind::Gauge, "Open file descriptors"),
];
