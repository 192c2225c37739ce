use super::*;
use base::{Address, Limits, MemberId};
use store::lists::{MOST_BOUNCES, Style};
use wire::mime::Tree;

const MESSAGE: &str = "Return-Path: <bert@example.net>\r\nReceived: from x by y; now\r\nFrom: bert@example.net\r\n\
                       List-Id: <other.example.com>\r\nPrecedence: bulk\r\nReply-To: bert@example.net\r\n\
                       Subject: =?utf-8?q?caf=C3=A9?=\r\n\r\nhello\r\n";

/// A store with two accounts and a list that both and two others are members of.
struct Site {
    lists: Lists,
    list: List,
    anna: AccountId,
    _runtime: tokio::runtime::Runtime,
    _place: tempfile::TempDir,
}

const STYLE: Style = Style { is_group: false, posters: Posters::Members, tag: None, answers_to_list: false };

impl Site {
    fn new(style: Style) -> Self {
        let place = tempfile::tempdir().unwrap();
        let store = crate::server::new_store(place.path());
        let domain = Domain::new("example.test").unwrap();
        store.directory().add_domain(&domain).unwrap();
        let anna = store.directory().add_account(&address("anna@example.test"), b"").unwrap();
        store.directory().add_account(&address("carl@example.test"), b"").unwrap();
        let id = store.lists().add(&address("talk@example.test"), &style).unwrap();
        for (member, moderates) in [
            ("anna@example.test", true),
            ("carl@example.test", false),
            ("bert@example.net", false),
            ("Dora@example.com", false),
        ] {
            store.lists().add_member(id, &address(member), moderates).unwrap();
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let gatehouse = {
            let _within = runtime.enter();
            Arc::new(Gatehouse::new(&screen::Settings::default()))
        };
        let list = store.lists().list(id).unwrap().unwrap();
        let lists = Lists::new(store, gatehouse, domain);
        Site { lists, list, anna, _runtime: runtime, _place: place }
    }

    fn store(&self) -> &dyn Store {
        &*self.lists.store
    }

    /// What becomes of mail from a sender to one of the list's addresses: the word for it, or the code of the refusal.
    fn judge(&self, detail: Option<&str>, sender: &str, proven: bool) -> String {
        match self.lists.judge(self.list.id, detail, &path(sender), proven).unwrap() {
            Judged::Errand(Errand::Post(_)) => "post".into(),
            Judged::Errand(Errand::Bounce(member)) => format!("bounce {}", member.address),
            Judged::Errand(Errand::Unsubscribe(_)) => "unsubscribe".into(),
            Judged::Errand(Errand::Leave(member)) => format!("leave {}", member.address),
            Judged::Elsewhere(Destination::Unavailable(reply)) => format!("{}", reply.code()),
            Judged::Elsewhere(Destination::Local(targets)) => {
                format!("to {:?}", targets.iter().map(|target| target.account.0).collect::<Vec<_>>())
            }
            Judged::Elsewhere(other) => format!("{other:?}"),
        }
    }

    fn member(&self, address: &str) -> Member {
        let members = self.store().lists().members(self.list.id).unwrap();
        members.into_iter().find(|member| member.address.to_string() == address).unwrap()
    }

    fn own(&self, purpose: Purpose) -> Address {
        purpose.address(&self.list, self.store()).unwrap()
    }
}

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

fn path(text: &str) -> ReversePath {
    if text.is_empty() { ReversePath::Null } else { ReversePath::Address(address(text)) }
}

fn mail(text: &str, sender: &str) -> Spooled {
    let octets = text.as_bytes().to_vec();
    Spooled {
        trace: TraceId(7),
        reverse_path: path(sender),
        tree: Arc::new(Tree::parse(&octets, &Limits::default())),
        octets: Arc::new(octets),
        received: Timestamp(1_700_000_000),
        smtputf8: false,
    }
}

#[test]
fn who_may_write() {
    fn check(style: Style, cases: &[(&str, bool, &str)]) {
        let site = Site::new(style);
        for (sender, proven, expected) in cases {
            assert_eq!(site.judge(None, sender, *proven), *expected, "{sender} {proven}");
        }
    }
    let members = [
        ("bert@example.net", false, "post"),
        ("BERT@EXAMPLE.NET", false, "post"),
        ("dora@example.com", false, "post"),
        ("x@example.net", false, "550"),
        ("", false, "550"),
        // An address of ours has a password.
        ("anna@example.test", false, "550"),
        ("anna@example.test", true, "post"),
    ];
    check(STYLE, &members);
    let anyone = Style { posters: Posters::Anyone, ..STYLE };
    check(anyone, &[("x@example.net", false, "post"), ("", false, "550")]);
    let moderators = Style { posters: Posters::Moderators, ..STYLE };
    check(moderators, &[("bert@example.net", false, "550"), ("anna@example.test", true, "post")]);
    let group = |posters| Style { is_group: true, posters, ..STYLE };
    check(group(Posters::Anyone), &[("x@example.net", false, "post"), ("", false, "post")]);
    check(group(Posters::Members), &[("bert@example.net", false, "post"), ("", false, "550")]);
    check(group(Posters::Moderators), &[("anna@example.test", true, "post"), ("", false, "550")]);
}

/// A list's own addresses: what is signed for a member counts for it alone.
#[test]
fn own_addresses() {
    let site = Site::new(STYLE);
    let bert = site.member("bert@example.net");
    let detail = |purpose: Purpose| {
        let address = site.own(purpose);
        address.local.as_str().split_once('+').unwrap().1.to_owned()
    };
    let (bounce, leave) = (detail(Purpose::Bounce(bert.id)), detail(Purpose::Leave(bert.id)));
    assert!(site.own(Purpose::Bounce(MemberId(u64::MAX / 2))).local.as_str().len() <= 64);
    let anna = format!("to [{}]", site.anna.0);
    for (detail, sender, expected) in [
        ("owner", "x@example.net", anna.as_str()),
        ("unsubscribe", "x@example.net", "unsubscribe"),
        ("UNSUBSCRIBE", "x@example.net", "unsubscribe"),
        (&bounce, "", "bounce bert@example.net"),
        (&bounce.to_uppercase(), "", "bounce bert@example.net"),
        (&bounce, "x@example.net", "NoSuchUser"),
        (&leave, "x@example.net", "leave bert@example.net"),
        (&leave, "", "NoSuchUser"),
        // One is not the other, and nobody makes his own.
        (&bounce.replacen('b', "l", 1), "x@example.net", "NoSuchUser"),
        (&bounce.replacen("b-3", "b-4", 1), "", "NoSuchUser"),
        ("b-3-", "", "NoSuchUser"),
        ("b-3-0000000000000000", "", "NoSuchUser"),
        ("b", "", "NoSuchUser"),
        ("", "", "NoSuchUser"),
        ("sales", "x@example.net", "NoSuchUser"),
    ] {
        assert_eq!(site.judge(Some(detail), sender, false), expected, "{detail}");
    }
    let found = address::bounced_member(&site.own(Purpose::Bounce(bert.id)), site.store());
    assert_eq!(found.map(|member| member.id), Some(bert.id));
    assert_eq!(address::bounced_member(&site.own(Purpose::Leave(bert.id)), site.store()), None);
}

/// The header of a copy and where it goes: `mailbox`, or the recipient with the local part of its reverse-path.
fn unfold(site: &Site, text: &str) -> Result<(String, Vec<String>), u16> {
    let unfolded = site.lists.unfold(&mail(text, "bert@example.net"), &site.list, &Terms::default()).unwrap();
    let (copy, deliveries) = unfolded.map_err(|reply| reply.code())?;
    let mut octets = Vec::new();
    copy.octets.read(0..copy.octets.len(), &mut octets).unwrap();
    assert_eq!(copy.tree.size(), octets.len() as u64);
    let place = |delivery: &Delivery| match delivery {
        Delivery::Mailbox { account, .. } => format!("mailbox {}", account.0),
        Delivery::Queue { recipient, sender: Some(sender), .. } => {
            let own = address::bounced_member(sender, site.store()).unwrap();
            assert_eq!(own.address, *recipient);
            recipient.to_string()
        }
        other => format!("{other:?}"),
    };
    Ok((String::from_utf8(octets).unwrap(), deliveries.iter().map(place).collect()))
}

/// RFC 2369 §4, RFC 2919 §4: another list's fields are replaced; all else stays, octet by octet.
#[test]
fn members_get_the_list_fields() {
    let site = Site::new(STYLE);
    let (copy, places) = unfold(&site, MESSAGE).unwrap();
    let own = "Return-Path: <talk+owner@example.test>\r\nDelivered-To: talk@example.test\r\n\
               List-Id: <talk.example.test>\r\nList-Post: <mailto:talk@example.test>\r\n\
               List-Help: <mailto:talk+owner@example.test>\r\n\
               List-Owner: <mailto:talk+owner@example.test>\r\n\
               List-Unsubscribe: <mailto:talk+unsubscribe@example.test>\r\nPrecedence: list\r\n";
    let kept = "Received: from x by y; now\r\nFrom: bert@example.net\r\nReply-To: bert@example.net\r\n\
                Subject: =?utf-8?q?caf=C3=A9?=\r\n\r\nhello\r\n";
    assert_eq!(copy, format!("{own}{kept}"));
    assert_eq!(places, ["Dora@example.com", "mailbox 1", "bert@example.net", "mailbox 2"]);

    let styled =
        Style { tag: Some("Talk".into()), answers_to_list: true, posters: Posters::Moderators, ..STYLE };
    let (copy, _) = unfold(&Site::new(styled.clone()), MESSAGE).unwrap();
    assert!(
        copy.contains("List-Post: NO\r\n") && copy.contains("Subject: [Talk] =?utf-8?q?caf=C3=A9?=\r\n"),
        "{copy}"
    );
    assert!(copy.contains("Reply-To: <talk@example.test>\r\n") && !copy.contains("Reply-To: bert"), "{copy}");
    let (copy, _) =
        unfold(&Site::new(styled.clone()), &MESSAGE.replace("=?utf-8", "Re: [TALK] =?utf-8")).unwrap();
    assert!(copy.contains("Subject: Re: [TALK] =?utf-8") && !copy.contains("[Talk]"), "{copy}");

    let (copy, places) = unfold(&Site::new(Style { is_group: true, ..styled }), MESSAGE).unwrap();
    let top = "Return-Path: <bert@example.net>\r\nDelivered-To: talk@example.test\r\n";
    let (_, rest) = MESSAGE.split_once("\r\n").unwrap();
    assert_eq!(copy, format!("{top}{rest}"));
    assert_eq!(places.len(), 4);
}

#[test]
fn what_goes_in_circles_is_refused() {
    let site = Site::new(STYLE);
    let with = |field: &str| unfold(&site, &format!("{field}\r\n{MESSAGE}")).map(drop);
    assert_eq!(with("List-Id: The talk <talk.example.test>"), Err(554));
    assert_eq!(with("List-Id: <TALK.example.test>"), Err(554));
    assert_eq!(with("Delivered-To: talk@example.test"), Err(554));
    assert_eq!(with("Delivered-To: other@example.test"), Ok(()));
    assert_eq!(with("Auto-Submitted: auto-replied (vacation)"), Err(550));
    assert_eq!(with("Auto-Submitted: auto-generated"), Ok(()));
    // What its members get does not come back to it.
    for is_group in [false, true] {
        let site = Site::new(Style { is_group, posters: Posters::Anyone, ..STYLE });
        let (copy, _) = unfold(&site, MESSAGE).unwrap();
        assert_eq!(unfold(&site, &copy), Err(554));
        // Nor by way of another list, which replaces the fields of lists.
        let by_another = copy.replace("List-Id: <talk.example.test>", "List-Id: <news.example.net>");
        assert_eq!(unfold(&site, &by_another), Err(554));
    }
}

fn report(action: &str, status: &str) -> String {
    format!(
        "Subject: report\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\n\r\n\
         no\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.net\r\n\r\n\
         Final-Recipient: rfc822; bert@example.net\r\nAction: {action}\r\nStatus: {status}\r\n\
         Diagnostic-Code: smtp; 550 no such user\r\n\r\n--b--\r\n"
    )
}

/// A member whose mail fails again and again gets no more; one that joins anew does.
#[test]
fn failures_suspend_a_member() {
    let site = Site::new(STYLE);
    let bert = site.member("bert@example.net");
    let errand = Errand::Bounce(bert.clone());
    let tell = |text: &str| assert!(site.lists.do_errand(&errand, &mail(text, ""), false).unwrap().is_none());
    for text in [report("delayed", "4.4.1"), report("failed", "4.4.7"), MESSAGE.to_owned()] {
        tell(&text);
    }
    assert_eq!(site.member("bert@example.net").bounces, 0);
    for count in 1..=MOST_BOUNCES {
        assert_eq!(site.member("bert@example.net").suspended, None);
        tell(&report("failed", "5.1.1"));
        assert_eq!(site.member("bert@example.net").bounces, count);
    }
    let now = site.member("bert@example.net");
    assert!(now.suspended.is_some() && now.why == "smtp; 550 no such user", "{now:?}");
    assert_eq!(unfold(&site, MESSAGE).unwrap().1.len(), 3);
    let again = site.store().lists().add_member(site.list.id, &bert.address, false).unwrap();
    assert_eq!((again, site.member("bert@example.net").bounces), (bert.id, 0));
    assert_eq!(unfold(&site, MESSAGE).unwrap().1.len(), 4);
}

/// Who logged in leaves at once; others are asked, once a day, by mail that only they get.
#[test]
fn members_leave() {
    let site = Site::new(STYLE);
    let unsubscribe = |sender: &str, proven: bool| {
        let errand = Errand::Unsubscribe(site.list.clone());
        site.lists.do_errand(&errand, &mail("Subject: bye\r\n\r\n", sender), proven).unwrap()
    };
    assert!(unsubscribe("x@example.net", false).is_none());
    assert!(unsubscribe("anna@example.test", true).is_none());
    let question = unsubscribe("bert@example.net", false).unwrap();
    assert!(unsubscribe("bert@example.net", false).is_none(), "asked twice");
    let [Delivery::Queue { recipient, sender: None, .. }] = question.deliveries() else {
        panic!("{:?}", question.deliveries())
    };
    assert_eq!(recipient.to_string(), "bert@example.net");
    let mut text = Vec::new();
    question.mail().octets.read(0..question.mail().octets.len(), &mut text).unwrap();
    let from = site.own(Purpose::Leave(site.member("bert@example.net").id));
    assert!(String::from_utf8(text).unwrap().contains(&format!("From: <{from}>\r\n")));
    let answer = Errand::Leave(site.member("bert@example.net"));
    let yes = mail("Subject: Re: Leave?\r\n\r\n", "bert@example.net");
    site.lists.do_errand(&answer, &yes, false).unwrap();
    // Once more is no error.
    site.lists.do_errand(&answer, &yes, false).unwrap();
    let left = site.store().lists().members(site.list.id).unwrap();
    let left: Vec<String> = left.iter().map(|member| member.address.to_string()).collect();
    assert_eq!(left, ["Dora@example.com", "carl@example.test"]);
}

/// RFC 3834 §5: who is away has not answered the question whether to leave.
#[test]
fn answers_by_machines_take_nobody_off_a_list() {
    let site = Site::new(STYLE);
    let stays = |fields: &str| {
        let bert = site.member("bert@example.net");
        let answer = mail(&format!("{fields}Subject: Re: Leave?\r\n\r\nyes\r\n"), "bert@example.net");
        site.lists.do_errand(&Errand::Leave(bert.clone()), &answer, false).unwrap();
        let members = site.store().lists().members(site.list.id).unwrap();
        members.iter().any(|member| member.id == bert.id)
    };
    for (fields, expected) in [
        ("Auto-Submitted: auto-replied\r\n", true),
        ("Auto-Submitted: Auto-Generated; x=y\r\n", true),
        ("Precedence: bulk\r\n", true),
        ("Precedence: AUTO_REPLY\r\n", true),
        ("X-Autoreply: yes\r\n", true),
        ("Auto-Submitted: no\r\nPrecedence: first-class\r\n", false),
    ] {
        assert_eq!(stays(fields), expected, "{fields}");
    }
}

/// What others take, and a list refuses, waits in quarantine for one of the list's moderators.
#[test]
fn what_a_list_refuses_is_held_for_its_moderator() {
    let site = Site::new(STYLE);
    let held = site.lists.held(&site.list, &Reply::new(554, (5, 4, 6), "was here")).unwrap();
    let Delivery::Quarantine { instead_of, reason } = held else { panic!("{held:?}") };
    assert!(matches!(*instead_of, Delivery::Mailbox { account, .. } if account == site.anna));
    assert!(reason.contains("talk@example.test") && reason.contains("was here"), "{reason}");
}
