//! Questions that cannot be asked: code, reason and fields.

use lictor::api::proto::v1::EvaluateRequest;
use prost::Message;
use tonic::Code;

use crate::harness::{Running, question, reason};
use crate::raw::{Raw, framed, grpc};

fn context(entries: Vec<(&str, prost_types::value::Kind)>) -> Option<prost_types::Struct> {
    let value = |kind| prost_types::Value { kind: Some(kind) };
    Some(prost_types::Struct { fields: entries.into_iter().map(|(key, kind)| (key.into(), value(kind))).collect() })
}

#[tokio::test]
async fn each_kind_of_bad_request_has_its_reason_and_fields() {
    use prost_types::value::Kind::{ListValue, NumberValue, StructValue};
    let running = Running::start(|_| {});
    let mut client = running.client().await;
    let deep =
        (0..33).fold(prost_types::Struct::default(), |inner, _| context(vec![("a", StructValue(inner))]).unwrap());
    let unset = prost_types::Struct { fields: [("x".to_owned(), prost_types::Value { kind: None })].into() };
    let list = prost_types::ListValue { values: vec![prost_types::Value { kind: Some(NumberValue(f64::NAN)) }] };
    let good = || question("file.read");
    let mut no_subject_id = good();
    no_subject_id.subject.as_mut().unwrap().id.clear();
    let mut many_roles = good();
    many_roles.subject.as_mut().unwrap().roles = vec!["r".into(); 65];
    let mut odd_role = good();
    odd_role.subject.as_mut().unwrap().roles = vec!["ok".into(), "bad\u{7}".into()];
    let depth = format!("context{}", ".a".repeat(32));
    let cases: Vec<(EvaluateRequest, &str, Vec<&str>)> = vec![
        (EvaluateRequest::default(), "MISSING_FIELD", vec!["subject.id", "action.name"]),
        (no_subject_id, "MISSING_FIELD", vec!["subject.id"]),
        (many_roles, "FIELD_TOO_LONG", vec!["subject.roles"]),
        (odd_role, "FORBIDDEN_CHARACTER", vec!["subject.roles[1]"]),
        (EvaluateRequest { tenant_id: "a\u{202e}b".into(), ..good() }, "FORBIDDEN_CHARACTER", vec!["tenant_id"]),
        (EvaluateRequest { tenant_id: "a\u{feff}b".into(), ..good() }, "FORBIDDEN_CHARACTER", vec!["tenant_id"]),
        (EvaluateRequest { request_id: "x".repeat(129), ..good() }, "FIELD_TOO_LONG", vec!["request_id"]),
        (
            EvaluateRequest { context: context(vec![("x", NumberValue(f64::INFINITY))]), ..good() },
            "NUMBER_NOT_FINITE",
            vec!["context.x"],
        ),
        (
            EvaluateRequest { context: context(vec![("items", ListValue(list))]), ..good() },
            "NUMBER_NOT_FINITE",
            vec!["context.items[0]"],
        ),
        (EvaluateRequest { context: Some(unset), ..good() }, "UNSET_VALUE", vec!["context.x"]),
        (EvaluateRequest { context: Some(deep), ..good() }, "TOO_DEEP", vec![&depth]),
        (
            EvaluateRequest { run_id: "\n".into(), context: context(vec![("x", NumberValue(f64::NAN))]), ..good() },
            "INVALID_REQUEST",
            vec!["context.x", "run_id"],
        ),
    ];
    for (request, expected, paths) in cases {
        let refused = client.evaluate(request).await.unwrap_err();
        let (reason, fields) = reason(refused.details());
        assert_eq!((refused.code(), reason.as_str()), (Code::InvalidArgument, expected), "{refused:?}");
        assert_eq!(fields, paths, "{refused:?}");
    }
    let metrics = running.telemetry.render();
    let line = "lictor_rpc_errors_total{code=\"INVALID_ARGUMENT\",reason=\"MISSING_FIELD\"} 2";
    assert!(metrics.lines().any(|found| found == line), "{metrics}");
}

#[tokio::test]
async fn bytes_that_are_no_question_are_the_callers_fault() {
    let running = Running::start(|_| {});
    let mut raw = Raw::connect(running.server.tcp_address().unwrap()).await;
    let good = framed(&question("file.read").encode_to_vec());
    let twice = [good.clone(), good.clone()].concat();
    let mut compressed = good.clone();
    compressed[0] = 1;
    let key_twice = {
        // context { fields { key: "a" value { bool_value: true } } } twice, which a map could not hold.
        let entry = [0x0a, 0x07, 0x0a, 0x01, b'a', 0x12, 0x02, 0x20, 0x01];
        let context = [&[0x32, 18][..], &entry, &entry].concat();
        framed(&[question("file.read").encode_to_vec(), context].concat())
    };
    let cases = [
        (framed(&[0xff, 0xff]), Code::InvalidArgument, "MALFORMED_MESSAGE"),
        (framed(&[0x0a, 0x02, 0xff, 0xfe]), Code::InvalidArgument, "MALFORMED_MESSAGE"),
        (key_twice, Code::InvalidArgument, "DUPLICATE_KEY"),
        (good[..good.len() - 1].to_vec(), Code::InvalidArgument, "MALFORMED_FRAME"),
        (Vec::new(), Code::InvalidArgument, "MALFORMED_FRAME"),
        (twice, Code::InvalidArgument, "MALFORMED_FRAME"),
        (compressed, Code::Unimplemented, "COMPRESSION_UNSUPPORTED"),
    ];
    for (body, code, expected) in cases {
        let answer = raw.call(grpc("Evaluate"), body).await;
        let status = answer.grpc_status();
        assert_eq!((status.code(), reason(status.details()).0.as_str()), (code, expected), "{answer:?}");
    }
    let answer = raw.call(grpc("Evaluate").header("grpc-timeout", "soon"), good.clone()).await;
    assert_eq!(reason(answer.grpc_status().details()).0, "INVALID_TIMEOUT");
    let answer = raw.call(grpc("Evaluate"), good).await;
    assert_eq!(answer.grpc_status().code(), Code::Ok);
}

#[tokio::test]
async fn what_is_not_grpc_is_told_so() {
    let running = Running::start(|_| {});
    let mut raw = Raw::connect(running.server.tcp_address().unwrap()).await;
    let path = "http://lictor/lictor.v1.DecisionService/Evaluate";
    let get = http::Request::get(path).header("content-type", "application/grpc");
    assert_eq!(raw.call(get, "").await.http, http::StatusCode::METHOD_NOT_ALLOWED);
    for kind in ["application/json", "application/grpc+json", "application/grpc-web"] {
        let post = http::Request::post(path).header("content-type", kind);
        assert_eq!(raw.call(post, "").await.http, http::StatusCode::UNSUPPORTED_MEDIA_TYPE, "{kind}");
    }
    for method in ["lictor.v1.DecisionService/Guess", "grpc.health.v1.Health/Guess", "other.Service/Evaluate"] {
        let post = http::Request::post(format!("http://lictor/{method}")).header("content-type", "application/grpc");
        let status = raw.call(post, framed(&[])).await.grpc_status();
        assert_eq!((status.code(), reason(status.details()).0.as_str()), (Code::Unimplemented, "UNKNOWN_METHOD"));
        assert!(status.message().contains(method), "{status:?}");
    }
    let body = framed(&question("file.read").encode_to_vec());
    let post = http::Request::post(path).header("content-type", "application/grpc+proto");
    assert_eq!(raw.call(post, body).await.grpc_status().code(), Code::Ok);
}
