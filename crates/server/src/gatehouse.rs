//! Runs the checks of each stage and leads mail through the gate: the one place where `screen` meets `gate`.

use base::{Address, Limits, Reply};
use gate::{
    Content, ContentEvidence, Delivery, Origin, Peer, PeerEvidence, Recipient, RecipientEvidence, Ruling,
    Rulings, Screened, Sender, SenderEvidence, Spooled,
};
use screen::Checks;
use tokio::runtime::Handle;

/// The checks, and the limits they share with the parsers.
pub struct Gatehouse {
    checks: Checks,
    limits: Limits,
    runtime: Handle,
}

/// Whether an account owns an address.
pub type Owns<'a> = &'a (dyn Fn(&Address) -> bool + Sync);

impl Gatehouse {
    /// All checks under these settings. Must be called within the runtime, which checks from blocking threads use.
    pub fn new(settings: &screen::Settings) -> Self {
        Gatehouse {
            checks: Checks::new(settings),
            limits: settings.limits.clone(),
            runtime: Handle::current(),
        }
    }

    /// Named bounds.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Rules on a peer.
    pub async fn peer(&self, peer: &PeerEvidence) -> Ruling<Peer> {
        Ruling::of(&self.checks.peer, peer).await
    }

    /// Rules on a reverse-path.
    pub async fn sender(&self, evidence: &SenderEvidence<'_>) -> Ruling<Sender> {
        Ruling::of(&self.checks.sender, evidence).await
    }

    /// Rules on a recipient.
    pub async fn recipient(&self, evidence: &RecipientEvidence<'_>) -> Ruling<Recipient> {
        Ruling::of(&self.checks.recipient, evidence).await
    }

    /// Rules on a message.
    pub async fn content(&self, evidence: &ContentEvidence<'_>) -> Ruling<Content> {
        Ruling::of(&self.checks.content, evidence).await
    }

    /// Leads mail from inside (APPEND, import, what the server writes) through the gate: stages about peers don't apply,
    /// content checks only note. Blocks: not for async code.
    pub fn judge_inside(
        &self,
        origin: Origin,
        mail: Spooled,
        deliveries: Vec<Delivery>,
    ) -> Result<Screened, Reply> {
        let content = self.content_inside(origin, &mail).only_noted();
        admit(origin, mail, deliveries, content)
    }

    /// Leads mail that a user's script sends on through the gate: content checks hold. Blocks.
    pub fn judge_sent_on(&self, mail: Spooled, deliveries: Vec<Delivery>) -> Result<Screened, Reply> {
        let content = self.content_inside(Origin::Sieve, &mail);
        admit(Origin::Sieve, mail, deliveries, content)
    }

    fn content_inside(&self, origin: Origin, mail: &Spooled) -> Ruling<Content> {
        let evidence = ContentEvidence { peer: None, origin, account: None, mail };
        self.runtime.block_on(self.content(&evidence))
    }
}

/// Opens the gate for mail of an origin that no peer has a part in.
fn admit(
    origin: Origin,
    mail: Spooled,
    deliveries: Vec<Delivery>,
    content: Ruling<Content>,
) -> Result<Screened, Reply> {
    let rulings = Rulings {
        peer: Ruling::not_applicable(origin),
        sender: Ruling::not_applicable(origin),
        recipients: deliveries.into_iter().map(|one| (one, Ruling::not_applicable(origin))).collect(),
        content: vec![content],
    };
    rulings.seal(mail)
}
