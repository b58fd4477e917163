//! Open arguments against the schemas of catalogues.

use super::*;
use crate::model::Layer;
use crate::policy::{SourceText, load};
use crate::snapshot::Snapshot;

/// A catalogue with `actions`.
fn snapshot(actions: &str) -> Snapshot {
    let text = format!(
        "apiVersion: lictor.dev/v1\nkind: ActionCatalog\nmetadata: {{name: c}}\nspec: {{actions: [{actions}]}}\n"
    );
    let loaded = load(&[SourceText { name: "c.yaml".into(), layer: Layer::Organisation, text: text.into() }]);
    assert!(!loaded.findings.has_errors());
    Snapshot::build(&loaded.documents, 1)
}

const TEXT: &str = "{name: mail.send, tier: 0, paramsSchema: {properties: {body: {type: string}}}}";
const NUMBER: &str = "{name: mail.send, tier: 0, paramsSchema: {properties: {body: {type: number}}}}";

/// The audit of [`dag`] as planned, with `body` where it is open.
fn audit(body: &str, schemas: &Schemas<'_>) -> DagVerification {
    let plan = dag();
    let mut made = calls(&plan);
    made[2].params = attributes(&format!(r#"{{"to": "eve", "body": {body}}}"#));
    verify_dag(&plan, &[], &made, Binding::None, schemas)
}

#[test]
fn open_arguments_are_held_to_the_schema() {
    let documents = snapshot(TEXT);
    let good = audit(r#""hi""#, &Schemas::given(&documents));
    assert_eq!((good.success, good.params_snapshot.as_str()), (true, documents.digest()));
    assert!(good.unchecked_params.is_empty(), "{good:?}");
    let bad = audit("7", &Schemas::given(&documents));
    assert_eq!(kinds(&bad), [DeviationKind::InvalidParams]);
    assert_eq!((bad.deviations[0].step_id.as_str(), bad.params_snapshot.as_str()), ("c", documents.digest()));
}

#[test]
fn what_no_schema_speaks_of_is_unchecked() {
    for actions in ["{name: mail.read, tier: 0}", "{name: mail.send, tier: 0}"] {
        let documents = snapshot(actions);
        let found = audit("7", &Schemas::given(&documents));
        // Of `a` and `b` nothing is open.
        assert_eq!((found.success, &found.unchecked_params), (true, &vec!["c".into()]), "{actions}");
        assert_eq!(found.params_snapshot, "", "nothing was held against it: {actions}");
    }
    assert_eq!(audit("7", &Schemas::none()).unchecked_params, ["c"]);
    let mut never_called = calls(&dag());
    never_called.truncate(2);
    let found = verify_dag(&dag(), &[], &never_called, Binding::None, &Schemas::none());
    assert!(found.unchecked_params.is_empty(), "{found:?}");
}

#[test]
fn a_deviation_names_the_snapshot_that_says_so() {
    let (validated, live) = (snapshot(TEXT), snapshot(NUMBER));
    for (schemas, body, says) in [
        (Schemas::of_server(Some(&validated), Some(&live), true), "7", Some(("that validated the plan", &validated))),
        (Schemas::of_server(Some(&validated), Some(&live), true), r#""hi""#, None),
        (Schemas::of_server(None, Some(&live), true), r#""hi""#, Some(("no longer in memory", &live))),
        (Schemas::of_server(None, Some(&live), false), r#""hi""#, Some(("nothing names the one", &live))),
        (Schemas::of_server(None, Some(&live), false), "7", None),
        (Schemas::given(&live), r#""hi""#, Some(("the documents that were given", &live))),
    ] {
        let found = audit(body, &schemas);
        let messages: Vec<&str> = found.deviations.iter().map(|found| found.message.as_str()).collect();
        match says {
            None => assert!(found.success, "{messages:?}"),
            Some((which, snapshot)) => {
                assert_eq!(kinds(&found), [DeviationKind::InvalidParams]);
                for part in ["`params/body`", which, snapshot.digest(), "validated again"] {
                    assert!(messages[0].contains(part), "{part}: {messages:?}");
                }
            }
        }
    }
    let found = audit("7", &Schemas::of_server(None, None, true));
    assert_eq!((kinds(&found), found.params_snapshot.as_str()), (vec![DeviationKind::InvalidParams], ""));
}
