//! Timestamps and durations: parsing, printing, arithmetic with the ranges of the specification, and calendar fields.

use std::fmt::Write as _;

use crate::model::Timestamp;

use super::error::{BadArgument, ConditionError};
use super::value::TypeName;

/// A point in time between 0001-01-01T00:00:00Z and 9999-12-31T23:59:59.999999999Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Instant {
    /// Seconds since 1970-01-01T00:00:00Z, rounded down.
    seconds: i64,
    /// Nanoseconds after that, below 10^9.
    nanos: u32,
}

/// A duration in nanoseconds, so at most about 292 years.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span(pub(super) i64);

const NANOS: i128 = 1_000_000_000;
const SECONDS_PER_DAY: i64 = 86_400;
/// 0001-01-01T00:00:00Z.
const MIN_SECONDS: i64 = -62_135_596_800;
/// 9999-12-31T23:59:59Z.
const MAX_SECONDS: i64 = 253_402_300_799;

impl Instant {
    /// The point `seconds` after the epoch.
    pub(super) fn from_seconds(seconds: i64) -> Result<Self, ConditionError> {
        Self::new(seconds, 0)
    }

    /// The engine's `now`. A time out of range becomes the nearest in range, so that no clock makes a condition fail.
    pub(super) fn of(now: Timestamp) -> Self {
        let micros = now.as_micros();
        let seconds = micros.div_euclid(1_000_000).clamp(MIN_SECONDS, MAX_SECONDS);
        let nanos = u32::try_from(micros.rem_euclid(1_000_000) * 1_000).unwrap_or(0);
        Self { seconds, nanos }
    }

    fn new(seconds: i64, nanos: u32) -> Result<Self, ConditionError> {
        if (MIN_SECONDS..=MAX_SECONDS).contains(&seconds) {
            Ok(Self { seconds, nanos })
        } else {
            Err(ConditionError::OutOfRange(TypeName::Timestamp))
        }
    }

    /// Seconds since the epoch, rounded down.
    pub(super) fn seconds(self) -> i64 {
        self.seconds
    }

    fn total_nanos(self) -> i128 {
        i128::from(self.seconds) * NANOS + i128::from(self.nanos)
    }

    fn from_total_nanos(nanos: i128) -> Result<Self, ConditionError> {
        let seconds =
            i64::try_from(nanos.div_euclid(NANOS)).map_err(|_| ConditionError::OutOfRange(TypeName::Timestamp))?;
        Self::new(seconds, u32::try_from(nanos.rem_euclid(NANOS)).unwrap_or(0))
    }

    /// `self + span`.
    pub(super) fn plus(self, span: Span) -> Result<Self, ConditionError> {
        Self::from_total_nanos(self.total_nanos() + i128::from(span.0))
    }

    /// `self - span`.
    pub(super) fn minus(self, span: Span) -> Result<Self, ConditionError> {
        Self::from_total_nanos(self.total_nanos() - i128::from(span.0))
    }

    /// `self - other`.
    pub(super) fn since(self, other: Self) -> Result<Span, ConditionError> {
        i64::try_from(self.total_nanos() - other.total_nanos())
            .map(Span)
            .map_err(|_| ConditionError::OutOfRange(TypeName::Duration))
    }

    /// Parses RFC 3339: `2009-02-13T23:31:30.5+01:00`.
    pub(super) fn parse(text: &str) -> Result<Self, ConditionError> {
        let bad = || ConditionError::BadConversion(TypeName::Timestamp);
        let out_of_range = || ConditionError::OutOfRange(TypeName::Timestamp);
        let (date, rest) = text.split_once('T').ok_or_else(bad)?;
        let mut parts = date.split('-');
        let (Some(year), Some(month), Some(day), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(bad());
        };
        if year.len() > 4 && year.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(out_of_range());
        }
        let year = digits(year, 4).ok_or_else(bad)?;
        let month = digits(month, 2).filter(|month| (1..=12).contains(month)).ok_or_else(bad)?;
        let day = digits(day, 2).filter(|day| (1..=days_in_month(year, month)).contains(day)).ok_or_else(bad)?;
        let zone_at = rest.find(['Z', '+', '-']).ok_or_else(bad)?;
        let (clock, zone) = rest.split_at_checked(zone_at).ok_or_else(bad)?;
        let (clock, nanos) = match clock.split_once('.') {
            Some((clock, fraction)) => (clock, fraction_nanos(fraction).ok_or_else(bad)?),
            None => (clock, 0),
        };
        let mut parts = clock.split(':');
        let (Some(hour), Some(minute), Some(second), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(bad());
        };
        let hour = digits(hour, 2).filter(|hour| *hour < 24).ok_or_else(bad)?;
        let minute = digits(minute, 2).filter(|minute| *minute < 60).ok_or_else(bad)?;
        let second = digits(second, 2).filter(|second| *second < 60).ok_or_else(bad)?;
        let offset = if zone == "Z" { 0 } else { parse_offset(zone).ok_or_else(bad)? };
        let seconds =
            days_from_civil(year, month, day) * SECONDS_PER_DAY + hour * 3_600 + minute * 60 + second - offset;
        Self::new(seconds, nanos)
    }

    /// RFC 3339 in UTC, with as many fractional digits as needed.
    pub(super) fn to_text(self) -> String {
        let civil = Civil::of(self, 0);
        let mut text = format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
            civil.year, civil.month, civil.day, civil.hour, civil.minute, civil.second
        );
        push_fraction(&mut text, self.nanos);
        text.push('Z');
        text
    }

    /// The calendar fields in `zone`: an IANA name or an offset such as `+02:00`; UTC where there is none.
    pub(super) fn civil(self, zone: Option<&str>) -> Result<Civil, ConditionError> {
        let offset = match zone {
            None | Some("UTC" | "Z" | "") => 0,
            Some(zone) => match parse_offset(zone) {
                Some(offset) => offset,
                None => self.offset_in(zone)?,
            },
        };
        Ok(Civil::of(self, offset))
    }

    fn offset_in(self, zone: &str) -> Result<i64, ConditionError> {
        let unknown = |_| ConditionError::InvalidArgument(BadArgument::TimeZone);
        let zone = jiff::tz::TimeZone::get(zone).map_err(unknown)?;
        let time = jiff::Timestamp::from_second(self.seconds).map_err(unknown)?;
        Ok(i64::from(zone.to_offset(time).seconds()))
    }
}

impl Span {
    /// Parses a sequence of decimal numbers with units: `1h30m`, `-1.5s`, `250ms`.
    pub(super) fn parse(text: &str) -> Result<Self, ConditionError> {
        let bad = || ConditionError::BadConversion(TypeName::Duration);
        let (negative, mut rest) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        if rest == "0" {
            return Ok(Self(0));
        }
        if rest.is_empty() {
            return Err(bad());
        }
        let mut total: i128 = 0;
        while !rest.is_empty() {
            let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(bad)?;
            let (number, tail) = rest.split_at(number_end);
            let unit_end = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
            let (unit, tail) = tail.split_at(unit_end);
            let unit: i128 = match unit {
                "h" => 3_600 * NANOS,
                "m" => 60 * NANOS,
                "s" => NANOS,
                "ms" => 1_000_000,
                "us" | "µs" | "μs" => 1_000,
                "ns" => 1,
                _ => return Err(bad()),
            };
            let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
            if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
                return Err(bad());
            }
            let out_of_range = ConditionError::OutOfRange(TypeName::Duration);
            if whole.len() > 20 {
                return Err(out_of_range);
            }
            let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| bad())? };
            total += whole * unit;
            let mut scale = unit;
            for digit in fraction.bytes() {
                scale /= 10;
                total += i128::from(digit - b'0') * scale;
            }
            if total > i128::from(u64::MAX) {
                return Err(out_of_range);
            }
            rest = tail;
        }
        i64::try_from(if negative { -total } else { total })
            .map(Self)
            .map_err(|_| ConditionError::OutOfRange(TypeName::Duration))
    }

    /// Seconds with a fraction as needed, for example `90s` or `-0.25s`.
    pub(super) fn to_text(self) -> String {
        let magnitude = self.0.unsigned_abs();
        let mut text = String::new();
        if self.0 < 0 {
            text.push('-');
        }
        let _ = write!(text, "{}", magnitude / 1_000_000_000);
        push_fraction(&mut text, (magnitude % 1_000_000_000) as u32);
        text.push('s');
        text
    }

    /// `self + other`.
    pub(super) fn plus(self, other: Self) -> Result<Self, ConditionError> {
        self.0.checked_add(other.0).map(Self).ok_or(ConditionError::OutOfRange(TypeName::Duration))
    }

    /// `self - other`.
    pub(super) fn minus(self, other: Self) -> Result<Self, ConditionError> {
        self.0.checked_sub(other.0).map(Self).ok_or(ConditionError::OutOfRange(TypeName::Duration))
    }

    /// `-self`.
    pub(super) fn negated(self) -> Result<Self, ConditionError> {
        self.0.checked_neg().map(Self).ok_or(ConditionError::OutOfRange(TypeName::Duration))
    }
}

/// Calendar fields, counted as people do (months and days from 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Civil {
    pub(super) year: i64,
    pub(super) month: i64,
    pub(super) day: i64,
    pub(super) hour: i64,
    pub(super) minute: i64,
    pub(super) second: i64,
    pub(super) millisecond: i64,
    /// 0 is Sunday.
    pub(super) day_of_week: i64,
    /// 0 is the first of January.
    pub(super) day_of_year: i64,
}

impl Civil {
    fn of(instant: Instant, offset: i64) -> Self {
        let local = instant.seconds + offset;
        let days = local.div_euclid(SECONDS_PER_DAY);
        let second_of_day = local.rem_euclid(SECONDS_PER_DAY);
        let (year, month, day) = civil_from_days(days);
        Self {
            year,
            month,
            day,
            hour: second_of_day / 3_600,
            minute: second_of_day / 60 % 60,
            second: second_of_day % 60,
            millisecond: i64::from(instant.nanos / 1_000_000),
            day_of_week: (days + 4).rem_euclid(7),
            day_of_year: days - days_from_civil(year, 1, 1),
        }
    }
}

/// Whether `zone` is what the calendar fields take.
pub(super) fn is_zone(zone: &str) -> bool {
    matches!(zone, "UTC" | "Z" | "") || parse_offset(zone).is_some() || jiff::tz::TimeZone::get(zone).is_ok()
}

/// Days from 1970-01-01 in the proleptic Gregorian calendar.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let year_of_era = shifted.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// The number that exactly `count` digits spell.
fn digits(text: &str, count: usize) -> Option<i64> {
    (text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

/// Nanoseconds of the digits after a point; digits beyond nanoseconds are cut.
fn fraction_nanos(text: &str) -> Option<u32> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let padded = text.bytes().chain(std::iter::repeat(b'0')).take(9);
    Some(padded.fold(0, |nanos, digit| nanos * 10 + u32::from(digit - b'0')))
}

/// Seconds of `+02:00`, `-02:30` or `02:00`.
fn parse_offset(text: &str) -> Option<i64> {
    let (sign, rest) = match text.as_bytes().first()? {
        b'+' => (1, text.get(1..)?),
        b'-' => (-1, text.get(1..)?),
        _ => (1, text),
    };
    let (hours, minutes) = rest.split_once(':')?;
    let hours = digits(hours, 2).filter(|hours| *hours < 24)?;
    let minutes = digits(minutes, 2).filter(|minutes| *minutes < 60)?;
    Some(sign * (hours * 3_600 + minutes * 60))
}

fn push_fraction(text: &mut String, nanos: u32) {
    if nanos != 0 {
        let digits = format!("{nanos:09}");
        text.push('.');
        text.push_str(digits.trim_end_matches('0'));
    }
}
