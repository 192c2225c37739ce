use crate::*;
use base::{
    AccountId, BoxFuture, DomainId, Flags, Limits, Reply, ReversePath, SpecialUse, Timestamp, TraceId,
};
use std::future::ready;
use std::sync::Arc;
use wire::mime::{PartId, Tree};

/// A check that says what it was told to.
struct Says(Result<Verdict, Unsure>);

impl<S: Stage> Check<S> for Says {
    fn item(&self) -> Item {
        Item::Spam
    }

    fn if_unsure(&self) -> Verdict {
        Verdict::Defer(finding("unsure", 451))
    }

    fn judge<'a>(&'a self, _: &'a S::Evidence<'_>) -> BoxFuture<'a, Result<Verdict, Unsure>> {
        Box::pin(ready(self.0.clone()))
    }
}

fn finding(what: &str, code: u16) -> Finding {
    Finding::new(Item::Spam, what, Reply::new(code, (code as u8 / 100, 7, 1), "no"))
}

fn ruling<S: Stage>(says: Vec<Result<Verdict, Unsure>>, evidence: &S::Evidence<'_>) -> Ruling<S> {
    let checks: Vec<Box<dyn Check<S>>> = says.into_iter().map(|s| Box::new(Says(s)) as _).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(Ruling::of(&checks, evidence))
}

fn peer() -> PeerEvidence {
    PeerEvidence { ip: "192.0.2.1".parse().unwrap(), origin: Origin::Mx }
}

fn peer_ruling(says: Vec<Result<Verdict, Unsure>>) -> Ruling<Peer> {
    ruling(says, &peer())
}

fn mail() -> Spooled {
    let octets = b"From: a@example.net\r\n\r\nhello\r\n".to_vec();
    Spooled {
        trace: TraceId(7),
        reverse_path: ReversePath::Null,
        tree: Arc::new(Tree::parse(&octets, &Limits::default())),
        octets: Arc::new(octets),
        received: Timestamp(0),
        smtputf8: false,
    }
}

fn delivery(account: u64) -> Delivery {
    Delivery::Mailbox {
        account: AccountId(account),
        domain: DomainId(1),
        folder: Folder::Inbox,
        flags: Flags::default(),
        internal_date: None,
        recipient: None,
    }
}

/// Seals a message for as many recipients as there are verdicts on the content.
fn seal(content: Vec<Verdict>) -> Result<Screened, Reply> {
    let mail = mail();
    let evidence = ContentEvidence { peer: None, origin: Origin::Mx, account: None, mail: &mail };
    let content: Vec<_> = content.into_iter().map(|v| ruling(vec![Ok(v)], &evidence)).collect();
    let recipients =
        (1..=content.len().max(1) as u64).map(|n| (delivery(n), Ruling::not_applicable(Origin::Mx)));
    let rulings = Rulings {
        peer: peer_ruling(Vec::new()),
        sender: Ruling::not_applicable(Origin::Mx),
        recipients: recipients.collect(),
        content,
    };
    rulings.seal(mail)
}

#[test]
fn the_worst_verdict_wins_and_all_findings_are_kept() {
    let ruling = peer_ruling(vec![
        Ok(Verdict::Note(finding("first", 550))),
        Ok(Verdict::Hold(finding("held", 550))),
        Ok(Verdict::Junk(finding("junk", 550))),
    ]);
    assert_eq!(ruling.verdict().word(), "hold");
    assert_eq!(ruling.findings().map(|(word, _)| word).collect::<Vec<_>>(), ["note", "hold", "junk"]);
    assert!(ruling.turns_away().is_none());
}

#[test]
fn a_check_that_turns_the_peer_away_is_the_last_one_asked() {
    let ruling = peer_ruling(vec![
        Ok(Verdict::Refuse(finding("out", 550))),
        Ok(Verdict::Note(finding("never seen", 550))),
    ]);
    assert_eq!(ruling.turns_away().map(Reply::code), Some(550));
    assert_eq!(ruling.findings().count(), 1);
}

#[test]
fn a_check_that_cannot_decide_is_seen_and_does_what_it_declares() {
    let ruling = peer_ruling(vec![Err(Unsure("no answer".into()))]);
    assert_eq!(ruling.turns_away().map(Reply::code), Some(451));
    assert_eq!(ruling.unsure(), [(Item::Spam, "no answer".to_owned())]);
    assert!(ruling.trace().contains("no answer"));
}

#[test]
fn a_verdict_decides_where_the_message_goes() {
    let sealed = seal(vec![Verdict::Junk(finding("spam", 550))]).map_err(|r| r.to_string()).unwrap();
    let Delivery::Mailbox { folder, .. } = &sealed.deliveries()[0] else { panic!() };
    assert_eq!(*folder, Folder::Special(SpecialUse::Junk));

    let sealed = seal(vec![Verdict::Hold(finding("macro", 550))]).map_err(|r| r.to_string()).unwrap();
    assert!(matches!(&sealed.deliveries()[0], Delivery::Quarantine { reason, .. } if reason == "macro"));

    let sealed =
        seal(vec![Verdict::Strip(PartId(1), finding("part", 550))]).map_err(|r| r.to_string()).unwrap();
    assert_eq!(sealed.deliveries(), [delivery(1)]);
    assert_eq!(sealed.story().len(), 3);
}

#[test]
fn data_is_refused_only_if_it_is_for_every_recipient() {
    let refuse = || Verdict::Refuse(finding("virus", 554));
    assert_eq!(seal(vec![refuse()]).err().map(|r| r.code()), Some(554));
    assert_eq!(seal(vec![refuse(), refuse()]).err().map(|r| r.code()), Some(554));

    let sealed = seal(vec![refuse(), Verdict::Pass]).map_err(|r| r.to_string()).unwrap();
    assert!(matches!(&sealed.deliveries()[0], Delivery::Quarantine { .. }));
    assert_eq!(sealed.deliveries()[1], delivery(2));
}

#[test]
fn without_recipients_or_a_ruling_on_the_content_the_door_stays_shut() {
    let rulings = |recipients, content| Rulings {
        peer: peer_ruling(Vec::new()),
        sender: Ruling::not_applicable(Origin::Mx),
        recipients,
        content,
    };
    assert!(rulings(Vec::new(), vec![Ruling::not_applicable(Origin::Mx)]).seal(mail()).is_err());
    let recipient = (delivery(1), Ruling::not_applicable(Origin::Mx));
    assert!(rulings(vec![recipient], Vec::new()).seal(mail()).is_err());
}

#[test]
fn mail_from_inside_is_noted_and_never_moved() {
    let mail = mail();
    let evidence = ContentEvidence { peer: None, origin: Origin::Append, account: None, mail: &mail };
    let ruling: Ruling<Content> = ruling(vec![Ok(Verdict::Refuse(finding("virus", 554)))], &evidence);
    let noted = ruling.only_noted();
    assert!(noted.turns_away().is_none());
    assert_eq!(
        noted.findings().map(|(word, f)| (word, f.what.as_str())).collect::<Vec<_>>(),
        [("note", "virus")]
    );
}

/// A mailbox that is full costs nobody else the message.
#[test]
fn one_can_be_held_without_the_others() {
    let both = || seal(vec![Verdict::Pass, Verdict::Pass]).unwrap_or_else(|_| panic!("shut"));
    assert!(both().is_for(AccountId(1)) && both().is_for_others(AccountId(1)));
    let held = both().held_for(AccountId(1), "full");
    let quarantine = Delivery::Quarantine { instead_of: Box::new(delivery(1)), reason: "full".into() };
    assert_eq!(held.deliveries(), [quarantine, delivery(2)]);
    assert!(!held.is_for(AccountId(1)) && !held.is_for_others(AccountId(2)));
    assert_eq!(both().held_for(AccountId(3), "full").deliveries(), both().deliveries());
}

#[test]
fn a_script_chooses_for_its_account_only() {
    let both = || seal(vec![Verdict::Pass, Verdict::Pass]).unwrap_or_else(|_| panic!("shut"));
    let mut seen = Flags::default();
    seen.set(base::Flag::Seen, true);
    let places = [(Folder::Named("Lists".into()), seen), (Folder::Inbox, Flags::default())];
    let filed = both().filed(AccountId(1), &places);
    let folders: Vec<(AccountId, Folder, bool)> = filed
        .deliveries()
        .iter()
        .map(|one| match one {
            Delivery::Mailbox { account, folder, flags, .. } => {
                (*account, folder.clone(), flags.has(base::Flag::Seen))
            }
            other => panic!("{other:?}"),
        })
        .collect();
    let expected =
        [(1, Folder::Named("Lists".into()), true), (1, Folder::Inbox, false), (2, Folder::Inbox, false)];
    assert_eq!(folders, expected.map(|(account, folder, seen)| (AccountId(account), folder, seen)));
    assert_eq!(both().filed(AccountId(1), &[]).deliveries(), [delivery(2)]);
    let discarded = both().discarded(AccountId(1));
    assert_eq!((discarded.deliveries(), discarded.came().discarded.len()), (&[delivery(2)][..], 1));
    // What is held, no script lets go.
    let held = both().held_for(AccountId(1), "full");
    assert_eq!(held.clone().filed(AccountId(1), &[]).deliveries(), held.deliveries());
}
