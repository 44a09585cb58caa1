//! In which order processes are stopped: what others need, after them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::OpContext;
use crate::tsm::definition::Definition;
use crate::tsm::startup::collect;
use crate::tsm::store::Process;

/// A process that has, or is due to have, something that runs.
#[must_use]
pub fn is_up(process: &Process) -> bool {
    process.live.supervised || process.live.alive || process.live.needs_supervisor()
}

/// Processes, as places in the list, in levels: each level is stopped at the same time, and before what it needs, also by way of
/// services of which nothing is in the list.
#[must_use]
pub fn stop_levels(context: &OpContext, processes: &[Process]) -> Vec<Vec<usize>> {
    levels(&needs(context, processes))
}

/// What each process needs, as places in the same list.
fn needs(context: &OpContext, processes: &[Process]) -> Vec<Vec<usize>> {
    let mut definitions = Definitions { context, needed: BTreeMap::new() };
    let places = |file: &PathBuf| {
        let own = |(at, process): (usize, &Process)| collect::comes_from(process, file).then_some(at);
        processes.iter().enumerate().filter_map(own).collect::<Vec<usize>>()
    };
    let mut known: BTreeMap<PathBuf, Vec<usize>> = BTreeMap::new();
    let mut all = Vec::new();
    for process in processes {
        let service = process.meta.run.service.as_str();
        if service.is_empty() {
            all.push(Vec::new());
            continue;
        }
        let service = PathBuf::from(service);
        if !known.contains_key(&service) {
            let needed = definitions.all_needed_by(&service).iter().flat_map(places).collect();
            known.insert(service.clone(), needed);
        }
        all.push(known[&service].clone());
    }
    all
}

/// Definitions, each read once.
struct Definitions<'a> {
    context: &'a OpContext<'a>,
    /// The definitions that each needs itself.
    needed: BTreeMap<PathBuf, Vec<PathBuf>>,
}

impl Definitions<'_> {
    /// All definitions that this one needs, itself or by way of others.
    fn all_needed_by(&mut self, file: &Path) -> Vec<PathBuf> {
        let mut found: Vec<PathBuf> = self.needed_by(file).to_vec();
        let mut at = 0;
        while let Some(next) = found.get(at).cloned() {
            at += 1;
            for need in self.needed_by(&next) {
                if !found.contains(need) {
                    found.push(need.clone());
                }
            }
        }
        found
    }

    fn needed_by(&mut self, file: &Path) -> &[PathBuf] {
        let OpContext { paths, host, .. } = *self.context;
        self.needed.entry(file.to_owned()).or_insert_with(|| {
            // What cannot be read needs nothing that we know of.
            let names = Definition::read(file, host.variables()).map(|it| it.deps().to_vec()).unwrap_or_default();
            names.iter().filter_map(|name| collect::file_of(name, paths)).collect()
        })
    }
}

/// The things 0, 1, … of which each needs those that `needs` lists, in levels: a level is stopped as a whole, and what it needs is in
/// a later one. Who needs each other is in one level.
fn levels(needs: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut left: Vec<usize> = (0..needs.len()).collect();
    let mut levels = Vec::new();
    while !left.is_empty() {
        let is_needed = |thing: usize| left.iter().any(|other| *other != thing && needs[*other].contains(&thing));
        let (level, later): (Vec<usize>, Vec<usize>) = left.iter().partition(|thing| !is_needed(**thing));
        // In a circle each is needed by another.
        let (level, later) = if level.is_empty() { (later, level) } else { (level, later) };
        levels.push(level);
        left = later;
    }
    levels
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_others_need_is_stopped_after_them() {
        // 0 web needs 1 api, which needs 2 db and 3 cache; 4 mail needs 2 db; 5 is alone.
        let needs = [vec![1], vec![2, 3], vec![], vec![], vec![2], vec![]];
        assert_eq!(levels(&needs), [vec![0, 4, 5], vec![1], vec![2, 3]]);
        assert_eq!(levels(&[]), Vec::<Vec<usize>>::new());
        assert_eq!(levels(&[vec![1], vec![0], vec![0, 2]]), [vec![2], vec![0, 1]]);
    }

    proptest! {
        #[test]
        fn each_is_stopped_once_and_before_what_it_needs(edges in proptest::collection::vec((0usize..8, 0usize..8), 0..20)) {
            // Edges lead to larger numbers only, so no circle can arise.
            let mut needs = vec![Vec::new(); 8];
            for (from, to) in edges.into_iter().filter(|(from, to)| from < to) {
                needs[from].push(to);
            }
            let levels = levels(&needs);
            let level = |thing: usize| levels.iter().position(|level| level.contains(&thing));
            prop_assert_eq!(levels.iter().map(Vec::len).sum::<usize>(), 8);
            for (thing, needs) in needs.iter().enumerate() {
                for need in needs {
                    prop_assert!(level(thing) < level(*need), "{thing} before {need}");
                }
            }
        }
    }
}
