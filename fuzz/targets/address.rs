//! Addresses, domains and mailbox names: what is taken prints as something that is taken for the same.
#![no_main]

use base::{Address, Domain, MailboxName};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Ok(address) = Address::parse(text) {
        let printed = address.to_string();
        assert_eq!(Address::parse(&printed).as_ref(), Ok(&address), "{printed}");
        assert!(!printed.contains(|c: char| c.is_control()), "{printed:?}");
        if let Some(domain) = address.domain() {
            domain.to_unicode();
        }
        address.local.folded();
        address.local.subaddress();
    }
    if let Ok(domain) = Domain::new(text) {
        assert_eq!(Domain::new(domain.as_str()).as_ref(), Ok(&domain));
        assert!(domain.as_str().len() <= 253 && domain.as_str().is_ascii());
        assert_eq!(Domain::new(&domain.to_unicode()).as_ref(), Ok(&domain), "{}", domain.to_unicode());
    }
    if let Ok(name) = MailboxName::new(text) {
        let again = MailboxName::new(&name.to_string());
        assert!(again.is_ok_and(|again| again == name));
    }
});
