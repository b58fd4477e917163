//! The webhook endpoints of a snapshot, by name.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::Text;
use crate::policy::{DocumentSet, WebhookEndpoint};

/// The webhook endpoints of a snapshot.
#[derive(Debug, Default)]
pub struct Endpoints(BTreeMap<Text, Arc<WebhookEndpoint>>);

impl Endpoints {
    pub(super) fn build(documents: &DocumentSet) -> Self {
        let endpoints = documents.webhook_endpoints.iter();
        Self(endpoints.map(|endpoint| (endpoint.name.clone(), Arc::new(endpoint.clone()))).collect())
    }

    /// The endpoint of that name; `None` where no document defines it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<WebhookEndpoint>> {
        self.0.get(name)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<WebhookEndpoint>> {
        self.0.values()
    }
}
