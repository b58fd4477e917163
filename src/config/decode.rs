//! From the tree to the configuration.

use std::path::Path;
use std::time::Duration;

use crate::diag::{Finding, Findings, Sources};
use crate::model::{Layer, Limits};
use crate::yaml::{Field, Fields, Node};

use super::fields::{address, bytes, duration, mode, number, path, path_or_off, secret};
use super::spec::{
    ConfigSpec, EventsSpec, ExporterSpec, HttpSpec, IdentitySpec, JournalSpec, LimitsSpec, ListenSpec, LogsSpec,
    PoliciesSpec, ReceiptsSpec, RingSpec, ServerSpec, SourceSpec, StateSpec, StoreSpec, TlsSpec,
};
use super::{
    Config, EventMode, Events, Exporter, ExporterKind, Http, Listen, LogFormat, LogLevel, Logs, Policies, Server,
    ServerLimits, Source, State, Tls,
};

const LAYERS: [(&str, Layer); 3] = [
    (Layer::System.as_str(), Layer::System),
    (Layer::Organisation.as_str(), Layer::Organisation),
    (Layer::Tenant.as_str(), Layer::Tenant),
];

const MODES: [(&str, EventMode); 3] =
    [("best_effort", EventMode::BestEffort), ("guaranteed", EventMode::Guaranteed), ("off", EventMode::Off)];

const FORMATS: [(&str, LogFormat); 2] = [("text", LogFormat::Text), ("json", LogFormat::Json)];

const LEVELS: [(&str, LogLevel); 5] = [
    (LogLevel::Error.as_str(), LogLevel::Error),
    (LogLevel::Warn.as_str(), LogLevel::Warn),
    (LogLevel::Info.as_str(), LogLevel::Info),
    (LogLevel::Debug.as_str(), LogLevel::Debug),
    (LogLevel::Trace.as_str(), LogLevel::Trace),
];

/// What a masked path can start with.
const MASKABLE: [&str; 6] = [
    "context.",
    "subject.properties.",
    "resource.properties.",
    "action.properties.",
    "step.params.",
    "step.constraints.",
];

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// Reads the whole configuration; defaults stand in for what is missing or wrong.
pub(super) fn config(root: &Node, base: &Path, sources: &Sources, out: &mut Findings) -> Config {
    let mut config = Config::default();
    let Some(fields) = Fields::read(root, "the configuration", ConfigSpec::FIELDS, out) else { return config };
    // Paths in the file are below its directory, paths in variables below the working directory.
    let file = sources.iter().next().map(|(id, _)| id);
    let base_of = |field: &Field<'_>| if Some(field.node.span.source) == file { base } else { Path::new("") };
    let section = |name: &'static str, what: &'static str, keys: &[&str], out: &mut Findings| {
        fields.get(name).and_then(|field| field.fields(what, keys, out))
    };
    if let Some(fields) = section("listen", "`listen`", ListenSpec::FIELDS, out) {
        config.listen = listen(&fields, &base_of, out);
    }
    if let Some(fields) = section("http", "`http`", HttpSpec::FIELDS, out) {
        let default = Http::default();
        let address = fields.get("address").and_then(|field| address(field, out));
        config.http = Http { address: address.unwrap_or(default.address) };
    }
    if let Some(fields) = section("policies", "`policies`", PoliciesSpec::FIELDS, out) {
        config.policies = policies(&fields, &base_of, out);
    }
    if let Some(fields) = section("state", "`state`", StateSpec::FIELDS, out) {
        let directory = fields.get("directory").and_then(|field| path(field, base_of(&field), out));
        config.state = directory.map_or_else(State::default, |directory| State { directory });
    }
    if let Some(fields) = section("events", "`events`", EventsSpec::FIELDS, out) {
        config.events = events(&fields, &base_of, out);
    }
    if let Some(fields) = section("store", "`store`", StoreSpec::FIELDS, out) {
        config.store = super::store::store(&fields, &base_of, out);
    }
    if let Some(fields) = section("receipts", "`receipts`", ReceiptsSpec::FIELDS, out) {
        config.receipts = super::receipts::receipts(&fields, &base_of, out);
    }
    if let Some(fields) = section("identity", "`identity`", IdentitySpec::FIELDS, out) {
        config.identity = super::identity::identity(&fields, &base_of, out);
    }
    if let Some(fields) = section("limits", "`limits`", LimitsSpec::FIELDS, out) {
        config.limits = limits(&fields, out);
    }
    if let Some(fields) = section("logs", "`logs`", LogsSpec::FIELDS, out) {
        let default = Logs::default();
        let format = fields.get("format").and_then(|field| field.one_of("a format of log lines", &FORMATS, out));
        let level = fields.get("level").and_then(|field| field.one_of("a level of log lines", &LEVELS, out));
        config.logs = Logs { format: format.unwrap_or(default.format), level: level.unwrap_or(default.level) };
    }
    if let Some(fields) = section("server", "`server`", ServerSpec::FIELDS, out) {
        let default = Server::default();
        config.server = Server {
            workers: number(&fields, "workers", 1..=64, out).unwrap_or(default.workers),
            drain: duration(&fields, "drainSeconds", Duration::from_secs(1), 0..=3_600, out).unwrap_or(default.drain),
        };
    }
    config
}

fn listen<'n>(fields: &Fields<'n>, base_of: &dyn Fn(&Field<'n>) -> &'n Path, out: &mut Findings) -> Listen {
    let default = Listen::default();
    let listen = Listen {
        tcp: fields.get("tcp").and_then(|field| address(field, out)).unwrap_or(default.tcp),
        socket: fields.get("socket").and_then(|field| path_or_off(field, out)).unwrap_or(default.socket),
        socket_mode: fields.get("socketMode").and_then(|field| mode(field, out)).unwrap_or(default.socket_mode),
        reflection: fields.get("reflection").and_then(|field| field.boolean(out)).unwrap_or(default.reflection),
        tls: fields.get("tls").and_then(|field| tls(field, base_of, out)),
    };
    if listen.tcp.is_none() && listen.socket.is_none() {
        out.push(
            Finding::error("no-listener", "both `tcp` and `socket` are off, so that nobody could ask anything")
                .at(fields.node().head())
                .help("leave one of them on"),
        );
    }
    listen
}

fn tls<'n>(field: Field<'n>, base_of: &dyn Fn(&Field<'n>) -> &'n Path, out: &mut Findings) -> Option<Tls> {
    let fields = field.fields("`tls`", TlsSpec::FIELDS, out)?;
    let certificate = fields.require("certificate", out).and_then(|field| path(field, base_of(&field), out));
    let key = fields.require("key", out).and_then(|field| path(field, base_of(&field), out));
    let client_ca = fields.get("clientCa").and_then(|field| path(field, base_of(&field), out));
    let revoked = fields.get("clientCrl");
    if let Some(field) = revoked.as_ref().filter(|_| client_ca.is_none()) {
        out.push(
            Finding::error("no-client-ca", "`clientCrl` is about the certificates of clients, which nobody asks for")
                .at(field.key_span)
                .help("name the roots of their certificates in `clientCa`"),
        );
    }
    let client_crl = revoked.and_then(|field| path(field, base_of(&field), out));
    Some(Tls { certificate: certificate?, key: key?, client_ca, client_crl })
}

fn policies<'n>(fields: &Fields<'n>, base_of: &dyn Fn(&Field<'n>) -> &'n Path, out: &mut Findings) -> Policies {
    let default = Policies::default();
    let sources = fields
        .get("sources")
        .and_then(|field| field.list("sources", out))
        .map(|entries| entries.into_iter().filter_map(|entry| source(entry, base_of, out)).collect::<Vec<_>>());
    Policies {
        sources: sources.unwrap_or(default.sources),
        watch: fields.get("watch").and_then(|field| field.boolean(out)).unwrap_or(default.watch),
        poll: duration(fields, "pollSeconds", Duration::from_secs(1), 1..=86_400, out).unwrap_or(default.poll),
        allow_empty: fields.get("allowEmpty").and_then(|field| field.boolean(out)).unwrap_or(default.allow_empty),
    }
}

fn source<'n>(entry: Field<'n>, base_of: &dyn Fn(&Field<'n>) -> &'n Path, out: &mut Findings) -> Option<Source> {
    let fields = entry.fields("a source", SourceSpec::FIELDS, out)?;
    let layer = match fields.get("layer") {
        Some(field) => field.one_of("a layer", &LAYERS, out)?,
        None => Layer::Organisation,
    };
    let field = fields.require("path", out)?;
    Some(Source { path: path(field, base_of(&field), out)?, layer })
}

fn events<'n>(fields: &Fields<'n>, base_of: &dyn Fn(&Field<'n>) -> &'n Path, out: &mut Findings) -> Events {
    let mut events = Events::default();
    if let Some(field) = fields.get("mode") {
        events.mode = field.one_of("a mode", &MODES, out).unwrap_or(events.mode);
    }
    let wait = duration(fields, "answerWaitMillis", Duration::from_millis(1), 10..=60_000, out);
    events.answer_wait = wait.unwrap_or(events.answer_wait);
    if let Some(journal) = fields.get("journal").and_then(|field| field.fields("`journal`", JournalSpec::FIELDS, out)) {
        let interval = duration(&journal, "fsyncMillis", Duration::from_millis(1), 1..=60_000, out);
        events.fsync_interval = interval.unwrap_or(events.fsync_interval);
        events.journal_bytes = bytes(&journal, "maxBytes", MIB..=1024 * GIB, out).unwrap_or(events.journal_bytes);
        events.segment_bytes = bytes(&journal, "segmentBytes", 64 * KIB..=GIB, out).unwrap_or(events.segment_bytes);
        if events.segment_bytes.saturating_mul(2) > events.journal_bytes {
            out.push(
                Finding::error("out-of-range", "the journal must hold at least two segments")
                    .at(journal.node().head())
                    .help("raise `maxBytes` or lower `segmentBytes`"),
            );
        }
    }
    if let Some(ring) = fields.get("ring").and_then(|field| field.fields("`ring`", RingSpec::FIELDS, out)) {
        events.ring_records = number(&ring, "records", 64..=8_388_607, out).unwrap_or(events.ring_records);
        events.ring_bytes = bytes(&ring, "bytes", 64 * KIB..=16 * GIB, out).unwrap_or(events.ring_bytes);
    }
    events.exporters = fields.get("exporters").map(|field| exporters(field, out)).unwrap_or_default();
    let mask = fields.get("mask").and_then(|field| field.list("paths", out)).unwrap_or_default();
    events.mask = mask.into_iter().filter_map(|entry| masked_path(entry, out)).collect();
    events.key = fields.get("key").and_then(|field| secret(field, base_of(&field), out));
    events.mask_key = fields.get("maskKey").and_then(|field| secret(field, base_of(&field), out));
    events
}

fn exporters(field: Field<'_>, out: &mut Findings) -> Vec<Exporter> {
    let mut exporters: Vec<Exporter> = Vec::new();
    for entry in field.list("exporters", out).unwrap_or_default() {
        let Some(fields) = entry.fields("an exporter", ExporterSpec::FIELDS, out) else { continue };
        let Some(kind_field) = fields.require("type", out) else { continue };
        let kinds = [("stdout", ())];
        let Some(()) = kind_field.one_of("a type of exporter", &kinds, out) else { continue };
        let named = fields.get("name").unwrap_or(kind_field);
        let Some(name) = named.string(out) else { continue };
        if exporters.iter().any(|exporter| exporter.name == name) {
            out.push(
                Finding::error("duplicate-name", format!("there is another exporter named `{name}`"))
                    .at(named.node.span)
                    .help("give each exporter its own `name`"),
            );
            continue;
        }
        exporters.push(Exporter { name: name.to_owned(), kind: ExporterKind::Stdout });
    }
    exporters
}

fn masked_path(entry: Field<'_>, out: &mut Findings) -> Option<String> {
    let text = entry.string(out)?;
    let rest = MASKABLE.iter().find_map(|root| text.strip_prefix(root));
    let is_root = MASKABLE.iter().any(|root| root.strip_suffix('.') == Some(text));
    if is_root || rest.is_some_and(|rest| rest.split('.').all(|part| !part.is_empty() && !part.contains('*'))) {
        return Some(text.to_owned());
    }
    out.push(
        Finding::error("bad-value", format!("`{text}` is not the path of an attribute")).at(entry.node.span).help(
            format!(
                "a path is literal (no `*`; naming a value masks all below it) and starts with one of {}",
                MASKABLE.map(|root| format!("`{root}`")).join(", ")
            ),
        ),
    );
    None
}

fn limits(fields: &Fields<'_>, out: &mut Findings) -> ServerLimits {
    let mut limits = Limits::default();
    let most = |limit: usize| i64::try_from(limit).unwrap_or(i64::MAX);
    let message = bytes(fields, "messageBytes", KIB..=limits.message_bytes as u64, out);
    limits.message_bytes = message.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(limits.message_bytes);
    let plan = bytes(fields, "planBytes", KIB..=limits.plan_bytes as u64, out);
    limits.plan_bytes = plan.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(limits.plan_bytes);
    for (name, limit) in [
        ("planSteps", &mut limits.plan_steps),
        ("attributeDepth", &mut limits.attribute_depth),
        ("batchItems", &mut limits.batch_items),
        ("idBytes", &mut limits.id_bytes),
        ("nameBytes", &mut limits.name_bytes),
        ("resourceIdBytes", &mut limits.resource_id_bytes),
        ("roles", &mut limits.roles),
        ("explainedRules", &mut limits.explained_rules),
    ] {
        *limit = number(fields, name, 1..=most(*limit), out).unwrap_or(*limit);
    }
    let cost = i64::try_from(limits.evaluation_cost).unwrap_or(i64::MAX);
    limits.evaluation_cost = number(fields, "evaluationCost", 1_000..=cost, out).unwrap_or(limits.evaluation_cost);
    ServerLimits {
        requests: limits,
        connections: number(fields, "connections", 1..=1_000_000, out),
        in_flight: number(fields, "inFlight", 1..=1_000_000, out),
        streams_per_connection: number(fields, "streamsPerConnection", 1..=1_000_000, out),
    }
}
