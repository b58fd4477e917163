//! Approvals: what needs a human waits here until someone entitled has approved it, and then runs once.
//!
//! What may happen to an approval is the state machine's (`machine`), which is pure; the [`Approvals`] service loads an
//! approval, asks the machine, and commits what it says in one conditional change of the store, with its row of history,
//! its event and its webhook deliveries. The answer of `consume` is the authority; events and webhooks only tell of it.

mod assess;
mod body;
mod error;
mod export;
mod grant;
mod machine;
mod payload;
mod people;
mod service;
mod target;
mod token;
mod watch;
mod workers;

pub use assess::{Assessed, Assessment, NotApprovable};
pub use error::ApprovalError;
pub use export::Sheet;
pub use machine::{Refused, Verb, is_complete, step_id};
pub use people::People;
pub use service::{Actor, Approvals, Consumed, Creation, Decided, Newly, Parts, Redemption, Vote, Voter};
pub use target::{Codec, Target};
pub use token::Token;
pub use watch::Watching;
pub use workers::Round;
