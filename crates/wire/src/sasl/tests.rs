use super::*;

fn plain(message: &[u8], expected: Option<(Option<&str>, &str, &str)>) {
    let got = Plain::parse(message);
    let got =
        got.as_ref().map(|p| (p.authzid.as_deref(), p.authcid.as_str(), p.password.expose_str().unwrap()));
    assert_eq!(got, expected, "{}", message.escape_ascii());
}

#[test]
fn plain_messages() {
    // RFC 4616 §4
    plain(b"\0tim\0tanstaaftanstaaf", Some((None, "tim", "tanstaaftanstaaf")));
    plain(b"Ursel\0Kurt\0xipj3plmq", Some((Some("Ursel"), "Kurt", "xipj3plmq")));
    plain("\0a\0£ä\"\\ x".as_bytes(), Some((None, "a", "£ä\"\\ x")));
    for bad in [&b""[..], b"\0", b"\0\0", b"\0tim", b"\0tim\0", b"\0\0x", b"\0tim\0x\0", b"\0tim\0\xe4"] {
        plain(bad, None);
    }
    plain(format!("\0tim\0{}", "x".repeat(MAX_FIELD + 1)).as_bytes(), None);
}

#[test]
fn base64_lines() {
    let check = |line: &str, expected: Option<&[u8]>| {
        assert_eq!(decode(line.as_bytes()).as_ref().map(Secret::expose), expected, "{line}");
    };
    check("AHRpbQB4", Some(b"\0tim\0x"));
    check("", Some(b""));
    for bad in ["=", "*", "A", "AA", "AAA", "AB==", "AAAA\r", "AA AA", "AAAA="] {
        check(bad, None);
    }
    check(&"A".repeat(MAX_MESSAGE * 2), None);
    assert_eq!(decode_initial(b"=").as_ref().map(Secret::expose), Some(&b""[..]));
    assert!(decode_initial(b"").is_none());
}

fn first(message: &str, expected: Option<(BindingFlag, Option<&str>, &str, &str)>) {
    let got = ClientFirst::parse(message.as_bytes());
    let got = got.as_ref().map(|m| (m.flag, m.authzid.as_deref(), m.user.as_str(), m.nonce));
    assert_eq!(got, expected, "{message}");
}

#[test]
fn first_messages() {
    use BindingFlag::*;
    // RFC 7677 §3
    let message = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
    first(message, Some((Unsupported, None, "user", "rOprNGfwEbeRWgbNEkqO")));
    let parsed = ClientFirst::parse(message.as_bytes()).unwrap();
    assert_eq!((parsed.header, parsed.bare), ("n,,", "n=user,r=rOprNGfwEbeRWgbNEkqO"));

    first("y,a=x=2Cy,n=a=3Db=2C,r=1", Some((NotOffered, Some("x,y"), "a=b,", "1")));
    first("p=tls-exporter,,n=u,r=1,x=2", Some((Used("tls-exporter"), None, "u", "1")));
    for bad in [
        "",
        "n",
        "n,",
        "n,,",
        "n,,n=u",
        "n,,r=1,n=u",
        "n,,n=,r=1",
        "n,,n=u,r=",
        "n,,n=a=2c,r=1",
        "n,,n=a=,r=1",
        "n,,n=a=2,r=1",
        "n,,m=1,n=u,r=1",
        "n,,n=u,r=1,m=x",
        "n,,n=u,r=1,",
        "p=,,n=u,r=1",
        "p=a b,,n=u,r=1",
        "q,,n=u,r=1",
        "n,x,n=u,r=1",
        "n,a=,n=u,r=1",
        "n,,n=u,r=a b",
        "n,,n=é=é,r=1",
    ] {
        first(bad, None);
    }
}

#[test]
fn final_messages() {
    let nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
    let without = format!("c=biws,r={nonce}");
    let message = format!("{without},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
    let parsed = ClientFinal::parse(message.as_bytes()).unwrap();
    assert_eq!((&parsed.binding[..], parsed.nonce, parsed.without_proof), (&b"n,,"[..], nonce, &without[..]));
    assert_eq!(parsed.proof.len(), 32);
    for bad in [
        "",
        "c=biws",
        "c=biws,r=1",
        "r=1,c=biws,p=AAAA",
        "c=b,r=1,p=AAAA",
        "c=biws,r=1,p=A",
        "c=biws,r=,p=AAAA",
    ] {
        assert_eq!(ClientFinal::parse(bad.as_bytes()), None, "{bad}");
    }
}

#[test]
fn server_messages() {
    let salt = decode(b"W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
    assert_eq!(server_first("abc", salt.expose(), 4096), "r=abc,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
    assert_eq!(server_final(b"\0\0\0"), "v=AAAA");
}
