//! Who is calling, on whose behalf they may ask, and what they may administer.
//!
//! A [`Caller`] is who is on the channel: the user of a Unix peer, a client certificate, a signed token, or nobody known.
//! A question's subject, roles and tenant are what the caller asserts, and [`Caller::may_ask`] holds them to what it may
//! assert. Administration is decided by the engine itself over documents of its own ([`Identity::may_administer`]).

mod administration;
mod assertion;
mod caller;
mod denied;
mod dev;
mod names;
mod registry;
mod tls;
mod token;

pub use administration::{Administration, EmbeddedRefused};
pub use assertion::{Assertable, MayAssert};
pub use caller::{Caller, CallerKind};
pub use denied::{Denied, DeniedReason};
pub use dev::{Asserted, BadAssertion};
pub use names::Names;
pub use registry::{Identity, IdentityError, IdentityOptions};
pub use tls::{BadCertificate, TlsError, TlsFiles, Trusted};
pub use token::{BadToken, JwksError, MAX_TOKEN_BYTES};
