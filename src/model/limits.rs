//! Every limit in one place. A limit that is hit is an error that names it.

/// Limits on what is asked and on what deciding may cost. The defaults are also the maxima of the contract:
/// configuration may lower them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Largest request message, in bytes. A larger one is RESOURCE_EXHAUSTED.
    pub message_bytes: usize,
    /// Largest message that holds a plan, in bytes. A larger one is RESOURCE_EXHAUSTED.
    pub plan_bytes: usize,
    /// Most steps of a plan. One with more is rejected with TOO_MANY_STEPS.
    pub plan_steps: usize,
    /// Deepest nesting of attributes; the attribute map itself is depth 1.
    pub attribute_depth: usize,
    /// Most questions in a batch.
    pub batch_items: usize,
    /// Most bytes in a request, tenant, run, correlation id, subject or resource type, role.
    pub id_bytes: usize,
    /// Most bytes in a subject id or action name.
    pub name_bytes: usize,
    /// Most bytes in a resource id.
    pub resource_id_bytes: usize,
    /// Most roles of a subject.
    pub roles: usize,
    /// Evaluation budget of one request over all rules, in cost units of about ten nanoseconds: an instruction of a
    /// condition, two patterns compared, 16 bytes compared, four bytes of text worked on.
    pub evaluation_cost: u64,
    /// Most rules in an explanation.
    pub explained_rules: usize,
}

/// How many times as many steps as a plan may have are kept, so that the answer can tell how many there are, and a message
/// full of empty steps does not fill the memory.
const KEPT_STEPS: usize = 16;

impl Limits {
    /// Most steps of a plan that are kept: of one with far too many only the first are.
    #[must_use]
    pub fn kept_steps(&self) -> usize {
        self.plan_steps.saturating_mul(KEPT_STEPS)
    }

    /// That a plan of which `kept` steps were kept has too many.
    #[must_use]
    pub fn too_many_steps(&self, kept: usize) -> String {
        let or_more = if kept >= self.kept_steps() { " or more" } else { "" };
        format!("the plan has {kept}{or_more} steps, and this server allows {}", self.plan_steps)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes: 256 * 1024,
            plan_bytes: 4 * 1024 * 1024,
            plan_steps: 1_000,
            attribute_depth: 32,
            batch_items: 256,
            id_bytes: 128,
            name_bytes: 256,
            resource_id_bytes: 1024,
            roles: 64,
            evaluation_cost: 1_000_000,
            explained_rules: 64,
        }
    }
}
