//! In which order services are stopped: what others need, after them.

/// The things 0, 1, … of which each needs those that `needs` lists, in levels: a level is stopped as a whole, and what it needs is in
/// a later one. Who needs each other is in one level.
#[must_use]
pub fn levels(needs: &[Vec<usize>]) -> Vec<Vec<usize>> {
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
            // Edges lead to larger numbers only, so there is no circle.
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
