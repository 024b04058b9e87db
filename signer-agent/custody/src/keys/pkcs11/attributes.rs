//! What a token says of a private key, and what of it makes the key weaker than it should be.

use cryptoki::{
    object::{Attribute, AttributeType, ObjectHandle},
    session::Session,
};
use serde::{Deserialize, Serialize};

use super::failure::Failure;

/// A weakness that an owner may accept by name: what some tokens and tools give every key, whether asked to or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Acceptable {
    /// CKA_MODIFIABLE: whoever is logged in may change what the key is allowed to do.
    Modifiable,
    /// CKA_DECRYPT
    Decrypt,
    /// CKA_UNWRAP
    Unwrap,
    /// CKA_DERIVE
    Derive,
    /// CKA_SIGN_RECOVER
    SignRecover,
    /// CKA_WRAP
    Wrap,
    /// CKA_LOCAL is false: the key was once elsewhere.
    Imported,
}

impl Acceptable {
    fn name(self) -> &'static str {
        match self {
            Self::Modifiable => "modifiable",
            Self::Decrypt => "decrypt",
            Self::Unwrap => "unwrap",
            Self::Derive => "derive",
            Self::SignRecover => "sign-recover",
            Self::Wrap => "wrap",
            Self::Imported => "imported",
        }
    }
}

const ASKED: [AttributeType; 15] = [
    AttributeType::Token,
    AttributeType::Private,
    AttributeType::Sensitive,
    AttributeType::AlwaysSensitive,
    AttributeType::Extractable,
    AttributeType::NeverExtractable,
    AttributeType::Local,
    AttributeType::Modifiable,
    AttributeType::Sign,
    AttributeType::SignRecover,
    AttributeType::Decrypt,
    AttributeType::Unwrap,
    AttributeType::Wrap,
    AttributeType::Derive,
    AttributeType::AlwaysAuthenticate,
];

/// The attributes of a private key. `None` is what the token does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Attributes {
    token: Option<bool>,
    private: Option<bool>,
    sensitive: Option<bool>,
    always_sensitive: Option<bool>,
    extractable: Option<bool>,
    never_extractable: Option<bool>,
    local: Option<bool>,
    modifiable: Option<bool>,
    sign: Option<bool>,
    sign_recover: Option<bool>,
    decrypt: Option<bool>,
    unwrap: Option<bool>,
    wrap: Option<bool>,
    derive: Option<bool>,
    always_authenticate: Option<bool>,
}

impl Attributes {
    /// Asks the token.
    ///
    /// # Errors
    /// [`Failure::Lost`].
    pub fn read(session: &Session, key: ObjectHandle) -> Result<Self, Failure> {
        let mut read = Self::default();
        for attribute in session.get_attributes(key, &ASKED)? {
            match attribute {
                Attribute::Token(is) => read.token = Some(is),
                Attribute::Private(is) => read.private = Some(is),
                Attribute::Sensitive(is) => read.sensitive = Some(is),
                Attribute::AlwaysSensitive(is) => read.always_sensitive = Some(is),
                Attribute::Extractable(is) => read.extractable = Some(is),
                Attribute::NeverExtractable(is) => read.never_extractable = Some(is),
                Attribute::Local(is) => read.local = Some(is),
                Attribute::Modifiable(is) => read.modifiable = Some(is),
                Attribute::Sign(is) => read.sign = Some(is),
                Attribute::SignRecover(is) => read.sign_recover = Some(is),
                Attribute::Decrypt(is) => read.decrypt = Some(is),
                Attribute::Unwrap(is) => read.unwrap = Some(is),
                Attribute::Wrap(is) => read.wrap = Some(is),
                Attribute::Derive(is) => read.derive = Some(is),
                Attribute::AlwaysAuthenticate(is) => read.always_authenticate = Some(is),
                _ => return Err(Failure::Lost("C_GetAttributeValue answers what was not asked".to_owned())),
            }
        }
        Ok(read)
    }

    /// Whether the token wants the PIN for each signature.
    pub fn wants_pin_each_time(&self) -> bool {
        self.always_authenticate == Some(true)
    }

    /// For people.
    pub fn facts(&self) -> Vec<(String, String)> {
        let said = |is: Option<bool>| match is {
            Some(true) => "yes",
            Some(false) => "no",
            None => "not said",
        };
        [
            ("made-on-the-token", self.local),
            ("private", self.private),
            ("sensitive", self.sensitive),
            ("always-sensitive", self.always_sensitive),
            ("extractable", self.extractable),
            ("never-extractable", self.never_extractable),
            ("modifiable", self.modifiable),
            ("signs", self.sign),
            ("signs-with-recovery", self.sign_recover),
            ("decrypts", self.decrypt),
            ("unwraps", self.unwrap),
            ("wraps", self.wrap),
            ("derives", self.derive),
            ("pin-for-each-signature", self.always_authenticate),
        ]
        .into_iter()
        .map(|(name, is)| (name.to_owned(), said(is).to_owned()))
        .collect()
    }

    /// What makes the key weaker than it should be, but for what the owner accepts. What the token does not say counts
    /// against the key where it would let the secret out.
    pub fn weaknesses(&self, accepted: &[Acceptable]) -> Vec<String> {
        let never = [
            (self.token == Some(false), "CKA_TOKEN is false: the key ends with the session"),
            (self.private != Some(true), "CKA_PRIVATE is not true: it is used without a PIN"),
            (self.sensitive != Some(true), "CKA_SENSITIVE is not true: the token shows the secret"),
            (self.extractable != Some(false), "CKA_EXTRACTABLE is not false: the secret can leave the token"),
            (self.sign == Some(false), "CKA_SIGN is false: it does not sign"),
            (
                self.local == Some(true) && self.always_sensitive != Some(true),
                "CKA_ALWAYS_SENSITIVE is not true: the token has shown the secret once",
            ),
            (
                self.local == Some(true) && self.never_extractable != Some(true),
                "CKA_NEVER_EXTRACTABLE is not true: the secret could leave the token once",
            ),
        ];
        let perhaps = [
            (self.local != Some(true), Acceptable::Imported, "CKA_LOCAL is not true: the secret was elsewhere once"),
            (
                self.modifiable != Some(false),
                Acceptable::Modifiable,
                "CKA_MODIFIABLE is not false: its uses can change",
            ),
            (self.sign_recover == Some(true), Acceptable::SignRecover, "CKA_SIGN_RECOVER is true"),
            (self.decrypt == Some(true), Acceptable::Decrypt, "CKA_DECRYPT is true"),
            (self.unwrap == Some(true), Acceptable::Unwrap, "CKA_UNWRAP is true"),
            (self.wrap == Some(true), Acceptable::Wrap, "CKA_WRAP is true"),
            (self.derive == Some(true), Acceptable::Derive, "CKA_DERIVE is true"),
        ];
        let never = never.into_iter().filter(|(is, _)| *is).map(|(_, words)| words.to_owned());
        let perhaps = perhaps
            .into_iter()
            .filter(|(is, name, _)| *is && !accepted.contains(name))
            .map(|(_, name, words)| format!("{words} (`accept = [\"{}\"]` in its section takes it so)", name.name()));
        never.chain(perhaps).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strong() -> Attributes {
        Attributes {
            token: Some(true),
            private: Some(true),
            sensitive: Some(true),
            always_sensitive: Some(true),
            extractable: Some(false),
            never_extractable: Some(true),
            local: Some(true),
            modifiable: Some(false),
            sign: Some(true),
            ..Attributes::default()
        }
    }

    #[test]
    fn a_key_made_as_it_should_be_has_no_weakness() {
        assert_eq!(strong().weaknesses(&[]), Vec::<String>::new());
    }

    #[test]
    fn each_weakness_is_named_by_its_attribute() {
        type Weaken = fn(&mut Attributes);
        let ways: [(&str, Weaken, Option<Acceptable>); 14] = [
            ("CKA_TOKEN", |key| key.token = Some(false), None),
            ("CKA_PRIVATE", |key| key.private = Some(false), None),
            ("CKA_SENSITIVE", |key| key.sensitive = None, None),
            ("CKA_EXTRACTABLE", |key| key.extractable = Some(true), None),
            ("CKA_SIGN", |key| key.sign = Some(false), None),
            ("CKA_ALWAYS_SENSITIVE", |key| key.always_sensitive = Some(false), None),
            ("CKA_NEVER_EXTRACTABLE", |key| key.never_extractable = None, None),
            ("CKA_LOCAL", |key| key.local = Some(false), Some(Acceptable::Imported)),
            ("CKA_MODIFIABLE", |key| key.modifiable = Some(true), Some(Acceptable::Modifiable)),
            ("CKA_SIGN_RECOVER", |key| key.sign_recover = Some(true), Some(Acceptable::SignRecover)),
            ("CKA_DECRYPT", |key| key.decrypt = Some(true), Some(Acceptable::Decrypt)),
            ("CKA_UNWRAP", |key| key.unwrap = Some(true), Some(Acceptable::Unwrap)),
            ("CKA_WRAP", |key| key.wrap = Some(true), Some(Acceptable::Wrap)),
            ("CKA_DERIVE", |key| key.derive = Some(true), Some(Acceptable::Derive)),
        ];
        for (name, weaken, acceptable) in ways {
            let mut key = strong();
            weaken(&mut key);

            let weaknesses = key.weaknesses(&[]);

            assert_eq!(weaknesses.len(), 1, "{name}: {weaknesses:?}");
            assert!(weaknesses[0].starts_with(&format!("{name} is ")), "{name}: {weaknesses:?}");
            if let Some(accepted) = acceptable {
                assert_eq!(key.weaknesses(&[accepted]), Vec::<String>::new(), "{name}");
            }
        }
    }
}
