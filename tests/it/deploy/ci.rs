//! The workflow in docs/deploy.md, typed as a runner types it: bash that ends at the first failure, and no terminal.

use std::path::Path;
use std::process::{Output, Stdio};

use super::Site;
use crate::world::PROGRAM;

const PAGE: &str = include_str!("../../../docs/deploy.md");

/// The lines of the step with a name.
fn step(name: &str) -> String {
    let (_, step) = PAGE.split_once(&format!("- name: {name}\n")).expect("the workflow has it");
    let (_, run) = step.split_once("run: |\n").expect("it runs something");
    let indent = run.len() - run.trim_start().len();
    let lines = run.lines().take_while(|line| line.len() - line.trim_start().len() == indent && !line.is_empty());
    lines.map(|line| format!("{}\n", line.trim_start())).collect()
}

fn typed(site: &Site, text: &str) -> Output {
    let dir = Path::new(PROGRAM).parent().expect("a file").display();
    let path = format!("{dir}:{}", std::env::var("PATH").unwrap_or_default());
    let mut bash = site.world.program("bash");
    bash.args(["-eo", "pipefail", "-c", text]).env("PATH", path).stdin(Stdio::null());
    bash.output().expect("bash is there")
}

#[test]
fn a_workflow_plans_a_pull_request_and_deploys_what_is_pushed() {
    let Some(site) = Site::new("a_workflow_plans_a_pull_request_and_deploys_what_is_pushed", 1) else { return };
    let (plan, deploy) = (step("Show what would be deployed"), step("Deploy"));
    let deploy = deploy.replace("my-company", "acme");
    let plan = plan.replace("my-company", "acme");

    let shown = typed(&site, &plan);
    let said = String::from_utf8_lossy(&shown.stderr);
    assert!(shown.status.success() && said.contains("nothing was changed"), "{shown:?}");
    assert!(said.contains("something would be deployed"), "{shown:?}");
    assert_eq!(site.hosts[0].current(), None);

    let done = typed(&site, &deploy);
    assert!(done.status.success(), "{done:?}");
    site.hosts[0].runs("one");
    let shown = typed(&site, &plan);
    assert!(shown.status.success(), "{shown:?}");
    assert!(!String::from_utf8_lossy(&shown.stderr).contains("something would be deployed"), "{shown:?}");

    // A service that does not live fails the workflow, and the old release runs.
    site.mode("sick");
    let failed = typed(&site, &deploy);
    assert_eq!(failed.status.code(), Some(14), "{failed:?}");
    site.hosts[0].runs("one");
}
