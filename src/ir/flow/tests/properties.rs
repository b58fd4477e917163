//! What holds of every plan.

use proptest::prelude::*;
use proptest::sample::subsequence;

use crate::model::{Attributes, Input, Observation, Ordering, Origin, Plan, Step, Text, Value};

use super::{findings, summary};

const ACTIONS: [&str; 9] = [
    "mail.search",
    "wiki.read",
    "chat.read",
    "contacts.list",
    "text.sum",
    "files.create",
    "bank.transfer",
    "mail.send",
    "unheard.of",
];
const WORDS: [&str; 9] =
    ["anna", "bob@x.com", "1,000.50", "1000.5", "2024-05-15", "may 15", "true", "", "evil@y.com, anna"];
const PATHS: [&str; 12] =
    ["", "/recipient", "/amount", "/date", "/to", "/to/0", "/to/1/x", "/body", "/title", "nonsense", "/~2", "/*"];
const OUTPUT_PATHS: [&str; 8] = ["", "/0/id", "/0/body", "/anna", "/anna/note", "/id", "x", "/0/sender"];

fn word() -> impl Strategy<Value = Text> {
    prop_oneof![8 => prop::sample::select(&WORDS[..]).prop_map(Text::from), 1 => ".{0,6}".prop_map(Text::from)]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        4 => word().prop_map(Value::String),
        1 => Just(Value::Number(1000.5)),
        1 => any::<bool>().prop_map(Value::Bool),
        1 => Just(Value::Null),
    ];
    leaf.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(|items| Value::List(items.into())),
            map_of(inner, &["id", "sender", "body", "anna", "note"]).prop_map(Value::Map),
        ]
    })
}

fn map_of(value: impl Strategy<Value = Value>, keys: &'static [&'static str]) -> impl Strategy<Value = Attributes> {
    (subsequence(keys, 0..=keys.len()), prop::collection::vec(value, keys.len())).prop_map(|(keys, values)| {
        let entries = keys.into_iter().map(Text::from).zip(values).collect();
        Attributes::from_entries(entries).expect("different keys")
    })
}

fn id() -> impl Strategy<Value = Text> {
    (0..7_u8).prop_map(|number| format!("s{number}").into())
}

fn origin() -> impl Strategy<Value = Origin> {
    prop_oneof![
        word().prop_map(|quote| Origin::User { quote }),
        Just(Origin::Constant),
        (id(), prop::sample::select(&OUTPUT_PATHS[..]))
            .prop_map(|(step_id, path)| Origin::Step { step_id, output_path: path.into() }),
    ]
}

fn input() -> impl Strategy<Value = Input> {
    (prop::sample::select(&PATHS[..]), origin()).prop_map(|(path, origin)| Input { path: path.into(), origin })
}

fn step() -> impl Strategy<Value = Step> {
    let params = map_of(value(), &["recipient", "amount", "date", "to", "body", "title"]);
    let inputs = prop::collection::vec(input(), 0..4);
    (prop::sample::select(&ACTIONS[..]), params, inputs, prop::collection::vec(id(), 0..3)).prop_map(
        |(action, params, inputs, depends_on)| Step {
            action: action.into(),
            params,
            inputs,
            depends_on,
            ..Step::default()
        },
    )
}

/// Plans of up to six steps, with ids of their own; a DAG may have cycles.
fn any_plan(observed: usize) -> impl Strategy<Value = Plan> {
    let steps = prop::collection::vec(step(), 0..7);
    let observations = prop::collection::vec((id(), value()), 0..=observed);
    let said = prop::collection::vec(prop::collection::vec(word(), 0..4), 0..3);
    (steps, any::<bool>(), observations, said).prop_map(|(mut steps, dag, observations, said)| {
        for (number, step) in steps.iter_mut().enumerate() {
            step.step_id = format!("s{number}").into();
        }
        Plan {
            steps,
            ordering: if dag { Ordering::Dag } else { Ordering::Sequential },
            observations: observations.into_iter().map(|(step_id, output)| Observation { step_id, output }).collect(),
            user_messages: said.into_iter().map(|words| words.join(" ").into()).collect(),
            ..Plan::default()
        }
    })
}

fn violated(plan: &Plan) -> Vec<String> {
    summary(&findings(plan).violations)
}

/// The steps and rules that are violated, without the first argument that shows it.
fn rules_violated(plan: &Plan) -> Vec<(String, String)> {
    let sinks = |line: &String| {
        let (place, rule) = line.split_once(' ').expect("a place and a rule");
        let (step, _) = place.split_once('/').unwrap_or((place, ""));
        (step.to_owned(), rule.to_owned())
    };
    let mut rules: Vec<_> = violated(plan).iter().map(sinks).collect();
    rules.sort();
    rules.dedup();
    rules
}

proptest! {
    #[test]
    fn a_way_leads_from_a_source_to_the_sink(plan in any_plan(3)) {
        for violation in findings(&plan).violations {
            let (first, last) = (violation.flow.first().expect("a source"), violation.flow.last().expect("a sink"));
            prop_assert!(violation.flow.len() >= 2);
            prop_assert_eq!(&last.step_id, &violation.step_id);
            prop_assert!(violation.path.ends_with(last.path.as_str()));
            let source = plan.steps.iter().find(|step| step.step_id == first.step_id).expect("a step of the plan");
            prop_assert!(["mail.search", "chat.read", "contacts.list", "wiki.read"].contains(&source.action.as_str()), "{:?}", violation);
            prop_assert!(!violation.help.is_empty());
        }
    }

    #[test]
    fn one_more_origin_of_an_argument_with_one_removes_nothing(plan in any_plan(0), more in origin(), at in any::<prop::sample::Index>()) {
        let mut wider = plan.clone();
        let inputs: Vec<(usize, Text)> = plan
            .steps
            .iter()
            .enumerate()
            .flat_map(|(number, step)| step.inputs.iter().map(move |input| (number, input.path.clone())))
            .collect();
        prop_assume!(!inputs.is_empty());
        let (number, path) = at.get(&inputs).clone();
        // A second origin that is a step's lets the value be made of several, so that words between quotes are no doubt.
        prop_assume!(!matches!(more, Origin::Step { .. }));
        wider.steps[number].inputs.push(Input { path, origin: more });
        let (before, after) = (rules_violated(&plan), rules_violated(&wider));
        prop_assert!(before.iter().all(|violation| after.contains(violation)), "{:?} {:?}", before, after);
    }

    #[test]
    fn saying_less_removes_nothing(plan in any_plan(3)) {
        let mut less = plan.clone();
        less.user_messages.clear();
        let (before, after) = (rules_violated(&plan), rules_violated(&less));
        prop_assert!(before.iter().all(|violation| after.contains(violation)), "{:?} {:?}", before, after);
    }

    #[test]
    fn claiming_nothing_removes_nothing(plan in any_plan(0)) {
        let mut less = plan.clone();
        less.steps.iter_mut().for_each(|step| step.inputs.clear());
        // What is bound and has no value yet is no argument without its input.
        prop_assume!(!plan.steps.iter().flat_map(|step| &step.inputs).any(|input| matches!(input.origin, Origin::Step { .. })));
        let (before, after) = (rules_violated(&plan), rules_violated(&less));
        prop_assert!(before.iter().all(|violation| after.contains(violation)), "{:?} {:?}", before, after);
    }

    #[test]
    fn the_list_of_a_dag_has_no_order(plan in any_plan(3), seed in any::<u64>()) {
        let mut plan = plan;
        plan.ordering = Ordering::Dag;
        let mut shuffled = plan.clone();
        let count = shuffled.steps.len().max(1);
        shuffled.steps.rotate_left(usize::try_from(seed % 7).expect("small") % count);
        shuffled.steps[..count.min(plan.steps.len())].reverse();
        prop_assert_eq!(violated(&plan), violated(&shuffled));
        let ways = |plan: &Plan| {
            let mut ways: Vec<_> = findings(plan).violations.into_iter().map(|v| (v.step_id, v.message, v.flow.len())).collect();
            ways.sort();
            ways
        };
        prop_assert_eq!(ways(&plan), ways(&shuffled));
    }
}
