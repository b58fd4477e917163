//! Who is on the channel.

use std::time::SystemTime;

use super::{MayAssert, Names};
use crate::model::Text;

/// How a caller is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallerKind {
    /// The kernel tells the user of a Unix socket's other end. Tools run as the same user as the agent that calls them,
    /// so that it says nothing of a person.
    UnixPeer,
    /// A client certificate.
    MutualTls,
    /// A signed token.
    Jwt,
    /// Nobody is known.
    Anonymous,
    /// Asserted, and believed because the server runs with `--dev`.
    Dev,
}

impl CallerKind {
    /// The kind as system policies name it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnixPeer => "unix_peer",
            Self::MutualTls => "mutual_tls",
            Self::Jwt => "jwt",
            Self::Anonymous => "anonymous",
            Self::Dev => "dev",
        }
    }

    /// Whether a person may be behind it, who may hold a level and approve.
    #[must_use]
    pub const fn may_hold_level(self) -> bool {
        matches!(self, Self::MutualTls | Self::Jwt | Self::Dev)
    }
}

/// Who is on the channel, what it may assert, and what it brings to administration. Never changes; a connection has one,
/// and each token one of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct Caller {
    /// The one name of this person or service, as records show it: the name that the configuration gives, else
    /// `uid:1000`, `spiffe://…`, `cn:…`, `jwt:<issuer>#<subject>`, `dev:…` or `anonymous`.
    pub principal: Text,
    /// How it is known.
    pub kind: CallerKind,
    /// Roles that it holds for administration.
    pub roles: Vec<Text>,
    /// Level of approver, 1–5. Never set for Unix peers and anonymous callers.
    pub level: Option<u8>,
    /// Tenants that it may act in.
    pub tenants: Names,
    /// Whom and what it may speak of in questions.
    pub may_assert: MayAssert,
    /// When what it is known by expires; `None` for never.
    pub valid_until: Option<SystemTime>,
}

impl Caller {
    /// Whether the principal is only asserted, because nothing proves it.
    #[must_use]
    pub const fn is_asserted(&self) -> bool {
        matches!(self.kind, CallerKind::Anonymous | CallerKind::Dev)
    }

    /// Whether it may act in `tenant`.
    #[must_use]
    pub fn may_act_in(&self, tenant: &str) -> bool {
        self.tenants.contains(tenant)
    }
}
