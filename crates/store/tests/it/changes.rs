//! The change log against a simple model: whatever was done between two looks, the log explains the difference.

use crate::rig::{Rig, flags};
use base::mailbox::FlagEdit;
use base::{AccountId, Flags, MailboxId, ModSeq, Uid};
use std::collections::BTreeMap;

/// Chance that repeats itself.
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % most.max(1)
    }

    fn some(&mut self, uids: &[Uid]) -> Vec<Uid> {
        uids.iter().copied().filter(|_| self.below(3) == 0).collect()
    }
}

/// A mailbox as a client remembers it.
struct Known {
    messages: BTreeMap<Uid, Flags>,
    modseq: ModSeq,
}

fn look(rig: &Rig, of: AccountId, mailbox: MailboxId) -> Known {
    let modseq = rig.store.status(of, mailbox).unwrap().highest_modseq;
    Known { messages: rig.content(of, mailbox), modseq }
}

/// Brings what is known up to date by the log alone, and holds it against the mailbox.
fn resync(rig: &Rig, of: AccountId, mailbox: MailboxId, known: &mut Known) {
    let changes = rig.store.changes(of, mailbox, known.modseq).unwrap();
    assert!(changes.complete);
    for gone in &changes.vanished {
        known.messages.remove(gone);
    }
    for one in &changes.changed {
        assert!(one.modseq > known.modseq && one.modseq <= changes.highest_modseq);
        assert!(one.new || known.messages.contains_key(&one.uid));
        known.messages.insert(one.uid, one.flags.clone());
    }
    known.modseq = changes.highest_modseq;
    assert_eq!(known.messages, rig.content(of, mailbox));
    assert_eq!(changes.highest_modseq, rig.store.status(of, mailbox).unwrap().highest_modseq);
    assert!(known.messages.keys().all(|uid| *uid < changes.uid_next));
}

fn check_counts(rig: &Rig, of: AccountId, mailbox: MailboxId) {
    let (status, content) = (rig.store.status(of, mailbox).unwrap(), rig.content(of, mailbox));
    let unseen = content.values().filter(|f| !f.has(base::Flag::Seen)).count();
    let deleted = content.values().filter(|f| f.has(base::Flag::Deleted)).count();
    assert_eq!((status.unseen as usize, status.deleted as usize), (unseen, deleted));
    let opened = rig.store.open(of, mailbox).unwrap();
    assert_eq!(
        opened.first_unseen,
        content.iter().find(|(_, f)| !f.has(base::Flag::Seen)).map(|(uid, _)| *uid)
    );
}

#[test]
fn the_log_explains_every_difference() {
    let mut rig = Rig::new();
    let alice = rig.account("alice");
    let places = [rig.inbox(alice), rig.mailbox(alice, "Archive"), rig.create(alice, "third")];
    let mut known: Vec<Known> = places.iter().map(|mailbox| look(&rig, alice, *mailbox)).collect();
    let kinds = [
        flags(&["\\Seen"]),
        flags(&["\\Deleted"]),
        flags(&["word"]),
        flags(&["\\Flagged", "other"]),
        Flags::default(),
    ];
    let mut chance = Chance(20_261_125);
    for round in 0..400 {
        let (from, to) = (places[chance.below(3)], places[chance.below(3)]);
        let uids: Vec<Uid> = rig.content(alice, from).into_keys().collect();
        let (some, kind) = (chance.some(&uids), kinds[chance.below(kinds.len())].clone());
        match chance.below(9) {
            0..=3 => drop(rig.put(alice, from, "text", kind)),
            4 => drop(
                rig.store
                    .set_flags(alice, from, &some, &FlagEdit::Add(kind), None, base::Rights::ALL)
                    .unwrap(),
            ),
            5 => drop(
                rig.store
                    .set_flags(alice, from, &some, &FlagEdit::Replace(kind), None, base::Rights::ALL)
                    .unwrap(),
            ),
            6 => drop(rig.store.expunge(alice, from, (round % 2 == 0).then_some(some.as_slice())).unwrap()),
            7 if uids.len() < 40 => drop(rig.store.copy(alice, from, &some, to, base::Rights::ALL).unwrap()),
            7 => rig.store.remove_recoverably(alice, from, &some).unwrap(),
            _ => drop(rig.store.move_to(alice, from, &some, to, base::Rights::ALL).unwrap()),
        }
        let which = chance.below(3);
        if chance.below(3) == 0 {
            resync(&rig, alice, places[which], &mut known[which]);
            check_counts(&rig, alice, places[which]);
        }
        if round % 100 == 99 {
            rig.reopen();
        }
    }
    for (mailbox, known) in places.iter().zip(&mut known) {
        resync(&rig, alice, *mailbox, known);
    }
    let held: u64 = places.iter().map(|m| u64::from(rig.store.status(alice, *m).unwrap().messages)).sum();
    assert_eq!(rig.store.quota(alice).unwrap().messages, held);
    let octets: u64 = places.iter().map(|m| rig.store.status(alice, *m).unwrap().octets).sum();
    assert_eq!(rig.store.quota(alice).unwrap().octets, octets);
}

#[test]
fn nothing_changed_is_nothing_to_tell() {
    let rig = Rig::new();
    let alice = rig.account("alice");
    let (inbox, sent) = (rig.inbox(alice), rig.mailbox(alice, "Sent"));
    let before = rig.store.status(alice, inbox).unwrap().highest_modseq;
    assert!(before >= ModSeq(1));
    rig.put(alice, sent, "x", Flags::default());
    // HIGHESTMODSEQ is the mailbox's own.
    let changes = rig.store.changes(alice, inbox, before).unwrap();
    assert_eq!((changes.changed, changes.vanished, changes.highest_modseq), (Vec::new(), Vec::new(), before));
    let mut known = look(&rig, alice, sent);
    resync(&rig, alice, sent, &mut known);
}
