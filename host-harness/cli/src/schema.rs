use std::process::ExitCode;

use host_harness::scenario::Scenario;

use crate::output::outln;

/// Print the JSON Schema of scenarios.
///
/// Editors check a scenario while it is written and complete its keys, if they know the schema. For
/// the YAML language server, which many editors use, this is a comment in the scenario's first line.
/// The exit code is 0.
#[derive(clap::Args)]
#[command(after_help = "Example:
  harness schema > scenario.schema.json
  echo '# yaml-language-server: $schema=scenario.schema.json' > scenario.yaml")]
pub(crate) struct Schema;

impl Schema {
    #[allow(clippy::unused_self, reason = "all commands have this signature")]
    pub(crate) fn run(self) -> ExitCode {
        outln!("{:#}", Scenario::schema());
        ExitCode::SUCCESS
    }
}
