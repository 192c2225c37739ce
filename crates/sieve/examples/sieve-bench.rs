//! How long 100 rules take for a message, and how long their compiling, medians in microseconds; then how long scripts take
//! that are made to take long: `bench/sieve`.

use base::{Address, ReversePath, Timestamp};
use sieve::{Capabilities, Limits, Mail, NoHost, Script};
use std::time::{Duration, Instant};
use wire::mime::Tree;

const ROUNDS: usize = 2001;

/// Rules as mail clients write them; none of them fits but the last.
fn rules(with_regex: bool) -> String {
    let mut script = String::from(
        "require [\"fileinto\", \"imap4flags\", \"variables\", \"envelope\", \"regex\", \"subaddress\", \"relational\", \"date\"];\n",
    );
    for n in 0..99 {
        let test = match n % 10 {
            0 => format!("header :contains \"List-Id\" \"list{n}.example.org\""),
            1 => format!("address :is [\"From\", \"Sender\", \"Resent-From\"] \"person{n}@example.com\""),
            2 => format!(
                "address :domain [\"From\", \"To\", \"Cc\"] [\"d{n}.example.com\", \"e{n}.example.com\"]"
            ),
            3 => format!("header :contains \"Subject\" [\"offer {n}\", \"invoice {n}\", \"sale {n}\"]"),
            4 => format!("header :matches \"Subject\" \"[project-{n}] *\""),
            5 => format!("allof (header :contains \"X-Mailer\" \"mailer{n}\", size :over {n}K)"),
            6 => format!("anyof (header :is \"X-Priority\" \"{n}\", exists \"X-Flag-{n}\")"),
            7 => format!("envelope :detail \"to\" \"detail{n}\""),
            8 if with_regex => format!("header :regex \"Subject\" \"ticket #[0-9]+-{n}$\""),
            8 => format!("header :contains [\"To\", \"Cc\"] \"team{n}\""),
            _ => format!("header :contains [\"Received\", \"X-Spam-Status\"] \"host{n}.example.net\""),
        };
        script.push_str(&format!("if {test} {{ addflag \"\\\\Seen\"; fileinto \"Folder/{n}\"; stop; }}\n"));
    }
    script.push_str("if header :contains \"subject\" \"weekly\" { fileinto \"Reports\"; }\n");
    script
}

/// A message with 22 fields.
fn message() -> Vec<u8> {
    let mut message = String::new();
    for hop in 1..=5 {
        message.push_str(&format!(
            "Received: from relay{hop}.example.net (relay{hop}.example.net [192.0.2.{hop}])\r\n\tby mx{hop}.example.com (Server) with ESMTPS id 4f{hop}aa\r\n\tfor <me@example.com>; Mon, 26 Feb 2007 08:30:0{hop} -0500 (EST)\r\n"
        ));
    }
    message.push_str("DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.net; s=x;\r\n\th=from:to:subject:date; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;\r\n\tb=dzdVyOfAKCdLXdJOc9G2q8LoXSlEniSbav+yuU4zGeeruD00lszZVoG4ZHRNiYzR\r\n");
    for field in [
        "From: =?utf-8?q?J=C3=BCrgen_M=C3=BCller?= <juergen.mueller@example.net>",
        "To: Me <me@example.com>, Somebody Else <else@example.org>, third@example.org",
        "Cc: \"Team, All\" <team@example.org>",
        "Subject: =?utf-8?q?The_weekly_report_f=C3=BCr_Montag?=",
        "Date: Mon, 26 Feb 2007 08:30:05 -0500",
        "Message-ID: <20070226133005.GA1234@example.net>",
        "References: <1@example.net> <2@example.net>",
        "In-Reply-To: <2@example.net>",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 8bit",
        "X-Mailer: Some Mailer 1.0",
        "X-Priority: 3",
        "X-Spam-Status: No, score=-1.9 required=5.0 tests=BAYES_00,DKIM_SIGNED,DKIM_VALID",
        "List-Unsubscribe: <mailto:leave@example.net>",
        "Reply-To: juergen.mueller@example.net",
    ] {
        message.push_str(field);
        message.push_str("\r\n");
    }
    message.push_str("\r\n");
    message.push_str(&"A line of text that nobody looks at.\r\n".repeat(100));
    message.into_bytes()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let limits = Limits::default();
    let raw = message();
    let tree = Tree::parse(&raw, &base::Limits::default());
    let address = |text| Address::parse(text).map_err(|_| "an address");
    let (sender, recipient) =
        (ReversePath::Address(address("a@example.net")?), address("me+inbox@example.com")?);
    let mail = Mail {
        tree: &tree,
        raw: &raw,
        sender: &sender,
        recipient: &recipient,
        addresses: &[],
        now: Timestamp(1_172_498_400),
        zone_minutes: 0,
    };
    let large = format!("Subject: {}\r\n\r\n{}\r\n", "a".repeat(100_000), noise(4_000_000)).into_bytes();
    let large_tree = Tree::parse(&large, &base::Limits::default());
    for (name, with_regex) in [("100 rules", false), ("100 rules, 10 of them regular expressions", true)] {
        let text = rules(with_regex);
        let script = Script::compile(&text, Capabilities::all(), &limits)?;
        let outcome = script.run(&mail, &NoHost, &limits);
        let run = median(|| drop(script.run(&mail, &NoHost, &limits)));
        let compile = median(|| drop(Script::compile(&text, Capabilities::all(), &limits)));
        println!(
            "{name}: {:.1} µs a message, {} steps; {} µs to compile",
            run,
            outcome.steps,
            compile.round()
        );
    }
    for (name, script) in costly() {
        let mail = Mail { tree: &large_tree, raw: &large, ..mail };
        let began = Instant::now();
        let script = Script::compile(&script, Capabilities::all(), &limits)?;
        let compiled = began.elapsed();
        let outcome = script.run(&mail, &NoHost, &limits);
        let end = outcome.error.map_or("it ends by itself".to_owned(), |error| error.message);
        let ran = began.elapsed() - compiled;
        println!("{name}: {} ms, {} ms to compile; {end}", ran.as_millis(), compiled.as_millis());
    }
    Ok(())
}

/// Letters `a` and `b` without a pattern, which drives a regular expression's machine through ever new states.
fn noise(octets: usize) -> String {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        if state >> 31 == 0 { 'a' } else { 'b' }
    };
    (0..octets).map(|_| next()).collect()
}

/// Scripts that are made to take long, each in another way.
fn costly() -> Vec<(&'static str, String)> {
    let require = "require [\"fileinto\", \"variables\", \"regex\", \"body\", \"relational\", \"imap4flags\", \"mailbox\", \"comparator-i;unicode-casemap\"];\n";
    let repeated = |times: usize, test: &str| {
        format!("{require}{}", format!("if {test} {{ discard; }}\n").repeat(times))
    };
    let with_long = |times: usize, command: &str| {
        let long = "set \"a\" \"0123456789abcdef\"; ".to_owned() + &"set \"a\" \"${a}${a}\"; ".repeat(10);
        format!("{require}{long}{}", command.repeat(times))
    };
    let names: Vec<String> = (0..15_000).map(|n| format!("\"x{n}\"")).collect();
    let questions = "?".repeat(5000);
    vec![
        ("question marks in a pattern", repeated(20, &format!("body :raw :matches \"*{questions}c*\""))),
        (
            "patterns that nearly match",
            repeated(20, &format!("body :raw :matches \"*{}?c*\"", "?".repeat(60))),
        ),
        (
            "a regular expression of many states",
            repeated(190, "body :raw :regex \"[ab]*a[ab]{60}[c-z][x-z]\""),
        ),
        (
            "regular expressions with alternatives",
            repeated(190, "body :raw :regex \"([ab]*a[ab]{1,40}){1,3}[cd]\""),
        ),
        ("large regular expressions", repeated(190, "body :raw :regex \"([ab]*a[ab]{1,300}){1,3}[cd]\"")),
        (
            "regular expressions made while running",
            with_long(190, "if string :regex \"${a}\" \"(${1}x{1,20}){1,20}y{1,50}\" { }\n"),
        ),
        ("the body searched", repeated(2000, "body :raw :contains \"abc\"")),
        ("the body folded", repeated(2000, "body :raw :contains :comparator \"i;unicode-casemap\" \"abc\"")),
        ("the body compared", repeated(2000, "body :raw :value \"lt\" \"aaaa\"")),
        ("long strings put together", with_long(4000, "if string \"${a}${a}${a}${a}\" \"x\" { }\n")),
        (
            "many long strings at once",
            with_long(1, &format!("if string [{}] \"x\" {{ }}", vec!["\"${a}\""; 15_000].join(","))),
        ),
        ("many names", format!("{require}{}", format!("if exists [{}] {{ }}\n", names.join(",")).repeat(2))),
        ("flags", with_long(5000, "addflag \"${a}${a}${a} b\";\n")),
        ("mailboxes", repeated(5000, "mailboxexists \"x\"")),
    ]
}

fn median(mut work: impl FnMut()) -> f64 {
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let began = Instant::now();
            work();
            began.elapsed()
        })
        .collect();
    times.sort();
    times[ROUNDS / 2].as_secs_f64() * 1e6
}
