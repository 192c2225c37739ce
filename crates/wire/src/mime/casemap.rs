//! Comparing text without regard to case.

/// Folds text for comparing and searching, near to `i;unicode-casemap` (RFC 5051): every character goes by its upper
/// case to its lower case, so that `ß`, `SS` and `ss`, or the two forms of the small sigma, are equal. Unlike RFC
/// 5051 it decomposes nothing: an accent written as a character of its own is another text.
pub fn casemap(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if c.is_ascii() => out.push(c.to_ascii_lowercase()),
            c => out.extend(c.to_uppercase().flat_map(char::to_lowercase)),
        }
    }
    out
}
