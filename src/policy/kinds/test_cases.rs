//! Kind `Tests`: cases for `lictor test`.

use std::collections::{BTreeMap, HashMap};

use crate::diag::{Finding, Findings, Span, did_you_mean};
use crate::model::{Text, Timestamp};
use crate::policy::decode::{Context, Head, OneLine, short_text};
use crate::policy::{DocumentSet, Question, TestCase, Tests};
use crate::yaml::{Elsewhere, Entry, Field, Fields, Kind, Node, spec};

use super::expectation::{self, ExpectationSpec};
use super::plan::{self, PlanSpec};
use super::plan_expectation::{self, PlanExpectationSpec};
use super::request::{self, RequestSpec};

spec! {
    /// Cases for `lictor test`. Not part of the digest.
    pub(crate) struct TestsSpec {
        /// Parts of requests or plans, by name, for cases to use.
        fixtures: Option<BTreeMap<String, FixtureField>>,
        /// The cases.
        #[schemars(length(min = 1))]
        cases: Vec<CaseSpec>,
    }
}

spec! {
    /// One question with its expected answer.
    pub(crate) struct CaseSpec {
        /// What it shows; unique within the document.
        name: OneLine,
        /// The fixtures that the request starts from, later ones laid over earlier ones.
        r#use: Option<UseField>,
        /// The question, laid over the fixtures.
        request: Option<RequestSpec>,
        /// In place of `request`: a plan to validate, laid over the fixtures.
        plan: Option<PlanSpec>,
        /// When it is decided, as RFC 3339; the time of the test if not given.
        #[schemars(extend("format" = "date-time"))]
        now: Option<String>,
        /// What the answer must be.
        expect: ExpectField,
    }
}

/// Of a request, or of a plan.
#[derive(schemars::JsonSchema)]
#[schemars(untagged)]
#[allow(dead_code, reason = "read by the schema generator only")]
pub(crate) enum ExpectField {
    /// Of a request.
    Request(ExpectationSpec),
    /// Of a plan.
    Plan(PlanExpectationSpec),
}

/// A part of a request, or of a plan.
#[derive(schemars::JsonSchema)]
#[schemars(untagged)]
#[allow(dead_code, reason = "read by the schema generator only")]
pub(crate) enum FixtureField {
    /// Of a request.
    Request(RequestSpec),
    /// Of a plan.
    Plan(PlanSpec),
}

/// One fixture, or several.
#[derive(schemars::JsonSchema)]
#[schemars(untagged)]
#[allow(dead_code, reason = "read by the schema generator only")]
pub(crate) enum UseField {
    /// One.
    One(OneLine),
    /// Several.
    Several(Vec<OneLine>),
}

/// What authors put beside `request` and `expect` instead of into them.
const ELSEWHERE: &[Elsewhere] = &[
    ("`request`", RequestSpec::FIELDS),
    ("`plan`", PlanSpec::FIELDS),
    ("`expect`", ExpectationSpec::FIELDS),
    ("`expect`", PlanExpectationSpec::FIELDS),
];

pub(super) fn decode(spec: Field<'_>, head: &Head, _: Context<'_>, set: &mut DocumentSet, out: &mut Findings) {
    let Some(fields) = spec.fields("`spec` of tests", TestsSpec::FIELDS, out) else { return };
    let fixtures = fields.get("fixtures").and_then(|field| field.entries(out)).unwrap_or_default();
    for fixture in fixtures {
        match plan::is_one(&fixture.value) {
            true => drop(plan::partial(&fixture.value, out)),
            false => drop(request::partial(&fixture.value, out)),
        }
    }
    let entries = fields.require("cases", out).and_then(|field| field.list("cases", out)).unwrap_or_default();
    let mut names: HashMap<&str, Span> = HashMap::new();
    let mut cases = Vec::with_capacity(entries.len());
    for entry in entries {
        let Some(fields) = entry.fields_hinting("a case", CaseSpec::FIELDS, ELSEWHERE, out) else { continue };
        let name = fields.require("name", out);
        let name = name.and_then(|field| short_text(field, out).map(|name| (name, field.node.span)));
        if let Some((name, span)) = name {
            match names.get(name) {
                Some(first) => out.push(
                    Finding::error("duplicate-case", format!("there is another case named `{name}`"))
                        .at(span)
                        .label("again here")
                        .related(*first, "first here")
                        .help("say in the name what sets the case apart"),
                ),
                None => {
                    names.insert(name, span);
                }
            }
        }
        cases.extend(case(&fields, name, fixtures, out));
    }
    set.tests.push(Tests { name: head.name.clone(), cases });
}

fn case(fields: &Fields<'_>, name: Option<(&str, Span)>, fixtures: &[Entry], out: &mut Findings) -> Option<TestCase> {
    let mut problems = Findings::default();
    let used = fields.get("use").map(|field| used(field, fixtures, &mut problems)).unwrap_or_default();
    let (of_request, of_plan) = (fields.get("request"), fields.get("plan"));
    if let (Some(_), Some(plan)) = (of_request, of_plan) {
        out.push(
            Finding::error("misplaced-field", "a case asks about a request or about a plan")
                .at(plan.key_span)
                .label("beside `request`")
                .help("make two cases of it"),
        );
    }
    if let Some(own) = of_request {
        request::partial(own.node, &mut problems);
    }
    if let Some(own) = of_plan {
        own.entries(&mut problems).map(|_| plan::partial(own.node, &mut problems));
    }
    let broken = problems.has_errors();
    out.extend(problems);
    let now = fields.get("now").and_then(|field| time(field, out));
    let expect = fields.require("expect", out);
    let start = Node { span: fields.node().span, kind: Kind::Map(Vec::new()) };
    let parts = used.into_iter().chain(of_plan.or(of_request).map(|field| field.node));
    let whole = parts.fold(start, |whole, part| request::merge(&whole, part));
    let question = match of_plan {
        Some(_) => {
            let expect = expect.and_then(|field| plan_expectation::decode(field, out));
            let mut problems = Findings::default();
            let plan = plan::partial(&whole, &mut problems);
            // A fixture may hold what only a request has; what is wrong with the parts has been reported already.
            if !broken {
                out.extend(problems);
            }
            Question::Plan(Box::new(plan), expect?)
        }
        None => {
            let expect = expect.and_then(|field| expectation::decode(field, out));
            let request = request::partial(&whole, &mut Findings::default());
            if let Some((_, span)) = name.filter(|_| !broken) {
                request::check_complete(&request, span, out);
            }
            Question::Request(Box::new(request), expect?)
        }
    };
    let (name, span) = name?;
    Some(TestCase { name: name.into(), question, now, span })
}

/// The fixtures that a case starts from.
fn used<'n>(field: Field<'n>, fixtures: &'n [Entry], out: &mut Findings) -> Vec<&'n Node> {
    let names = match field.node.kind {
        Kind::List(_) => field.list("fixtures", out).unwrap_or_default(),
        _ => vec![field],
    };
    let mut used = Vec::with_capacity(names.len());
    for name in names {
        let Some(text) = name.string(out) else { continue };
        match fixtures.iter().find(|fixture| fixture.key == text) {
            Some(fixture) => used.push(&fixture.value),
            None => out.push(unknown_fixture(name, text, fixtures)),
        }
    }
    used
}

fn unknown_fixture(name: Field<'_>, text: &str, fixtures: &[Entry]) -> Finding {
    let known: Vec<&Text> = fixtures.iter().map(|fixture| &fixture.key).collect();
    let finding = Finding::error("unknown-fixture", format!("there is no fixture named `{text}`")).at(name.node.span);
    match did_you_mean(text, known.iter().map(|name| name.as_str())) {
        Some(known) => finding.label(format!("did you mean `{known}`?")),
        None => finding.help("define it under `fixtures`"),
    }
}

fn time(field: Field<'_>, out: &mut Findings) -> Option<Timestamp> {
    let text = field.string(out)?;
    let time = Timestamp::parse(text);
    if time.is_none() {
        out.push(
            Finding::error("bad-time", format!("`{text}` is not a point in time"))
                .at(field.node.span)
                .help("write RFC 3339, for example `2026-03-01T09:30:00Z`"),
        );
    }
    time
}
