//! Approvals at running servers.

use std::collections::BTreeMap;

use lictor::api::proto::v1::verify_dag_request::Binding;
use lictor::api::proto::v1::{self, ApprovalStatus};
use tonic::Code;

use crate::harness::PATIENCE;
use crate::served::{Backend, approval_of, approving, by, channel, client, consuming, creation, plan};
use crate::system::wait_for;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_whole_way_over_the_wire() {
    let lictor = Backend::Sqlite.server();
    let mut client = client(&lictor).await;
    let made = client.create_approval(by("runtime", None, creation("four-eyes", "k"))).await.unwrap().into_inner();
    let approval = approval_of(&made).clone();
    assert_eq!((approval.status(), made.token.len()), (ApprovalStatus::Pending, 43));
    assert_eq!(approval.stages.iter().map(|stage| stage.level).collect::<Vec<_>>(), [2, 4]);
    let view = approval.view.clone().unwrap();
    assert_eq!(view.unverified.unwrap().intent_summary, "=HYPERLINK(\"http://evil\")");
    let Some(v1::approval_view::What::Plan(seen)) = view.what else { panic!("a plan") };
    assert_eq!(seen.steps[0].step, plan("", 12.0).steps.first().cloned());
    assert_eq!(seen.steps[0].validation.as_ref().unwrap().tier, 2);

    // What goes wrong, and how it is said.
    let code = |result: Result<_, tonic::Status>| {
        result.map(|_: tonic::Response<v1::ApproveResponse>| ()).map_err(|s| s.code())
    };
    let request = approving("four-eyes", &approval);
    assert_eq!(code(client.approve(by("runtime", Some("5"), request.clone())).await), Err(Code::PermissionDenied));
    assert_eq!(code(client.approve(by("ann", None, request.clone())).await), Err(Code::PermissionDenied));
    let high = v1::ApproveRequest { level: Some(3), ..request.clone() };
    assert_eq!(code(client.approve(by("ann", Some("2"), high)).await), Err(Code::PermissionDenied));
    for level in [0, 6] {
        let bad = v1::ApproveRequest { level: Some(level), ..request.clone() };
        assert_eq!(code(client.approve(by("ann", Some("2"), bad)).await), Err(Code::InvalidArgument));
    }
    let other = v1::ApproveRequest { target_hash: "sha256:0".into(), ..request.clone() };
    assert_eq!(code(client.approve(by("ann", Some("2"), other)).await), Err(Code::FailedPrecondition));
    let stale = v1::ApproveRequest { etag: "v9".into(), ..request.clone() };
    assert_eq!(code(client.approve(by("ann", Some("2"), stale)).await), Err(Code::Aborted));
    let early = client.consume(by("runtime", None, consuming("four-eyes", &made))).await.unwrap_err();
    assert_eq!(early.code(), Code::FailedPrecondition);

    let watch = v1::WatchApprovalRequest { tenant_id: "four-eyes".into(), approval_id: approval.id.clone() };
    let mut changes = client.watch_approval(by("runtime", None, watch)).await.unwrap().into_inner();
    let mut next = async || changes.message().await.unwrap().map(|change| change.approval.unwrap().status());
    assert_eq!(next().await, Some(ApprovalStatus::Pending));
    let added = client.approve(by("ann", Some("2"), request.clone())).await.unwrap().into_inner();
    assert_eq!(added.approval.unwrap().status(), ApprovalStatus::Pending);
    assert_eq!(next().await, Some(ApprovalStatus::Pending));
    let done = client.approve(by("eve", Some("manager"), request.clone())).await.unwrap().into_inner();
    assert_eq!(done.approval.unwrap().status(), ApprovalStatus::Approved);
    assert_eq!(next().await, Some(ApprovalStatus::Approved));
    let granted = client.consume(by("runtime", None, consuming("four-eyes", &made))).await.unwrap().into_inner();
    assert_eq!((granted.mode(), granted.replayed), (v1::RedemptionMode::Whole, false));
    assert_eq!(next().await, Some(ApprovalStatus::Consumed));
    assert_eq!(next().await, None);
    let again = client.consume(by("runtime", None, consuming("four-eyes", &made))).await.unwrap_err();
    assert_eq!((again.code(), again.message().contains(&approval.id)), (Code::NotFound, false));

    // The approval binds its plan for the audit.
    let mut decisions = v1::decision_service_client::DecisionServiceClient::new(channel(&lictor).await);
    let mut verify = async |tenant: &str, amount: f64| {
        let plan = plan(tenant, amount);
        let call = v1::Execution {
            step_id: "pay".into(),
            action: "bank.transfer".into(),
            params: plan.steps[0].params.clone(),
            outcome: v1::ExecutionOutcome::Done.into(),
            ..v1::Execution::default()
        };
        let request = v1::VerifyDagRequest {
            tenant_id: plan.tenant_id,
            steps: plan.steps,
            binding: Some(Binding::ApprovalId(approval.id.clone())),
            executions: vec![call],
            ..v1::VerifyDagRequest::default()
        };
        decisions.verify_dag(by("runtime", None, request)).await.map(tonic::Response::into_inner)
    };
    let verified = verify("four-eyes", 12.0).await.unwrap();
    assert_eq!((verified.success, verified.bound_to()), (true, v1::BoundTo::Approval));
    assert!(!verify("four-eyes", 13.0).await.unwrap().success);
    assert_eq!(verify("default", 12.0).await.unwrap_err().code(), Code::NotFound);

    // Everything of it is on record, and the token is not.
    let kinds = ["created", "added", "approved", "consumed", "invalid"];
    for kind in kinds {
        let kind = format!("ir.approval_{kind}");
        wait_for(&kind, || !lictor.records(&kind).is_empty());
    }
    wait_for("both refusals", || lictor.records("ir.approval_invalid").len() == 2);
    let invalid = lictor.records("ir.approval_invalid");
    let reasons: Vec<_> = invalid.iter().map(|event| event["payload"]["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, ["not_approved", "already_consumed"]);
    let consumed = &lictor.records("ir.approval_consumed")[0]["payload"];
    assert_eq!(
        (consumed["approval_id"].as_str(), &consumed["was_expired"]),
        (Some(approval.id.as_str()), &false.into())
    );
    let shown = format!("{:?} {} {:?}", lictor.journal(), lictor.log(), lictor.http_get("/metrics"));
    assert!(shown.contains(&approval.id) && !shown.contains(&made.token));
    assert!(shown.contains("lictor_approvals_total"), "{shown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_and_their_tenants() {
    let lictor = Backend::Sqlite.server();
    let mut client = client(&lictor).await;
    let mut ids = Vec::new();
    for number in 0..5 {
        let made = client.create_approval(by("runtime", None, creation("acme", &format!("k{number}")))).await.unwrap();
        ids.push(approval_of(&made.into_inner()).id.clone());
    }
    let mut page_token = String::new();
    let mut listed = Vec::new();
    loop {
        let request = v1::ListApprovalsRequest {
            tenant_id: "acme".into(),
            page_size: Some(2),
            page_token: page_token.clone(),
            ..v1::ListApprovalsRequest::default()
        };
        let page = client.list_approvals(by("runtime", None, request)).await.unwrap().into_inner();
        assert!(page.approvals.len() <= 2 && page.approvals.iter().all(|approval| approval.view.is_none()));
        listed.extend(page.approvals.into_iter().map(|approval| approval.id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    ids.reverse();
    assert_eq!(listed, ids);
    // A place in one list is none in another.
    let all = v1::ListApprovalsRequest { tenant_id: "acme".into(), page_size: Some(2), ..Default::default() };
    let page_token = client.list_approvals(by("a", None, all.clone())).await.unwrap().into_inner().next_page_token;
    let larger = v1::ListApprovalsRequest { page_token: page_token.clone(), page_size: Some(9), ..all.clone() };
    assert_eq!(client.list_approvals(by("a", None, larger)).await.unwrap().into_inner().approvals.len(), 3);
    let filtered = v1::ListApprovalsRequest { page_token: page_token.clone(), created_by: "a".into(), ..all.clone() };
    let elsewhere = v1::ListApprovalsRequest { page_token, tenant_id: "default".into(), ..all };
    for request in [filtered, elsewhere] {
        let refused = client.list_approvals(by("a", None, request)).await.unwrap_err();
        assert_eq!((refused.code(), refused.message().contains("for the same filters")), (Code::InvalidArgument, true));
    }
    for (size, token) in [(0, ""), (501, ""), (-1, ""), (1, "nonsense")] {
        let request = v1::ListApprovalsRequest {
            page_size: Some(size),
            page_token: token.into(),
            ..v1::ListApprovalsRequest::default()
        };
        assert_eq!(client.list_approvals(by("a", None, request)).await.unwrap_err().code(), Code::InvalidArgument);
    }
    let other = v1::ListApprovalsRequest { tenant_id: "other".into(), ..v1::ListApprovalsRequest::default() };
    assert!(client.list_approvals(by("a", None, other)).await.unwrap().into_inner().approvals.is_empty());
    let history =
        v1::ListApprovalHistoryRequest { tenant_id: "acme".into(), ..v1::ListApprovalHistoryRequest::default() };
    let rows = client.list_approval_history(by("a", None, history)).await.unwrap().into_inner().entries;
    assert_eq!(rows.len(), 5);
    let get = v1::GetApprovalRequest { tenant_id: "other".into(), approval_id: ids[0].clone() };
    assert_eq!(client.get_approval(by("a", None, get)).await.unwrap_err().code(), Code::NotFound);

    let mut export = by("auditor", None, v1::ExportApprovalsRequest { tenant_id: "acme".into(), ..Default::default() });
    export.metadata_mut().insert("x-lictor-roles", "auditor".parse().unwrap());
    let mut pieces = client.export_approvals(export).await.unwrap().into_inner();
    let mut csv = Vec::new();
    while let Some(piece) = pieces.message().await.unwrap() {
        csv.extend(piece.csv);
    }
    let mut reader = csv::Reader::from_reader(csv.as_slice());
    let rows: Vec<BTreeMap<String, String>> = reader.deserialize().map(Result::unwrap).collect();
    assert_eq!(rows.iter().map(|row| row["id"].as_str()).collect::<Vec<_>>(), ids);
    assert!(rows.iter().all(|row| row["justification"] == "'=1+1" && row["status"] == "PENDING"));
    let plain = v1::ExportApprovalsRequest { tenant_id: "acme".into(), ..Default::default() };
    assert_eq!(client.export_approvals(by("nobody", None, plain)).await.unwrap_err().code(), Code::PermissionDenied);

    // The command line.
    let address = lictor.tcp.to_string();
    let (code, printed) =
        lictor.command(&["approvals", "list", "--server", &address, "--dev-as", "ann", "--tenant", "acme"]);
    assert_eq!(code, 0, "{printed}");
    assert!(ids.iter().all(|id| printed.contains(id.as_str())), "{printed}");
    let (code, printed) =
        lictor.command(&["approvals", "show", &ids[0], "--server", &address, "--dev-as", "ann", "--tenant", "acme"]);
    assert_eq!(code, 0, "{printed}");
    for word in ["what will run", "bank.transfer", "not verified", "lictor approvals approve"] {
        assert!(printed.contains(word), "{word}: {printed}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_servers_on_one_database_one_redeems() {
    let backend = Backend::postgres().await;
    let servers = [backend.server(), backend.server()];
    let mut clients = [client(&servers[0]).await, client(&servers[1]).await];
    let made = clients[0].create_approval(by("runtime", None, creation("default", "k"))).await.unwrap().into_inner();
    clients[1].approve(by("ann", Some("4"), approving("default", approval_of(&made)))).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..64 {
        let mut client = clients[number % 2].clone();
        let request = by("runtime", None, consuming("default", &made));
        tasks.spawn(async move { client.consume(request).await.map_err(|status| status.code()) });
    }
    let outcomes = tasks.join_all().await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert!(outcomes.iter().all(|outcome| outcome.as_ref().err().is_none_or(|code| *code == Code::NotFound)));
    wait_for("record", || {
        servers.iter().map(|server| server.records("ir.approval_consumed").len()).sum::<usize>() == 1
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_watches_at_one_server_is_told_what_another_does() {
    let backend = Backend::postgres().await;
    let servers = [backend.server(), backend.server()];
    let (mut here, mut there) = (client(&servers[0]).await, client(&servers[1]).await);
    let made = here.create_approval(by("runtime", None, creation("default", "k"))).await.unwrap().into_inner();
    let approval = approval_of(&made);
    let watch = v1::WatchApprovalRequest { tenant_id: "default".into(), approval_id: approval.id.clone() };
    let mut changes = here.watch_approval(by("runtime", None, watch)).await.unwrap().into_inner();
    let mut next = async || {
        let change = tokio::time::timeout(PATIENCE, changes.message()).await.expect("a change").unwrap();
        change.map(|change| change.approval.expect("an approval").status())
    };
    assert_eq!(next().await, Some(ApprovalStatus::Pending));
    there.approve(by("ann", Some("4"), approving("default", approval))).await.unwrap();
    assert_eq!(next().await, Some(ApprovalStatus::Approved));
    there.consume(by("runtime", None, consuming("default", &made))).await.unwrap();
    assert_eq!(next().await, Some(ApprovalStatus::Consumed));
    assert_eq!(next().await, None, "nothing follows a final state");
}
