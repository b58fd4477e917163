//! Who does something, as records name it.

/// Whom nothing is known of.
pub const ANONYMOUS: &str = "anonymous";

/// What the actors start with that are believed what they say of themselves, by a server in development.
pub const DEV_PREFIX: &str = "dev:";

/// Whether `actor` is only asserted, because nothing proves it.
#[inline]
#[must_use]
pub fn is_asserted(actor: &str) -> bool {
    actor == ANONYMOUS || actor.starts_with(DEV_PREFIX)
}
