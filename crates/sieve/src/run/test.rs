//! Tests, as they are asked of the message and of the host.

use super::{Checked, Run, unreadable};
use crate::compare::{Found, MatchType, Matching, Value};
use crate::header::Mailbox;
use crate::host::DuplicateId;
use crate::outcome::Seen;
use crate::program::{self, AddressPart, DateTest, Index, Test, Transform, Zone};
use crate::text::{Text, Variable};
use crate::zone::{self, DatePart};
use crate::{field, flags, mailto};
use base::{MailboxName, ReversePath, SpecialUse, Timestamp};
use std::borrow::Cow;
use wire::mime::date;

impl Run<'_> {
    pub(super) fn test(&mut self, test: &Test) -> Checked<bool> {
        self.charge(1)?;
        let found = match test {
            Test::Not(test) => return Ok(!self.test(test)?),
            Test::AllOf(tests) => return self.first(tests, false).map(|found| !found),
            Test::AnyOf(tests) => return self.first(tests, true),
            Test::Duplicate(duplicate) => return self.duplicate(duplicate),
            Test::Constant(value) => return Ok(*value),
            Test::Exists(names) => return self.exists(names),
            Test::Size { over: true, limit } => return Ok(self.mail.tree.size() > *limit),
            Test::Size { over: false, limit } => return Ok(self.mail.tree.size() < *limit),
            Test::MailboxExists(names) => return self.mailboxes_exist(names),
            Test::SpecialUseExists { mailbox, uses } => {
                return self.special_uses_exist(mailbox.as_ref(), uses);
            }

            Test::ValidNotifyMethod(methods) => {
                return Ok(self.expand_all(methods)?.iter().all(|method| mailto::parse(method).is_ok()));
            }
            Test::Header { index, names, matching } => self.header_test(*index, names, matching)?,
            Test::Address { index, part, names, matching } => self.address(*index, *part, names, matching)?,
            Test::Envelope { part, names, matching } => self.envelope(*part, names, matching)?,
            Test::Body { transform, matching } => self.body_test(transform, matching)?,
            Test::Date(test) => self.date(test)?,
            Test::CurrentDate { zone, part, matching } => self.current_date(zone.as_ref(), part, matching)?,
            Test::String { sources, matching } => self.string(sources, matching)?,
            Test::HasFlag { variables, matching } => self.has_flag(variables.as_deref(), matching)?,
            Test::Environment { item, matching } => self.environment(item, matching)?,
            Test::Spam { percent, matching } => self.one(self.spam(*percent), matching)?,
            Test::Virus(matching) => {
                self.one(self.host.virus_level().unwrap_or(0).min(5).to_string(), matching)?
            }
            Test::NotifyMethodCapability { method, capability, matching } => {
                self.notify_method_capability(method, capability, matching)?
            }
        };
        Ok(self.settle(found))
    }

    /// Whether one of the tests comes out as wanted; those behind it are not asked (RFC 5229 §3.2).
    fn first(&mut self, tests: &[Test], wanted: bool) -> Checked<bool> {
        for test in tests {
            if self.test(test)? == wanted {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// A test on a single value that is there.
    fn one(&self, value: impl Into<String>, matching: &Matching) -> Checked<Found> {
        let value = Value::new(value);
        if matches!(matching.match_type, MatchType::Count(_)) {
            // RFC 5183 §4, RFC 5435 §5: an empty value counts for nothing.
            return self.count(usize::from(!value.as_str().is_empty()), matching);
        }
        self.compare(&value, matching, true)
    }

    /// Whether one of the values matches; with `:count`, whether their number does.
    fn any<'v>(
        &self,
        values: impl Iterator<Item = &'v Value>,
        matching: &Matching,
        captures: bool,
    ) -> Checked<Found> {
        if matches!(matching.match_type, MatchType::Count(_)) {
            let count = values.count();
            self.charge(count as u64 / FIELDS_PER_STEP)?;
            return self.count(count, matching);
        }
        for value in values {
            self.charge(1)?;
            let found = self.compare(value, matching, captures)?;
            if found.is_match() {
                return Ok(found);
            }
        }
        Ok(Found::No)
    }

    /// A part of mailboxes; `:count` counts the mailboxes, whatever parts they have (RFC 5231 §4.2).
    fn any_mailbox<'v>(
        &self,
        mailboxes: impl Iterator<Item = &'v Mailbox>,
        part: AddressPart,
        matching: &Matching,
    ) -> Checked<Found> {
        match matching.match_type {
            MatchType::Count(_) => {
                let count = mailboxes.filter(|mailbox| !mailbox.is_null()).count();
                self.charge(count as u64 / FIELDS_PER_STEP)?;
                self.count(count, matching)
            }
            _ => self.any(mailboxes.filter_map(|mailbox| mailbox.part(part)), matching, true),
        }
    }

    fn count(&self, count: usize, matching: &Matching) -> Checked<Found> {
        self.compare(&Value::new(count.to_string()), matching, false)
    }

    /// The name of a field, in lower case.
    fn folded<'t>(&self, name: &'t Text) -> Checked<Cow<'t, str>> {
        match name.constant() {
            // It was folded when the script was compiled.
            Some(name) => Ok(Cow::Borrowed(name)),
            None => Ok(Cow::Owned(self.expand(name)?.to_ascii_lowercase())),
        }
    }

    /// Names of fields that are to be looked for, which costs by their number and that of the fields.
    fn folded_all<'t>(&self, names: &'t [Text]) -> Checked<Vec<Cow<'t, str>>> {
        let each = 1 + self.header.len() as u64 / FIELDS_PER_STEP;
        self.charge((names.len() as u64).saturating_sub(1).saturating_mul(each))?;
        names.iter().map(|name| self.folded(name)).collect()
    }

    /// RFC 5228 §5.5
    fn exists(&self, names: &[Text]) -> Checked<bool> {
        Ok(self.folded_all(names)?.iter().all(|name| self.header.has(name)))
    }

    /// RFC 5228 §5.7
    fn header_test(&self, index: Option<Index>, names: &[Text], matching: &Matching) -> Checked<Found> {
        let names = self.folded_all(names)?;
        let fields = self.header.select(&names, index);
        self.any(fields.iter().map(|field| self.header.text(field)), matching, true)
    }

    /// RFC 5228 §5.1
    fn address(
        &self,
        index: Option<Index>,
        part: AddressPart,
        names: &[Text],
        matching: &Matching,
    ) -> Checked<Found> {
        let names = self.folded_all(names)?;
        let mut fields = self.header.select(&names, index);
        fields.retain(|field| field::holds_addresses(field.name()));
        let mailboxes = fields.iter().flat_map(|field| self.header.mailboxes(field));
        self.any_mailbox(mailboxes, part, matching)
    }

    /// RFC 5228 §5.4
    fn envelope(&self, part: AddressPart, names: &[Text], matching: &Matching) -> Checked<Found> {
        let mut values = Vec::new();
        for name in self.expand_all(names)? {
            let address = match name.to_ascii_lowercase().as_str() {
                "from" => match self.mail.sender {
                    // The null path is the empty text, whatever part is asked for.
                    ReversePath::Null => {
                        values.push(Mailbox::null());
                        continue;
                    }
                    ReversePath::Address(address) => address,
                },
                "to" => self.mail.recipient,
                _ => continue,
            };
            values.push(Mailbox::new(address.local.as_str(), &address.host.to_string()));
        }
        self.any_mailbox(values.iter(), part, matching)
    }

    /// RFC 5173. Its matches set no match variables (§6).
    fn body_test(&self, transform: &Transform, matching: &Matching) -> Checked<Found> {
        match transform {
            Transform::Raw => self.any(self.body.undecoded().map_err(unreadable)?.iter(), matching, false),
            Transform::Text => self.any(self.body.text().map_err(unreadable)?.iter(), matching, false),
            Transform::Content(types) => self.content(&self.expand_all(types)?, matching),
        }
    }

    fn content(&self, types: &[String], matching: &Matching) -> Checked<Found> {
        self.charge((types.len() * self.mail.tree.parts().len()) as u64 / FIELDS_PER_STEP)?;
        let parts = types.iter().flat_map(|wanted| self.body.parts_of_type(wanted));
        if matches!(matching.match_type, MatchType::Count(_)) {
            return self.count(parts.count(), matching);
        }
        for part in parts {
            let found = self.any(self.body.content(part).map_err(unreadable)?.iter(), matching, false)?;
            if found.is_match() {
                return Ok(found);
            }
        }
        Ok(Found::No)
    }

    /// RFC 5260 §4
    fn date(&self, test: &DateTest) -> Checked<Found> {
        let name = self.folded(&test.header)?;
        let names = [name];
        let index = test.index.unwrap_or(Index { number: 1, last: false });
        let fields = self.header.select(&names, Some(index));
        let text = fields.first().map(|field| self.header.text(field).as_str());
        // The date of a Received field stands behind its last semicolon.
        let text = text.map(|text| text.rsplit_once(';').map_or(text, |(_, behind)| behind));
        let Some(found) = text.and_then(|text| date::parse(text.as_bytes())) else {
            return match test.matching.match_type {
                MatchType::Count(_) => self.count(0, &test.matching),
                _ => Ok(Found::No),
            };
        };
        let zone = match &test.zone {
            Zone::Local => self.mail.zone_minutes,
            Zone::Original => found.zone_minutes,
            Zone::Given(zone) => self.zone(zone)?,
        };
        self.date_part(found.at, zone, &test.part, &test.matching)
    }

    /// RFC 5260 §5
    fn current_date(&self, zone: Option<&Text>, part: &Text, matching: &Matching) -> Checked<Found> {
        let zone = match zone {
            Some(zone) => self.zone(zone)?,
            None => self.mail.zone_minutes,
        };
        self.date_part(self.mail.now, zone, part, matching)
    }

    fn date_part(&self, at: Timestamp, zone: i16, part: &Text, matching: &Matching) -> Checked<Found> {
        let name = self.expand(part)?;
        let part = DatePart::from_name(&name).ok_or_else(|| format!("a date has no part {name:?}"))?;
        self.one(part.print(at, zone), matching)
    }

    fn zone(&self, text: &Text) -> Checked<i16> {
        let text = self.expand(text)?;
        zone::parse(&text).ok_or_else(|| format!("{text:?} is no time zone, such as +0100"))
    }

    /// RFC 5229 §5
    fn string(&self, sources: &[Text], matching: &Matching) -> Checked<Found> {
        let values: Vec<Value> = self.expand_all(sources)?.into_iter().map(Value::new).collect();
        if matches!(matching.match_type, MatchType::Count(_)) {
            // An empty string counts for nothing.
            let count = values.iter().filter(|value| !value.as_str().is_empty()).count();
            return self.count(count, matching);
        }
        self.any(values.iter(), matching, true)
    }

    /// RFC 5232 §4
    fn has_flag(&self, variables: Option<&[Variable]>, matching: &Matching) -> Checked<Found> {
        let lists: Vec<&str> = match variables {
            Some(variables) => variables.iter().map(|variable| self.get(variable)).collect(),
            None => vec![self.flags.as_str()],
        };
        let most = self.limits.flags;
        let values: Vec<Value> =
            lists.into_iter().flat_map(|list| flags::words([list], most)).map(Value::new).collect();
        self.any(values.iter(), matching, true)
    }

    /// RFC 5183 §4
    fn environment(&self, item: &Text, matching: &Matching) -> Checked<Found> {
        self.charge_question()?;
        match self.host.environment(&self.expand(item)?.to_ascii_lowercase()) {
            Some(value) => self.one(value, matching),
            None => Ok(Found::No),
        }
    }

    /// RFC 5435 §5
    fn notify_method_capability(
        &self,
        method: &Text,
        capability: &Text,
        matching: &Matching,
    ) -> Checked<Found> {
        let known = mailto::parse(&self.expand(method)?).is_ok();
        if !known || !self.expand(capability)?.eq_ignore_ascii_case("online") {
            return Ok(Found::No);
        }
        // RFC 5436 §2.3: whether somebody reads their mail now can't be known.
        self.one("maybe", matching)
    }

    /// RFC 5490 §3.1
    fn mailboxes_exist(&self, names: &[Text]) -> Checked<bool> {
        for name in names {
            self.charge_question()?;
            let name = MailboxName::new(&self.expand(name)?);
            if !name.is_ok_and(|name| self.host.mailbox_exists(&name)) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// RFC 8579 §4
    fn special_uses_exist(&self, mailbox: Option<&Text>, uses: &[Text]) -> Checked<bool> {
        let mailbox = match self.expand_optional(mailbox)?.map(|name| MailboxName::new(&name)) {
            Some(Err(_)) => return Ok(false),
            Some(Ok(mailbox)) => Some(mailbox),
            None => None,
        };
        for text in uses {
            self.charge_question()?;
            let special_use = SpecialUse::from_attribute(&self.expand(text)?);
            if !special_use
                .is_some_and(|special_use| self.host.special_use_exists(special_use, mailbox.as_ref()))
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// RFC 5235 §2: 0 is untested, 1 is clear, 10 or 100 is surely spam.
    fn spam(&self, percent: bool) -> String {
        let found = self.host.spam_percent().map(|found| u32::from(found.min(100)));
        let value = match (found, percent) {
            (None, _) => 0,
            (Some(found), true) => found,
            (Some(found), false) => 1 + (found * 9 + 50) / 100,
        };
        value.to_string()
    }

    /// RFC 7352 §3
    fn duplicate(&mut self, duplicate: &program::Duplicate) -> Checked<bool> {
        const WEEK: u64 = 7 * 86_400;
        let id = match &duplicate.id {
            program::DuplicateId::Given(id) => Some(self.expand(id)?),
            program::DuplicateId::Header(name) => {
                let name = self.expand(name)?.to_ascii_lowercase();
                self.header.first_text(&name).map(str::to_owned)
            }
        };
        let seconds = duplicate.seconds.unwrap_or(WEEK).min(self.limits.duplicate_seconds);
        let Some(id) = id.filter(|_| seconds > 0) else { return Ok(false) };
        let handle = self.expand_optional(duplicate.handle.as_ref())?;
        let id = DuplicateId { handle, id };
        let known = match self.looked_up.get(&id) {
            Some(known) => *known,
            None => {
                if self.looked_up.len() >= self.limits.actions {
                    return Err(format!(
                        "too many different \"duplicate\" tests: {} at most",
                        self.limits.actions
                    ));
                }
                let known = self.host.is_duplicate(&id);
                self.looked_up.insert(id.clone(), known);
                known
            }
        };
        self.duplicates.retain(|seen| seen.id != id);
        self.duplicates.push(Seen { id, seconds, renew: duplicate.last });
        if known {
            self.note("this message came before");
        }
        Ok(known)
    }
}

/// Fields or parts that are passed over in the time of one step.
const FIELDS_PER_STEP: u64 = 8;
