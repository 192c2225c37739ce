//! Comparators, match types, and what wildcards stand for.

use super::{check, check_test};

const REQUIRE: &str = ", \"variables\", \"relational\", \"regex\", \"comparator-i;ascii-numeric\", \"comparator-i;unicode-casemap\"";

/// Whether a text matches a key, in the words of `string`.
fn check_match(how: &str, text: &str, key: &str, expected: bool) {
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    check_test(REQUIRE, &format!("string {how} {} {}", quoted(text), quoted(key)), "\n", expected);
}

/// RFC 5228 §2.7.1
#[test]
fn wildcards() {
    for (text, key, expected) in [
        ("", "", true),
        ("", "*", true),
        ("", "?", false),
        ("frobnitzm", "frob*", true),
        ("frobnitzm", "*nit*", true),
        ("frobnitzm", "f*b*m", true),
        ("frobnitzm", "frob", false),
        ("frobnitzm", "*frob", false),
        ("frobnitzm", "frob?????", true),
        ("frobnitzm", "frob????", false),
        ("aab", "*ab", true),
        ("abab", "a*ab", true),
        ("aba", "a*ba", true),
        ("ab", "a*ba", false),
        ("a*b", "a\\*b", true),
        ("axb", "a\\*b", false),
        ("a?b", "a\\?b", true),
        ("a\\b", "a\\\\b", true),
        ("a\\b", "a\\\\?", true),
        ("ABC", "*b*", true),
        ("aXbXc", "a?b*c", true),
        ("...", "**", true),
        ("x", "?*?", false),
    ] {
        check_match(":matches", text, key, expected);
    }
    check_match(":matches :comparator \"i;octet\"", "ABC", "*b*", false);
    check_match(":matches :comparator \"i;unicode-casemap\"", "GRÜN", "?rü*", true);
}

/// RFC 4790 §9.1, RFC 5051
#[test]
fn comparators() {
    for (how, text, key, expected) in [
        (":comparator \"i;ascii-numeric\"", "007", "7", true),
        (":comparator \"i;ascii-numeric\"", "7abc", "7", true),
        (":comparator \"i;ascii-numeric\"", "abc", "xyz", true),
        (":comparator \"i;ascii-numeric\"", "abc", "7", false),
        (":comparator \"i;ascii-numeric\" :value \"gt\"", "abc", "99999999999999999999999999", true),
        (
            ":comparator \"i;ascii-numeric\" :value \"gt\"",
            "100000000000000000000000000",
            "99999999999999999999999999",
            true,
        ),
        (":comparator \"i;ascii-numeric\" :value \"lt\"", "9", "10", true),
        (":comparator \"i;octet\" :value \"lt\"", "9", "10", false),
        (":value \"eq\"", "abc", "ABC", true),
        (":value \"lt\"", "_", "a", false),
        (":value \"ne\"", "abc", "abd", true),
        (":value \"le\"", "abc", "abc", true),
        (":comparator \"i;unicode-casemap\"", "ÄÖ", "äö", true),
        ("", "ÄÖ", "äö", false),
        (":contains :comparator \"i;unicode-casemap\"", "xÄÖx", "äö", true),
    ] {
        check_match(how, text, key, expected);
    }
}

#[test]
fn regular_expressions() {
    for (text, key, expected) in [
        ("hello world", "^h.*d$", true),
        ("Hello", "^hello$", true),
        ("line\r\nother", "e.*o", true),
        ("abc", "a|x", true),
        ("aaa", "^a{2}$", false),
        ("x1", "[[:alpha:]][[:digit:]]", true),
        ("(a)", "\\(a\\)", true),
    ] {
        check_match(":regex", text, key, expected);
    }
    check_match(":regex :comparator \"i;octet\"", "Hello", "^hello$", false);
}

/// RFC 5229 §3.2
#[test]
fn match_variables() {
    let message = "Subject: [acme-users] [fwd] version 1.0 is out\nTo: coyote@ACME.Example.COM\nList-ID: Nice <dev.example.org@lists>\n\n";
    let require = "require [\"variables\", \"fileinto\", \"regex\", \"comparator-i;unicode-casemap\"];\n";
    for (script, expected) in [
        (
            "if header :matches \"Subject\" \"[*] *\" { fileinto \"${1}|${2}|${3}\"; }",
            "acme-users|[fwd] version 1.0 is out|",
        ),
        (
            "if address :matches [\"To\", \"Cc\"] [\"coyote@**.com\", \"wile@**.com\"] { fileinto \"${0}|${1}|${2}\"; }",
            "coyote@ACME.Example.COM||ACME.Example",
        ),
        ("if header :matches \"List-ID\" \"*<*@*\" { fileinto \"lists.${2}\"; }", "lists.dev.example.org"),
        ("if anyof (true, header :matches \"subject\" \"*\") { fileinto \"x${1}\"; }", "x"),
        ("if header :matches \"subject\" \"*version ?.? *\" { fileinto \"${2}-${3}-${4}\"; }", "1-0-is out"),
        (
            "if header :regex \"subject\" \"version ([0-9]+)\\\\.([0-9]+)\" { fileinto \"${0}|${1}|${2}\"; }",
            "version 1.0|1|0",
        ),
        // A match that fails leaves them.
        (
            "if header :matches \"subject\" \"[*]*\" { if header :matches \"subject\" \"x*\" { } fileinto \"${01}\"; }",
            "acme-users",
        ),
        (
            "if string :matches :comparator \"i;unicode-casemap\" \"STRAẞE ÖL\" \"*öl\" { fileinto \"<${1}>\"; }",
            "<STRAẞE >",
        ),
    ] {
        super::check_on(&format!("{require}{script}"), message, &[&format!("fileinto {expected:?}")]);
    }
}

/// RFC 5231 §5, §6
#[test]
fn counts() {
    let message = "Received: a\nReceived: b\nReceived: c\nTo: a@b.example, c@d.example\nCc: e@f.example\nX-A: 10\n\nbody\n";
    for (test, expected) in [
        ("header :count \"eq\" \"received\" \"3\"", true),
        ("header :count \"ge\" :comparator \"i;ascii-numeric\" \"received\" \"10\"", false),
        ("address :count \"ge\" :comparator \"i;ascii-numeric\" [\"to\", \"cc\"] [\"3\"]", true),
        ("address :count \"gt\" :comparator \"i;ascii-numeric\" [\"to\"] [\"2\"]", false),
        ("header :count \"eq\" \"x-none\" \"0\"", true),
        ("header :value \"ge\" :comparator \"i;ascii-numeric\" \"x-a\" [\"5\"]", true),
        ("header :value \"ge\" :comparator \"i;ascii-numeric\" \"x-none\" [\"5\"]", false),
        ("string :count \"eq\" [\"a\", \"\", \"b\"] \"2\"", true),
    ] {
        check_test(REQUIRE, test, message, expected);
    }
}

/// RFC 5228 §2.4.2.4
#[test]
fn encoded_characters() {
    for (text, expected) in [
        ("$${hex:40}", "$@"),
        ("${hex: 40 }", "@"),
        ("${HEX: 40}", "@"),
        ("${hex:40", "${hex:40"),
        ("${hex:400}", "${hex:400}"),
        ("${hex:4${hex:30}}", "${hex:40}"),
        ("${unicode:40}", "@"),
        ("${ unicode:40}", "${ unicode:40}"),
        ("${UNICODE:40}", "@"),
        ("${UnICoDE:0000040}", "@"),
        ("${Unicode:Cool}", "${Unicode:Cool}"),
        ("${hex:c3 a4}", "ä"),
        ("${hex:}", "${hex:}"),
    ] {
        check(
            &format!("require [\"fileinto\", \"encoded-character\"]; fileinto \"{text}\";"),
            &[&format!("fileinto {expected:?}")],
        );
    }
    // RFC 5229 §3.1: before variables are looked for.
    let script = "require [\"fileinto\", \"encoded-character\", \"variables\"]; set \"name\" \"Ethelbert\";";
    check(&format!("{script} fileinto \"dear${{hex:20 24 7b 4e}}ame}}\";"), &["fileinto \"dear Ethelbert\""]);
}
