//! Strings of a script: constant, or with variables to fill in (RFC 5229 §3), encoded characters undone
//! (RFC 5228 §2.4.2.4).

/// A string of a script.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Text {
    Constant(Box<str>),
    Pieces(Vec<Piece>),
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Piece {
    Literal(Box<str>),
    Variable(Variable),
}

/// A variable, its name resolved.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Variable {
    /// Of this script, by number.
    Local(u16),
    /// Shared by scripts that include each other (RFC 6609 §3.4), by name.
    Global(Box<str>),
    /// What the last `:matches` or `:regex` matched (RFC 5229 §3.2).
    Match(u8),
}

/// The highest match variable.
pub(crate) const MAX_MATCH: u8 = 99;

impl Text {
    /// The string, if it needs no variables.
    pub(crate) fn constant(&self) -> Option<&str> {
        match self {
            Text::Constant(text) => Some(text),
            Text::Pieces(_) => None,
        }
    }
}

/// A name within `${…}`.
pub(crate) struct Reference<'a> {
    /// What stands before the last dot, if there is one.
    pub(crate) namespace: Option<&'a str>,
    pub(crate) name: &'a str,
}

/// Splits a string at its variable references; `resolve` says which variable a reference means.
pub(crate) fn parse<E>(
    text: &str,
    mut resolve: impl FnMut(Reference<'_>) -> Result<Variable, E>,
) -> Result<Text, E> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        literal.push_str(&rest[..at]);
        let behind = &rest[at + 2..];
        match behind.find('}').and_then(|end| Some((reference(&behind[..end])?, end))) {
            Some((reference, end)) => {
                if !literal.is_empty() {
                    pieces.push(Piece::Literal(std::mem::take(&mut literal).into()));
                }
                pieces.push(Piece::Variable(resolve(reference)?));
                rest = &behind[end + 1..];
            }
            None => {
                literal.push_str("${");
                rest = behind;
            }
        }
    }
    literal.push_str(rest);
    if pieces.is_empty() {
        return Ok(Text::Constant(literal.into()));
    }
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal.into()));
    }
    Ok(Text::Pieces(pieces))
}

/// Reads a variable's name with its namespace; `None` if it is none.
pub(crate) fn reference(text: &str) -> Option<Reference<'_>> {
    let number = |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_digit());
    let (namespace, name) = match text.rsplit_once('.') {
        Some((namespace, name)) => (Some(namespace), name),
        None => (None, text),
    };
    let mut levels = namespace.into_iter().flat_map(|namespace| namespace.split('.'));
    let namespace_fits = match levels.next() {
        Some(first) => is_identifier(first) && levels.all(|level| is_identifier(level) || number(level)),
        None => true,
    };
    let fits = namespace_fits && (is_identifier(name) || number(name));
    fits.then_some(Reference { namespace, name })
}

/// RFC 5228 §8.1
pub(crate) fn is_identifier(name: &str) -> bool {
    let first = name.bytes().next();
    first.is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Undoes `${hex:…}` and `${unicode:…}`.
///
/// # Errors
/// In words: a number that is no character, octets that are no UTF-8.
pub(crate) fn decode_characters(text: &str) -> Result<String, String> {
    let mut out: Vec<u8> = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        out.extend_from_slice(&rest.as_bytes()[..at]);
        let behind = &rest[at + 2..];
        match behind.find('}').map(|end| (sequence(&behind[..end]), end)) {
            Some((Some(octets), end)) => {
                out.extend_from_slice(&octets?);
                rest = &behind[end + 1..];
            }
            _ => {
                out.extend_from_slice(b"${");
                rest = behind;
            }
        }
    }
    out.extend_from_slice(rest.as_bytes());
    String::from_utf8(out).map_err(|_| "the octets of \"${hex:…}\" must make characters of UTF-8".to_owned())
}

/// What `hex:…` or `unicode:…` stands for; `None` where it is not well-formed, and so is text.
fn sequence(text: &str) -> Option<Result<Vec<u8>, String>> {
    let (kind, numbers) = text.split_once(':')?;
    let hexadecimal = |word: &&str| word.bytes().all(|b| b.is_ascii_hexdigit());
    let blank = |c: char| matches!(c, ' ' | '\t' | '\r' | '\n');
    let words: Vec<&str> = numbers.split(blank).filter(|word| !word.is_empty()).collect();
    if words.is_empty() || !words.iter().all(hexadecimal) {
        return None;
    }
    if kind.eq_ignore_ascii_case("hex") {
        let octet = |word: &&str| (word.len() <= 2).then(|| u8::from_str_radix(word, 16).ok()).flatten();
        return words.iter().map(octet).collect::<Option<Vec<u8>>>().map(Ok);
    }
    if !kind.eq_ignore_ascii_case("unicode") {
        return None;
    }
    let mut out = String::new();
    for word in words {
        match u32::from_str_radix(word, 16).ok().and_then(char::from_u32) {
            Some(c) => out.push(c),
            None => return Some(Err(format!("{word} is no Unicode character"))),
        }
    }
    Some(Ok(out.into_bytes()))
}
