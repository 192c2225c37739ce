//! The small pieces of the grammar (RFC 9051 §9), read off a gathered command.

use crate::imap::command::ParseError;
use crate::imap::response::Code;
use std::borrow::Cow;

/// Why something was not taken; the command's tag is added in the end.
#[derive(Debug)]
pub(super) struct Fault {
    no: bool,
    code: Option<Code>,
    reason: &'static str,
}

pub(super) type Parsed<T> = Result<T, Fault>;

impl Fault {
    /// The grammar is broken.
    pub(super) fn bad(reason: &'static str) -> Self {
        Fault { no: false, code: None, reason }
    }

    /// Well-formed, but can't be done.
    pub(super) fn no(code: Code, reason: &'static str) -> Self {
        Fault { no: true, code: Some(code), reason }
    }

    pub(super) fn of(self, tag: Option<String>) -> ParseError {
        ParseError { tag, no: self.no, code: self.code, reason: self.reason }
    }
}

/// A place in a gathered command, where literals stand behind their announcements.
#[derive(Clone)]
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(super) fn new(octets: &'a [u8]) -> Self {
        Cursor { rest: octets }
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// Takes one octet, if it is the next.
    pub(super) fn eat(&mut self, octet: u8) -> bool {
        let is_next = self.peek() == Some(octet);
        if is_next {
            self.rest = &self.rest[1..];
        }
        is_next
    }

    pub(super) fn expect(&mut self, octet: u8, reason: &'static str) -> Parsed<()> {
        if self.eat(octet) { Ok(()) } else { Err(Fault::bad(reason)) }
    }

    pub(super) fn space(&mut self) -> Parsed<()> {
        self.expect(b' ', "a space is missing")
    }

    /// Takes a text, if it is the next, in any case.
    pub(super) fn eat_text(&mut self, text: &str) -> bool {
        let next = self.rest.split_at_checked(text.len());
        let rest = next.filter(|(next, _)| next.eq_ignore_ascii_case(text.as_bytes())).map(|(_, rest)| rest);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// Takes a word and the space or end behind it, if it is the next, in any case.
    pub(super) fn eat_word(&mut self, word: &str) -> bool {
        let is_next =
            self.rest.get(..word.len()).is_some_and(|next| next.eq_ignore_ascii_case(word.as_bytes()));
        let ends = !self.rest.get(word.len()).copied().is_some_and(is_atom_char);
        if is_next && ends {
            self.rest = &self.rest[word.len()..];
        }
        is_next && ends
    }

    /// The command's end. Spaces before it are let pass: some clients send them.
    pub(super) fn end(&self) -> Parsed<()> {
        if self.rest.iter().all(|b| *b == b' ') { Ok(()) } else { Err(Fault::bad("too much at the end")) }
    }

    pub(super) fn at_end(&self) -> bool {
        self.end().is_ok()
    }

    pub(super) fn take_while(&mut self, mut wanted: impl FnMut(u8) -> bool) -> &'a [u8] {
        let count = self.rest.iter().take_while(|b| wanted(**b)).count();
        let (taken, rest) = self.rest.split_at(count);
        self.rest = rest;
        taken
    }

    /// The octets from here to the next space, or to the end.
    pub(super) fn until_space(&mut self) -> &'a [u8] {
        self.take_while(|b| b != b' ')
    }

    pub(super) fn atom(&mut self, reason: &'static str) -> Parsed<&'a str> {
        text(self.take_while(is_atom_char), reason)
    }

    /// A word of letters, digits and `.`, `-`, `=`, in upper case: a command, an item, an option.
    pub(super) fn word(&mut self, reason: &'static str) -> Parsed<String> {
        let is_word = |b: u8| b.is_ascii_alphanumeric() || b".-=".contains(&b);
        Ok(text(self.take_while(is_word), reason)?.to_ascii_uppercase())
    }

    pub(super) fn number64(&mut self) -> Parsed<u64> {
        let digits = text(self.take_while(|b| b.is_ascii_digit()), "a number is missing")?;
        let number = digits.parse().ok().filter(|number| *number <= i64::MAX as u64);
        number.ok_or(Fault::bad("the number is too large"))
    }

    pub(super) fn number(&mut self) -> Parsed<u32> {
        u32::try_from(self.number64()?).map_err(|_| Fault::bad("the number is too large"))
    }

    pub(super) fn nz_number(&mut self) -> Parsed<u32> {
        match self.number()? {
            0 => Err(Fault::bad("the number may not be 0")),
            number => Ok(number),
        }
    }

    /// `astring`: an atom with `]`, or a string.
    pub(super) fn astring(&mut self) -> Parsed<Cow<'a, [u8]>> {
        match self.peek() {
            Some(b'"' | b'{') => self.string(),
            _ => match self.take_while(|b| is_atom_char(b) || b == b']') {
                [] => Err(Fault::bad("a string is missing")),
                atom => Ok(Cow::Borrowed(atom)),
            },
        }
    }

    /// [`Cursor::astring`] in UTF-8.
    pub(super) fn astring_text(&mut self) -> Parsed<String> {
        utf8(self.astring()?)
    }

    /// `string`: quoted, or a literal.
    pub(super) fn string(&mut self) -> Parsed<Cow<'a, [u8]>> {
        match self.peek() {
            Some(b'"') => self.quoted(),
            Some(b'{') => self.literal().map(Cow::Borrowed),
            _ => Err(Fault::bad("a string is missing")),
        }
    }

    /// A string, or a literal that may hold NUL (RFC 3516 `literal8`).
    pub(super) fn string8(&mut self) -> Parsed<Cow<'a, [u8]>> {
        match self.eat(b'~') {
            true => self.literal8().map(Cow::Borrowed),
            false => self.string(),
        }
    }

    /// `list-mailbox`: like an astring, wildcards included.
    pub(super) fn list_mailbox(&mut self) -> Parsed<Cow<'a, [u8]>> {
        match self.peek() {
            Some(b'"' | b'{') => self.string(),
            _ => match self.take_while(|b| is_atom_char(b) || b"]%*".contains(&b)) {
                [] => Err(Fault::bad("a mailbox pattern is missing")),
                pattern => Ok(Cow::Borrowed(pattern)),
            },
        }
    }

    fn quoted(&mut self) -> Parsed<Cow<'a, [u8]>> {
        self.expect(b'"', "a quoted string is missing")?;
        let plain = self.take_while(|b| !b"\"\\\r\n\0".contains(&b));
        if self.eat(b'"') {
            return Ok(Cow::Borrowed(plain));
        }
        let mut out = plain.to_vec();
        loop {
            if self.eat(b'"') {
                return Ok(Cow::Owned(out));
            }
            self.expect(b'\\', "a quoted string does not end")?;
            match self.peek() {
                Some(escaped @ (b'"' | b'\\')) => {
                    self.eat(escaped);
                    out.push(escaped);
                }
                _ => return Err(Fault::bad("only \" and \\ may be escaped")),
            }
            out.extend_from_slice(self.take_while(|b| !b"\"\\\r\n\0".contains(&b)));
        }
    }

    fn literal(&mut self) -> Parsed<&'a [u8]> {
        let literal = self.literal8()?;
        // RFC 9051 §9: CHAR8 is any octet but NUL.
        match literal.contains(&0) {
            true => Err(Fault::bad("a literal may not hold NUL")),
            false => Ok(literal),
        }
    }

    fn literal8(&mut self) -> Parsed<&'a [u8]> {
        const BROKEN: &str = "a literal is broken";
        self.expect(b'{', BROKEN)?;
        let octets = usize::try_from(self.number64()?).map_err(|_| Fault::bad(BROKEN))?;
        self.eat(b'+');
        self.expect(b'}', BROKEN)?;
        self.expect(b'\r', BROKEN)?;
        self.expect(b'\n', BROKEN)?;
        let (literal, rest) = self.rest.split_at_checked(octets).ok_or(Fault::bad(BROKEN))?;
        self.rest = rest;
        Ok(literal)
    }

    /// `(` items `)` with single spaces between; the list may be empty.
    pub(super) fn list<T>(
        &mut self,
        max: usize,
        mut item: impl FnMut(&mut Self) -> Parsed<T>,
    ) -> Parsed<Vec<T>> {
        self.expect(b'(', "a parenthesis is missing")?;
        let mut items = Vec::new();
        if self.eat(b')') {
            return Ok(items);
        }
        loop {
            if items.len() >= max {
                return Err(Fault::bad("the list is too long"));
            }
            items.push(item(self)?);
            if self.eat(b')') {
                return Ok(items);
            }
            self.expect(b' ', "a parenthesis or a space is missing")?;
        }
    }

    /// [`Cursor::list`] with at least one item.
    pub(super) fn list1<T>(
        &mut self,
        max: usize,
        item: impl FnMut(&mut Self) -> Parsed<T>,
    ) -> Parsed<Vec<T>> {
        let items = self.list(max, item)?;
        if items.is_empty() { Err(Fault::bad("the list is empty")) } else { Ok(items) }
    }
}

pub(super) fn is_atom_char(b: u8) -> bool {
    b.is_ascii_graphic() && !b"(){%*\"\\]".contains(&b)
}

pub(super) fn utf8(octets: Cow<'_, [u8]>) -> Parsed<String> {
    String::from_utf8(octets.into_owned()).map_err(|_| Fault::bad("the text is not UTF-8"))
}

fn text<'a>(octets: &'a [u8], reason: &'static str) -> Parsed<&'a str> {
    std::str::from_utf8(octets).ok().filter(|text| !text.is_empty()).ok_or(Fault::bad(reason))
}
