//! What a service of a compose file may have, and how many of it run.

use super::super::source::in_bytes;
use super::{Definition, FieldReader, RestartPolicy, scalar};
use crate::base::invalid_value;
use crate::tsm::limits::MemoryMax;

/// Takes `mem_limit`, `ulimits`, `scale` and `deploy`.
pub(super) fn take(service: &mut FieldReader, it: &mut Definition) {
    it.options.memory_max = service.size::<MemoryMax>("mem_limit").map(|size| size.0);
    it.instances = instances(service, "scale", &mut it.autostart);
    if let Some(limits) = service.take("ulimits") {
        let Ok(mut limits) = FieldReader::new(limits, format!("{}.ulimits", service.place), service.unsupported) else {
            return;
        };
        it.options.limit_nofile = count(&mut limits, "nofile");
        it.options.limit_nproc = count(&mut limits, "nproc");
        limits.finish(|_| "only open files and processes are limited".to_owned());
    }
    if let Some(deploy) = service.take("deploy") {
        let place = format!("{}.deploy", service.place);
        let Ok(deploy) = FieldReader::new(deploy, place, service.unsupported) else { return };
        read_deploy(deploy, it);
    }
}

/// How many of it run, if there are several.
fn instances(reader: &mut FieldReader, key: &str, autostart: &mut Option<bool>) -> Option<u32> {
    let count: u32 = reader.parsed(key)?;
    if count == 0 {
        *autostart = Some(false);
        reader.mark_unsupported(key, "not started at boot, as with 0 instances; `tsm start` starts one");
    }
    (count > 1).then_some(count)
}

/// One number, or two of which the hard one counts; -1 means unlimited.
fn count(limits: &mut FieldReader, key: &str) -> Option<u64> {
    let value = limits.take(key)?;
    let pair = ["soft", "hard"].map(|kind| value.get(kind).and_then(scalar));
    let text = match &pair {
        [Some(soft), Some(hard)] => {
            if soft != hard {
                limits.mark_unsupported(&format!("{key}.soft"), &format!("soft and hard limit are both {hard}"));
            }
            hard.clone()
        }
        _ => scalar(value).unwrap_or_default(),
    };
    if text == "-1" {
        return Some(0);
    }
    invalid_value::parse(&text).map_err(|why| limits.mark_unsupported(key, &why)).ok()
}

fn read_deploy(mut deploy: FieldReader, it: &mut Definition) {
    it.instances = instances(&mut deploy, "replicas", &mut it.autostart).or(it.instances);
    if let Some(resources) = deploy.take("resources") {
        let limits = resources.get("limits");
        if let Some(memory) = limits.and_then(|limits| limits.get("memory")).and_then(scalar) {
            match invalid_value::parse::<MemoryMax>(&in_bytes(&memory)) {
                Ok(size) => it.options.memory_max = Some(size.0),
                Err(why) => deploy.mark_unsupported("resources.limits.memory", &why),
            }
        }
        for (key, value) in resources.as_object().into_iter().flatten() {
            for name in value.as_object().into_iter().flatten().map(|(name, _)| name) {
                if (key.as_str(), name.as_str()) != ("limits", "memory") {
                    deploy.mark_unsupported(
                        &format!("resources.{key}.{name}"),
                        "only memory is limited; see TSM_MEMORY_MAX",
                    );
                }
            }
        }
    }
    if let Some(policy) = deploy.take("restart_policy") {
        let Ok(mut policy) = FieldReader::new(policy, format!("{}.restart_policy", deploy.place), deploy.unsupported)
        else {
            return;
        };
        it.options.restart = Some(match policy.text("condition").as_deref() {
            Some("none") => RestartPolicy::Never,
            Some("on-failure") => RestartPolicy::OnFailure,
            _ => RestartPolicy::Always,
        });
        it.options.max_restarts = policy.parsed("max_attempts");
        policy.finish(|_| "not supported".to_owned());
    }
    deploy.finish(|_| "not supported".to_owned());
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn no_instances_are_none() {
        for text in [r#"{"scale": 0}"#, r#"{"deploy": {"replicas": 0}}"#] {
            let value: Value = serde_json::from_str(text).expect("JSON");
            let (mut lost, mut it) = (Vec::new(), Definition::default());
            take(&mut FieldReader::new(&value, "s".to_owned(), &mut lost).expect("a table"), &mut it);
            assert_eq!((it.instances, it.autostart, lost.len()), (None, Some(false), 1), "{text}");
        }
    }

    #[test]
    fn limits_and_policies_are_carried_and_the_rest_is_named() {
        let text = r#"{"deploy": {"mode": "global", "replicas": 3, "resources": {"limits": {"memory": "50M", "cpus": "1"},
            "reservations": {"memory": "20M"}}, "restart_policy": {"condition": "on-failure", "max_attempts": 3, "window": "9s"}},
            "ulimits": {"nofile": -1, "nproc": "many"}, "mem_limit": "lots"}"#;
        let value: Value = serde_json::from_str(text).expect("JSON");
        let (mut lost, mut it) = (Vec::new(), Definition::default());
        let mut source = FieldReader::new(&value, "s".to_owned(), &mut lost).expect("a table");
        take(&mut source, &mut it);
        let keep = &it.options;
        assert_eq!((it.instances, keep.memory_max, keep.limit_nofile), (Some(3), Some(50 << 20), Some(0)));
        assert_eq!((keep.restart, keep.max_restarts), (Some(RestartPolicy::OnFailure), Some(3)));
        let fields: Vec<&str> = lost.iter().map(|it| it.field.as_str()).collect();
        assert_eq!(
            fields,
            [
                "s.mem_limit",
                "s.ulimits.nproc",
                "s.deploy.resources.limits.cpus",
                "s.deploy.resources.reservations.memory",
                "s.deploy.restart_policy.window",
                "s.deploy.mode",
            ]
        );
    }
}
