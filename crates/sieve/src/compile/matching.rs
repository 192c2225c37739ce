//! The tags that many tests share: match type, comparator, address part, index.

use super::Compiler;
use super::arguments::{Arguments, Written};
use crate::compare::{Comparator, Key, MatchType, Matching, Pattern, Relation};
use crate::error::Fault;
use crate::extension::Extension;
use crate::program::{AddressPart, Index};

/// The tags of a test that compares, gathered.
#[derive(Default)]
pub(super) struct MatchTags {
    match_type: Option<MatchType>,
    comparator: Option<Comparator>,
    address_part: Option<AddressPart>,
    index: Option<u64>,
    last: Option<usize>,
}

impl MatchTags {
    /// Takes a tag with what belongs to it, if it is a match type or a comparator.
    pub(super) fn take(
        &mut self,
        compiler: &Compiler<'_>,
        arguments: &mut Arguments<'_>,
        (tag, at): Written<'_>,
    ) -> Result<bool, Fault> {
        let match_type = match tag {
            "comparator" => {
                self.comparator = Some(compiler.comparator(arguments.string("the comparator's name")?)?);
                return Ok(true);
            }
            "is" => MatchType::Is,
            "contains" => MatchType::Contains,
            "matches" => MatchType::Matches,
            "regex" => {
                compiler.need(Extension::Regex, at, "\":regex\"")?;
                MatchType::Regex
            }
            "count" | "value" => {
                compiler.need(Extension::Relational, at, &format!("\":{tag}\""))?;
                let (name, place) = arguments.string("how to compare")?;
                let relation = Relation::from_name(name);
                let relation = relation.ok_or_else(|| {
                    Fault::new(
                        place,
                        format!("\":{tag}\" is followed by \"gt\", \"ge\", \"lt\", \"le\", \"eq\" or \"ne\""),
                    )
                })?;
                if tag == "count" { MatchType::Count(relation) } else { MatchType::Value(relation) }
            }
            _ => return Ok(false),
        };
        if self.match_type.replace(match_type).is_some() {
            return Err(Fault::new(at, "a test can have one match type only"));
        }
        Ok(true)
    }

    /// Takes a tag if it says which part of an address is meant.
    pub(super) fn take_part(
        &mut self,
        compiler: &Compiler<'_>,
        (tag, at): Written<'_>,
    ) -> Result<bool, Fault> {
        let part = match tag {
            "all" => AddressPart::All,
            "localpart" => AddressPart::Local,
            "domain" => AddressPart::Domain,
            "user" => AddressPart::User,
            "detail" => AddressPart::Detail,
            _ => return Ok(false),
        };
        if matches!(part, AddressPart::User | AddressPart::Detail) {
            compiler.need(Extension::Subaddress, at, &format!("\":{tag}\""))?;
        }
        if self.address_part.replace(part).is_some() {
            return Err(Fault::new(at, "a test can look at one part of an address only"));
        }
        Ok(true)
    }

    /// Takes a tag if it belongs to `index` (RFC 5260 §6).
    pub(super) fn take_index(
        &mut self,
        compiler: &Compiler<'_>,
        arguments: &mut Arguments<'_>,
        (tag, at): Written<'_>,
    ) -> Result<bool, Fault> {
        match tag {
            "index" => self.index = Some(arguments.number("the field's number")?),
            "last" => self.last = Some(at),
            _ => return Ok(false),
        }
        // RFC 5293 §5 has tags of the same name.
        if arguments.node.name != "deleteheader" {
            compiler.need(Extension::Index, at, &format!("\":{tag}\""))?;
        }
        Ok(true)
    }

    pub(super) fn index(&self) -> Result<Option<Index>, Fault> {
        match (self.index, self.last) {
            (Some(number), last) => Ok(Some(Index { number, last: last.is_some() })),
            (None, Some(at)) => Err(Fault::new(at, "\":last\" needs \":index\"")),
            (None, None) => Ok(None),
        }
    }

    pub(super) fn address_part(&self) -> AddressPart {
        self.address_part.unwrap_or(AddressPart::All)
    }

    /// With the keys, the whole comparison. Texts are compared by `i;ascii-casemap` unless the test says otherwise.
    pub(super) fn matching(
        self,
        compiler: &mut Compiler<'_>,
        keys: Vec<Written<'_>>,
    ) -> Result<Matching, Fault> {
        let match_type = self.match_type.unwrap_or(MatchType::Is);
        let comparator = self.comparator.unwrap_or(Comparator::AsciiCasemap);
        let parts = matches!(match_type, MatchType::Contains | MatchType::Matches | MatchType::Regex);
        if parts && comparator == Comparator::AsciiNumeric {
            // RFC 4790 §9.1.1: it knows no substrings.
            let at = keys.first().map_or(0, |(_, at)| *at);
            return Err(Fault::new(at, "\"i;ascii-numeric\" compares whole numbers, not parts of a text"));
        }
        let keys = keys
            .into_iter()
            .map(|key| compiler.key(key, match_type, comparator))
            .collect::<Result<_, _>>()?;
        Ok(Matching { comparator, match_type, keys })
    }
}

impl Compiler<'_> {
    fn comparator(&self, (name, at): Written<'_>) -> Result<Comparator, Fault> {
        let known = Comparator::ALL.into_iter().find(|(known, _)| *known == name);
        let Some((_, comparator)) = known else {
            return Err(Fault::new(at, format!("there is no comparator {name:?}")));
        };
        let extension = match comparator {
            Comparator::Octet | Comparator::AsciiCasemap => return Ok(comparator),
            Comparator::AsciiNumeric => Extension::ComparatorAsciiNumeric,
            Comparator::UnicodeCasemap => Extension::ComparatorUnicodeCasemap,
        };
        self.need(extension, at, &format!("the comparator \"{name}\"")).map(|()| comparator)
    }

    fn key(&mut self, key: Written<'_>, match_type: MatchType, comparator: Comparator) -> Result<Key, Fault> {
        if match_type == MatchType::Regex {
            self.regexes += 1;
            if self.regexes > self.limits.regexes {
                let message = format!("too many regular expressions: {} at most", self.limits.regexes);
                return Err(Fault::new(key.1, message));
            }
        }
        let text = self.text(key)?;
        match text.constant() {
            Some(constant) => Pattern::new(constant, match_type, comparator, self.limits)
                .map(Key::Ready)
                .map_err(|message| Fault::new(key.1, message)),
            None => Ok(Key::Text(text)),
        }
    }
}
