//! `set`

use crate::base::fault::Fault;
use crate::base::suggest::closest_match;
use crate::command::argument::{SettingValue, SettingWord};
use crate::command::context::{InvalidSetting, SETTINGS, validation_error};
use crate::command::{Command, Cx, Effect};
use crate::report::{FollowUp, Report, Table, Visibility};

/// Show or change the settings of this session
///
/// For this session only; `config edit` opens the file with those that are kept.
#[derive(Debug, clap::Args)]
pub struct Set {
    /// The setting
    pub key: Option<SettingWord>,
    /// Its new value
    #[arg(requires = "key")]
    pub value: Option<SettingValue>,
}

impl Command for Set {
    const NAME: &'static str = "set";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["set", "set shell-escape on"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let mut rows = SETTINGS.to_vec();
        if let Some(SettingWord(key)) = &self.key {
            rows.retain(|setting| setting.name == key);
            if rows.is_empty() {
                let fault = Fault::usage(format!("unknown setting `{key}`"));
                return Err(match closest_match(key, SETTINGS.iter().map(|setting| setting.name)) {
                    Some(near) => fault.with_advice(format!("did you mean `{near}`?")),
                    None => fault.with_advice("`set` shows the settings"),
                });
            }
        }
        if let (Some(SettingWord(key)), Some(SettingValue(value))) = (self.key, self.value) {
            if let Some(InvalidSetting { why, near }) = validation_error(&key, &value) {
                let fault = Fault::usage(format!("invalid value `{value}` for `{key}`: {why}"));
                return Err(match near {
                    Some(near) => fault.with_advice(format!("did you mean `set {key} {near}`?")),
                    None => fault,
                });
            }
            return Ok(Report::then(FollowUp::Set { key, value }));
        }
        let mut table = Table::new(&[("key", "SETTING"), ("value", "VALUE"), ("help", "MEANING")])
            .with_visibility("help", Visibility::Wrapped);
        for setting in rows {
            table.row(vec![setting.name.into(), cx.settings.get(setting.name).into(), setting.meaning().into()]);
        }
        Ok(Report::of(table))
    }
}
