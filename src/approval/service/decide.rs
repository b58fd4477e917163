//! Approving, rejecting, cancelling.

use super::{Actor, Approvals, Vote, Voter};
use crate::approval::error::ApprovalError;
use crate::approval::machine;
use crate::approval::people::own_names;
use crate::model::Approval;

/// What somebody decides.
#[derive(Debug, Clone)]
pub enum Decided {
    /// It may run.
    Approve(Vote),
    /// It must not run.
    Reject(Vote),
    /// It is taken back.
    Cancel {
        /// For the record.
        reason: String,
        /// Whether the caller may cancel what others have created.
        of_others: bool,
    },
}

impl Approvals {
    /// Decides an approval.
    ///
    /// # Errors
    /// There is none, the caller may not, or not now, or the store cannot be used.
    pub async fn decide(
        &self,
        actor: &Actor,
        tenant: &str,
        id: &str,
        decided: Decided,
    ) -> Result<Approval, ApprovalError> {
        let people = &*self.0.parts.people;
        let voter = |approval: &Approval| Voter {
            principal: actor.principal.clone(),
            level: actor.level,
            also: own_names(people, approval, &actor.principal),
        };
        let decision = self.change(tenant, id, |approval, now, epoch| {
            Ok(match &decided {
                Decided::Approve(vote) => machine::approve(approval, &voter(approval), vote, now, epoch)?,
                Decided::Reject(vote) => machine::reject(approval, &voter(approval), vote, now, epoch)?,
                Decided::Cancel { reason, of_others } => {
                    if approval.created_by != actor.principal && !of_others {
                        return Err(ApprovalError::NotTheCreator);
                    }
                    machine::cancel(approval, &actor.principal, reason, now, epoch)?
                }
            })
        });
        decision.await
    }
}
