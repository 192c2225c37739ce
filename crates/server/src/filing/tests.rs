use super::*;
use base::{Flags, MailboxName, Octets, ReversePath, TraceId};
use gate::{Origin, Ruling, Rulings};
use store::Placed;
use wire::mime::Tree;

const MESSAGE: &str =
    "From: list@example.net\r\nSubject: news\r\nMessage-ID: <1@example.net>\r\n\r\nhello\r\n";

/// A store with accounts, and what files their mail.
struct Site {
    store: Arc<dyn Store>,
    filing: Arc<Filing>,
    account: AccountId,
    runtime: tokio::runtime::Runtime,
    _place: tempfile::TempDir,
}

impl Site {
    fn new() -> Self {
        Self::with(SiteScripts::default())
    }

    fn with(scripts: SiteScripts) -> Self {
        let place = tempfile::tempdir().unwrap();
        let store = crate::server::new_store(place.path());
        let domain = Domain::new("example.test").unwrap();
        store.directory().add_domain(&domain).unwrap();
        let account = store.directory().add_account(&address("anna@example.test"), b"").unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let within = runtime.enter();
        let gatehouse = Arc::new(Gatehouse::new(&screen::Settings::default()));
        drop(within);
        let filing = Filing::new(store.clone(), gatehouse, domain, scripts);
        Site { store, filing, account, runtime, _place: place }
    }

    fn account(&self, local: &str) -> AccountId {
        self.store.directory().add_account(&address(&format!("{local}@example.test")), b"").unwrap()
    }

    fn script(&self, text: &str) {
        self.script_of(self.account, text);
    }

    fn script_of(&self, account: AccountId, text: &str) {
        compile(text).unwrap_or_else(|error| panic!("{error}: {text}"));
        self.any_script_of(account, text);
    }

    /// Also one that does not compile.
    fn any_script_of(&self, account: AccountId, text: &str) {
        self.store.scripts().put(account, "main", text).unwrap();
        self.store.scripts().activate(account, Some("main")).unwrap();
    }

    fn outcome(&self, screened: Screened) -> Outcome {
        self.runtime
            .block_on(self.filing.file(screened, Circumstances { require_tls: false, refusable: true }))
    }

    fn filed(&self, mail: Mail<'_>) -> Filed {
        match self.outcome(mail.screened()) {
            Outcome::Filed(filed) => filed,
            Outcome::Refused(reply) => panic!("{reply}"),
        }
    }

    fn refused(&self, mail: Mail<'_>) -> Option<String> {
        match self.outcome(mail.screened()) {
            Outcome::Filed(_) => None,
            Outcome::Refused(reply) => Some(reply.to_string()),
        }
    }

    fn commit(&self, filed: Filed) -> Vec<Placed> {
        let (send, receive) = std::sync::mpsc::channel();
        let done = Box::new(move |outcome| send.send(outcome).unwrap());
        self.store.accept_and_remember(filed.mail, filed.memory, done);
        receive.recv().unwrap().unwrap()
    }

    /// Files and commits a message; where each delivery went that was not left out.
    fn deliver(&self, mail: Mail<'_>) -> Vec<String> {
        let filed = self.filed(mail);
        let places = filed.mail.iter().flat_map(Screened::deliveries).map(place).collect();
        self.commit(filed);
        places
    }

    /// Where a message goes that would go to `folder`, with flags.
    fn file(&self, folder: Folder) -> Vec<String> {
        let filed = self.filed(Mail { folder, ..self.mail() });
        filed.mail.iter().flat_map(Screened::deliveries).map(place).collect()
    }

    fn check(&self, script: &str, folder: Folder, expected: &[&str]) {
        self.any_script_of(self.account, script);
        assert_eq!(self.file(folder), expected, "{script}");
    }

    fn mail(&self) -> Mail<'_> {
        Mail { text: MESSAGE, from: "", to: vec![self.account], folder: Folder::Inbox, site: self }
    }

    /// What the queue holds, as sender and recipient.
    fn queue(&self) -> Vec<(String, String)> {
        let all = self.store.queue().entries(0, 1000).unwrap();
        all.into_iter().map(|one| (one.reverse_path.to_string(), one.recipient.to_string())).collect()
    }

    /// The octets of queued mail, by number.
    fn queued_text(&self, number: usize) -> String {
        let entry = self.store.queue().entries(0, 1000).unwrap().remove(number);
        let message = self.store.read(AccountId(0), entry.mail).unwrap();
        text(message.as_ref())
    }
}

/// A message on its way in.
struct Mail<'a> {
    text: &'a str,
    from: &'a str,
    to: Vec<AccountId>,
    folder: Folder,
    site: &'a Site,
}

impl Mail<'_> {
    fn screened(&self) -> Screened {
        let delivery = |account: &AccountId| Delivery::Mailbox {
            account: *account,
            domain: DomainId(1),
            folder: self.folder.clone(),
            flags: Flags::default(),
            internal_date: None,
            recipient: self.site.store.directory().addresses(*account).unwrap().into_iter().next(),
        };
        let octets = format!("Return-Path: <{}>\r\n{}", self.from, self.text).into_bytes();
        let mail = Spooled {
            trace: TraceId(7),
            reverse_path: match self.from {
                "" => ReversePath::Null,
                from => ReversePath::Address(address(from)),
            },
            tree: Arc::new(Tree::parse(&octets, &base::Limits::default())),
            octets: Arc::new(octets),
            received: Timestamp(1_700_000_000),
            smtputf8: false,
        };
        let rulings = Rulings {
            peer: Ruling::not_applicable(Origin::Import),
            sender: Ruling::not_applicable(Origin::Import),
            recipients: self
                .to
                .iter()
                .map(|to| (delivery(to), Ruling::not_applicable(Origin::Import)))
                .collect(),
            content: vec![Ruling::not_applicable(Origin::Import)],
        };
        rulings.seal(mail).unwrap_or_else(|_| panic!("the door stayed shut"))
    }
}

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

fn text(octets: &(impl Octets + ?Sized)) -> String {
    let mut out = Vec::new();
    octets.read(0..octets.len(), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn place(delivery: &Delivery) -> String {
    match delivery {
        Delivery::Mailbox { account: AccountId(1), folder, flags, .. } => {
            let names: Vec<&str> = flags.names().collect();
            format!("{folder:?} {}", names.join(" ")).trim_end().to_owned()
        }
        Delivery::Mailbox { account, folder, .. } => format!("{account}: {folder:?}"),
        Delivery::Queue { recipient, .. } => format!("to {recipient}"),
        Delivery::Quarantine { .. } => "held".to_owned(),
    }
}

#[test]
fn scripts_choose_mailboxes() {
    let site = Site::new();
    let junk = Folder::Special(SpecialUse::Junk);
    assert_eq!(site.file(Folder::Inbox), ["Inbox"], "no script");
    site.check("", Folder::Inbox, &["Inbox"]);
    site.check("discard;", Folder::Inbox, &[]);
    let flagged = "require \"imap4flags\"; addflag [\"\\\\Seen\", \"$List\"]; keep;";
    site.check(flagged, Folder::Inbox, &["Inbox \\Seen $List"]);
    site.check("require \"fileinto\"; fileinto \"Sent\";", Folder::Inbox, &["Named(\"Sent\")"]);
    // What is not there is kept; with :create it is made.
    site.check("require \"fileinto\"; fileinto \"Lists\";", Folder::Inbox, &["Inbox"]);
    let create = "require [\"fileinto\", \"mailbox\"]; fileinto :create \"Lists\"; ";
    site.check(create, Folder::Inbox, &["Named(\"Lists\")"]);
    site.check(&format!("{create} keep;"), Folder::Inbox, &["Named(\"Lists\")", "Inbox"]);
    let lists = site.store.mailboxes(site.account).unwrap();
    assert!(lists.iter().any(|one| one.name.as_str() == "Lists" && one.subscribed));
    // Both stand for INBOX: one copy.
    site.check("require \"fileinto\"; fileinto \"None\"; keep;", Folder::Inbox, &["Inbox"]);
    let special = "require [\"fileinto\", \"special-use\"]; fileinto :specialuse \"\\\\Archive\" \"Old\";";
    site.check(special, Folder::Inbox, &["Special(Archive)"]);
    // The gate's word stands, unless the script names a mailbox.
    site.check("keep;", junk.clone(), &["Special(Junk)"]);
    site.check("require \"fileinto\"; fileinto \"INBOX\";", junk.clone(), &["Inbox"]);
    site.check("require \"fileinto\"; fileinto \"Junk\"; keep;", junk, &["Named(\"Junk\")"]);
}

#[test]
fn errors_keep_mail() {
    let site = Site::new();
    let error = "require [\"fileinto\", \"ihave\"]; fileinto \"Sent\"; error \"broken\";";
    site.check(error, Folder::Inbox, &["Inbox"]);
    // A script that no longer compiles, and one that needs what delivery does not do.
    site.check("fileinto Sent", Folder::Inbox, &["Inbox"]);
    site.check("require \"spamtest\"; discard;", Folder::Inbox, &["Inbox"]);
    let missing = "require \"include\"; include :global \"site\"; discard;";
    site.check(missing, Folder::Inbox, &["Inbox"]);
    // Too many actions that send: nothing of what the script decided is done.
    let many: String = (0..1000).map(|n| format!("redirect \"a{n}@example.net\";\n")).collect();
    site.check(&many, Folder::Inbox, &["Inbox"]);
}

#[test]
fn scripts_include_others_of_their_owner() {
    let site = Site::new();
    let other = "require [\"fileinto\", \"include\"]; fileinto \"Sent\";";
    site.store.scripts().put(site.account, "other", other).unwrap();
    site.check("require \"include\"; include \"other\";", Folder::Inbox, &["Named(\"Sent\")"]);
    // A changed script is another one at once.
    site.store.scripts().put(site.account, "other", "discard;").unwrap();
    assert_eq!(site.file(Folder::Inbox), Vec::<String>::new());
}

#[test]
fn what_is_not_carried_out_is_refused() {
    for extension in NOT_HERE {
        assert!(compile(&format!("require {:?};", extension.name())).is_err(), "{}", extension.name());
    }
}

/// RFC 5228 §4.2, RFC 3894: what is sent on is what came, from an address of ours that stands for its sender.
#[test]
fn mail_is_sent_on() {
    let site = Site::new();
    let mail = || Mail { from: "a@example.net", ..site.mail() };
    site.script("require \"copy\"; redirect :copy \"b@example.org\"; redirect :copy \"b@example.org\";");
    assert_eq!(site.deliver(mail()), ["Inbox", "to b@example.org"]);
    let (from, to) = site.queue().remove(0);
    assert!(from.starts_with("SRS0=") && from.ends_with("=example.net=a@example.test"), "{from}");
    assert_eq!(to, "b@example.org");
    assert_eq!(site.queued_text(0), format!("Return-Path: <a@example.net>\r\n{MESSAGE}"));
    assert_eq!(site.store.queue().entries(0, 1).unwrap()[0].account, Some(site.account));
    // What came without a sender goes without one; what a user here sends keeps its sender.
    site.script("redirect \"c@example.org\";");
    assert_eq!(site.deliver(Mail { from: "", ..mail() }), ["to c@example.org"]);
    site.script("redirect \"d@example.org\";");
    assert_eq!(site.deliver(Mail { from: "anna@example.test", ..mail() }), ["to d@example.org"]);
    let senders: Vec<String> = site.queue().into_iter().skip(1).map(|(from, _)| from).collect();
    assert_eq!(senders, ["", "anna@example.test"]);
}

/// RFC 5228 §4.2: a message that comes back, or that would go to someone who cannot be, is kept.
#[test]
fn mail_that_can_not_be_sent_on_is_kept() {
    let site = Site::new();
    let mail = || Mail { from: "a@example.net", ..site.mail() };
    site.script("redirect \"b@example.org\";");
    assert_eq!(site.deliver(mail()), ["to b@example.org"]);
    // The same message again, whatever was put on top of it on its way.
    let again = format!("Received: from b.example.org\r\n{MESSAGE}");
    assert_eq!(site.deliver(Mail { text: &again, ..mail() }), ["Inbox"]);
    let other = MESSAGE.replace("<1@", "<2@");
    assert_eq!(site.deliver(Mail { text: &other, ..mail() }), ["to b@example.org"]);
    let without = "From: a@example.net\r\nSubject: x\r\n\r\n";
    assert_eq!(site.deliver(Mail { text: without, ..mail() }), ["to b@example.org"]);
    assert_eq!(site.deliver(Mail { text: without, ..mail() }), ["Inbox"]);
    site.check("redirect \"nobody@example.test\";", Folder::Inbox, &["Inbox"]);
    site.check("redirect \"x@example.org\";", Folder::Special(SpecialUse::Junk), &["Special(Junk)"]);
    // Never refused where it came in, but where it leaves.
    let authors = format!("From: b@example.net\r\n{MESSAGE}");
    site.script("redirect \"e@example.org\";");
    assert_eq!(site.deliver(Mail { text: &authors, ..mail() }), ["Inbox"]);
}

/// Accounts here get it at once, each by its own script; in a circle it stays with the last.
#[test]
fn mail_is_sent_on_to_accounts_here() {
    let site = Site::new();
    let (bert, cleo) = (site.account("bert"), site.account("cleo"));
    let mail = || Mail { from: "a@example.net", ..site.mail() };
    site.script("redirect \"bert@example.test\";");
    assert_eq!(site.deliver(mail()), ["2: Inbox"]);
    site.script_of(
        bert,
        "require [\"copy\", \"fileinto\"]; fileinto \"Sent\"; redirect :copy \"cleo@example.test\";",
    );
    assert_eq!(site.deliver(mail()), ["2: Named(\"Sent\")", "3: Inbox"]);
    site.script_of(cleo, "redirect \"anna@example.test\";");
    assert_eq!(site.deliver(mail()), ["2: Named(\"Sent\")", "3: Inbox"]);
    // Two that send to each other keep what they can't.
    site.script_of(bert, "redirect \"anna@example.test\";");
    assert_eq!(site.deliver(mail()), ["2: Inbox"]);
    assert_eq!(site.deliver(Mail { to: vec![site.account, bert], ..mail() }), ["2: Inbox", "Inbox"]);
}

#[test]
fn mail_goes_by_so_many_accounts_only() {
    let site = Site::new();
    let accounts: Vec<AccountId> = (0..10).map(|n| site.account(&format!("n{n}"))).collect();
    site.script("redirect \"n0@example.test\";");
    for (number, account) in accounts.iter().enumerate().take(9) {
        site.script_of(*account, &format!("redirect \"n{}@example.test\";", number + 1));
    }
    assert_eq!(site.deliver(Mail { from: "a@example.net", ..site.mail() }), ["6: Inbox"]);
}

#[test]
fn one_message_is_sent_on_so_often_only() {
    let site = Site::new();
    let many: Vec<AccountId> = (0..103).map(|n| site.account(&format!("n{n}"))).collect();
    for account in &many {
        site.script_of(*account, "redirect \"anna@example.test\";");
    }
    let places = site.deliver(Mail { to: many, from: "a@example.net", ..site.mail() });
    let at_anna = places.iter().filter(|place| *place == "Inbox").count();
    assert_eq!((at_anna, places.len()), (100, 103));
}

const ASKED: &str = "From: a@example.net\r\nTo: anna@example.test\r\nSubject: lunch?\r\nMessage-ID: <2@example.net>\r\n\r\nhello\r\n";

/// RFC 5230, RFC 3834: once a week, by the null path, and never to what no person sent.
#[test]
fn absence_is_told_once() {
    let site = Site::new();
    let from = |from| Mail { from, text: ASKED, ..site.mail() };
    site.script("require \"vacation\"; vacation \"I am away\";");
    for _ in 0..3 {
        assert_eq!(site.deliver(from("a@example.net")), ["Inbox"]);
    }
    assert_eq!(site.deliver(from("A@Example.net")), ["Inbox"]);
    assert_eq!(site.queue(), [("".to_owned(), "a@example.net".to_owned())]);
    let reply = site.queued_text(0);
    for line in [
        "From: <anna@example.test>\r\n",
        "To: <a@example.net>\r\n",
        "Subject: Auto: lunch?\r\n",
        "In-Reply-To: <2@example.net>\r\n",
        "Auto-Submitted: auto-replied (vacation)\r\n",
        "\r\nI am away\r\n",
    ] {
        assert!(reply.contains(line), "{line} {reply}");
    }
    // Another one is told, too; what was taken for spam is not answered.
    site.deliver(from("b@example.net"));
    site.deliver(Mail { folder: Folder::Special(SpecialUse::Junk), ..from("c@example.net") });
    for sender in ["", "mailer-daemon@example.net", "owner-list@example.net", "list-request@example.net"] {
        site.deliver(from(sender));
    }
    for field in ["Auto-Submitted: auto-generated", "List-Id: <l.example.net>", "Precedence: bulk"] {
        site.deliver(Mail { text: &format!("{field}\r\n{ASKED}"), ..from("d@example.net") });
    }
    site.deliver(Mail { text: &ASKED.replace("anna@", "all@"), ..from("e@example.net") });
    assert_eq!(site.queue().len(), 2);
    // Other words are told anew, and an alias that is the account's own answers for itself.
    let alias = address("anna.b@example.test");
    let accounts = vec![site.account];
    site.store.directory().set_alias(&store::Alias { address: alias, accounts, send_as: true }).unwrap();
    site.script("require \"vacation\"; vacation \"Still away\";");
    site.deliver(Mail { text: &ASKED.replace("anna@", "anna.b@"), ..from("a@example.net") });
    assert_eq!(site.queue().len(), 3);
}

/// However many write, an account answers so many an hour only.
#[test]
fn storms_are_bounded() {
    let site = Site::new();
    site.script("require \"vacation\"; vacation \"I am away\";");
    for number in 0..300 {
        site.deliver(Mail { from: &format!("a{number}@example.net"), text: ASKED, ..site.mail() });
    }
    assert_eq!(site.queue().len(), 100);
}

/// Messages of one sender that come at once have one reply: it is decided in the commit.
#[test]
fn replies_come_once_though_messages_come_at_once() {
    let site = Site::new();
    site.script("require \"vacation\"; vacation \"I am away\";");
    let from = || Mail { from: "a@example.net", text: ASKED, ..site.mail() };
    let both = [site.filed(from()), site.filed(from())];
    both.into_iter().for_each(|filed| drop(site.commit(filed)));
    assert_eq!(site.queue().len(), 1);
}

/// RFC 5429 §2.1.1, §2.2: refused where a reply can tell all of it.
#[test]
fn rejected_mail_is_refused() {
    let site = Site::new();
    let bert = site.account("bert");
    let mail = || Mail { from: "a@example.net", ..site.mail() };
    site.script("require \"reject\"; reject \"Not from you.\r\nNor for me.\";");
    assert_eq!(site.refused(mail()).unwrap(), "550 5.7.1 Not from you. Nor for me.");
    assert_eq!(site.refused(Mail { from: "", ..mail() }).unwrap(), "550 5.7.1 Not from you. Nor for me.");
    site.script_of(bert, "require \"ereject\"; ereject \"nö\";");
    let both = || Mail { to: vec![site.account, bert], ..mail() };
    assert_eq!(site.refused(both()).unwrap(), "550 5.7.1 Not from you. Nor for me.");
    let refused = "550 5.7.1 The recipient's mail filter refuses this message";
    assert_eq!(site.refused(Mail { to: vec![bert], ..mail() }).unwrap(), refused);
    // One who takes it is enough: the others' sender is told, RFC 5429 §2.1.2 and §2.2.1.
    let cleo = site.account("cleo");
    let all = || Mail { to: vec![site.account, bert, cleo], ..mail() };
    assert_eq!(site.deliver(all()), ["3: Inbox", "to a@example.net", "to a@example.net"]);
    let notices = [site.queued_text(0), site.queued_text(1)];
    for words in [
        "disposition-notification",
        "Not from you.\r\nNor for me.",
        "Final-Recipient: rfc822; anna@example.test",
    ] {
        assert!(notices[0].contains(words), "{words} {}", notices[0]);
    }
    for words in ["report-type=delivery-status", "Action: failed", "bert@example.test"] {
        assert!(notices[1].contains(words), "{words} {}", notices[1]);
    }
    assert_eq!(site.deliver(Mail { from: "", ..all() }), ["3: Inbox"]);
    assert_eq!(
        site.deliver(Mail { folder: Folder::Special(SpecialUse::Junk), ..all() }),
        ["3: Special(Junk)"]
    );
    // Words that no reply can say go by notice only.
    site.script("require \"reject\"; reject \"Nö.\";");
    assert_eq!(site.deliver(mail()), ["to a@example.net"]);
    assert_eq!(site.queue().len(), 3);
}

/// RFC 7352 §3: the same message again, and not what another account saw.
#[test]
fn duplicates_are_known() {
    let site = Site::new();
    let bert = site.account("bert");
    let script = "require [\"duplicate\", \"fileinto\"]; if duplicate { fileinto \"Trash\"; }";
    site.script(script);
    site.script_of(bert, script);
    assert_eq!(site.deliver(site.mail()), ["Inbox"]);
    assert_eq!(site.deliver(site.mail()), ["Named(\"Trash\")"]);
    assert_eq!(site.deliver(Mail { to: vec![bert], ..site.mail() }), ["2: Inbox"]);
    let other = MESSAGE.replace("<1@", "<2@");
    assert_eq!(site.deliver(Mail { text: &other, ..site.mail() }), ["Inbox"]);
}

/// RFC 5436 §2.7, §3
#[test]
fn people_are_notified() {
    let site = Site::new();
    let bert = site.account("bert");
    let mail = || Mail { from: "a@example.net", ..site.mail() };
    site.script(
        "require \"enotify\"; notify :importance \"1\" :message \"You have mail\" \"mailto:anna@example.org,bert@example.test\";",
    );
    site.deliver(mail());
    site.deliver(Mail { from: "", ..mail() });
    let paths: Vec<String> = site.queue().into_iter().map(|(from, _)| from).collect();
    assert_eq!(paths, ["anna@example.test", ""]);
    let text = site.queued_text(0);
    for words in ["Subject: You have mail", "Importance: high", "Auto-Submitted: auto-notified;"] {
        assert!(text.contains(words), "{words} {text}");
    }
    let inbox = site
        .store
        .mailboxes(bert)
        .unwrap()
        .iter()
        .find(|one| one.name == MailboxName::inbox())
        .unwrap()
        .mailbox;
    assert_eq!(site.store.status(bert, inbox.unwrap()).unwrap().messages, 2);
    site.deliver(Mail { text: &format!("Auto-Submitted: auto-generated\r\n{MESSAGE}"), ..mail() });
    assert_eq!(site.queue().len(), 2);
}

/// RFC 5293 §4, §5: the copy is altered, what nobody altered stays as it came.
#[test]
fn headers_are_edited() {
    let site = Site::new();
    let bert = site.account("bert");
    site.script(
        "require [\"editheader\", \"fileinto\", \"copy\"]; fileinto :copy \"Sent\"; addheader \"X-Seen\" \"yes\";
         deleteheader \"Subject\"; redirect :copy \"b@example.org\";",
    );
    let filed = site.filed(Mail { to: vec![site.account, bert], from: "a@example.net", ..site.mail() });
    let texts: Vec<(Vec<String>, String)> = filed
        .mail
        .iter()
        .map(|one| (one.deliveries().iter().map(place).collect(), text(one.mail().octets.as_ref())))
        .collect();
    let came = format!("Return-Path: <a@example.net>\r\n{MESSAGE}");
    let edited = came.replace("Subject: news\r\n", "").replace("From:", "X-Seen: yes\r\nFrom:");
    assert_eq!(texts[0], (vec!["Named(\"Sent\")".to_owned(), "2: Inbox".to_owned()], came));
    assert_eq!(texts[1], (vec!["to b@example.org".to_owned()], edited.clone()));
    assert_eq!(texts[2], (vec!["Inbox".to_owned()], edited));
    for one in &filed.mail {
        let whole = Tree::parse(text(one.mail().octets.as_ref()).as_bytes(), &base::Limits::default());
        assert_eq!(one.mail().tree.root().body(), whole.root().body());
    }
    site.commit(filed);
}

/// `mailward trace` tells what scripts did, of the message that came and under its id.
#[test]
fn stories_tell_what_scripts_did() {
    let site = Site::new();
    let check = |script: &str, expected: &[&str]| {
        site.script(script);
        let mut mail = Mail { from: "a@example.net", text: ASKED, ..site.mail() }.screened().mail().clone();
        mail.trace = crate::random::trace_id();
        let delivery = Mail { to: vec![site.account], ..site.mail() }.screened().deliveries()[0].clone();
        let trace = mail.trace;
        let within = site.runtime.enter();
        let gatehouse = Gatehouse::new(&screen::Settings::default());
        drop(within);
        let screened =
            gatehouse.judge_inside(Origin::Import, mail, vec![delivery]).unwrap_or_else(|_| panic!("shut"));
        let Outcome::Filed(filed) = site.outcome(screened) else { panic!("refused") };
        site.commit(filed);
        let story = site.store.stories().story(trace).unwrap();
        let mut told: Vec<String> =
            story.events().map(|one| format!("{} {} {}", one.what.word(), one.by, one.to)).collect();
        told.sort();
        assert_eq!(told, expected, "{script}");
    };
    check("discard;", &["came import ", "discarded  anna@example.test"]);
    check(
        "require [\"copy\", \"vacation\"]; vacation \"away\"; redirect :copy \"b@example.org\";",
        &[
            "answered vacation reply a@example.net",
            "came import ",
            "filed script anna@example.test",
            "queued  b@example.org",
        ],
    );
    check("redirect \"c@example.org\";", &["came import ", "queued  c@example.org"]);
    check(
        "require \"editheader\"; addheader \"X-A\" \"b\";",
        &["came import ", "filed script anna@example.test"],
    );
    check(
        "require \"reject\"; reject \"nö\";",
        &["answered notice of its rejection a@example.net", "came import "],
    );
}

/// The site's scripts, what stands for an account, its own: one after the other while the message is kept.
#[test]
fn scripts_of_several_run_in_turn() {
    let one = |text: &str| site::SiteScript { name: "site".into(), script: Arc::new(compile(text).unwrap()) };
    let scripts = SiteScripts {
        before: vec![one("require \"fileinto\"; if header \"subject\" \"gone\" { discard; }")],
        after: vec![one("require \"imap4flags\"; addflag \"$After\";")],
    };
    let site = Site::with(scripts);
    assert_eq!(site.deliver(site.mail()), ["Inbox $After"]);
    site.script("require \"imap4flags\"; addflag \"$Own\";");
    assert_eq!(site.deliver(site.mail()), ["Inbox $Own $After"]);
    site.script("require \"imap4flags\"; keep :flags \"$Own\";");
    assert_eq!(site.deliver(site.mail()), ["Inbox $Own $After"]);
    site.script("discard;");
    assert_eq!(site.deliver(site.mail()), Vec::<String>::new());
    site.script("keep;");
    let gone = MESSAGE.replace("news", "gone");
    assert_eq!(site.deliver(Mail { text: &gone, ..site.mail() }), Vec::<String>::new());
}

#[test]
fn what_people_set_who_write_no_scripts() {
    let site = Site::new();
    let set = |standing: &standing::Standing| {
        site.store.scripts().set_standing(site.account, standing.print().as_deref()).unwrap();
    };
    let forward = |keep| Some(standing::Forward { to: vec!["b@example.org".into()], keep });
    let away = |until: &str| {
        let (text, subject, from) = ("I am \"away\"".into(), Some("Away".into()), Some("2020-01-01".into()));
        Some(standing::Away { text, subject, from, until: Some(until.into()) })
    };
    let mail = |id: &str| ASKED.replace("<2@", &format!("<{id}@"));
    site.script("require \"fileinto\"; fileinto \"Sent\";");
    set(&standing::Standing { forward: forward(true), vacation: away("2999-12-31") });
    let from = "a@example.net";
    assert_eq!(
        site.deliver(Mail { text: &mail("a"), from, ..site.mail() }),
        ["Named(\"Sent\")", "to b@example.org"]
    );
    assert!(site.queued_text(1).contains("I am \"away\""), "{}", site.queued_text(1));
    set(&standing::Standing { forward: forward(false), vacation: away("2020-12-31") });
    let from = "c@example.net";
    assert_eq!(site.deliver(Mail { text: &mail("b"), from, ..site.mail() }), ["to b@example.org"]);
    assert_eq!(site.queue().len(), 3);
    set(&standing::Standing::default());
    assert_eq!(site.deliver(Mail { text: &mail("c"), from, ..site.mail() }), ["Named(\"Sent\")"]);
}
