//! Levels of approvers over the wire, what a decision with the highest leaves on record, and all columns of an export.

use std::collections::BTreeMap;

use lictor::api::proto::v1::{self, ApprovalStatus};
use lictor::model::{LEVEL_NAMES, Timestamp};
use tonic::Code;

use crate::served::{
    Backend, approval_of, approving, as_role, by, client, consuming, created, creation, getting, reason_of, rejecting,
    served_by_both, status_of,
};
use crate::system::wait_for;

served_by_both!(
    a_level_is_the_channels_and_may_only_be_lowered,
    the_owners_decision_is_on_record_with_its_level,
    an_export_read_again_has_every_column,
);

async fn a_level_is_the_channels_and_may_only_be_lowered(backend: Backend) {
    let lictor = backend.server();
    let mut client = client(&lictor).await;
    // In this tenant somebody of level 3 approves.
    let made = created(&mut client, "", "k").await;
    let approval = approval_of(&made).clone();
    let with = |level: u32| v1::ApproveRequest { level: Some(level), ..approving("", &approval) };
    for (own, asked, code, reason) in [
        ("2", with(3), Code::PermissionDenied, "LEVEL_ABOVE_OWN"),
        ("team_lead", with(4), Code::PermissionDenied, "LEVEL_ABOVE_OWN"),
        ("4", with(5), Code::PermissionDenied, "LEVEL_ABOVE_OWN"),
        ("5", with(0), Code::InvalidArgument, "OUT_OF_RANGE"),
        ("5", with(6), Code::InvalidArgument, "OUT_OF_RANGE"),
    ] {
        let refused = client.approve(by("ann", Some(own), asked.clone())).await.expect_err("not so");
        assert_eq!((refused.code(), reason_of(&refused).as_str()), (code, reason), "{own}: {refused}");
        let rejecting = v1::RejectRequest { level: asked.level, ..rejecting("", &approval) };
        let refused = client.reject(by("ann", Some(own), rejecting)).await.expect_err("not so");
        assert_eq!((refused.code(), reason_of(&refused).as_str()), (code, reason), "{own}: {refused}");
    }
    for own in ["0", "6", "Manager", "chief", ""] {
        let refused = client.approve(by("ann", Some(own), approving("", &approval))).await.expect_err("no such level");
        assert!(matches!(refused.code(), Code::Unauthenticated | Code::PermissionDenied), "{own}: {refused}");
    }
    let none = client.approve(by("ann", None, approving("", &approval))).await.expect_err("without a level");
    assert_eq!(none.code(), Code::PermissionDenied, "{none}");
    let low = client.reject(by("ann", Some("2"), rejecting("", &approval))).await.expect_err("too low");
    assert_eq!((low.code(), reason_of(&low).as_str()), (Code::PermissionDenied, "LEVEL_TOO_LOW"));
    assert_eq!(status_of(&mut client, "", &approval.id).await, ApprovalStatus::Pending, "nothing of that counted");

    for (name, level) in LEVEL_NAMES {
        let made = created(&mut client, "", name).await;
        let request = by("ann", Some(name), approving("", approval_of(&made)));
        let after = client.approve(request).await.expect("recorded").into_inner().approval.expect("an approval");
        let expected = if level < 3 { ApprovalStatus::Pending } else { ApprovalStatus::Approved };
        let levels: Vec<_> = after.stages[0].approvals.iter().map(|vote| vote.level).collect();
        assert_eq!((after.status(), levels), (expected, vec![u32::from(level)]), "{name}");
    }
    // Lowered, it counts as lowered.
    let lowered = client.approve(by("ann", Some("owner"), with(2))).await.expect("recorded").into_inner();
    assert_eq!(lowered.approval.expect("it").status(), ApprovalStatus::Pending);
    let meant = client.approve(by("ann", Some("owner"), with(3))).await.expect("recorded").into_inner();
    assert_eq!(meant.approval.expect("it").status(), ApprovalStatus::Approved);
}

async fn the_owners_decision_is_on_record_with_its_level(backend: Backend) {
    let lictor = backend.server();
    let mut client = client(&lictor).await;
    let made = created(&mut client, "", "k").await;
    let approval = approval_of(&made).clone();
    let approve = v1::ApproveRequest { notes: "in person".into(), ..approving("", &approval) };
    client.approve(by("ann", Some("owner_override"), approve)).await.expect("approved");
    wait_for("record", || !lictor.records("ir.approval_approved").is_empty());
    let records = lictor.records("ir.approval_approved");
    assert_eq!(records.len(), 1);
    let (payload, meta) = (&records[0]["payload"], &records[0]["meta"]);
    assert_eq!(payload["approval_id"], approval.id.as_str());
    assert_eq!((&payload["level"], &payload["required_level"]), (&5.into(), &3.into()), "{payload}");
    assert_eq!((payload["approver"].as_str(), payload["notes"].as_str()), (Some("dev:ann"), Some("in person")));
    assert_eq!((meta["actor"].as_str(), meta["correlation_id"].as_str()), (Some("dev:ann"), Some("k")));
}

/// The time as records write it; empty where there is none.
fn written(time: &Option<prost_types::Timestamp>) -> String {
    let micros = |at: &prost_types::Timestamp| at.seconds * 1_000_000 + i64::from(at.nanos) / 1_000;
    time.as_ref().map(|at| Timestamp::from_micros(micros(at)).to_string()).unwrap_or_default()
}

async fn an_export_read_again_has_every_column(backend: Backend) {
    let lictor = backend.server();
    let mut client = client(&lictor).await;
    let tenant = "four-eyes";
    let waiting = created(&mut client, tenant, "waiting").await;
    let rejected = created(&mut client, tenant, "=rejected").await;
    let notes = "no,\r\n\"never\"; =HYPERLINK()".to_owned();
    let reject = v1::RejectRequest { notes: notes.clone(), ..rejecting(tenant, approval_of(&rejected)) };
    client.reject(by("ann", Some("4"), reject)).await.expect("rejected");
    let mut asked = creation(tenant, "consumed");
    asked.requested_by = "@somebody".into();
    asked.justification = "größe, \"x\"\n\ttwo".into();
    let Some(v1::create_approval_request::Target::Plan(plan)) = &mut asked.target else { unreachable!() };
    plan.run_id = "-run".into();
    plan.steps[0].budget_cents = Some(1_250);
    plan.subject.as_mut().expect("a subject").on_behalf_of = "+49".into();
    let consumed = client.create_approval(by("runtime", None, asked)).await.expect("creation").into_inner();
    for (who, level) in [("ann", "2"), ("eve", "manager")] {
        client.approve(by(who, Some(level), approving(tenant, approval_of(&consumed)))).await.expect("approved");
    }
    client.consume(by("runtime", None, consuming(tenant, &consumed))).await.expect("redeemed");

    let request = v1::ExportApprovalsRequest { tenant_id: tenant.into(), ..v1::ExportApprovalsRequest::default() };
    let mut pieces =
        client.export_approvals(as_role("auditor", "auditor", request)).await.expect("export").into_inner();
    let mut csv = Vec::new();
    while let Some(piece) = pieces.message().await.expect("a piece") {
        csv.extend(piece.csv);
    }
    let mut reader = csv::Reader::from_reader(csv.as_slice());
    let rows: Vec<BTreeMap<String, String>> = reader.deserialize().map(|row| row.expect("a row")).collect();
    assert_eq!(rows.len(), 3, "{}", String::from_utf8_lossy(&csv));
    // What a spreadsheet might run stands behind an apostrophe.
    let own = [
        (&waiting, BTreeMap::from([("justification", "'=1+1".to_owned()), ("correlation_id", "waiting".into())])),
        (
            &rejected,
            BTreeMap::from([
                ("justification", "'=1+1".to_owned()),
                ("correlation_id", "'=rejected".into()),
                ("resolved_by", "dev:ann".into()),
                ("resolution", notes),
            ]),
        ),
        (
            &consumed,
            BTreeMap::from([
                ("justification", "größe, \"x\"\n\ttwo".to_owned()),
                ("correlation_id", "consumed".into()),
                ("requested_by", "'@somebody".into()),
                ("on_behalf_of", "'+49".into()),
                ("run_id", "'-run".into()),
                ("cost_cents", "1250".into()),
                ("approvers", "dev:ann (2) dev:eve (4)".into()),
                ("resolved_by", "dev:eve".into()),
                ("consumed_by", "dev:runtime".into()),
            ]),
        ),
    ];
    for (made, own) in own {
        let id = approval_of(made).id.clone();
        let got = client.get_approval(by("ann", None, getting(tenant, &id))).await.expect("it").into_inner();
        let approval = got.approval.expect("an approval");
        let mut expected = BTreeMap::from([
            ("id", id.clone()),
            ("tenant_id", tenant.to_owned()),
            ("status", approval.status().as_str_name().trim_start_matches("APPROVAL_STATUS_").to_owned()),
            ("target_kind", "PLAN".into()),
            ("target_hash", approval.target_hash.clone()),
            ("tier", "2".into()),
            ("required_level", approval.required_level.to_string()),
            ("subject_id", "agent-7".into()),
            ("actions", "bank.transfer".into()),
            ("requested_by", String::new()),
            ("on_behalf_of", String::new()),
            ("created_by", "dev:runtime".into()),
            ("approvers", String::new()),
            ("resolved_by", String::new()),
            ("resolution", String::new()),
            ("consumed_by", String::new()),
            ("cost_cents", String::new()),
            ("run_id", String::new()),
            ("created_at", written(&approval.created_at)),
            ("expires_at", written(&approval.expires_at)),
            ("resolved_at", written(&approval.resolved_at)),
            ("consumed_at", written(&approval.consumed_at)),
            ("snapshot", approval.snapshot.clone()),
        ]);
        expected.extend(own);
        let expected: BTreeMap<String, String> =
            expected.into_iter().map(|(column, cell)| (column.to_owned(), cell)).collect();
        let row = rows.iter().find(|row| row["id"] == id).expect("its row");
        assert_eq!(row, &expected);
        let resolved = approval.status() != ApprovalStatus::Pending;
        assert_eq!((resolved, row["resolved_at"].is_empty()), (resolved, !resolved));
    }
}
