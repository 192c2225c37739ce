//! Scripts and messages that are meant to hurt: each ends soon, with an error that is told and a message that is kept.

use super::{Known, MESSAGE, compile, lines, run_on};
use crate::{Limits, NoHost, Place};

/// Runs a script that must be stopped with this error.
fn check_stopped(script: &str, message: &str, host: &dyn crate::Host, error: &str) {
    check_stopped_by(&Limits::default(), script, message, host, error);
}

fn check_stopped_by(limits: &Limits, script: &str, message: &str, host: &dyn crate::Host, error: &str) {
    let outcome = run_on(script, message, "a@example.net", host, limits);
    assert_eq!(
        outcome.error.as_ref().map(|error| error.message.as_str()),
        Some(error),
        "{}",
        &script[..script.len().min(300)]
    );
    assert_eq!(lines(&outcome)[0], "implicit keep");
}

#[test]
fn inclusions_without_end() {
    let include = "require \"include\";\n";
    let itself = "require \"include\"; include \"a\";";
    let host = Known {
        scripts: [
            ((Place::Personal, "a"), itself),
            ((Place::Personal, "b"), "require \"include\"; include \"c\";"),
            ((Place::Personal, "c"), "require \"include\"; include \"b\";"),
            ((Place::Personal, "leaf"), "keep;"),
            ((Place::Personal, "ten"), "require \"include\"; include \"leaf\"; include \"leaf\"; include \"leaf\"; include \"leaf\"; include \"leaf\";"),
        ]
        .into(),
        ..Known::default()
    };
    check_stopped(&format!("{include}include \"a\";"), MESSAGE, &host, "the script \"a\" includes itself");
    check_stopped(&format!("{include}include \"b\";"), MESSAGE, &host, "the script \"b\" includes itself");
    let many = format!("{include}{}", "include \"ten\";".repeat(20));
    check_stopped(&many, MESSAGE, &host, "too many scripts are included: 50 at most");
}

#[test]
fn deep_inclusions() {
    struct Deep;
    impl crate::Host for Deep {
        fn script(&self, _: Place, name: &str) -> Result<std::sync::Arc<crate::Script>, crate::NoScript> {
            let next = name.len() + 1;
            Ok(std::sync::Arc::new(
                compile(&format!("require \"include\"; include \"{}\";", "x".repeat(next))).unwrap(),
            ))
        }
    }
    check_stopped(
        "require \"include\"; include \"x\";",
        MESSAGE,
        &Deep,
        "scripts include each other too deep: 10 levels at most",
    );
}

#[test]
fn nesting() {
    for script in [
        format!("if {} true {{ }}", "not ".repeat(100_000)),
        "if true { ".repeat(20_000),
        format!("if {}", "anyof (".repeat(50_000)),
        "[".repeat(200_000),
        format!("redirect {};", "[\"a\"".repeat(50_000)),
    ] {
        assert!(compile(&script).is_err());
    }
}

#[test]
fn huge_scripts() {
    assert!(compile(&"keep;".repeat(60_000)).is_err());
    assert!(compile(&format!("redirect \"{}\";", "a".repeat(200_000))).is_err());
    let names: Vec<String> = (0..20_000).map(|n| format!("\"x{n}\"")).collect();
    let script = format!("if header [{}] \"a\" {{ discard; }}", names.join(","));
    assert_eq!(lines(&run_on(&script, MESSAGE, "", &NoHost, &Limits::default())), ["implicit keep"]);
}

/// Each of these would take minutes or more if it were not stopped.
#[test]
fn costly_matches() {
    let long = format!("Subject: {}\n\n{}\n", "a".repeat(100_000), "a".repeat(300_000));
    let limits = Limits { steps: 50_000, ..Limits::default() };
    let repeat = |test: &str, times: usize| {
        format!(
            "require [\"body\", \"regex\", \"variables\", \"relational\"];\n{}",
            format!("if {test} {{ discard; }}\n").repeat(times)
        )
    };
    let questions = "?".repeat(5000);
    let pattern = |pattern: &str| format!("header :matches \"subject\" \"{pattern}\"");
    for script in [
        repeat(&pattern(&format!("*{questions}b*{questions}")), 20),
        repeat(&format!("body :raw :matches \"*{}?b*\"", "a".repeat(5000)), 20),
        repeat("header :regex \"subject\" \"([ab]*a[ab]{1,40}){1,3}[cd]\"", 190),
        repeat("body :raw :contains \"b\"", 1000),
    ] {
        check_stopped_by(&limits, &script, &long, &NoHost, "the script takes too long: 50000 steps at most");
    }
    // Many stars are no trouble.
    let stars = run_on(
        &repeat(&pattern(&format!("{}b", "*a".repeat(5000))), 3),
        &long,
        "",
        &NoHost,
        &Limits::default(),
    );
    assert_eq!(lines(&stars), ["implicit keep"]);
}

/// Doubling a variable again and again: values are cut, strings too.
#[test]
fn variables_do_not_grow() {
    let doubling = "set \"a\" \"${a}${a}${a}${a}\";".repeat(50);
    let script = format!(
        "require [\"variables\", \"fileinto\", \"relational\"]; set \"a\" \"0123456789\"; {doubling}
        set :length \"n\" \"${{a}}${{a}}${{a}}${{a}}${{a}}${{a}}${{a}}${{a}}${{a}}\"; fileinto \"${{n}}\";"
    );
    assert_eq!(lines(&run_on(&script, MESSAGE, "", &NoHost, &Limits::default())), ["fileinto \"65536\""]);
}

#[test]
fn storms() {
    let distinct = |command: &str, times: usize| -> String {
        (0..times).map(|n| command.replace('#', &n.to_string())).collect()
    };
    let require = "require [\"fileinto\", \"copy\", \"vacation\", \"enotify\", \"editheader\", \"imap4flags\", \"duplicate\", \"variables\"];\n";
    for (commands, error) in [
        (distinct("redirect \"a#@example.com\";", 6), "too many redirects: 5 at most"),
        (distinct("fileinto :copy \"a#\";", 40), "too many actions: 32 at most"),
        (distinct("notify \"mailto:a#@example.com\";", 6), "too many notifications: 5 at most"),
        (distinct("addheader \"X-#\" \"a\";", 101), "too many changes of the header: 100 at most"),
        (
            distinct("if duplicate :uniqueid \"#\" { }", 40),
            "too many different \"duplicate\" tests: 32 at most",
        ),
        ("vacation \"a\"; vacation \"b\";".to_owned(), "a vacation reply can be given once only"),
        ("notify \"tel:+1\";".to_owned(), "notifications go by \"mailto:\" only, not to \"tel:+1\""),
    ] {
        check_stopped(&format!("{require}{commands}"), MESSAGE, &NoHost, error);
    }
    // Flags are bounded, too, but that is no error.
    let flags = run_on(
        &format!("{require}{}", distinct("addflag \"f#\";", 200)),
        MESSAGE,
        "",
        &NoHost,
        &Limits::default(),
    );
    assert_eq!(lines(&flags)[0].split(' ').count(), "implicit keep".split(' ').count() + 100);
}

#[test]
fn the_trace_is_bounded() {
    let script = "keep;".repeat(1000);
    let outcome = run_on(&script, MESSAGE, "", &NoHost, &Limits::default());
    assert_eq!(outcome.trace.len(), Limits::default().trace_lines);
}
