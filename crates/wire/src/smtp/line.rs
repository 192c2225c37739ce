//! Command lines: where one ends.

/// What [`read_line`] found at the front of the input.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Line<'a> {
    /// A whole line, its CRLF left out; it takes up two octets more than this.
    Whole(&'a [u8]),
    /// No end yet: more input is needed.
    Partial,
    /// A CR without LF or a LF without CR (RFC 5321 §2.3.8). There is no safe place to go on from.
    BareCrLf,
    /// No end within the limit.
    TooLong,
}

/// Finds the first line of `input`. `limit` counts octets with the CRLF (RFC 5321 §4.5.3.1.4).
///
/// The answer for some input never changes with what follows it, so it does not matter how input is split up; what
/// must be kept while a line is [`Line::Partial`] is at most `limit` octets.
pub fn read_line(input: &[u8], limit: usize) -> Line<'_> {
    let window = input.get(..limit).unwrap_or(input);
    match memchr::memchr2(b'\r', b'\n', window) {
        None if input.len() >= limit => Line::TooLong,
        None => Line::Partial,
        Some(at) if at + 2 > limit => Line::TooLong,
        Some(at) => match (input.get(at), input.get(at + 1)) {
            (Some(b'\r'), Some(b'\n')) => Line::Whole(input.get(..at).unwrap_or_default()),
            (Some(b'\r'), None) => Line::Partial,
            _ => Line::BareCrLf,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &str, expected: Line<'_>) {
        assert_eq!(read_line(input.as_bytes(), 10), expected, "{input:?}");
    }

    #[test]
    fn only_crlf_ends_a_line() {
        check("NOOP\r\nQUIT\r\n", Line::Whole(b"NOOP"));
        check("\r\n", Line::Whole(b""));
        check("", Line::Partial);
        check("NOOP", Line::Partial);
        check("NOOP\r", Line::Partial);
        check("NOOP\n", Line::BareCrLf);
        check("NOOP\rQ", Line::BareCrLf);
        check("NOOP\r\r\n", Line::BareCrLf);
        check("\nNOOP\r\n", Line::BareCrLf);
        check("12345678\r\n", Line::Whole(b"12345678"));
        check("123456789", Line::Partial);
        check("123456789\r\n", Line::TooLong);
        check("1234567890", Line::TooLong);
        check("1234567890\n", Line::TooLong);
    }
}
