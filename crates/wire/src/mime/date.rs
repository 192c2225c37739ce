//! Dates of header fields (RFC 5322 §3.3, obsolete syntax §4.3), and what other software writes for them.

use super::parameter::comment;
use base::Timestamp;
use base::time::MONTHS;

/// A date with the zone it was written in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Date {
    /// The instant.
    pub at: Timestamp,
    /// Minutes east of UTC; 0 where the zone is not known.
    pub zone_minutes: i16,
}

impl Date {
    /// The instant that has, in UTC, the date and time that was written: IMAP's SENTSINCE and the like disregard the
    /// zone (RFC 9051 §6.4.4).
    pub fn written(&self) -> Timestamp {
        Timestamp(self.at.0 + i64::from(self.zone_minutes) * 60)
    }
}

/// Octets of a value that are looked at.
const MAX_OCTETS: usize = 1000;

/// Reads a date; `None` if there is no valid day, month and year. Also takes a date without time, `8-Dec-2025`, the
/// order of C's `asctime`, and zones like `GMT+02:00`, in a comment too if there is none outside.
pub fn parse(value: &[u8]) -> Option<Date> {
    let value = &value[..value.len().min(MAX_OCTETS)];
    let mut found = Found::default();
    let mut at = 0;
    let mut remark = None;
    while let Some(&b) = value.get(at) {
        if b == b'(' {
            let length = comment(&value[at..]);
            remark = remark.or_else(|| value.get(at + 1..at + length - 1));
            at += length;
            continue;
        }
        if b.is_ascii_whitespace() || b == b',' {
            at += 1;
            continue;
        }
        let rest = &value[at..];
        let ends = |b: &u8| b.is_ascii_whitespace() || b",(".contains(b);
        let length = rest.iter().position(ends).unwrap_or(rest.len()).max(1);
        found.token(&rest[..length]);
        at += length;
    }
    if found.zone.is_none() {
        found.zone = remark.map(<[u8]>::trim_ascii).filter(|text| offset_at(text).is_some()).and_then(zone);
    }
    found.date()
}

#[derive(Default)]
struct Found {
    day: Option<u8>,
    month: Option<u8>,
    year: Option<i64>,
    time: Option<(u8, u8, u8)>,
    zone: Option<i16>,
}

impl Found {
    fn token(&mut self, token: &[u8]) {
        if let Some(month) = month(token) {
            self.month = self.month.or(Some(month));
        } else if token.iter().all(u8::is_ascii_digit) {
            self.number(token);
        } else if token.contains(&b':') && token[0].is_ascii_digit() {
            self.clock(token);
        } else if matches!(token[0], b'+' | b'-') || self.time.is_some() {
            self.zone = self.zone.or_else(|| zone(token));
        } else if token.contains(&b'-') {
            token.split(|&b| b == b'-').filter(|piece| !piece.is_empty()).for_each(|piece| {
                if let Some(month) = month(piece) {
                    self.month = Some(month);
                } else if piece.iter().all(u8::is_ascii_digit) {
                    self.number(piece);
                }
            });
        }
    }

    /// A day comes before a year.
    fn number(&mut self, digits: &[u8]) {
        let Some(n) = number(digits) else { return };
        match digits.len() {
            1 | 2 if self.day.is_none() => self.day = u8::try_from(n).ok(),
            // RFC 5322 §4.3
            2 if self.year.is_none() => self.year = Some(if n < 50 { n + 2000 } else { n + 1900 }),
            3 if self.year.is_none() => self.year = Some(n + 1900),
            4 if self.year.is_none() => self.year = Some(n),
            _ => {}
        }
    }

    /// `hh:mm` or `hh:mm:ss`, fractions dropped; the zone may follow without a blank.
    fn clock(&mut self, token: &[u8]) {
        let end = token.iter().position(|b| !b.is_ascii_digit() && *b != b':').unwrap_or(token.len());
        let mut pieces = token[..end].split(|&b| b == b':').map(number);
        let (Some(Some(hour)), Some(Some(minute))) = (pieces.next(), pieces.next()) else { return };
        let second = pieces.next().flatten().unwrap_or(0);
        if hour < 24 && minute < 60 && second <= 60 {
            self.time = Some((hour as u8, minute as u8, second as u8));
        }
        if matches!(token.get(end), Some(b'+' | b'-')) {
            self.zone = zone(&token[end..]);
        }
    }

    fn date(self) -> Option<Date> {
        let (day, month, year) = (self.day?, self.month?, self.year?);
        let (hour, minute, second) = self.time.unwrap_or_default();
        let written = Timestamp::from_civil(year, month, day, hour, minute, second);
        // 31 February would come out as another day.
        let midday = Timestamp::from_civil(year, month, day, 12, 0, 0).civil();
        if (midday.day, midday.month) != (day, month) {
            return None;
        }
        let zone_minutes = self.zone.unwrap_or(0);
        Some(Date { at: Timestamp(written.0 - i64::from(zone_minutes) * 60), zone_minutes })
    }
}

fn month(token: &[u8]) -> Option<u8> {
    let head = token.get(..3)?;
    let at = MONTHS.iter().position(|name| name.as_bytes().eq_ignore_ascii_case(head))?;
    token.iter().all(u8::is_ascii_alphabetic).then_some(at as u8 + 1)
}

fn number(digits: &[u8]) -> Option<i64> {
    std::str::from_utf8(digits).ok().filter(|text| text.len() <= 9)?.parse().ok()
}

/// Where the numeric offset begins in `GMT+02:00`.
fn offset_at(token: &[u8]) -> Option<usize> {
    token.iter().position(|b| matches!(b, b'+' | b'-'))
}

/// Minutes east of UTC. Names that are not known, military ones too, mean that the zone is unknown (RFC 5322 §4.3).
fn zone(token: &[u8]) -> Option<i16> {
    if let Some(at) = offset_at(token) {
        let known =
            at == 0 || ["GMT", "UTC", "UT"].iter().any(|n| token[..at].eq_ignore_ascii_case(n.as_bytes()));
        return known.then(|| offset(&token[at..])).flatten();
    }
    let hours = match token.to_ascii_uppercase().as_slice() {
        b"EDT" => -4,
        b"EST" | b"CDT" => -5,
        b"CST" | b"MDT" => -6,
        b"MST" | b"PDT" => -7,
        b"PST" => -8,
        name if !name.is_empty() && name.iter().all(u8::is_ascii_alphabetic) => 0,
        _ => return None,
    };
    Some(hours * 60)
}

/// `+0200`, `+02:00`, `+02`, `+2`
fn offset(text: &[u8]) -> Option<i16> {
    let (sign, rest) = text.split_first()?;
    let digits: Vec<u8> =
        rest.iter().copied().filter(|&b| b != b':').take_while(u8::is_ascii_digit).collect();
    let n = number(&digits)?;
    let minutes = match digits.len() {
        1 | 2 => n * 60,
        3 | 4 if n % 100 < 60 => n / 100 * 60 + n % 100,
        _ => return None,
    };
    let minutes = i16::try_from(minutes).ok().filter(|m| *m <= 24 * 60)?;
    Some(if *sign == b'-' { -minutes } else { minutes })
}
