//! Counting attempts at webhooks. Seldom enough for a lock.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use metrics::counter;

use super::histogram::{self, Histogram, Slow};
use super::{lock, names};
use crate::model::Text;

/// Most endpoints that are told apart; documents can be replaced for ever, metrics cannot.
const MAX_ENDPOINTS: usize = 200;

/// What stands for all further endpoints.
const OTHER: Text = Text::const_new("other");

/// Counters of webhooks.
#[derive(Debug, Default)]
pub struct WebhookMetrics {
    endpoints: Mutex<BTreeMap<Text, Endpoint>>,
    latency: Histogram<Slow>,
}

#[derive(Debug, Default)]
struct Endpoint {
    attempts: BTreeMap<&'static str, u64>,
    dead: u64,
}

impl WebhookMetrics {
    /// Counts an attempt. `outcome` is one of a closed set.
    pub fn attempted(&self, endpoint: &Text, outcome: &'static str) {
        self.of(endpoint, |endpoint| *endpoint.attempts.entry(outcome).or_default() += 1);
    }

    /// Counts a message that is given up.
    pub fn given_up(&self, endpoint: &Text) {
        self.of(endpoint, |endpoint| endpoint.dead += 1);
    }

    /// Counts a message that was delivered this long after it had been queued.
    pub fn delivered(&self, latency: Duration) {
        self.latency.observe(u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX));
    }

    fn of(&self, name: &Text, count: impl FnOnce(&mut Endpoint)) {
        let mut endpoints = lock(&self.endpoints);
        let is_known = endpoints.len() < MAX_ENDPOINTS || endpoints.contains_key(name);
        count(endpoints.entry(if is_known { name.clone() } else { OTHER }).or_default());
    }

    /// Puts the counters into the recorder that is in place.
    pub(super) fn collect(&self) {
        for (name, endpoint) in lock(&self.endpoints).iter() {
            for (outcome, total) in &endpoint.attempts {
                counter!(names::WEBHOOK_ATTEMPTS, "endpoint" => name.to_string(), "outcome" => *outcome)
                    .absolute(*total);
            }
            counter!(names::WEBHOOK_DEAD_LETTERS, "endpoint" => name.to_string()).absolute(endpoint.dead);
        }
    }

    /// Writes the histogram in Prometheus' text format.
    pub(super) fn render(&self, out: &mut String) {
        let help = "Time between a change of an approval and its delivery to a webhook endpoint";
        histogram::render(out, names::WEBHOOK_DELIVERY, help, std::iter::once(&self.latency));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_told_apart_up_to_a_limit() {
        let metrics = WebhookMetrics::default();
        for number in 0..300 {
            metrics.attempted(&Text::from(format!("e{number}")), "delivered");
            metrics.given_up(&Text::from(format!("e{number}")));
        }
        metrics.attempted(&"e0".into(), "timeout");
        let endpoints = lock(&metrics.endpoints);
        assert_eq!(endpoints.len(), MAX_ENDPOINTS + 1);
        assert_eq!((endpoints[&OTHER].dead, endpoints["e0"].attempts["timeout"]), (100, 1));
    }
}
