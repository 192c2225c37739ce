//! Time zones and the parts of a date (RFC 5260 §4).

use base::Timestamp;
use base::time::{DAYS, MONTHS};

/// Minutes east of UTC of `+0100`.
pub(crate) fn parse(text: &str) -> Option<i16> {
    let (sign, digits) = text.split_at_checked(1)?;
    if digits.len() != 4 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (hours, minutes): (i16, i16) = (digits[..2].parse().ok()?, digits[2..].parse().ok()?);
    let offset = hours * 60 + minutes;
    match sign {
        "+" if minutes < 60 => Some(offset),
        "-" if minutes < 60 => Some(-offset),
        _ => None,
    }
}

/// A part of a date, as `date` and `currentdate` name it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum DatePart {
    Year,
    Month,
    Day,
    Date,
    Julian,
    Hour,
    Minute,
    Second,
    Time,
    Iso8601,
    Std11,
    Zone,
    Weekday,
}

impl DatePart {
    const ALL: [(&str, DatePart); 13] = [
        ("year", DatePart::Year),
        ("month", DatePart::Month),
        ("day", DatePart::Day),
        ("date", DatePart::Date),
        ("julian", DatePart::Julian),
        ("hour", DatePart::Hour),
        ("minute", DatePart::Minute),
        ("second", DatePart::Second),
        ("time", DatePart::Time),
        ("iso8601", DatePart::Iso8601),
        ("std11", DatePart::Std11),
        ("zone", DatePart::Zone),
        ("weekday", DatePart::Weekday),
    ];

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, part)| *part)
    }

    /// The part of an instant, as it is written in a zone.
    pub(crate) fn print(self, at: Timestamp, zone_minutes: i16) -> String {
        let local = Timestamp(at.0.saturating_add(i64::from(zone_minutes) * 60));
        let c = local.civil();
        let (sign, offset) = (if zone_minutes < 0 { '-' } else { '+' }, zone_minutes.unsigned_abs());
        let (hours, minutes) = (offset / 60, offset % 60);
        match self {
            DatePart::Year => format!("{:04}", c.year),
            DatePart::Month => format!("{:02}", c.month),
            DatePart::Day => format!("{:02}", c.day),
            DatePart::Date => format!("{:04}-{:02}-{:02}", c.year, c.month, c.day),
            // Day 40587 is 1970-01-01.
            DatePart::Julian => (local.0.div_euclid(86_400) + 40_587).to_string(),
            DatePart::Hour => format!("{:02}", c.hour),
            DatePart::Minute => format!("{:02}", c.minute),
            DatePart::Second => format!("{:02}", c.second),
            DatePart::Time => format!("{:02}:{:02}:{:02}", c.hour, c.minute, c.second),
            DatePart::Iso8601 => {
                let zone =
                    if zone_minutes == 0 { "Z".to_owned() } else { format!("{sign}{hours:02}:{minutes:02}") };
                let date = DatePart::Date.print(at, zone_minutes);
                format!("{date}T{}{zone}", DatePart::Time.print(at, zone_minutes))
            }
            DatePart::Std11 => {
                let day = DAYS[usize::from(c.weekday) % 7];
                let month = MONTHS[usize::from(c.month + 11) % 12];
                let time = DatePart::Time.print(at, zone_minutes);
                format!("{day}, {:02} {month} {:04} {time} {sign}{hours:02}{minutes:02}", c.day, c.year)
            }
            DatePart::Zone => format!("{sign}{hours:02}{minutes:02}"),
            DatePart::Weekday => c.weekday.to_string(),
        }
    }
}
