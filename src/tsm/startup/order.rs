//! In which order services are started: each after those it needs.

use std::collections::BTreeMap;

/// The services of a start, with what was found wrong among their dependencies.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StartOrder {
    /// Every service that is in no circle, each behind those it needs; by name where nothing else decides.
    pub sequence: Vec<String>,
    /// Services that need each other, each circle once, from its first name on. No member can be started.
    pub cycles: Vec<Vec<String>>,
}

/// Orders services by what each needs. Needs that are not among the services are passed over.
#[must_use]
pub fn order(needs: &BTreeMap<String, Vec<String>>) -> StartOrder {
    let mut walk = DependencyWalk { needs, marks: BTreeMap::new(), path: Vec::new(), order: StartOrder::default() };
    for name in needs.keys() {
        walk.visit(name);
    }
    let in_a_circle = |name: &String| walk.order.cycles.iter().flatten().any(|member| member == name);
    let sequence = walk.order.sequence.iter().filter(|name| !in_a_circle(name)).cloned().collect();
    StartOrder { sequence, cycles: walk.order.cycles }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum VisitState {
    /// On the path that is being walked.
    Visiting,
    /// In the sequence.
    Done,
}

struct DependencyWalk<'a> {
    needs: &'a BTreeMap<String, Vec<String>>,
    marks: BTreeMap<&'a str, VisitState>,
    path: Vec<&'a str>,
    order: StartOrder,
}

impl<'a> DependencyWalk<'a> {
    fn visit(&mut self, name: &str) {
        let Some((name, needs)) = self.needs.get_key_value(name) else { return };
        match self.marks.get(name.as_str()) {
            Some(VisitState::Done) => return,
            Some(VisitState::Visiting) => return self.report_cycle(name),
            None => {}
        }
        self.marks.insert(name, VisitState::Visiting);
        self.path.push(name);
        for need in needs {
            self.visit(need);
        }
        self.path.pop();
        self.marks.insert(name, VisitState::Done);
        self.order.sequence.push(name.clone());
    }

    fn report_cycle(&mut self, name: &str) {
        let begin = self.path.iter().position(|on| *on == name).unwrap_or(0);
        let mut circle: Vec<String> = self.path[begin..].iter().map(|name| (*name).to_owned()).collect();
        let first = (0..circle.len()).min_by_key(|at| circle[*at].clone()).unwrap_or(0);
        circle.rotate_left(first);
        if !self.order.cycles.contains(&circle) {
            self.order.cycles.push(circle);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn needs(pairs: &[(&str, &[&str])]) -> BTreeMap<String, Vec<String>> {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        pairs.iter().map(|(name, needs)| ((*name).to_owned(), owned(needs))).collect()
    }

    #[test]
    fn each_comes_behind_those_it_needs_and_else_by_name() {
        let order =
            order(&needs(&[("web", &["api"]), ("api", &["db", "cache"]), ("db", &[]), ("cache", &[]), ("a", &[])]));
        assert_eq!(order.sequence, ["a", "db", "cache", "api", "web"]);
        assert!(order.cycles.is_empty());
    }

    #[test]
    fn circles_are_named_once_and_the_others_go_on() {
        let order =
            order(&needs(&[("c", &["a"]), ("a", &["b"]), ("b", &["c"]), ("x", &["a"]), ("y", &[]), ("z", &["z"])]));
        assert_eq!(order.cycles, [vec!["a".to_owned(), "b".into(), "c".into()], vec!["z".into()]]);
        assert_eq!(order.sequence, ["x", "y"]);
    }

    #[test]
    fn what_is_not_there_is_passed_over() {
        assert_eq!(order(&needs(&[("a", &["nothing"])])).sequence, ["a"]);
    }

    proptest! {
        #[test]
        fn everything_is_in_order_or_in_a_circle(edges in proptest::collection::vec((0usize..8, 0usize..8), 0..20)) {
            let name = |n: usize| format!("s{n}");
            let mut all: BTreeMap<String, Vec<String>> = (0..8).map(|n| (name(n), Vec::new())).collect();
            for (from, to) in edges {
                all.get_mut(&name(from)).expect("it is there").push(name(to));
            }
            let order = order(&all);
            let circled: Vec<&String> = order.cycles.iter().flatten().collect();
            for (at, name) in order.sequence.iter().enumerate() {
                prop_assert!(!circled.contains(&name));
                for need in &all[name] {
                    prop_assert!(circled.contains(&need) || order.sequence[..at].contains(need));
                }
            }
            for name in all.keys() {
                prop_assert!(circled.contains(&name) != order.sequence.contains(name));
            }
        }
    }
}
