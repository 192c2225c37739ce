//! Modified UTF-7: each name has one spelling.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::imap::utf7;

fuzz_target!(|input: &[u8]| {
    if let Some(name) = utf7::decode(input) {
        assert_eq!(utf7::encode(&name).as_bytes(), input);
    }
    if let Ok(name) = std::str::from_utf8(input) {
        let text = utf7::encode(name);
        assert!(text.bytes().all(|b| (b' '..=b'~').contains(&b)));
        assert_eq!(utf7::decode(text.as_bytes()).as_deref(), Some(name));
    }
});
