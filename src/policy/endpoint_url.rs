//! The URL of a webhook endpoint: what a sender needs of it, and nothing that two readers could take in two ways.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::fmt;

use crate::model::Text;

/// Longest URL, in bytes.
pub const MAX_URL_BYTES: usize = 2048;

/// An absolute `https` or `http` URL without credentials or fragment.
#[derive(Clone, PartialEq, Eq)]
pub struct EndpointUrl {
    text: Text,
    /// Whether the connection is encrypted.
    pub is_https: bool,
    /// Whom to connect to.
    pub host: UrlHost,
    /// The port, 1–65535.
    pub port: u16,
    authority: (usize, usize),
}

/// The host of a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UrlHost {
    /// A name to resolve, in lower case.
    Name(Text),
    /// An address.
    Address(IpAddr),
}

/// Why a text is not such a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadUrl {
    /// Too long.
    #[error("the URL has more than {MAX_URL_BYTES} bytes")]
    TooLong,
    /// Neither `https://` nor `http://`.
    #[error("the URL starts with neither `https://` nor `http://`")]
    Scheme,
    /// `user:password@`.
    #[error("the URL holds credentials")]
    Credentials,
    /// `#…`.
    #[error("the URL has a fragment, which no server gets to see")]
    Fragment,
    /// A blank, a control character, one outside ASCII, or one that has to be escaped.
    #[error("the URL holds a character that must be written as `%` and two hexadecimal digits")]
    Character,
    /// No host, or one that is neither a name nor an address.
    #[error("the URL names no host that could be looked up")]
    Host,
    /// A number that some readers take for an address.
    #[error("the host of the URL is a number in a form that is read in several ways")]
    NumericHost,
    /// Not a port.
    #[error("the port of the URL is not a number from 1 to 65535")]
    Port,
}

impl BadUrl {
    /// What to write instead.
    #[must_use]
    pub const fn help(self) -> &'static str {
        match self {
            Self::TooLong => "give the endpoint a shorter address",
            Self::Scheme => "write it as `https://host/path`",
            Self::Credentials => {
                "documents hold no secrets; receivers know us by the signature, whose key is named in `secrets`"
            }
            Self::Fragment => "leave out `#` and what follows",
            Self::Character => "for example `%20` for a blank; a host name outside ASCII is written as `xn--…`",
            Self::Host => "write it as `https://host/path`; an IPv6 address stands in brackets",
            Self::NumericHost => "write an IPv4 address as four decimal numbers, for example `192.0.2.10`",
            Self::Port => "leave the port out, or write for example `:8443`",
        }
    }
}

impl EndpointUrl {
    /// Reads a URL.
    ///
    /// # Errors
    /// Where `text` is not an absolute `https` or `http` URL, or holds what a webhook's URL must not.
    pub fn parse(text: &str) -> Result<Self, BadUrl> {
        if text.len() > MAX_URL_BYTES {
            return Err(BadUrl::TooLong);
        }
        let (is_https, rest) = match text.split_once("://") {
            Some(("https", rest)) => (true, rest),
            Some(("http", rest)) => (false, rest),
            _ => return Err(BadUrl::Scheme),
        };
        let length = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(length);
        if authority.contains('@') {
            return Err(BadUrl::Credentials);
        }
        if target.contains('#') {
            return Err(BadUrl::Fragment);
        }
        if !is_target(target) || !authority.is_ascii() {
            return Err(BadUrl::Character);
        }
        let (host, port) = split_port(authority)?;
        let port = match port {
            Some(port) => port.parse().ok().filter(|port| *port != 0).ok_or(BadUrl::Port)?,
            None if is_https => 443,
            None => 80,
        };
        let start = text.len() - rest.len();
        Ok(Self { text: text.into(), is_https, host: parse_host(host)?, port, authority: (start, start + length) })
    }

    /// The URL as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Host and port as written: what the header `Host` says.
    #[must_use]
    pub fn authority(&self) -> &str {
        self.text.get(self.authority.0..self.authority.1).unwrap_or_default()
    }

    /// Path and query, starting with `/`.
    #[must_use]
    pub fn target(&self) -> Text {
        match self.text.get(self.authority.1..) {
            Some(target) if target.starts_with('/') => target.into(),
            Some(query) => format!("/{query}").into(),
            None => Text::const_new("/"),
        }
    }
}

impl fmt::Debug for EndpointUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EndpointUrl({:?})", self.text)
    }
}

/// Whether every character may stand in the path and query of a request line.
fn is_target(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?%".contains(&byte))
}

/// Splits `host:port`.
fn split_port(authority: &str) -> Result<(&str, Option<&str>), BadUrl> {
    let after = if authority.starts_with('[') { authority.find(']').ok_or(BadUrl::Host)? } else { 0 };
    match authority.get(after..).and_then(|rest| rest.find(':')) {
        Some(colon) => {
            let (host, port) = authority.split_at(after + colon);
            let port = port.strip_prefix(':').unwrap_or_default();
            let is_number = !port.is_empty() && port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit());
            if is_number { Ok((host, Some(port))) } else { Err(BadUrl::Port) }
        }
        None => Ok((authority, None)),
    }
}

fn parse_host(host: &str) -> Result<UrlHost, BadUrl> {
    if let Some(address) = host.strip_prefix('[') {
        let address = address.strip_suffix(']').and_then(|address| address.parse::<Ipv6Addr>().ok());
        return address.map(|address| UrlHost::Address(address.into())).ok_or(BadUrl::Host);
    }
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if host.len() > 253 || !host.split('.').all(is_label) {
        return Err(BadUrl::Host);
    }
    // The system's resolver takes `127.1`, `0x7f000001` and `017700000001` for addresses.
    let last = host.rsplit('.').next().unwrap_or_default();
    if last.starts_with(|first: char| first.is_ascii_digit()) {
        let address = host.parse::<Ipv4Addr>();
        return address.map(|address| UrlHost::Address(address.into())).map_err(|_| BadUrl::NumericHost);
    }
    Ok(UrlHost::Name(host.to_ascii_lowercase().into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        for (text, is_https, host, port, authority, target) in [
            ("https://hooks.acme.example/lictor", true, "hooks.acme.example", 443, "hooks.acme.example", "/lictor"),
            ("http://Receiver:8080", false, "receiver", 8080, "Receiver:8080", "/"),
            ("https://a.example?x=1", true, "a.example", 443, "a.example", "/?x=1"),
            ("https://a.example/p/@me?q=%20", true, "a.example", 443, "a.example", "/p/@me?q=%20"),
            ("https://10.0.0.1:1/", true, "10.0.0.1", 1, "10.0.0.1:1", "/"),
            ("https://[::1]:8443/x", true, "::1", 8443, "[::1]:8443", "/x"),
            ("http://[2606:4700::1111]", false, "2606:4700::1111", 80, "[2606:4700::1111]", "/"),
        ] {
            let url = EndpointUrl::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            let found = match &url.host {
                UrlHost::Name(name) => name.to_string(),
                UrlHost::Address(address) => address.to_string(),
            };
            assert_eq!((url.is_https, found.as_str(), url.port), (is_https, host, port), "{text}");
            assert_eq!((url.authority(), url.target().as_str(), url.as_str()), (authority, target, text));
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for (text, expected) in [
            ("hooks.acme.example", BadUrl::Scheme),
            ("ftp://a.example", BadUrl::Scheme),
            ("HTTPS://a.example", BadUrl::Scheme),
            ("https:///x", BadUrl::Host),
            ("https://", BadUrl::Host),
            ("https://user:pass@a.example/", BadUrl::Credentials),
            ("https://127.0.0.1@a.example/", BadUrl::Credentials),
            ("https://a.example\\@b.example/", BadUrl::Character),
            ("https://a.example/x#y", BadUrl::Fragment),
            ("https://a.example/x y", BadUrl::Character),
            ("https://a.example/\r\nX: 1", BadUrl::Character),
            ("https://a.example/ü", BadUrl::Character),
            ("https://ü.example/", BadUrl::Character),
            ("https://a b/", BadUrl::Host),
            ("https://a..b/", BadUrl::Host),
            ("https://a.example./", BadUrl::Host),
            ("https://-a.example/", BadUrl::Host),
            ("https://[::1/", BadUrl::Host),
            ("https://[fe80::1%25eth0]/", BadUrl::Host),
            ("https://127.1/", BadUrl::NumericHost),
            ("https://2130706433/", BadUrl::NumericHost),
            ("https://0x7f000001/", BadUrl::NumericHost),
            ("https://0177.0.0.1/", BadUrl::NumericHost),
            ("https://a.example:0/", BadUrl::Port),
            ("https://a.example:65536/", BadUrl::Port),
            ("https://a.example:+80/", BadUrl::Port),
            ("https://a.example:/", BadUrl::Port),
            ("https://::1/", BadUrl::Port),
            ("https://a.example::80/", BadUrl::Port),
        ] {
            assert_eq!(EndpointUrl::parse(text), Err(expected), "{text}");
        }
        let long = format!("https://a.example/{}", "x".repeat(MAX_URL_BYTES));
        assert_eq!(EndpointUrl::parse(&long), Err(BadUrl::TooLong));
    }
}
