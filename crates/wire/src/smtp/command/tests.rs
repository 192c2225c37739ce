use super::*;

fn check(line: &str, expected: Result<&str, CommandError>) {
    let got = Command::parse(line.as_bytes(), false).map(|command| show(&command));
    assert_eq!(got, expected.map(str::to_owned), "{line:?}");
}

/// One line that says all of a command.
fn show(command: &Command) -> String {
    match command {
        Command::Mail(mail) => {
            let size = mail.size.map_or(String::new(), |size| format!(" {size}"));
            let utf8 = if mail.smtputf8 { " utf8" } else { "" };
            let mut text = format!("<{}> {:?}{size}{utf8}", mail.reverse_path, mail.body);
            text += &mail.ret.map_or(String::new(), |ret| format!(" ret={}", ret.as_str()));
            text += &mail.envelope_id.as_ref().map_or(String::new(), |id| format!(" envid={}", id.as_str()));
            text += &mail.deliver_by.map_or(String::new(), |by| format!(" by={}", by.value()));
            text += &mail.hold.map_or(String::new(), |hold| format!(" {hold:?}"));
            text += &mail.priority.map_or(String::new(), |priority| format!(" priority={priority}"));
            text + if mail.require_tls { " tls" } else { "" }
        }
        Command::Rcpt(rcpt) => {
            let notify = rcpt.notify.map_or(String::new(), |notify| format!(" {}", notify.value()));
            let original = rcpt.original.as_ref().map_or(String::new(), |original| format!(" {original}"));
            format!("<{}>{notify}{original}", rcpt.path)
        }
        Command::Auth { mechanism, initial } => {
            let initial = initial.as_ref().and_then(Secret::expose_str).unwrap_or("-");
            format!("auth {mechanism} {initial}")
        }
        other => format!("{other:?}"),
    }
}

#[test]
fn commands() {
    check("EHLO client.example.net", Ok("Ehlo(client.example.net)"));
    check("helo x", Ok("Helo(x)"));
    check("eHlO [IPv6:2001:db8::1]", Ok("Ehlo([IPv6:2001:db8::1])"));
    // B181: what desktop clients call themselves.
    check("EHLO DESKTOP-4F2A", Ok("Ehlo(DESKTOP-4F2A)"));
    check("EHLO my_pc.local", Ok("Ehlo(my_pc.local)"));
    check("EHLO Anna's Mac (2)", Ok("Ehlo(Anna's?Mac??2?)"));
    check("EHLO bücher", Ok("Ehlo(b?cher)"));
    check("EHLO", Err(CommandError::Argument));
    check(&format!("EHLO {}", "a".repeat(256)), Err(CommandError::Argument));
    for (line, name) in [("DATA", "Data"), ("RSET", "Rset"), ("QUIT", "Quit"), ("STARTTLS", "StartTls")] {
        check(line, Ok(name));
        check(&line.to_lowercase(), Ok(name));
        check(&format!("{line} "), Ok(name));
        check(&format!("{line} now"), Err(CommandError::Argument));
    }
    check("NOOP", Ok("Noop"));
    check("NOOP whatever", Ok("Noop"));
    check("HELP MAIL", Ok("Help"));
    check("VRFY someone", Ok("Vrfy"));
    check("EXPN list", Ok("Expn"));
    check("VRFY", Err(CommandError::Argument));
    check("EXPN", Err(CommandError::Argument));
    check("TURN", Err(CommandError::NotImplemented));
    check("RCPTO TO:<a@b>", Err(CommandError::Unknown));
    check("", Err(CommandError::Unknown));
    check(" NOOP", Err(CommandError::Unknown));
    check("GET / HTTP/1.1", Err(CommandError::OtherProtocol));
    check("NOOP\0", Err(CommandError::Syntax));
    check("MAIL FROM:<\x01\x02@example.net>", Err(CommandError::Syntax));
}

#[test]
fn reverse_paths() {
    check("MAIL FROM:<a@example.net>", Ok("<a@example.net> SevenBit"));
    check("mail from:<>", Ok("<> SevenBit"));
    check("MAIL FROM: <a@example.net> ", Ok("<a@example.net> SevenBit"));
    check("MAIL FROM:<@one.example,@two.example:a@example.net>", Ok("<a@example.net> SevenBit"));
    // B011, B019: legal local parts, whatever a shell would make of them.
    for local in [
        "plus+tag",
        "a/b=c",
        "o'neil",
        "!#$%&*-?^_{|}~",
        "\"with blank\"",
        "\"a\\\"b\"",
        "\"a>b\"",
        "${run{/bin/sleep}{7}}",
        "\"$(sleep 7)\"",
        "\"`sleep 7`\"",
        "%s%s%n",
    ] {
        check(&format!("MAIL FROM:<{local}@example.net>"), Ok(&format!("<{local}@example.net> SevenBit")));
    }
    // B013, B018 and other malformed ones.
    for path in [
        "<aa@bb..example>",
        "<a@example.net.>",
        "<;sleep 5;@example.net>",
        "<a@example.net",
        "a@example.net",
        "<a>",
        "<@one.example:>",
        "<@one.example>",
        "<one.example:a@example.net>",
        "<@one..example:a@example.net>",
        "",
    ] {
        check(&format!("MAIL FROM:{path}"), Err(CommandError::ReversePath));
    }
    check("MAIL FROM:<<<>>>", Err(CommandError::Argument));
    check("MAIL FROM:<a\tb@x>", Err(CommandError::ReversePath));
    check("MAIL", Err(CommandError::Argument));
    check("MAIL <a@example.net>", Err(CommandError::Argument));
    check("MAIL TO:<a@example.net>", Err(CommandError::Argument));
    check("MAIL FRO\u{e4}:<a@example.net>", Err(CommandError::Argument));
    check("MAIL FROM:<a@example.net>SIZE=1", Err(CommandError::Argument));
}

#[test]
fn mail_parameters() {
    let mail = |parameters: &str| format!("MAIL FROM:<a@b.example> {parameters}");
    let good = |parameters: &str, expected: &str| {
        check(&mail(parameters), Ok(&format!("<a@b.example> {expected}")));
    };
    good("SIZE=1000", "SevenBit 1000");
    good("size=0 body=8bitmime", "EightBitMime 0");
    good("BODY=7BIT  SMTPUTF8", "SevenBit utf8");
    good("BODY=BINARYMIME", "BinaryMime");
    good("SIZE=99999999999999999999", "SevenBit 18446744073709551615");
    good("AUTH=<>", "SevenBit");
    good("AUTH=e+3Dmc2@example.com", "SevenBit");
    for bad in [
        "SIZE",
        "SIZE=",
        "SIZE=-1",
        "SIZE=1k",
        "SIZE=100000000000000000000",
        "BODY=9BIT",
        "BODY",
        "SMTPUTF8=yes",
        "AUTH=a=b",
        "AUTH=a+3",
        "FOO",
        "=",
        "SIZE=1 SIZE=2",
        "SMTPUTF8 smtputf8",
    ] {
        check(&mail(bad), Err(CommandError::Parameter));
    }
}

#[test]
fn forward_paths() {
    check("RCPT TO:<a@example.net>", Ok("<a@example.net>"));
    check("RCPT TO:<Postmaster>", Ok("<Postmaster>"));
    check("rcpt to:<postMASTER>", Ok("<Postmaster>"));
    check("RCPT TO:<postmaster@example.test>", Ok("<postmaster@example.test>"));
    // B023: the route is dropped; what is judged is the foreign mailbox.
    check("RCPT TO:<@example.test:a@foreign.example>", Ok("<a@foreign.example>"));
    check("RCPT TO:<a%foreign@example.test>", Ok("<a%foreign@example.test>"));
    check("RCPT TO:<\"a@foreign\"@example.test>", Ok("<\"a@foreign\"@example.test>"));
    check("RCPT TO:<foreign!a@example.test>", Ok("<foreign!a@example.test>"));
    check("RCPT TO:<a@foreign@example.test>", Err(CommandError::ForwardPath));
    check("RCPT TO:<a@foreign.example.>", Err(CommandError::ForwardPath));
    check("RCPT TO:<a@[127.0.0.1]>", Ok("<a@[127.0.0.1]>"));
    // B020: nothing is decoded or expanded.
    check("RCPT TO:<a%0d%0ab@example.test>", Ok("<a%0d%0ab@example.test>"));
    check("RCPT TO:<>", Err(CommandError::ForwardPath));
    check("RCPT TO:<a>", Err(CommandError::ForwardPath));
    check("RCPT TO:<a@example.net> SIZE=1", Err(CommandError::Parameter));
    check("RCPT TO:<a@example.net>NOTIFY=NEVER", Err(CommandError::Argument));
    check("RCPT FROM:<a@example.net>", Err(CommandError::Argument));
}

/// The parameters of RFC 3461, 2852, 4865, 6710 and 8689; that each value is read right is tested with the types.
#[test]
fn parameters_for_reports_times_and_priorities() {
    let mail = |parameters: &str| format!("MAIL FROM:<a@b.example> {parameters}");
    for (parameters, expected) in [
        // RFC 3461 §10.1
        ("RET=HDRS ENVID=QQ314159", " ret=HDRS envid=QQ314159"),
        ("ret=full", " ret=FULL"),
        ("ENVID=a+20b", " envid=a b"),
        ("BY=120;R", " by=120;R"),
        ("HOLDFOR=60", " For(60)"),
        ("HOLDUNTIL=1970-01-01T00:01:00Z", " Until(Timestamp(60))"),
        ("MT-PRIORITY=-3", " priority=-3"),
        ("REQUIRETLS", " tls"),
    ] {
        check(&mail(parameters), Ok(&format!("<a@b.example> SevenBit{expected}")));
    }
    for bad in [
        "RET",
        "RET=",
        "RET=ALL",
        "RET=FULL RET=FULL",
        "ENVID",
        "ENVID=",
        "ENVID=a ENVID=b",
        "ENVID=a=b",
        "BY=0;R",
        "BY=1;N BY=1;N",
        "HOLDFOR=0",
        "HOLDFOR=60 HOLDUNTIL=1970-01-01T00:01:00Z",
        "HOLDUNTIL=1970-01-01T00:01:00Z HOLDFOR=60",
        "MT-PRIORITY=10",
        "REQUIRETLS=yes",
    ] {
        check(&mail(bad), Err(CommandError::Value));
    }
    let rcpt = |parameters: &str| format!("RCPT TO:<a@b.example> {parameters}");
    for (parameters, expected) in [
        ("NOTIFY=SUCCESS,delay", " SUCCESS,DELAY"),
        ("notify=never orcpt=rfc822;Carol+2B@Ivory.EDU", " NEVER rfc822;Carol+@Ivory.EDU"),
    ] {
        check(&rcpt(parameters), Ok(&format!("<a@b.example>{expected}")));
    }
    check("RCPT TO:<Postmaster> NOTIFY=FAILURE", Ok("<Postmaster> FAILURE"));
    for bad in [
        "NOTIFY",
        "NOTIFY=",
        "NOTIFY=NEVER,DELAY",
        "NOTIFY=DELAY NOTIFY=DELAY",
        "ORCPT",
        "ORCPT=a@b",
        "ORCPT=rfc822;a ORCPT=rfc822;a",
        "ORCPT=utf-8;å@b",
    ] {
        check(&rcpt(bad), Err(CommandError::Value));
    }
    let utf8 = Command::parse("RCPT TO:<å@b.example> ORCPT=utf-8;å@b.example".as_bytes(), true);
    assert_eq!(utf8.map(|command| show(&command)).as_deref(), Ok("<å@b.example> utf-8;å@b.example"));
}

#[test]
fn addresses_beyond_ascii_need_smtputf8() {
    check("MAIL FROM:<grå@bücher.example>", Err(CommandError::NotAscii));
    check("MAIL FROM:<a@bücher.example>", Err(CommandError::NotAscii));
    check("MAIL FROM:<grå@bücher.example> SMTPUTF8", Ok("<grå@xn--bcher-kva.example> SevenBit utf8"));
    check("RCPT TO:<grå@example.test>", Err(CommandError::NotAscii));
    let allowed = Command::parse("RCPT TO:<grå@example.test>".as_bytes(), true).map(|c| show(&c));
    assert_eq!(allowed.as_deref(), Ok("<grå@example.test>"));
    assert_eq!(Command::parse(b"RCPT TO:<gr\xe5@example.test>", true), Err(CommandError::Syntax));
}

#[test]
fn chunk_sizes() {
    check("BDAT 86 LAST", Ok("Bdat { size: 86, last: true }"));
    check("bdat 0 last", Ok("Bdat { size: 0, last: true }"));
    check("BDAT 100000", Ok("Bdat { size: 100000, last: false }"));
    for bad in ["BDAT", "BDAT LAST", "BDAT -1", "BDAT 1x", "BDAT 10 LAST LAST", "BDAT 10 LST", "BDAT +10"] {
        check(bad, Err(CommandError::ChunkSize));
    }
}

#[test]
fn auth_arguments() {
    check("AUTH PLAIN", Ok("auth PLAIN -"));
    check("AUTH plain AGEAYg==", Ok("auth plain AGEAYg=="));
    check("AUTH PLAIN =", Ok("auth PLAIN ="));
    check("AUTH", Err(CommandError::Argument));
    check("AUTH PLAIN a b", Err(CommandError::Argument));
    let command = Command::parse(b"AUTH PLAIN AGEAYg==", false);
    assert!(!format!("{command:?}").contains("AGEAYg=="));
}

#[test]
fn error_replies_are_short_and_permanent() {
    use CommandError::*;
    for error in [
        Syntax,
        Unknown,
        OtherProtocol,
        NotImplemented,
        Argument,
        ChunkSize,
        ReversePath,
        ForwardPath,
        NotAscii,
        Parameter,
        Value,
    ] {
        let reply = error.reply();
        assert!(reply.is_permanent() && reply.enhanced().is_some_and(|(class, ..)| class == 5), "{reply}");
        assert!(reply.to_string().len() < 80 && reply.lines().count() == 1, "{reply}");
    }
}
