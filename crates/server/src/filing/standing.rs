//! What people set who write no Sieve: where their mail goes on to, and what is answered while they are away. It becomes a
//! script that runs before their own.

use base::Address;
use serde::{Deserialize, Serialize};
use std::fmt::Write;

/// Addresses that mail of an account may go on to.
pub const MOST_FORWARDS: usize = 5;

/// Octets of a vacation reply's text.
pub const MOST_TEXT: usize = 16 * 1024;

/// What an account has set.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct Standing {
    /// Where its mail goes on to.
    pub forward: Option<Forward>,
    /// What is answered.
    pub vacation: Option<Away>,
}

/// Where mail goes on to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Forward {
    /// Addresses.
    pub to: Vec<String>,
    /// Whether a copy stays.
    pub keep: bool,
}

/// What is answered while somebody is away.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Away {
    /// The text.
    pub text: String,
    /// The subject, if it is not to be made from the message's.
    pub subject: Option<String>,
    /// The first day, as `2026-12-24`; in UTC.
    pub from: Option<String>,
    /// The last day.
    pub until: Option<String>,
}

impl Standing {
    /// Reads what [`Standing::print`] wrote.
    pub fn parse(text: &str) -> Self {
        // Only this server writes it; what it can't read stands for nothing.
        serde_json::from_str(text).unwrap_or_default()
    }

    /// As it is kept; `None` where nothing is set.
    pub fn print(&self) -> Option<String> {
        (*self != Standing::default()).then(|| serde_json::to_string(self).unwrap_or_default())
    }

    /// Sets where mail goes on to.
    ///
    /// # Errors
    /// What is wrong, for the person.
    pub fn set_forward(&mut self, forward: Option<Forward>) -> Result<(), String> {
        if let Some(forward) = &forward {
            if forward.to.is_empty() || forward.to.len() > MOST_FORWARDS {
                return Err(format!("name one to {MOST_FORWARDS} addresses"));
            }
            for to in &forward.to {
                Address::parse(to).map_err(|_| format!("{to} is no mail address (user@domain)"))?;
            }
        }
        self.forward = forward;
        Ok(())
    }

    /// Sets what is answered.
    ///
    /// # Errors
    /// What is wrong, for the person.
    pub fn set_vacation(&mut self, vacation: Option<Away>) -> Result<(), String> {
        if let Some(away) = &vacation {
            if away.text.trim().is_empty() || away.text.len() > MOST_TEXT {
                return Err(format!("the text must have something to say, in {MOST_TEXT} octets at most"));
            }
            for day in [&away.from, &away.until].into_iter().flatten() {
                if !is_day(day) {
                    return Err(format!("{day:?} is no day: 2026-12-24"));
                }
            }
            if away.from.is_some() && away.until.is_some() && away.from > away.until {
                return Err("the last day lies before the first".into());
            }
        }
        self.vacation = vacation;
        Ok(())
    }

    /// The script that does it.
    pub fn script(&self) -> String {
        let mut out = "require [\"copy\", \"date\", \"relational\", \"vacation\"];\n".to_owned();
        if let Some(away) = &self.vacation {
            out.push_str(&away.script());
        }
        for to in self.forward.iter().flat_map(|forward| &forward.to) {
            let copy = if self.forward.as_ref().is_some_and(|forward| forward.keep) { ":copy " } else { "" };
            let _ = writeln!(out, "redirect {copy}{};", quoted(to));
        }
        out
    }

    /// What is set, for the person.
    pub fn words(&self, address: &str) -> String {
        let forward = match &self.forward {
            None => format!("mail for {address} is not forwarded"),
            Some(Forward { to, keep }) => {
                let copy = if *keep { "and a copy is kept" } else { "and no copy is kept" };
                format!("mail for {address} goes on to {}, {copy}", to.join(", "))
            }
        };
        let vacation = match &self.vacation {
            None => "it is not answered".to_owned(),
            Some(Away { from, until, .. }) => {
                let from = from.as_ref().map(|day| format!(" from {day}")).unwrap_or_default();
                let until = until.as_ref().map(|day| format!(" until {day}")).unwrap_or_default();
                format!("it is answered{from}{until}")
            }
        };
        format!("{forward}; {vacation}")
    }
}

impl Away {
    fn script(&self) -> String {
        let day = |relation: &str, day: &Option<String>| {
            let test =
                |day| format!("currentdate :zone \"+0000\" :value \"{relation}\" \"date\" {}", quoted(day));
            day.as_ref().map(|day| test(day.as_str()))
        };
        let days: Vec<String> =
            [day("ge", &self.from), day("le", &self.until)].into_iter().flatten().collect();
        let test = if days.is_empty() { "true".to_owned() } else { format!("allof ({})", days.join(", ")) };
        let subject = self.subject.as_ref().map(|subject| format!(":subject {} ", quoted(subject)));
        format!("if {test} {{ vacation {}{}; }}\n", subject.unwrap_or_default(), quoted(&self.text))
    }
}

/// RFC 5228 §2.4.2
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\0', "").replace('\\', "\\\\").replace('"', "\\\""))
}

/// Whether a text is a day of RFC 3339; every month has 31.
fn is_day(text: &str) -> bool {
    let number = |range: std::ops::Range<usize>, most: u32| {
        let digits = text.get(range).filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
        digits.and_then(|digits| digits.parse().ok()).is_some_and(|number: u32| (1..=most).contains(&number))
    };
    let dashes = text.get(4..5) == Some("-") && text.get(7..8) == Some("-");
    text.len() == 10 && dashes && number(0..4, 9999) && number(5..7, 12) && number(8..10, 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forward(to: &[&str], keep: bool) -> Option<Forward> {
        Some(Forward { to: to.iter().map(|to| (*to).to_owned()).collect(), keep })
    }

    fn away(text: &str, from: Option<&str>, until: Option<&str>) -> Option<Away> {
        let day = |day: Option<&str>| day.map(str::to_owned);
        Some(Away {
            text: text.into(),
            subject: Some("Gone \"fishing\"".into()),
            from: day(from),
            until: day(until),
        })
    }

    /// Whatever is set comes back as it was, and makes a script that is right.
    #[test]
    fn what_is_set_makes_a_script() {
        for (forward, vacation) in [
            (None, None),
            (forward(&["a@example.net"], true), None),
            (forward(&["\"a \\\" b\"@example.net", "b@example.net"], false), away("x", None, None)),
            (None, away("back\\slash \"quote\"\r\n.\r\n; discard;", Some("2026-12-24"), Some("2027-01-06"))),
        ] {
            let mut standing = Standing::default();
            standing.set_forward(forward).unwrap();
            standing.set_vacation(vacation).unwrap();
            let script = standing.script();
            super::super::compile(&script).unwrap_or_else(|error| panic!("{error}: {script}"));
            assert_eq!(standing.print().is_none(), standing == Standing::default());
            assert_eq!(Standing::parse(&standing.print().unwrap_or_default()), standing);
        }
    }

    #[test]
    fn what_can_not_be_set() {
        let mut standing = Standing::default();
        for bad in [forward(&[], true), forward(&["nobody"], true), forward(&["a@b.test"; 6], true)] {
            assert!(standing.set_forward(bad.clone()).is_err(), "{bad:?}");
        }
        for (text, from, until) in [
            (" \r\n", None, None),
            ("x", Some("24.12.2026"), None),
            ("x", Some("2026-13-01"), None),
            ("x", None, Some("2026-00-01")),
            ("x", Some("2027-01-01"), Some("2026-12-31")),
            (&*"x".repeat(MOST_TEXT + 1), None, None),
        ] {
            assert!(standing.set_vacation(away(text, from, until)).is_err(), "{from:?} {until:?}");
        }
        assert_eq!(standing, Standing::default());
    }
}
