//! Running test cases: each is decided in process and compared with what it expects.

use std::collections::BTreeSet;

use crate::diag::Span;
use crate::model::{Decision, Limits, Text, Timestamp};
use crate::policy::{Expectation, Question, TestCase, Tests};
use crate::snapshot::Snapshot;
use crate::{decide, ir, model};

use super::plans;

/// What came of all cases.
#[derive(Debug, Clone)]
pub struct Report {
    /// The documents, in order.
    pub suites: Vec<Suite>,
    /// Which rules took part in a decision of a case.
    pub coverage: Coverage,
}

impl Report {
    /// All cases.
    pub fn cases(&self) -> impl Iterator<Item = &CaseReport> {
        self.suites.iter().flat_map(|suite| &suite.cases)
    }

    /// Number of cases whose answer is not the expected one.
    pub fn failed(&self) -> usize {
        self.cases().filter(|case| !case.mismatches.is_empty()).count()
    }
}

/// The cases of one document.
#[derive(Debug, Clone)]
pub struct Suite {
    /// Name of the document.
    pub name: Text,
    /// Its cases.
    pub cases: Vec<CaseReport>,
}

/// What came of one case.
#[derive(Debug, Clone)]
pub struct CaseReport {
    /// Its name.
    pub name: Text,
    /// Where it is written.
    pub span: Span,
    /// What the answer was, in a few words.
    pub answer: String,
    /// What is not as expected; empty if the case passed.
    pub mismatches: Vec<Mismatch>,
}

/// One field that is not as expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// The key of `expect`.
    pub field: &'static str,
    /// What it says.
    pub expected: String,
    /// What the answer says.
    pub actual: String,
}

/// Which rules took part in an answer: of the enabled rules of policies those that decided it, warned or obliged to audit;
/// of the rules of risk policies those that gave a tier, or objected to a plan or a flow.
#[derive(Debug, Clone, Default)]
pub struct Coverage {
    /// `policy/rule` of those that did.
    pub hit: Vec<String>,
    /// `policy/rule` of those that did not.
    pub missed: Vec<String>,
}

impl Coverage {
    /// Percentage of rules that took part; 100 where there are none.
    pub fn percent(&self) -> f64 {
        let all = self.hit.len() + self.missed.len();
        if all == 0 { 100.0 } else { 100.0 * self.hit.len() as f64 / all as f64 }
    }
}

/// Runs every case of `tests` against `snapshot`. A case without a time of its own is decided at `now`.
pub fn run(snapshot: &Snapshot, tests: &[Tests], now: Timestamp) -> Report {
    let limits = Limits::default();
    let mut hit = BTreeSet::new();
    let plan_rules = plans::rules(snapshot.governance());
    let mut plan_rules_hit = BTreeSet::new();
    let suites = tests
        .iter()
        .map(|suite| Suite {
            name: suite.name.clone(),
            cases: suite
                .cases
                .iter()
                .map(|case| match &case.question {
                    Question::Request(request, expect) => {
                        let decision = decide::evaluate(Some(snapshot), request, case.now.unwrap_or(now), &limits);
                        let took_part = decision.agreeing.iter().chain(&decision.warned).chain(&decision.audited);
                        hit.extend(decision.matched.iter().chain(took_part).copied());
                        report(case, expect, &decision)
                    }
                    Question::Plan(plan, expect) => {
                        let validation = ir::validate(Some(snapshot), plan, case.now.unwrap_or(now), &limits);
                        hit.extend(validation.steps.iter().filter_map(|step| step.matched));
                        let took_part = plans::taking_part(&validation, &plan_rules);
                        let mismatches = plans::compare(expect, &validation, &took_part);
                        plan_rules_hit.extend(took_part);
                        let answer = plans::answer(&validation);
                        CaseReport { name: case.name.clone(), span: case.span, answer, mismatches }
                    }
                })
                .collect(),
        })
        .collect();
    let mut coverage = Coverage::default();
    for (number, label) in (0u32..).zip(&snapshot.label().rules) {
        let list = if hit.contains(&number) { &mut coverage.hit } else { &mut coverage.missed };
        list.push(rule_id(label));
    }
    for rule in plan_rules {
        let list = if plan_rules_hit.contains(&rule) { &mut coverage.hit } else { &mut coverage.missed };
        list.push(rule);
    }
    Report { suites, coverage }
}

fn rule_id(label: &model::RuleLabel) -> String {
    format!("{}/{}", label.policy, label.rule)
}

fn report(case: &TestCase, expect: &Expectation, decision: &Decision) -> CaseReport {
    let rule = decision.matched_rule().map(rule_id).unwrap_or_default();
    let answer = if rule.is_empty() {
        format!("{} ({})", decision.effect.as_str(), decision.reason_code.as_str())
    } else {
        format!("{} by {rule}", decision.effect.as_str())
    };
    CaseReport { name: case.name.clone(), span: case.span, answer, mismatches: compare(expect, decision, &rule) }
}

fn compare(expect: &Expectation, decision: &Decision, rule: &str) -> Vec<Mismatch> {
    let mut mismatches = Vec::new();
    let mut check = |field, expected: Option<String>, actual: String| {
        if let Some(expected) = expected.filter(|expected| *expected != actual) {
            mismatches.push(Mismatch { field, expected, actual });
        }
    };
    let or_none = |text: &str| if text.is_empty() { "none".to_owned() } else { text.to_owned() };
    let level = |level: Option<u8>| level.map_or_else(|| "none".to_owned(), |level| level.to_string());
    check("allowed", expect.allowed.map(|allowed| allowed.to_string()), decision.allowed().to_string());
    check("decision", expect.decision.map(|outcome| outcome.as_str().to_owned()), decision.outcome.as_str().to_owned());
    check("effect", expect.effect.map(|effect| effect.as_str().to_owned()), decision.effect.as_str().to_owned());
    check("rule", expect.rule.as_deref().map(or_none), or_none(rule));
    check(
        "reasonCode",
        expect.reason_code.map(|code| code.as_str().to_owned()),
        decision.reason_code.as_str().to_owned(),
    );
    check("requiredLevel", expect.required_level.map(|wanted| level(Some(wanted))), level(decision.required_level()));
    check("requiresAudit", expect.requires_audit.map(|audit| audit.to_string()), decision.requires_audit().to_string());
    let warnings = decision.warnings().map(|warning| format!("{}/{}", warning.policy, warning.rule));
    check(
        "warnings",
        expect.warnings.as_deref().map(|wanted| set(wanted.iter().map(ToString::to_string))),
        set(warnings),
    );
    let obligations =
        decision.obliging_rules().flat_map(|label| label.obligations.iter().map(|one| one.id.to_string()));
    let wanted = expect.obligations.as_deref().map(|wanted| set(wanted.iter().map(ToString::to_string)));
    check("obligations", wanted, set(obligations));
    mismatches
}

/// A list whose order does not count, as text.
pub(super) fn set(items: impl Iterator<Item = String>) -> String {
    let mut items: Vec<String> = items.collect();
    items.sort_unstable();
    format!("[{}]", items.join(", "))
}
