use proptest::prelude::*;

use super::{BadPattern, Pattern};

fn pattern(text: &str) -> Pattern {
    Pattern::parse(text).unwrap()
}

#[test]
fn matches_whole_ids_by_segments() {
    for (text, yes, no) in [
        ("payment.refund", &["payment.refund"][..], &["payment.refunds", "xpayment.refund", "Payment.refund", ""][..]),
        ("payment.*", &["payment.refund", "payment.a/b"], &["payment.", "payment", "payment.a.b", "xpayment.a"]),
        ("payment.**", &["payment.", "payment.a", "payment.a.b"], &["payment", "payments.a"]),
        ("support-*", &["support-", "support-7", "support-7.eu/x:y"], &["support", "xsupport-7"]),
        ("*", &["a", "a.b/c:d"], &[""]),
        ("**", &["", "a", "a.b/c:d"], &[]),
        ("*.read", &["data.read", "a-b.read"], &["thread", ".read", "a.b.read", "data.read.x"]),
        ("**.read", &["data.read", "a.b.read", ".read"], &["thread"]),
        ("eu/*/4*", &["eu/order/4", "eu/order/4711"], &["eu/4711", "eu//4", "eu/a/b/4", "eu/order/4/7"]),
        ("eu/**/x", &["eu/a/x", "eu/a/b/x", "eu//x"], &["eu/x", "eu/a/xy"]),
        ("db:*/tables.*", &["db:main/tables.users"], &["db:a.b/tables.x", "db:a:b/tables.x", "db:a/tables."]),
        ("a*b*c", &["abc", "aXbYc", "a/b/c"], &["ab", "acb"]),
        ("**/a*b/**", &["x/ab/", "x/aXb/y/z", "/ab/", "x/a/ab/y"], &["ab/", "x/a/b/y", "x/aXb"]),
    ] {
        for id in yes {
            assert!(pattern(text).matches(id), "{text} must match {id:?}");
        }
        for id in no {
            assert!(!pattern(text).matches(id), "{text} must not match {id:?}");
        }
    }
}

#[test]
fn refuses_what_is_no_pattern() {
    let long = "a".repeat(1025);
    let wild = "a*".repeat(17);
    for (text, error) in [
        ("", BadPattern::Empty),
        (&*long, BadPattern::TooLong(1025)),
        (&*wild, BadPattern::TooManyWildcards(17)),
        ("a***", BadPattern::Stars),
        ("a\nb", BadPattern::ForbiddenCharacter),
        ("file-?", BadPattern::Unsupported('?')),
        ("{a,b}", BadPattern::Unsupported('{')),
        ("[ab]", BadPattern::Unsupported('[')),
        ("a\\*", BadPattern::Unsupported('\\')),
    ] {
        assert_eq!(Pattern::parse(text), Err(error), "{text:?}");
    }
}

#[test]
fn hostile_ids_do_not_make_matching_explode() {
    let hostile = pattern("**a*b*c*d**a*b*c*d**a*b*c*x**");
    assert!(!hostile.matches(&"abcd/".repeat(200)));
    let stars = pattern(&format!("{}b", "*a".repeat(15)));
    assert!(!stars.matches(&"a".repeat(1024)));
}

#[test]
fn covers_what_it_surely_matches() {
    for (outer, inner, expected) in [
        ("**", "a.*", true),
        ("*", "a.*", true),
        ("*", "**", false),
        ("a.*", "a.b", true),
        ("a.*", "a.b*", true),
        ("a.*", "a.**", false),
        ("a.**", "a.*.c", true),
        ("a.*", "a*", false),
        ("a*", "a.*", true),
        ("a.*", "a.*/x", true),
        ("a.*", "a.*/x.y", false),
        ("support-*", "support-7", true),
        ("support-7", "support-*", false),
        ("eu/*/x", "eu/a/x", true),
    ] {
        assert_eq!(pattern(outer).covers(&pattern(inner)), expected, "{outer} covers {inner}");
    }
}

/// The definition, word for word and as slow as it likes.
fn oracle(text: &str, id: &str) -> bool {
    let separators: Vec<char> = ['.', '/', ':'].into_iter().filter(|c| text.contains(*c)).collect();
    let text: Vec<char> = text.chars().collect();
    let id: Vec<char> = id.chars().collect();
    fn walk(text: &[char], at: usize, id: &[char], separators: &[char]) -> bool {
        let Some(c) = text.get(at) else { return id.is_empty() };
        if *c != '*' {
            return id.first() == Some(c) && walk(text, at + 1, &id[1..], separators);
        }
        if text.get(at + 1) == Some(&'*') {
            return (0..=id.len()).any(|n| walk(text, at + 2, &id[n..], separators));
        }
        let boundary = |c: Option<&char>| c.is_none_or(|c| separators.contains(c));
        let whole = boundary(at.checked_sub(1).map(|before| &text[before])) && boundary(text.get(at + 1));
        (usize::from(whole)..=id.len())
            .take_while(|n| !id[..*n].iter().any(|c| separators.contains(c)))
            .any(|n| walk(text, at + 1, &id[n..], separators))
    }
    walk(&text, 0, &id, &separators)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn agrees_with_the_definition(text in "[ab./*]{1,9}", ids in prop::collection::vec("[ab./]{0,9}", 8)) {
        let Ok(pattern) = Pattern::parse(&text) else { return Ok(()) };
        for id in ids {
            prop_assert_eq!(pattern.matches(&id), oracle(&text, &id), "{} on {}", text, id);
            if pattern.matches(&id) {
                prop_assert!(id.starts_with(pattern.literal_prefix()) && id.ends_with(pattern.literal_suffix()));
                prop_assert!(id.len() >= pattern.shortest_match());
            }
        }
    }

    #[test]
    fn covering_is_sound(outer in "[ab./*]{1,6}", inner in "[ab./*]{1,6}", ids in prop::collection::vec("[ab./]{0,7}", 24)) {
        let (Ok(outer), Ok(inner)) = (Pattern::parse(&outer), Pattern::parse(&inner)) else { return Ok(()) };
        if outer.covers(&inner) {
            for id in ids.iter().filter(|id| inner.matches(id)) {
                prop_assert!(outer.matches(id), "{} covers {} but not {}", outer, inner, id);
            }
        }
    }
}

#[test]
fn work_grows_with_the_places_that_are_tried() {
    let long = format!("eu/{}", "x".repeat(1_000));
    for (text, id, least, most) in [
        ("eu/1", "eu/1", 1, 1),
        ("eu/*", "us/1", 1, 1),
        ("eu/*", "eu/1", 1, 8),
        ("eu/*y*", long.as_str(), 1_000, 1_010),
        ("**y**", long.as_str(), 1_000, 1_010),
        ("**y*", long.as_str(), 1_000, 1_010),
    ] {
        let mut work = 0;
        let matched = pattern(text).matches_counting(id, &mut work);
        assert_eq!(matched, pattern(text).matches(id));
        assert!((least..=most).contains(&work), "{text} on {} bytes: {work}", id.len());
    }
}
