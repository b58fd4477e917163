//! One action of a catalogue.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::diag::{Finding, Findings, Span, did_you_mean};
use crate::model::{Layer, Limits, Text, has_forbidden_character};
use crate::policy::decode::{Context, Name, OneLine, json_of, name};
use crate::policy::{BAD_PATTERN, BadSchema, BadSchemaKind, CatalogAction, LabelledPath, ParamsSchema, PathPattern};
use crate::yaml::{Elsewhere, Entry, Field, Kind, Node, spec};

use super::action_catalog::unique;
use super::{schema_keywords, schema_paths};

spec! {
    /// One action that a plan may name.
    pub(crate) struct CatalogActionSpec {
        /// As steps name it.
        name: OneLine,
        /// What it is for.
        description: Option<String>,
        /// How risky it is by itself: 0 reads, 1 low, 2 medium, 3 high.
        #[schemars(range(min = 0, max = 3))]
        tier: u8,
        /// Type of the resource that it is done to, as the rules of policies name it in `resources.types`.
        resourceType: Option<OneLine>,
        /// The providers that serve it, of those of the catalogue; all of them if not given.
        #[schemars(length(min = 1))]
        providers: Option<Vec<OneLine>>,
        /// What its output carries as a whole, for example `reads_untrusted`, and what it is, for example `side_effect`.
        labels: Option<Vec<Name>>,
        /// Fields of its output that may be selected whole, by JSON Pointer, with the labels that each carries instead.
        /// `*` stands for any index or key.
        outputs: Option<BTreeMap<String, LabelsSpec>>,
        /// Parameters, by name or JSON Pointer, with what each decides. A label covers everything below.
        parameters: Option<BTreeMap<String, LabelsSpec>>,
        /// JSON Pointers to the lists whose length is how many things the action changes at once.
        countPaths: Option<Vec<OneLine>>,
        /// Whether the lists at `countPaths` count together, as recipients of a mail do; otherwise the longest one counts.
        countTogether: Option<bool>,
        /// JSON Schema of the parameters. References stay within it.
        paramsSchema: Option<serde_json::Map<String, serde_json::Value>>,
    }
}

spec! {
    /// What a field or parameter carries.
    pub(crate) struct LabelsSpec {
        /// The labels; none is a statement too.
        labels: Vec<Name>,
    }
}

/// What authors put into an action instead of where it belongs.
const ELSEWHERE: &[Elsewhere] = &[("a RiskPolicy", &["scopes", "flows", "tiers", "approvalTier", "bulk"])];

/// Reads an action of a catalogue with these `providers`. `None` where it cannot be used.
pub(super) fn decode(
    entry: Field<'_>,
    providers: &[(&str, Span)],
    context: Context<'_>,
    out: &mut Findings,
) -> Option<CatalogAction> {
    let fields = entry.fields_hinting("an action", CatalogActionSpec::FIELDS, ELSEWHERE, out)?;
    let name_field = fields.require("name", out);
    let name = name_field.and_then(|field| action_name(field, context, out));
    if let Some(description) = fields.get("description") {
        description.string(out);
    }
    let tier = fields.require("tier", out).and_then(|field| tier(field, out));
    let resource_type = fields.get("resourceType").and_then(|field| resource_type(field, out));
    let served = fields.get("providers").map(|field| serving(field, providers, out));
    let labels = fields.get("labels").map(|field| labels(field, out)).unwrap_or_default();
    let outputs = fields.get("outputs").map(|field| labelled(field, out)).unwrap_or_default();
    let parameters = fields.get("parameters").map(|field| labelled(field, out)).unwrap_or_default();
    let count_paths = fields.get("countPaths").map(|field| {
        let paths = unique(field, "JSON Pointers", out);
        paths.into_iter().filter_map(|(text, span)| path(text, span, out)).collect()
    });
    let count_together = fields.get("countTogether").and_then(|field| field.boolean(out)).unwrap_or_default();
    let schema = fields.get("paramsSchema").and_then(|field| schema(field, name.unwrap_or_default(), out));
    if let Some((json, _)) = &schema {
        for field in ["parameters", "countPaths"].into_iter().filter_map(|name| fields.get(name)) {
            schema_paths::unreachable(field.node, json, name.unwrap_or_default(), out);
        }
    }
    Some(CatalogAction {
        name: name?.into(),
        tier: tier?,
        resource_type,
        each: Vec::new(),
        providers: served,
        labels,
        outputs,
        parameters,
        count_paths: count_paths.unwrap_or_default(),
        count_together,
        params_schema: schema.as_ref().map(|(json, _)| json.clone()),
        params_check: schema.map(|(_, check)| check),
        span: name_field.map_or_else(|| fields.node().head(), |field| field.node.span),
    })
}

/// A tier.
pub(super) fn tier(field: Field<'_>, out: &mut Findings) -> Option<u8> {
    field.integer(0..=3, out).and_then(|tier| u8::try_from(tier).ok())
}

fn resource_type(field: Field<'_>, out: &mut Findings) -> Option<Text> {
    let text = field.string(out)?;
    let longest = Limits::default().id_bytes;
    let problem = if text.is_empty() {
        "is empty".to_owned()
    } else if text.contains(|c: char| c.is_whitespace() || matches!(c, '*' | ':' | '/')) {
        format!("`{text}` is no plain type: it holds a blank, `*`, `:` or `/`")
    } else if has_forbidden_character(text) {
        "holds a control, text-direction or invisible character".to_owned()
    } else if text.len() > longest {
        format!("has more than {longest} bytes, and no resource has such a type")
    } else {
        return Some(text.into());
    };
    let finding = Finding::error("bad-value", format!("`resourceType` {problem}")).at(field.node.span);
    out.push(finding.help("write the type of a resource, which `resources.types` of rules match, for example `file`"));
    None
}

fn action_name<'n>(field: Field<'n>, context: Context<'_>, out: &mut Findings) -> Option<&'n str> {
    let text = field.string(out)?;
    let longest = Limits::default().name_bytes;
    let (problem, help) = if text.trim().is_empty() {
        ("the name of an action must not be empty".to_owned(), "write the name that steps use")
    } else if text.trim() != text {
        (format!("`{text}` starts or ends with a blank, which no step may"), "remove the blank")
    } else if has_forbidden_character(text) {
        ("the name holds a control, text-direction or invisible character".to_owned(), "remove it: no step may name it")
    } else if text.len() > longest {
        (format!("the name has more than {longest} bytes"), "no step may name it; choose a shorter one")
    } else if context.layer != Layer::System && (text == "lictor" || text.starts_with("lictor.")) {
        let finding =
            Finding::error("reserved-action", "actions that start with `lictor.` belong to the administration");
        out.push(finding.at(field.node.span).help("choose another name for your action"));
        return None;
    } else {
        return Some(text);
    };
    out.push(Finding::error("bad-value", problem).at(field.node.span).help(help));
    None
}

/// The providers of an action, each of which must be one of the catalogue's.
fn serving(field: Field<'_>, providers: &[(&str, Span)], out: &mut Findings) -> Vec<Text> {
    let served = unique(field, "providers", out);
    if served.is_empty() && matches!(&field.node.kind, Kind::List(items) if items.is_empty()) {
        out.push(
            Finding::error("empty-list", "`providers` is empty, so nothing would serve the action")
                .at(field.node.span)
                .help("leave the list out if every provider of the catalogue serves it"),
        );
    }
    for (name, span) in &served {
        if providers.iter().any(|(known, _)| known == name) {
            continue;
        }
        let finding = Finding::error("unknown-provider", format!("the catalogue has no provider `{name}`")).at(*span);
        out.push(match did_you_mean(name, providers.iter().map(|(known, _)| *known)) {
            Some(known) => finding.label(format!("did you mean `{known}`?")),
            None => finding.help("add it to `spec.providers`"),
        });
    }
    served.into_iter().map(|(name, _)| name.into()).collect()
}

/// A list of labels.
pub(super) fn labels(field: Field<'_>, out: &mut Findings) -> Vec<Text> {
    let entries = field.list("labels", out).unwrap_or_default();
    let mut labels: Vec<Text> = Vec::with_capacity(entries.len());
    for entry in entries {
        if let Some(label) = name(entry, out).filter(|label| !labels.iter().any(|known| known == label)) {
            labels.push(label.into());
        }
    }
    labels
}

/// A map of paths to labels.
fn labelled(field: Field<'_>, out: &mut Findings) -> Vec<LabelledPath> {
    let entries = field.entries(out).unwrap_or_default();
    let mut paths: Vec<(LabelledPath, Span)> = Vec::with_capacity(entries.len());
    for entry in entries {
        let Some(labelled) = labelled_path(field.name, entry, out) else { continue };
        match paths.iter().find(|(known, _)| known.path == labelled.path) {
            Some((known, first)) => out.push(
                Finding::error("duplicate-entry", format!("`{}` is given twice", known.path.text))
                    .at(entry.key_span)
                    .label("again here")
                    .related(*first, "first here")
                    .help("give it once, with all its labels"),
            ),
            None => paths.push((labelled, entry.key_span)),
        }
    }
    paths.into_iter().map(|(labelled, _)| labelled).collect()
}

fn labelled_path(of: &'static str, entry: &Entry, out: &mut Findings) -> Option<LabelledPath> {
    let path = path(&entry.key, entry.key_span, out);
    let value = Field { name: of, node: &entry.value, key_span: entry.key_span, is_entry: true };
    if let Kind::List(_) = entry.value.kind {
        out.push(
            Finding::error("wrong-type", format!("`{}` must be a map, found a list", entry.key))
                .at(entry.value.head())
                .help(format!("write `\"{}\": {{labels: […]}}`", entry.key)),
        );
        return None;
    }
    let fields = value.fields("a path of an action", LabelsSpec::FIELDS, out)?;
    let labels = labels(fields.require("labels", out)?, out);
    Some(LabelledPath { path: path?, labels })
}

fn path(text: &str, span: Span, out: &mut Findings) -> Option<PathPattern> {
    match PathPattern::parse(text) {
        Ok(path) => Some(path),
        Err(problem) => {
            let finding = Finding::error("bad-pointer", format!("the path `{text}` {problem}")).at(span);
            out.push(match text.starts_with('/') {
                true => finding.help("write a JSON Pointer, for example `/records/*/id`"),
                false => finding.help(format!("write a JSON Pointer: `/{text}`")),
            });
            None
        }
    }
}

type Schema = (Arc<serde_json::Value>, Arc<ParamsSchema>);

fn schema(field: Field<'_>, action: &str, out: &mut Findings) -> Option<Schema> {
    field.entries(out)?;
    let json = json_of(field.node);
    match ParamsSchema::compile(&json) {
        Ok(check) => {
            schema_keywords::unknown(field.node, action, out);
            Some((Arc::new(json), Arc::new(check)))
        }
        Err(problems) => {
            out.extend(problems.into_iter().map(|problem| schema_finding(field, problem)));
            None
        }
    }
}

fn schema_finding(field: Field<'_>, problem: BadSchema) -> Finding {
    let at = at_pointer(field.node, &problem.pointer).map_or(field.key_span, |node| match &node.kind {
        Kind::Map(_) | Kind::List(_) => node.head(),
        _ => node.span,
    });
    let finding = Finding::error("bad-schema", format!("`paramsSchema` cannot be used: {}", problem.message)).at(at);
    finding.help(match problem.kind {
        BadSchemaKind::Outside => "put the definition under `$defs` and refer to it with `#/$defs/NAME`",
        BadSchemaKind::Pattern => BAD_PATTERN,
        BadSchemaKind::Other => "write a JSON Schema of draft 2020-12, or name its draft by `$schema`",
    })
}

/// The node that a JSON Pointer leads to.
fn at_pointer<'n>(node: &'n Node, pointer: &str) -> Option<&'n Node> {
    pointer.split('/').skip(1).try_fold(node, |node, segment| match &node.kind {
        Kind::List(items) => items.get(segment.parse::<usize>().ok()?),
        _ => node.get(&segment.replace("~1", "/").replace("~0", "~")),
    })
}
