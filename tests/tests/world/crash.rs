//! How an agent dies, and what rises from its folder.

use std::collections::BTreeMap;

use custody::journal::Journal;
use protocol::{intent::CaseId, statement::Statement};

use super::{Owner, World};

impl World {
    /// An owner's agent is gone with everything that it had open; another process rises from its folder, as
    /// `signer_agent::process` does, and reads its inbox on from there.
    pub fn crash_agent(&mut self, owner: usize) {
        let mut agent = self.fresh_agent(owner);
        let Owner { card, rules, folder, keyring, identity, node, .. } = self.owners.remove(owner);
        let journal = Journal::open(&folder.journal()).unwrap();
        let (outgoing, said) = folder.outgoing().unwrap();
        for statement in &said {
            agent.remember(statement).unwrap();
        }
        let (seen, all) = folder.seen().unwrap();
        let seen_count = all.len() as u64;
        for one in all {
            agent.receive(Statement::parse(&one.statement.0).unwrap(), one.position).unwrap();
        }
        let mut positions: BTreeMap<CaseId, u64> = BTreeMap::new();
        let numbered = self.stored.iter().map(|statement| {
            let position = positions.entry(statement.case().unwrap()).or_default();
            *position += 1;
            (statement.clone(), *position - 1)
        });
        let inbox = numbered.skip(seen_count as usize).collect();
        let risen =
            Owner { agent, journal, card, inbox, outgoing, rules, folder, seen, seen_count, keyring, identity, node };
        self.owners.insert(owner, risen);
    }

    /// The same where the statements that it had read are lost too, and its journal is not.
    pub fn crash_agent_without_its_statements(&mut self, owner: usize) {
        let path = self._folder.path().join(format!("owner{owner}")).join("statements.jsonl");
        std::fs::remove_file(path).unwrap();
        self.crash_agent(owner);
    }
}
