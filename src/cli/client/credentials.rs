//! What a call shows of its caller beside what the connection shows.

use std::path::PathBuf;

use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::{Request, Status};

use crate::cli::documents::CommandError;

/// Who to be.
#[derive(Debug, clap::Args)]
pub struct CredentialArgs {
    /// Show the token (JWT) in this file, `-` for standard input.
    #[arg(long, value_name = "FILE", conflicts_with = "dev_as")]
    token_file: Option<PathBuf>,
    /// Say to be this person; believed by a server that runs with `--dev`.
    #[arg(long, value_name = "NAME")]
    dev_as: Option<String>,
    /// With `--dev-as`: roles, separated by commas.
    #[arg(long, value_name = "ROLES", requires = "dev_as")]
    dev_roles: Option<String>,
    /// With `--dev-as`: level of approver, 1 to 5 or by name.
    #[arg(long, value_name = "LEVEL", requires = "dev_as")]
    dev_level: Option<String>,
}

/// Metadata that every call carries.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    metadata: Vec<(&'static str, MetadataValue<Ascii>)>,
}

impl CredentialArgs {
    /// Reads what is to be shown.
    ///
    /// # Errors
    /// The file cannot be read, or holds or says something that cannot be sent.
    pub fn read(&self) -> Result<Credentials, CommandError> {
        let mut metadata = Vec::new();
        if let Some(path) = &self.token_file {
            let text = if path.as_os_str() == "-" {
                std::io::read_to_string(std::io::stdin())
            } else {
                std::fs::read_to_string(path)
            };
            let text = text.map_err(|error| {
                CommandError::environment(format!("cannot read the token in `{}`: {error}", path.display()))
            })?;
            let value = format!("Bearer {}", text.trim()).parse::<MetadataValue<Ascii>>();
            let mut value = value.ok().filter(|_| !text.trim().is_empty()).ok_or_else(|| {
                CommandError::environment(format!("`{}` holds no token, which is one line of text", path.display()))
            })?;
            value.set_sensitive(true);
            metadata.push(("authorization", value));
        }
        for (name, flag, text) in [
            ("x-lictor-principal", "--dev-as", &self.dev_as),
            ("x-lictor-roles", "--dev-roles", &self.dev_roles),
            ("x-lictor-level", "--dev-level", &self.dev_level),
        ] {
            let Some(text) = text else { continue };
            let value = text.parse::<MetadataValue<Ascii>>();
            let value = value
                .map_err(|_| CommandError::environment(format!("`{flag}` must be printable ASCII, not `{text}`")))?;
            metadata.push((name, value));
        }
        Ok(Credentials { metadata })
    }
}

impl Credentials {
    /// Whether something among them must not be seen by others.
    pub fn is_secret(&self) -> bool {
        self.metadata.iter().any(|(_, value)| value.is_sensitive())
    }
}

impl Interceptor for Credentials {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        for (name, value) in &self.metadata {
            request.metadata_mut().insert(*name, value.clone());
        }
        Ok(request)
    }
}
