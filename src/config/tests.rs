use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::diag::{Findings, Sources, render_text};
use crate::model::Layer;

use super::{
    Algorithm, Config, EventMode, Exporter, ExporterKind, Identity, LogFormat, LogLevel, Receipts, Secret, Source,
    Store, Tls, json_schema,
};

fn load(text: &str, variables: &[(&str, &str)]) -> Result<(Config, PathBuf), (Sources, Findings)> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("lictor.yaml");
    fs::write(&path, text).unwrap();
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::load(Some(&path), variables).map(|config| (config, directory.path().to_owned()))
}

fn errors(text: &str, variables: &[(&str, &str)]) -> Vec<String> {
    let (sources, findings) = load(text, variables).unwrap_err();
    for finding in &findings {
        assert!(render_text(&sources, finding, false).starts_with("error["));
    }
    findings.iter().map(|finding| format!("{}: {}", finding.code, finding.message)).collect()
}

#[test]
fn an_empty_file_means_the_defaults() {
    assert_eq!(load("", &[]).unwrap().0, Config::default());
    assert_eq!(load("listen: {}\nevents: {}\nlimits: {}\n", &[]).unwrap().0, Config::default());
}

#[test]
fn every_setting_is_read() {
    let text = r#"
listen: {tcp: "0.0.0.0:1", socket: off, socketMode: "0660", reflection: false}
http: {address: off}
policies:
  sources: [{path: mine, layer: tenant}, {path: /etc/lictor}]
  watch: false
  pollSeconds: 5
  allowEmpty: true
state: {directory: data}
events:
  mode: guaranteed
  answerWaitMillis: 500
  journal: {maxBytes: 1GiB, segmentBytes: 1048576, fsyncMillis: 10}
  ring: {records: 128, bytes: 1MiB}
  exporters: [{type: stdout}, {type: stdout, name: second}]
  mask: [context.params.card_number]
  key: {file: keys/chain}
  maskKey: {env: MASK_KEY}
store: {url: "postgres://lictor@db/lictor", password: {env: DB}, connections: 4, timeoutMillis: 700, maxBytes: 2MiB}
receipts:
  issuer: https://lictor.example
  audience: runner
  ttlSeconds: 60
  graceSeconds: 3600
  key: {file: keys/receipts.pem}
  previousKeys: [{env: OLD_KEY}]
limits: {messageBytes: 64KiB, planBytes: 1MiB, planSteps: 50, attributeDepth: 8, batchItems: 2, idBytes: 64, nameBytes: 65, resourceIdBytes: 66, roles: 3,
  evaluationCost: 5000, explainedRules: 4, connections: 5, inFlight: 6, streamsPerConnection: 7}
logs: {format: json, level: debug}
server: {workers: 4, drainSeconds: 0}
"#;
    let (config, base) = load(text, &[]).unwrap();
    assert_eq!(config.listen.tcp, Some("0.0.0.0:1".parse().unwrap()));
    assert_eq!((config.listen.socket, config.listen.socket_mode, config.listen.reflection), (None, 0o660, false));
    assert_eq!(config.http.address, None);
    let store = Store {
        url: "postgres://lictor@db/lictor".to_owned(),
        password: Some(Secret::Env("DB".to_owned())),
        connections: 4,
        wait: Duration::from_millis(700),
        max_bytes: Some(2 << 20),
    };
    assert_eq!(config.store, store);
    let receipts = Receipts {
        issuer: Some("https://lictor.example".to_owned()),
        audience: "runner".to_owned(),
        ttl: Duration::from_secs(60),
        grace: Duration::from_secs(3600),
        key: Some(Secret::File(base.join("keys/receipts.pem"))),
        previous_keys: vec![Secret::Env("OLD_KEY".to_owned())],
    };
    assert_eq!(config.receipts, receipts);
    let sources = [
        Source { path: base.join("mine"), layer: Layer::Tenant },
        Source { path: "/etc/lictor".into(), layer: Layer::Organisation },
    ];
    assert_eq!(config.policies.sources, sources);
    assert_eq!((config.policies.watch, config.policies.allow_empty), (false, true));
    assert_eq!(config.policies.poll, Duration::from_secs(5));
    assert_eq!(config.state.directory, base.join("data"));
    let events = config.events;
    assert_eq!((events.mode, events.journal_bytes, events.segment_bytes), (EventMode::Guaranteed, 1 << 30, 1 << 20));
    assert_eq!(events.answer_wait, Duration::from_millis(500));
    assert_eq!((events.ring_records, events.ring_bytes), (128, 1 << 20));
    assert_eq!(events.fsync_interval, Duration::from_millis(10));
    let exporter = |name: &str| Exporter { name: name.to_owned(), kind: ExporterKind::Stdout };
    assert_eq!(events.exporters, [exporter("stdout"), exporter("second")]);
    assert_eq!(events.mask, ["context.params.card_number"]);
    assert_eq!(events.key, Some(Secret::File(base.join("keys/chain"))));
    assert_eq!(events.mask_key, Some(Secret::Env("MASK_KEY".to_owned())));
    let limits = config.limits;
    assert_eq!((limits.requests.plan_bytes, limits.requests.plan_steps), (1 << 20, 50));
    assert_eq!((limits.requests.message_bytes, limits.requests.attribute_depth, limits.requests.roles), (65_536, 8, 3));
    assert_eq!((limits.requests.id_bytes, limits.requests.name_bytes, limits.requests.resource_id_bytes), (64, 65, 66));
    assert_eq!((limits.requests.batch_items, limits.requests.evaluation_cost), (2, 5_000));
    assert_eq!(limits.requests.explained_rules, 4);
    assert_eq!((limits.connections, limits.in_flight, limits.streams_per_connection), (Some(5), Some(6), Some(7)));
    assert_eq!((config.logs.format, config.logs.level), (LogFormat::Json, LogLevel::Debug));
    assert_eq!((config.server.workers, config.server.drain), (4, Duration::ZERO));
}

#[test]
fn variables_override_the_file() {
    let variables = [
        ("LICTOR_LISTEN__TCP", "127.0.0.1:7"),
        ("LICTOR_EVENTS__JOURNAL__MAX_BYTES", "64MiB"),
        ("LICTOR_EVENTS__KEY__ENV", "CHAIN"),
        ("LICTOR_POLICIES__SOURCES", "[{path: a}, {path: b, layer: system}]"),
        ("LICTOR_SERVER__WORKERS", "2"),
        // Kubernetes sets such variables for a service called `lictor`.
        ("LICTOR_SERVICE_HOST", "10.0.0.1"),
        ("LICTOR_PORT", "tcp://10.0.0.1:50151"),
        ("OTHER__THING", "x"),
    ];
    let (config, _) = load("listen: {tcp: off}\nserver: {workers: 3, drainSeconds: 1}\n", &variables).unwrap();
    assert_eq!(config.listen.tcp, Some("127.0.0.1:7".parse().unwrap()));
    assert_eq!(config.events.journal_bytes, 64 << 20);
    assert_eq!(config.events.key, Some(Secret::Env("CHAIN".to_owned())));
    assert_eq!(config.policies.sources[1], Source { path: "b".into(), layer: Layer::System });
    assert_eq!((config.server.workers, config.server.drain), (2, Duration::from_secs(1)));
}

#[test]
fn what_is_wrong_is_named() {
    for (text, expected) in [
        ("listne: {}", "unknown-field: the configuration has no field `listne`"),
        ("listen: {tcp: localhost}", "bad-address: `localhost` is not an address to listen on"),
        (
            "listen: {tcp: off, socket: off}",
            "no-listener: both `tcp` and `socket` are off, so that nobody could ask anything",
        ),
        ("listen: {socketMode: \"999\"}", "bad-value: `999` are not permissions"),
        ("limits: {batchItems: 257}", "out-of-range: `batchItems` must be a whole number from 1 to 256"),
        ("limits: {messageBytes: 1GiB}", "out-of-range: `messageBytes` must be a number of bytes from 1KiB to 256KiB"),
        ("events: {answerWaitMillis: 5}", "out-of-range: `answerWaitMillis` must be a whole number from 10 to 60000"),
        ("events: {key: hunter2}", "secret-in-file: a secret must not stand in the configuration"),
        (
            "events: {key: {env: A, file: b}}",
            "bad-value: a secret is found either in a file or in an environment variable",
        ),
        ("events: {mask: [params.card]}", "bad-value: `params.card` is not the path of an attribute"),
        ("events: {exporters: [{type: kafka}]}", "unknown-value: `kafka` is not a type of exporter"),
        (
            "events: {exporters: [{type: stdout}, {type: stdout}]}",
            "duplicate-name: there is another exporter named `stdout`",
        ),
        ("events: {journal: {maxBytes: 1MiB}}", "out-of-range: the journal must hold at least two segments"),
        ("policies: {sources: [{path: a, layer: org}]}", "unknown-value: `org` is not a layer"),
        ("store: {url: 'mysql://u:p@db'}", "bad-value: this is not the URL of a store"),
        ("store: {password: hunter2}", "secret-in-file: a secret must not stand in the configuration"),
        ("logs: {level: verbose}", "unknown-value: `verbose` is not a level of log lines"),
        ("a: 1\n---\nb: 2\n", "second-document: the configuration is one document"),
    ] {
        assert!(errors(text, &[]).iter().any(|error| error == expected), "{text}: {:?}", errors(text, &[]));
    }
    let secret = errors("events: {key: hunter2}", &[]);
    assert!(!secret.join("").contains("hunter2"));
}

#[test]
fn variables_that_name_nothing_are_errors() {
    for (name, meant) in [
        ("LICTOR_EVENTS__JOURNAL__MAXBITES", "LICTOR_EVENTS__JOURNAL__MAX_BYTES"),
        ("LICTOR_SERVR__WORKERS", "LICTOR_SERVER__WORKERS"),
        ("LICTOR_EVNTS__JOURNL__MAX_BYTE", "LICTOR_EVENTS__JOURNAL__MAX_BYTES"),
    ] {
        let (_, findings) = load("", &[(name, "1")]).unwrap_err();
        let finding = findings.iter().next().unwrap();
        assert_eq!(finding.help, Some(format!("did you mean `{meant}`?")));
    }
    for (name, value, code) in [
        ("LICTOR_NOTHING__AT_ALL", "1", "unknown-setting"),
        ("LICTOR_SERVER__WORKERS__MANY", "1", "unknown-setting"),
        ("LICTOR_SERVER__WORKERS", "many", "wrong-type"),
        ("LICTOR_SERVER__WORKERS", "", "empty-setting"),
    ] {
        assert!(errors("", &[(name, value)])[0].starts_with(code), "{name}={value}");
    }
}

#[test]
fn a_missing_file_is_an_error_only_where_it_is_named() {
    let (_, findings) = Config::load(Some(Path::new("/nonexistent/lictor.yaml")), []).unwrap_err();
    assert_eq!(findings.iter().next().unwrap().code, "unreadable-file");
}

#[test]
fn secrets_are_read_without_their_line_break() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key");
    fs::write(&path, "s3cret\n").unwrap();
    assert_eq!(Secret::File(path.clone()).read().unwrap(), b"s3cret");
    fs::write(&path, "\n").unwrap();
    assert!(Secret::File(path).read().is_err());
    assert!(Secret::Env("LICTOR_TEST_UNSET".to_owned()).read().is_err());
}

/// Every key that the schema allows is also read: each refuses `null`, so that one which nobody reads would show.
#[test]
fn every_allowed_key_is_read() {
    let schema = json_schema();
    let keys = |definition: &serde_json::Value| -> Vec<String> {
        assert_eq!(definition["additionalProperties"], false);
        definition["properties"].as_object().unwrap().keys().cloned().collect()
    };
    let mut checked = 0;
    for (definition, template) in [
        ("ListenSpec", "listen: {KEY}"),
        ("HttpSpec", "http: {KEY}"),
        ("PoliciesSpec", "policies: {KEY}"),
        ("SourceSpec", "policies: {sources: [{KEY}]}"),
        ("StateSpec", "state: {KEY}"),
        ("EventsSpec", "events: {KEY}"),
        ("JournalSpec", "events: {journal: {KEY}}"),
        ("RingSpec", "events: {ring: {KEY}}"),
        ("ExporterSpec", "events: {exporters: [{KEY}]}"),
        ("SecretSpec", "events: {key: {KEY}}"),
        ("StoreSpec", "store: {KEY}"),
        ("ReceiptsSpec", "receipts: {KEY}"),
        ("LimitsSpec", "limits: {KEY}"),
        ("LogsSpec", "logs: {KEY}"),
        ("ServerSpec", "server: {KEY}"),
        ("TlsSpec", "listen: {tls: {KEY}}"),
        ("IdentitySpec", "identity: {KEY}"),
        ("PrincipalSpec", "identity: {principals: [{KEY}]}"),
        ("MayAssertSpec", "identity: {principals: [{mayAssert: {KEY}}]}"),
        ("JwtSpec", "identity: {jwt: {KEY}}"),
        ("ClaimsSpec", "identity: {jwt: {claims: {KEY}}}"),
        ("GroupSpec", "identity: {jwt: {groups: {g: {KEY}}}}"),
    ] {
        checked += 1;
        for key in keys(&schema["$defs"][definition]) {
            // The name of an exporter is only read beside its type.
            let text = template.replace("KEY", &format!("{key}: null")).replace("{name:", "{type: stdout, name:");
            let errors = errors(&text, &[]);
            assert!(errors.iter().any(|error| error.contains(&format!("`{key}` must be"))), "{text}: {errors:?}");
        }
    }
    for key in keys(&schema) {
        assert!(errors(&format!("{key}: null"), &[])[0].contains(&format!("`{key}` must be")), "{key}");
    }
    let objects = schema["$defs"].as_object().unwrap().values().filter(|schema| schema.get("properties").is_some());
    assert_eq!(objects.count(), checked, "every definition with keys is checked above");
}

#[test]
fn receipts_are_within_bounds() {
    assert_eq!(
        errors("receipts: {ttlSeconds: 5, audience: '', previousKeys: [{env: A}], key: text}\n", &[]).len(),
        3,
        "{:?}",
        errors("receipts: {ttlSeconds: 5, audience: '', previousKeys: [{env: A}], key: text}\n", &[])
    );
    let found = errors("receipts: {previousKeys: [{env: A}]}\n", &[]);
    assert_eq!(found, ["bad-value: `previousKeys` are those before a configured `key`, and there is none"]);
    let (config, _) = load("", &[("LICTOR_RECEIPTS__TTL_SECONDS", "20"), ("LICTOR_RECEIPTS__KEY__ENV", "K")]).unwrap();
    assert_eq!(config.receipts.ttl, Duration::from_secs(20));
    assert_eq!(config.receipts.key, Some(Secret::Env("K".to_owned())));
}

#[test]
fn who_is_who_is_read() {
    let text = r#"
listen: {tls: {certificate: tls/server.pem, key: tls/server.key, clientCa: /etc/ca.pem, clientCrl: crl.pem}}
identity:
  systemPolicies: system
  principals:
    - match: spiffe://example.org/ns/*/runtime
      mayAssert: {subjects: ["agent-*"], roles: [support], tenants: ["**"], onBehalfOf: ["user:*"]}
    - {match: "jwt:https://idp.example#**", name: alice, roles: [admin], level: manager, tenants: [acme]}
    - {match: "cn:bob", level: 2}
  jwt:
    issuer: https://idp.example
    audience: lictor
    jwks: jwks.json
    algorithms: [ES256, EdDSA]
    claims: {roles: groups, tenants: /x/tenant, level: level}
    groups:
      SEC ADMINS: {roles: [admin], level: owner}
      leads: {level: 3}
"#;
    let (config, base) = load(text, &[]).unwrap();
    let tls = Tls {
        certificate: base.join("tls/server.pem"),
        key: base.join("tls/server.key"),
        client_ca: Some("/etc/ca.pem".into()),
        client_crl: Some(base.join("crl.pem")),
    };
    assert_eq!(config.listen.tls, Some(tls));
    let Identity { principals, jwt, system_policies } = config.identity;
    assert_eq!(system_policies, Some(base.join("system")));
    let [runtime, alice, bob] = &principals[..] else { panic!("{principals:?}") };
    assert_eq!(runtime.matches.as_str(), "spiffe://example.org/ns/*/runtime");
    let written = |patterns: &Option<Box<[crate::policy::Pattern]>>| {
        patterns.as_ref().map(|patterns| patterns.iter().map(|pattern| pattern.as_str().to_owned()).collect::<Vec<_>>())
    };
    let may = &runtime.may_assert;
    for (patterns, expected) in
        [(&may.subjects, "agent-*"), (&may.roles, "support"), (&may.tenants, "**"), (&may.on_behalf_of, "user:*")]
    {
        assert_eq!(written(patterns).unwrap(), [expected]);
    }
    assert_eq!(
        (alice.name.as_deref(), alice.level, written(&alice.tenants)),
        (Some("alice"), Some(4), Some(vec!["acme".to_owned()]))
    );
    assert_eq!(alice.roles, ["admin"]);
    assert_eq!((bob.name.as_deref(), bob.level), (None, Some(2)));
    let jwt = jwt.unwrap();
    assert_eq!(
        (jwt.issuer.as_str(), jwt.audience.as_str(), jwt.jwks),
        ("https://idp.example", "lictor", base.join("jwks.json"))
    );
    assert_eq!(jwt.algorithms, [Algorithm::Es256, Algorithm::EdDsa]);
    assert_eq!(jwt.leeway, Duration::from_secs(30));
    let groups: Vec<_> =
        jwt.groups.iter().map(|(name, group)| (name.as_str(), group.roles.len(), group.level)).collect();
    assert_eq!(groups, [("SEC ADMINS", 1, Some(5)), ("leads", 0, Some(3))]);
    let claims = jwt.claims;
    assert_eq!(
        (claims.roles.as_deref(), claims.tenants.as_deref(), claims.level.as_deref()),
        (Some("groups"), Some("/x/tenant"), Some("level"))
    );
}

#[test]
fn what_cannot_be_anybody_is_named() {
    for (principal, expected) in [
        ("{name: a}", "missing-field: a principal has no `match`"),
        ("{match: 'a[b]'}", "bad-pattern: `[` is not a wildcard in patterns"),
        ("{match: 'cn:a', level: 6}", "out-of-range: `level` must be a whole number from 1 to 5"),
        ("{match: 'cn:a', level: boss}", "unknown-value: `boss` is not a level"),
        ("{match: 'uid:*', level: 3}", "bad-value: Unix peers and anonymous callers never have a level"),
        ("{match: anonymous, roles: [admin]}", "bad-value: anonymous callers have no roles"),
        ("{match: 'cn:a', name: 'uid:0'}", "bad-name: a name cannot be `uid:0`, which a channel might show"),
        ("{match: 'cn:a', name: anonymous}", "bad-name: a name cannot be `anonymous`, which a channel might show"),
        ("{match: 'cn:a', tenants: []}", "empty-list: `tenants` is empty, which would match nothing"),
    ] {
        let found = errors(&format!("identity: {{principals: [{principal}]}}"), &[]);
        assert!(found.iter().any(|error| error == expected), "{principal}: {found:?}");
    }
    for (jwt, expected) in [
        ("{audience: a, jwks: f, algorithms: [ES256]}", "missing-field: `jwt` has no `issuer`"),
        (
            "{issuer: i, audience: a, jwks: f, algorithms: [HS256]}",
            "unknown-value: `HS256` is not an algorithm that is accepted",
        ),
        (
            "{issuer: i, audience: a, jwks: f, algorithms: [none]}",
            "unknown-value: `none` is not an algorithm that is accepted",
        ),
        ("{issuer: i, audience: a, jwks: f, algorithms: []}", "empty-list: no algorithm would be accepted"),
        ("{issuer: 'i#j', audience: a, jwks: f, algorithms: [ES256]}", "bad-value: an issuer holds no `#`"),
    ] {
        let found = errors(&format!("identity: {{jwt: {jwt}}}"), &[]);
        assert!(found.iter().any(|error| error == expected), "{jwt}: {found:?}");
    }
}
