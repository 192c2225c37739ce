use super::*;

/// What an exchange came to.
#[derive(PartialEq, Eq, Debug)]
enum Outcome {
    Challenge(String),
    Check(String, String),
    Keys(String),
    Done(String),
    Failed(Failure),
}
use Outcome::*;

fn outcome(step: Step) -> Outcome {
    match step {
        Step::Challenge(text) => Challenge(String::from_utf8(text).unwrap()),
        Step::CheckPassword { user, password } => Check(user, password.expose_str().unwrap().into()),
        Step::NeedKeys { user } => Keys(user),
        Step::Done { user } => Done(user),
        Step::Failed(failure) => Failed(failure),
    }
}

fn challenge(text: &str) -> Outcome {
    Challenge(text.into())
}

fn server(mechanism: Mechanism, binding: Option<ChannelBinding>) -> Server {
    Server::with_nonce(mechanism, binding, "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0".into())
}

/// The verifier of `pencil` with the salt of RFC 7677 §3, computed with Python's hashlib.pbkdf2_hmac and hmac.
fn pencil() -> ScramKeys {
    let key = |text: &str| wire::sasl::decode(text.as_bytes()).unwrap().expose().try_into().unwrap();
    ScramKeys {
        salt: wire::sasl::decode(b"W22ZaJ0SNY7soEsUEjb6gQ==").unwrap().expose().to_vec(),
        iterations: 4096,
        stored_key: key("WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="),
        server_key: key("wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="),
    }
}

#[test]
fn the_example_of_rfc_7677() {
    let mut s = server(Mechanism::ScramSha256, None);
    assert_eq!(outcome(s.start(None)), challenge(""));
    assert_eq!(outcome(s.step(b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO")), Keys("user".into()));
    assert_eq!(
        outcome(s.keys(pencil())),
        challenge("r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")
    );
    let last: &[u8] = b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
        p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
    assert_eq!(outcome(s.step(last)), challenge("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="));
    assert_eq!(outcome(s.step(b"")), Done("user".into()));
    assert_eq!(outcome(s.step(b"")), Failed(Failure::Malformed));
}

/// Says the client's part with the verifier's salted password `pencil`, binding `c` and the flag in `header`.
fn play(
    mechanism: Mechanism,
    binding: Option<ChannelBinding>,
    header: &str,
    data: &[u8],
    key: &str,
) -> Outcome {
    let mut s = server(mechanism, binding);
    match s.start(Some(format!("{header}n=user,r=abc").as_bytes())) {
        Step::NeedKeys { .. } => {}
        other => return outcome(other),
    }
    let Challenge(server_first) = outcome(s.keys(pencil())) else { panic!("no challenge") };
    let nonce = server_first[2..].split(',').next().unwrap();
    let bound = wire::sasl::encode(&[header.as_bytes(), data].concat());
    let without = format!("c={bound},r={nonce}");
    let auth = format!("n=user,r=abc,{server_first},{without}");
    let client_key = wire::sasl::decode(key.as_bytes()).unwrap();
    let signature = hmac(&pencil().stored_key, auth.as_bytes());
    let proof: Vec<u8> = client_key.expose().iter().zip(signature).map(|(a, b)| a ^ b).collect();
    match outcome(s.step(format!("{without},p={}", wire::sasl::encode(&proof)).as_bytes())) {
        Challenge(signed) if signed.starts_with("v=") => outcome(s.step(b"")),
        other => other,
    }
}

const CLIENT_KEY: &str = "pg/JI9Z+hkSpLRa5btpe9GVrDHJcSEN0viVTVXaZbos=";
const WRONG_KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

#[test]
fn channel_binding_and_downgrades() {
    use Mechanism::*;
    let tls = || Some(ChannelBinding { exporter: Some(vec![1; 32]), server_end_point: Some(vec![2; 32]) });
    let done = || Done("user".into());
    let bad = || Failed(Failure::ChannelBinding);
    for (mechanism, binding, header, data, expected) in [
        (ScramSha256, None, "n,,", &[][..], done()),
        (ScramSha256, None, "y,,", &[], done()),
        (ScramSha256, Some(ChannelBinding::default()), "y,,", &[], done()),
        (ScramSha256, tls(), "n,,", &[], done()),
        (ScramSha256, tls(), "y,,", &[], bad()),
        (ScramSha256, tls(), "p=tls-exporter,,", &[1; 32], bad()),
        (ScramSha256Plus, tls(), "p=tls-exporter,,", &[1; 32], done()),
        (ScramSha256Plus, tls(), "p=tls-server-end-point,,", &[2; 32], done()),
        (ScramSha256Plus, tls(), "p=tls-exporter,,", &[2; 32], bad()),
        (ScramSha256Plus, tls(), "p=tls-exporter,,", &[], bad()),
        (ScramSha256Plus, tls(), "p=tls-unique,,", &[1; 32], bad()),
        (ScramSha256Plus, tls(), "n,,", &[], bad()),
        (ScramSha256Plus, tls(), "y,,", &[], bad()),
        (ScramSha256Plus, None, "p=tls-exporter,,", &[], bad()),
        (ScramSha256, None, "n,a=user,", &[], done()),
        (ScramSha256, None, "n,a=other,", &[], Failed(Failure::OtherIdentity)),
    ] {
        assert_eq!(play(mechanism, binding, header, data, CLIENT_KEY), expected, "{mechanism:?} {header}");
    }
    assert_eq!(play(ScramSha256, None, "n,,", &[], WRONG_KEY), Failed(Failure::WrongProof));
}

#[test]
fn a_replayed_nonce_or_early_answer_fails() {
    let mut s = server(Mechanism::ScramSha256, None);
    s.step(b"n,,n=user,r=abc");
    assert_eq!(outcome(s.step(b"c=biws,r=abc,p=AAAA")), Failed(Failure::Malformed));
    assert_eq!(outcome(s.keys(pencil())), Failed(Failure::Malformed));

    let mut s = server(Mechanism::ScramSha256, None);
    s.step(b"n,,n=user,r=abc");
    s.keys(pencil());
    assert_eq!(outcome(s.step(b"c=biws,r=abc,p=AAAA")), Failed(Failure::Malformed));
}

#[test]
fn plain_and_login() {
    let check = |mechanism, initial: Option<&str>, responses: &[&str], expected: Outcome| {
        let mut s = server(mechanism, None);
        let mut last = s.start(initial.map(str::as_bytes));
        for response in responses {
            last = s.step(response.as_bytes());
        }
        assert_eq!(outcome(last), expected, "{mechanism:?} {initial:?} {responses:?}");
    };
    let tim = || Check("tim".into(), "x y".into());
    check(Mechanism::Plain, Some("\0tim\0x y"), &[], tim());
    check(Mechanism::Plain, Some("tim\0tim\0x y"), &[], tim());
    check(Mechanism::Plain, Some("tom\0tim\0x y"), &[], Failed(Failure::OtherIdentity));
    check(Mechanism::Plain, None, &[], challenge(""));
    check(Mechanism::Plain, None, &["\0tim\0x y"], tim());
    check(Mechanism::Plain, None, &["\0tim\0x y", "\0tim\0x y"], Failed(Failure::Malformed));
    check(Mechanism::Plain, None, &[""], Failed(Failure::Malformed));
    check(Mechanism::Login, None, &[], challenge("Username:"));
    check(Mechanism::Login, None, &["tim"], challenge("Password:"));
    check(Mechanism::Login, Some("tim"), &[], challenge("Password:"));
    check(Mechanism::Login, None, &["tim", "x y"], tim());
    check(Mechanism::Login, Some("tim"), &["x y"], tim());
    check(Mechanism::Login, None, &["tim", ""], Failed(Failure::Malformed));
    check(Mechanism::Login, None, &["\0"], Failed(Failure::Malformed));
    // B039: the same password from a keyboard that sends a combining diaeresis (RFC 4013 §2.2).
    check(Mechanism::Plain, Some("\0tim\0£a\u{308}"), &[], Check("tim".into(), "£ä".into()));
}

#[test]
fn preparation() {
    // RFC 4013 §3; what it forbids stays as it is.
    for (text, expected) in [
        ("I\u{ad}X", "IX"),
        ("user", "user"),
        ("USER", "USER"),
        ("\u{aa}", "a"),
        ("\u{2168}", "IX"),
        ("\u{7}", "\u{7}"),
        ("\u{627}1", "\u{627}1"),
        ("a\u{a0}b", "a b"),
        ("£ä\"\\ ", "£ä\"\\ "),
        ("🔑", "🔑"),
    ] {
        assert_eq!(prepare(text), expected);
    }
    assert_eq!(prepare_password(Secret::new(*b"\xe4")).expose(), b"\xe4");
}

#[test]
fn names_and_secrecy() {
    for m in
        Mechanism::offered(true, Some(&ChannelBinding { exporter: Some(vec![0]), server_end_point: None }))
    {
        assert_eq!(Mechanism::from_name(&m.name().to_lowercase()), Some(*m));
    }
    assert_eq!(Mechanism::from_name("CRAM-MD5"), None);
    assert!(
        !Mechanism::offered(true, Some(&ChannelBinding::default())).contains(&Mechanism::ScramSha256Plus)
    );
    assert_eq!(format!("{:?}", pencil()), "ScramKeys(hidden)");
}

#[test]
fn verifier_of_a_salted_password() {
    // hashlib.pbkdf2_hmac("sha256", b"pencil", salt, 4096)
    let salted = wire::sasl::decode(b"xKSVEDI6tPlSysH6mUQZOeeOp01r6B3fcJbodRPcYV0=").unwrap();
    let keys = ScramKeys::from_salted_password(salted.expose().try_into().unwrap(), pencil().salt, 4096);
    assert_eq!((keys.stored_key, keys.server_key), (pencil().stored_key, pencil().server_key));
}
