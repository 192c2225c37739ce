//! Message content on its way out.

use super::Fault;
use memchr::memchr3;

/// Writes text for DATA or BDAT, and stops where it must not go out: at a NUL, a CR without LF or a LF without CR
/// (RFC 5321 §2.3.8).
#[derive(Debug)]
pub struct TextWriter {
    at: At,
    dots: bool,
}

/// Where in its line the next octet stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum At {
    Start,
    Inside,
    Cr,
}

impl TextWriter {
    /// For DATA: dots that start a line are doubled (RFC 5321 §4.5.2).
    pub fn data() -> Self {
        TextWriter { at: At::Start, dots: true }
    }

    /// For BDAT: nothing is changed.
    pub fn chunks() -> Self {
        TextWriter { at: At::Start, dots: false }
    }

    /// Appends a piece of the message to `out`. After a fault `out` holds some of it, and nothing of that may go
    /// out.
    pub fn push(&mut self, content: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        let mut rest = content;
        while let Some(&octet) = rest.first() {
            if self.at == At::Cr {
                if octet != b'\n' {
                    return Err(Fault::BareCrLf);
                }
                self.at = At::Start;
                out.push(octet);
                rest = rest.get(1..).unwrap_or_default();
                continue;
            }
            if self.at == At::Start && octet == b'.' && self.dots {
                out.push(b'.');
            }
            let length = memchr3(b'\r', b'\n', 0, rest);
            let (line, more) = rest.split_at(length.map_or(rest.len(), |at| at + 1));
            match line.last() {
                Some(b'\n') => return Err(Fault::BareCrLf),
                Some(0) => return Err(Fault::Nul),
                Some(b'\r') => self.at = At::Cr,
                _ => self.at = At::Inside,
            }
            out.extend_from_slice(line);
            rest = more;
        }
        Ok(())
    }

    /// Ends the message. For DATA that is the line with the dot, after a CRLF if the last line has none.
    pub fn finish(&self, out: &mut Vec<u8>) -> Result<(), Fault> {
        match self.at {
            At::Cr => return Err(Fault::BareCrLf),
            At::Inside if self.dots => out.extend_from_slice(b"\r\n.\r\n"),
            At::Start if self.dots => out.extend_from_slice(b".\r\n"),
            At::Inside | At::Start => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// However the octets are cut, the outcome is the same.
    fn check(content: &[u8], data: Result<&str, Fault>, chunks: Result<&str, Fault>) {
        for size in 1..=content.len().max(1) {
            for (mut writer, expected) in [(TextWriter::data(), data), (TextWriter::chunks(), chunks)] {
                let mut out = Vec::new();
                let pushed = content.chunks(size).try_for_each(|piece| writer.push(piece, &mut out));
                let ended = pushed.and_then(|()| writer.finish(&mut out));
                let got = ended.map(|()| String::from_utf8(out).unwrap());
                assert_eq!(got.as_deref().map_err(|fault| *fault), expected, "{content:?} by {size}");
            }
        }
    }

    #[test]
    fn text_goes_out_whole_or_not_at_all() {
        check(b"", Ok(".\r\n"), Ok(""));
        check(b"a\r\nb\r\n", Ok("a\r\nb\r\n.\r\n"), Ok("a\r\nb\r\n"));
        check(
            b".\r\n..\r\n.x\r\ny.\r\n\r\n.z\r\n",
            Ok("..\r\n...\r\n..x\r\ny.\r\n\r\n..z\r\n.\r\n"),
            Ok(".\r\n..\r\n.x\r\ny.\r\n\r\n.z\r\n"),
        );
        check(b"no end", Ok("no end\r\n.\r\n"), Ok("no end"));
        check(b".", Ok("..\r\n.\r\n"), Ok("."));
        for bad in [
            &b"a\n"[..],
            b"\n",
            b"a\r",
            b"a\rb\r\n",
            b"\r\r\n",
            b"a\r\n\n",
            b"a\r\n.\n.\r\n",
            b"\n.\r\n",
            b"\r.\r\n",
        ] {
            check(bad, Err(Fault::BareCrLf), Err(Fault::BareCrLf));
        }
        check(b"a\0b\r\n", Err(Fault::Nul), Err(Fault::Nul));
        check(b"\0", Err(Fault::Nul), Err(Fault::Nul));
    }
}
