//! Many at once.

use crate::rig::{Rig, flags, message, to};
use base::Flags;
use gate::Folder;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use store::StoreError;

#[test]
fn one_that_is_over_quota_fails_alone() {
    let rig = Rig::new();
    let accounts: Vec<_> = (0..4).map(|n| rig.account(&format!("user{n}"))).collect();
    rig.store.directory().set_quota(accounts[0], None, Some(3)).unwrap();
    let (delivered, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (rig, accounts, delivered, refused) = (&rig, &accounts, &delivered, &refused);
            scope.spawn(move || {
                for number in 0..20 {
                    let of = accounts[(thread + number) % 4];
                    match rig
                        .store
                        .accept_now(vec![message("x", vec![to(of, Folder::Inbox, Flags::default())])])
                    {
                        Ok(_) => delivered.fetch_add(1, Ordering::Relaxed),
                        Err(StoreError::OverQuota(account)) if account == of => {
                            refused.fetch_add(1, Ordering::Relaxed)
                        }
                        Err(other) => panic!("{other:?}"),
                    };
                }
            });
        }
    });
    assert_eq!((delivered.into_inner(), refused.into_inner()), (123, 37));
    let counts: Vec<_> = accounts.iter().map(|of| rig.content(*of, rig.inbox(*of)).len()).collect();
    assert_eq!(counts, [3, 40, 40, 40]);
}

#[test]
fn readers_see_whole_moments_while_mail_comes() {
    let rig = Rig::new();
    let alice = rig.account("alice");
    let (inbox, archive) = (rig.inbox(alice), rig.mailbox(alice, "Archive"));
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let opened = rig.store.open(alice, inbox).unwrap();
                    assert_eq!(opened.uids.len(), opened.status.messages as usize);
                    let changes = rig.store.changes(alice, inbox, base::ModSeq(1)).unwrap();
                    assert!(changes.changed.iter().all(|one| one.modseq <= changes.highest_modseq));
                }
            });
        }
        for _ in 0..60 {
            let uid = rig.put(alice, inbox, "x", flags(&["\\Seen"]));
            if uid.0.is_multiple_of(3) {
                rig.store.move_to(alice, inbox, &[uid], archive, base::Rights::ALL).unwrap();
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(rig.content(alice, inbox).len() + rig.content(alice, archive).len(), 60);
}

#[test]
fn listeners_hear_of_changed_accounts_only() {
    let rig = Rig::new();
    let (alice, bob) = (rig.account("alice"), rig.account("bob"));
    rig.store.directory().set_quota(bob, None, Some(0)).unwrap();
    // The accounts of one commit are told of before the next begins: after this, nobody hears of Bob's any more.
    rig.put(alice, rig.inbox(alice), "x", Flags::default());
    let heard = Arc::new(ears::Heard::default());
    let listening = heard.clone();
    rig.store.on_change(Arc::new(move |accounts| listening.add(accounts)));
    rig.put(alice, rig.inbox(alice), "x", Flags::default());
    let refused = rig.store.accept_now(vec![message("x", vec![to(bob, Folder::Inbox, Flags::default())])]);
    assert!(matches!(refused, Err(StoreError::OverQuota(_))));
    rig.put(alice, rig.inbox(alice), "x", Flags::default());
    rig.store.close();
    assert!(heard.count(alice) >= 2);
    assert_eq!(heard.count(bob), 0);
    let late = rig.store.accept_now(vec![message("x", vec![to(alice, Folder::Inbox, Flags::default())])]);
    assert!(matches!(late, Err(StoreError::Closed)), "{late:?}");
}

mod ears {
    use base::AccountId;
    use std::sync::Mutex;

    #[derive(Default)]
    pub struct Heard(Mutex<Vec<AccountId>>);

    impl Heard {
        pub fn add(&self, accounts: &[AccountId]) {
            self.0.lock().unwrap().extend_from_slice(accounts);
        }

        pub fn count(&self, of: AccountId) -> usize {
            self.0.lock().unwrap().iter().filter(|account| **account == of).count()
        }
    }
}
