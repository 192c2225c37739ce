//! The language's extensions and which of them a script may use.

macro_rules! extensions {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// An extension of the language (RFC 5228 §6.1).
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[repr(u8)]
        pub enum Extension { $($(#[$doc])* $name,)* }

        impl Extension {
            /// Every extension, in the order in which they are announced.
            pub const ALL: &[Extension] = &[$(Extension::$name,)*];

            /// The capability string that `require` names it by; case counts.
            pub fn name(self) -> &'static str {
                match self { $(Extension::$name => $text,)* }
            }
        }
    };
}

extensions! {
    /// RFC 5228 §4.1
    Fileinto = "fileinto",
    /// RFC 5429
    Reject = "reject",
    /// RFC 5429
    Ereject = "ereject",
    /// RFC 5228 §5.4
    Envelope = "envelope",
    /// RFC 5228 §2.4.2.4
    EncodedCharacter = "encoded-character",
    /// RFC 5230
    Vacation = "vacation",
    /// RFC 6131
    VacationSeconds = "vacation-seconds",
    /// RFC 5233
    Subaddress = "subaddress",
    /// RFC 4790 §9.2; needs no `require`, but may be named
    ComparatorAsciiCasemap = "comparator-i;ascii-casemap",
    /// RFC 4790 §9.3; needs no `require`, but may be named
    ComparatorOctet = "comparator-i;octet",
    /// RFC 4790 §9.1
    ComparatorAsciiNumeric = "comparator-i;ascii-numeric",
    /// RFC 5051
    ComparatorUnicodeCasemap = "comparator-i;unicode-casemap",
    /// RFC 5231
    Relational = "relational",
    /// draft-ietf-sieve-regex
    Regex = "regex",
    /// RFC 5232
    Imap4flags = "imap4flags",
    /// RFC 3894
    Copy = "copy",
    /// RFC 6609
    Include = "include",
    /// RFC 5229
    Variables = "variables",
    /// RFC 5173
    Body = "body",
    /// RFC 5435
    Enotify = "enotify",
    /// RFC 5183
    Environment = "environment",
    /// RFC 5490
    Mailbox = "mailbox",
    /// RFC 8579
    SpecialUse = "special-use",
    /// RFC 5260
    Date = "date",
    /// RFC 5260 §6
    Index = "index",
    /// RFC 5463
    Ihave = "ihave",
    /// RFC 7352
    Duplicate = "duplicate",
    /// RFC 5293
    Editheader = "editheader",
    /// RFC 5235
    Spamtest = "spamtest",
    /// RFC 5235 §2.3: adds `:percent`
    Spamtestplus = "spamtestplus",
    /// RFC 5235
    Virustest = "virustest",
}

impl Extension {
    /// The extension of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|extension| extension.name() == name)
    }

    /// Whether it changes how a script is read, so that `ihave` must not turn it on (RFC 5463 §4).
    pub(crate) fn changes_grammar(self) -> bool {
        matches!(self, Extension::EncodedCharacter | Extension::Variables | Extension::Ihave)
    }

    fn bit(self) -> u64 {
        1 << self as u8
    }
}

/// The extensions that a script may require: what ManageSieve announces as `SIEVE` (RFC 5804 §1.7).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Capabilities(u64);

impl Capabilities {
    /// All that this crate knows.
    pub fn all() -> Self {
        Extension::ALL.iter().fold(Capabilities(0), |all, extension| all.with(*extension))
    }

    /// The base language alone.
    pub fn none() -> Self {
        Capabilities(0)
    }

    /// With one extension more.
    pub fn with(self, extension: Extension) -> Self {
        Capabilities(self.0 | extension.bit())
    }

    /// With one extension less: `redirect`-like powers that a site does not want, `editheader`, `enotify`, ….
    pub fn without(self, extension: Extension) -> Self {
        Capabilities(self.0 & !extension.bit())
    }

    /// Whether an extension is among them.
    pub fn has(self, extension: Extension) -> bool {
        self.0 & extension.bit() != 0
    }

    /// Their names, in a fixed order.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Extension::ALL.iter().filter(move |extension| self.has(**extension)).map(|extension| extension.name())
    }
}
