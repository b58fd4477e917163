//! The service of approvals over a store, and what is asked of it.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use lictor::api::WireCodec;
use lictor::approval::{
    Actor, ApprovalError, Approvals, Consumed, Creation, Decided, Newly, Parts, Redemption, Target, Vote,
};
use lictor::model::{
    ApprovalStatus, Attributes, HistoryQuery, HistoryRow, Input, Layer, Ordering, Origin, Plan, Step, Subject, Text,
    Timestamp,
};
use lictor::policy::{SourceText, load};
use lictor::receipt::{Issuer, IssuerOptions};
use lictor::snapshot::{Holder, Snapshot};
use lictor::store::Store;

use crate::harness::PATIENCE;

pub const DOCUMENTS: &str = r#"
apiVersion: lictor.dev/v1
kind: ActionCatalog
metadata: {name: assistant}
spec:
  providers: [mail, bank]
  actions:
    - {name: mail.search, tier: 0, providers: [mail]}
    - name: bank.transfer
      tier: 2
      providers: [bank]
      paramsSchema: {type: object, properties: {amount: {type: number}, to: {type: string}}, required: [amount, to]}
    - {name: bank.close, tier: 3, providers: [bank]}
---
apiVersion: lictor.dev/v1
kind: Policy
metadata: {name: payments}
spec:
  rules:
    - {name: all, effect: allow}
    - {name: refunds, effect: require_approval, requiredLevel: 4, actions: [payment.refund], priority: 5}
    - {name: never, effect: deny, actions: [payment.steal], priority: 9}
---
apiVersion: lictor.dev/v1
kind: ApprovalPolicy
metadata: {name: quick}
spec:
  scope: {tenants: [acme]}
  ttl: {minSeconds: 1, defaultSeconds: 600}
  escalation: {afterSeconds: 300, level: 4}
  pending: {perCreator: 200}
---
apiVersion: lictor.dev/v1
kind: ApprovalPolicy
metadata: {name: cheap}
spec:
  scope: {tenants: [acme], agents: [thrifty]}
  autoApprove: {maxCents: 50}
"#;

/// The service over a store, as one of several servers.
pub struct House {
    pub approvals: Approvals,
    pub holder: Arc<Holder>,
    _keys: tempfile::TempDir,
}

impl House {
    pub fn over(store: &Store) -> Self {
        Self::with(store, DOCUMENTS)
    }

    pub fn with(store: &Store, documents: &str) -> Self {
        let keys = tempfile::tempdir().unwrap();
        let options = IssuerOptions {
            issuer: "lictor".into(),
            audience: "runtime".into(),
            ttl_seconds: 300,
            grace_seconds: 300,
            epoch: 1,
            key: None,
            previous_keys: Vec::new(),
            directory: keys.path().to_owned(),
            noted: None,
        };
        let issuer = Issuer::new(options, Timestamp::from_system(SystemTime::now())).unwrap();
        let holder = Arc::new(Holder::default());
        publish(&holder, documents, 1);
        let approvals = Approvals::new(Parts {
            store: store.clone(),
            holder: holder.clone(),
            limits: Arc::default(),
            issuer: Some(Arc::new(issuer)),
            codec: Box::new(WireCodec),
            people: Box::new(()),
            metrics: Arc::default(),
            courier: None,
        });
        Self { approvals, holder, _keys: keys }
    }

    pub async fn create(&self, creation: Creation) -> Result<Newly, ApprovalError> {
        self.approvals.create(&runtime(), creation).await
    }

    pub async fn approve(&self, newly: &Newly) -> ApprovalStatus {
        let decided = Decided::Approve(vote(newly));
        let approval = &newly.approval;
        self.approvals.decide(&lead(), &approval.tenant_id, &approval.id, decided).await.expect("approved").status
    }

    pub async fn consume(&self, redemption: &Redemption) -> Result<Consumed, ApprovalError> {
        self.approvals.consume(&runtime(), redemption).await
    }

    pub async fn history(&self, newly: &Newly) -> Vec<HistoryRow> {
        let query = HistoryQuery {
            tenant_id: newly.approval.tenant_id.clone(),
            approval_id: newly.approval.id.clone(),
            limit: 100,
            ..HistoryQuery::default()
        };
        let mut rows = self.approvals.history(&query).await.unwrap().items;
        rows.reverse();
        rows
    }

    pub async fn status(&self, newly: &Newly) -> ApprovalStatus {
        self.approvals.get(&newly.approval.tenant_id, &newly.approval.id).await.unwrap().status
    }
}

pub fn publish(holder: &Holder, documents: &str, revision: u64) {
    let text = SourceText { name: "p.yaml".into(), layer: Layer::Organisation, text: documents.into() };
    let loaded = load(&[text]);
    assert!(!loaded.findings.has_errors(), "{:?}", loaded.findings);
    drop(holder.publish(Arc::new(Snapshot::build(&loaded.documents, revision))));
}

pub fn runtime() -> Actor {
    Actor { principal: "cn:runtime".into(), level: None }
}

pub fn lead() -> Actor {
    Actor { principal: "cn:lead".into(), level: Some(5) }
}

pub fn vote(newly: &Newly) -> Vote {
    Vote { target_hash: newly.approval.target_hash.clone(), ..Vote::default() }
}

pub fn params(json: &str) -> Attributes {
    Attributes::try_from(&serde_json::from_str(json).unwrap()).unwrap()
}

pub fn step(id: &str, action: &str, provider: &str, arguments: &str) -> Step {
    Step {
        step_id: id.into(),
        action: action.into(),
        provider: provider.into(),
        params: params(arguments),
        idempotency_key: format!("key-{id}").into(),
        ..Step::default()
    }
}

/// A search, and a transfer of what it finds.
pub fn plan() -> Plan {
    let mut transfer = step("pay", "bank.transfer", "bank", r#"{"amount": 12}"#);
    transfer.inputs = vec![Input {
        path: "/to".into(),
        origin: Origin::Step { step_id: "find".into(), output_path: "/0/iban".into() },
    }];
    transfer.depends_on = vec!["find".into()];
    Plan {
        tenant_id: "acme".into(),
        subject: Subject { kind: "agent".into(), id: "agent-7".into(), ..Subject::default() },
        ordering: Ordering::Dag,
        steps: vec![step("find", "mail.search", "mail", r#"{"q": "invoice"}"#), transfer],
        ..Plan::default()
    }
}

pub fn creation(key: &str, target: Target) -> Creation {
    Creation {
        idempotency_key: key.into(),
        tenant: Text::default(),
        target,
        requested_by: "cn:asker".into(),
        justification: "month's end".into(),
        ttl_seconds: None,
        webhook_endpoints: Vec::new(),
        correlation_id: "corr-1".into(),
    }
}

pub fn of_plan(key: &str) -> Creation {
    creation(key, Target::Plan(Box::new(plan())))
}

pub fn whole(newly: &Newly, key: &str) -> Redemption {
    Redemption {
        tenant: newly.approval.tenant_id.clone(),
        token: newly.token.reveal().to_owned(),
        target_hash: newly.approval.target_hash.clone(),
        step: None,
        redemption_key: key.into(),
    }
}

/// Waits until `holds`, which should be soon.
pub async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !holds().await {
        assert!(started.elapsed() < PATIENCE, "no {what} within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
