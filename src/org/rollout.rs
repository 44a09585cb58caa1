//! `[rollout]` of the manifest: how hosts are switched where no option says it.

use crate::base::rollout::RolloutSettings;
use crate::config::Value;

/// What is wrong with a key, and what to write.
pub(super) struct Wrong {
    pub what: String,
    pub help: &'static str,
}

/// Its keys.
const KEYS: &str = "the keys are canary, max_parallel, on_failure, healthy_deadline and min_healthy_time";

/// Takes a key of the table.
pub(super) fn set(settings: &mut RolloutSettings, keys: &[&str], value: &Value) -> Result<(), Wrong> {
    let wrong = |what: &str, help| Wrong { what: format!("`rollout.{}` must be {what}", keys.join(".")), help };
    let text = value.as_str().map(str::to_owned);
    match keys {
        ["canary"] => {
            let count = value.as_integer().and_then(|count| usize::try_from(count).ok());
            settings.canary = Some(count.ok_or_else(|| wrong("an integer >= 0", "write canary = 1"))?);
        }
        ["max_parallel"] => {
            let text = text.or_else(|| value.as_integer().map(|count| count.to_string()));
            let share = text.and_then(|text| text.parse().ok());
            let help = "write max_parallel = 2 or max_parallel = \"25%\"";
            settings.max_parallel = Some(share.ok_or_else(|| wrong("a number of hosts, or \"1%\" to \"100%\"", help))?);
        }
        ["on_failure"] => {
            let word = text.and_then(|text| text.parse().ok());
            let help = "stop: healthy hosts keep the release; revert-all: none does; continue: the others go on";
            settings.on_failure = Some(word.ok_or_else(|| wrong("\"revert-all\", \"stop\" or \"continue\"", help))?);
        }
        ["healthy_deadline" | "min_healthy_time"] => {
            let text = text.or_else(|| value.as_integer().map(|seconds| seconds.to_string()));
            let span = text.and_then(|text| text.parse().ok());
            let span = Some(span.ok_or_else(|| wrong("a duration", "write \"10s\" or \"5m\""))?);
            match keys {
                ["healthy_deadline"] => settings.healthy_deadline = span,
                _ => settings.min_healthy_time = span,
            }
        }
        [] => return Err(Wrong { what: "`rollout` must be a table".to_owned(), help: KEYS }),
        _ => return Err(Wrong { what: format!("unknown key `rollout.{}`", keys.join(".")), help: KEYS }),
    }
    Ok(())
}
