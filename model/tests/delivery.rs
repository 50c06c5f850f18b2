//! The model holds; and each planted error is found, so the check would find it in the design.
#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeSet,
    env,
    io::{Write, stderr},
    thread::available_parallelism,
};

use natter_model::{Delivery, Planted};
use stateright::{Checker, HasDiscoveries, Model};

/// Three faults are a repeat of which an answer was lost, which the duplicate window forgot, and which cannot be looked up.
/// What another conversation changes needs two.
const BOUNDS: &str = "1,1,0,3 1,1,1,2";

/// The client's own messages, those of others there and elsewhere, and faults. `make model` sets larger ones.
fn models() -> Vec<Delivery> {
    let bounds = env::var("MODEL_BOUNDS").unwrap_or_else(|_| BOUNDS.to_owned());
    bounds.split(' ').map(model).collect()
}

fn model(bounds: &str) -> Delivery {
    let numbers: Vec<u8> = bounds.split(',').map(|number| number.parse().unwrap()).collect();
    let [own, foreign, elsewhere, faults] = numbers[..] else {
        panic!("MODEL_BOUNDS is not four numbers: {bounds}")
    };
    Delivery { own, foreign, elsewhere, faults, planted: None }
}

#[test]
fn nothing_is_lost_doubled_or_skipped_whatever_fails() {
    for model in models() {
        let Delivery { own, foreign, elsewhere, faults, .. } = model;
        let checker = model.checker().threads(available_parallelism().unwrap().get()).spawn_bfs().join();
        // Past the capture of tests' output: whoever runs them sees how much was checked.
        let (reached, distinct) = (checker.state_count(), checker.unique_state_count());
        let size = format!("{own} own messages, {foreign} of others, {elsewhere} elsewhere, {faults} faults");
        writeln!(stderr(), "model: {size}: {distinct} states, reached in {reached} ways").unwrap();
        assert!(checker.is_done());
        checker.assert_properties();
    }
}

/// Violates this property, in some order of steps.
fn is_found(planted: Planted, property: &'static str) {
    let found = HasDiscoveries::AllOf(BTreeSet::from([property]));
    let elsewhere = u8::from(planted == Planted::FailedComparisonCounts);
    let model = Delivery { own: 1, foreign: 1, elsewhere, faults: 3, planted: Some(planted) };
    let checker = model.checker().finish_when(found).spawn_bfs().join();
    assert!(checker.discovery(property).is_some(), "found instead: {:?}", checker.discoveries().into_keys());
}

macro_rules! planted {
    ($($test:ident: $planted:ident => $property:literal;)*) => {$(
        #[test]
        fn $test() {
            is_found(Planted::$planted, $property);
        }
    )*};
}

planted! {
    a_client_that_ignores_the_chain_is_found: ClientIgnoresPrevSeq => "no silent gap";
    a_room_that_ignores_the_chain_is_found: RoomIgnoresPrevSeq => "no gap on the wire";
    a_head_that_is_not_watched_is_found: HeadsNotWatched => "everything arrives";
    a_failed_comparison_that_counts_is_found: FailedComparisonCounts => "everything arrives";
    a_failed_repair_that_ends_is_found: FailedRepairEnds => "everything arrives";
    a_floor_above_its_rows_is_found: FloorBeforeRows => "no hole";
    a_log_trimmed_above_the_floor_is_found: TrimAboveFloor => "no loss";
    a_repeat_that_is_not_looked_up_is_found: RepeatNotLookedUp => "no double";
    a_look_up_that_failed_and_counts_is_found: LookUpFailureIgnored => "no double";
    a_reload_that_forgets_attempts_is_found: ReloadForgetsAttempts => "no double";
    an_outbox_emptied_too_early_is_found: OutboxEmptiedBySending => "everything arrives";
    an_ack_before_the_log_stored_is_found: AckBeforeStored => "no loss";
}
