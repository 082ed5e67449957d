//! Dates and their ranges, resolved to instants while parsing.
//!
//! A date such as `2026-01` stands for its whole span in the context's time zone, `yesterday` for
//! that day, `7d` for the last seven days up to any later time. Days and weeks follow the calendar:
//! across a change of the clock a day may have 23 or 25 hours.

use super::ast::TimeRange;
use super::lexer::Word;
use super::ranges::{RangeText, split};
use super::{Context, QueryError};
use hearth_core::{NO_TIME, UnixNanos};
use jiff::civil::{Date, DateTime};
use jiff::{Span, Timestamp, ToSpan, Zoned};

const EXPECTED: &str = "a date such as 2026-01-15, a word such as today, or a span such as 7d";

/// What one operand stands for.
enum When {
    /// A span of the calendar: from the first instant up to, not including, the second.
    Whole(Zoned, Zoned),
    /// The instant a span of time before now.
    Ago(Zoned),
}

/// The range that a value of a time key stands for.
pub(super) fn range(word: &Word, ctx: &Context<'_>) -> Result<TimeRange, QueryError> {
    let now = now(word, ctx)?;
    let (from, until) = match split(word) {
        RangeText::Equal(value) => match when(&value, &now)? {
            When::Whole(from, until) => (Some(from), Some(until)),
            When::Ago(from) => (Some(from), None),
        },
        RangeText::Less(value) => (None, Some(compared(&value, &now)?.0)),
        RangeText::LessOrEqual(value) => (None, Some(compared(&value, &now)?.1)),
        RangeText::Greater(value) => (Some(compared(&value, &now)?.1), None),
        RangeText::GreaterOrEqual(value) => (Some(compared(&value, &now)?.0), None),
        RangeText::Between(from, to) => return between(from.as_ref(), to.as_ref(), &now),
    };
    Ok(TimeRange { from: instant(from, word)?, until: instant(until, word)? })
}

fn now(word: &Word, ctx: &Context<'_>) -> Result<Zoned, QueryError> {
    let now = Timestamp::from_nanosecond(i128::from(ctx.now_ns)).map_err(|_| out_of_range(word))?;
    Ok(now.to_zoned(ctx.zone.clone()))
}

fn between(from: Option<&Word>, to: Option<&Word>, now: &Zoned) -> Result<TimeRange, QueryError> {
    let start = |word: &Word| instant(Some(bounds(when(word, now)?).0), word);
    let end = |word: &Word| instant(Some(bounds(when(word, now)?).1), word);
    let range =
        TimeRange { from: from.map(start).transpose()?.flatten(), until: to.map(end).transpose()?.flatten() };
    match (range.from, range.until, to) {
        (Some(start), Some(end), Some(to)) if start >= end => {
            Err(QueryError::new(to.start(), "the range ends before it begins", "the earlier date first"))
        }
        _ => Ok(range),
    }
}

fn bounds(when: When) -> (Zoned, Zoned) {
    match when {
        When::Whole(from, until) => (from, until),
        When::Ago(at) => (at.clone(), at),
    }
}

/// Operand of a comparison. A span is refused there: `<7d` could mean younger or earlier.
fn compared(word: &Word, now: &Zoned) -> Result<(Zoned, Zoned), QueryError> {
    match when(word, now)? {
        When::Whole(from, until) => Ok((from, until)),
        When::Ago(_) => {
            let text = word.shown();
            let expected = format!("{text} for the time since then, ..{text} for the time before, or a date");
            Err(QueryError::new(word.start(), "a span cannot be compared", expected))
        }
    }
}

fn instant(zoned: Option<Zoned>, word: &Word) -> Result<Option<UnixNanos>, QueryError> {
    let nanos =
        |zoned: Zoned| i64::try_from(zoned.timestamp().as_nanosecond()).ok().filter(|&ns| ns != NO_TIME);
    zoned.map(|zoned| nanos(zoned).ok_or_else(|| out_of_range(word))).transpose()
}

fn out_of_range(word: &Word) -> QueryError {
    QueryError::new(word.start(), "the date is out of range", "a date between the years 1678 and 2261")
}

fn when(word: &Word, now: &Zoned) -> Result<When, QueryError> {
    let text = String::from_utf8_lossy(&word.bytes()).to_ascii_lowercase();
    if let Some(whole) = named(&text, now) {
        return calendar(whole, word, now);
    }
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 {
        let message = if text.is_empty() {
            "a date is missing".into()
        } else {
            format!("`{}` is no date", word.shown())
        };
        return Err(QueryError::new(word.start(), message, EXPECTED));
    }
    match text.as_bytes().get(digits) {
        None | Some(b'-') => calendar(date(word, &text)?, word, now),
        Some(_) => ago(word, &text, digits, now),
    }
}

/// A span of the calendar before the time zone is applied.
#[derive(Clone, Copy)]
enum Civil {
    Days(Date, Span),
    Time(DateTime, Span),
}

fn calendar(civil: Civil, word: &Word, now: &Zoned) -> Result<When, QueryError> {
    let zone = now.time_zone();
    let zoned = match civil {
        Civil::Days(first, span) => first
            .checked_add(span)
            .and_then(|next| Ok((first.to_zoned(zone.clone())?, next.to_zoned(zone.clone())?))),
        Civil::Time(first, span) => {
            first.to_zoned(zone.clone()).and_then(|first| Ok((first.clone(), first.checked_add(span)?)))
        }
    };
    zoned.map(|(from, until)| When::Whole(from, until)).map_err(|_| out_of_range(word))
}

/// The words for days, weeks, months and years around now.
fn named(text: &str, now: &Zoned) -> Option<Civil> {
    let today = now.date();
    let days_since_monday = i64::from(today.weekday().to_monday_zero_offset());
    let monday = today.checked_sub(days_since_monday.days()).ok()?;
    let (first, span) = match text {
        "today" => (today, 1.day()),
        "yesterday" => (today.yesterday().ok()?, 1.day()),
        "thisweek" => (monday, 1.week()),
        "lastweek" => (monday.checked_sub(1.week()).ok()?, 1.week()),
        "thismonth" => (today.first_of_month(), 1.month()),
        "lastmonth" => (today.first_of_month().checked_sub(1.month()).ok()?, 1.month()),
        "thisyear" => (today.first_of_year(), 1.year()),
        "lastyear" => (today.first_of_year().checked_sub(1.year()).ok()?, 1.year()),
        _ => return None,
    };
    Some(Civil::Days(first, span))
}

/// `2026`, `2026-01`, `2026-01-15`, `2026-01-15T10:30`, `2026-01-15T10:30:00`.
fn date(word: &Word, text: &str) -> Result<Civil, QueryError> {
    let (day, time) = text.split_once('t').map_or((text, None), |(day, time)| (day, Some(time)));
    let bad = || {
        QueryError::new(
            word.start(),
            format!("`{}` is no date", word.shown()),
            "a date such as 2026-01-15T10:30",
        )
    };
    let fields: Vec<i16> = fields(day, '-', &[4, 2, 2]).ok_or_else(bad)?;
    let part = |index: usize| fields.get(index).map_or(Some(1), |&value| i8::try_from(value).ok());
    let first = part(1).zip(part(2)).and_then(|(month, day)| Date::new(fields[0], month, day).ok());
    let first = first.ok_or_else(bad)?;
    match (fields.len(), time) {
        (1, None) => Ok(Civil::Days(first, 1.year())),
        (2, None) => Ok(Civil::Days(first, 1.month())),
        (3, None) => Ok(Civil::Days(first, 1.day())),
        (3, Some(time)) => clock(first, time).ok_or_else(bad),
        _ => Err(bad()),
    }
}

fn clock(day: Date, time: &str) -> Option<Civil> {
    let parts = fields(time, ':', &[2, 2, 2]).filter(|parts| parts.len() >= 2)?;
    let part = |index: usize| parts.get(index).map_or(Some(0), |&value| i8::try_from(value).ok());
    let time = jiff::civil::Time::new(part(0)?, part(1)?, part(2)?, 0).ok()?;
    let span = if parts.len() == 3 { 1.second() } else { 1.minute() };
    Some(Civil::Time(day.to_datetime(time), span))
}

/// Numbers separated by `separator`, at most as many as `widths` and each of exactly that many digits.
fn fields(text: &str, separator: char, widths: &[usize]) -> Option<Vec<i16>> {
    let parts: Vec<&str> = text.split(separator).collect();
    let fits = |(part, width): (&&str, &usize)| {
        part.len() == *width && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    if parts.len() > widths.len() || !parts.iter().zip(widths).all(fits) {
        return None;
    }
    parts.iter().map(|part| part.parse().ok()).collect()
}

/// `30s` `30m` `12h` `7d` `2w` `3mo` `1y`: the instant that long before now.
fn ago(word: &Word, text: &str, digits: usize, now: &Zoned) -> Result<When, QueryError> {
    let span = |count: i64| -> Option<Result<Span, jiff::Error>> {
        let zero = Span::new();
        Some(match &text[digits..] {
            "s" => zero.try_seconds(count),
            "m" => zero.try_minutes(count),
            "h" => zero.try_hours(count),
            "d" => zero.try_days(count),
            "w" => zero.try_weeks(count),
            "mo" => zero.try_months(count),
            "y" => zero.try_years(count),
            _ => return None,
        })
    };
    let unknown = || {
        let message = format!("there is no span of time `{}`", word.tail(digits).shown());
        QueryError::new(word.at(digits), message, "s, m, h, d, w, mo or y (seconds to years), or a date")
    };
    let count = text[..digits].parse().map_err(|_| out_of_range(word))?;
    let span = span(count).ok_or_else(unknown)?;
    let at = span.and_then(|span| now.checked_sub(span)).map_err(|_| out_of_range(word))?;
    Ok(When::Ago(at))
}
