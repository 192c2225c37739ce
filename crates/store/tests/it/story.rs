//! Stories: what is told of a message, how it is found, and how little is kept of too much.

use crate::rig::{Rig, flags, open, settings, to, traced};
use base::{AccountId, Address, DomainId, Flags, Timestamp, TraceId};
use gate::{Delivery, Folder, Origin};
use std::net::IpAddr;
use std::time::Duration;
use store::queue::{Change, Fate, Settled, Which};
use store::story::{Event, Keep, MOST_EVENTS, MOST_TEXT, What};
use store::{Settings, Store, StoreError};
use wire::smtp::Terms;

const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

/// The id of a message that came so many seconds ago.
fn trace(ago: i64, number: u128) -> TraceId {
    TraceId::at((Timestamp::now().0 - ago) * 1000, number)
}

fn accept(rig: &Rig, trace: TraceId, deliveries: Vec<Delivery>) {
    let text = b"From: a@example.net\r\nSubject: test\r\n\r\ntext\r\n".to_vec();
    rig.store.accept_now(vec![traced(trace, text, deliveries, Origin::Import)]).unwrap();
}

fn kinds(store: &dyn Store, trace: TraceId) -> Vec<&'static str> {
    store.stories().story(trace).unwrap().events().map(|event| event.what.word()).collect()
}

fn inbox(of: AccountId) -> Vec<Delivery> {
    vec![to(of, Folder::Inbox, Flags::default())]
}

fn refusal(trace: TraceId) -> Event {
    Event {
        from: "x@example.net".into(),
        ..Event::new(trace, What::Refused).to("no@example.test").said("550 no")
    }
}

#[test]
fn what_is_not_kept_is_erased() {
    let rig = Rig::with(|settings| settings.keep_deleted = std::time::Duration::ZERO);
    let (anna, id) = (rig.account("anna"), trace(0, 1));
    accept(&rig, id, inbox(anna));
    let home = rig.inbox(anna);
    let uids: Vec<_> = rig.content(anna, home).into_keys().collect();
    rig.store.remove_recoverably(anna, home, &uids).unwrap();
    assert_eq!(kinds(&*rig.store, id), ["came", "filed", "erased"]);
}

#[test]
fn a_message_in_mailboxes() {
    let mut rig = Rig::new();
    let anna = rig.account("anna");
    let (home, work) = (rig.inbox(anna), rig.create(anna, "Work"));
    let (kept, gone) = (trace(0, 1), trace(0, 2));
    accept(&rig, kept, inbox(anna));
    accept(&rig, gone, inbox(anna));
    let uids: Vec<_> = rig.content(anna, home).into_keys().collect();
    rig.store.move_to(anna, home, &uids[..1], work, base::Rights::ALL).unwrap();
    let moved: Vec<_> = rig.content(anna, work).into_keys().collect();
    rig.store.remove_recoverably(anna, work, &moved).unwrap();
    let mail: Vec<_> = rig
        .store
        .recoverable(anna, base::Timestamp(0), None)
        .unwrap()
        .into_iter()
        .map(|one| one.mail)
        .collect();
    rig.store.recover(anna, &mail).unwrap();
    let edit = base::mailbox::FlagEdit::Add(flags(&["\\Deleted"]));
    rig.store.set_flags(anna, home, &uids[1..], &edit, None, base::Rights::ALL).unwrap();
    rig.store.expunge(anna, home, None).unwrap();
    rig.reopen();
    assert_eq!(kinds(&*rig.store, kept), ["came", "filed", "moved", "removed", "restored"]);
    assert_eq!(kinds(&*rig.store, gone), ["came", "filed", "removed"]);
    let events = rig.store.stories().story(kept).unwrap().first;
    let places: Vec<_> = events.iter().skip(1).map(|event| event.mailbox).collect();
    assert_eq!(places, [Some(home), Some(work), Some(work), Some(work)]);
    assert_eq!(events[1].number, u64::from(uids[0].0));
}

#[test]
fn a_message_for_others() {
    let rig = Rig::new();
    let id = trace(0, 1);
    let recipient = Address::parse("B@example.net").unwrap();
    let queued = Delivery::Queue {
        account: None,
        domain: DomainId(1),
        recipient,
        terms: Terms::default(),
        sender: None,
    };
    accept(&rig, id, vec![queued]);
    let queue = rig.store.queue();
    queue.change(&Which::All, &Change::Hold("why".into())).unwrap();
    queue.change(&Which::All, &Change::Release).unwrap();
    // Nothing is held any more.
    queue.change(&Which::All, &Change::Release).unwrap();
    let entry = queue.entries(0, 10).unwrap().remove(0);
    let settle = |fate, what| {
        let (send, receive) = std::sync::mpsc::sync_channel(1);
        let event = Event::new(id, what).to("B@example.net").said("x".repeat(MOST_TEXT - 1) + "ü");
        let settled = vec![Settled { id: entry.id, fate, events: vec![event] }];
        queue.settle(
            settled,
            vec![],
            Box::new(move |outcome: Result<_, StoreError>| send.send(outcome).unwrap()),
        );
        receive.recv().unwrap().unwrap();
    };
    settle(Fate::Later { due: Timestamp(1), why: "451".into() }, What::PutOff);
    settle(Fate::Gone, What::Sent);
    assert_eq!(kinds(&*rig.store, id), ["came", "queued", "held", "released", "put-off", "sent"]);
    let last = rig.store.stories().story(id).unwrap().first.pop().unwrap();
    assert_eq!(last.said, "x".repeat(MOST_TEXT - 1));
}

/// A post to a large list: how it came and what became of it are told, and how much lies between.
#[test]
fn a_long_story_keeps_both_ends() {
    let rig = Rig::new();
    let (anna, id) = (rig.account("anna"), trace(0, 1));
    accept(&rig, id, inbox(anna));
    let tell = |events: Vec<Event>| {
        let (send, receive) = std::sync::mpsc::sync_channel(1);
        let settled = vec![Settled { id: 1, fate: Fate::Gone, events }];
        rig.store.queue().settle(settled, vec![], Box::new(move |outcome| send.send(outcome).unwrap()));
        receive.recv().unwrap().unwrap();
    };
    let sent = |number| Event { number, ..Event::new(id, What::Sent) };
    let read = || rig.store.stories().story(id).unwrap();
    // The row of how it came is there already.
    let most = MOST_EVENTS as u64;
    tell((1..2 * most).map(sent).collect());
    assert_eq!((read().between, read().last.len(), read().events().count()), (0, 0, 2 * MOST_EVENTS + 1));
    tell((2 * most..2 * most + 70).map(sent).collect());
    let story = read();
    assert_eq!((story.first[0].what, story.between, story.last.len()), (What::Came, 70, MOST_EVENTS));
    assert_eq!(story.last.last().map(|event| event.number), Some(2 * most + 69));
}

#[test]
fn the_latest_come_first() {
    let rig = Rig::new();
    let (anna, bert) = (rig.account("anna"), rig.account("bert"));
    for (number, account) in [anna, bert, anna, anna].into_iter().enumerate() {
        accept(&rig, trace(100 - number as i64, number as u128), inbox(account));
    }
    rig.store.stories().refused(PEER, refusal(trace(98, 9)));
    let found = |address: &str, account, most| {
        let traces = rig.store.stories().latest(address, account, most).unwrap();
        traces.into_iter().map(|trace| trace.0 as u8).collect::<Vec<_>>()
    };
    assert_eq!(found("anna@example.test", Some(anna), 2), [3, 2]);
    assert_eq!(found("anna@example.test", Some(anna), 9), [3, 2, 0]);
    assert_eq!(found("X@Example.net", None, 9), [9]);
    assert_eq!(found("no@example.test", None, 9), [9]);
    assert!(found("nobody@example.test", None, 9).is_empty());
}

#[test]
fn what_is_too_old_or_too_much_goes() {
    let place = tempfile::tempdir().unwrap();
    let keep = Keep { time: Duration::from_secs(1000), events: 20 };
    let settings = Settings { stories: keep, ..settings(place.path()) };
    let store = open(&settings);
    let rig = Rig::of(store.clone(), settings);
    let anna = rig.account("anna");
    accept(&rig, trace(2000, 0), inbox(anna));
    // As traces were before they told the time.
    accept(&rig, TraceId(u128::MAX), inbox(anna));
    for number in 1..=30 {
        accept(&rig, trace(900 - number, number as u128), inbox(anna));
    }
    store.keep_house().unwrap();
    assert!(kinds(&*store, trace(2000, 0)).is_empty());
    // Each has one row.
    let left = store.stories().latest("", Some(anna), 100).unwrap();
    assert_eq!(left.len(), 20);
    assert_eq!(left.last().map(|trace| trace.0 as u8), Some(12));
}

/// One peer, and all together, write no more than so many rows; the rest is counted.
#[test]
fn a_flood_of_refusals_is_counted() {
    let rig = Rig::new();
    for number in 0..5000u128 {
        let peer = if number % 2 == 0 { PEER } else { IpAddr::V6((number << 64).into()) };
        rig.store.stories().refused(peer, refusal(trace(0, number)));
    }
    let traces = rig.store.stories().latest("x@example.net", None, 10_000).unwrap();
    let events: Vec<Event> =
        traces.iter().flat_map(|trace| rig.store.stories().story(*trace).unwrap().first).collect();
    assert!(events.len() < 400, "{} rows", events.len());
    assert_eq!(events.iter().map(|event| event.number + 1).sum::<u64>(), 5000);
}
