//! A backup's mail as a source to move in from: `mailward restore ACCOUNT`.

use base::MailboxName;
use moving::{Faults, Folder, Message, Source, Visit};
use store::backup::{Past, PastMailbox, PastMessage};

/// One account of a backup.
pub struct PastSource {
    past: Past,
    mailboxes: Vec<PastMailbox>,
}

impl PastSource {
    /// All mailboxes of an account, or one and those below it.
    pub fn new(past: Past, address: &str, only: Option<&str>) -> Result<Self, String> {
        let mailboxes = past.mailboxes(address).map_err(|e| e.to_string())?;
        let mut mailboxes =
            mailboxes.ok_or_else(|| format!("the backup {} has no account {address}", past.name))?;
        if let Some(only) = only {
            let within = |name: &str| {
                name.strip_prefix(only).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            };
            mailboxes.retain(|mailbox| within(&mailbox.name));
            if mailboxes.is_empty() {
                return Err(format!("{address} has no mailbox {only} in the backup {}", past.name));
            }
        }
        Ok(PastSource { past, mailboxes })
    }
}

impl Source for PastSource {
    fn folders(&mut self, _faults: &mut Faults) -> Result<Vec<Folder>, String> {
        let folder = |mailbox: &PastMailbox| {
            Ok(Folder {
                name: MailboxName::new(&mailbox.name).map_err(|why| format!("{}: {why:?}", mailbox.name))?,
                special_use: mailbox.special_use,
                subscribed: true,
                messages: mailbox.messages,
            })
        };
        self.mailboxes.iter().map(folder).collect()
    }

    fn read(&mut self, folder: usize, faults: &mut Faults, visit: Visit<'_>) -> Result<(), String> {
        let Some(mailbox) = self.mailboxes.get(folder) else { return Ok(()) };
        let visited = self.past.visit(mailbox.id, &mut |uid, found| match found
            .map_err(|e| e.to_string())
            .and_then(|found| message(&found))
        {
            Ok(message) => visit(message),
            Err(why) => {
                faults.add(format!("{}, message {uid}", mailbox.name), why);
                Ok(())
            }
        });
        visited.map_err(|e| e.to_string())
    }
}

fn message(found: &PastMessage) -> Result<Message, String> {
    let mut octets = Vec::new();
    found.message.read(0..found.message.len(), &mut octets).map_err(|e| e.to_string())?;
    Ok(Message { octets, flags: found.flags.clone(), date: Some(found.date) })
}
