use super::*;

fn parse(text: &str) -> Result<Written, ConfigError> {
    Written::parse(&[("test.toml".into(), text.into(), "/etc/mailward".into())])
}

fn convert(text: &str) -> Result<Config, ConfigError> {
    parse(text)?.convert(&[])
}

const LEAST: &str = "[server]\nhostname = \"mail.example.test\"\n[tls]\nself_signed = true\n";

/// Ports that are open, by service.
fn check_ports(more: &str, expected: &[(ServiceKind, u16)]) {
    let config = convert(&format!("{LEAST}{more}")).unwrap();
    let ports: Vec<_> = config.doors.iter().map(|door| (door.service, door.addresses[0].port())).collect();
    assert_eq!(ports, expected, "{more}");
}

fn check_error(text: &str, expected: &str) {
    let error = convert(text).unwrap_err().to_string();
    assert!(error.contains(expected), "{error}");
}

#[test]
fn secure_mode_moves_the_port() {
    use ServiceKind::*;
    check_ports("", &[(Smtp, 25), (Submission, 465), (Imap, 993)]);
    check_ports("[imap]\ntls = \"starttls\"", &[(Smtp, 25), (Submission, 465), (Imap, 143)]);
    check_ports("[submission]\ntls = \"starttls\"", &[(Smtp, 25), (Submission, 587), (Imap, 993)]);
    check_ports("[imap.also]", &[(Smtp, 25), (Submission, 465), (Imap, 993), (Imap, 143)]);
    check_ports(
        "[pop3]\nenabled = true\ntls = \"starttls\"\n[pop3.also]",
        &[(Smtp, 25), (Submission, 465), (Imap, 993), (Pop3, 110), (Pop3, 995)],
    );
    let managesieve = |port| [(Smtp, 25), (Submission, 465), (Imap, 993), (ManageSieve, port)];
    check_ports("[managesieve]\nenabled = true", &managesieve(4190));
    check_ports("[managesieve]\nenabled = true\ntls = \"implicit\"", &managesieve(4190));
    check_ports("[imap]\nport = 1993", &[(Smtp, 25), (Submission, 465), (Imap, 1993)]);
    check_ports(
        "[imap]\ntls = \"off\"\naddresses = [\"127.0.0.1\"]",
        &[(Smtp, 25), (Submission, 465), (Imap, 143)],
    );
    check_ports("[smtp]\nenabled = false", &[(Submission, 465), (Imap, 993)]);
}

#[test]
fn errors_say_what_to_do() {
    check_error(
        "[server]\nhostnam = \"a.b\"",
        "unknown key \"server.hostnam\"; did you mean \"server.hostname\"?",
    );
    check_error("[imaps]\nport = 1", "did you mean \"imap\"?");
    check_error("[server]\nport = 1", "did you mean \"smtp.port\"?");
    check_error("hostname = \"a.b\"", "did you mean \"server.hostname\"?");
    check_error("[imap]\nport = \"x\"", "line 2");
    check_error(&format!("{LEAST}[imap]\ntls = \"off\""), "neither");
    check_error(&format!("{LEAST}[smtp]\ntls = \"implicit\""), "smtp.tls");
    check_error(&format!("{LEAST}[imap]\nport = 465"), "two services listen on 0.0.0.0:465");
    check_error(
        &format!("{LEAST}[limits]\nrecipients = 5"),
        "limits.recipients is 5, and must be 100 at least",
    );
    check_error(&format!("{LEAST}[limits]\ncommand_wait = \"5 parsecs\""), "no length of time");
    check_error("[server]\nhostname = \"localhost\"", "server.hostname");
    check_error("[server]\nhostname = \"a.example\"", "tls.certificates");
}

#[test]
fn networks_allow_clear_text() {
    let text = LEAST.replace(
        "[tls]",
        "trusted_networks = [\"10.0.0.0/8\"]\n[imap]\ntls = \"off\"\naddresses = [\"ADDR\"]\n[tls]",
    );
    assert!(convert(&text.replace("ADDR", "10.1.2.3")).is_ok());
    check_error(&text.replace("ADDR", "11.1.2.3"), "neither");
    let network: Network = "2001:db8::/33".parse().unwrap();
    assert!(network.contains("2001:db8:7fff::1".parse().unwrap()));
    assert!(!network.contains("2001:db8:8000::1".parse().unwrap()));
    assert!("0.0.0.0/0".parse::<Network>().unwrap().contains("192.0.2.1".parse().unwrap()));
    assert!("10.0.0.0/33".parse::<Network>().is_err());
}

#[test]
fn what_is_shown_reads_back_equal() {
    let text = format!("{LEAST}[imap.also]\nport = 1143\n[limits]\nmessage = \"10 MiB\"\n[server.x]")
        .replace("[server.x]", "");
    for text in ["", text.as_str()] {
        let written = parse(text).unwrap();
        for style in [Style::Origin, Style::Explained] {
            let shown = show(&written, style);
            let back = parse(&shown).unwrap_or_else(|e| panic!("{e}\n{shown}"));
            assert_eq!(back.raw, written.raw, "{shown}");
        }
    }
    let shown = show(&parse(&text).unwrap(), Style::Origin);
    assert!(shown.contains("message = \"10 MiB\"  # test.toml"), "{shown}");
    assert!(shown.contains("recipients = 1000  # default"), "{shown}");
}

#[test]
fn later_files_have_the_last_word() {
    let layer = |name: &str, text: &str| (name.to_owned(), text.to_owned(), PathBuf::from("/x"));
    let written = Written::parse(&[
        layer("a", "[imap]\nport = 1\n[log]\nlevel = \"warn\""),
        layer("b", "[imap]\nport = 2"),
    ]);
    let written = written.unwrap();
    assert_eq!(written.raw.imap.port, Some(2));
    assert_eq!(written.raw.log.level, "warn");
    assert_eq!(written.origin("imap", "port"), Some("b"));
    assert_eq!(written.origin("log", "level"), Some("a"));
    assert_eq!(written.origin("log", "format"), None);
}

#[test]
fn paths_start_from_the_file() {
    let config = convert(
        &format!("{LEAST}[server.y]").replace("[tls]", "data = \"data\"\n[tls]").replace("[server.y]", ""),
    )
    .unwrap();
    assert_eq!(config.data, PathBuf::from("/etc/mailward/data"));
    assert_eq!(config.control_socket, PathBuf::from("/etc/mailward/data/control.sock"));
}

#[test]
fn limits_have_the_defaults_of_base() {
    assert_eq!(convert(LEAST).unwrap().limits, Limits::default());
}

#[test]
fn quantities() {
    let span = |text: &str| text.parse::<Span>().map(|s| s.0.as_secs());
    assert_eq!(span("90"), Ok(90));
    assert_eq!(span("30m"), Ok(1800));
    assert_eq!(span("2 h"), Ok(7200));
    assert!(span("m").is_err() && span("").is_err() && span("-1").is_err());
    let size = |text: &str| text.parse::<Size>().map(|s| s.0);
    assert_eq!(size("50 MiB"), Ok(52_428_800));
    assert_eq!(size("1k"), Ok(1024));
    assert!(size("99999999999 GiB").is_err());
}

#[test]
fn every_key_is_in_the_manual() {
    let manual = include_str!("../../../../docs/configuration.md");
    for (section, _, keys) in raw::SECTIONS {
        assert!(manual.contains(&format!("[{section}]")), "{section}");
        for key in *keys {
            assert!(manual.contains(&format!("`{}`", key.name)), "{section}.{}", key.name);
        }
    }
}

#[test]
fn metrics_stay_on_this_machine() {
    let metrics = |address: &str| format!("{LEAST}[metrics]\nenabled = true\naddress = \"{address}\"");
    let place = |address: &str| convert(&metrics(address)).unwrap().metrics.map(|place| place.to_string());
    assert_eq!(place("[::1]:9725").as_deref(), Some("[::1]:9725"));
    assert_eq!(place("/run/mailward/metrics.sock").as_deref(), Some("/run/mailward/metrics.sock"));
    check_error(&metrics("0.0.0.0:9725"), "loopback");
    check_error(&metrics("here"), "neither ADDRESS:PORT nor the path of a socket");
    assert_eq!(convert(LEAST).unwrap().metrics, None);
}

#[test]
fn logs_go_where_they_are_told() {
    let to = |to: &str| convert(&format!("{LEAST}[log]\nto = \"{to}\"")).unwrap().log_to;
    assert_eq!(to("stderr"), LogTo::Stderr);
    assert_eq!(to("journald"), LogTo::Journald);
    let LogTo::File(file) = to("mailward.log") else { panic!("no file") };
    assert_eq!(file.path, PathBuf::from("/etc/mailward/mailward.log"));
}
