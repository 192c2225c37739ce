//! Tokens (RFC 5228 §8.1).

use crate::error::Fault;
use std::borrow::Cow;

/// A token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Token {
    /// The name of a command or test, lower case.
    Name(String),
    /// `:tag`, lower case, without its colon.
    Tag(String),
    Number(u64),
    /// A quoted or multi-line string, its quoting and dot-stuffing undone, its line ends CRLF.
    String(String),
    /// `{ } ( ) [ ] , ;`
    Mark(char),
    End,
}

impl Token {
    /// The token in words.
    pub(crate) fn describe(&self) -> String {
        match self {
            Token::Name(name) => format!("\"{name}\""),
            Token::Tag(tag) => format!("\":{tag}\""),
            Token::Number(number) => format!("the number {number}"),
            Token::String(_) => "a string".to_owned(),
            Token::Mark(mark) => format!("\"{mark}\""),
            Token::End => "the end of the script".to_owned(),
        }
    }
}

/// Takes a script apart.
pub(crate) struct Lexer<'a> {
    text: &'a str,
    at: usize,
    string_octets: usize,
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(text: &'a str, string_octets: usize) -> Self {
        // Some editors begin a file with a byte order mark.
        let at = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        Lexer { text, at, string_octets }
    }

    /// The next token and where it begins.
    pub(crate) fn next(&mut self) -> Result<(Token, usize), Fault> {
        self.skip_blanks()?;
        let at = self.at;
        let Some(first) = self.rest().chars().next() else { return Ok((Token::End, at)) };
        let token = match first {
            '"' => Token::String(self.quoted()?),
            ':' => {
                self.at += 1;
                match self.word() {
                    "" => return Err(Fault::new(at, "a name must follow the colon of a tag")),
                    tag => Token::Tag(tag.to_ascii_lowercase()),
                }
            }
            '0'..='9' => Token::Number(self.number()?),
            'a'..='z' | 'A'..='Z' | '_' => {
                let name = self.word();
                if name.eq_ignore_ascii_case("text") && self.rest().starts_with(':') {
                    self.at += 1;
                    Token::String(self.multi_line(at)?)
                } else {
                    Token::Name(name.to_ascii_lowercase())
                }
            }
            '{' | '}' | '(' | ')' | '[' | ']' | ',' | ';' => {
                self.at += 1;
                Token::Mark(first)
            }
            other => return Err(Fault::new(at, format!("{other:?} has no meaning here"))),
        };
        Ok((token, at))
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Passes over blanks, line ends and comments.
    fn skip_blanks(&mut self) -> Result<(), Fault> {
        loop {
            let rest = self.rest();
            self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
            let rest = self.rest();
            if rest.starts_with('#') {
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else if let Some(comment) = rest.strip_prefix("/*") {
                let end = comment.find("*/");
                self.at += end.ok_or_else(|| Fault::new(self.at, "this comment has no end (*/)"))? + 4;
            } else {
                return Ok(());
            }
        }
    }

    fn word(&mut self) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn number(&mut self) -> Result<u64, Fault> {
        let at = self.at;
        let word = self.word();
        let digits = word.trim_end_matches(['k', 'K', 'm', 'M', 'g', 'G']);
        let shift = match &word[digits.len()..] {
            "" => 0,
            "k" | "K" => 10,
            "m" | "M" => 20,
            "g" | "G" => 30,
            _ => return Err(Fault::new(at, format!("{word:?} is no number: K, M or G may follow it, once"))),
        };
        if !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(Fault::new(at, format!("{word:?} is neither a number nor a name")));
        }
        let number: Option<u64> = digits.parse().ok();
        number
            .and_then(|number| number.checked_mul(1 << shift))
            .ok_or_else(|| Fault::new(at, format!("the number {word} is too large")))
    }

    fn quoted(&mut self) -> Result<String, Fault> {
        let start = self.at;
        let mut value = String::new();
        let mut characters = self.rest().char_indices();
        characters.next();
        while let Some((offset, c)) = characters.next() {
            match c {
                '"' => {
                    self.at += offset + 1;
                    return self.checked(value, start);
                }
                '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
                _ => value.push(c),
            }
        }
        Err(Fault::new(start, "this string has no end (\")"))
    }

    /// What follows `text:`.
    fn multi_line(&mut self, start: usize) -> Result<String, Fault> {
        let rest = self.rest();
        let head_end = rest.find('\n').map_or(rest.len(), |at| at + 1);
        let head = rest[..head_end].trim_ascii();
        if !head.is_empty() && !head.starts_with('#') {
            return Err(Fault::new(self.at, "only a comment may follow \"text:\" in its line"));
        }
        let mut value = String::new();
        let mut used = head_end;
        for line in rest[head_end..].split_inclusive('\n') {
            used += line.len();
            if matches!(line, ".\n" | ".\r\n" | ".") {
                self.at += used;
                return self.checked(value, start);
            }
            value.push_str(if line.starts_with("..") { &line[1..] } else { line });
        }
        Err(Fault::new(start, "this text has no end (a line with a single dot)"))
    }

    fn checked(&self, value: String, start: usize) -> Result<String, Fault> {
        if value.len() > self.string_octets {
            let message = format!("this string is too long: {} octets at most", self.string_octets);
            return Err(Fault::new(start, message));
        }
        if value.contains('\0') {
            return Err(Fault::new(start, "this string holds a NUL"));
        }
        Ok(with_crlf(&value).into_owned())
    }
}

/// Line ends as RFC 5228 §8.1 wants them, whatever editor wrote the script.
fn with_crlf(text: &str) -> Cow<'_, str> {
    if !text.contains('\n') {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.replace("\r\n", "\n").replace('\n', "\r\n"))
}
