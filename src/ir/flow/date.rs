//! Dates in texts, for parameters whose schema says `format: date`.

use serde_json::Value as Json;

use std::borrow::Cow;

/// How deep a schema is followed.
const MAX_SCHEMA_STEPS: usize = 256;

/// A day as somebody wrote it; the year may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Day {
    year: Option<i16>,
    month: i8,
    day: i8,
}

impl Day {
    fn new(year: Option<i16>, month: u16, day: u16) -> Option<Self> {
        let (month, day) = (i8::try_from(month).ok()?, i8::try_from(day).ok()?);
        // A leap year stands for a year that is left out.
        jiff::civil::Date::new(year.unwrap_or(2000), month, day).ok()?;
        Some(Self { year, month, day })
    }

    /// A full date as JSON Schema's `date` writes it.
    pub(super) fn of_value(value: &str) -> Option<Self> {
        let date: jiff::civil::Date = value.trim().parse().ok()?;
        let plain = value.trim().len() == 10;
        plain.then(|| Self { year: Some(date.year()), month: date.month(), day: date.day() })
    }

    /// Whether the day, which somebody wrote, is that of the value.
    pub(super) fn is(self, value: Self) -> bool {
        self.month == value.month && self.day == value.day && (self.year.is_none() || self.year == value.year)
    }
}

/// The days that a normalised text names: `2024-05-15`, `15.05.2024`, `5/15/2024` (either way round), `may 15th, 2024`,
/// `15 may`.
pub(super) fn days(text: &str) -> impl Iterator<Item = Day> {
    let words: Vec<Word<'_>> = words(text).collect();
    let mut found = Vec::new();
    for (i, word) in words.iter().enumerate() {
        let next = |n: usize| words.get(i + n);
        let number = |n: usize| next(n).and_then(Word::number);
        let year_at = |n: usize| next(n).and_then(Word::year);
        if let Some(month) = word.month() {
            // may 15th, 2024
            if let Some(day) = number(1).or_else(|| next(1).and_then(Word::ordinal)) {
                found.extend(Day::new(year_at(2), month, day));
            }
        } else if let Some(day) = word.number().or_else(|| word.ordinal()) {
            // 15 may 2024, 15th of may
            let skip = usize::from(next(1).is_some_and(|word| word.text == "of"));
            if let Some(month) = next(1 + skip).and_then(Word::month) {
                found.extend(Day::new(year_at(2 + skip), month, day));
            }
        }
        let joined = next(1).and_then(|word| word.joint).filter(|joint| next(2).and_then(|w| w.joint) == Some(*joint));
        match (joined, word.year(), word.number()) {
            (Some('-' | '/' | '.'), Some(year), _) => {
                if let (Some(month), Some(day)) = (number(1), number(2)) {
                    found.extend(Day::new(Some(year), month, day));
                }
            }
            (Some('.'), None, Some(day)) => {
                if let (Some(month), Some(year)) = (number(1), year_at(2)) {
                    found.extend(Day::new(Some(year), month, day));
                }
            }
            (Some('/' | '-'), None, Some(first)) => {
                if let (Some(second), Some(year)) = (number(1), year_at(2)) {
                    found.extend(Day::new(Some(year), first, second));
                    found.extend(Day::new(Some(year), second, first));
                }
            }
            _ => {}
        }
    }
    found.into_iter()
}

/// A run of letters and digits.
#[derive(Debug, Clone, Copy)]
struct Word<'a> {
    text: &'a str,
    /// The character between it and the word before, where it is one.
    joint: Option<char>,
}

impl Word<'_> {
    fn number(&self) -> Option<u16> {
        (self.text.len() <= 2).then(|| self.text.parse().ok()).flatten()
    }

    fn ordinal(&self) -> Option<u16> {
        let digits = ["st", "nd", "rd", "th"].iter().find_map(|end| self.text.strip_suffix(end))?;
        (digits.len() <= 2).then(|| digits.parse().ok()).flatten()
    }

    fn year(&self) -> Option<i16> {
        (self.text.len() == 4).then(|| self.text.parse().ok()).flatten()
    }

    fn month(&self) -> Option<u16> {
        const MONTHS: [&str; 12] = [
            "january",
            "february",
            "march",
            "april",
            "may",
            "june",
            "july",
            "august",
            "september",
            "october",
            "november",
            "december",
        ];
        let at = MONTHS.iter().position(|month| {
            *month == self.text || month.get(..3) == Some(self.text) || (self.text == "sept" && *month == "september")
        })?;
        u16::try_from(at + 1).ok()
    }
}

fn words(text: &str) -> impl Iterator<Item = Word<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + text[at..].find(char::is_alphanumeric)?;
        let end = text[start..].find(|c: char| !c.is_alphanumeric()).map_or(text.len(), |length| start + length);
        let mut between = text[at..start].chars();
        let joint = between.next().filter(|_| between.next().is_none());
        at = end;
        Some(Word { text: &text[start..end], joint })
    })
}

/// Whether the schema of a step's params says `format: date` of the value at `path`.
pub(super) fn is_date(schema: &Json, path: &[Cow<'_, str>]) -> bool {
    let mut left = MAX_SCHEMA_STEPS;
    says_date(schema, schema, path, &mut left)
}

fn says_date(root: &Json, schema: &Json, path: &[Cow<'_, str>], left: &mut usize) -> bool {
    let Some(rest) = left.checked_sub(1) else { return false };
    *left = rest;
    if path.is_empty() && schema.get("format").and_then(Json::as_str) == Some("date") {
        return true;
    }
    if let Some(target) = schema.get("$ref").and_then(Json::as_str)
        && let Some(schema) = target.strip_prefix('#').and_then(|pointer| root.pointer(pointer))
        && says_date(root, schema, path, left)
    {
        return true;
    }
    for word in ["allOf", "anyOf", "oneOf"] {
        let members = schema.get(word).and_then(Json::as_array);
        if members.is_some_and(|members| members.iter().any(|schema| says_date(root, schema, path, left))) {
            return true;
        }
    }
    let Some((token, below)) = path.split_first() else { return false };
    let property = schema.get("properties").and_then(|properties| properties.get(token.as_ref()));
    let item = || {
        let index: usize = token.parse().ok()?;
        schema.get("prefixItems").and_then(|items| items.get(index)).or_else(|| schema.get("items"))
    };
    let next = property.or_else(item).or_else(|| schema.get("additionalProperties"));
    next.is_some_and(|schema| says_date(root, schema, below, left))
}

#[cfg(test)]
mod tests {
    use super::super::pointer;
    use super::super::text::normal;
    use super::*;

    #[test]
    fn days_are_read_as_people_write_them() {
        for (text, value, named) in [
            ("on May 15th, 2024", "2024-05-15", true),
            ("on may 15", "2024-05-15", true),
            ("the 15th of May", "2031-05-15", true),
            ("15 Sept. 2024", "2024-09-15", true),
            ("15 may 2023", "2024-05-15", false),
            ("2024-05-15", "2024-05-15", true),
            ("2024/5/15", "2024-05-15", true),
            ("15.05.2024", "2024-05-15", true),
            ("05/15/2024 or so", "2024-05-15", true),
            ("15/05/2024", "2024-05-15", true),
            ("05.15.2024", "2024-05-15", false),
            ("31 february", "2024-02-29", false),
            ("29 february", "2024-02-29", true),
            ("tomorrow", "2024-05-15", false),
            ("may 150", "2024-05-15", false),
            ("version 2024.05", "2024-05-15", false),
        ] {
            let value = Day::of_value(value).expect("a date");
            assert_eq!(days(&normal(text)).any(|day| day.is(value)), named, "{text}");
        }
        for text in ["2024-5-15", "2024-05-15T10:00:00", "15.05.2024", "", "2024-13-01"] {
            assert_eq!(Day::of_value(text), None, "{text}");
        }
    }

    #[test]
    fn schemas_say_where_dates_are() {
        let schema = serde_json::json!({
            "$defs": {"day": {"type": "string", "format": "date"}, "loop": {"$ref": "#/$defs/loop"}},
            "properties": {
                "start": {"format": "date"},
                "end": {"anyOf": [{"$ref": "#/$defs/day"}, {"type": "null"}]},
                "days": {"items": {"$ref": "#/$defs/day"}},
                "at": {"format": "date-time"},
                "loop": {"$ref": "#/$defs/loop"},
            },
        });
        for (path, date) in [
            ("/start", true),
            ("/end", true),
            ("/days/3", true),
            ("/days", false),
            ("/at", false),
            ("/loop", false),
            ("/other", false),
            ("", false),
        ] {
            assert_eq!(is_date(&schema, &pointer::tokens(path).expect("a pointer")), date, "{path}");
        }
    }
}
