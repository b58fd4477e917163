//! Policies and questions to measure deciding with: rules that differ in one dimension, one of which matches, and the
//! worst cases.

use std::sync::Arc;

use lictor::condition::{self, Condition, ConditionSource};
use lictor::diag::{Sources, Span};
use lictor::model::{Action, Attributes, Effect, Layer, Request, Resource, Subject, Timestamp, Value};
use lictor::policy::{DocumentSet, Pattern, Policy, Rule, Target};
use lictor::snapshot::Snapshot;

/// When everything is decided.
pub const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

/// The condition of rules that differ in something else: four terms, all true of [`request`].
const WHEN: &str = "has(context.amount) && context.amount <= 50.0 && context.region == 'eu' && subject.type == 'agent'";

/// What the rules of a policy are like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Each has its own action.
    Action,
    /// Each has its own role.
    Role,
    /// Each has its own prefix of resource ids, as a glob.
    ResourcePrefix,
    /// Each is in a policy of its own with its own tenant.
    Tenant,
    /// All have the same patterns; the condition of each demands its own value of one attribute.
    Value,
    /// Each has its own glob with literal ends in common with the others and a star between.
    Glob,
    /// All match without a condition; the first decides.
    AllMatch,
    /// All are warnings whose conditions hold, so that each must be evaluated and counts.
    AllWarn,
    /// All need an attribute that the question lacks, so that each fails.
    AllFail,
}

impl Shape {
    /// Those in which the cost must not grow with the number of rules.
    pub const FLAT: [Self; 5] = [Self::Action, Self::Role, Self::ResourcePrefix, Self::Tenant, Self::Value];

    /// Those in which every rule must be looked at.
    pub const LINEAR: [Self; 4] = [Self::Glob, Self::AllMatch, Self::AllWarn, Self::AllFail];

    /// The name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Action => "action",
            Self::Role => "role",
            Self::ResourcePrefix => "resource-prefix",
            Self::Tenant => "tenant",
            Self::Value => "value",
            Self::Glob => "glob",
            Self::AllMatch => "all-match",
            Self::AllWarn => "all-warn",
            Self::AllFail => "all-fail",
        }
    }
}

/// A snapshot of `rules` rules.
pub fn snapshot(shape: Shape, rules: usize) -> Snapshot {
    let shared = compiled(WHEN);
    let mut policies = vec![policy("p", None)];
    for n in 0..rules {
        let mut target = Target::default();
        let mut effect = Effect::Allow;
        let mut condition = Some(shared.clone());
        match shape {
            Shape::Action => target.actions = patterns(&format!("act.n{n}")),
            Shape::Role => target.roles = patterns(&format!("role-{n}")),
            Shape::ResourcePrefix => target.resource_ids = patterns(&format!("eu/{n}/**")),
            Shape::Tenant => {
                target.actions = patterns("act");
                policies.push(policy(&format!("p{n}"), patterns(&format!("t{n}"))));
            }
            Shape::Value => {
                target.actions = patterns("act");
                let when = format!(
                    "context.account == 'account-{n}' && context.amount <= 50.0 && context.region == 'eu' && subject.type == 'agent'"
                );
                condition = Some(compiled(&when));
            }
            Shape::Glob => target.resource_ids = patterns(&format!("eu/*-{n}-*/1/**")),
            Shape::AllMatch => condition = None,
            Shape::AllWarn => effect = Effect::Warn,
            Shape::AllFail => condition = Some(compiled("context.absent == 1.0 && context.region == 'eu'")),
        }
        let rule = Rule {
            name: format!("r{n:05}").into(),
            effect,
            enabled: true,
            priority: 0,
            target,
            condition,
            reason: "within what the contract allows".into(),
            obligations: Box::default(),
            required_level: None,
            span: span(),
        };
        if let Some(policy) = policies.last_mut() {
            policy.rules.push(rule);
        }
    }
    Snapshot::build(&DocumentSet { policies, ..DocumentSet::default() }, 1)
}

/// A question that the rule `n` of `shape` matches.
pub fn request(shape: Shape, n: usize) -> Request {
    let text = |text: &str| Value::String(text.into());
    let context = vec![
        ("channel".into(), text("chat")),
        ("account".into(), Value::String(format!("account-{n}").into())),
        ("amount".into(), Value::Number(20.0)),
        ("region".into(), text("eu")),
    ];
    let mut request = Request {
        subject: Subject {
            kind: "agent".into(),
            id: "agent-7".into(),
            roles: vec!["support".into()],
            ..Subject::default()
        },
        action: Action { name: "act".into(), ..Action::default() },
        resource: Resource { kind: "order".into(), id: "eu/1/2".into(), ..Resource::default() },
        context: Attributes::from_entries(context).expect("unique keys"),
        ..Request::default()
    };
    match shape {
        Shape::Action => request.action.name = format!("act.n{n}").into(),
        Shape::Role => request.subject.roles.push(format!("role-{n}").into()),
        Shape::ResourcePrefix => request.resource.id = format!("eu/{n}/4711").into(),
        Shape::Tenant => request.tenant_id = format!("t{n}").into(),
        Shape::Glob => request.resource.id = format!("eu/x-{n}-x/1/4711").into(),
        Shape::Value | Shape::AllMatch | Shape::AllWarn | Shape::AllFail => {}
    }
    request
}

fn policy(name: &str, tenants: Option<Box<[Pattern]>>) -> Policy {
    Policy { name: name.into(), layer: Layer::Organisation, tenants, enabled: true, rules: Vec::new(), span: span() }
}

fn span() -> Span {
    Span::new(Sources::default().add("workload", ""), 0, 0)
}

fn patterns(text: &str) -> Option<Box<[Pattern]>> {
    Some([Pattern::parse(text).expect("a pattern")].into())
}

fn compiled(when: &str) -> Arc<Condition> {
    let (condition, problems) = condition::compile(&ConditionSource { when: Some(when), list: &[] }, Effect::Allow);
    Arc::new(condition.unwrap_or_else(|| panic!("{problems:?}")))
}
