//! Scripts that are none: where the fault is, and in which words.

use super::compile;
use crate::{Capabilities, Extension, Limits, Script};

fn check(script: &str, line: u32, column: u32, message: &str) {
    let error = compile(script).map(drop).expect_err(script);
    assert_eq!((error.line, error.column, error.message.as_str()), (line, column, message), "{script}");
}

#[test]
fn tokens() {
    check("keep; \"abc", 1, 7, "this string has no end (\")");
    check("keep;\n/* abc", 2, 1, "this comment has no end (*/)");
    check("redirect text:\nabc\n", 1, 10, "this text has no end (a line with a single dot)");
    check("redirect text: abc\n.\n;", 1, 15, "only a comment may follow \"text:\" in its line");
    check("keep: ;", 1, 5, "a name must follow the colon of a tag");
    check("if size :over 12Q { }", 1, 15, "\"12Q\" is neither a number nor a name");
    check("if size :over 1KK { }", 1, 15, "\"1KK\" is no number: K, M or G may follow it, once");
    check("if size :over 99999999999999999999 { }", 1, 15, "the number 99999999999999999999 is too large");
    check("keep; %", 1, 7, "'%' has no meaning here");
    check("# Grüße\n\"ä\" %", 2, 1, "a command was expected, not a string");
    check("if header \"ä\" % { }", 1, 15, "'%' has no meaning here");
}

#[test]
fn grammar() {
    check("keep", 1, 5, "\";\" or \"{\" was expected after \"keep\", not the end of the script");
    check("if true { keep;", 1, 16, "a command was expected, not the end of the script");
    check("if true { keep; } }", 1, 19, "a command was expected, not \"}\"");
    check("redirect [\"a\" \"b\"];", 1, 15, "\"]\" was expected, not a string");
    check("if anyof (true, ) { }", 1, 17, "a test was expected");
    check("if true;", 1, 1, "\"if\" must be followed by commands in braces");
    check("if { }", 1, 1, "\"if\" needs one test");
    check("if (true, false) { }", 1, 1, "\"if\" needs one test");
    check("else { }", 1, 1, "\"else\" must follow an \"if\"");
    check("if true { } else { } elsif true { }", 1, 22, "\"elsif\" can't follow \"else\"");
    check("if true { } else true { }", 1, 13, "\"else\" takes no test");
    check("keep { }", 1, 1, "\"keep\" takes no block, but ends with \";\"");
    check("keep true;", 1, 6, "\"keep\" takes no test");
    check("if not (true, false) { }", 1, 4, "\"not\" needs one test");
    check("if allof true { }", 1, 4, "\"allof\" needs tests in parentheses");
}

#[test]
fn names_and_arguments() {
    check("\n  frobnicate;", 2, 3, "there is no command \"frobnicate\"");
    check("if frob { }", 1, 4, "there is no test \"frob\"");
    check("require \"frob\";", 1, 9, "this server has no extension \"frob\"");
    check("require [\"copy\",\n \"Fileinto\"];", 2, 2, "this server has no extension \"Fileinto\"");
    check("keep; require \"copy\";", 1, 7, "\"require\" must come before all other commands");
    check("redirect;", 1, 1, "\"redirect\" lacks an argument: the address, a string");
    check("redirect 12;", 1, 10, "\"redirect\" expects the address here, a string, not a number");
    check("redirect [\"a@b\"];", 1, 10, "\"redirect\" expects the address here, a string, not a list");
    check("redirect \"a@b\" \"c@d\";", 1, 16, "\"redirect\" takes no further argument");
    check("redirect \"a@b\" :copy;", 1, 16, "tags come before other arguments, \":copy\" does not");
    check("keep :frob;", 1, 6, "\"keep\" knows no \":frob\"");
    check("redirect \"frob\";", 1, 10, "\"frob\" is no mail address (name@domain)");
    check(
        "redirect \"a@b.example, c@d.example\";",
        1,
        10,
        "\"a@b.example, c@d.example\" is no mail address (name@domain)",
    );
    check("redirect \"all: a@b.example;\";", 1, 10, "\"all: a@b.example;\" is no mail address (name@domain)");
    check(
        "redirect \"<@x.example:a@b.example>\";",
        1,
        10,
        "\"<@x.example:a@b.example>\" is no mail address (name@domain)",
    );
    check("if size 100 { }", 1, 4, "\"size\" needs \":over\" or \":under\"");
    check(
        "require \"editheader\"; addheader \"a b\" \"x\";",
        1,
        33,
        "\"a b\" can't be the name of a header field",
    );
    check("if header :is :contains \"a\" \"x\" { }", 1, 15, "a test can have one match type only");
    check("if header :is :is \"a\" \"x\" { }", 1, 15, "\":is\" is given twice");
    check("if header :comparator \"i;frob\" \"a\" \"x\" { }", 1, 23, "there is no comparator \"i;frob\"");
    check(
        "if address :all :domain \"from\" \"x\" { }",
        1,
        17,
        "a test can look at one part of an address only",
    );
    check("if address \"subject\" \"x\" { }", 1, 12, "\"subject\" is no header field that holds addresses");
}

#[test]
fn extensions_must_be_required() {
    let needs = |extension: &str, what: &str| {
        format!("{what} needs a line at the script's beginning: require \"{extension}\";")
    };
    for (script, column, extension, what) in [
        ("fileinto \"a\";", 1, "fileinto", "\"fileinto\""),
        ("redirect :copy \"a@b\";", 10, "copy", "\":copy\""),
        ("keep :flags \"x\";", 6, "imap4flags", "\":flags\""),
        ("if header :regex \"a\" \"b\" { }", 11, "regex", "\":regex\""),
        ("if header :count \"eq\" \"a\" \"1\" { }", 11, "relational", "\":count\""),
        ("if header :index 1 \"a\" \"1\" { }", 11, "index", "\":index\""),
        ("if address :user \"from\" \"1\" { }", 12, "subaddress", "\":user\""),
        ("if envelope \"from\" \"1\" { }", 4, "envelope", "\"envelope\""),
        ("if body \"1\" { }", 4, "body", "\"body\""),
        ("set \"a\" \"b\";", 1, "variables", "\"set\""),
        ("vacation \"a\";", 1, "vacation", "\"vacation\""),
        ("reject \"a\";", 1, "reject", "\"reject\""),
        ("include \"a\";", 1, "include", "\"include\""),
        ("error \"a\";", 1, "ihave", "\"error\""),
        ("addheader \"a\" \"b\";", 1, "editheader", "\"addheader\""),
        ("if duplicate { }", 4, "duplicate", "\"duplicate\""),
        ("notify \"mailto:a@b\";", 1, "enotify", "\"notify\""),
        (
            "if header :comparator \"i;ascii-numeric\" \"a\" \"1\" { }",
            23,
            "comparator-i;ascii-numeric",
            "the comparator \"i;ascii-numeric\"",
        ),
    ] {
        check(script, 1, column, &needs(extension, what));
    }
    // RFC 6131 §2, RFC 5235 §2.3
    assert!(compile("require \"vacation-seconds\"; vacation :seconds 5 \"x\";").is_ok());
    assert!(compile("require \"spamtestplus\"; if spamtest :percent \"5\" { }").is_ok());
}

#[test]
fn extensions_check_their_arguments() {
    let all = "require [\"fileinto\", \"vacation-seconds\", \"variables\", \"include\", \"date\", \"index\", \"envelope\",
        \"relational\", \"regex\", \"duplicate\", \"enotify\", \"editheader\", \"imap4flags\", \"comparator-i;ascii-numeric\",
        \"encoded-character\", \"body\"];\n";
    for (script, column, message) in [
        ("fileinto \"a//b\";", 10, "\"a//b\" can't be a mailbox's name"),
        ("vacation :days 1 :seconds 5 \"x\";", 18, "\":days\" and \":seconds\" exclude each other"),
        ("vacation :from \"nobody\" \"x\";", 16, "\"nobody\" is no list of mail addresses"),
        ("set :lower :upper \"a\" \"b\";", 12, "\":upper\" excludes another modifier that is given"),
        ("set \"1\" \"b\";", 5, "match variables can't be set"),
        ("set \"a b\" \"b\";", 5, "\"a b\" can't be a variable's name"),
        ("set \"frob.a\" \"b\";", 5, "there are no variables of the kind \"frob\""),
        ("set \"global.12\" \"b\";", 5, "\"12\" can't be a global variable's name"),
        ("set \"a\" \"${frob.x}\";", 9, "there are no variables of the kind \"frob\""),
        ("set \"a\" \"${100}\";", 9, "match variables end with ${99}"),
        ("set \"a\" \"b\"; global \"a\";", 21, "\"a\" was set before it is declared global"),
        ("global \"a.b\";", 8, "\"a.b\" can't be a variable's name"),
        ("include \"${a}\";", 9, "the name of an included script can't hold variables"),
        ("include \"../../etc/passwd\";", 9, "\"../../etc/passwd\" can't be the name of a script"),
        ("include :personal :global \"a\";", 19, "\":personal\" and \":global\" exclude each other"),
        ("if date \"date\" \"century\" \"x\" { }", 16, "a date has no part \"century\""),
        (
            "if currentdate :zone \"CET\" \"year\" \"x\" { }",
            22,
            "a time zone is written as \"+0100\" or \"-0530\"",
        ),
        (
            "if date :zone \"+0100\" :originalzone \"date\" \"year\" \"x\" { }",
            23,
            "\":zone\" and \":originalzone\" exclude each other",
        ),
        ("if header :last \"a\" \"x\" { }", 11, "\":last\" needs \":index\""),
        ("deleteheader :last \"a\";", 14, "\":last\" needs \":index\""),
        ("if envelope \"auth\" \"x\" { }", 13, "an envelope has a \"from\" and a \"to\", but no \"auth\""),
        (
            "if header :value \"above\" \"a\" \"x\" { }",
            18,
            "\":value\" is followed by \"gt\", \"ge\", \"lt\", \"le\", \"eq\" or \"ne\"",
        ),
        (
            "if header :contains :comparator \"i;ascii-numeric\" \"a\" \"1\" { }",
            55,
            "\"i;ascii-numeric\" compares whole numbers, not parts of a text",
        ),
        ("if header :regex \"a\" \"a(b\" { }", 22, "this is no regular expression: unclosed group"),
        ("if header :regex \"a\" \"((a{100}){100}){100}\" { }", 22, "this regular expression is too large"),
        (
            "if duplicate :header \"a\" :uniqueid \"b\" { }",
            26,
            "\":header\" and \":uniqueid\" exclude each other",
        ),
        (
            "notify :importance \"4\" \"mailto:a@b\";",
            20,
            "the importance is \"1\" (high), \"2\" or \"3\" (low)",
        ),
        ("if header \"a\" \"${unicode:200000}\" { }", 15, "200000 is no Unicode character"),
        ("if header \"a\" \"${hex:ff}\" { }", 15, "the octets of \"${hex:…}\" must make characters of UTF-8"),
        ("if body :raw :text \"a\" { }", 14, "\":raw\", \":content\" and \":text\" exclude each other"),
    ] {
        check(&format!("{all}{script}"), 4, column, message);
    }
}

#[test]
fn limits() {
    let limits = Limits {
        script_octets: 100,
        nesting: 3,
        commands: 5,
        string_octets: 10,
        variables: 2,
        regexes: 1,
        ..Limits::default()
    };
    let check = |script: &str, message: &str| {
        let error = Script::compile(script, Capabilities::all(), &limits).map(drop).expect_err(script);
        assert_eq!(error.message, message, "{script}");
    };
    check(&"#".repeat(101), "the script is too long: 100 octets at most");
    check("if not not not not true { }", "nested too deep: 3 levels at most");
    check("keep; keep; keep; keep; keep; keep;", "too many commands and tests: 5 at most");
    check("redirect \"a2345@7890x\";", "this string is too long: 10 octets at most");
    check(
        "require \"variables\"; set \"a\" \"\"; set \"b\" \"\"; set \"c\" \"\";",
        "too many variables: 2 at most",
    );
    check(
        "require \"regex\"; if header :regex \"a\" [\"b\", \"c\"] { }",
        "too many regular expressions: 1 at most",
    );
}

/// What is told of a script is one line of bearable length, whatever the script says.
#[test]
fn messages_are_lines() {
    let long = "x".repeat(50_000);
    for script in [
        format!("{long};"),
        format!("keep :{long};"),
        format!("require \"{long}\";"),
        format!("redirect \"\n{long}\";"),
    ] {
        let error = compile(&script).map(drop).expect_err("no script");
        assert!(error.message.chars().count() <= 301 && !error.message.contains(char::is_control), "{error}");
    }
    let script = format!("require \"variables\"; set \"a\" \"\n{long}\"; redirect \"${{a}}\";");
    let outcome = super::run_on(&script, "\n", "", &crate::NoHost, &Limits::default());
    let told = outcome
        .error
        .map(|error| error.message)
        .into_iter()
        .chain(outcome.trace.into_iter().map(|line| line.text));
    assert!(told.into_iter().all(|text| text.chars().count() <= 301 && !text.contains(char::is_control)));
}

#[test]
fn a_site_may_offer_less() {
    let less = Capabilities::all().without(Extension::Editheader);
    let error =
        Script::compile("require \"editheader\";", less, &Limits::default()).map(drop).expect_err("refused");
    assert_eq!(error.message, "this server has no extension \"editheader\"");
    assert!(!less.names().any(|name| name == "editheader"));
    assert_eq!(Capabilities::all().names().count(), Extension::ALL.len());
}
