//! Single values in words: texts, moments, durations, names of enum values.

use crate::{
    Timestamp,
    wire::{Message, schema::Kind},
};

const MICROS: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;
/// The seconds of the years 1 to 9999, beyond which a moment is shown by its numbers.
const SECONDS: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;

/// A text with everything that could mislead a reader written out: control characters, characters that are not seen or
/// turn the direction of writing, forms that pass for ASCII, and the backslash itself. Letters of every language stay.
pub fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if misleads(character) {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

fn misleads(character: char) -> bool {
    let is_space = character.is_whitespace() && character != ' ';
    is_space || character.is_control() || character == '\\' || is_unseen(character) || passes_for_ascii(character)
}

/// Format characters (Unicode's category Cf, every mark of direction among them), variation selectors, letters without a
/// form of their own, private use.
fn is_unseen(character: char) -> bool {
    matches!(
        u32::from(character),
        0xad | 0x34f
            | 0x600..=0x605
            | 0x61c
            | 0x6dd
            | 0x70f
            | 0x890..=0x891
            | 0x8e2
            | 0x115f..=0x1160
            | 0x17b4..=0x17b5
            | 0x180b..=0x180f
            | 0x200b..=0x200f
            | 0x2028..=0x202e
            | 0x2060..=0x206f
            | 0x2800
            | 0x3164
            | 0xe000..=0xf8ff
            | 0xfe00..=0xfe0f
            | 0xfeff
            | 0xffa0
            | 0xfff0..=0xfffb
            | 0x110bd
            | 0x110cd
            | 0x13430..=0x1343f
            | 0x1bca0..=0x1bca3
            | 0x1d173..=0x1d17a
            | 0xe0000..=0x10_ffff
    )
}

/// Full-width and mathematical forms of letters and digits.
fn passes_for_ascii(character: char) -> bool {
    matches!(u32::from(character), 0xff01..=0xff5e | 0x1d400..=0x1d7ff)
}

/// A moment in UTC, such as `2026-07-22T08:15:00.000000Z`.
pub fn moment(time: Timestamp) -> String {
    instant(time.0.div_euclid(MICROS), time.0.rem_euclid(MICROS) * 1_000)
}

/// A duration in seconds, such as `30 s` or `0.25 s`.
pub fn duration(seconds: u64, nanos: u32) -> String {
    let fraction = format!("{nanos:09}");
    match fraction.trim_end_matches('0') {
        "" => format!("{seconds} s"),
        fraction => format!("{seconds}.{fraction} s"),
    }
}

/// Messages that are one value.
pub(super) fn of_message(message: &Message<'_>) -> Option<String> {
    let (seconds, nanos) = (message.number(1), message.number(2));
    let in_second = (0..1_000_000_000).contains(&nanos);
    match message.name() {
        "Timestamp" => (in_second && SECONDS.contains(&seconds)).then(|| instant(seconds, nanos)),
        "Duration" => Some(duration(u64::try_from(seconds).ok()?, u32::try_from(nanos).ok().filter(|_| in_second)?)),
        _ => None,
    }
}

pub(super) fn of_number(field: &str, kind: Kind, number: i64) -> String {
    match kind {
        Kind::Enum(names) => names
            .iter()
            .find(|(value, _)| i64::from(*value) == number)
            .map_or_else(|| format!("value {number}"), |(_, name)| (*name).to_owned()),
        Kind::Bool => (number != 0).to_string(),
        Kind::Uint32 => (number as u32).to_string(),
        Kind::Int64 if field == "login_after" => format!("{number} ({})", moment(Timestamp(number))),
        Kind::Int32 | Kind::Int64 | Kind::Text | Kind::Bytes | Kind::Retired | Kind::Message(_) => number.to_string(),
    }
}

/// What old releases wrote: mostly fingerprints, which are text. Quotation marks tell a text from hex digits.
pub(super) fn of_retired(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.chars().all(|c| c.is_ascii_graphic()) => format!("\"{}\"", escaped(text)),
        Ok(_) | Err(_) => hex::encode(bytes),
    }
}

/// A moment by its seconds since the epoch and the nanoseconds behind them: six digits of a second, or nine where six
/// do not say everything.
fn instant(seconds: i64, nanos: i64) -> String {
    let (year, month, day) = date(seconds.div_euclid(SECONDS_PER_DAY));
    let of_day = seconds.rem_euclid(SECONDS_PER_DAY);
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    let fraction = if nanos % 1_000 == 0 { format!("{:06}", nanos / 1_000) } else { format!("{nanos:09}") };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction}Z")
}

/// Year, month and day of a day since the epoch in the proleptic Gregorian calendar. Counts in eras of 400 years from
/// the first of March of the year 0, so that the leap day is the last of its year.
fn date(days: i64) -> (i64, i64, i64) {
    const DAYS_PER_ERA: i64 = 146_097;
    let days = days + 719_468;
    let era = days.div_euclid(DAYS_PER_ERA);
    let of_era = days.rem_euclid(DAYS_PER_ERA);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_people_write_them() {
        assert_eq!(moment(Timestamp(0)), "1970-01-01T00:00:00.000000Z");
        assert_eq!(moment(Timestamp(1_709_164_800_123_456)), "2024-02-29T00:00:00.123456Z");
        assert_eq!(moment(Timestamp(-1)), "1969-12-31T23:59:59.999999Z");
        assert_eq!(moment(Timestamp(-62_135_596_800_000_000)), "0001-01-01T00:00:00.000000Z");
        assert_eq!(moment(Timestamp(253_402_300_799_999_999)), "9999-12-31T23:59:59.999999Z");
        assert_eq!(instant(0, 1), "1970-01-01T00:00:00.000000001Z");
    }

    #[test]
    fn durations_lose_nothing() {
        assert_eq!(duration(30, 0), "30 s");
        assert_eq!(duration(0, 250_000_000), "0.25 s");
        assert_eq!(duration(1, 1), "1.000000001 s");
    }

    #[test]
    fn a_text_cannot_mislead() {
        assert_eq!(escaped("a\u{202e}b\n\\c"), "a\\u{202e}b\\n\\\\c");
        for hostile in
            ["\u{2066}", "\u{200b}", "\u{feff}", "\u{ad}", "\u{a0}", "\u{3164}", "\u{e0041}", "\u{1d41a}", "\u{9b}"]
        {
            assert!(escaped(hostile).is_ascii(), "{hostile:?}");
        }
    }

    #[test]
    fn people_may_write_in_their_own_language() {
        for text in
            ["Zürich: \"erst nach der Prüfung\"", "он сказал 'нет'", "監査の前は不可", "לא לפני הביקורת", "ไม่ได้"]
        {
            assert_eq!(escaped(text), text);
        }
    }
}
