//! What a message is to bring about at lists: copies for members, and what is asked of a list's own addresses.

use crate::lists::{Errand, Lists};
use crate::server::Server;
use base::Reply;
use gate::{Content, Delivery, Peer, Recipient, Ruling, Rulings, Screened, Sender, Spooled};
use store::StoreError;
use tracing::{info, warn};
use wire::smtp::Terms;

/// A recipient that is a list's address.
pub struct Call {
    /// What for.
    pub errand: Errand,
    /// What the sender asked for.
    pub terms: Terms,
    /// Whether the sender logged in.
    pub proven: bool,
    /// What the checks say of it.
    pub ruling: Ruling<Recipient>,
}

impl Call {
    /// Whether both are for the members of the same list, who get one copy.
    pub fn is_like(&self, other: &Call) -> bool {
        matches!((&self.errand, &other.errand), (Errand::Post(one), Errand::Post(other)) if one.id == other.id)
    }
}

/// What was ruled of a message, for its copies.
pub struct Called {
    /// Of who brought it.
    pub peer: Ruling<Peer>,
    /// Of its reverse-path.
    pub sender: Ruling<Sender>,
    /// Of its content.
    pub content: Ruling<Content>,
}

/// What the calls came to.
#[derive(Default)]
pub struct Answered {
    /// Mail to be committed with the message.
    pub mail: Vec<Screened>,
    /// Why a call failed, if one did.
    pub reply: Option<Reply>,
}

impl Called {
    /// Does what the calls of a message ask for. What its content is refused for, no list does either. A list that refuses
    /// it when others take it, be it `others` than lists, has it held.
    pub async fn answer(
        self,
        server: &Server,
        mail: &Spooled,
        calls: Vec<Call>,
        others: bool,
    ) -> Result<Answered, StoreError> {
        if let Some(reply) = self.content.turns_away() {
            return Ok(Answered { mail: Vec::new(), reply: Some(reply.clone()) });
        }
        let (lists, mail) = (server.lists.clone(), mail.clone());
        let because = mail.trace;
        let work = move || {
            let (mut answered, mut refused) = (Answered::default(), Vec::new());
            for call in calls {
                if let Some(reply) = self.answer_one(&lists, &mail, &call, &mut answered)?
                    && let Errand::Post(list) = &call.errand
                {
                    refused.push((list.clone(), reply.clone(), call.ruling));
                    answered.reply.get_or_insert(reply);
                }
            }
            if !refused.is_empty() && (others || !answered.mail.is_empty()) {
                let hold = |(list, reply, ruling)| Ok((lists.held(&list, &reply)?, ruling));
                let held = refused.into_iter().map(hold).collect::<Result<_, StoreError>>()?;
                let mail = Spooled { trace: crate::random::trace_id(), ..mail.clone() };
                let held_back =
                    self.seal(mail, held).map_err(|reply| StoreError::Failed(reply.to_string()))?;
                answered.mail.push(held_back.because_of(because, "copy held back, as a list refuses it"));
            }
            Ok(answered)
        };
        tokio::task::spawn_blocking(work).await.map_err(|error| StoreError::Failed(error.to_string()))?
    }

    /// Does what one call asks for; says why, where its list refuses the message.
    fn answer_one(
        &self,
        lists: &Lists,
        mail: &Spooled,
        call: &Call,
        answered: &mut Answered,
    ) -> Result<Option<Reply>, StoreError> {
        let Errand::Post(list) = &call.errand else {
            answered.mail.extend(lists.do_errand(&call.errand, mail, call.proven)?);
            return Ok(None);
        };
        let copy = lists.unfold(mail, list, &call.terms)?.and_then(|(copy, deliveries)| {
            self.seal(copy, deliveries.into_iter().map(|one| (one, call.ruling.clone())).collect())
        });
        match copy {
            Ok(copy) => {
                info!(trace = %mail.trace, list = %list.address, members = copy.deliveries().len(), "sent on to a list");
                answered.mail.push(copy.because_of(mail.trace, "copy for the list's members"));
                Ok(None)
            }
            Err(reply) => {
                warn!(trace = %mail.trace, list = %list.address, %reply, "not sent on to a list");
                Ok(Some(reply))
            }
        }
    }

    fn seal(&self, mail: Spooled, recipients: Vec<(Delivery, Ruling<Recipient>)>) -> Result<Screened, Reply> {
        let content = vec![self.content.clone()];
        Rulings { peer: self.peer.clone(), sender: self.sender.clone(), recipients, content }.seal(mail)
    }
}
