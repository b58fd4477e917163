//! From a host to the addresses that may be connected to.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;

use super::error::AttemptError;
use crate::model::Reach;
use crate::policy::{EndpointUrl, UrlHost};

/// Most addresses of a host that are tried.
const MAX_ADDRESSES: usize = 4;

/// The addresses of a host, in time.
pub type Addresses<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'a>>;

/// Looks up names.
pub trait Resolve: Send + Sync {
    /// The addresses of `host`, each with `port`.
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> Addresses<'a>;
}

/// The resolver of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> Addresses<'a> {
        Box::pin(async move { Ok(tokio::net::lookup_host((host, port)).await?.collect()) })
    }
}

/// The addresses of the URL's host that may be connected to, at most four and at least one. Whoever connects to them, and
/// to nothing that is looked up again, stays where a request may be sent.
///
/// # Errors
/// The name cannot be resolved, or may not be sent to.
pub(super) async fn addresses(
    resolver: &dyn Resolve,
    url: &EndpointUrl,
    allow_private: bool,
) -> Result<Vec<SocketAddr>, AttemptError> {
    let (host, found) = match &url.host {
        UrlHost::Address(address) => (address.to_string(), vec![SocketAddr::new(*address, url.port)]),
        UrlHost::Name(name) => {
            let host = name.to_string();
            match resolver.resolve(name, url.port).await {
                Ok(found) => (host, found),
                Err(source) => return Err(AttemptError::Resolve { host, source }),
            }
        }
    };
    let (mut allowed, mut refused) = (Vec::new(), None);
    for address in found {
        match Reach::of(address.ip()) {
            Reach::Public => allowed.push(address),
            Reach::Private(_) if allow_private => allowed.push(address),
            Reach::Private(what) => refused = refused.or(Some((address, what, true))),
            Reach::Never(what) => refused = refused.or(Some((address, what, false))),
        }
    }
    match refused {
        // A public name with a private address beside a public one is an attempt to get in, or a mistake.
        Some((address, what, could_be_allowed)) => {
            Err(AttemptError::Refused { host, address: address.ip(), what, could_be_allowed })
        }
        None if allowed.is_empty() => {
            Err(AttemptError::Resolve { host, source: io::Error::other("the name has no address") })
        }
        None => {
            allowed.truncate(MAX_ADDRESSES);
            Ok(allowed)
        }
    }
}
