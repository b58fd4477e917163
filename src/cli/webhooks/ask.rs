//! `lictor webhooks list` and `redeliver`: what became of deliveries, asked of a running server.

use std::process::ExitCode;

use serde_json::json as object;

use crate::api::proto::v1::{self, WebhookDeliveryState};
use crate::cli::approvals::json;
use crate::cli::at_server::{AtServer, Client};
use crate::cli::exit;
use crate::cli::output::{print, printable};
use crate::cli::runtime::block_on;
use crate::cli::style::{BOLD, DIM, GREEN, RED, RESET, YELLOW};
use crate::cli::target::Format;

/// Arguments of `lictor webhooks list`.
#[derive(Debug, clap::Args)]
pub struct ListArgs {
    /// Only those in this state.
    #[arg(long, value_enum)]
    state: Option<State>,
    /// Only those to this endpoint.
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    endpoint: String,
    /// Only those about this approval.
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    approval: String,
    /// How many at most.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    #[command(flatten)]
    server: AtServer,
}

/// Arguments of `lictor webhooks redeliver`.
#[derive(Debug, clap::Args)]
pub struct RedeliverArgs {
    /// The delivery, as `lictor webhooks list` shows it.
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    server: AtServer,
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum State {
    /// Waits for its next attempt.
    Pending,
    /// The endpoint has taken it.
    Delivered,
    /// Given up.
    Dead,
}

impl State {
    const fn on_the_wire(self) -> WebhookDeliveryState {
        match self {
            Self::Pending => WebhookDeliveryState::Pending,
            Self::Delivered => WebhookDeliveryState::Delivered,
            Self::Dead => WebhookDeliveryState::Dead,
        }
    }
}

/// Prints deliveries.
pub fn list(args: &ListArgs) -> ExitCode {
    at_server(&args.server, async |client| {
        let mut page_token = String::new();
        let mut left = args.limit;
        let mut shown = 0_usize;
        while left > 0 {
            let request = v1::ListWebhookDeliveriesRequest {
                tenant_id: args.server.tenant.clone(),
                endpoint: args.endpoint.clone(),
                approval_id: args.approval.clone(),
                state: args.state.map_or(WebhookDeliveryState::Unspecified, State::on_the_wire).into(),
                page_size: i32::try_from(left.min(500)).ok(),
                page_token,
            };
            let page = client.list_webhook_deliveries(args.server.timed(request)).await?.into_inner();
            page.deliveries.iter().for_each(|delivery| show(args.server.output, delivery));
            shown += page.deliveries.len();
            left = left.saturating_sub(u32::try_from(page.deliveries.len()).unwrap_or(u32::MAX));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        if shown == 0 && matches!(args.server.output, Format::Text) {
            print(format_args!("there are no such deliveries\n"));
        }
        Ok(())
    })
}

/// Asks for another delivery.
pub fn redeliver(args: &RedeliverArgs) -> ExitCode {
    at_server(&args.server, async |client| {
        let request =
            v1::RedeliverWebhookRequest { tenant_id: args.server.tenant.clone(), delivery_id: args.id.clone() };
        let answer = client.redeliver_webhook(args.server.timed(request)).await?.into_inner();
        match args.server.output {
            Format::Text => print(format_args!("{GREEN}queued{RESET}: {}\n", printable(&answer.delivery_id))),
            Format::Json => print(format_args!("{}\n", object!({"delivery_id": answer.delivery_id}))),
        }
        Ok(())
    })
}

/// Connects and asks.
fn at_server(server: &AtServer, ask: impl AsyncFnOnce(&mut Client) -> Result<(), tonic::Status>) -> ExitCode {
    match block_on(server.ask(ask)).flatten() {
        Ok(()) => ExitCode::from(exit::OK),
        Err(error) => error.report_environment(),
    }
}

fn show(format: Format, delivery: &v1::WebhookDelivery) {
    let (word, colour) = match delivery.state() {
        WebhookDeliveryState::Pending => ("pending", YELLOW),
        WebhookDeliveryState::Delivered => ("delivered", GREEN),
        WebhookDeliveryState::Dead => ("dead", RED),
        WebhookDeliveryState::Unspecified => ("unknown", YELLOW),
    };
    if matches!(format, Format::Json) {
        let object = object!({
            "delivery_id": delivery.delivery_id,
            "endpoint": delivery.endpoint,
            "approval_id": delivery.approval_id,
            "event_type": delivery.event_type,
            "state": word,
            "attempts": delivery.attempts,
            "last_status": delivery.last_status,
            "last_error": delivery.last_error,
            "created_at": json::time(&delivery.created_at),
            "attempted_at": json::time(&delivery.attempted_at),
            "next_attempt_at": json::time(&delivery.next_attempt_at),
        });
        return print(format_args!("{object}\n"));
    }
    let error =
        if delivery.last_error.is_empty() { String::new() } else { format!("  {}", printable(&delivery.last_error)) };
    print(format_args!(
        "{}  {BOLD}{colour}{word}{RESET}  {}  {}  {DIM}approval {} · {} attempts{RESET}{error}\n",
        printable(&delivery.delivery_id),
        printable(&delivery.endpoint),
        printable(&delivery.event_type),
        printable(&delivery.approval_id),
        delivery.attempts,
    ));
}
