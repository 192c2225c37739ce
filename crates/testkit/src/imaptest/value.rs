//! Server replies and expected replies as trees, and how the one is held against the other.

use std::collections::HashMap;

/// A token, or a list of them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    /// An atom, a quoted string or a literal: they compare alike.
    Text(String),
    /// Values in parentheses, or in the brackets of a response code.
    List(Vec<Value>),
}

/// Takes a line (literals in place, as `{n}CRLF` and octets) apart. `None` where parentheses don't balance.
pub fn parse(line: &str) -> Option<Vec<Value>> {
    let mut stack: Vec<Vec<Value>> = vec![Vec::new()];
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        match first {
            ' ' | '\r' | '\n' => rest = &rest[1..],
            '(' => {
                stack.push(Vec::new());
                rest = &rest[1..];
            }
            ')' => {
                let list = stack.pop()?;
                stack.last_mut()?.push(Value::List(list));
                rest = &rest[1..];
            }
            _ => {
                let (value, after) = token(rest)?;
                stack.last_mut()?.push(value);
                rest = after;
            }
        }
    }
    let whole = stack.pop()?;
    stack.is_empty().then_some(whole)
}

fn token(text: &str) -> Option<(Value, &str)> {
    if let Some(rest) = text.strip_prefix('"') {
        return quoted(rest);
    }
    if let Some((length, rest)) = literal_head(text) {
        return Some((Value::Text(rest.get(..length)?.to_owned()), &rest[length..]));
    }
    if let Some(rest) = text.strip_prefix('[') {
        let end = rest.find(']')?;
        return Some((Value::List(parse(&rest[..end])?), &rest[end + 1..]));
    }
    let mut depth = 0;
    let end = text.find(|c: char| {
        depth += i32::from(c == '[') - i32::from(c == ']');
        depth <= 0 && (" ()\r\n".contains(c))
    });
    let (atom, rest) = text.split_at(end.unwrap_or(text.len()));
    Some((Value::Text(atom.to_owned()), rest))
}

fn quoted(text: &str) -> Option<(Value, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return Some((Value::Text(value), &text[at + 1..])),
            '\\' => value.push(characters.next()?.1),
            c => value.push(c),
        }
    }
    None
}

/// `{n}CRLF` or `~{n}CRLF` at the start: n, and what follows the line end.
fn literal_head(text: &str) -> Option<(usize, &str)> {
    let inner = text.strip_prefix('~').unwrap_or(text).strip_prefix('{')?;
    let (number, rest) = inner.split_once("}\r\n")?;
    Some((number.trim_end_matches('+').parse().ok()?, rest))
}

/// What the variables of a script stand for.
pub type Variables = HashMap<String, String>;

/// How a list is to be compared: in order, or as groups of so many values in any order.
#[derive(Clone)]
struct ListRule {
    group: Option<usize>,
    extra: bool,
    ignore: Vec<String>,
    ban: Vec<String>,
}

impl ListRule {
    const ORDERED: ListRule = ListRule { group: None, extra: false, ignore: Vec::new(), ban: Vec::new() };

    fn unordered(group: usize) -> Self {
        ListRule { group: Some(group), extra: true, ..Self::ORDERED }
    }

    /// Reads `$!` directives off the front of an expected list.
    fn read(default: ListRule, list: &[Value]) -> (ListRule, &[Value]) {
        let is_directive = |v: &&Value| matches!(v, Value::Text(t) if t.starts_with("$!"));
        let count = list.iter().filter(is_directive).count();
        if count == 0 {
            return (default, list);
        }
        let mut rule = ListRule::ORDERED;
        let mut items = 0;
        for value in list.iter().take_while(is_directive) {
            items += 1;
            let Value::Text(text) = value else { continue };
            let (word, argument) = text[2..].split_once('=').unwrap_or((&text[2..], ""));
            match word {
                "unordered" => rule = ListRule::unordered(argument.parse().unwrap_or(1)),
                "noextra" => rule.extra = false,
                "extra" => rule.extra = true,
                "ignore" => rule.ignore.push(argument.to_ascii_lowercase()),
                "ban" => rule.ban.push(argument.to_ascii_lowercase()),
                _ => {}
            }
        }
        // A directive may stand behind other values too (`$!ban=` in listext): it is none of the wanted values.
        for value in &list[items..] {
            if let Value::Text(text) = value
                && let Some(argument) = text.strip_prefix("$!ban=")
            {
                rule.ban.push(argument.to_ascii_lowercase());
            }
        }
        (rule, &list[items..])
    }
}

/// One comparison: the variables that are known, and how a command's sequence numbers moved.
pub struct Matching<'m> {
    /// Known variables; those that a match binds are added.
    pub variables: &'m mut Variables,
    /// Gives the present number of a message from its number when the command began.
    pub sequence: &'m dyn Fn(u32) -> u32,
}

impl Matching<'_> {
    /// Whether an untagged reply is the expected one. Variables are bound only if it is.
    pub fn reply(&mut self, expected: &[Value], got: &[Value]) -> bool {
        let saved = self.variables.clone();
        let matches = self.reply_inner(expected, got);
        if !matches {
            *self.variables = saved;
        }
        matches
    }

    fn reply_inner(&mut self, expected: &[Value], got: &[Value]) -> bool {
        let word = |values: &[Value], at: usize| match values.get(at) {
            Some(Value::Text(text)) => text.to_ascii_lowercase(),
            _ => String::new(),
        };
        // Of status replies only what is expected counts: the code, or the start of the text.
        let prefix = matches!(word(got, 0).as_str(), "ok" | "no" | "bad" | "bye" | "preauth");
        if prefix && got.len() > expected.len() {
            return self.values(expected, &got[..expected.len()], &ListRule::ORDERED);
        }
        if expected.len() != got.len() {
            return false;
        }
        let kind = if word(got, 1) == "fetch" { "fetch".to_owned() } else { word(got, 0) };
        expected.iter().zip(got).enumerate().all(|(at, (want, have))| match (want, have) {
            (Value::List(want), Value::List(have)) => {
                let rule = match (kind.as_str(), at) {
                    ("fetch", 2) | ("status", 2) => ListRule::unordered(2),
                    ("list" | "lsub", 1) => ListRule::unordered(1),
                    _ => ListRule::ORDERED,
                };
                self.list(want, have, rule)
            }
            _ => self.value(want, have),
        })
    }

    fn list(&mut self, expected: &[Value], got: &[Value], default: ListRule) -> bool {
        let (rule, expected) = ListRule::read(default, expected);
        let expected: Vec<Value> = expected
            .iter()
            .filter(|v| !matches!(v, Value::Text(t) if t.starts_with("$!")))
            .cloned()
            .collect();
        self.values(&expected, got, &rule)
    }

    fn values(&mut self, expected: &[Value], got: &[Value], rule: &ListRule) -> bool {
        let banned = |v: &Value| matches!(v, Value::Text(t) if rule.ban.contains(&t.to_ascii_lowercase()));
        if got.iter().any(banned) {
            return false;
        }
        let Some(group) = rule.group else {
            return expected.len() == got.len() && expected.iter().zip(got).all(|(e, g)| self.value(e, g));
        };
        let mut left: Vec<&[Value]> = got.chunks(group).collect();
        for want in expected.chunks(group) {
            let Some(at) = left.iter().position(|have| self.group(want, have)) else { return false };
            left.remove(at);
        }
        let ignored = |have: &&[Value]| matches!(have.first(), Some(Value::Text(t)) if rule.ignore.contains(&t.to_ascii_lowercase()));
        rule.extra || left.iter().all(ignored)
    }

    fn group(&mut self, want: &[Value], have: &[Value]) -> bool {
        if want.len() != have.len() {
            return false;
        }
        let saved = self.variables.clone();
        let flags = matches!(want.first(), Some(Value::Text(t)) if t.eq_ignore_ascii_case("flags"));
        let matches = want.iter().zip(have).all(|(w, h)| match (w, h) {
            (Value::List(w), Value::List(h)) if flags => {
                let ignore = vec!["\\recent".to_owned()];
                self.list(w, h, ListRule { group: Some(1), extra: false, ignore, ban: Vec::new() })
            }
            _ => self.value(w, h),
        });
        if !matches {
            *self.variables = saved;
        }
        matches
    }

    fn value(&mut self, want: &Value, have: &Value) -> bool {
        match (want, have) {
            (Value::Text(want), _) if want == "$" => true,
            (Value::List(want), Value::List(have)) => self.list(want, have, ListRule::ORDERED),
            (Value::Text(want), Value::Text(have)) => self.text(want, have),
            _ => false,
        }
    }

    /// Text with variables: known ones are put in, an unknown one takes what the server said up to what follows it.
    fn text(&mut self, want: &str, have: &str) -> bool {
        let mut rest = have;
        let mut pieces = pieces(want).into_iter().peekable();
        while let Some(piece) = pieces.next() {
            let known = match &piece {
                Piece::Text(text) => Some(text.clone()),
                Piece::Variable(name) => match name.parse::<u32>() {
                    Ok(number) => Some((self.sequence)(number).to_string()),
                    Err(_) => self.variables.get(name).cloned(),
                },
            };
            match (known, piece) {
                (Some(text), _) => match strip_prefix_ignoring_case(rest, &text) {
                    Some(after) => rest = after,
                    None => return false,
                },
                (None, Piece::Variable(name)) => {
                    let end = match pieces.peek() {
                        Some(Piece::Text(next)) => match rest.find(next.as_str()) {
                            Some(end) => end,
                            None => return false,
                        },
                        _ => rest.len(),
                    };
                    self.variables.insert(name, rest[..end].to_owned());
                    rest = &rest[end..];
                }
                (None, Piece::Text(_)) => return false,
            }
        }
        rest.is_empty()
    }
}

fn strip_prefix_ignoring_case<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then(|| &text[prefix.len()..])
}

/// A piece of a text with variables.
#[derive(PartialEq, Eq, Debug)]
pub enum Piece {
    /// Stands for itself.
    Text(String),
    /// `$name` or `${name}`.
    Variable(String),
}

/// Takes a text with variables apart. `$$` is a dollar sign.
pub fn pieces(text: &str) -> Vec<Piece> {
    let mut out: Vec<Piece> = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        plain.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            plain.push('$');
            rest = after;
            continue;
        }
        let braced = rest.strip_prefix('{').and_then(|r| r.split_once('}'));
        let (name, after) = match braced {
            Some(pair) => pair,
            None => rest
                .split_at(rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len())),
        };
        if !plain.is_empty() {
            out.push(Piece::Text(std::mem::take(&mut plain)));
        }
        out.push(Piece::Variable(name.to_owned()));
        rest = after;
    }
    plain.push_str(rest);
    if !plain.is_empty() {
        out.push(Piece::Text(plain));
    }
    out
}

/// Puts known variables in; unknown ones become nothing.
pub fn expand(text: &str, variables: &Variables, sequence: &dyn Fn(u32) -> u32) -> String {
    let value = |piece: Piece| match piece {
        Piece::Text(text) => text,
        Piece::Variable(name) => match name.parse::<u32>() {
            Ok(number) => sequence(number).to_string(),
            Err(_) => variables.get(&name).cloned().unwrap_or_default(),
        },
    };
    pieces(text).into_iter().map(value).collect()
}
