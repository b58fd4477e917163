//! Reaching a server: over its Unix socket, TCP or TLS, and as whom.
//!
//! A sub-command flattens [`ClientArgs`] into its arguments and makes its client of what [`ClientArgs::connect`] gives:
//! `ApprovalServiceClient::new(args.client.connect("").await?)`.

mod credentials;
mod tls;

use std::error::Error as _;
use std::fmt::Write;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use prost::Message;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};

use super::documents::CommandError;
use super::output::printable;
use crate::api::proto::rpc;
pub use credentials::Credentials;

/// Where a server's socket is unless configured otherwise, seen from the folder that it was started in.
const DEFAULT_SOCKET: &str = "lictor-data/lictor.sock";
/// Where a server listens unless configured otherwise.
const DEFAULT_ADDRESS: &str = "127.0.0.1:50151";
/// Largest answer that is read; explanations may be long.
pub const MAX_ANSWER_BYTES: usize = 16 * 1024 * 1024;

/// A connection on which every call shows who makes it.
pub type Connection = InterceptedService<Channel, Credentials>;

/// Which server, and as whom.
#[derive(Debug, clap::Args)]
pub struct ClientArgs {
    /// Ask the server at this Unix socket [default: ./lictor-data/lictor.sock if it exists].
    #[arg(long, value_name = "PATH", conflicts_with = "server")]
    socket: Option<PathBuf>,
    /// Ask the server at this TCP address, over TLS as `https://HOST:PORT`, at a socket as `unix:PATH` [default: 127.0.0.1:50151].
    #[arg(long, alias = "address", value_name = "HOST:PORT")]
    server: Option<String>,
    /// TLS: roots of the server's certificate, in PEM [default: the public ones].
    #[arg(long, value_name = "FILE", conflicts_with = "socket")]
    tls_ca: Option<PathBuf>,
    /// TLS: the certificate to show, in PEM, and those that lead to its root.
    #[arg(long, value_name = "FILE", requires = "tls_key", conflicts_with = "socket")]
    tls_certificate: Option<PathBuf>,
    /// TLS: the key of the certificate to show, in PEM.
    #[arg(long, value_name = "FILE", requires = "tls_certificate", conflicts_with = "socket")]
    tls_key: Option<PathBuf>,
    #[command(flatten)]
    credentials: credentials::CredentialArgs,
    /// Longest wait for the server's answer, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 5_000)]
    timeout_ms: u64,
}

impl ClientArgs {
    /// How long to wait for the server.
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }

    /// The server.
    pub fn server(&self) -> Server {
        match (&self.socket, &self.server) {
            (Some(path), _) => Server::Socket(path.clone()),
            (None, Some(server)) => match (server.strip_prefix("unix:"), server.strip_prefix("https://")) {
                // As gRPC libraries name sockets: `unix:PATH` and `unix:///PATH`.
                (Some(path), _) => Server::Socket(path.strip_prefix("//").unwrap_or(path).into()),
                (_, Some(address)) => Server::Tls(address.trim_end_matches('/').to_owned()),
                _ if self.wants_tls() => Server::Tls(server.clone()),
                _ => Server::Tcp(server.strip_prefix("http://").unwrap_or(server).trim_end_matches('/').to_owned()),
            },
            (None, None) if self.wants_tls() => Server::Tls(DEFAULT_ADDRESS.into()),
            (None, None) if Path::new(DEFAULT_SOCKET).exists() => Server::Socket(DEFAULT_SOCKET.into()),
            (None, None) => Server::Tcp(DEFAULT_ADDRESS.into()),
        }
    }

    fn wants_tls(&self) -> bool {
        self.tls_ca.is_some() || self.tls_certificate.is_some()
    }

    /// Connects. `otherwise` ends the sentence that says what to do where nobody answers.
    ///
    /// # Errors
    /// Nobody answers, a file cannot be used, or a token would travel in the clear.
    pub async fn connect(&self, otherwise: &str) -> Result<Connection, CommandError> {
        let server = self.server();
        let credentials = self.credentials.read()?;
        if credentials.is_secret() && !server.is_private() {
            return Err(CommandError::environment(format!(
                "the token would travel to {} in the clear; name the server as `https://HOST:PORT`",
                server.name()
            )));
        }
        let channel = self.channel(&server, otherwise).await?;
        Ok(InterceptedService::new(channel, credentials))
    }

    async fn channel(&self, server: &Server, otherwise: &str) -> Result<Channel, CommandError> {
        let connected = match server {
            Server::Socket(path) => {
                let path = path.clone();
                let connector = tower::service_fn(move |_| {
                    let path = path.clone();
                    async move { tokio::net::UnixStream::connect(path).await.map(TokioIo::new) }
                });
                let endpoint = Endpoint::from_static("http://lictor.socket").connect_timeout(self.timeout());
                endpoint.connect_with_connector(connector).await
            }
            Server::Tcp(address) => match Endpoint::from_shared(format!("http://{address}")) {
                Ok(endpoint) => endpoint.connect_timeout(self.timeout()).connect().await,
                Err(error) => Err(error),
            },
            Server::Tls(address) => {
                let files = tls::Files {
                    ca: self.tls_ca.as_deref(),
                    certificate: self.tls_certificate.as_deref(),
                    key: self.tls_key.as_deref(),
                };
                let connector = tls::Connector::new(address, &files)?;
                match Endpoint::from_shared(format!("http://{address}")) {
                    Ok(endpoint) => {
                        let connector = tower::service_fn(move |_| {
                            let connector = connector.clone();
                            async move { connector.connect().await.map(TokioIo::new) }
                        });
                        endpoint.connect_timeout(self.timeout()).connect_with_connector(connector).await
                    }
                    Err(error) => Err(error),
                }
            }
        };
        connected.map_err(|error| {
            if let Some(why) = tls::distrust(&error) {
                return CommandError::environment(format!("no secure connection to {}: {why}", server.name()));
            }
            CommandError::environment(format!(
                "no server answers at {}: {}\nstart one with `lictor serve`, or name another with `--socket` or \
                 `--server`{otherwise}",
                server.name(),
                root_cause(&error),
            ))
        })
    }
}

/// A server to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Server {
    /// At a Unix socket.
    Socket(PathBuf),
    /// At an address, over plain TCP.
    Tcp(String),
    /// At an address, over TLS.
    Tls(String),
}

impl Server {
    /// The server in a sentence.
    pub fn name(&self) -> String {
        match self {
            Self::Socket(path) => format!("the socket `{}`", path.display()),
            Self::Tcp(address) => format!("`{address}`"),
            Self::Tls(address) => format!("`https://{address}`"),
        }
    }

    /// Whether nobody on the way can read what is sent.
    fn is_private(&self) -> bool {
        match self {
            Self::Socket(_) | Self::Tls(_) => true,
            Self::Tcp(address) => {
                let host = tls::host_of(address);
                host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
            }
        }
    }
}

fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// What a refusal says, with every field that is wrong; `server` is `None` where the question was not sent.
pub fn describe(server: Option<&Server>, status: &tonic::Status) -> String {
    let details = rpc::Status::decode(status.details()).map(|status| status.details).unwrap_or_default();
    let at = server.map(|server| format!("the server at {} ", server.name())).unwrap_or_default();
    // Only who has answered gives details.
    let outcome = match (server, details.is_empty()) {
        (None, _) => "the question is refused",
        (Some(_), false) => "refuses",
        (Some(_), true) => "did not answer",
    };
    // The words of the code add nothing to those of the message.
    let why = if status.message().is_empty() { status.code().description() } else { status.message() };
    let mut text = format!("{at}{outcome}: {why}");
    for detail in details {
        if detail.type_url.ends_with("/google.rpc.BadRequest")
            && let Ok(bad) = rpc::BadRequest::decode(&*detail.value)
        {
            // One alone is what the message says already.
            let several = bad.field_violations.len() > 1;
            for violation in bad.field_violations {
                if !several && why.contains(&violation.description) {
                    continue;
                }
                // Writing to a string cannot fail.
                let _ = write!(text, "\n  {}: {}", violation.field, violation.description);
            }
        }
    }
    // Whoever answers has no say over the terminal.
    let mut text = printable(&text);
    if let Some(server) = server.filter(|_| status.source().is_some()) {
        // The connection broke, rather than that the server said something.
        text.push_str(&match server {
            Server::Socket(_) => String::new(),
            Server::Tcp(address) => format!("\nif the server speaks TLS, name it as `https://{address}`"),
            Server::Tls(_) => {
                "\nif the server asks for client certificates (`listen.tls.clientCa`), show one of an authority that \
                               it trusts with `--tls-certificate` and `--tls-key`"
                    .to_owned()
            }
        });
    }
    text
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        client: ClientArgs,
    }

    #[test]
    fn a_server_is_named_by_socket_address_or_url() {
        let server = |args: &[&str]| {
            Command::try_parse_from(["x"].iter().chain(args)).map(|command| command.client.server()).map_err(drop)
        };
        let tls = |address: &str| Ok(Server::Tls(address.into()));
        let tcp = |address: &str| Ok(Server::Tcp(address.into()));
        for (args, expected) in [
            (&["--socket", "s"][..], Ok(Server::Socket("s".into()))),
            (&["--server", "h:1"], tcp("h:1")),
            (&["--address", "h:1"], tcp("h:1")),
            (&["--server", "http://h:1/"], tcp("h:1")),
            (&["--server", "https://h:1/"], tls("h:1")),
            (&["--server", "unix:a/s"], Ok(Server::Socket("a/s".into()))),
            (&["--server", "unix:///a/s"], Ok(Server::Socket("/a/s".into()))),
            (&["--server", "h:1", "--tls-ca", "ca.pem"], tls("h:1")),
            (&["--tls-ca", "ca.pem"], tls("127.0.0.1:50151")),
            (&["--server", "h:1", "--tls-key", "key.pem"], Err(())),
            (&["--socket", "s", "--server", "h:1"], Err(())),
            (&["--socket", "s", "--tls-ca", "ca.pem"], Err(())),
        ] {
            assert_eq!(server(args), expected, "{args:?}");
        }
        for (server, private) in [
            (Server::Tcp("127.0.0.1:1".into()), true),
            (Server::Tcp("localhost:1".into()), true),
            (Server::Tcp("[::1]:1".into()), true),
            (Server::Tcp("10.0.0.1:1".into()), false),
            (Server::Tcp("localhost.example.org:1".into()), false),
            (Server::Tls("10.0.0.1:1".into()), true),
        ] {
            assert_eq!(server.is_private(), private, "{server:?}");
        }
    }
}
