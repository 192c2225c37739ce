use super::super::parse;
use super::*;
use base::Uid;

/// The example of RFC 4467 §7 and RFC 5092 §9, up to its token.
const RUMP: &str = "imap://joe@example.com/INBOX/;uid=20/;section=1.2;urlauth=submit+fred";

fn read(url: &str) -> Option<(String, String, Access, Option<Timestamp>)> {
    let UrlAuth { user, host, access, expire, .. } = UrlAuth::parse(url)?;
    Some((user, host, access, expire))
}

fn check(url: &str, user: &str, host: &str, access: Access, expire: Option<Timestamp>) {
    assert_eq!(read(url), Some((user.into(), host.into(), access, expire)), "{url}");
}

#[test]
fn urls_with_rights() {
    let fred = || Access::Submit("fred".into());
    check(RUMP, "joe", "example.com", fred(), None);
    let end = Timestamp::from_civil(2011, 12, 31, 23, 59, 59);
    let urls = [
        ("IMAP://joe@EXAMPLE.com:143/INBOX/;UID=20;URLAUTH=ANONYMOUS", Access::Anonymous, None),
        ("imap://joe@example.com/INBOX/;uid=20;urlauth=authuser", Access::AuthUser, None),
        (
            "imap://joe@example.com/INBOX/;uid=20;urlauth=user+a%40b.example",
            Access::User("a@b.example".into()),
            None,
        ),
        (
            "imap://joe@example.com/INBOX/;uid=20;urlauth=user+a@b.example",
            Access::User("a@b.example".into()),
            None,
        ),
        (
            "imap://joe@example.com/INBOX/;uid=20;EXPIRE=2011-12-31T23:59:59Z;urlauth=submit+fred",
            fred(),
            Some(end),
        ),
        (
            "imap://joe@example.com/INBOX/;uid=20;expire=2012-01-01t00:59:59+01:00;urlauth=submit+fred",
            fred(),
            Some(end),
        ),
    ];
    for (url, access, expire) in urls {
        check(url, "joe", "example.com", access, expire);
    }
    let url =
        UrlAuth::parse("imap://joe%40example.org@example.com/a%20b;UIDVALIDITY=3/;UID=7;URLAUTH=authuser")
            .unwrap();
    assert_eq!((url.user.as_str(), url.url.uid), ("joe@example.org", Uid(7)));
    assert_eq!(url.url.mailbox.unwrap().as_str(), "a b");
}

#[test]
fn what_authorizes() {
    let token: [u8; 32] = std::array::from_fn(|at| at as u8 * 7);
    let url = UrlAuth::parse(RUMP).unwrap();
    assert_eq!((url.rump.as_str(), &url.verifier), (RUMP, &None));
    let authorized = url.authorized(&token);
    let again = UrlAuth::parse(&authorized).unwrap();
    assert_eq!(again.rump, RUMP);
    assert_eq!(again.verifier, Some(Verifier { internal: true, token: Some(token) }));
    assert_eq!(
        UrlAuth::parse(&authorized.to_uppercase().replace("IMAP://", "imap://")).unwrap().verifier,
        again.verifier
    );
    // The RFC's own token is another server's; it has 16 octets.
    let foreign = UrlAuth::parse(&format!("{RUMP}:internal:91354a473744909de610943775f92038")).unwrap();
    assert_eq!(foreign.verifier, Some(Verifier { internal: true, token: None }));
    let other = UrlAuth::parse(&format!("{RUMP}:XSAMPLE:{}", "ab".repeat(32))).unwrap();
    assert_eq!(other.verifier, Some(Verifier { internal: false, token: Some([0xab; 32]) }));
    for token in ["", "x", &"+a".repeat(32), &"é".repeat(32), &"0".repeat(10_000)] {
        assert_eq!(
            UrlAuth::parse(&format!("{RUMP}:internal:{token}")).unwrap().verifier.unwrap().token,
            None
        );
    }
}

#[test]
fn whose_it_is() {
    for (server, owner) in [
        ("joe@mail.example.test", Some("joe")),
        ("joe@MAIL.example.test:993", Some("joe")),
        ("joe@example.test", Some("joe@example.test")),
        ("joe%40example.test@mail.example.test", Some("joe@example.test")),
        ("joe%40example.test@example.test", Some("joe@example.test")),
        ("joe%40example.test@other.example", None),
    ] {
        let url = UrlAuth::parse(&format!("imap://{server}/INBOX/;UID=1;URLAUTH=authuser")).unwrap();
        assert_eq!(url.owner("mail.example.test").as_deref(), owner, "{server}");
    }
}

#[test]
fn broken_ones() {
    for url in [
        "",
        ";urlauth=",
        "imap://joe@example.com/INBOX/;uid=20",
        "imap://joe@example.com/INBOX/;uid=20;urlauth=",
        "imap://joe@example.com/INBOX/;uid=20;urlauth=nobody",
        "imap://joe@example.com/INBOX/;uid=20;urlauth=user+",
        "imap://joe@example.com/INBOX/;uid=20;urlauth=authuser:internal",
        "imap://joe@example.com/INBOX/;uid=20;urlauth=authuser;expire=2011-12-31T23:59:59Z",
        "imap://joe@example.com/INBOX/;uid=20;expire=2011-12-31;urlauth=authuser",
        "imap://joe@example.com/INBOX/;uid=20;expire=;urlauth=authuser",
        "imap://joe@example.com/INBOX;urlauth=authuser",
        "imap://joe@example.com/;uid=20;urlauth=authuser",
        "imap://joe@example.com;urlauth=authuser",
        "imap://example.com/INBOX/;uid=20;urlauth=authuser",
        "imap://@example.com/INBOX/;uid=20;urlauth=authuser",
        "imap://joe@/INBOX/;uid=20;urlauth=authuser",
        "imap://joe@exa mple.com/INBOX/;uid=20;urlauth=authuser",
        "imap://joe@example.com:x/INBOX/;uid=20;urlauth=authuser",
        "imap://joe;AUTH=*@example.com/INBOX/;uid=20;urlauth=authuser",
        "http://joe@example.com/INBOX/;uid=20;urlauth=authuser",
        "/INBOX/;uid=20;urlauth=authuser",
        "é;urlauth=authuser",
    ] {
        assert_eq!(UrlAuth::parse(url), None, "{url}");
    }
}

#[test]
fn commands() {
    let body = |text: &str| parse(format!("a {text}").as_bytes(), false).map(|command| command.body);
    let inbox = Some(base::MailboxName::inbox());
    assert_eq!(body("RESETKEY"), Ok(CommandBody::ResetKey { mailbox: None }));
    assert_eq!(body("resetkey INBOX"), Ok(CommandBody::ResetKey { mailbox: inbox.clone() }));
    assert_eq!(body("RESETKEY INBOX internal"), Ok(CommandBody::ResetKey { mailbox: inbox }));
    let url = UrlAuth::parse(RUMP).unwrap();
    let generate = format!("GENURLAUTH \"{RUMP}\" INTERNAL");
    assert_eq!(body(&generate), Ok(CommandBody::GenUrlAuth(vec![url.clone()])));
    assert_eq!(
        body(&format!("{generate} {RUMP} internal")),
        Ok(CommandBody::GenUrlAuth(vec![url.clone(), url]))
    );
    let fetch = |url: &str, items: &[UrlItem]| UrlFetch { url: url.into(), items: items.to_vec() };
    assert_eq!(
        body("URLFETCH a \"b c\""),
        Ok(CommandBody::UrlFetch(vec![fetch("a", &[]), fetch("b c", &[])]))
    );
    // RFC 5524
    let items = [UrlItem::BodyPartStructure, UrlItem::Binary, UrlItem::Body];
    let several = vec![fetch("a", &items), fetch("b", &[]), fetch("c", &[])];
    assert_eq!(body("urlfetch (a Binary BODYPARTSTRUCTURE body) b (c)"), Ok(CommandBody::UrlFetch(several)));
    let many = |count: usize| format!("URLFETCH{}", " a".repeat(count));
    assert!(body(&many(MAX_URLS)).is_ok());
    assert!(body(&many(MAX_URLS + 1)).unwrap_err().no);
    assert!(body(&format!("URLFETCH {}", "a".repeat(MAX_URL + 1))).unwrap_err().no);
    for text in [
        "RESETKEY INBOX XSAMPLE",
        "RESETKEY INBOX ",
        "GENURLAUTH",
        &format!("GENURLAUTH {RUMP}"),
        &format!("GENURLAUTH {RUMP} XSAMPLE"),
        &format!("GENURLAUTH {RUMP}:internal:91354a473744909de610943775f92038 INTERNAL"),
        "GENURLAUTH /INBOX/;uid=20 INTERNAL",
        "URLFETCH",
        "URLFETCH (a BINARY",
        "URLFETCH (a BINARY )",
        "URLFETCH (a BINARY BINARY)",
        "URLFETCH (a NOSUCH)",
        "URLFETCH ()",
        "URLFETCH (a)b",
    ] {
        let broken = body(text);
        assert!(
            broken.as_ref().is_err_and(|error| !error.no) || text == "RESETKEY INBOX ",
            "{text}: {broken:?}"
        );
    }
}
