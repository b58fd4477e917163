//! Approvals: what needs a human waits here until someone entitled has approved it, and then runs once.
//!
//! What may happen to an approval is the state machine's (`machine`), which is pure; the [`Approvals`] service loads an
//! approval, asks the machine, and commits what it says in one conditional change of the store, with its row of history,
//! its event and its webhook deliveries. The answer of `consume` is the authority; events and webhooks only tell of it.

mod assess;
mod body;
mod machine;
mod payload;
mod token;

pub use assess::{Assessed, Assessment, NotApprovable, assess_action, assess_plan};
pub use machine::{Ask, Happening, Refused, Transition, Verb, Voter};
pub use token::Token;
