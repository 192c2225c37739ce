use super::*;

fn check(kind: &str, address: &str, utf8: bool, expected: Option<&str>) {
    let orcpt = OriginalRecipient { kind: kind.to_owned(), address: address.to_owned() };
    assert_eq!(orcpt.value(utf8).as_deref(), expected, "{kind};{address}");
}

#[test]
fn original_recipients() {
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
fn times() {
    let by = |seconds, or_return, trace| DeliverBy { seconds, or_return, trace }.parameter();
    assert_eq!(by(60, true, false), "BY=60;R");
    assert_eq!(by(-60, false, true), "BY=-60;NT");
    assert_eq!(by(i32::MIN, false, false), "BY=-999999999;N");
}

#[test]
fn notify_words() {
    let on = |success, failure, delay| Notify::On { success, failure, delay }.value();
    assert_eq!(on(true, true, true), "SUCCESS,FAILURE,DELAY");
    assert_eq!(on(false, false, true), "DELAY");
    assert_eq!(Notify::Never.value(), "NEVER");
}
