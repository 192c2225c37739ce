use super::*;

/// A value as it is read, in clear.
fn original(value: &str, utf8: bool, expected: Option<&str>) {
    let read = OriginalRecipient::parse(value, utf8);
    assert_eq!(read.as_ref().map(ToString::to_string).as_deref(), expected, "{value}");
}

#[test]
fn original_recipients_are_read() {
    original("rfc822;Bob@Example.COM", false, Some("rfc822;Bob@Example.COM"));
    // RFC 3461 §10: the examples.
    original("rfc822;Carol@Ivory.EDU", false, Some("rfc822;Carol@Ivory.EDU"));
    original("rfc822;George@Tax-ME.GOV", false, Some("rfc822;George@Tax-ME.GOV"));
    original("RFC822;a+20b+2Bc+3Dd@e", false, Some("RFC822;a b+c=d@e"));
    original("x400;/C+3Dus/", false, Some("x400;/C=us/"));
    // RFC 6533 §3
    original("utf-8;\\x{E5}\\x{5C}@e", false, Some("utf-8;å\\@e"));
    original("UTF-8;\\x{1F600}@e", false, Some("UTF-8;😀@e"));
    original("utf-8;å\\x{3D}😀@e", true, Some("utf-8;å=😀@e"));
    original("utf-8;å@e", false, None);
    for bad in [
        "",
        "a@b",
        ";a@b",
        "rfc822;",
        "rfc 822;a@b",
        "rfc822;a=b",
        "rfc822;a+3db",
        "rfc822;a+3",
        "rfc822;a b",
        "rfc822;å@e",
        // Nothing that could become a line of a report.
        "rfc822;a+0D+0AAction:+20delivered",
        "rfc822;a+00",
        "rfc822;a+C3+A5@e",
        "rfc822;a+FF",
        "utf-8;",
        "utf-8;a\\x{0D}\\x{0A}b",
        "utf-8;a\\x{85}b",
        "utf-8;a\\x{D800}",
        "utf-8;a\\x{110000}",
        "utf-8;a\\x{E}",
        "utf-8;a\\x{+E5}",
        "utf-8;a\\x{E5",
        "utf-8;a\\E5",
        "utf-8;a+2Bb",
        "utf-8;a\\x{0000E55}",
    ] {
        original(bad, true, None);
    }
    original("utf-8;a\\x{0000E5}5", false, Some("utf-8;aå5"));
    let longest = format!("rfc822;{}", "a".repeat(493));
    original(&longest, false, Some(&longest));
    original(&format!("{longest}a"), false, None);
}

#[test]
fn original_recipients_are_written() {
    let check = |kind: &str, address: &str, utf8: bool, expected: Option<&str>| {
        let orcpt = OriginalRecipient { kind: kind.to_owned(), address: address.to_owned() };
        assert_eq!(orcpt.value(utf8).as_deref(), expected, "{kind};{address}");
    };
    // RFC 3461 §4, §4.2
    check("rfc822", "Bob@Example.COM", false, Some("rfc822;Bob@Example.COM"));
    check("rfc822", "a b+c=d@e", false, Some("rfc822;a+20b+2Bc+3Dd@e"));
    check("x400", "/C=us/", false, Some("x400;/C+3Dus/"));
    // RFC 6533 §3
    check("utf-8", "å\\@e", false, Some("utf-8;\\x{E5}\\x{5C}@e"));
    check("utf-8", "å=😀@e", true, Some("utf-8;å\\x{3D}😀@e"));
    check("rfc822", "å@e", false, Some("utf-8;\\x{E5}@e"));
    // Nothing that could end the command or be taken for another parameter.
    check("rfc822", "a\r\nRCPT TO:<x@y>", false, Some("rfc822;a+0D+0ARCPT+20TO:<x@y>"));
    check("utf-8", "å\r\n x\u{85}", true, Some("utf-8;å\\x{0D}\\x{0A}\\x{20}x\\x{85}"));
    check("rfc822 x", "a@b", false, None);
    check("", "a@b", false, None);
    check("rfc822", "", false, None);
    check("rfc822", &"a".repeat(600), false, None);
}

#[test]
fn envelope_ids() {
    let check = |value: &str, expected: Option<&str>| {
        let id = EnvelopeId::parse(value);
        assert_eq!(id.as_ref().map(EnvelopeId::as_str), expected, "{value}");
        assert_eq!(id.map(|id| id.value()).as_deref(), expected.map(|_| value));
    };
    // RFC 3461 §10.1
    check("QQ314159", Some("QQ314159"));
    check("a+20b+2B+3D", Some("a b+="));
    for bad in ["", "a=b", "a+", "a+2", "a+2b", "a+0A", "a+7F", "å", "+C3+A5", "a b"] {
        check(bad, None);
    }
    check(&"a".repeat(100), Some(&"a".repeat(100)));
    check(&"a".repeat(101), None);
    assert_eq!(EnvelopeId::new(&"+".repeat(33)).map(|id| id.value().len()), Some(99));
    for bad in ["", "a\r\nb", "å", "++++++++++++++++++++++++++++++++++"] {
        assert_eq!(EnvelopeId::new(bad), None, "{bad}");
    }
}

#[test]
fn notify_words() {
    let check = |value: &str, expected: Option<&str>| {
        assert_eq!(Notify::parse(value).map(Notify::value).as_deref(), expected, "{value}");
    };
    // RFC 3461 §4.1
    check("NEVER", Some("NEVER"));
    check("never", Some("NEVER"));
    check("SUCCESS,FAILURE", Some("SUCCESS,FAILURE"));
    check("delay,Success,FAILURE", Some("SUCCESS,FAILURE,DELAY"));
    check("DELAY", Some("DELAY"));
    for bad in ["", "NEVER,SUCCESS", "DELAY,NEVER", "SUCCESS,", ",DELAY", "SUCCESS;DELAY", "ALWAYS"] {
        check(bad, None);
    }
}

#[test]
fn times_to_deliver_by() {
    let check = |value: &str, expected: Option<&str>| {
        assert_eq!(DeliverBy::parse(value).map(DeliverBy::value).as_deref(), expected, "{value}");
    };
    // RFC 2852 §4
    check("120;R", Some("120;R"));
    check("+999999999;rt", Some("999999999;RT"));
    check("-60;NT", Some("-60;NT"));
    check("0;N", Some("0;N"));
    for bad in
        ["0;R", "-1;R", "-1;RT", "", "1", "1;", "1;X", "1;TR", ";R", "+;R", "--1;N", "1000000000;N", "1s;R"]
    {
        check(bad, None);
    }
    let by = DeliverBy { seconds: i32::MIN, or_return: false, trace: false };
    assert_eq!(by.value(), "-999999999;N");
}

#[test]
fn times_to_hold() {
    for (value, expected) in [("1", Some(1)), ("999999999", Some(999_999_999))] {
        assert_eq!(Hold::parse_for(value), expected.map(Hold::For));
    }
    for bad in ["", "0", "01", "-1", "+1", "1000000000", "1.5", "1h"] {
        assert_eq!(Hold::parse_for(bad), None, "{bad}");
    }
    // RFC 3339 §5.8: the examples, which it gives in UTC and in Pacific time.
    let check = |value: &str, expected: Option<i64>| {
        assert_eq!(Hold::parse_until(value), expected.map(|at| Hold::Until(Timestamp(at))), "{value}");
    };
    let at = |year, month, day, hour, minute, second| {
        Some(Timestamp::from_civil(year, month, day, hour, minute, second).0)
    };
    check("1985-04-12T23:20:50.52Z", at(1985, 4, 12, 23, 20, 50));
    check("1996-12-19T16:39:57-08:00", at(1996, 12, 20, 0, 39, 57));
    check("1990-12-31T23:59:60z", at(1991, 1, 1, 0, 0, 0));
    check("1937-01-01t12:00:27.87+00:20", at(1937, 1, 1, 11, 40, 27));
    check("2024-02-29T00:00:00Z", at(2024, 2, 29, 0, 0, 0));
    for bad in [
        "",
        "2026-11-25",
        "2026-11-25T08:00Z",
        "2026-11-25T08:00:00",
        "2026-11-25 08:00:00Z",
        "2026-11-25T08:00:00.Z",
        "2026-11-25T08:00:00+0100",
        "2026-11-25T08:00:00+24:00",
        "2026-11-25T24:00:00Z",
        "2026-11-25T08:60:00Z",
        "2026-13-25T08:00:00Z",
        "2026-00-25T08:00:00Z",
        "2025-02-29T00:00:00Z",
        "2026-11-00T08:00:00Z",
        "2026-11-25T08:00:00ZZ",
        "+026-11-25T08:00:00Z",
        "2026-11-25T08:00:00é",
        "2026-11-25T08:00:0é",
    ] {
        check(bad, None);
    }
    assert_eq!(Hold::For(60).end(Timestamp(1000)), Timestamp(1060));
    assert_eq!(Hold::Until(Timestamp(5)).end(Timestamp(1000)), Timestamp(5));
}

#[test]
fn priorities() {
    // RFC 6710 §8
    for priority in -9..=9 {
        assert_eq!(parse_priority(&priority.to_string()), Some(priority));
    }
    for bad in ["", "-", "+1", "10", "-10", "01", "-0", "00", "1.0", "high"] {
        assert_eq!(parse_priority(bad), None, "{bad}");
    }
}
