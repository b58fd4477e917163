//! The question of a command line: a file, flags, or a file with flags laid over it.

use std::path::PathBuf;

use crate::cli::documents::CommandError;
use crate::cli::input::{self, check_range, is_beyond_range};
use crate::diag::{Findings, Sources};
use crate::model::{Attributes, Limits, Request, Text, Value};
use crate::policy;

/// Who would do what to what, under which circumstances.
#[derive(Debug, Default, clap::Args)]
#[group(id = "WhatArgs", multiple = true)]
pub struct WhatArgs {
    /// On whose behalf: `TYPE/ID`, or `ID` alone.
    #[arg(long, value_name = "TYPE/ID")]
    subject: Option<String>,
    /// A role that the subject holds; may be given several times.
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<String>,
    /// The person or service that the subject acts for.
    #[arg(long, value_name = "ID")]
    on_behalf_of: Option<String>,
    /// An attribute of the subject, as for `--context`.
    #[arg(long = "subject-property", value_name = "KEY=VALUE", value_parser = assignment)]
    subject_properties: Vec<Assignment>,
    /// The action.
    #[arg(long, value_name = "NAME")]
    action: Option<String>,
    /// An attribute of the action, as for `--context`.
    #[arg(long = "action-property", value_name = "KEY=VALUE", value_parser = assignment)]
    action_properties: Vec<Assignment>,
    /// What the action is done to: `TYPE/ID`; the id may hold further slashes.
    #[arg(long, value_name = "TYPE/ID")]
    resource: Option<String>,
    /// An attribute of the resource, as for `--context`.
    #[arg(long = "resource-property", value_name = "KEY=VALUE", value_parser = assignment)]
    resource_properties: Vec<Assignment>,
    /// A circumstance. Dots in the key nest (`params.amount=20`); the value is JSON if it can be read as JSON, else text.
    #[arg(long, value_name = "KEY=VALUE", value_parser = assignment)]
    context: Vec<Assignment>,
    /// All circumstances as one JSON object; `--context` adds to them.
    #[arg(long, value_name = "JSON", value_parser = json_object)]
    context_json: Option<Attributes>,
}

/// What is asked.
#[derive(Debug, Default, clap::Args)]
pub struct QuestionArgs {
    /// Read the question from this YAML or JSON file, `-` for standard input; flags replace its parts.
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    what: WhatArgs,
    /// The tenant [default: default].
    #[arg(long, value_name = "ID")]
    tenant: Option<String>,
    /// Decide with the resident snapshot of this digest.
    #[arg(long, value_name = "DIGEST")]
    pin: Option<String>,
    /// Show for each rule why it matched or not.
    #[arg(long)]
    explain: bool,
    /// Show the hash that binds an approval to this action.
    #[arg(long)]
    action_hash: bool,
    /// Id of the request, echoed.
    #[arg(long, value_name = "ID")]
    request_id: Option<String>,
    /// Correlates records across systems.
    #[arg(long, value_name = "ID")]
    correlation_id: Option<String>,
    /// Run that the action belongs to.
    #[arg(long, value_name = "ID")]
    run_id: Option<String>,
}

/// A dotted key and its value.
#[derive(Debug, Clone)]
pub struct Assignment {
    path: Vec<Text>,
    value: Value,
}

impl QuestionArgs {
    /// The question.
    ///
    /// # Errors
    /// A file that cannot be read or is no request, or a question without a subject or an action.
    pub fn read(&self) -> Result<Request, CommandError> {
        let mut request = match &self.file {
            Some(path) => read_file(path)?,
            None => Request::default(),
        };
        self.what.lay_over(&mut request)?;
        for (field, given) in [
            (&mut request.tenant_id, &self.tenant),
            (&mut request.snapshot, &self.pin),
            (&mut request.request_id, &self.request_id),
            (&mut request.correlation_id, &self.correlation_id),
            (&mut request.run_id, &self.run_id),
        ] {
            if let Some(text) = given {
                *field = Text::from(text);
            }
        }
        request.explain |= self.explain;
        request.want_action_hash |= self.action_hash;
        self.what.check(&request)?;
        Ok(request)
    }
}

impl WhatArgs {
    /// Puts what is given into the request.
    ///
    /// # Errors
    /// A flag that says nothing, or two that exclude each other.
    pub fn lay_over(&self, request: &mut Request) -> Result<(), CommandError> {
        if let Some(subject) = &self.subject {
            (request.subject.kind, request.subject.id) = kind_and_id("--subject", subject, Alone::Id)?;
        }
        if !self.roles.is_empty() {
            request.subject.roles = self.roles.iter().map(Text::from).collect();
        }
        if let Some(resource) = &self.resource {
            (request.resource.kind, request.resource.id) = kind_and_id("--resource", resource, Alone::Kind)?;
        }
        if let Some(context) = &self.context_json {
            request.context = context.clone();
        }
        for (field, given) in
            [(&mut request.subject.on_behalf_of, &self.on_behalf_of), (&mut request.action.name, &self.action)]
        {
            if let Some(text) = given {
                *field = Text::from(text);
            }
        }
        for (flag, map, given) in [
            ("--subject-property", &mut request.subject.properties, &self.subject_properties),
            ("--action-property", &mut request.action.properties, &self.action_properties),
            ("--resource-property", &mut request.resource.properties, &self.resource_properties),
            ("--context", &mut request.context, &self.context),
        ] {
            no_conflict(flag, given)?;
            for assignment in given {
                *map = assigned(map, &assignment.path, &assignment.value);
            }
        }
        Ok(())
    }

    /// That the request has a subject and an action.
    ///
    /// # Errors
    /// It has none.
    pub fn check(&self, request: &Request) -> Result<(), CommandError> {
        for (value, what, example) in [
            (&request.subject.id, "subject", "--subject agent/support-7"),
            (&request.action.name, "action", "--action payment.refund"),
        ] {
            if value.is_empty() {
                return Err(CommandError::environment(format!(
                    "the question has no {what}; give one with `{example}`, or read the question from a file with `-f`"
                )));
            }
        }
        Ok(())
    }
}

/// That no assignment of a command line replaces what another one sets.
fn no_conflict(flag: &str, given: &[Assignment]) -> Result<(), CommandError> {
    let dotted = |path: &[Text]| path.iter().map(Text::as_str).collect::<Vec<_>>().join(".");
    for (number, second) in given.iter().enumerate() {
        let earlier = given.iter().take(number);
        let clashes =
            |first: &&Assignment| first.path.starts_with(&second.path) || second.path.starts_with(&first.path);
        if let Some(first) = earlier.rev().find(clashes) {
            let (first, second) = (dotted(&first.path), dotted(&second.path));
            let conflict = if first == second {
                format!("`{flag} {first}=…` is given twice")
            } else {
                format!("`{flag} {first}=…` and `{flag} {second}=…` exclude each other: one lies within the other")
            };
            return Err(CommandError::environment(conflict));
        }
    }
    Ok(())
}

fn read_file(path: &std::path::Path) -> Result<Request, CommandError> {
    input::read(path, policy::read_request)
}

/// What a word without a slash is.
#[derive(Clone, Copy)]
enum Alone {
    Id,
    Kind,
}

fn kind_and_id(flag: &str, text: &str, alone: Alone) -> Result<(Text, Text), CommandError> {
    let empty =
        |what: &str| Err(CommandError::environment(format!("`{flag} {text}`: {what} is empty; write `TYPE/ID`")));
    match (text.split_once('/'), alone) {
        (Some(("", _)), _) => empty("the type before `/`"),
        (Some((_, "")), _) => empty("the id after `/`"),
        (Some((kind, id)), _) => Ok((kind.into(), id.into())),
        (None, Alone::Id) => Ok((Text::default(), text.into())),
        (None, Alone::Kind) => Ok((text.into(), Text::default())),
    }
}

/// `map` with `value` at `path`; whatever stands in the way is replaced.
fn assigned(map: &Attributes, path: &[Text], value: &Value) -> Attributes {
    let Some((first, rest)) = path.split_first() else { return map.clone() };
    let new = match (rest, map.get(first)) {
        ([], _) => value.clone(),
        (_, Some(Value::Map(inner))) => Value::Map(assigned(inner, rest, value)),
        _ => Value::Map(assigned(&Attributes::default(), rest, value)),
    };
    let mut entries: Vec<(Text, Value)> = map.iter().filter(|(key, _)| key != first).cloned().collect();
    entries.push((first.clone(), new));
    // The keys were unique, and the one that is added was left out before.
    Attributes::from_entries(entries).unwrap_or_default()
}

fn assignment(text: &str) -> Result<Assignment, String> {
    let (key, value) = text.split_once('=').ok_or("write `KEY=VALUE`, for example `amount=20`")?;
    if key.is_empty() || key.split('.').any(str::is_empty) {
        return Err(format!("`{key}` is not a key; write for example `amount=20` or `params.amount=20`"));
    }
    let most = Limits::default().attribute_depth;
    if key.split('.').count() > most {
        return Err(format!(
            "the key has more than {most} parts, and attributes may be nested at most {most} levels deep"
        ));
    }
    let value = match serde_json::from_str::<serde_json::Value>(value) {
        Ok(json) => Value::try_from(&json).map_err(|error| error.to_string())?,
        Err(error) if is_beyond_range(value, &error) => {
            return Err(format!(
                "`{value}` is or holds a number beyond the range of a double; quote it to make it text"
            ));
        }
        Err(_) => Value::String(value.into()),
    };
    Ok(Assignment { path: key.split('.').map(Text::from).collect(), value })
}

fn json_object(text: &str) -> Result<Attributes, String> {
    check_range(text)?;
    let mut sources = Sources::default();
    let mut findings = Findings::default();
    let source = sources.add("--context-json", text);
    let nodes = crate::yaml::parse(source, text, &mut findings);
    let map = match nodes.as_slice() {
        [only] if matches!(only.kind, crate::yaml::Kind::Map(_)) => crate::yaml::attributes(only, &mut findings),
        _ => None,
    };
    match (findings.iter().next(), map) {
        (None, Some(map)) => Ok(map),
        (Some(finding), _) => Err(finding.message.clone()),
        (None, None) => Err("it is not a JSON object".into()),
    }
}
