//! `org profile new`

use crate::base::environment::EnvName;
use crate::base::fault::Fault;
use crate::base::name::InvalidName;
use crate::command::argument::ProfileWord;
use crate::command::org::context::organization;
use crate::command::{Command, Cx, Effect};
use crate::org::operations;
use crate::org::store::OrgStore;
use crate::report::{Message, Report};

/// Create a profile
///
/// It extends another profile. `org promote @NAME` then generates the environment.
#[derive(Debug, clap::Args)]
pub struct New {
    /// The name of the profile, and of its environment
    #[arg(value_parser = profile_name)]
    name: EnvName,
    /// The profile to extend
    #[arg(long, value_name = "PROFILE", default_value = "dev")]
    extends: ProfileWord,
}

fn profile_name(given: &str) -> Result<EnvName, InvalidName> {
    given.parse().map_err(|error| InvalidName { what: "a profile", ..error })
}

impl Command for New {
    const NAME: &'static str = "org profile new";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &["org profile new qa --extends staging"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let org = organization(cx)?;
        let store = OrgStore::open(cx.paths, &org)?;
        let path = operations::new_profile(&store, &self.name, &self.extends.0)?;
        let path = path.display().to_string();
        let said = Message::new(format!("created {path}")).with("name", self.name.as_str()).with("path", path);
        Ok(Report::of(said).note(format!("next: edit it, then `tsm org promote @{}`", self.name)))
    }
}
