//! Charsets to UTF-8.

use encoding_rs::{Encoding, ISO_2022_JP, REPLACEMENT, WINDOWS_1252};
use std::borrow::Cow;

/// Text in the charset `label` (as a message names it), in UTF-8. What can't be read becomes U+FFFD; without a
/// label, or with one that is not known or says ASCII and is wrong, the charset is guessed.
pub fn to_utf8(label: Option<&str>, octets: &[u8]) -> String {
    let label = label.unwrap_or_default().trim().trim_matches('"');
    match known(label) {
        Some(encoding) => {
            let octets =
                if encoding == ISO_2022_JP { without_empty_runs(octets) } else { Cow::Borrowed(octets) };
            encoding.decode_without_bom_handling(&octets).0.trim_start_matches('\u{feff}').to_owned()
        }
        None => guess(octets),
    }
}

/// Whether the charset can be read.
pub fn is_known(label: &str) -> bool {
    is_ascii_label(label) || known(label).is_some()
}

fn is_ascii_label(label: &str) -> bool {
    ["us-ascii", "ascii", "ansi_x3.4-1968", "iso646-us"].iter().any(|name| label.eq_ignore_ascii_case(name))
}

fn known(label: &str) -> Option<&'static Encoding> {
    if is_ascii_label(label) {
        return None;
    }
    // WHATWG turns charsets that are dangerous in browsers into "replacement": to mail they are unknown.
    let encoding = Encoding::for_label(label.as_bytes()).or_else(|| by_other_name(label))?;
    (encoding != REPLACEMENT).then_some(encoding)
}

/// Takes out escapes to ASCII that are followed by another escape at once: joined encoded words have them, and to
/// WHATWG they are an error.
fn without_empty_runs(octets: &[u8]) -> Cow<'_, [u8]> {
    let is_empty_run = |at: usize| octets.get(at..at + 4).is_some_and(|run| run == b"\x1b(B\x1b");
    if !(0..octets.len()).any(is_empty_run) {
        return Cow::Borrowed(octets);
    }
    let mut out = Vec::with_capacity(octets.len());
    let mut at = 0;
    while let Some(&b) = octets.get(at) {
        if is_empty_run(at) {
            at += 3;
        } else {
            out.push(b);
            at += 1;
        }
    }
    Cow::Owned(out)
}

/// Names that mail uses and browsers don't.
fn by_other_name(label: &str) -> Option<&'static Encoding> {
    let name = label.to_ascii_lowercase().replace('_', "-");
    let name = match name.strip_prefix("cp") {
        Some("932") => "shift_jis".to_owned(),
        Some("936") => "gbk".to_owned(),
        Some("949") => "euc-kr".to_owned(),
        Some("950") => "big5".to_owned(),
        Some(number) => format!("windows-{number}"),
        None => name,
    };
    Encoding::for_label(name.as_bytes())
}

/// Text of an unnamed charset: UTF-8 if it is that, else windows-1252.
pub fn guess(octets: &[u8]) -> String {
    match std::str::from_utf8(octets) {
        Ok(text) => text.to_owned(),
        Err(_) => WINDOWS_1252.decode_without_bom_handling(octets).0.into_owned(),
    }
}
