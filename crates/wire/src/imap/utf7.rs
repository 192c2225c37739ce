//! Modified UTF-7, as mailbox names are written without UTF-8 (RFC 3501 §5.1.3).

use base64::Engine;
use base64::alphabet::IMAP_MUTF7;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &IMAP_MUTF7,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

/// Decodes a name. `None` unless it is exactly what [`encode`] gives for the result: each name has one spelling,
/// so no two spellings can name one mailbox.
pub fn decode(text: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(text).ok().filter(|text| is_direct(text))?;
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((direct, shifted)) = rest.split_once('&') {
        let (coded, after) = shifted.split_once('-')?;
        out.push_str(direct);
        match coded {
            "" => out.push('&'),
            coded => out.push_str(&decode_shifted(coded)?),
        }
        rest = after;
    }
    out.push_str(rest);
    // A part that should have been written directly, two shifts in a row, bits left over.
    (encode(&out) == text).then_some(out)
}

/// Encodes a name. Control characters are shifted too, so the result is printable ASCII.
pub fn encode(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut rest = name;
    while !rest.is_empty() {
        let direct = rest.find(|c| c == '&' || !is_direct_char(c)).unwrap_or(rest.len());
        let (piece, after) = rest.split_at(direct);
        out.push_str(piece);
        if let Some(after) = after.strip_prefix('&') {
            out.push_str("&-");
            rest = after;
            continue;
        }
        let (shifted, after) = after.split_at(after.find(is_direct_char).unwrap_or(after.len()));
        if !shifted.is_empty() {
            encode_shifted(shifted, &mut out);
        }
        rest = after;
    }
    out
}

fn is_direct(text: &str) -> bool {
    text.chars().all(is_direct_char)
}

fn is_direct_char(c: char) -> bool {
    matches!(c, ' '..='~')
}

fn decode_shifted(coded: &str) -> Option<String> {
    let octets = BASE64.decode(coded).ok()?;
    let (pairs, []) = octets.as_chunks::<2>() else { return None };
    String::from_utf16(&pairs.iter().map(|pair| u16::from_be_bytes(*pair)).collect::<Vec<_>>()).ok()
}

fn encode_shifted(text: &str, out: &mut String) {
    let octets: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    out.push('&');
    BASE64.encode_string(octets, out);
    out.push('-');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_both_ways() {
        // RFC 3501 §5.1.3; the rest from Python: base64 of UTF-16BE without padding, `/` made `,`.
        for (name, text) in [
            ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
            ("a & b", "a &- b"),
            ("&&", "&-&-"),
            ("Entwürfe", "Entw&APw-rfe"),
            ("é&ü", "&AOk-&-&APw-"),
            ("☺!", "&Jjo-!"),
            ("😀", "&2D3eAA-"),
            ("", ""),
            ("INBOX", "INBOX"),
        ] {
            assert_eq!(encode(name), text);
            assert_eq!(decode(text.as_bytes()).as_deref(), Some(name));
        }
    }

    #[test]
    fn illegal_spellings() {
        // B072 and RFC 3501 §5.1.3: each of these has another, legal spelling or none.
        for text in [
            "&Jjo",
            "&Jjo!",
            "&AGE-",
            "&&",
            "&",
            "a&",
            "&2AA-",
            "&2D3eAA",
            "&AAA",
            "&U,BTFw-&ZeVnLIqe-",
            "&=-",
            "&Jjp-",
            "&Jj-",
            "&J-",
            "&AOkA-",
            "&ACY-",
            "&AOQ=-",
            "&AO/k-x",
            "\u{e9}",
            "a\nb",
            "&A\u{e9}-",
        ] {
            assert_eq!(decode(text.as_bytes()), None, "{text}");
        }
        assert_eq!(decode(b"\xff"), None);
    }
}
