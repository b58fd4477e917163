//! People in the loop: the durable store, and what is built upon it. Runs over both databases: a private PostgreSQL server
//! is started by the tests themselves, and its absence is a failure.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod approvals;
mod approvals_bound;
mod approvals_commanded;
mod approvals_downtime;
mod approvals_killed;
mod approvals_levels;
mod approvals_load;
mod approvals_model;
mod approvals_outage;
mod approvals_secrets;
mod approvals_served;
mod approvals_states;
mod approvals_tenants;
mod approvals_workers;
mod harness;
mod house;
mod postgres;
#[allow(dead_code, reason = "shared with the tests of the room, which use all of it")]
#[path = "../../src/webhook/tests/receiver.rs"]
mod receiver;
mod served;
mod store;
mod store_backup;
mod store_crash;
mod store_faults;
mod store_full;
mod store_lists;
mod store_queues;
mod store_replaced;
mod store_served;
#[allow(dead_code, reason = "shared with tests/system, which uses all of it")]
#[path = "../system/harness.rs"]
mod system;
#[path = "../server/identity/token_key.rs"]
mod token_key;
mod webhooks;
mod webhooks_served;
