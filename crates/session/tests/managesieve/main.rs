//! ManageSieve dialogues. Each is played whole, in odd pieces and octet by octet: what the server says must be the same.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod driver;

use driver::{Driver, Offer};
use session::mail_session::{Input, MailSession};
use session::managesieve::Session;
use std::time::Duration;

/// What the client sends, and what it hears then.
fn check(offer: Offer, dialogue: &[(&str, &str)]) {
    for piece in [usize::MAX, 7, 1] {
        let mut driver = Driver::new(offer);
        driver.heard();
        for (sent, expected) in dialogue {
            driver.send_in(sent.as_bytes(), piece);
            assert_eq!(driver.heard(), expected.replace('\n', "\r\n"), "after {sent:?} by {piece}");
        }
    }
}

const LOGIN: (&str, &str) = ("AUTHENTICATE \"PLAIN\" \"AGFsaWNlAHNlY3JldA==\"\r\n", "OK \"Logged in\"\n");
const TLS: Offer = Offer { tls: true, ..Offer::NONE };

/// RFC 5804 §1.7: what is announced depends on what can be done.
#[test]
fn capabilities() {
    fn check(offer: Offer, log_in: bool, expected: &str) {
        let mut driver = Driver::new(offer);
        let greeting = driver.heard();
        if log_in {
            driver.send_in(LOGIN.0.as_bytes(), usize::MAX);
            driver.heard();
        }
        driver.send_in(b"Capability\r\n", usize::MAX);
        let heard = driver.heard();
        assert!(log_in || heard == greeting, "{heard}");
        assert_eq!(heard, expected.replace('\n', "\r\n"));
    }
    let rest = "\"SIEVE\" \"fileinto envelope\"\n\"NOTIFY\" \"mailto\"\n\"MAXREDIRECTS\" \"5\"\n\"LANGUAGE\" \"en\"\n";
    let end = "\"VERSION\" \"1.0\"\n\"UNAUTHENTICATE\"\n";
    let ready = "OK \"mail.example.test ManageSieve server ready\"\n";
    let implementation = "\"IMPLEMENTATION\" \"Mailward\"\n";
    let clear = format!("{implementation}\"SASL\" \"\"\n{rest}{end}\"STARTTLS\"\n{ready}");
    check(Offer { starttls: true, ..Offer::NONE }, false, &clear);
    let scram = "\"SASL\" \"SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN\"\n";
    let tls = format!("{implementation}{scram}{rest}{end}{ready}");
    check(Offer { tls: true, scram: true, ..Offer::NONE }, false, &tls);
    let owner = "\"OWNER\" \"alice@example.test\"\n";
    let user = format!("{implementation}\"SASL\" \"PLAIN\"\n{rest}{owner}{end}{ready}");
    check(TLS, true, &user);
}

#[test]
fn scripts_are_kept() {
    check(
        TLS,
        &[
            LOGIN,
            ("LISTSCRIPTS\r\n", "OK \"Done\"\n"),
            ("PUTSCRIPT \"a\" {7+}\r\nkeep;\r\n\r\n", "OK \"Done\"\n"),
            ("PUTSCRIPT \"b \\\"c\\\"\" \"stop;\"\r\n", "OK \"Done\"\n"),
            ("GETSCRIPT \"a\"\r\n", "{7}\nkeep;\n\nOK \"Done\"\n"),
            ("SETACTIVE \"a\"\r\n", "OK \"Done\"\n"),
            ("LISTSCRIPTS\r\n", "\"a\" ACTIVE\n\"b \\\"c\\\"\"\nOK \"Done\"\n"),
            ("DELETESCRIPT \"a\"\r\n", "NO (ACTIVE) \"the script is active\"\n"),
            ("RENAMESCRIPT \"a\" \"d\"\r\n", "OK \"Done\"\n"),
            (
                "RENAMESCRIPT \"b \\\"c\\\"\" \"d\"\r\n",
                "NO (ALREADYEXISTS) \"there is a script of that name already\"\n",
            ),
            ("SETACTIVE \"\"\r\n", "OK \"Done\"\n"),
            ("DELETESCRIPT \"d\"\r\n", "OK \"Done\"\n"),
            ("LISTSCRIPTS\r\n", "\"b \\\"c\\\"\"\nOK \"Done\"\n"),
            ("SETACTIVE \"d\"\r\n", "NO (NONEXISTENT) \"there is no such script\"\n"),
            ("GETSCRIPT \"d\"\r\n", "NO (NONEXISTENT) \"there is no such script\"\n"),
            ("LOGOUT\r\n", "OK \"Bye\"\nclosed\n"),
        ],
    );
}

/// RFC 5804 §2.6: what is wrong is told with its line, and nothing of it is kept.
#[test]
fn faulty_scripts_are_refused() {
    let fault = "NO \"line 2: \\\"wrong\\\" is wrong\"\n";
    check(
        TLS,
        &[
            LOGIN,
            ("PUTSCRIPT \"a\" \"keep;\"\r\n", "OK \"Done\"\n"),
            ("PUTSCRIPT \"a\" {8+}\r\n#\r\nwrong\r\n", fault),
            ("CHECKSCRIPT {8+}\r\n#\r\nwrong\r\n", fault),
            ("CHECKSCRIPT \"keep;\"\r\n", "OK \"Done\"\n"),
            ("PUTSCRIPT \"a\" \"\"\r\n", "NO \"the script is empty\"\n"),
            (
                "PUTSCRIPT \"a/b\" \"keep;\"\r\n",
                "NO \"this can't be a script's name: at most 128 characters, no slashes\"\n",
            ),
            ("GETSCRIPT \"a\"\r\n", "{5}\nkeep;\nOK \"Done\"\n"),
        ],
    );
}

#[test]
fn quotas() {
    let too_large = "NO (QUOTA/MAXSIZE) \"the script has more than 256 KiB\"\n";
    let put = |size: usize| format!("CHECKSCRIPT {{{size}+}}\r\n{}\r\nNOOP\r\n", "#".repeat(size));
    let full = "NO (QUOTA/MAXSCRIPTS) \"there are 32 scripts already, and no more may be\"\n";
    let all: String = (0..32).map(|n| format!("PUTSCRIPT \"{n}\" \"keep;\"\r\n")).collect();
    for (sent, expected) in [
        ("HAVESPACE \"a\" 262144\r\n".into(), "OK \"Done\"\n".to_owned()),
        ("HAVESPACE \"a\" 262145\r\n".into(), too_large.into()),
        (put(262_144), "OK \"Done\"\nOK \"Done\"\n".into()),
        (put(262_145), format!("{too_large}OK \"Done\"\n")),
        (put(300_000), "NO (QUOTA/MAXSIZE) \"The command is too large\"\nOK \"Done\"\n".into()),
        ("CHECKSCRIPT {5000000+}\r\n".into(), "BYE \"The command is too long\"\nclosed\n".into()),
        (format!("{all}HAVESPACE \"a\" 1\r\n"), "OK \"Done\"\n".repeat(32) + full),
        (format!("{all}PUTSCRIPT \"a\" \"keep;\"\r\n"), "OK \"Done\"\n".repeat(32) + full),
        (format!("{all}HAVESPACE \"1\" 1\r\n"), "OK \"Done\"\n".repeat(33)),
    ] {
        let mut driver = Driver::new(TLS);
        driver.send_in(LOGIN.0.as_bytes(), usize::MAX);
        driver.heard();
        driver.send_in(sent.as_bytes(), 4096);
        assert_eq!(driver.heard(), expected.replace('\n', "\r\n"), "{}", &sent[..sent.len().min(60)]);
    }
}

/// No password without TLS; what is wrong is answered alike; three wrong ones end the connection.
#[test]
fn log_in() {
    let wrong = "AUTHENTICATE \"PLAIN\" {20+}\r\nAGFsaWNlAHdyb25nIQ==\r\n";
    let refused = "NO \"Wrong name or password\"\n";
    let clear = Offer { starttls: true, ..Offer::NONE };
    let encrypt = "NO (ENCRYPT-NEEDED) \"A password is taken over TLS only: STARTTLS first\"\n";
    check(clear, &[(LOGIN.0, encrypt), ("LISTSCRIPTS\r\n", "NO \"Log in first\"\n")]);
    check(TLS, &[("AUTHENTICATE \"LOGIN\"\r\n", "NO \"No such mechanism\"\n")]);
    check(TLS, &[(wrong, refused), LOGIN, (LOGIN.0, "NO \"Not after log-in\"\n")]);
    let out = "BYE \"Too many failed log-ins\"\nclosed\n";
    check(TLS, &[(wrong, refused), (wrong, refused), (wrong, out)]);
    check(
        TLS,
        &[
            ("AUTHENTICATE \"PLAIN\"\r\n", "\"\"\n"),
            ("\"AGFsaWNlAHNlY3JldA==\"\r\n", "OK \"Logged in\"\n"),
            ("UNAUTHENTICATE\r\n", "OK \"Logged out\"\n"),
            ("LISTSCRIPTS\r\n", "NO \"Log in first\"\n"),
            ("AUTHENTICATE \"PLAIN\"\r\n", "\"\"\n"),
            ("\"*\"\r\n", "NO \"Authentication cancelled\"\n"),
            ("AUTHENTICATE \"PLAIN\"\r\n", "\"\"\n"),
            ("NOOP\r\n", "NO \"A string is expected\"\n"),
            ("AUTHENTICATE \"PLAIN\" \"=\"\r\n", "NO \"Not base64\"\n"),
        ],
    );
    // What comes right behind a log-in is run, as a user's.
    check(
        TLS,
        &[(
            &format!("{}NOOP \"a\"\r\nLOGOUT\r\n", LOGIN.0),
            "OK \"Logged in\"\nOK (TAG \"a\") \"Done\"\nOK \"Bye\"\nclosed\n",
        )],
    );
}

/// RFC 7677 §3 has no exchange over these octets; the server's part is tested in `sasl`.
#[test]
fn scram_goes_through() {
    let offer = Offer { scram: true, ..TLS };
    let mut driver = Driver::new(offer);
    driver.heard();
    driver.send_in(b"AUTHENTICATE \"SCRAM-SHA-256\" {28+}\r\nbiwsbj1hbGljZSxyPWFiY2RlZg==\r\n", 5);
    let challenge = driver.heard();
    assert!(challenge.starts_with('"') && challenge.ends_with("\"\r\n"), "{challenge}");
    driver.send_in(b"\"Yz1iaXdzLHI9YWJjZGVmLHA9YWJjZA==\"\r\n", 5);
    assert_eq!(driver.heard(), "NO \"Authentication failed\"\r\n");
}

/// RFC 5804 §2.2: nothing that came in the clear counts after TLS, and the capabilities are told anew.
#[test]
fn starttls_forgets() {
    let offer = Offer { starttls: true, ..Offer::NONE };
    for behind in ["", "LOGOUT\r\n", "CHECKSCRIPT {100+}\r\n"] {
        let mut driver = Driver::new(offer);
        driver.heard();
        driver.send_in(format!("STARTTLS\r\n{behind}").as_bytes(), usize::MAX);
        let heard = driver.heard();
        assert!(heard.starts_with("OK \"Begin TLS\"\r\nTLS\r\n\"IMPLEMENTATION\""), "{heard}");
        assert!(!heard.contains("STARTTLS") && heard.contains("\"SASL\" \"PLAIN\""), "{heard}");
        driver.send_in(b"STARTTLS\r\n", usize::MAX);
        assert_eq!(driver.heard(), "NO \"No STARTTLS here\"\r\n");
        driver.send_in(LOGIN.0.as_bytes(), usize::MAX);
        assert_eq!(driver.heard(), "OK \"Logged in\"\r\n");
        driver.send_in(b"STARTTLS\r\n", usize::MAX);
        assert_eq!(driver.heard(), "NO \"Not after log-in\"\r\n");
    }
}

#[test]
fn strangers_are_bounded() {
    let endless = "BYE \"The command is too long\"\nclosed\n";
    check(TLS, &[(&"N".repeat(9000), endless)]);
    check(TLS, &[("CHECKSCRIPT {20000+}\r\n", endless)]);
    let errors = "NO \"No such command\"\n".repeat(20) + "BYE \"Too many errors\"\nclosed\n";
    check(TLS, &[(&"HELP\r\n".repeat(30), &errors)]);
    let mut driver = Driver::new(TLS);
    driver.heard();
    let deadline = driver.session.deadline();
    driver.now += Duration::from_secs(299);
    driver.send_in(b"NOOP\r\nNO", usize::MAX);
    assert_eq!(driver.session.deadline(), deadline, "a stranger has only so long");
    driver.heard();
    driver.now += Duration::from_secs(2);
    driver.feed(Input::Tick);
    assert_eq!(driver.heard(), "BYE \"Too long without a command\"\r\nclosed\r\n");
}

#[test]
fn users_have_half_an_hour() {
    let mut driver = Driver::new(TLS);
    driver.send_in(LOGIN.0.as_bytes(), usize::MAX);
    for _ in 0..3 {
        driver.now += Duration::from_secs(30 * 60 - 1);
        driver.feed(Input::Tick);
        driver.send_in(b"NOOP\r\n", usize::MAX);
    }
    assert!(!driver.heard().contains("closed"));
    driver.now += Duration::from_secs(30 * 60);
    driver.feed(Input::Tick);
    assert_eq!(driver.heard(), "BYE \"Too long without a command\"\r\nclosed\r\n");
}

/// Our faults are for the log; the peer may try again.
#[test]
fn a_store_that_fails() {
    let mut driver = Driver::new(TLS);
    driver.send_in(LOGIN.0.as_bytes(), usize::MAX);
    driver.heard();
    driver.scripts.break_down();
    driver.send_in(b"LISTSCRIPTS\r\n", usize::MAX);
    assert_eq!(driver.heard(), "NO (TRYLATER) \"not possible now\"\r\n");
    assert_eq!(Session::fault(&mut driver.session), Some("broken by the test".into()));
    driver.feed(Input::Shutdown);
    assert!(driver.heard().starts_with("BYE (TRYLATER)"));
}
