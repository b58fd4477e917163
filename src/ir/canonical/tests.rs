use proptest::prelude::*;

use super::*;

fn canonical(value: &Value) -> String {
    let mut out = Vec::new();
    write_value(&mut out, value, Place::Root, &mut Unwatched);
    String::from_utf8(out).expect("UTF-8")
}

fn parsed(json: &str) -> Value {
    Value::try_from(&serde_json::from_str::<serde_json::Value>(json).expect("JSON")).expect("a value")
}

fn number(number: f64) -> String {
    let mut out = Vec::new();
    write_number(&mut out, number);
    String::from_utf8(out).expect("UTF-8")
}

/// RFC 8785, section 3.2.2 and 3.2.3: input and canonical form.
#[test]
fn the_examples_of_rfc_8785() {
    let input = "{\"numbers\":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],\
        \"string\":\"\\u20ac$\\u000F\\u000aA'\\u0042\\u0022\\u005c\\\\\\\"\\/\",\"literals\":[null,true,false]}";
    let expected = "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],\
        \"string\":\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}";
    assert_eq!(canonical(&parsed(input)), expected);

    let keys = "{\"\\u20ac\":\"Euro Sign\",\"\\r\":\"Carriage Return\",\"\\ufb33\":\"Hebrew Letter Dalet With Dagesh\",\
        \"1\":\"One\",\"\\ud83d\\ude00\":\"Emoji: Grinning Face\",\"\\u0080\":\"Control\",\
        \"\\u00f6\":\"Latin Small Letter O With Diaeresis\"}";
    let order: Vec<&str> = vec![
        "Carriage Return",
        "One",
        "Control",
        "Latin Small Letter O With Diaeresis",
        "Euro Sign",
        "Emoji: Grinning Face",
        "Hebrew Letter Dalet With Dagesh",
    ];
    let text = canonical(&parsed(keys));
    let places: Vec<usize> = order.iter().map(|name| text.find(name).expect("present")).collect();
    assert!(places.is_sorted(), "{text}");
}

/// RFC 8785, appendix B: IEEE 754 bits and their ECMAScript form.
#[test]
fn the_number_sample_of_rfc_8785() {
    for (bits, expected) in [
        (0x0000_0000_0000_0000, "0"),
        (0x8000_0000_0000_0000, "0"),
        (0x0000_0000_0000_0001, "5e-324"),
        (0x8000_0000_0000_0001, "-5e-324"),
        (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
        (0xffef_ffff_ffff_ffff, "-1.7976931348623157e+308"),
        (0x4340_0000_0000_0000, "9007199254740992"),
        (0xc340_0000_0000_0000, "-9007199254740992"),
        (0x4430_0000_0000_0000, "295147905179352830000"),
        (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
        (0x44b5_2d02_c7e1_4af6, "1e+23"),
        (0x44b5_2d02_c7e1_4af7, "1.0000000000000001e+23"),
        (0x444b_1ae4_d6e2_ef4e, "999999999999999700000"),
        (0x444b_1ae4_d6e2_ef4f, "999999999999999900000"),
        (0x444b_1ae4_d6e2_ef50, "1e+21"),
        (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"),
        (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
        (0x41b3_de43_5555_5553, "333333333.3333332"),
        (0x41b3_de43_5555_5554, "333333333.33333325"),
        (0x41b3_de43_5555_5555, "333333333.3333333"),
        (0x41b3_de43_5555_5556, "333333333.3333334"),
        (0x41b3_de43_5555_5557, "333333333.33333343"),
        (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
        (0x4314_3ff3_c1cb_0959, "1424953923781206.2"),
    ] {
        assert_eq!(number(f64::from_bits(bits)), expected, "{bits:016x}");
    }
}

/// The ES6 number sample of RFC 8785, appendix B: its first 10 000 lines, by their published checksum. The doubles are a
/// fixed list, 2 000 that follow each other, and blocks of a chain of SHA-256.
#[test]
fn the_es6_number_sample() {
    use sha2::{Digest, Sha256};

    let fixed = include_str!("../../../tests/cases/ir/canonical/es6-numbers.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| u64::from_str_radix(line, 16).expect("hexadecimal"));
    let series = (0..2000).map(|i| 0x0010_0000_0000_0000 + i);
    let chain = std::iter::successors(Some([0_u8; 32]), |block| Some(Sha256::digest(block).into()))
        .skip(1)
        .flat_map(|block| {
            block.chunks_exact(8).map(|chunk| u64::from_le_bytes(chunk.try_into().expect("8"))).collect::<Vec<_>>()
        })
        .filter(|bits| f64::from_bits(*bits).is_finite() && f64::from_bits(*bits) != 0.0);
    let mut hasher = Sha256::new();
    for bits in fixed.chain(series).chain(chain).take(10_000) {
        hasher.update(format!("{bits:x},{}\n", number(f64::from_bits(bits))));
    }
    let hash: String = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hash, "b9f7a8e75ef22a835685a52ccba7f7d6bdc99e34b010992cbc5864cd12be6892");
}

#[test]
fn strings_escape_what_they_must() {
    let mut out = Vec::new();
    write_string(&mut out, "\u{0}\u{8}\t\n\u{b}\u{c}\r\u{1f} \"\\/\u{7f}\u{85}\u{2028}é😀");
    let text = String::from_utf8(out).expect("UTF-8");
    assert_eq!(text, "\"\\u0000\\b\\t\\n\\u000b\\f\\r\\u001f \\\"\\\\/\u{7f}\u{85}\u{2028}é😀\"");
}

pub(in crate::ir) fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<f64>().prop_filter("finite", |n| n.is_finite()).prop_map(Value::Number),
        any::<i32>().prop_map(|n| Value::Number(f64::from(n))),
        any::<String>().prop_map(|text| Value::String(text.into())),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(|items| Value::List(items.into())),
            prop::collection::hash_map(any::<String>(), inner, 0..6).prop_map(|map| {
                let entries = map.into_iter().map(|(key, value)| (key.into(), value)).collect();
                Value::Map(Attributes::from_entries(entries).expect("unique keys"))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn agrees_with_serde_json_canonicalizer(value in values()) {
        let oracle = serde_json_canonicalizer::to_string(&value).expect("canonical");
        prop_assert_eq!(canonical(&value), oracle);
    }

    #[test]
    fn doubles_survive_and_agree(bits in any::<u64>()) {
        let double = f64::from_bits(bits);
        prop_assume!(double.is_finite());
        let text = number(double);
        prop_assert_eq!(text.parse::<f64>().expect("a number"), double);
        prop_assert_eq!(&text, &serde_json_canonicalizer::to_string(&double).expect("canonical"));
    }

    #[test]
    fn keys_are_ordered_by_utf_16(a in "[a-z\u{7f}-\u{90}\u{d7f0}-\u{d7ff}\u{e000}-\u{e010}\u{fff0}-\u{10010}\u{10fff0}-\u{10ffff}]{0,4}",
                                  b in "[a-z\u{7f}-\u{90}\u{d7f0}-\u{d7ff}\u{e000}-\u{e010}\u{fff0}-\u{10010}\u{10fff0}-\u{10ffff}]{0,4}") {
        prop_assert_eq!(compare_utf16(&a, &b), a.encode_utf16().cmp(b.encode_utf16()));
    }
}
