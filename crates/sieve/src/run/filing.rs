//! What was decided so far: actions that may be together, each place once.

use crate::outcome::{Action, Header};
use base::{Address, Flags, MailboxName};

/// The actions of a run.
pub(super) struct Filing {
    actions: Vec<Action>,
    /// Whether the message is kept unless something else is done with it (RFC 5228 §2.10.2).
    implicit_keep: bool,
    /// How many actions were there when the current script began.
    before: usize,
}

impl Default for Filing {
    fn default() -> Self {
        Filing { actions: Vec::new(), implicit_keep: true, before: 0 }
    }
}

impl Filing {
    /// A keep of the script before is not the last word: the next one decides anew what is kept. Gives the flags that
    /// it was to be kept with.
    pub(super) fn begin_script(&mut self) -> Option<Flags> {
        let place = self.actions.iter().position(|action| matches!(action, Action::Keep { .. }));
        let kept = place.map(|at| self.actions.remove(at));
        self.implicit_keep = true;
        self.before = self.actions.len();
        match kept {
            Some(Action::Keep { flags, .. }) => Some(flags),
            _ => None,
        }
    }

    /// Whether the message is to be kept by default, because nothing else was decided or because the script says so.
    pub(super) fn is_kept(&self) -> bool {
        self.implicit_keep || self.actions.iter().any(|action| matches!(action, Action::Keep { .. }))
    }

    /// Whether only the implicit keep keeps it.
    pub(super) fn is_implicit(&self) -> bool {
        self.implicit_keep
    }

    /// The current script's actions do not count.
    pub(super) fn fail(&mut self) {
        self.actions.truncate(self.before);
        self.implicit_keep = true;
    }

    pub(super) fn cancel_implicit_keep(&mut self) {
        self.implicit_keep = false;
    }

    pub(super) fn keep_implicitly(&mut self, flags: Flags, header: Header) {
        self.push(Action::Keep { flags, implicit: true, header });
    }

    pub(super) fn count(&self, of: impl Fn(&Action) -> bool) -> usize {
        self.actions.iter().filter(|action| of(action)).count()
    }

    /// Whether somebody is notified already.
    pub(super) fn notifies(&self, address: &Address) -> bool {
        self.actions
            .iter()
            .any(|action| matches!(action, Action::Notify(notify) if notify.recipients.contains(address)))
    }

    /// Adds an action; one for the same place as an earlier one changes that (RFC 5228 §2.10.3): the last flags count
    /// (RFC 5232 §3).
    pub(super) fn push(&mut self, action: Action) {
        match self.actions.iter_mut().find(|earlier| same_place(earlier, &action)) {
            Some(earlier) => merge(earlier, action),
            None => self.actions.push(action),
        }
    }

    /// Why an action can't join those that are there, if it can't (RFC 5429 §2.4).
    pub(super) fn conflict(&self, action: &Action) -> Option<&'static str> {
        let has = |of: fn(&Action) -> bool| self.actions.iter().any(of);
        let delivers = |action: &Action| {
            matches!(action, Action::Keep { .. } | Action::FileInto { .. } | Action::Redirect { .. })
        };
        let rejects = |action: &Action| matches!(action, Action::Reject { .. });
        let answers = |action: &Action| matches!(action, Action::Vacation(_));
        match action {
            Action::Reject { .. } if has(rejects) => Some("a message can be rejected once only"),
            Action::Reject { .. } if has(delivers) => {
                Some("a message that is kept, filed or redirected can't be rejected")
            }
            Action::Reject { .. } if has(answers) => {
                Some("a message that gets a vacation reply can't be rejected")
            }
            action if delivers(action) && has(rejects) => {
                Some("a message that is rejected can't be kept, filed or redirected")
            }
            Action::Vacation(_) if has(rejects) => {
                Some("a message that is rejected can't get a vacation reply")
            }
            _ => None,
        }
    }

    pub(super) fn into_actions(self) -> Vec<Action> {
        self.actions
    }
}

fn same_place(a: &Action, b: &Action) -> bool {
    match (a, b) {
        (Action::Redirect { address: a, .. }, Action::Redirect { address: b, .. }) => a == b,
        (
            Action::FileInto { mailbox, special_use: Some(special_use), .. },
            Action::FileInto { mailbox: other, special_use: Some(other_use), .. },
        ) => (mailbox, special_use) == (other, other_use),
        _ => mailbox(a).is_some_and(|place| mailbox(b) == Some(place)),
    }
}

/// The mailbox that an action surely stores into. To keep is to store in INBOX; a special use is where the host finds it.
fn mailbox(action: &Action) -> Option<MailboxName> {
    match action {
        Action::Keep { .. } => Some(MailboxName::inbox()),
        Action::FileInto { mailbox, special_use: None, .. } => Some(mailbox.clone()),
        _ => None,
    }
}

fn merge(earlier: &mut Action, later: Action) {
    match (earlier, later) {
        (Action::Keep { flags, implicit, .. }, Action::Keep { flags: new, implicit: new_implicit, .. }) => {
            *flags = new;
            *implicit &= new_implicit;
        }
        (Action::Keep { flags, implicit, .. }, Action::FileInto { flags: new, .. }) => {
            *flags = new;
            *implicit = false;
        }
        (Action::FileInto { flags, .. }, Action::Keep { flags: new, .. }) => *flags = new,
        (Action::FileInto { flags, create, .. }, Action::FileInto { flags: new, create: new_create, .. }) => {
            *flags = new;
            *create |= new_create;
        }
        _ => {}
    }
}
