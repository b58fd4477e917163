//! Running servers over either database, and what people and runtimes say to them.

use std::collections::BTreeMap;
use std::process::Command;

use lictor::api::proto::rpc;
use lictor::api::proto::v1::approval_service_client::ApprovalServiceClient;
use lictor::api::proto::v1::create_approval_request::Target;
use lictor::api::proto::v1::{self, ApprovalStatus};
use prost::Message as _;
use tonic::Request;
use tonic::transport::Channel;

use crate::postgres;
use crate::system::Lictor;

pub type Client = ApprovalServiceClient<Channel>;

/// What may be done, and how it is approved: by one of level 3, or in the tenant `four-eyes` by two.
pub const DOCUMENTS: &str = r#"
apiVersion: lictor.dev/v1
kind: ActionCatalog
metadata: {name: assistant}
spec:
  providers: [bank]
  actions: [{name: bank.transfer, tier: 2, providers: [bank]}, {name: bank.look, tier: 0, providers: [bank]}]
---
apiVersion: lictor.dev/v1
kind: Policy
metadata: {name: all}
spec: {rules: [{name: all, effect: allow}]}
---
apiVersion: lictor.dev/v1
kind: ApprovalPolicy
metadata: {name: two}
spec:
  scope: {tenants: [four-eyes]}
  stages: [{level: 2}, {level: manager}]
  ttl: {minSeconds: 1}
---
apiVersion: lictor.dev/v1
kind: ApprovalPolicy
metadata: {name: patient}
spec:
  scope: {tenants: [default]}
  escalation: {afterSeconds: 300, level: 4}
"#;

/// Where a server keeps its approvals, and how to look at it while none runs.
#[derive(Debug, Clone)]
pub enum Backend {
    /// The file in the state directory.
    Sqlite,
    /// The database of that name.
    Postgres { url: String, database: String },
}

impl Backend {
    /// A new database of the shared PostgreSQL server.
    pub async fn postgres() -> Self {
        let url = tokio::task::spawn_blocking(|| postgres::shared().database()).await.expect("a database");
        let (before, _) = url.split_once('?').expect("parameters");
        let (_, database) = before.rsplit_once('/').expect("a database");
        Self::Postgres { database: database.to_owned(), url: url.clone() }
    }

    /// What the configuration says of it.
    pub fn config(&self) -> String {
        match self {
            Self::Sqlite => String::new(),
            Self::Postgres { url, .. } => format!("store: {{url: '{url}'}}\n"),
        }
    }

    /// A server over it that believes who callers say they are.
    pub fn server(&self) -> Lictor {
        let mut lictor = self.prepare();
        lictor.run();
        lictor
    }

    /// The same, not started.
    pub fn prepare(&self) -> Lictor {
        let mut lictor = Lictor::prepare(DOCUMENTS);
        lictor.arguments = vec!["--dev"];
        lictor.config = self.config();
        lictor
    }

    /// Runs a statement and gives what it prints, a row a line.
    pub fn sql(&self, lictor: &Lictor, statement: &str) -> String {
        match self {
            Self::Sqlite => {
                let output = Command::new("python3")
                    .args(["-c", SQLITE, &lictor.path("state/lictor.db").display().to_string(), statement])
                    .output()
                    .expect("python3 runs");
                assert!(output.status.success(), "{statement}: {}", String::from_utf8_lossy(&output.stderr));
                String::from_utf8(output.stdout).expect("UTF-8").trim().to_owned()
            }
            Self::Postgres { database, .. } => postgres::shared().psql(database, statement),
        }
    }

    /// The number that a query gives.
    pub fn count(&self, lictor: &Lictor, query: &str) -> u64 {
        self.sql(lictor, query).parse().expect("a number")
    }

    /// Lets so many hours pass for all approvals, as far as the store can tell. No server may run.
    pub fn hours_pass(&self, lictor: &Lictor, hours: i64) {
        let columns = ["created_at", "updated_at", "escalates_at", "expires_at", "resolved_at", "consumed_at"];
        let micros = hours * 3_600_000_000;
        let set: Vec<String> = columns.iter().map(|column| format!("{column} = {column} - {micros}")).collect();
        self.sql(lictor, &format!("UPDATE approval SET {}", set.join(", ")));
        // A store whose last change is earlier than it was would be taken for an old copy.
        if matches!(self, Self::Sqlite) {
            let seen = lictor.path("state/store-epoch");
            let text = std::fs::read_to_string(&seen).expect("what was noted of the store");
            let kept: Vec<&str> = text.lines().filter(|line| !line.starts_with("committed ")).collect();
            std::fs::write(&seen, kept.join("\n")).expect("what was noted of the store");
        }
    }
}

const SQLITE: &str = "
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], timeout=30)
for row in connection.execute(sys.argv[2]).fetchall():
    print(*row, sep='|')
connection.commit()
";

/// Runs each case over both databases, at real servers.
macro_rules! served_by_both {
    ($($case:ident),+ $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$case(crate::served::Backend::Sqlite).await;
            })+
        }
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$case(crate::served::Backend::postgres().await).await;
            })+
        }
    };
}
pub(crate) use served_by_both;

pub async fn channel(lictor: &Lictor) -> Channel {
    Channel::from_shared(format!("http://{}", lictor.tcp)).expect("an address").connect().await.expect("a connection")
}

pub async fn client(lictor: &Lictor) -> Client {
    ApprovalServiceClient::new(channel(lictor).await)
}

/// A call by somebody.
pub fn by<T>(principal: &str, level: Option<&str>, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("x-lictor-principal", principal.parse().expect("a name"));
    if let Some(level) = level {
        request.metadata_mut().insert("x-lictor-level", level.parse().expect("a level"));
    }
    request
}

/// A call by somebody in a role.
pub fn as_role<T>(principal: &str, role: &str, message: T) -> Request<T> {
    let mut request = by(principal, None, message);
    request.metadata_mut().insert("x-lictor-roles", role.parse().expect("a role"));
    request
}

pub fn plan(tenant: &str, amount: f64) -> v1::ValidateIrRequest {
    let number = prost_types::Value { kind: Some(prost_types::value::Kind::NumberValue(amount)) };
    v1::ValidateIrRequest {
        tenant_id: tenant.into(),
        subject: Some(v1::Subject { id: "agent-7".into(), ..v1::Subject::default() }),
        steps: vec![v1::Step {
            step_id: "pay".into(),
            action: "bank.transfer".into(),
            provider: "bank".into(),
            params: Some(prost_types::Struct { fields: BTreeMap::from([("amount".into(), number)]) }),
            idempotency_key: "k".into(),
            ..v1::Step::default()
        }],
        intent_summary: "=HYPERLINK(\"http://evil\")".into(),
        ..v1::ValidateIrRequest::default()
    }
}

pub fn creation(tenant: &str, key: &str) -> v1::CreateApprovalRequest {
    v1::CreateApprovalRequest {
        idempotency_key: key.into(),
        target: Some(Target::Plan(plan(tenant, 12.0))),
        justification: "=1+1".into(),
        correlation_id: key.into(),
        ..v1::CreateApprovalRequest::default()
    }
}

pub fn approval_of(answer: &v1::CreateApprovalResponse) -> &v1::Approval {
    answer.approval.as_ref().expect("an approval")
}

pub fn approving(tenant: &str, approval: &v1::Approval) -> v1::ApproveRequest {
    v1::ApproveRequest {
        tenant_id: tenant.into(),
        approval_id: approval.id.clone(),
        target_hash: approval.target_hash.clone(),
        ..v1::ApproveRequest::default()
    }
}

pub fn rejecting(tenant: &str, approval: &v1::Approval) -> v1::RejectRequest {
    let v1::ApproveRequest { tenant_id, approval_id, target_hash, .. } = approving(tenant, approval);
    v1::RejectRequest { tenant_id, approval_id, target_hash, ..v1::RejectRequest::default() }
}

pub fn consuming(tenant: &str, answer: &v1::CreateApprovalResponse) -> v1::ConsumeRequest {
    v1::ConsumeRequest {
        tenant_id: tenant.into(),
        token: answer.token.clone(),
        target_hash: approval_of(answer).target_hash.clone(),
        ..v1::ConsumeRequest::default()
    }
}

pub fn getting(tenant: &str, id: &str) -> v1::GetApprovalRequest {
    v1::GetApprovalRequest { tenant_id: tenant.into(), approval_id: id.into() }
}

/// Creates an approval that waits.
pub async fn created(client: &mut Client, tenant: &str, key: &str) -> v1::CreateApprovalResponse {
    client.create_approval(by("runtime", None, creation(tenant, key))).await.expect("creation").into_inner()
}

/// The state of an approval, and its history, oldest first.
pub async fn history_of(client: &mut Client, tenant: &str, id: &str) -> Vec<v1::ApprovalHistoryEntry> {
    let request = v1::ListApprovalHistoryRequest {
        tenant_id: tenant.into(),
        approval_id: id.into(),
        ..v1::ListApprovalHistoryRequest::default()
    };
    let mut rows = client.list_approval_history(by("ann", None, request)).await.expect("history").into_inner().entries;
    rows.reverse();
    rows
}

/// The state that an approval is in.
pub async fn status_of(client: &mut Client, tenant: &str, id: &str) -> ApprovalStatus {
    let got = client.get_approval(by("ann", None, getting(tenant, id))).await.expect("the approval");
    got.into_inner().approval.expect("an approval").status()
}

/// The reason that a refusal names for programs.
pub fn reason_of(refused: &tonic::Status) -> String {
    let status = rpc::Status::decode(refused.details()).expect("details");
    let info = status.details.iter().find(|detail| detail.type_url.ends_with("google.rpc.ErrorInfo"));
    rpc::ErrorInfo::decode(&*info.expect("a reason").value).expect("a reason").reason
}
