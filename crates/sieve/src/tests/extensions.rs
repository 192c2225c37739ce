//! Extensions that decide: variables, flags, dates, bodies, included scripts, changed headers, and what the host knows.

use super::{Known, MESSAGE, check, check_on, check_test, check_test_with, lines, run_on};
use crate::{Action, DuplicateId, Limits, NoHost, Place, Seen};

/// RFC 5229 §3, §4
#[test]
fn variables() {
    let check = |script: &str, expected: &str| {
        check(
            &format!("require [\"variables\", \"fileinto\", \"enotify\", \"regex\"];\n{script}"),
            &[&format!("fileinto {expected:?}")],
        );
    };
    let show =
        |set: &str, expected: &str| check(&format!("{set} fileinto \"<${{b}}>\";"), &format!("<{expected}>"));
    show("set \"b\" \"&${}!\";", "&${}!");
    show("set \"b\" \"${doh!}\";", "${doh!}");
    show("set \"company\" \"ACME\"; set \"b\" \"${full}${COMPANY}\";", "ACME");
    show("set \"company\" \"ACME\"; set \"b\" \"${BAD${Company}\";", "${BADACME");
    show("set \"company\" \"ACME\"; set \"b\" \"${President, ${Company} Inc.}\";", "${President, ACME Inc.}");
    show("set \"foo\" \"x\"; set \"b\" \"${fo\\o}\";", "x");
    show("set \"foo\" \"x\"; set \"b\" \"${fo\\\\o}\";", "${fo\\o}");
    show("set \"foo\" \"x\"; set \"b\" \"\\${foo}\";", "x");
    show("set \"foo\" \"x\"; set \"b\" \"\\\\${foo}\";", "\\x");
    show("set \"dollar\" \"$\"; set \"b\" \"regarding ${dollar}{beep}\";", "regarding ${beep}");
    let jumbled = "set \"a\" \"juMBlEd lETteRS\";";
    for (modifiers, expected) in [
        ("", "juMBlEd lETteRS"),
        (":length", "15"),
        (":lower", "jumbled letters"),
        (":upper", "JUMBLED LETTERS"),
        (":upperfirst", "JuMBlEd lETteRS"),
        (":upperfirst :lower", "Jumbled letters"),
        (":lowerfirst :upper", "jUMBLED LETTERS"),
    ] {
        show(&format!("{jumbled} set {modifiers} \"b\" \"${{a}}\";"), expected);
    }
    show("set :quotewildcard :length \"b\" \"Rock*\";", "6");
    show("set :length \"b\" \"grün\";", "4");
    show("set :upper \"b\" \"grün\";", "GRüN");
    // RFC 5435 §6; a mailbox's name can't hold a `%`.
    check(
        "set :encodeurl \"b\" \"Safe body&evil=evil~\"; if string \"${b}\" \"Safe%20body%26evil%3Devil~\" { fileinto \"yes\"; }",
        "yes",
    );
    check(
        "set \"state\" \"\"; set \"state\" \"${state} pending\"; if string :matches \" ${state} \" \"* pending *\" { fileinto \"yes\"; }",
        "yes",
    );
    check(
        "set :quotewildcard \"q\" \"a*b\"; if string :matches \"axb\" \"${q}\" { fileinto \"no\"; } else { fileinto \"yes\"; }",
        "yes",
    );
    check(
        "set :quoteregex \"q\" \"a.b\"; if string :regex \"axb\" \"${q}\" { fileinto \"no\"; } else { fileinto \"yes\"; }",
        "yes",
    );
    check(
        "set \"v\" text:\nDear ${x}\n..dot\n.\n; if string \"${v}\" \"Dear \r\n.dot\r\n\" { fileinto \"yes\"; }",
        "yes",
    );
}

/// RFC 5232
#[test]
fn flags() {
    let require = "require [\"imap4flags\", \"fileinto\", \"variables\", \"relational\", \"comparator-i;ascii-numeric\"];\n";
    for (script, expected) in [
        ("setflag \"\\\\Deleted\";", "implicit keep (\\Deleted)"),
        (
            "addflag [\"\\\\deleted\", \"x\"]; addflag \"X  \\\\Answered\"; fileinto \"a\";",
            "fileinto \"a\" (\\Answered \\Deleted x)",
        ),
        ("addflag \"a b c\"; removeflag [\"B\", \"\"]; keep;", "keep (a c)"),
        ("addflag \"a\"; setflag \"b\";", "implicit keep (b)"),
        ("addflag \"a\"; keep :flags [\"c\", \"d e\"];", "keep (c d e)"),
        ("addflag \"a\"; keep :flags \"\";", "keep"),
        (
            "setflag \"flagvar\" \"\\\\Flagged\"; fileinto :flags \"${flagvar}\" \"INBOX/From Boss\";",
            "fileinto \"INBOX/From Boss\" (\\Flagged)",
        ),
        (
            "addflag \"v\" \"\\\\Deleted\"; addflag \"v\" \"\\\\Answered\"; keep :flags \"${V}\";",
            "keep (\\Answered \\Deleted)",
        ),
        // RFC 5232 §2: what can be no flag is passed over, \Recent too.
        ("addflag [\"\\\\Recent\", \"\\\\Frob\", \"gr\u{fc}n\", \"a(b\", \"ok\"];", "implicit keep (ok)"),
        (
            "set \"v\" \"A B\"; if hasflag :count \"ge\" :comparator \"i;ascii-numeric\" \"v\" \"2\" { keep; }",
            "keep",
        ),
        ("setflag \"A B\"; if hasflag \"b\" { keep; }", "keep (A B)"),
        ("set \"v\" \"NonJunk Junk\"; if hasflag :contains \"v\" [\"label\", \"junk\"] { keep; }", "keep"),
        ("set \"v\" \"NonJunk Junk\"; if hasflag :contains \"v\" \"label\" { keep; }", "implicit keep"),
    ] {
        check(&format!("{require}{script}"), &[expected]);
    }
}

/// RFC 5260 §4, §5: the run is at 14:00 UTC, local time is an hour ahead.
#[test]
fn dates() {
    let message = "Received: from a; Sun, 25 Feb 2007 23:30:00 -0500\nReceived: from b; Sat, 24 Feb 2007 01:02:03 +0000\n\
        Date: Mon, 26 Feb 2007 08:30:05 -0500\nX-Bad: Tue, 30 Feb 2007 08:30:05 -0500\n\n";
    for (test, expected) in [
        ("date :originalzone \"date\" \"hour\" \"08\"", true),
        ("date \"date\" \"hour\" \"14\"", true),
        ("date :zone \"+0900\" \"date\" \"hour\" \"22\"", true),
        ("date :zone \"+0000\" \"date\" \"iso8601\" \"2007-02-26T13:30:05Z\"", true),
        ("date :originalzone \"date\" \"iso8601\" \"2007-02-26T08:30:05-05:00\"", true),
        ("date :originalzone \"date\" \"std11\" \"Mon, 26 Feb 2007 08:30:05 -0500\"", true),
        ("date :originalzone \"date\" \"zone\" \"-0500\"", true),
        ("date :originalzone \"date\" \"julian\" \"54157\"", true),
        ("date :originalzone \"date\" \"weekday\" \"1\"", true),
        ("date :originalzone \"date\" \"date\" \"2007-02-26\"", true),
        ("date :originalzone \"date\" \"time\" \"08:30:05\"", true),
        (
            "allof (date :originalzone \"date\" \"year\" \"2007\", date :originalzone \"date\" \"month\" \"02\", date :originalzone \"date\" \"day\" \"26\", date :originalzone \"date\" \"minute\" \"30\", date :originalzone \"date\" \"second\" \"05\")",
            true,
        ),
        ("date :originalzone \"received\" \"weekday\" \"0\"", true),
        ("date \"received\" \"weekday\" \"1\"", true),
        ("date :index 2 :originalzone \"received\" \"date\" \"2007-02-24\"", true),
        ("date :index 1 :last :originalzone \"received\" \"date\" \"2007-02-24\"", true),
        ("date :index 3 \"received\" \"year\" \"2007\"", false),
        ("date :matches \"x-bad\" \"year\" \"*\"", false),
        ("date :matches \"x-none\" \"year\" \"*\"", false),
        ("date :count \"eq\" \"x-none\" \"year\" \"0\"", true),
        ("date :value \"ge\" :originalzone \"date\" \"hour\" \"09\"", false),
        ("currentdate \"hour\" \"15\"", true),
        ("currentdate :zone \"-0500\" \"hour\" \"09\"", true),
        ("currentdate \"zone\" \"+0100\"", true),
        ("currentdate :value \"ge\" \"date\" \"2007-02-26\"", true),
    ] {
        check_test(", \"date\", \"index\", \"relational\"", test, message, expected);
    }
}

/// RFC 5260 §6
#[test]
fn indexes() {
    let message = "Received: one\nTo: a@b.example\nReceived: two\nCc: c@d.example\nReceived: three\n\n";
    for (test, expected) in [
        ("header :index 2 \"received\" \"two\"", true),
        ("header :index 2 \"received\" \"one\"", false),
        ("header :index 1 :last \"received\" \"three\"", true),
        ("header :index 3 :last \"received\" \"one\"", true),
        ("header :index 4 :contains \"received\" \"\"", false),
        ("header :index 0 :contains \"received\" \"\"", false),
        // All the fields named are counted, in the order of the names.
        ("header :index 2 [\"cc\", \"to\"] \"a@b.example\"", true),
        ("address :index 1 :last [\"to\", \"cc\"] \"c@d.example\"", true),
    ] {
        check_test(", \"index\"", test, message, expected);
    }
}

/// The example of RFC 5173 §5.2, its marks taken away.
const PARTS: &str = "From: Whomever\nTo: Someone\nSubject: whatever\nContent-Type: multipart/mixed; boundary=outer\n\n\
    This is a multi-part message in MIME format.\n\n--outer\nContent-Type: multipart/alternative; boundary=inner\n\n\
    This is a nested multi-part message in MIME format.\n\n--inner\nContent-Type: text/plain; charset=\"us-ascii\"\n\nHello\n\n\
    --inner\nContent-Type: text/html; charset=\"us-ascii\"\n\n<html><body>He<b>ll</b>o &amp; bye</body></html>\n\n--inner--\n\n\
    This is the end of the inner MIME multipart.\n\n--outer\nContent-Type: message/rfc822\n\nFrom: Someone Else\n\
    Subject: hello request\n\nPlease say Hello\n\n--outer\nContent-Type: image/png\nContent-Transfer-Encoding: base64\n\n\
    c2VjcmV0\n--outer--\n\nThis is the end of the outer MIME multipart.\n";

/// RFC 5173 §5
#[test]
fn bodies() {
    for (test, expected) in [
        ("body :content \"multipart\" :contains \"MIME\"", true),
        ("body :content \"multipart\" :contains \"end of the outer\"", true),
        ("body :content \"multipart\" :contains \"end of the inner\"", true),
        ("body :content \"multipart/mixed\" :contains \"inner\"", false),
        ("body :content \"multipart\" :contains \"Hello\"", false),
        ("body :content \"multipart\" :contains \"--outer\"", false),
        ("body :content \"text/plain\" :contains \"Hello\"", true),
        ("body :content \"text/plain\" :contains \"<body>\"", false),
        ("body :content \"text/html\" :contains \"<body>\"", true),
        ("body :content \"text\" :contains \"Please say\"", true),
        ("body :content \"message/rfc822\" :contains \"hello\"", true),
        ("body :content \"message/rfc822\" :contains \"Please\"", false),
        ("body :content \"image/png\" :is \"secret\"", true),
        ("body :content \"audio/mp3\" :contains \"\"", false),
        ("body :content \"\" :contains \"secret\"", true),
        ("body :content \"/plain\" :contains \"\"", false),
        ("body :content \"text/\" :contains \"\"", false),
        ("body :raw :contains \"Content-Type: image/png\"", true),
        ("body :raw :contains \"c2VjcmV0\"", true),
        ("body :raw :contains \"whatever\"", false),
        ("body :text :contains \"hello & bye\"", true),
        ("body :contains \"secret\"", false),
        ("body :raw :matches \"*image*png*\"", true),
    ] {
        check_test(", \"body\"", test, PARTS, expected);
    }
    let encoded = "Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\nGr=FC=\n=DFe\n";
    check_test(", \"body\"", "body :contains \"Grüße\"", encoded, true);
    // RFC 5173 §6: no match variables.
    check(
        "require [\"body\", \"variables\", \"fileinto\"]; if body :matches \"*anvil*\" { fileinto \"x${1}\"; }",
        &["fileinto \"x\""],
    );
}

/// What lies beyond the limits is not looked at.
#[test]
fn bodies_are_looked_at_in_part() {
    let limits = Limits { part_octets: 10, body_octets: 15, ..Limits::default() };
    let message =
        "Content-Type: multipart/mixed; boundary=x\n\n--x\n\n0123456789abcdef\n--x\n\nABCDEFGHIJ\n--x--\n";
    for (test, expected) in [
        ("body :comparator \"i;octet\" :contains \"0123456789\"", true),
        ("body :comparator \"i;octet\" :contains \"abc\"", false),
        ("body :comparator \"i;octet\" :contains \"ABCDE\"", true),
        ("body :comparator \"i;octet\" :contains \"ABCDEF\"", false),
        ("body :raw :contains \"--x\"", true),
        ("body :raw :contains \"012345\"", false),
        ("body :content \"text\" :comparator \"i;octet\" :contains \"ABCDE\"", true),
        ("body :content \"text\" :comparator \"i;octet\" :contains \"ABCDEF\"", false),
    ] {
        let script = format!("require \"body\"; if {test} {{ discard; }}");
        assert_eq!(run_on(&script, message, "", &NoHost, &limits).actions.is_empty(), expected, "{test}");
    }
}

/// RFC 6609
#[test]
fn included_scripts() {
    let host = Known {
        scripts: [
            ((Place::Personal, "subject_tests"), "require [\"include\", \"variables\"]; global [\"test\", \"test_mailbox\"];
                if header :contains \"Subject\" \"${test}\" { set \"test_mailbox\" \"spam-${test}\"; }"),
            ((Place::Global, "files"), "require \"fileinto\"; fileinto \"global\";"),
            ((Place::Personal, "files"), "require \"fileinto\"; fileinto \"personal\";"),
            ((Place::Personal, "returns"), "require [\"include\", \"fileinto\"]; if true { return; } discard;"),
            ((Place::Personal, "stops"), "stop;"),
            ((Place::Personal, "broken"), "frob;"),
            ((Place::Personal, "local"), "require [\"variables\", \"fileinto\"]; set \"a\" \"inner\"; if header :matches \"subject\" \"*\" { }"),
            ((Place::Personal, "edits"), "require \"editheader\"; addheader \"X-Hello\" \"World\";"),
        ]
        .into(),
        ..Known::default()
    };
    let require = "require [\"include\", \"variables\", \"fileinto\", \"relational\", \"editheader\"];\n";
    for (script, expected) in [
        (
            "global \"test\"; global \"test_mailbox\"; set \"test\" \"$$\"; include \"subject_tests\";
          set \"test\" \"present\"; include \"subject_tests\";
          if string :count \"eq\" \"${test_mailbox}\" \"1\" { fileinto \"${test_mailbox}\"; stop; }",
            &["fileinto \"spam-present\""][..],
        ),
        (
            "include :global \"files\"; include :personal \"files\";",
            &["fileinto \"global\"", "fileinto \"personal\""],
        ),
        ("include \"returns\"; fileinto \"after\";", &["fileinto \"after\""]),
        ("include \"stops\"; fileinto \"after\";", &["implicit keep"]),
        ("include :optional \"none\"; fileinto \"after\";", &["fileinto \"after\""]),
        ("include \"none\";", &["implicit keep", "line 2: there is no script \"none\" to include"]),
        (
            "include \"broken\";",
            &[
                "implicit keep",
                "line 2: the script \"broken\" can't be included: line 1, column 1: there is no command \"frob\"",
            ],
        ),
        ("set \"a\" \"outer\"; include \"local\"; fileinto \"${a}${1}\";", &["fileinto \"outer\""]),
        ("set \"global.x\" \"1\"; global \"x\"; fileinto \"${x}${GLOBAL.X}\";", &["fileinto \"11\""]),
        ("include \"edits\"; if exists \"x-hello\" { fileinto \"yes\"; }", &["fileinto \"yes\""]),
        ("include :once \"files\"; include :once \"files\";", &["fileinto \"personal\""]),
        ("return; discard;", &["implicit keep"]),
    ] {
        let outcome =
            run_on(&format!("{require}{script}"), MESSAGE, "a@example.net", &host, &Limits::default());
        assert_eq!(lines(&outcome), expected, "{script}");
    }
}

/// RFC 5463
#[test]
fn what_there_is() {
    for (script, expected) in [
        ("if ihave \"fileinto\" { fileinto \"a\"; } else { discard; }", &["fileinto \"a\""][..]),
        ("if ihave \"frob\" { frob :nicate 12; } else { keep; }", &["keep"]),
        ("if not ihave \"frob\" { keep; } else { frob; }", &["keep"]),
        ("if allof (ihave [\"fileinto\", \"frob\"], frob) { frob; }", &["implicit keep"]),
        ("if anyof (ihave \"fileinto\", frob) { } fileinto \"later\";", &["fileinto \"later\""]),
        ("if ihave \"variables\" { discard; } else { keep; }", &["keep"]),
        (
            "if not ihave \"frob\" { error \"no frob\r\nhere\"; }",
            &["implicit keep", "line 1: the script says: no frob here"],
        ),
    ] {
        check(&format!("require \"ihave\"; {script}"), expected);
    }
    let error = super::compile("require \"ihave\"; if ihave \"frob\" { } fileinto \"a\";")
        .map(drop)
        .expect_err("not there");
    assert!(error.message.starts_with("\"fileinto\" needs"));
}

/// RFC 5293: the header that the message is stored with.
#[test]
fn changed_headers() {
    let message = "Received: a\nX-Hello: one\nSubject: old\nX-Hello: two\n folded\nX-Hello: three\n\nbody\n";
    let check = |script: &str, expected: &str| {
        let script = format!("require [\"editheader\", \"fileinto\"];\n{script}");
        let outcome = run_on(&script, message, "a@example.net", &NoHost, &Limits::default());
        assert_eq!(outcome.error, None, "{script}");
        let [.., Action::Keep { header, .. }] = outcome.actions.as_slice() else {
            panic!("{:?}", outcome.actions)
        };
        let header =
            header.as_deref().map(|header| String::from_utf8(header.to_vec()).unwrap().replace("\r\n", "\n"));
        assert_eq!(header.unwrap_or_default(), expected, "{script}");
    };
    check("", "");
    check(
        "addheader \"X-New\" \"a  value\";",
        "X-New: a  value\nReceived: a\nX-Hello: one\nSubject: old\nX-Hello: two\n folded\nX-Hello: three\n\n",
    );
    check(
        "deleteheader \"x-hello\"; addheader :last \"X-New\" \"v\";",
        "Received: a\nSubject: old\nX-New: v\n\n",
    );
    check(
        "deleteheader :index 1 \"X-Hello\"; deleteheader :index 2 \"X-Hello\";",
        "Received: a\nSubject: old\nX-Hello: two\n folded\n\n",
    );
    check(
        "deleteheader :index 1 :last \"X-Hello\";",
        "Received: a\nX-Hello: one\nSubject: old\nX-Hello: two\n folded\n\n",
    );
    check(
        "deleteheader :contains \"X-Hello\" [\"two\", \"three\"];",
        "Received: a\nX-Hello: one\nSubject: old\n\n",
    );
    check("deleteheader :index 1 :contains \"X-Hello\" \"two\";", "");
    check("deleteheader \"Received\"; addheader \"Received\" \"x\";", "");
    check(
        "addheader \"X-Hello\" \"World\"; deleteheader :index 1 \"X-Hello\";",
        "Received: a\nX-Hello: one\nSubject: old\nX-Hello: two\n folded\nX-Hello: three\n\n",
    );
    check(
        "deleteheader \"x-hello\"; addheader \"Subject\" \"Grüße\r\nBcc: x@example.com\";",
        "Subject: =?UTF-8?Q?Gr=C3=BC=C3=9Fe_Bcc=3A_x=40examp?= =?UTF-8?Q?le=2Ecom?=\nReceived: a\nSubject: old\n\n",
    );
    // RFC 5293 §7: tests see it, actions before it do not.
    let outcome = run_on(
        "require [\"editheader\", \"fileinto\"]; fileinto \"before\"; addheader \"X-A\" \"b\"; if header \"x-a\" \"B\" { fileinto \"after\"; }",
        message,
        "",
        &NoHost,
        &Limits::default(),
    );
    let headers: Vec<bool> = outcome
        .actions
        .iter()
        .map(|action| matches!(action, Action::FileInto { header: Some(_), .. }))
        .collect();
    assert_eq!(headers, [false, true]);
    check_on(
        "require [\"editheader\", \"variables\"]; set \"n\" \"a:b\"; addheader \"${n}\" \"c\";",
        message,
        &["implicit keep", "line 1: \"a:b\" can't be the name of a header field"],
    );
}

/// RFC 5490, RFC 8579
#[test]
fn mailboxes() {
    let host = Known { mailboxes: vec!["INBOX", "Spam"], ..Known::default() };
    for (test, expected) in [
        ("mailboxexists \"Spam\"", true),
        ("mailboxexists [\"inbox\", \"Spam\"]", true),
        ("mailboxexists [\"Spam\", \"None\"]", false),
        ("mailboxexists \"\"", false),
        ("specialuse_exists \"\\\\Junk\"", true),
        ("specialuse_exists \"Spam\" [\"\\\\junk\"]", true),
        ("specialuse_exists \"INBOX\" \"\\\\Junk\"", false),
        ("specialuse_exists [\"\\\\Junk\", \"\\\\Sent\"]", false),
        ("specialuse_exists \"\\\\Frob\"", false),
    ] {
        check_test_with(&host, ", \"mailbox\", \"special-use\"", test, MESSAGE, expected);
    }
    check(
        "require [\"fileinto\", \"mailbox\", \"special-use\"]; fileinto :create :specialuse \"\\\\Junk\" \"Spam\";",
        &["fileinto \"Spam\" :specialuse \\Junk :create"],
    );
}

/// RFC 5183, RFC 5235
#[test]
fn what_the_host_knows() {
    let host = Known {
        spam: Some(56),
        virus: Some(1),
        environment: [("domain", "example.org"), ("remote-host", "")].into(),
        ..Known::default()
    };
    let require =
        ", \"environment\", \"spamtestplus\", \"virustest\", \"relational\", \"comparator-i;ascii-numeric\"";
    let numeric = ":comparator \"i;ascii-numeric\"";
    for (test, expected) in [
        ("environment \"Domain\" \"example.ORG\"".to_owned(), true),
        ("environment :contains \"frob\" \"\"".to_owned(), false),
        ("environment :contains \"remote-host\" \"\"".to_owned(), true),
        ("environment :count \"eq\" \"remote-host\" \"0\"".to_owned(), true),
        (format!("spamtest :value \"eq\" {numeric} \"6\""), true),
        (format!("spamtest :percent :value \"gt\" {numeric} \"55\""), true),
        (format!("virustest :value \"eq\" {numeric} \"1\""), true),
    ] {
        check_test_with(&host, require, &test, MESSAGE, expected);
    }
    for (spam, value) in [(None, "0"), (Some(0), "1"), (Some(100), "10"), (Some(255), "10")] {
        let host = Known { spam, ..Known::default() };
        check_test_with(&host, require, &format!("spamtest \"{value}\""), MESSAGE, true);
        check_test_with(&host, require, "virustest \"0\"", MESSAGE, true);
    }
}

/// RFC 7352
#[test]
fn duplicates() {
    let id =
        |handle: Option<&str>, id: &str| DuplicateId { handle: handle.map(str::to_owned), id: id.to_owned() };
    let host = Known { seen: vec![(None, "<1@acme.example.com>"), (Some("h"), "x")], ..Known::default() };
    let check = |test: &str, expected: bool, seen: &[Seen]| {
        let script = format!("require [\"duplicate\", \"variables\"]; if {test} {{ discard; }}");
        let outcome = run_on(&script, MESSAGE, "", &host, &Limits::default());
        assert_eq!(outcome.actions.is_empty(), expected, "{test}");
        assert_eq!(outcome.duplicates, seen, "{test}");
    };
    let week = 7 * 86_400;
    let own = id(None, "<1@acme.example.com>");
    check("duplicate", true, &[Seen { id: own.clone(), seconds: week, renew: false }]);
    check(
        "duplicate :header \"message-id\" :seconds 60 :last",
        true,
        &[Seen { id: own, seconds: 60, renew: true }],
    );
    check(
        "duplicate :handle \"h\"",
        false,
        &[Seen { id: id(Some("h"), "<1@acme.example.com>"), seconds: week, renew: false }],
    );
    check(
        "duplicate :handle \"h\" :uniqueid \"x\"",
        true,
        &[Seen { id: id(Some("h"), "x"), seconds: week, renew: false }],
    );
    check("duplicate :header \"x-none\"", false, &[]);
    check("duplicate :header \"a:b\"", false, &[]);
    check("duplicate :seconds 0", false, &[]);
    check(
        "duplicate :uniqueid \"y\" :seconds 999999999",
        false,
        &[Seen { id: id(None, "y"), seconds: 90 * 86_400, renew: false }],
    );
    // Only a run that ends well remembers.
    let failed = run_on(
        "require \"duplicate\"; if duplicate { } keep; redirect \"${\";"
            .replace("redirect \"${\";", "")
            .as_str(),
        MESSAGE,
        "",
        &host,
        &Limits::default(),
    );
    assert_eq!(failed.duplicates.len(), 1);
    let failed = run_on(
        "require [\"duplicate\", \"reject\"]; if duplicate { keep; } reject \"x\";",
        MESSAGE,
        "",
        &host,
        &Limits::default(),
    );
    assert!(failed.error.is_some() && failed.duplicates.is_empty());
}
