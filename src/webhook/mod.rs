//! Webhooks: telling endpoints what becomes of approvals.
//!
//! A message is queued in the store together with the change that it tells of, and sent afterwards: what was not committed
//! is never told, what was is told at least once. Each attempt looks the host up anew, checks every address and connects
//! to exactly those; it follows no redirect and knows no proxy.

mod attempt;
mod courier;
mod error;
mod keys;
mod payload;
mod resolve;
mod sender;
pub mod sign;
mod tls;

pub use attempt::WAITS;
pub use courier::{Courier, CourierHandle, CourierOptions};
pub use error::AttemptError;
pub use keys::{Key, Keys};
pub use payload::{deliveries, new_id, payload, test_payload};
pub use resolve::{Addresses, Resolve, SystemResolver};
pub use sender::{Message, Sender};

#[cfg(test)]
mod tests;
