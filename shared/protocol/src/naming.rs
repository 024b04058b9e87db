//! What things are called for people: names in the place of whole ids, where a refusal says `bob (1a2b3c4d…)` to a reader
//! who knows who that is; and what a mapping is about.

use canton_topology::mapping::Mapping;

/// A text with names where the reader knows them. `name` is asked for every word that could be an id; what stands behind a
/// parenthesis has its name already.
pub fn with_names(text: &str, name: impl Fn(&str) -> Option<String>) -> String {
    let mut named = String::with_capacity(text.len());
    for piece in text.split_inclusive(|c| !is_of_id(c)) {
        let id = piece.trim_end_matches(|c| !is_of_id(c) || c == ':');
        match name(id).filter(|_| !named.ends_with('(')) {
            Some(name) => named.push_str(&format!("{name} ({}…)", short(id))),
            None => named.push_str(id),
        }
        named.push_str(&piece[id.len()..]);
    }
    named
}

fn is_of_id(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ':')
}

/// The first eight hex digits after `1220`, with what stands before them in the id.
fn short(id: &str) -> String {
    let (hint, namespace) = id.rsplit_once("::").map_or(("", id), |(hint, namespace)| (hint, namespace));
    let digits = namespace.get(4..12).unwrap_or(namespace);
    if hint.is_empty() { digits.to_owned() } else { format!("{hint}::{digits}") }
}

/// What a mapping is about, for people.
pub fn subject(mapping: &Mapping) -> String {
    match mapping {
        Mapping::NamespaceDelegation(m) => format!("{} to key {}", m.namespace, m.target.fingerprint()),
        Mapping::PartyToParticipant(m) => m.party.to_string(),
        Mapping::PartyToKeyMapping(m) => m.party.to_string(),
        Mapping::PartyHostingLimits(m) => m.party.to_string(),
        Mapping::OwnerToKeyMapping(m) => m.member.to_string(),
        Mapping::SynchronizerTrustCertificate(m) => m.participant.to_string(),
        Mapping::ParticipantSynchronizerPermission(m) => m.participant.to_string(),
        Mapping::VettedPackages(m) => m.participant.to_string(),
        Mapping::MediatorSynchronizerState(m) => format!("group {}", m.group),
        Mapping::LsuSequencerConnectionSuccessor(m) => m.sequencer.to_string(),
        Mapping::DecentralizedNamespaceDefinition(_)
        | Mapping::SynchronizerParametersState(_)
        | Mapping::SequencerSynchronizerState(_)
        | Mapping::DynamicSequencingParametersState(_)
        | Mapping::LsuAnnouncement(_) => mapping.namespace().to_string(),
    }
}
