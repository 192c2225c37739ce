//! Charsets to UTF-8.

use encoding_rs::{Encoding, REPLACEMENT, UTF_8, WINDOWS_1252};

/// Text in the charset `label` (as a message names it), in UTF-8. What can't be read becomes U+FFFD; without a
/// label, or with one that is not known or says ASCII and is wrong, the charset is guessed.
pub fn to_utf8(label: Option<&str>, octets: &[u8]) -> String {
    let label = label.unwrap_or_default().trim().trim_matches('"');
    match known(label) {
        Some(encoding) => {
            encoding.decode_without_bom_handling(octets).0.trim_start_matches('\u{feff}').to_owned()
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

/// UTF-8 with replacement characters.
pub fn lossy(octets: &[u8]) -> String {
    UTF_8.decode_without_bom_handling(octets).0.into_owned()
}
