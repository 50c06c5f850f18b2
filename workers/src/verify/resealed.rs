//! A text that was sealed again in the store is the log's if it opens to the same.

use std::{collections::HashMap, ops::AddAssign};

use natter_schemas::{
    event::{Body, Event, LogEntry},
    id::Seq,
    rpc::RpcError,
};
use natter_seal::DataKeys;

/// Texts that are sealed otherwise in the store, and are no difference.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Resealed {
    /// They open to what the log has.
    pub equal: u64,
    /// Their keys are gone: only what is around the text was compared.
    pub unopened: u64,
}

impl AddAssign for Resealed {
    fn add_assign(&mut self, other: Self) {
        self.equal += other.equal;
        self.unopened += other.unopened;
    }
}

/// In place of what the store has, what the log has, where that is the same text sealed with an earlier key or in clear.
pub async fn take_as_logged(
    keys: &DataKeys,
    log: &[LogEntry],
    rows: &mut [LogEntry],
) -> Result<Resealed, RpcError> {
    let mut stored: HashMap<Seq, &mut LogEntry> = rows.iter_mut().map(|row| (row.seq, row)).collect();
    let pairs = log.iter().filter_map(|logged| {
        let stored = stored.remove(&logged.seq)?;
        is_resealed(&logged.event, &stored.event).then_some((logged, stored))
    });
    let mut pairs: Vec<_> =
        pairs.map(|(logged, stored)| (logged, logged.clone(), stored.clone(), stored)).collect();
    keys.open_entries(pairs.iter_mut().flat_map(|(_, log, store, _)| [log, store])).await;
    let mut found = Resealed::default();
    for (logged, mut log, mut store, stored) in pairs {
        // What is sealed still has no key, or could not be asked for: then nothing can be said.
        keys.open_or_fail(&mut log).await?;
        keys.open_or_fail(&mut store).await?;
        match (log.event.body(), store.event.body()) {
            (Some(Body::Plain(log)), Some(Body::Plain(store))) if log == store => found.equal += 1,
            (Some(Body::Sealed { .. }), _) | (_, Some(Body::Sealed { .. })) => found.unopened += 1,
            _ => continue,
        }
        *stored = logged.clone();
    }
    Ok(found)
}

/// Whether they are the same but for how the text is sealed.
fn is_resealed(log: &Event, store: &Event) -> bool {
    if store.key_version() <= log.key_version() {
        return false;
    }
    let mut same = store.clone();
    if let (Some(body), Some(logged)) = (same.body_mut(), log.body()) {
        *body = logged.clone();
    }
    same == *log
}
