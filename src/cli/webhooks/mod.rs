//! `lictor webhooks`: what platform engineers want of webhook endpoints.

mod ask;
mod test;

use std::process::ExitCode;

/// Arguments of `lictor webhooks`.
#[derive(Debug, clap::Args)]
pub struct WebhooksArgs {
    #[command(subcommand)]
    command: WebhooksCommand,
}

#[derive(Debug, clap::Subcommand)]
enum WebhooksCommand {
    /// Show the deliveries of a running server, newest first, and what went wrong with them.
    List(ask::ListArgs),
    /// Have a running server send a dead letter again.
    Redeliver(ask::RedeliverArgs),
    /// Send a signed test message to an endpoint of the given policies, from here, and say what came of it.
    Test(test::TestArgs),
}

/// Does what the arguments say.
pub fn run(args: &WebhooksArgs) -> ExitCode {
    match &args.command {
        WebhooksCommand::List(args) => ask::list(args),
        WebhooksCommand::Redeliver(args) => ask::redeliver(args),
        WebhooksCommand::Test(args) => test::run(args),
    }
}
