//! RFC 5228: control, actions, the base tests; and what commands may be together.

use super::{Known, MESSAGE, check, check_on, check_test, lines, run_scripts};
use crate::{Limits, NoHost, Place};

#[test]
fn keep_is_implicit() {
    for (script, expected) in [
        ("", &["implicit keep"][..]),
        ("\u{feff}discard;", &[]),
        ("# nothing\n/* to\n do */", &["implicit keep"]),
        ("keep;", &["keep"]),
        ("discard;", &[]),
        ("discard; keep;", &["keep"]),
        ("stop; discard;", &["implicit keep"]),
        ("require \"fileinto\"; fileinto \"a\";", &["fileinto \"a\""]),
        ("require \"fileinto\"; fileinto \"a\"; keep;", &["fileinto \"a\"", "keep"]),
        ("require [\"fileinto\", \"copy\"]; fileinto :copy \"a\";", &["fileinto \"a\"", "implicit keep"]),
        ("redirect \"a@example.com\";", &["redirect a@example.com"]),
        ("redirect \" \\\"Some, One\\\" <a@example.com>\";", &["redirect a@example.com"]),
        ("require \"copy\"; redirect :copy \"a@example.com\";", &["redirect a@example.com", "implicit keep"]),
    ] {
        check(script, expected);
    }
}

/// RFC 5228 §2.10.3
#[test]
fn each_place_once() {
    for (script, expected) in [
        ("keep; keep;", &["keep"][..]),
        ("require \"fileinto\"; fileinto \"inbox\"; keep;", &["fileinto \"INBOX\""]),
        (
            "require \"fileinto\"; fileinto \"a\"; fileinto \"a\"; fileinto \"A\";",
            &["fileinto \"a\"", "fileinto \"A\""],
        ),
        ("redirect \"a@example.com\"; redirect \"a@EXAMPLE.com\";", &["redirect a@example.com"]),
        // Where the special use is may be elsewhere.
        (
            "require [\"fileinto\", \"special-use\"]; fileinto :specialuse \"\\\\Junk\" \"INBOX\"; keep;",
            &["fileinto \"INBOX\" :specialuse \\Junk", "keep"],
        ),
        // RFC 5232 §3: the last flags count.
        (
            "require [\"fileinto\", \"imap4flags\"]; fileinto :flags \"x\" \"a\"; fileinto :flags \"y\" \"a\";",
            &["fileinto \"a\" (y)"],
        ),
    ] {
        check(script, expected);
    }
}

/// RFC 5228 §3.1
#[test]
fn conditions() {
    let script = |subject: &str| format!("Subject: {subject}\n\nbody\n");
    let filter = "require \"fileinto\";
        if header :contains \"subject\" \"one\" { fileinto \"1\"; }
        elsif header :contains \"subject\" \"two\" { fileinto \"2\"; stop; }
        else { fileinto \"other\"; }
        fileinto \"end\";";
    check_on(filter, &script("one two"), &["fileinto \"1\"", "fileinto \"end\""]);
    check_on(filter, &script("two"), &["fileinto \"2\""]);
    check_on(filter, &script("three"), &["fileinto \"other\"", "fileinto \"end\""]);
}

#[test]
fn base_tests() {
    let size = MESSAGE.len() + MESSAGE.matches('\n').count();
    for (test, expected) in [
        ("true", true),
        ("false", false),
        ("not false", true),
        ("allof (true, true)", true),
        ("allof (true, false, true)", false),
        ("anyof (false, true)", true),
        ("anyof (false, false)", false),
        ("exists \"subject\"", true),
        ("exists [\"From\", \"DATE\"]", true),
        ("exists [\"from\", \"x-missing\"]", false),
        // RFC 5228 §2.4.2.2: no error.
        ("header :contains [\"from:\", \"a b\", \"\"] \"\"", false),
        // RFC 5228 §5.7
        ("header :is [\"X-Caffeine\"] [\"\"]", false),
        ("header :contains [\"X-Caffeine\"] [\"\"]", true),
        ("header :contains \"x-missing\" \"\"", false),
        ("header :is \"x-empty\" \"\"", true),
        ("not header :matches \"Cc\" \"?*\"", true),
        ("header :is \"subject\" \"i have a PRESENT for you\"", true),
        ("header :comparator \"i;octet\" :is \"subject\" \"i have a PRESENT for you\"", false),
        ("header :is \"subject\" \"present\"", false),
        ("header :contains [\"x-missing\", \"subject\"] [\"absent\", \"present\"]", true),
        ("size :over 1", true),
        ("size :over 1K", false),
        ("size :under 1M", true),
        // RFC 5228 §2.7.4, §5.1
        ("address :is :all \"from\" \"roadrunner@acme.example.com\"", true),
        ("address :domain :is \"from\" \"ACME.example.com\"", true),
        ("address :localpart \"from\" \"roadrunner\"", true),
        ("address :contains \"from\" \"Road Runner\"", false),
        ("address :is [\"from\", \"to\"] \"other@example.net\"", true),
        ("address :is \"cc\" \"other@example.net\"", false),
    ] {
        check_test("", test, MESSAGE, expected);
    }
    // RFC 5228 §5.9: exactly as large is neither.
    check_test("", &format!("size :over {size}"), MESSAGE, false);
    check_test("", &format!("size :under {size}"), MESSAGE, false);
    check_test("", &format!("size :over {}", size - 1), MESSAGE, true);
}

#[test]
fn headers_are_decoded() {
    let message =
        "Subject: =?iso-8859-1?q?Gr=FC=DFe?=\n =?utf-8?b?IGF1cyBXaWVu?=\nX-Folded: one\n\ttwo\n\nbody\n";
    for (test, expected) in [
        ("header :is \"subject\" \"Grüße aus Wien\"", true),
        ("header :contains \"subject\" \"GRÜSSE\"", false),
        ("header :contains :comparator \"i;unicode-casemap\" \"subject\" \"GRÜSSE AUS\"", true),
        ("header :is \"x-folded\" \"one\ttwo\"", true),
    ] {
        check_test(", \"comparator-i;unicode-casemap\"", test, message, expected);
    }
}

/// RFC 5228 §5.4
#[test]
fn envelopes() {
    let check_from = |test: &str, from: &str, expected: bool| {
        let script =
            format!("require [\"envelope\", \"subaddress\", \"relational\"]; if {test} {{ discard; }}");
        let outcome = super::run_on(&script, MESSAGE, from, &NoHost, &Limits::default());
        assert_eq!(outcome.actions.is_empty(), expected, "{test} of {from:?}");
    };
    check_from("envelope :all :is \"from\" \"tim@example.com\"", "tim@example.com", true);
    check_from("envelope :is \"from\" \"tim@example.com\"", "tom@example.com", false);
    check_from("envelope :domain \"FROM\" \"example.com\"", "tim@example.com", true);
    check_from("envelope :localpart \"to\" \"coyote\"", "", true);
    check_from("envelope :is \"from\" \"\"", "", true);
    check_from("envelope :domain :is \"from\" \"\"", "", true);
    // RFC 5231 §4.2
    check_from("envelope :count \"eq\" \"from\" \"0\"", "", true);
    check_from("envelope :count \"eq\" [\"from\", \"to\"] \"2\"", "tim@example.com", true);
    check_from("envelope :detail :is \"from\" \"lists\"", "tim+lists@example.com", true);
}

/// RFC 5233 §4
#[test]
fn subaddresses() {
    let message = "To: ken+sieve@example.org, tim@example.net, a+b+c@example.net, x+@example.net\n\n";
    for (test, expected) in [
        ("address :user \"to\" \"ken\"", true),
        ("address :detail \"to\" \"sieve\"", true),
        ("address :detail \"to\" \"b+c\"", true),
        ("address :user \"to\" \"tim\"", true),
        ("address :localpart \"to\" \"ken\"", false),
        ("address :detail \"to\" \"\"", true),
    ] {
        check_test(", \"subaddress\"", test, message, expected);
    }
    check_test(", \"subaddress\"", "address :detail :contains \"to\" \"\"", "To: tim@example.net\n\n", false);
}

/// RFC 5429 §2.4, RFC 5230 §4.7
#[test]
fn what_excludes_what() {
    let require = "require [\"fileinto\", \"reject\", \"ereject\", \"vacation\"];\n";
    for (script, expected) in [
        ("reject \"no\";", &["reject \"no\""][..]),
        ("ereject \"no\";", &["ereject \"no\""]),
        ("reject \"no\"; discard;", &["reject \"no\""]),
        ("reject \"a\"; reject \"b\";", &["implicit keep", "line 2: a message can be rejected once only"]),
        (
            "keep; reject \"a\";",
            &["implicit keep", "line 2: a message that is kept, filed or redirected can't be rejected"],
        ),
        (
            "reject \"a\"; redirect \"a@example.com\";",
            &["implicit keep", "line 2: a message that is rejected can't be kept, filed or redirected"],
        ),
        (
            "vacation \"a\"; reject \"b\";",
            &["implicit keep", "line 2: a message that gets a vacation reply can't be rejected"],
        ),
    ] {
        check(&format!("{require}{script}"), expected);
    }
}

#[test]
fn an_error_keeps_the_message() {
    let require = "require [\"fileinto\", \"variables\", \"imap4flags\", \"editheader\"];\n";
    let script = "addflag \"x\"; addheader \"X-A\" \"b\"; set \"m\" \"\";\nfileinto \"a\";\nif true {\n\n fileinto \"${m}\"; }";
    check(&format!("{require}{script}"), &["implicit keep", "line 6: \"\" can't be a mailbox's name"]);
}

/// Scripts of the site before and after the user's.
#[test]
fn scripts_in_sequence() {
    let require = "require [\"fileinto\", \"copy\", \"imap4flags\", \"vacation\"];\n";
    let check = |scripts: &[&str], expected: &[&str]| {
        let compiled: Vec<_> =
            scripts.iter().map(|s| super::compile(&format!("{require}{s}")).unwrap()).collect();
        let named: Vec<_> = compiled.iter().map(|script| ("site", script)).collect();
        let outcome = run_scripts(&named, MESSAGE, "a@example.net", &NoHost, &Limits::default());
        assert_eq!(lines(&outcome), expected, "{scripts:?}");
    };
    check(&["", "fileinto \"a\";"], &["fileinto \"a\""]);
    check(&["keep;", "discard;"], &[]);
    check(&["discard;", "keep;"], &[]);
    check(&["fileinto \"a\";", "fileinto \"b\";"], &["fileinto \"a\""]);
    check(&["fileinto :copy \"a\";", "discard;"], &["fileinto \"a\""]);
    check(&["fileinto :copy \"a\"; stop;", ""], &["fileinto \"a\"", "implicit keep"]);
    let reply = "vacation a@example.net 604800 s \"Auto: I have a present for you\" \"site\"";
    check(&["vacation \"site\";", "vacation \"own\";"], &[reply, "implicit keep"]);
    check(&["keep :flags \"x\";", ""], &["implicit keep (x)"]);
    check(&["addflag \"x\";", "addflag \"y\";"], &["implicit keep (x y)"]);
    check(
        &[
            "fileinto :copy \"a\";",
            "fileinto \"b\"; keep; redirect \"1@b\"; redirect \"2@b\"; redirect \"3@b\"; redirect \"4@b\";
           redirect \"5@b\"; redirect \"6@b\";",
        ],
        &["fileinto \"a\"", "implicit keep", "line 3: too many redirects: 5 at most"],
    );
}

/// What `mailward trace` tells: each decision with its place.
#[test]
fn the_trace_tells_why() {
    let host = Known {
        scripts: [((Place::Personal, "lists"), "require \"fileinto\";\n\nfileinto \"Lists\";")].into(),
        ..Known::default()
    };
    let before = super::compile("require \"editheader\";\naddheader \"X-Seen\" \"yes\";").unwrap();
    let own = super::compile(
        "require [\"include\", \"copy\", \"vacation\", \"fileinto\"];\nif exists \"subject\" {\n  include \"lists\";\n}\n\
         redirect :copy \"a@example.com\";\nvacation \"x\";\nstop;",
    );
    let outcome =
        run_scripts(&[("site", &before), ("own", &own.unwrap())], MESSAGE, "", &host, &Limits::default());
    let told: Vec<String> =
        outcome.trace.iter().map(|line| format!("{} {}: {}", line.script, line.line, line.text)).collect();
    assert_eq!(
        told,
        [
            "site 2: added the header field X-Seen",
            "own 3: goes on with the script \"lists\"",
            "lists 3: filed into \"Lists\"",
            "own 5: redirected to a@example.com, as a copy",
            "own 6: gives no vacation reply: the message has no sender",
            "own 7: the script stops here",
        ]
    );
}
