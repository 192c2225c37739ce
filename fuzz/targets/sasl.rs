//! SASL's server with any messages, and with those of a client that knows the password, altered or not.
//! Nobody without the password gets in.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailward_fuzz::{PACKET, choices};
use session::sasl::{ChannelBinding, Mechanism, ScramKeys, Server, Step};
use wire::sasl::{ClientFinal, ClientFirst, MAX_FIELD, Plain, decode, decode_initial, encode};

fuzz_target!(|input: &[u8]| {
    let Some(([choice], messages)) = choices::<1>(input) else { return };
    let binding = (choice & 1 == 1).then(|| ChannelBinding {
        exporter: Some(vec![7; 32]),
        server_end_point: (choice & 2 == 2).then(|| vec![8; 32]),
    });
    let mechanisms = [Mechanism::Plain, Mechanism::Login, Mechanism::ScramSha256, Mechanism::ScramSha256Plus];
    let mechanism = mechanisms[usize::from(choice >> 2 & 3)];
    let mut server = Server::new(mechanism, binding, [5; 18]);
    let mut messages = messages.split(|b| *b == PACKET).inspect(|message| grammar(message));
    let first = if choice & 16 == 16 { messages.next() } else { None };
    let mut step = server.start(first);
    for _ in 0..10 {
        step = match step {
            Step::Challenge(text) => {
                assert!(text.len() <= 8192);
                match messages.next() {
                    Some(message) => server.step(message),
                    None => return,
                }
            }
            Step::CheckPassword { user, password } => {
                assert!(matches!(mechanism, Mechanism::Plain | Mechanism::Login));
                assert!(!user.contains('\0') && password.expose().len() <= MAX_FIELD * 18);
                return;
            }
            Step::NeedKeys { .. } => {
                server.keys(ScramKeys::from_salted_password(&[1; 32], b"salt".to_vec(), 4096))
            }
            Step::Done { user } => panic!("{user} got in without a proof"),
            Step::Failed(_) => {
                let after = server.step(b"");
                assert!(matches!(after, Step::Failed(_)), "{after:?} after the end");
                return;
            }
        };
    }
    panic!("an exchange without end");
});

fn grammar(message: &[u8]) {
    let line = encode(message);
    match decode(line.as_bytes()) {
        Some(back) => assert_eq!(back.expose(), message),
        None => assert!(message.len() > wire::sasl::MAX_MESSAGE),
    }
    if let Some(octets) = decode(message) {
        assert_eq!(encode(octets.expose()).as_bytes(), message);
    }
    decode_initial(message);
    if let Some(plain) = Plain::parse(message) {
        let name = plain.authzid.as_deref().unwrap_or_default();
        let again =
            [name.as_bytes(), b"\0", plain.authcid.as_bytes(), b"\0", plain.password.expose()].concat();
        assert_eq!(again, message);
    }
    if let Some(first) = ClientFirst::parse(message) {
        assert_eq!([first.header.as_bytes(), first.bare.as_bytes()].concat(), message);
        assert!(!first.user.is_empty() && !first.nonce.contains(','));
    }
    if let Some(last) = ClientFinal::parse(message) {
        assert_eq!(format!("{},p={}", last.without_proof, encode(&last.proof)).as_bytes(), message);
    }
}
