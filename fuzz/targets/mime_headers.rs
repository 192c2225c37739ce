//! Any octets as a header and as a field's value: what comes out is bounded, is one line, and is what the rules allow.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailward_fuzz::assert_balanced;
use wire::mime::address::{self, Entry, MAX_ENTRIES};
use wire::mime::{
    ContentType, Disposition, casemap, charset, date, describe, header, header_text, list_head, message_id,
    subject, word,
};

fuzz_target!(|input: &[u8]| {
    block(input);
    value(input);
    for field in header::fields(input).take(50) {
        value(field.value);
    }
});

fn block(input: &[u8]) {
    let length = header::length(input);
    assert!(length <= input.len());
    let mut at = 0;
    for field in header::fields(input) {
        assert_eq!(field.at, at);
        assert!(!field.raw.is_empty() && input[at..].starts_with(field.raw));
        assert!(field.name.iter().all(u8::is_ascii_graphic));
        assert!(
            field.name.is_empty()
                || header::get(input, std::str::from_utf8(field.name).expect("ASCII")).is_some()
        );
        at += field.raw.len();
    }
    assert!(at <= length && length <= at + 2);
    assert!(input[at..length].iter().all(|b| matches!(b, b'\r' | b'\n')));
    assert_balanced(&describe::envelope(input));
    let listed = list_head(input);
    assert!(listed.len() <= at && list_head(&listed) == listed);
    header_text(input);
}

fn value(value: &[u8]) {
    let unfolded = header::unfold(value);
    assert!(unfolded.len() <= value.len() && !unfolded.contains(&b'\n'));
    let entries = address::parse(value);
    assert!(entries.len() <= MAX_ENTRIES + 1);
    let starts = entries.iter().filter(|entry| matches!(entry, Entry::GroupStart(_))).count();
    let ends = entries.iter().filter(|entry| matches!(entry, Entry::GroupEnd)).count();
    assert!(starts == ends, "{starts} groups begin, {ends} end");
    for mailbox in address::mailboxes(value) {
        mailbox.display_name();
        mailbox.address();
        if let Some(address) = mailbox.to_address() {
            let printed = address.to_string();
            assert_eq!(base::Address::parse(&printed).map(|a| a.to_string()), Ok(printed));
        }
    }
    if let Some(date) = date::parse(value) {
        assert!((-24 * 60..=24 * 60).contains(&date.zone_minutes), "{date:?}");
        assert!((0..=10_000).contains(&date.written().civil().year), "{date:?}");
        // What we print of it is that instant again.
        let printed = date.at.rfc5322();
        if date.at.civil().year >= 1900 {
            assert_eq!(date::parse(printed.as_bytes()).map(|again| again.at), Some(date.at), "{printed}");
        }
    }
    let ids = message_id::parse(value);
    assert!(ids.len() <= 1000 && ids.iter().all(|id| !id.is_empty() && !id.contains(['\r', '\n'])));
    let text = word::decode(value);
    assert!(text.len() <= value.len() * 6 + 3, "{} of {}", text.len(), value.len());
    let base = subject::base(value);
    assert!(base.text.len() <= text.len());
    let folded = casemap(&text);
    assert_eq!(casemap(&folded), folded, "folding twice");
    charset::guess(value);
    parameters(value);
}

fn parameters(value: &[u8]) {
    if let Some(content_type) = ContentType::parse(value) {
        assert!(!content_type.kind.is_empty() && !content_type.subtype.is_empty());
        for parameter in &content_type.parameters {
            assert_eq!(parameter.name, parameter.name.to_ascii_lowercase());
            assert!(content_type.get(&parameter.name).is_some());
        }
    }
    if let Some(disposition) = Disposition::parse(value) {
        disposition.get("filename");
    }
    if let Some((label, text)) = value.split_first_chunk::<8>() {
        charset::to_utf8(std::str::from_utf8(label).ok(), text);
    }
}
