//! Parts of a condition that are an error for every request, such as `timestamp("2026-13-01")`. They are lints and no
//! errors, because a neighbour in `&&` or `||` may hide them.

use crate::diag::did_you_mean;
use crate::model::Effect;

use super::ast::{Ast, Kind, NodeId};
use super::checker::{Checked, NodeMeaning};
use super::error::{BadArgument, ConditionError};
use super::functions::Function;
use super::lower::Lowering;
use super::source::{Place, Problem};
use super::strings::quote;
use super::time;
use super::value::{Const, TypeName};

/// Longest excerpt in a message, in characters.
const MAX_EXCERPT: usize = 60;

/// A node that always ends in the same error by itself.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    pub(super) node: NodeId,
    pub(super) error: ConditionError,
}

/// Whether `function` reads a field of the calendar, for which it may take a time zone.
pub(super) fn takes_zone(function: Function) -> bool {
    matches!(
        function,
        Function::FullYear
            | Function::Month
            | Function::Date
            | Function::DayOfMonth
            | Function::DayOfWeek
            | Function::DayOfYear
            | Function::Hours
            | Function::Minutes
            | Function::Seconds
            | Function::Milliseconds
    )
}

/// Reports every failure. `alone`: whether no list stands beside the text, so that what fails in the whole text always
/// is the outcome.
pub(super) fn report(lowering: &Lowering<'_>, text: &str, alone: bool, effect: Effect, problems: &mut Vec<Problem>) {
    let label = match (alone && lowering.always_fails(lowering.ast.root()), effect) {
        (false, _) => "an error wherever it is evaluated",
        (true, Effect::Deny) => "this condition is an error for every request, and the deny rule then denies them all",
        (true, _) => "this condition is an error for every request",
    };
    for failure in lowering.failures() {
        let range = lowering.ast.range(failure.node);
        let message = format!("{} always fails: {}", excerpt(text, range.clone()), reason(lowering, failure));
        let range = zone_argument(lowering.ast, failure).map_or(range, |zone| lowering.ast.range(zone));
        let mut problem = Problem::lint("always-fails", Place::When(range), message).label(label);
        if let Some(help) = help(lowering, failure) {
            problem = problem.help(help);
        }
        problems.push(problem);
    }
}

/// The text of a node, or what stands for one that is too long to show.
fn excerpt(text: &str, range: std::ops::Range<usize>) -> String {
    match text.get(range) {
        Some(part) if part.chars().count() <= MAX_EXCERPT && !part.contains(['\n', '\r']) => format!("`{part}`"),
        _ => "this".to_owned(),
    }
}

fn reason(lowering: &Lowering<'_>, failure: &Failure) -> String {
    match &failure.error {
        ConditionError::BadConversion(TypeName::Timestamp) => "not an RFC 3339 time".to_owned(),
        ConditionError::BadConversion(TypeName::Duration) => "not a duration".to_owned(),
        ConditionError::BadConversion(ty) => match argument(lowering, failure) {
            Some(text) => {
                format!("{} does not spell {} {ty}", quote(text), if *ty == TypeName::Int { "an" } else { "a" })
            }
            None => failure.error.to_string(),
        },
        ConditionError::InvalidArgument(BadArgument::TimeZone) => match zone(lowering, failure) {
            Some(zone) => format!("unknown time zone `{zone}`"),
            None => failure.error.to_string(),
        },
        error => error.to_string(),
    }
}

fn help(lowering: &Lowering<'_>, failure: &Failure) -> Option<String> {
    match &failure.error {
        ConditionError::BadConversion(TypeName::Timestamp) => Some(time_help(argument(lowering, failure)?)),
        ConditionError::BadConversion(TypeName::Duration) => Some(duration_help(argument(lowering, failure)?)),
        ConditionError::BadConversion(TypeName::Bool) => Some("write `true` or `false`".to_owned()),
        ConditionError::BadConversion(TypeName::Int | TypeName::Uint) => {
            let text = argument(lowering, failure)?;
            text.parse::<f64>().ok().map(|_| format!("convert it to a double first: `double({})`", quote(text)))
        }
        ConditionError::InvalidArgument(BadArgument::TimeZone) => Some(zone_help(zone(lowering, failure)?)),
        _ => None,
    }
}

/// The text that a conversion takes.
fn argument<'l>(lowering: &'l Lowering<'_>, failure: &Failure) -> Option<&'l str> {
    match lowering.ast.kind(failure.node) {
        Kind::Call { receiver: None, arguments, .. } => text_of(lowering, *arguments.first()?),
        _ => None,
    }
}

fn text_of<'l>(lowering: &'l Lowering<'_>, id: NodeId) -> Option<&'l str> {
    match lowering.constant(id)? {
        Const::Str(text) => Some(text),
        _ => None,
    }
}

/// The argument that names a time zone, where that is what is wrong.
fn zone_argument(ast: &Ast, failure: &Failure) -> Option<NodeId> {
    match (ast.kind(failure.node), &failure.error) {
        (Kind::Call { arguments, .. }, ConditionError::InvalidArgument(BadArgument::TimeZone)) => {
            arguments.first().copied()
        }
        _ => None,
    }
}

fn zone<'l>(lowering: &'l Lowering<'_>, failure: &Failure) -> Option<&'l str> {
    text_of(lowering, zone_argument(lowering.ast, failure)?)
}

/// The constant time zone of a call, if there is no such zone. The time itself may be any.
pub(super) fn unknown_zone(lowering: &Lowering<'_>, checked: &Checked, id: NodeId) -> Option<ConditionError> {
    let (NodeMeaning::Call(function), Kind::Call { receiver: Some(_), arguments, .. }) =
        (checked.meaning(id), lowering.ast.kind(id))
    else {
        return None;
    };
    let zone = text_of(lowering, *arguments.first().filter(|_| takes_zone(function))?)?;
    (!time::is_zone(zone)).then_some(ConditionError::InvalidArgument(BadArgument::TimeZone))
}

fn zone_help(zone: &str) -> String {
    let names: Vec<String> = jiff::tz::db().available().map(|name| name.as_str().to_owned()).collect();
    match did_you_mean(zone, names.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`? Write an IANA name or an offset such as `+02:00`"),
        None => "write an IANA name such as `Europe/Berlin`, or an offset such as `+02:00`".to_owned(),
    }
}

fn time_help(text: &str) -> String {
    let joined = text.trim().replacen([' ', 't'], "T", 1);
    let near = ["", "Z", ":00Z", "T00:00:00Z"]
        .iter()
        .map(|end| format!("{joined}{end}"))
        .find(|near| time::Instant::parse(near).is_ok());
    match near {
        Some(near) => format!("write `{near}`"),
        None => "a time is written like `2026-01-31T23:59:59Z` or `2026-01-31T23:59:59+02:00`".to_owned(),
    }
}

fn duration_help(text: &str) -> String {
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let (factor, unit) = match unit.trim().to_ascii_lowercase().as_str() {
        "w" | "week" | "weeks" => (7 * 24, "h"),
        "d" | "day" | "days" => (24, "h"),
        "h" | "hr" | "hrs" | "hour" | "hours" => (1, "h"),
        "m" | "min" | "mins" | "minute" | "minutes" => (1, "m"),
        "" | "s" | "sec" | "secs" | "second" | "seconds" => (1, "s"),
        _ => (0, ""),
    };
    let near = number.parse::<i64>().ok().and_then(|number| number.checked_mul(factor)).map(|n| format!("{n}{unit}"));
    match near.filter(|near| time::Span::parse(near).is_ok()) {
        Some(near) => format!("write `{near}`; the units are `h`, `m`, `s`, `ms`, `us` and `ns`"),
        None => "write numbers with a unit of `h`, `m`, `s`, `ms`, `us` or `ns`, such as `1h30m`".to_owned(),
    }
}
