//! The functions: their names, what they take and give, and the call itself.

use super::convert;
use super::error::{Budget, ConditionError, Overload};
use super::format;
use super::strings;
use super::types::Ty;
use super::value::{TypeName, Val};

/// A function. One name may stand for several shapes of arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Size,
    Contains,
    StartsWith,
    EndsWith,
    Matches,
    ToBool,
    ToBytes,
    ToDouble,
    ToDuration,
    ToDyn,
    ToInt,
    ToString,
    ToTimestamp,
    ToUint,
    TypeOf,
    FullYear,
    Month,
    Date,
    DayOfMonth,
    DayOfWeek,
    DayOfYear,
    Hours,
    Minutes,
    Seconds,
    Milliseconds,
    CharAt,
    IndexOf,
    LastIndexOf,
    LowerAscii,
    UpperAscii,
    Replace,
    Split,
    Substring,
    Trim,
    Join,
    Reverse,
    Quote,
    Format,
}

/// One shape of arguments.
#[derive(Debug, Clone, Copy)]
pub(super) struct Signature {
    pub(super) name: &'static str,
    /// Whether it is written `x.name(…)`.
    pub(super) method: bool,
    pub(super) function: Function,
    /// With the receiver of a method first.
    pub(super) takes: &'static [Takes],
    pub(super) gives: TypeName,
}

/// What a parameter takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    Any,
    One(TypeName),
    ListOfStrings,
}

impl Takes {
    /// Whether an argument of type `ty` may fit.
    pub(super) fn fits(self, ty: &Ty) -> bool {
        match (self, ty) {
            (_, Ty::Unknown) | (Self::Any, _) => true,
            (Self::One(name), _) => ty.may_be(name),
            (Self::ListOfStrings, Ty::List(element)) => element.may_be(TypeName::String),
            (Self::ListOfStrings, _) => ty.may_be(TypeName::List),
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::One(TypeName::Timestamp) => "timestamp",
            Self::One(TypeName::Duration) => "duration",
            Self::One(name) => name.as_str(),
            Self::ListOfStrings => "list(string)",
        }
    }
}

impl Signature {
    /// How it is written, for example `string.startsWith(string)`.
    pub(super) fn shape(&self) -> String {
        let names: Vec<_> = self.takes.iter().map(|takes| takes.as_str()).collect();
        match names.split_first() {
            Some((receiver, rest)) if self.method => format!("{receiver}.{}({})", self.name, rest.join(", ")),
            _ => format!("{}({})", self.name, names.join(", ")),
        }
    }
}

const ANY: Takes = Takes::Any;
const BOOL: Takes = Takes::One(TypeName::Bool);
const INT: Takes = Takes::One(TypeName::Int);
const UINT: Takes = Takes::One(TypeName::Uint);
const DOUBLE: Takes = Takes::One(TypeName::Double);
const STRING: Takes = Takes::One(TypeName::String);
const BYTES: Takes = Takes::One(TypeName::Bytes);
const LIST: Takes = Takes::One(TypeName::List);
const MAP: Takes = Takes::One(TypeName::Map);
const TIME: Takes = Takes::One(TypeName::Timestamp);
const SPAN: Takes = Takes::One(TypeName::Duration);
const STRINGS: Takes = Takes::ListOfStrings;

const fn global(name: &'static str, function: Function, takes: &'static [Takes], gives: TypeName) -> Signature {
    Signature { name, method: false, function, takes, gives }
}

const fn method(name: &'static str, function: Function, takes: &'static [Takes], gives: TypeName) -> Signature {
    Signature { name, method: true, function, takes, gives }
}

/// Every shape of every function, those of one name side by side.
pub(super) static SIGNATURES: &[Signature] = &[
    global("size", Function::Size, &[STRING], TypeName::Int),
    global("size", Function::Size, &[BYTES], TypeName::Int),
    global("size", Function::Size, &[LIST], TypeName::Int),
    global("size", Function::Size, &[MAP], TypeName::Int),
    method("size", Function::Size, &[STRING], TypeName::Int),
    method("size", Function::Size, &[BYTES], TypeName::Int),
    method("size", Function::Size, &[LIST], TypeName::Int),
    method("size", Function::Size, &[MAP], TypeName::Int),
    method("contains", Function::Contains, &[STRING, STRING], TypeName::Bool),
    method("startsWith", Function::StartsWith, &[STRING, STRING], TypeName::Bool),
    method("endsWith", Function::EndsWith, &[STRING, STRING], TypeName::Bool),
    method("matches", Function::Matches, &[STRING, STRING], TypeName::Bool),
    global("matches", Function::Matches, &[STRING, STRING], TypeName::Bool),
    global("bool", Function::ToBool, &[BOOL], TypeName::Bool),
    global("bool", Function::ToBool, &[STRING], TypeName::Bool),
    global("bytes", Function::ToBytes, &[BYTES], TypeName::Bytes),
    global("bytes", Function::ToBytes, &[STRING], TypeName::Bytes),
    global("double", Function::ToDouble, &[DOUBLE], TypeName::Double),
    global("double", Function::ToDouble, &[INT], TypeName::Double),
    global("double", Function::ToDouble, &[UINT], TypeName::Double),
    global("double", Function::ToDouble, &[STRING], TypeName::Double),
    global("duration", Function::ToDuration, &[SPAN], TypeName::Duration),
    global("duration", Function::ToDuration, &[STRING], TypeName::Duration),
    global("int", Function::ToInt, &[INT], TypeName::Int),
    global("int", Function::ToInt, &[UINT], TypeName::Int),
    global("int", Function::ToInt, &[DOUBLE], TypeName::Int),
    global("int", Function::ToInt, &[STRING], TypeName::Int),
    global("int", Function::ToInt, &[TIME], TypeName::Int),
    global("string", Function::ToString, &[STRING], TypeName::String),
    global("string", Function::ToString, &[BOOL], TypeName::String),
    global("string", Function::ToString, &[INT], TypeName::String),
    global("string", Function::ToString, &[UINT], TypeName::String),
    global("string", Function::ToString, &[DOUBLE], TypeName::String),
    global("string", Function::ToString, &[BYTES], TypeName::String),
    global("string", Function::ToString, &[TIME], TypeName::String),
    global("string", Function::ToString, &[SPAN], TypeName::String),
    global("timestamp", Function::ToTimestamp, &[TIME], TypeName::Timestamp),
    global("timestamp", Function::ToTimestamp, &[STRING], TypeName::Timestamp),
    global("timestamp", Function::ToTimestamp, &[INT], TypeName::Timestamp),
    global("uint", Function::ToUint, &[UINT], TypeName::Uint),
    global("uint", Function::ToUint, &[INT], TypeName::Uint),
    global("uint", Function::ToUint, &[DOUBLE], TypeName::Uint),
    global("uint", Function::ToUint, &[STRING], TypeName::Uint),
    global("type", Function::TypeOf, &[ANY], TypeName::Type),
    method("getFullYear", Function::FullYear, &[TIME], TypeName::Int),
    method("getFullYear", Function::FullYear, &[TIME, STRING], TypeName::Int),
    method("getMonth", Function::Month, &[TIME], TypeName::Int),
    method("getMonth", Function::Month, &[TIME, STRING], TypeName::Int),
    method("getDate", Function::Date, &[TIME], TypeName::Int),
    method("getDate", Function::Date, &[TIME, STRING], TypeName::Int),
    method("getDayOfMonth", Function::DayOfMonth, &[TIME], TypeName::Int),
    method("getDayOfMonth", Function::DayOfMonth, &[TIME, STRING], TypeName::Int),
    method("getDayOfWeek", Function::DayOfWeek, &[TIME], TypeName::Int),
    method("getDayOfWeek", Function::DayOfWeek, &[TIME, STRING], TypeName::Int),
    method("getDayOfYear", Function::DayOfYear, &[TIME], TypeName::Int),
    method("getDayOfYear", Function::DayOfYear, &[TIME, STRING], TypeName::Int),
    method("getHours", Function::Hours, &[TIME], TypeName::Int),
    method("getHours", Function::Hours, &[TIME, STRING], TypeName::Int),
    method("getHours", Function::Hours, &[SPAN], TypeName::Int),
    method("getMinutes", Function::Minutes, &[TIME], TypeName::Int),
    method("getMinutes", Function::Minutes, &[TIME, STRING], TypeName::Int),
    method("getMinutes", Function::Minutes, &[SPAN], TypeName::Int),
    method("getSeconds", Function::Seconds, &[TIME], TypeName::Int),
    method("getSeconds", Function::Seconds, &[TIME, STRING], TypeName::Int),
    method("getSeconds", Function::Seconds, &[SPAN], TypeName::Int),
    method("getMilliseconds", Function::Milliseconds, &[TIME], TypeName::Int),
    method("getMilliseconds", Function::Milliseconds, &[TIME, STRING], TypeName::Int),
    method("getMilliseconds", Function::Milliseconds, &[SPAN], TypeName::Int),
    method("charAt", Function::CharAt, &[STRING, INT], TypeName::String),
    method("indexOf", Function::IndexOf, &[STRING, STRING], TypeName::Int),
    method("indexOf", Function::IndexOf, &[STRING, STRING, INT], TypeName::Int),
    method("lastIndexOf", Function::LastIndexOf, &[STRING, STRING], TypeName::Int),
    method("lastIndexOf", Function::LastIndexOf, &[STRING, STRING, INT], TypeName::Int),
    method("lowerAscii", Function::LowerAscii, &[STRING], TypeName::String),
    method("upperAscii", Function::UpperAscii, &[STRING], TypeName::String),
    method("replace", Function::Replace, &[STRING, STRING, STRING], TypeName::String),
    method("replace", Function::Replace, &[STRING, STRING, STRING, INT], TypeName::String),
    method("split", Function::Split, &[STRING, STRING], TypeName::List),
    method("split", Function::Split, &[STRING, STRING, INT], TypeName::List),
    method("substring", Function::Substring, &[STRING, INT], TypeName::String),
    method("substring", Function::Substring, &[STRING, INT, INT], TypeName::String),
    method("trim", Function::Trim, &[STRING], TypeName::String),
    method("join", Function::Join, &[STRINGS], TypeName::String),
    method("join", Function::Join, &[STRINGS, STRING], TypeName::String),
    method("reverse", Function::Reverse, &[STRING], TypeName::String),
    method("format", Function::Format, &[STRING, LIST], TypeName::String),
    global("strings.quote", Function::Quote, &[STRING], TypeName::String),
];

/// What people who know another language probably meant.
pub(super) const FOREIGN_NAMES: &[(&str, &str)] = &[
    ("len", "size"),
    ("length", "size"),
    ("count", "size"),
    ("lower", "lowerAscii"),
    ("toLower", "lowerAscii"),
    ("toLowerCase", "lowerAscii"),
    ("upper", "upperAscii"),
    ("toUpper", "upperAscii"),
    ("toUpperCase", "upperAscii"),
    ("any", "exists"),
    ("some", "exists"),
    ("every", "all"),
    ("float", "double"),
    ("str", "string"),
    ("date", "timestamp"),
    ("regex", "matches"),
    ("match", "matches"),
    ("find", "matches"),
    ("includes", "contains"),
    ("getYear", "getFullYear"),
    ("getDay", "getDayOfWeek"),
    ("now", "now"),
];

impl Function {
    /// What calling it costs besides its instruction and the text that it works through: what it looks up, parses or
    /// allocates.
    const fn price(self, arguments: usize) -> usize {
        match self {
            Self::Size
            | Self::Contains
            | Self::StartsWith
            | Self::EndsWith
            | Self::Matches
            | Self::ToBool
            | Self::ToBytes
            | Self::ToDyn
            | Self::ToInt
            | Self::ToUint
            | Self::TypeOf => 0,
            // With a zone, its rules are looked up by name.
            Self::FullYear
            | Self::Month
            | Self::Date
            | Self::DayOfMonth
            | Self::DayOfWeek
            | Self::DayOfYear
            | Self::Hours
            | Self::Minutes
            | Self::Seconds
            | Self::Milliseconds => {
                if arguments > 1 {
                    60
                } else {
                    4
                }
            }
            Self::CharAt | Self::IndexOf | Self::LastIndexOf | Self::Substring | Self::Trim => 2,
            Self::ToDouble | Self::ToDuration | Self::ToTimestamp => 8,
            Self::ToString
            | Self::LowerAscii
            | Self::UpperAscii
            | Self::Replace
            | Self::Split
            | Self::Join
            | Self::Reverse
            | Self::Quote
            | Self::Format => 16,
        }
    }
}

/// Calls `function`. [`Function::Matches`] is not called here: its pattern was compiled when the condition was loaded.
pub(super) fn call<'a>(
    function: Function,
    arguments: &[Val<'a>],
    budget: &mut Budget,
) -> Result<Val<'a>, ConditionError> {
    budget.charge(function.price(arguments.len()))?;
    let result = match function {
        Function::ToDyn => arguments.first().cloned(),
        Function::TypeOf => arguments.first().map(|value| Val::Type(value.type_name())),
        Function::ToBool
        | Function::ToBytes
        | Function::ToDouble
        | Function::ToDuration
        | Function::ToInt
        | Function::ToString
        | Function::ToTimestamp
        | Function::ToUint => match arguments {
            [value] => convert::convert(function, value, budget)?,
            _ => None,
        },
        Function::FullYear
        | Function::Month
        | Function::Date
        | Function::DayOfMonth
        | Function::DayOfWeek
        | Function::DayOfYear
        | Function::Hours
        | Function::Minutes
        | Function::Seconds
        | Function::Milliseconds => calendar_field(function, arguments)?,
        Function::Format => format::format(arguments, budget)?,
        Function::Matches => None,
        _ => strings::call(function, arguments, budget)?,
    };
    result.ok_or_else(|| no_overload(function, arguments))
}

fn no_overload(function: Function, arguments: &[Val<'_>]) -> ConditionError {
    let name = SIGNATURES.iter().find(|known| known.function == function).map_or("dyn", |known| known.name);
    match arguments {
        [first, second, ..] => Overload::binary(name, first.type_name(), second.type_name()),
        [first] => Overload::unary(name, first.type_name()),
        [] => Overload::unary(name, TypeName::Null),
    }
}

fn calendar_field<'a>(function: Function, arguments: &[Val<'a>]) -> Result<Option<Val<'a>>, ConditionError> {
    const PER_SECOND: i64 = 1_000_000_000;
    if let [Val::Duration(span)] = arguments {
        return Ok(Some(Val::Int(match function {
            Function::Hours => span.0 / PER_SECOND / 3_600,
            Function::Minutes => span.0 / PER_SECOND / 60,
            Function::Seconds => span.0 / PER_SECOND,
            Function::Milliseconds => span.0 / 1_000_000 % 1_000,
            _ => return Ok(None),
        })));
    }
    let civil = match arguments {
        [Val::Timestamp(instant)] => instant.civil(None)?,
        [Val::Timestamp(instant), zone] => match zone.as_str() {
            Some(zone) => instant.civil(Some(zone))?,
            None => return Ok(None),
        },
        _ => return Ok(None),
    };
    Ok(Some(Val::Int(match function {
        Function::FullYear => civil.year,
        Function::Month => civil.month - 1,
        Function::Date => civil.day,
        Function::DayOfMonth => civil.day - 1,
        Function::DayOfWeek => civil.day_of_week,
        Function::DayOfYear => civil.day_of_year,
        Function::Hours => civil.hour,
        Function::Minutes => civil.minute,
        Function::Seconds => civil.second,
        Function::Milliseconds => civil.millisecond,
        _ => return Ok(None),
    })))
}
