//! `lictor receipt`: checking receipts offline, and the keys that sign them.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;

use serde_json::json;

use super::documents::CommandError;
use super::style::{BOLD, DIM, GREEN, RED, RESET, YELLOW};
use super::target::{Format, time};
use super::{exit, output};
use crate::model::Timestamp;
use crate::receipt::{
    DEFAULT_LEEWAY_SECONDS, KeyRing, MAX_RECEIPT_BYTES, Receipt, ReceiptError, Verifier, public_keys, rotate,
};

/// Arguments of `lictor receipt`.
#[derive(Debug, clap::Args)]
pub struct ReceiptArgs {
    #[command(subcommand)]
    command: ReceiptCommand,
}

#[derive(Debug, clap::Subcommand)]
enum ReceiptCommand {
    /// Check a receipt with public keys, without asking anybody.
    Verify(VerifyArgs),
    /// Print the public keys of a state directory as a JWKS.
    Keys(KeysArgs),
    /// Make a new key in a state directory; the old ones verify until their grace ends.
    Rotate(RotateArgs),
}

#[derive(Debug, clap::Args)]
struct VerifyArgs {
    /// The receipt; `-`, or nothing, for standard input.
    #[arg(default_value = "-", value_name = "TOKEN")]
    token: String,
    /// The keys that are trusted: a JWKS (`curl …/.well-known/jwks.json`), a JWK, or a public key in PEM.
    #[arg(long, value_name = "FILE")]
    jwks: PathBuf,
    /// Who it must be for.
    #[arg(long, value_name = "NAME")]
    audience: Option<String>,
    /// Who must have issued it.
    #[arg(long, value_name = "NAME")]
    issuer: Option<String>,
    /// The plan's hash that it must name.
    #[arg(long, value_name = "HASH")]
    ir_hash: Option<String>,
    /// The step of the plan that it must be good for; the whole if not given.
    #[arg(long, value_name = "STEP")]
    step: Option<String>,
    /// The least epoch that it must be of: the server's, which `lictor restore` prints when it begins. Receipts of earlier
    /// epochs have ended with a restore.
    #[arg(long, value_name = "N")]
    epoch: Option<u64>,
    /// How far clocks may differ, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = DEFAULT_LEEWAY_SECONDS)]
    leeway: u32,
    /// The time at which it must be valid, RFC 3339; now if not given.
    #[arg(long, value_name = "TIME", value_parser = time)]
    at: Option<Timestamp>,
    /// How to show the answer.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    output: Format,
}

#[derive(Debug, clap::Args)]
struct KeysArgs {
    /// State directory of the server.
    #[arg(long, value_name = "DIR", default_value = "lictor-data")]
    state: PathBuf,
    /// How long a key verifies after another has succeeded it, in seconds; as `receipts.graceSeconds`.
    #[arg(long, value_name = "SECONDS", default_value_t = 604_800)]
    grace: u32,
}

#[derive(Debug, clap::Args)]
struct RotateArgs {
    /// State directory of the server.
    #[arg(long, value_name = "DIR", default_value = "lictor-data")]
    state: PathBuf,
}

/// Runs the sub-command: 0 for a receipt that authorises its plan, 1 for one that does not or is not genuine, 2 if it
/// could not be checked.
pub fn run(args: &ReceiptArgs) -> ExitCode {
    let outcome = match &args.command {
        ReceiptCommand::Verify(args) => verify(args),
        ReceiptCommand::Keys(args) => keys(args),
        ReceiptCommand::Rotate(args) => make_key(args),
    };
    outcome.unwrap_or_else(|error| error.report())
}

fn now() -> Timestamp {
    Timestamp::from_system(SystemTime::now())
}

fn verify(args: &VerifyArgs) -> Result<ExitCode, CommandError> {
    let (token, now) = (token(&args.token)?, args.at.unwrap_or_else(now));
    let mut verifier = Verifier::new(trusted(&args.jwks)?).leeway_seconds(args.leeway);
    if let Some(audience) = &args.audience {
        verifier = verifier.audience(audience);
    }
    if let Some(issuer) = &args.issuer {
        verifier = verifier.issuer(issuer);
    }
    if let Some(epoch) = args.epoch {
        verifier = verifier.epoch(epoch);
    }
    let verified = verifier.verify(token.trim(), now);
    let named =
        verified.as_ref().is_ok_and(|receipt| args.ir_hash.as_ref().is_none_or(|hash| *hash == receipt.ir_hash));
    let authorises = named && verified.as_ref().is_ok_and(|receipt| authorises(args, receipt));
    match args.output {
        Format::Json => {
            let error = match &verified {
                Ok(_) if named => None,
                Ok(_) => Some("it names another plan".to_owned()),
                Err(error) => Some(error.to_string()),
            };
            let answer = json!({
                "genuine": verified.is_ok(),
                "authorises": authorises,
                "error": error,
                "claims": verified.as_ref().ok(),
            });
            output::print(format_args!("{answer:#}\n"));
        }
        Format::Text => output::print(format_args!("{}", text(args, &verified, named))),
    }
    Ok(ExitCode::from(if authorises { exit::OK } else { exit::FAILED }))
}

/// Whether the receipt lets run what was asked about.
fn authorises(args: &VerifyArgs, receipt: &Receipt) -> bool {
    args.step.as_ref().map_or_else(|| receipt.authorises(), |step| receipt.authorises_step(step))
}

fn text(args: &VerifyArgs, verified: &Result<Receipt, ReceiptError>, named: bool) -> String {
    let receipt = match verified {
        Ok(receipt) => receipt,
        Err(error) => {
            let error = output::printable(&error.to_string());
            return format!("{BOLD}{RED}not accepted{RESET}  the receipt authorises nothing: {error}\n");
        }
    };
    let granted = !receipt.approval_id.is_empty();
    let status = if granted { "GRANTED" } else { receipt.status().as_str() };
    let (color, verdict) = match (named, authorises(args, receipt)) {
        (false, _) => (RED, format!("genuine, and of another plan: {status}; it does not authorise this one")),
        (true, true) if args.step.is_some() && receipt.step_id.is_empty() => (
            GREEN,
            format!("genuine: {status}; every step of the plan may run, and the receipt does not say which it has"),
        ),
        (true, true) if args.step.is_some() => (GREEN, format!("genuine: {status}; this step of the plan may run")),
        (true, true) if granted => (GREEN, format!("genuine: {status}; the plan or action with this hash may run")),
        (true, true) => (GREEN, format!("genuine: {status}; the plan with this hash may run")),
        (true, false) if !receipt.step_id.is_empty() && args.step.is_none() => {
            (YELLOW, format!("genuine: {status} for one step alone; name it with `--step` to check it"))
        }
        (true, false) if !receipt.step_id.is_empty() => (RED, format!("genuine: {status}, for another step")),
        (true, false) => (YELLOW, format!("genuine: {status}; it authorises nothing")),
    };
    let mut text = format!("{BOLD}{color}{verdict}{RESET}\n");
    let mut line = |name: &str, value: &str| {
        if !value.is_empty() {
            text.push_str(&format!("  {DIM}{name:<11}{RESET}{}\n", output::printable(value)));
        }
    };
    let unchecked = |given: &Option<String>| if given.is_some() { "" } else { " (not checked)" };
    line(if granted { "hash" } else { "plan hash" }, &receipt.ir_hash);
    line("approval", &receipt.approval_id);
    line("step", &receipt.step_id);
    line("step hash", &receipt.step_hash);
    line("tier", &receipt.tier.to_string());
    line("tenant", &receipt.tenant);
    line("run", &receipt.run_id);
    line("snapshot", &receipt.snapshot);
    line(if granted { "grant" } else { "validation" }, &receipt.jti);
    line("issuer", &format!("{}{}", receipt.iss, unchecked(&args.issuer)));
    line("audience", &format!("{}{}", receipt.aud, unchecked(&args.audience)));
    line("epoch", &format!("{}{}", receipt.epoch, if args.epoch.is_some() { "" } else { " (not checked)" }));
    line("issued", &moment(receipt.iat));
    line("expires", &moment(receipt.exp));
    text
}

fn moment(seconds: i64) -> String {
    seconds.checked_mul(1_000_000).map_or_else(String::new, |micros| Timestamp::from_micros(micros).to_string())
}

fn token(given: &str) -> Result<String, CommandError> {
    if given != "-" {
        return Ok(given.to_owned());
    }
    let mut text = String::new();
    // One more than is looked at, so that too long stays too long.
    let read = std::io::stdin().lock().take(MAX_RECEIPT_BYTES as u64 + 16).read_to_string(&mut text);
    read.map_err(|error| CommandError::environment(format!("cannot read the receipt from standard input: {error}")))?;
    Ok(text)
}

fn trusted(path: &Path) -> Result<Vec<crate::receipt::PublicKey>, CommandError> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| CommandError::environment(format!("cannot read `{}`: {error}", path.display())))?;
    public_keys(&format!("`{}`", path.display()), &text).map_err(|error| CommandError::environment(error.to_string()))
}

fn keys(args: &KeysArgs) -> Result<ExitCode, CommandError> {
    let directory = keys_directory(&args.state)?;
    let made = crate::receipt::key_files(&directory).map_err(|error| CommandError::environment(error.to_string()))?;
    if made.is_empty() {
        return Err(CommandError::environment(format!(
            "there are no keys in `{}`; a server makes the first when it starts, or `lictor receipt rotate` does",
            directory.display()
        )));
    }
    let seconds = now().as_micros().div_euclid(1_000_000);
    let ring = KeyRing::kept(&directory, i64::from(args.grace), seconds);
    let ring = ring.map_err(|error| CommandError::environment(error.to_string()))?;
    output::print(format_args!("{:#}\n", ring.jwks()));
    Ok(ExitCode::from(exit::OK))
}

fn make_key(args: &RotateArgs) -> Result<ExitCode, CommandError> {
    let made = rotate(&keys_directory(&args.state)?);
    let (path, id) = made.map_err(|error| CommandError::environment(error.to_string()))?;
    output::print(format_args!("{BOLD}{GREEN}made{RESET} {id} in `{}`\n", path.display()));
    anstream::eprintln!(
        "a running server takes it up within 30 s, at once on SIGHUP; a server with `receipts.key` configured signs with that one"
    );
    Ok(ExitCode::from(exit::OK))
}

fn keys_directory(state: &Path) -> Result<PathBuf, CommandError> {
    let directory = state.join("keys");
    if directory.is_dir() {
        return Ok(directory);
    }
    let state = state.display();
    Err(CommandError::environment(format!("`{state}` is no state directory; name the server's with --state")))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::model::ValidationStatus;
    use crate::receipt::{Issuer, IssuerOptions, ReceiptContent};

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        args: VerifyArgs,
    }

    #[test]
    fn the_least_epoch_is_held_to() {
        let folder = tempfile::tempdir().unwrap();
        let options = IssuerOptions {
            issuer: "lictor:test".into(),
            audience: "executor".into(),
            ttl_seconds: 300,
            grace_seconds: 3_600,
            epoch: 2,
            key: None,
            previous_keys: Vec::new(),
            directory: folder.path().to_owned(),
            noted: None,
        };
        let issuer = Issuer::new(options, now()).unwrap();
        let content = ReceiptContent {
            id: "v",
            audience: "",
            tenant: "acme",
            run_id: "",
            status: ValidationStatus::Pass,
            tier: 1,
            ir_hash: "sha256:aa",
            snapshot: "sha256:bb",
        };
        let (token, jwks) = (issuer.sign(&content, now()), folder.path().join("jwks.json"));
        std::fs::write(&jwks, issuer.jwks().to_string()).unwrap();
        for (epoch, expected) in [(None, exit::OK), (Some("2"), exit::OK), (Some("3"), exit::FAILED)] {
            let mut words = vec!["x", "--jwks", jwks.to_str().unwrap(), &token];
            words.extend(epoch.iter().flat_map(|epoch| ["--epoch", epoch]));
            let code = verify(&Command::try_parse_from(words).unwrap().args);
            assert_eq!(format!("{code:?}"), format!("{:?}", Ok::<_, ()>(ExitCode::from(expected))), "{epoch:?}");
        }
    }
}
