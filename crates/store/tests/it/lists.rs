//! Groups and lists.

use crate::rig::Rig;
use base::{Address, Domain, ListId, Timestamp};
use store::lists::{BOUNCE_MEMORY, MOST_BOUNCES, MOST_MEMBERS, Posters, Style};
use store::{DirectoryError, Found};

const STYLE: Style = Style { is_group: false, posters: Posters::Members, tag: None, answers_to_list: false };

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

/// A list `talk` of the domain of all accounts.
fn talk(rig: &Rig) -> (Address, ListId) {
    let account = rig.account("alice");
    let host = rig.store.directory().account(account).unwrap().unwrap().address.host;
    let name = address(&format!("Talk@{host}"));
    (name.clone(), rig.store.lists().add(&name, &STYLE).unwrap())
}

#[test]
fn a_list_is_found_by_its_addresses() {
    let mut rig = Rig::new();
    let (name, id) = talk(&rig);
    rig.reopen();
    let directory = rig.store.directory();
    let host = &name.host;
    for (text, detail) in [("talk", None), ("TALK", None), ("talk+b-1-Ff", Some("b-1-Ff"))] {
        let found = directory.find(&address(&format!("{text}@{host}"))).unwrap();
        assert_eq!(found, Found::List { list: id, detail: detail.map(str::to_owned) }, "{text}");
    }
    // One name, one meaning.
    let lists = rig.store.lists();
    assert_eq!(lists.add(&name, &STYLE), Err(DirectoryError::Exists));
    assert_eq!(lists.add(&address(&format!("alice@{host}")), &STYLE), Err(DirectoryError::Exists));
    assert_eq!(lists.add(&address("talk@elsewhere.example"), &STYLE), Err(DirectoryError::Unknown));
    assert!(directory.add_account(&name, b"").is_err());
    let accounts = vec![directory.accounts().unwrap()[0].id];
    let alias = store::Alias { address: name.clone(), accounts, send_as: false };
    assert_eq!(directory.set_alias(&alias), Err(DirectoryError::Exists));
    let other =
        Style { is_group: true, posters: Posters::Moderators, tag: Some("T".into()), answers_to_list: true };
    lists.set_style(id, &other).unwrap();
    assert_eq!(lists.list(id).unwrap().unwrap().style, other);
    lists.add_member(id, &address("a@example.net"), false).unwrap();
    lists.remove(id).unwrap();
    assert_eq!(lists.remove(id), Err(DirectoryError::Unknown));
    assert_eq!(lists.members(id), Ok(vec![]));
    assert_eq!(directory.find(&name), Ok(Found::NoSuchUser));
}

#[test]
fn a_domain_with_a_list_stays() {
    let rig = Rig::new();
    let domain = Domain::new("lists.example").unwrap();
    rig.store.directory().add_domain(&domain).unwrap();
    let id = rig.store.lists().add(&address("talk@lists.example"), &STYLE).unwrap();
    assert_eq!(rig.store.directory().remove_domain(&domain), Err(DirectoryError::InUse));
    rig.store.lists().remove(id).unwrap();
    rig.store.directory().remove_domain(&domain).unwrap();
}

#[test]
fn members_are_bounded_and_suspended() {
    let rig = Rig::new();
    let (_, id) = talk(&rig);
    let lists = rig.store.lists();
    let first = lists.add_member(id, &address("First@example.net"), true).unwrap();
    assert_eq!(lists.add_member(id, &address("first@EXAMPLE.net"), false), Ok(first));
    assert!(!lists.member(first).unwrap().unwrap().moderates);
    assert_eq!(lists.member_at(id, &address("FIRST@example.NET")).unwrap().map(|one| one.id), Some(first));
    assert_eq!(lists.member_at(ListId(99), &address("first@example.net")), Ok(None));
    assert_eq!((lists.moderators(id), lists.has_readers(id)), (Ok(vec![]), Ok(true)));
    assert_eq!(lists.add_member(ListId(99), &address("a@example.net"), false), Err(DirectoryError::Unknown));

    let start = 1_700_000_000;
    let fail = |at: i64| lists.bounced(first, "no", Timestamp(at)).unwrap().unwrap();
    assert_eq!(fail(start).bounces, 1);
    assert_eq!(fail(start + BOUNCE_MEMORY).bounces, 2);
    assert_eq!(fail(start + 2 * BOUNCE_MEMORY + 1).bounces, 1, "the others are forgotten");
    for _ in 2..MOST_BOUNCES {
        assert_eq!(fail(start + 3 * BOUNCE_MEMORY).suspended, None);
    }
    assert_eq!(fail(start + 3 * BOUNCE_MEMORY).suspended, Some(Timestamp(start + 3 * BOUNCE_MEMORY)));
    assert_eq!(lists.has_readers(id), Ok(false));
    lists.add_member(id, &address("first@example.net"), true).unwrap();
    assert_eq!(lists.moderators(id).unwrap().len(), 1);
    let again = lists.member(first).unwrap().unwrap();
    assert_eq!((again.bounces, again.suspended, again.why.as_str()), (0, None, ""));

    assert!(lists.ask_to_leave(first, Timestamp(start), Timestamp(start - 10)).unwrap());
    assert!(!lists.ask_to_leave(first, Timestamp(start + 5), Timestamp(start - 5)).unwrap());
    assert!(lists.ask_to_leave(first, Timestamp(start + 11), Timestamp(start + 1)).unwrap());

    // Many at once share a sync.
    std::thread::scope(|scope| {
        for lane in 0..16 {
            scope.spawn(move || {
                for number in (1 + lane..MOST_MEMBERS).step_by(16) {
                    lists.add_member(id, &address(&format!("m{number}@example.net")), false).unwrap();
                }
            });
        }
    });
    assert_eq!(lists.add_member(id, &address("more@example.net"), false), Err(DirectoryError::TooMany));
    assert_eq!(lists.members(id).unwrap().len(), MOST_MEMBERS);
    lists.remove_member(first).unwrap();
    assert_eq!(lists.bounced(first, "no", Timestamp(start)), Ok(None));
    assert_ne!(
        lists.add_member(id, &address("first@example.net"), false),
        Ok(first),
        "a number is not given again"
    );
}

/// Mail in the queue has the sender that its delivery has.
#[test]
fn queued_mail_has_its_own_sender() {
    let rig = Rig::new();
    let recipient = address("c@example.com");
    let to = |sender| gate::Delivery::Queue {
        account: None,
        domain: base::DomainId(1),
        recipient: recipient.clone(),
        terms: wire::smtp::Terms::default(),
        sender,
    };
    let own = address("talk+b-1-00@example.test");
    rig.store.accept_now(vec![crate::rig::message("x", vec![to(None), to(Some(own.clone()))])]).unwrap();
    let queued = rig.store.queue().entries(0, 10).unwrap();
    let paths: Vec<String> = queued.iter().map(|one| one.reverse_path.to_string()).collect();
    assert_eq!(paths[1], own.to_string());
    assert_ne!(paths[0], paths[1]);
}
