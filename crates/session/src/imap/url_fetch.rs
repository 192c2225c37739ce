//! URLFETCH (RFC 4467, RFC 5524): what URLs name that somebody authorized.

use super::account::{Account, Outcome, Step};
use super::completion::Completion;
use super::print;
use super::section::{Content, Part, structure};
use super::url;
use crate::mailstore::Message;
use base::mailbox::MailError;
use std::vec::IntoIter;
use wire::imap::command::{FetchItem, SectionText, Url, UrlAuth, UrlFetch, UrlItem};

/// URLs, each a step, and their octets in pieces.
pub(super) struct UrlFetching {
    urls: IntoIter<UrlFetch>,
    current: Option<Current>,
}

/// A URL whose answer is being sent.
struct Current {
    message: Box<dyn Message>,
    url: Url,
    /// Whether items were named, which the answer then names too.
    named: bool,
    items: IntoIter<UrlItem>,
    /// Whether the structure is to tell of the decoded part.
    as_decoded: bool,
    /// The item that is being sent.
    content: Option<Content>,
}

impl UrlFetching {
    pub(super) fn new(urls: Vec<UrlFetch>) -> Self {
        UrlFetching { urls: urls.into_iter(), current: None }
    }

    pub(super) fn step(&mut self, account: &Account, out: &mut Vec<u8>) -> Result<Step, Completion> {
        if let Some(current) = &mut self.current {
            return match current.step(out) {
                Ok(true) => {
                    self.current = None;
                    Ok(Step::More)
                }
                Ok(false) => Ok(Step::More),
                // The answer is begun and can't be finished.
                Err(error) => Ok(Step::Abort(error.to_string())),
            };
        }
        let Some(fetch) = self.urls.next() else {
            return Ok(Step::Done(Box::new(Outcome::ok("URLFETCH completed"))));
        };
        self.current = Current::open(account, &fetch)?;
        out.extend_from_slice(b"* URLFETCH ");
        print::string(out, fetch.url.as_bytes());
        if self.current.is_none() {
            out.extend_from_slice(b" NIL\r\n");
        }
        Ok(Step::More)
    }
}

impl Current {
    /// Opens what a URL names, if it may be had. RFC 4467 §7: for what reason it may not is not told.
    fn open(account: &Account, fetch: &UrlFetch) -> Result<Option<Self>, Completion> {
        let Some(url) = UrlAuth::parse(&fetch.url) else { return Ok(None) };
        let Some(owner) = url.owner(&account.config.host) else { return Ok(None) };
        let Some(store) = account.store.authorized(&url, &owner)? else { return Ok(None) };
        let Some(message) = url::open(&*store, None, &url.url)? else { return Ok(None) };
        if super::section::find(&*message, &url.url.section, None)?.is_none() {
            return Ok(None);
        }
        let named = !fetch.items.is_empty();
        let items = if named { fetch.items.clone() } else { vec![UrlItem::Body] };
        Ok(Some(Current {
            message,
            url: url.url,
            named,
            as_decoded: items.contains(&UrlItem::Binary),
            items: items.into_iter(),
            content: None,
        }))
    }

    /// Appends some of the answer; true when all is sent.
    fn step(&mut self, out: &mut Vec<u8>) -> Result<bool, MailError> {
        if let Some(content) = &mut self.content {
            if content.step(&*self.message, out).map_err(super::section::unreadable)? {
                self.content = None;
                out.extend_from_slice(if self.named { b")" } else { b"" });
            }
            return Ok(false);
        }
        let Some(item) = self.items.next() else {
            out.extend_from_slice(b"\r\n");
            return Ok(true);
        };
        out.push(b' ');
        if self.named {
            out.push(b'(');
            out.extend_from_slice(item.as_str().as_bytes());
            out.push(b' ');
        }
        let content = self.content(item)?;
        content.begin(out);
        self.content = Some(content);
        Ok(false)
    }

    fn content(&self, item: UrlItem) -> Result<Content, MailError> {
        let nil = || Content::Short(b"NIL".to_vec());
        let (section, partial) = (self.url.section.clone(), self.url.partial);
        let is_part = section.text == SectionText::All;
        let item = match item {
            UrlItem::BodyPartStructure if is_part => {
                let structure = structure(&*self.message, &section.part, self.as_decoded)?;
                return Ok(structure.map_or_else(nil, Content::Short));
            }
            UrlItem::BodyPartStructure => return Ok(nil()),
            UrlItem::Binary if is_part => FetchItem::Binary { part: section.part, peek: true, partial },
            UrlItem::Binary | UrlItem::Body => FetchItem::BodySection { section, peek: true, partial },
        };
        let opened = Part::new(&item).map(|part| part.open(&*self.message)).transpose()?.flatten();
        // RFC 5524: an encoding that is not known.
        Ok(opened.unwrap_or_else(nil))
    }
}
