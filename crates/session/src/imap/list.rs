//! LIST and LSUB (RFC 9051 §6.3.9, RFC 3501 §6.3.9, RFC 5258, RFC 5819, RFC 6154).

use super::account::{Account, Outcome, Step};
use super::completion::Completion;
use super::{RUN_OCTETS, print};
use base::mailbox::{MailError, MailboxInfo};
use base::{MailboxId, MailboxName};
use std::collections::{BTreeMap, HashSet};
use wire::imap::command::{List, ListPattern, ListReturn, ListSelect};

/// A LIST or LSUB that goes on: names that are left.
pub(super) struct Listing {
    command: &'static str,
    select: ListSelect,
    returns: ListReturn,
    extended: bool,
    /// `LIST "" ""`: the separator is asked for (RFC 9051 §6.3.9).
    root: bool,
    names: std::vec::IntoIter<Name>,
}

/// A name to show.
struct Name {
    info: MailboxInfo,
    /// Whether mailboxes lie below it.
    parent: bool,
    /// Whether names below it were asked for, but aren't shown themselves (RFC 5258 §3.5).
    child_info: bool,
}

impl Listing {
    pub(super) fn list(account: &mut Account, list: List) -> Result<Self, Completion> {
        let List { select, patterns, returns, extended } = list;
        let returns = returns.unwrap_or_default();
        // RFC 7162 §3.1
        account.enabled.condstore |= returns.status.contains(&wire::imap::command::StatusItem::HighestModSeq);
        let root = !extended && patterns.iter().all(ListPattern::is_empty);
        let names = if root { Vec::new() } else { Names::read(account)?.choose(&patterns, &select) };
        Ok(Listing { command: "LIST", select, returns, extended, root, names: names.into_iter() })
    }

    pub(super) fn lsub(account: &mut Account, pattern: ListPattern) -> Result<Self, Completion> {
        let select = ListSelect { subscribed: true, recursive_match: true, ..ListSelect::default() };
        let root = pattern.is_empty();
        let names = if root { Vec::new() } else { Names::read(account)?.choose(&[pattern], &select) };
        let returns = ListReturn::default();
        Ok(Listing { command: "LSUB", select, returns, extended: false, root, names: names.into_iter() })
    }

    pub(super) fn step(&mut self, account: &Account, out: &mut Vec<u8>) -> Result<Step, Completion> {
        if std::mem::take(&mut self.root) {
            out.extend_from_slice(format!("* {} (\\Noselect) \"/\" \"\"\r\n", self.command).as_bytes());
        }
        while out.len() < RUN_OCTETS {
            let Some(name) = self.names.next() else {
                let text = if self.command == "LIST" { "LIST completed" } else { "LSUB completed" };
                return Ok(Step::Done(Outcome::ok(text).into()));
            };
            self.line(account, &name, out);
            if let Some(mailbox) = name.info.mailbox {
                match self.more_of(account, &name.info, mailbox, out) {
                    // Deleted meanwhile, or not to be read.
                    Ok(()) | Err(MailError::NoMailbox | MailError::NoPerm) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(Step::More)
    }

    /// The responses that were asked for beside LIST's.
    fn more_of(
        &self,
        account: &Account,
        info: &MailboxInfo,
        mailbox: MailboxId,
        out: &mut Vec<u8>,
    ) -> Result<(), MailError> {
        if !self.returns.status.is_empty() {
            account.status_line(info, mailbox, &self.returns.status, out)?;
        }
        if self.returns.my_rights {
            account.list_rights_of(&info.name, mailbox, out)?;
        }
        if !self.returns.metadata.is_empty() {
            account.list_metadata(info, &self.returns.metadata, out)?;
        }
        Ok(())
    }

    fn line(&self, account: &Account, name: &Name, out: &mut Vec<u8>) {
        let mut attributes: Vec<&str> = Vec::new();
        if name.info.mailbox.is_none() && !self.extended {
            attributes.push("\\Noselect");
        } else if name.info.mailbox.is_none() {
            // RFC 5258 §3: implies \Noselect.
            attributes.push("\\NonExistent");
        } else if self.command == "LSUB" && !name.info.subscribed {
            // RFC 3501 §6.3.9: it stands for subscribed names below it.
            attributes.push("\\Noselect");
        }
        attributes.push(if name.parent { "\\HasChildren" } else { "\\HasNoChildren" });
        if name.info.subscribed
            && self.command == "LIST"
            && (self.returns.subscribed || self.select.subscribed)
        {
            attributes.push("\\Subscribed");
        }
        account.list_line(&name.info, self.command, &attributes, None, out);
        if name.child_info && self.command == "LIST" {
            out.truncate(out.len() - 2);
            out.extend_from_slice(b" (\"CHILDINFO\" (\"SUBSCRIBED\"))\r\n");
        }
    }
}

impl Account {
    /// Appends a LIST response; with `old_name`, what RENAME adds to it (RFC 9051 §6.3.9.7).
    pub(super) fn list_line(
        &self,
        info: &MailboxInfo,
        command: &str,
        attributes: &[&str],
        old_name: Option<&MailboxName>,
        out: &mut Vec<u8>,
    ) {
        out.extend_from_slice(b"* ");
        out.extend_from_slice(command.as_bytes());
        out.extend_from_slice(b" (");
        let special_use = info.special_use.map(|special_use| special_use.attribute());
        for (place, attribute) in attributes.iter().copied().chain(special_use).enumerate() {
            if place > 0 {
                out.push(b' ');
            }
            out.extend_from_slice(attribute.as_bytes());
        }
        out.extend_from_slice(b") \"/\" ");
        print::mailbox(out, &info.name, self.enabled.utf8_names());
        if let Some(old) = old_name {
            out.extend_from_slice(b" (\"OLDNAME\" (");
            print::mailbox(out, old, self.enabled.utf8_names());
            out.extend_from_slice(b"))");
        }
        out.extend_from_slice(b"\r\n");
    }
}

/// All names, those included that are only parents of others.
struct Names {
    all: BTreeMap<MailboxName, MailboxInfo>,
    /// Names that mailboxes lie below.
    parents: HashSet<MailboxName>,
}

impl Names {
    fn read(account: &Account) -> Result<Self, MailError> {
        let mut all: BTreeMap<MailboxName, MailboxInfo> = BTreeMap::new();
        let mut parents = HashSet::new();
        let infos = account.store.mailboxes()?;
        for info in &infos {
            for above in ancestors(&info.name) {
                if info.mailbox.is_some() {
                    parents.insert(above.clone());
                }
                all.entry(above.clone()).or_insert_with(|| MailboxInfo {
                    name: above,
                    mailbox: None,
                    subscribed: false,
                    special_use: None,
                });
            }
        }
        all.extend(infos.into_iter().map(|info| (info.name.clone(), info)));
        Ok(Names { all, parents })
    }

    fn choose(self, patterns: &[ListPattern], select: &ListSelect) -> Vec<Name> {
        let matches = |name: &MailboxName| patterns.iter().any(|pattern| pattern.matches(name.as_str()));
        let mut with_children: HashSet<MailboxName> = HashSet::new();
        let selected = |info: &MailboxInfo| {
            (!select.subscribed || info.subscribed) && (!select.special_use || info.special_use.is_some())
        };
        if select.recursive_match {
            for info in self.all.values().filter(|info| selected(info) && !matches(&info.name)) {
                with_children.extend(ancestors(&info.name));
            }
        }
        let mut chosen = Vec::new();
        for (name, info) in self.all {
            let parent = self.parents.contains(&name);
            let child_info = with_children.contains(&name);
            // A name without a mailbox shows where it was asked for by subscription, or stands for those below it.
            let exists = info.mailbox.is_some() || parent || (select.subscribed && info.subscribed);
            if matches(&name) && ((selected(&info) && exists) || child_info) {
                chosen.push(Name { info, parent, child_info });
            }
        }
        chosen
    }
}

fn ancestors(name: &MailboxName) -> impl Iterator<Item = MailboxName> {
    std::iter::successors(name.parent(), MailboxName::parent)
}
