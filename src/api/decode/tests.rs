mod plan;

use proptest::prelude::*;
use prost::Message;

use super::*;
use crate::api::proto::v1;
use crate::api::wire::to_filled_struct;
use crate::model::{Attributes, Limits, Request, Text, Value};

/// The messages as prost reads them, with maps as the lists of entries that they are on the wire, so that repeated keys
/// and values without a kind can be written and seen.
mod raw {
    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Struct {
        #[prost(message, repeated, tag = "1")]
        pub fields: Vec<Entry>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Entry {
        #[prost(string, tag = "1")]
        pub key: String,
        #[prost(message, optional, tag = "2")]
        pub value: Option<Value>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Value {
        #[prost(oneof = "Kind", tags = "1, 2, 3, 4, 5, 6")]
        pub kind: Option<Kind>,
    }

    #[derive(Clone, PartialEq, prost::Oneof)]
    pub enum Kind {
        #[prost(int32, tag = "1")]
        Null(i32),
        #[prost(double, tag = "2")]
        Number(f64),
        #[prost(string, tag = "3")]
        String(String),
        #[prost(bool, tag = "4")]
        Bool(bool),
        #[prost(message, tag = "5")]
        Struct(Struct),
        #[prost(message, tag = "6")]
        List(List),
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct List {
        #[prost(message, repeated, tag = "1")]
        pub values: Vec<Value>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Subject {
        #[prost(string, tag = "1")]
        pub kind: String,
        #[prost(string, tag = "2")]
        pub id: String,
        #[prost(string, repeated, tag = "3")]
        pub roles: Vec<String>,
        #[prost(message, optional, tag = "4")]
        pub properties: Option<Struct>,
        #[prost(string, tag = "5")]
        pub on_behalf_of: String,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Action {
        #[prost(string, tag = "1")]
        pub name: String,
        #[prost(message, optional, tag = "2")]
        pub properties: Option<Struct>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Resource {
        #[prost(string, tag = "1")]
        pub kind: String,
        #[prost(string, tag = "2")]
        pub id: String,
        #[prost(message, optional, tag = "3")]
        pub properties: Option<Struct>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Request {
        #[prost(string, tag = "1")]
        pub request_id: String,
        #[prost(string, tag = "2")]
        pub tenant_id: String,
        #[prost(message, optional, tag = "3")]
        pub subject: Option<Subject>,
        #[prost(message, optional, tag = "4")]
        pub action: Option<Action>,
        #[prost(message, optional, tag = "5")]
        pub resource: Option<Resource>,
        #[prost(message, optional, tag = "6")]
        pub context: Option<Struct>,
        #[prost(string, tag = "7")]
        pub run_id: String,
        #[prost(string, tag = "8")]
        pub correlation_id: String,
        #[prost(string, tag = "9")]
        pub snapshot: String,
        #[prost(bool, tag = "10")]
        pub explain: bool,
        #[prost(bool, tag = "11")]
        pub want_action_hash: bool,
    }
}

/// What a request should become, computed from prost's reading in the plainest way.
#[derive(Default)]
struct Oracle {
    faults: Vec<Fault>,
}

impl Oracle {
    fn request(&mut self, raw: raw::Request) -> Request {
        let limits = Limits::default();
        let subject = raw.subject.unwrap_or_default();
        let action = raw.action.unwrap_or_default();
        let resource = raw.resource.unwrap_or_default();
        let required = [&subject.id, &action.name];
        self.faults.extend(required.iter().filter(|text| text.is_empty()).map(|_| Fault::MissingField));
        let ids = [&raw.request_id, &raw.tenant_id, &raw.run_id, &raw.correlation_id, &raw.snapshot, &subject.kind];
        let ids = ids.into_iter().chain(&subject.roles).chain([&resource.kind]).map(|text| (text, limits.id_bytes));
        let names = [&subject.id, &subject.on_behalf_of, &action.name].map(|text| (text, limits.name_bytes));
        for (text, most) in ids.chain(names).chain([(&resource.id, limits.resource_id_bytes)]) {
            if text.len() > most {
                self.faults.push(Fault::TooLong);
            } else if crate::model::has_forbidden_character(text) {
                self.faults.push(Fault::ForbiddenCharacter);
            }
        }
        Request {
            request_id: Text::from(raw.request_id),
            tenant_id: Text::from(raw.tenant_id),
            subject: crate::model::Subject {
                kind: Text::from(subject.kind),
                id: Text::from(subject.id),
                roles: subject.roles.into_iter().map(Text::from).collect(),
                properties: self.attributes(subject.properties.unwrap_or_default(), 1),
                on_behalf_of: Text::from(subject.on_behalf_of),
            },
            action: crate::model::Action {
                name: Text::from(action.name),
                properties: self.attributes(action.properties.unwrap_or_default(), 1),
            },
            resource: crate::model::Resource {
                kind: Text::from(resource.kind),
                id: Text::from(resource.id),
                properties: self.attributes(resource.properties.unwrap_or_default(), 1),
            },
            context: self.attributes(raw.context.unwrap_or_default(), 1),
            run_id: Text::from(raw.run_id),
            correlation_id: Text::from(raw.correlation_id),
            snapshot: Text::from(raw.snapshot),
            explain: raw.explain,
            want_action_hash: raw.want_action_hash,
        }
    }

    fn attributes(&mut self, raw: raw::Struct, depth: usize) -> Attributes {
        if depth > Limits::default().attribute_depth {
            self.faults.push(Fault::TooDeep);
            return Attributes::default();
        }
        let entries = raw
            .fields
            .into_iter()
            .map(|entry| (Text::from(entry.key), self.value(entry.value.unwrap_or_default(), depth)))
            .collect();
        Attributes::from_entries(entries).unwrap_or_else(|_| {
            self.faults.push(Fault::DuplicateKey);
            Attributes::default()
        })
    }

    fn value(&mut self, raw: raw::Value, depth: usize) -> Value {
        match raw.kind {
            None => {
                self.faults.push(Fault::UnsetValue);
                Value::Null
            }
            Some(raw::Kind::Null(_)) => Value::Null,
            Some(raw::Kind::Number(number)) if !number.is_finite() => {
                self.faults.push(Fault::NotFinite);
                Value::Null
            }
            Some(raw::Kind::Number(number)) => Value::Number(number),
            Some(raw::Kind::String(text)) => Value::String(Text::from(text)),
            Some(raw::Kind::Bool(truth)) => Value::Bool(truth),
            Some(raw::Kind::Struct(map)) => Value::Map(self.attributes(map, depth + 1)),
            Some(raw::Kind::List(_)) if depth == Limits::default().attribute_depth => {
                self.faults.push(Fault::TooDeep);
                Value::Null
            }
            Some(raw::Kind::List(list)) => {
                Value::List(list.values.into_iter().map(|item| self.value(item, depth + 1)).collect())
            }
        }
    }
}

fn id() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => "[a-z0-9./:-]{0,12}",
        1 => "\\PC{0,8}",
        1 => Just(String::from("line\nbreak")),
        1 => Just("x".repeat(200)),
    ]
}

fn value() -> impl Strategy<Value = raw::Value> {
    let number = prop_oneof![8 => any::<f64>(), 1 => Just(f64::NAN), 1 => Just(f64::INFINITY)];
    let leaf = prop_oneof![
        1 => Just(None),
        2 => any::<i32>().prop_map(|number| Some(raw::Kind::Null(number))),
        4 => number.prop_map(|number| Some(raw::Kind::Number(number))),
        4 => "\\PC{0,30}".prop_map(|text| Some(raw::Kind::String(text))),
        2 => any::<bool>().prop_map(|truth| Some(raw::Kind::Bool(truth))),
    ]
    .prop_map(|kind| raw::Value { kind });
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            map(inner.clone()).prop_map(|map| raw::Value { kind: Some(raw::Kind::Struct(map)) }),
            prop::collection::vec(inner, 0..4)
                .prop_map(|values| raw::Value { kind: Some(raw::Kind::List(raw::List { values })) }),
        ]
    })
}

fn map(values: impl Strategy<Value = raw::Value>) -> impl Strategy<Value = raw::Struct> {
    let entry = ("[a-e]{0,2}", prop::option::weighted(0.95, values)).prop_map(|(key, value)| raw::Entry { key, value });
    prop::collection::vec(entry, 0..4).prop_map(|fields| raw::Struct { fields })
}

fn request() -> impl Strategy<Value = raw::Request> {
    let properties = || prop::option::of(map(value()));
    let subject = (id(), id(), prop::collection::vec(id(), 0..4), properties(), id()).prop_map(
        |(kind, id, roles, properties, on_behalf_of)| raw::Subject { kind, id, roles, properties, on_behalf_of },
    );
    let action = (id(), properties()).prop_map(|(name, properties)| raw::Action { name, properties });
    let resource = (id(), id(), properties()).prop_map(|(kind, id, properties)| raw::Resource { kind, id, properties });
    (
        (id(), id(), id(), id(), prop_oneof![id(), "sha256:[0-9a-fA-Fg]{63,65}", "(sha256:[0-9a-f]{64})?"]),
        prop::option::weighted(0.9, subject),
        prop::option::weighted(0.9, action),
        prop::option::of(resource),
        properties(),
        any::<(bool, bool)>(),
    )
        .prop_map(|(ids, subject, action, resource, context, (explain, want_action_hash))| raw::Request {
            request_id: ids.0,
            tenant_id: ids.1,
            subject,
            action,
            resource,
            context,
            run_id: ids.2,
            correlation_id: ids.3,
            snapshot: ids.4,
            explain,
            want_action_hash,
        })
}

/// Fields that no message of ours has, of every wire type.
fn unknown_field() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        any::<u64>().prop_map(|number| {
            let mut bytes = vec![0xf8, 0x07];
            prost::encoding::encode_varint(number, &mut bytes);
            bytes
        }),
        any::<[u8; 8]>().prop_map(|bytes| [&[0xf9, 0x07][..], &bytes].concat()),
        any::<[u8; 4]>().prop_map(|bytes| [&[0xfd, 0x07][..], &bytes].concat()),
        prop::collection::vec(any::<u8>(), 0..20)
            .prop_map(|bytes| [&[0xfa, 0x07, bytes.len() as u8][..], &bytes].concat()),
        // A group that holds a varint and a group.
        Just(vec![0xfb, 0x07, 0x08, 0x01, 0x13, 0x14, 0xfc, 0x07]),
    ]
}

/// The fields of a message, each with its tag.
fn fields(message: &[u8]) -> Vec<Vec<u8>> {
    let mut cuts = vec![0];
    let mut rest = message;
    while !rest.is_empty() {
        let (tag, wire) = prost::encoding::decode_key(&mut rest).unwrap();
        prost::encoding::skip_field(wire, tag, &mut rest, prost::encoding::DecodeContext::default()).unwrap();
        cuts.push(message.len() - rest.len());
    }
    cuts.windows(2).map(|cut| message[cut[0]..cut[1]].to_vec()).collect()
}

/// A message made of the fields of two, in any order, with unknown fields among them.
fn scrambled() -> impl Strategy<Value = Vec<u8>> {
    let second = prop_oneof![2 => Just(raw::Request::default()), 1 => request()];
    (request(), second, prop::collection::vec(unknown_field(), 0..3))
        .prop_map(|(one, two, unknown)| {
            let mut all = fields(&one.encode_to_vec());
            all.extend(fields(&two.encode_to_vec()));
            all.extend(unknown);
            all
        })
        .prop_shuffle()
        .prop_map(|fields| fields.concat())
}

fn sorted(mut faults: Vec<Fault>) -> Vec<&'static str> {
    faults.sort_unstable_by_key(|fault| fault.as_str());
    faults.into_iter().map(Fault::as_str).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, ..ProptestConfig::default() })]

    #[test]
    fn reads_what_prost_reads_and_finds_what_is_wrong(bytes in scrambled()) {
        let decoded = evaluate_request(&bytes, None, &Limits::default()).unwrap();
        let mut oracle = Oracle::default();
        let expected = oracle.request(raw::Request::decode(&*bytes).unwrap());
        let faults: Vec<Fault> = decoded.violations.iter().map(|violation| violation.fault).collect();
        if oracle.faults.len() <= 12 {
            prop_assert_eq!(sorted(faults), sorted(oracle.faults));
        } else {
            prop_assert_eq!(faults.len(), 12);
        }
        if decoded.violations.is_empty() {
            prop_assert_eq!(&decoded.request, &expected);
            // The generated type agrees as well, null's number apart.
            let generated = v1::EvaluateRequest::decode(&*bytes).unwrap();
            let context = generated.context.unwrap_or_default().fields.len();
            prop_assert_eq!(context, decoded.request.context.len());
            prop_assert_eq!(generated.subject.unwrap().roles, decoded.request.subject.roles);
        }
    }

    #[test]
    fn refuses_the_bytes_that_prost_refuses(
        bytes in scrambled(), changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = bytes;
        for (index, byte) in changes {
            if !bytes.is_empty() {
                let index = index.index(bytes.len());
                bytes[index] = byte;
            }
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len() + 1));
        }
        let ours = evaluate_request(&bytes, None, &Limits::default());
        let theirs = raw::Request::decode(&*bytes);
        // Not the other way round: prost takes a map's entry of any wire type for one.
        prop_assert!(theirs.is_ok() || ours.is_err(), "{:?} {:?}", ours, theirs);
        // The generated type is laxer in one point: prost does not look at the wire type of a map field.
        prop_assert!(ours.is_err() || v1::EvaluateRequest::decode(&*bytes).is_ok());
    }

    #[test]
    fn survives_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let ours = evaluate_request(&bytes, None, &Limits::default());
        prop_assert_eq!(ours.is_ok(), raw::Request::decode(&*bytes).is_ok());
        let _ = stream_request(&bytes, &Limits::default());
        let _ = batch_request(&bytes, &Limits::default());
    }
}

fn question(context: raw::Struct) -> raw::Request {
    raw::Request {
        subject: Some(raw::Subject { id: "support-7".into(), ..raw::Subject::default() }),
        action: Some(raw::Action { name: "payment.refund".into(), properties: None }),
        context: Some(context),
        ..raw::Request::default()
    }
}

fn entry(key: &str, kind: impl Into<Option<raw::Kind>>) -> raw::Entry {
    raw::Entry { key: key.into(), value: Some(raw::Value { kind: kind.into() }) }
}

fn violations(request: &raw::Request) -> Vec<(String, &'static str)> {
    let decoded = evaluate_request(&request.encode_to_vec(), None, &Limits::default()).unwrap();
    decoded.violations.into_iter().map(|violation| (violation.field, violation.fault.as_str())).collect()
}

#[test]
fn names_the_path_of_each_violation() {
    let price = raw::Struct { fields: vec![entry("price", raw::Kind::Number(f64::NAN))] };
    let fine = raw::Value { kind: Some(raw::Kind::Bool(true)) };
    let items = vec![fine.clone(), fine.clone(), fine, raw::Value { kind: Some(raw::Kind::Struct(price)) }];
    let mut request = question(raw::Struct {
        fields: vec![
            entry("items", raw::Kind::List(raw::List { values: items })),
            entry("odd key", None),
            entry("twice", raw::Kind::Bool(true)),
            entry("twice", raw::Kind::Bool(false)),
        ],
    });
    let subject = request.subject.as_mut().unwrap();
    subject.id.clear();
    subject.roles = vec!["support".into(), "ad\u{202e}min".into()];
    request.run_id = "r".repeat(129);
    assert_eq!(
        violations(&request),
        [
            ("subject.id", "MISSING_FIELD"),
            ("subject.roles[1]", "FORBIDDEN_CHARACTER"),
            ("context.items[3].price", "NUMBER_NOT_FINITE"),
            ("context[\"odd key\"]", "UNSET_VALUE"),
            ("context.twice", "DUPLICATE_KEY"),
            ("run_id", "FIELD_TOO_LONG"),
        ]
        .map(|(path, reason)| (path.to_owned(), reason))
    );
}

#[test]
fn attributes_may_be_nested_to_the_limit_and_no_further() {
    let nested = |depth: usize| {
        (1..depth)
            .fold(raw::Struct::default(), |inner, _| raw::Struct { fields: vec![entry("a", raw::Kind::Struct(inner))] })
    };
    assert_eq!(violations(&question(nested(32))), []);
    let path = format!("context{}", ".a".repeat(32));
    assert_eq!(violations(&question(nested(33))), [(path, "TOO_DEEP")]);
}

#[test]
fn keys_repeated_across_merged_maps_are_repeated_keys() {
    let one = question(raw::Struct { fields: vec![entry("a", raw::Kind::Bool(true))] });
    let same = raw::Request { context: one.context.clone(), ..raw::Request::default() };
    let bytes = [one.encode_to_vec(), same.encode_to_vec()].concat();
    let decoded = evaluate_request(&bytes, None, &Limits::default()).unwrap();
    assert_eq!(decoded.violations[0].fault, Fault::DuplicateKey);
}

#[test]
fn occurrences_that_are_whole_only_together_are_malformed() {
    let mut bytes = good().encode_to_vec();
    // Two occurrences of `context`: the first breaks off where the second goes on.
    bytes.extend_from_slice(&[0x32, 0x02, 0x0a, 0x03, 0x32, 0x03, 0x0a, 0x01, b'a']);
    assert_eq!(evaluate_request(&bytes, None, &Limits::default()).unwrap_err(), Malformed::Truncated);
    assert!(v1::EvaluateRequest::decode(&*bytes).is_err());
}

#[test]
fn a_batch_fills_in_what_its_items_leave_out() {
    let items = vec![
        v1::EvaluateRequest { request_id: "1".into(), ..good() },
        v1::EvaluateRequest { request_id: "2".into(), tenant_id: "other".into(), ..good() },
        v1::EvaluateRequest { request_id: "3".into(), snapshot: format!("sha256:{:064}", 1), ..good() },
    ];
    let batch = v1::EvaluateBatchRequest {
        tenant_id: "acme".into(),
        requests: items,
        run_id: "run".into(),
        correlation_id: "corr".into(),
        snapshot: format!("sha256:{:064}", 0),
    };
    let decoded = batch_request(&batch.encode_to_vec(), &Limits::default()).unwrap();
    assert_eq!(decoded.violations, []);
    assert_eq!(decoded.snapshot, batch.snapshot);
    let tenants: Vec<&str> = decoded.items.iter().map(|item| item.request.tenant()).collect();
    assert_eq!(tenants, ["acme", "other", "acme"]);
    assert!(decoded.items.iter().all(|item| item.request.run_id == "run" && item.request.correlation_id == "corr"));
    let faults: Vec<usize> = decoded.items.iter().map(|item| item.violations.len()).collect();
    assert_eq!(faults, [0, 0, 1]);
    assert_eq!(decoded.items[2].violations[0].field, "requests[2].snapshot");
}

#[test]
fn a_batch_holds_one_to_256_requests() {
    for (count, fits) in [(0, false), (1, true), (256, true), (257, false)] {
        let batch = v1::EvaluateBatchRequest { requests: vec![good(); count], ..Default::default() };
        let decoded = batch_request(&batch.encode_to_vec(), &Limits::default()).unwrap();
        assert_eq!(decoded.violations.is_empty(), fits, "{count}");
    }
}

fn good() -> v1::EvaluateRequest {
    v1::EvaluateRequest {
        subject: Some(v1::Subject { id: "a".into(), ..Default::default() }),
        action: Some(v1::Action { name: "b".into(), ..Default::default() }),
        ..Default::default()
    }
}

#[test]
fn attributes_compare_with_what_prost_generates() {
    let map =
        raw::Struct { fields: vec![entry("n", raw::Kind::Number(-0.5)), entry("t", raw::Kind::String("é".into()))] };
    let bytes = question(map).encode_to_vec();
    let ours = evaluate_request(&bytes, None, &Limits::default()).unwrap().request;
    assert_eq!(Some(to_filled_struct(&ours.context)), v1::EvaluateRequest::decode(&*bytes).unwrap().context);
}
