//! The text of APPEND (RFC 9051 §6.3.12, RFC 3502, RFC 4469, RFC 6855 §4) and REPLACE (RFC 8508) around their
//! literals, read as it comes.

use super::cursor::{Cursor, Fault, Parsed};
use super::parse::{Parser, date_time, flag_list};
use super::{Append, AppendMessage, ParseError, Replaced};
use crate::imap::framer::Announced;
use crate::imap::response::Code;
use base::Flags;

/// How many URLs and literals one APPEND may have, all its messages together.
pub const MAX_APPEND_PARTS: usize = 1000;

/// Knows where in an APPEND the next text stands. One call for each text: before each literal that is announced, and
/// for the rest of the line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AppendReader {
    place: Place,
    parts: usize,
    /// Whether it is REPLACE, which has one message (RFC 8508 §4.7).
    one: bool,
}

/// What a text says, in order. A message is a Begin, some URLs and literals, and an End.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AppendPiece {
    /// A message begins.
    Begin(AppendMessage),
    /// It goes on with what a URL names (RFC 4469), as the client wrote it: for [`Url::parse`](super::Url::parse).
    Url(String),
    /// It goes on with the literal that was announced. Always a text's last piece.
    Literal,
    /// It is whole.
    End,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    /// Before the first message.
    First,
    /// Behind a message.
    Between,
    /// Behind a message's one literal, or a literal of `CATENATE (`; `closes`: it stands in `UTF8 (`.
    BehindLiteral { catenate: bool, closes: bool },
    /// In `CATENATE (`, where a part has to come.
    Part,
    /// In `CATENATE (`, behind a part.
    BehindPart,
}

impl AppendReader {
    /// Reads the text between two literals. The error has no tag.
    ///
    /// # Errors
    ///
    /// As for [`parse`](super::parse).
    pub fn next(&mut self, announced: &Announced) -> Result<Vec<AppendPiece>, ParseError> {
        let mut cursor = Cursor::new(announced.prefix.expose());
        self.pieces(&mut cursor, Some(announced.binary)).map_err(|fault| fault.of(None))
    }

    /// Reads the rest of the line, behind the last literal. The error has no tag.
    ///
    /// # Errors
    ///
    /// As for [`parse`](super::parse).
    pub fn end(&mut self, rest: &[u8]) -> Result<Vec<AppendPiece>, ParseError> {
        self.pieces(&mut Cursor::new(rest), None).map_err(|fault| fault.of(None))
    }

    /// Reads one text; `literal`: whether one was announced at its end, and as `~{n}`.
    fn pieces(&mut self, cursor: &mut Cursor<'_>, literal: Option<bool>) -> Parsed<Vec<AppendPiece>> {
        let mut pieces = Vec::new();
        loop {
            match self.place {
                Place::BehindLiteral { catenate, closes } => {
                    if closes {
                        cursor.expect(b')', "a parenthesis is missing")?;
                    }
                    self.place = if catenate { Place::BehindPart } else { Place::Between };
                    if !catenate {
                        pieces.push(AppendPiece::End);
                    }
                }
                Place::Between if literal.is_none() && cursor.at_end() => return Ok(pieces),
                Place::Between if self.one => return Err(Fault::bad("REPLACE has one message")),
                Place::First | Place::Between => self.message(cursor, literal, &mut pieces)?,
                Place::Part => self.part(cursor, literal, &mut pieces)?,
                Place::BehindPart if cursor.eat(b')') => {
                    self.place = Place::Between;
                    pieces.push(AppendPiece::End);
                }
                Place::BehindPart => {
                    cursor.space()?;
                    self.place = Place::Part;
                }
            }
            if pieces.last() == Some(&AppendPiece::Literal) {
                return Ok(pieces);
            }
        }
    }

    /// ` (flags) "date" ` and then a literal or `CATENATE (`.
    fn message(
        &mut self,
        cursor: &mut Cursor<'_>,
        literal: Option<bool>,
        pieces: &mut Vec<AppendPiece>,
    ) -> Parsed<()> {
        let mut message = AppendMessage { flags: Flags::default(), internal_date: None, catenate: false };
        cursor.space()?;
        // IMAPClient's multiappend writes two spaces.
        if self.place == Place::Between {
            cursor.eat(b' ');
        }
        if cursor.peek() == Some(b'(') {
            message.flags = flag_list(cursor)?;
            cursor.space()?;
        }
        if cursor.peek() == Some(b'"') {
            message.internal_date = Some(date_time(&cursor.string()?)?);
            cursor.space()?;
        }
        if cursor.eat_word("CATENATE") {
            cursor.space()?;
            cursor.expect(b'(', "a parenthesis is missing")?;
            self.place = Place::Part;
            message.catenate = true;
            pieces.push(AppendPiece::Begin(message));
            return Ok(());
        }
        pieces.push(AppendPiece::Begin(message));
        let closes = literal == Some(true) && utf8(cursor)?;
        self.literal(cursor, literal, Place::BehindLiteral { catenate: false, closes }, pieces)
    }

    /// `URL astring`, `TEXT literal` or `UTF8 (literal8)`
    fn part(
        &mut self,
        cursor: &mut Cursor<'_>,
        literal: Option<bool>,
        pieces: &mut Vec<AppendPiece>,
    ) -> Parsed<()> {
        if cursor.eat_word("URL") {
            cursor.space()?;
            let url = cursor.astring_text()?;
            self.count()?;
            self.place = Place::BehindPart;
            pieces.push(AppendPiece::Url(url));
            return Ok(());
        }
        let closes = literal == Some(true) && utf8(cursor)?;
        if !closes {
            if !cursor.eat_word("TEXT") {
                return Err(Fault::bad("CATENATE has TEXT and URL only"));
            }
            cursor.space()?;
        }
        self.literal(cursor, literal, Place::BehindLiteral { catenate: true, closes }, pieces)
    }

    fn literal(
        &mut self,
        cursor: &Cursor<'_>,
        literal: Option<bool>,
        behind: Place,
        pieces: &mut Vec<AppendPiece>,
    ) -> Parsed<()> {
        if literal.is_none() || cursor.peek().is_some() {
            return Err(Fault::bad("the message is not where it belongs"));
        }
        self.count()?;
        self.place = behind;
        pieces.push(AppendPiece::Literal);
        Ok(())
    }

    fn count(&mut self) -> Parsed<()> {
        self.parts += 1;
        match self.parts > MAX_APPEND_PARTS {
            true => Err(Fault::no(Code::Limit, "too many parts at once")),
            false => Ok(()),
        }
    }
}

/// `mailbox` and the first text, behind APPEND or behind what REPLACE replaces.
pub(super) fn append(parser: &mut Parser<'_>, replaced: Option<Replaced>) -> Parsed<Append> {
    let mailbox = parser.mailbox()?;
    let mut reader = AppendReader { place: Place::First, parts: 0, one: replaced.is_some() };
    let pieces = reader.pieces(&mut parser.cursor, parser.literal)?;
    Ok(Append { replaced, mailbox, reader, pieces })
}

/// Takes `UTF8 (`, if it is the next (RFC 6855 §4).
fn utf8(cursor: &mut Cursor<'_>) -> Parsed<bool> {
    if !cursor.eat_word("UTF8") {
        return Ok(false);
    }
    cursor.space()?;
    cursor.expect(b'(', "a parenthesis is missing")?;
    Ok(true)
}

#[cfg(test)]
mod tests;
