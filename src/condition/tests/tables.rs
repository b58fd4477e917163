//! Runs the tables of `tests/cases/cel`, written in the style of the specification's own conformance files.

use std::path::Path;

use serde::Deserialize;

use super::{bindings, budget, request};
use crate::condition::{ExpressionError, eval_expression};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    section: String,
    /// JSON of the context that the expressions see.
    #[serde(default)]
    context: Option<String>,
    tests: Vec<Case>,
}

/// Exactly one of `value`, `error` and `refused` is given.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    expr: String,
    /// The value, as CEL would write it.
    #[serde(default)]
    value: Option<String>,
    /// A part of the error that evaluation ends with.
    #[serde(default)]
    error: Option<String>,
    /// The code of a problem found before evaluation.
    #[serde(default)]
    refused: Option<String>,
}

fn run(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap();
    let sections: Vec<Section> = serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{file:?}: {error}"));
    let mut failures = Vec::new();
    for section in &sections {
        let request = request(section.context.as_deref().unwrap_or("{}"));
        for case in &section.tests {
            let outcome = eval_expression(&case.expr, &bindings(&request), &mut budget());
            let as_expected = match (&case.value, &case.error, &case.refused, &outcome) {
                (Some(value), None, None, Ok(found)) => found.to_string() == *value,
                (None, Some(error), None, Err(ExpressionError::Failed(found))) => found.to_string().contains(error),
                (None, None, Some(code), Err(ExpressionError::Refused(problems))) => {
                    problems.iter().any(|problem| problem.code == code)
                }
                _ => false,
            };
            if !as_expected {
                let expected = case.value.clone().or(case.error.clone()).or(case.refused.clone());
                let found = outcome.map(|value| value.to_string());
                failures.push(format!(
                    "{}: {}\n    expected {expected:?}\n    found    {found:?}",
                    section.section, case.expr
                ));
            }
        }
    }
    failures
}

#[test]
fn every_case_of_every_table_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/cel");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 10, "the tables are missing");
    let failures: Vec<String> = files.iter().flat_map(|file| run(file)).collect();
    assert!(failures.is_empty(), "{} failed:\n{}", failures.len(), failures.join("\n"));
}
