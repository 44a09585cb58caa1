//! Large application files: sent in part, gone on with, and held in no memory as a whole.

use std::fs;
use std::io::Write;
use std::process::{Child, Stdio};

use tetra::sys::process;

use super::{Host, Site};
use crate::waiting::eventually;
use crate::world::PROGRAM;

const MIB: u64 = 1 << 20;

impl Site {
    /// Writes a file of the application of so many MiB, no two of which are alike.
    fn large(&self, name: &str, size: u64) {
        let dist = self.world.home().join("tetra/dist");
        fs::create_dir_all(&dist).expect("ours");
        let mut file = fs::File::create(dist.join(name)).expect("ours");
        let mut state = size.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut block = vec![0; 1 << 20];
        for _ in 0..size {
            for part in block.chunks_exact_mut(8) {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                part.copy_from_slice(&state.to_le_bytes());
            }
            file.write_all(&block).expect("there is room");
        }
    }
}

impl Host {
    /// The bytes of what has not arrived in full.
    fn arriving(&self) -> u64 {
        let blobs = fs::read_dir(self.org().join("deploy/blobs")).into_iter().flatten().flatten();
        let parts = blobs.filter(|it| it.path().extension().is_some_and(|it| it == "part"));
        parts.filter_map(|it| it.metadata().ok()).map(|it| it.len()).sum()
    }
}

/// What a deploy took, in KiB.
#[derive(Debug, Default)]
struct Cost {
    deployer: u64,
    agent: u64,
    /// The least that was there of what had not arrived in full.
    least: Option<u64>,
}

/// Waits for a deployer, and looks at what it and the agents take.
fn watch(child: &mut Child, host: &Host) -> Cost {
    let mut cost = Cost::default();
    let most = |pid: u32, known: u64| {
        let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or_default().max(known)
    };
    eventually("the deploy is over", || {
        cost.deployer = most(child.id(), cost.deployer);
        for pid in process::all_pids() {
            let argv = process::argv(pid);
            if argv.first().is_some_and(|it| it.contains("/tetra")) && argv.iter().any(|it| it == "agent") {
                cost.agent = most(pid, cost.agent);
            }
        }
        // The file of the environment is smaller.
        let arriving = Some(host.arriving()).filter(|size| *size >= MIB);
        cost.least = cost.least.into_iter().chain(arriving).min();
        child.try_wait().expect("ours").is_some()
    });
    cost
}

#[test]
fn a_large_upload_that_was_cut_goes_on_and_is_never_in_memory_as_a_whole() {
    let Some(site) = Site::new("a_large_upload_that_was_cut_goes_on", 1) else { return };
    site.services("[services.web]\ncommand = 'sleep 1000'\n[release]\nfrom = 'dist'\n");
    site.large("data", 60);
    let host = &site.hosts[0];
    let mut deployer = site.start("--min-healthy-time 0s", Stdio::null());
    eventually("half of it is there", || host.arriving() >= 30 * MIB);
    host.link.cut();
    assert!(!deployer.0.wait().expect("ours").success());
    host.reaches("ABORTED");
    let there = host.arriving();
    assert!(there >= 30 * MIB, "{there}");
    host.link.mend();
    let mut deployer = site.start("--min-healthy-time 1s", Stdio::null());
    let cost = watch(&mut deployer.0, host);
    assert_eq!(fs::metadata(host.org().join("current/app/data")).map(|it| it.len()).ok(), Some(60 * MIB));
    assert!(cost.least.is_some_and(|least| least >= there), "what is there is not sent again: {cost:?}, {there}");
    // Each has this program in memory, the deployer to put it on the host.
    let bar = fs::metadata(PROGRAM).expect("there").len() / 1024 + 50 * 1024;
    assert!(cost.deployer < bar && cost.agent < bar, "{cost:?}, at most {bar}");
}
