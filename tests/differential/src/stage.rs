//! The steps of a scenario on any stage, without its expectations.

use host_harness::scenario::{End, Stage, StageError, Step};

/// Performs a step.
pub(crate) fn play(step: &Step, stage: &mut dyn Stage) -> Result<(), StageError> {
    match step {
        Step::Connect(connect) => stage.connect(connect),
        Step::Client(act) => stage.perform(End::Client, act),
        Step::Server(act) => stage.perform(End::Server, act),
        Step::AtOnce(at_once) => stage.at_once(at_once),
        Step::Update(update) => stage.update(update),
        Step::Drain(side) => stage.drain(*side),
        Step::Advance(by) => {
            stage.advance(*by);
            Ok(())
        }
        Step::Expect(_) => Ok(()),
    }
}

/// The names of the connections that the steps open.
pub(crate) fn connections(steps: &[Step]) -> Vec<String> {
    let names = steps.iter().filter_map(|step| match step {
        Step::Connect(connect) => Some(connect.connection.clone()),
        _ => None,
    });
    names.collect()
}
