//! Order and cycles.

use std::collections::BTreeSet;

/// An order in which needs come first and which otherwise keeps the given one.
///
/// # Errors
/// One cycle, from a step back to itself.
pub(super) fn order(needs: &[Vec<usize>]) -> Result<Vec<usize>, Vec<usize>> {
    let mut order = Vec::with_capacity(needs.len());
    let mut placed: BTreeSet<usize> = BTreeSet::new();
    let mut open: BTreeSet<usize> = (0..needs.len()).collect();
    let mut left: Vec<usize> = needs.iter().map(Vec::len).collect();
    let mut dependants = vec![Vec::new(); needs.len()];
    for (step, needed) in needs.iter().enumerate() {
        for need in needed {
            if let Some(list) = dependants.get_mut(*need) {
                list.push(step);
            }
        }
    }
    let mut ready: BTreeSet<usize> = open
        .iter()
        .copied()
        .filter(|step| left.get(*step) == Some(&0))
        .collect();
    while let Some(step) = ready.pop_first() {
        open.remove(&step);
        placed.insert(step);
        order.push(step);
        for dependant in dependants.get(step).into_iter().flatten() {
            if let Some(count) = left.get_mut(*dependant) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    ready.insert(*dependant);
                }
            }
        }
    }
    if open.is_empty() {
        Ok(order)
    } else {
        Err(cycle(needs, &open))
    }
}

/// Follows needs within what could not be ordered until a step comes again.
fn cycle(needs: &[Vec<usize>], open: &BTreeSet<usize>) -> Vec<usize> {
    let mut path: Vec<usize> = Vec::new();
    let mut next = open.first().copied();
    while let Some(step) = next {
        if let Some(begin) = path.iter().position(|seen| *seen == step) {
            let mut found = path.split_off(begin);
            found.push(step);
            return found;
        }
        path.push(step);
        next = needs
            .get(step)
            .and_then(|needed| needed.iter().copied().find(|need| open.contains(need)));
    }
    path
}

/// All steps above each, in an order that has needs first.
pub(super) fn upstream(needs: &[Vec<usize>], order: &[usize]) -> Vec<BTreeSet<usize>> {
    let mut above: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); needs.len()];
    for step in order {
        let mut all = BTreeSet::new();
        for need in needs.get(*step).into_iter().flatten() {
            all.insert(*need);
            all.extend(above.get(*need).into_iter().flatten().copied());
        }
        if let Some(slot) = above.get_mut(*step) {
            *slot = all;
        }
    }
    above
}

/// The steps above each that have ended whenever it begins: all of them, unless a join asks for less than all of its
/// needs. Then only what every need has above it.
pub(super) fn ended(needs: &[Vec<usize>], order: &[usize], is_partial: impl Fn(usize) -> bool) -> Vec<BTreeSet<usize>> {
    let mut above: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); needs.len()];
    for step in order {
        let of_needs = needs.get(*step).into_iter().flatten().map(|need| {
            let mut ended = above.get(*need).cloned().unwrap_or_default();
            ended.insert(*need);
            ended
        });
        let all = of_needs.reduce(|mut all, ended| {
            if is_partial(*step) {
                all.retain(|step| ended.contains(step));
            } else {
                all.extend(ended);
            }
            all
        });
        if let Some(slot) = above.get_mut(*step) {
            *slot = all.unwrap_or_default();
        }
    }
    above
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_authors_order_is_kept_where_needs_allow() {
        assert_eq!(order(&[vec![], vec![], vec![0]]), Ok(vec![0, 1, 2]));
        assert_eq!(order(&[vec![2], vec![], vec![1]]), Ok(vec![1, 2, 0]));
    }

    #[test]
    fn a_cycle_is_found_below_its_entry() {
        assert_eq!(order(&[vec![1], vec![2], vec![1]]), Err(vec![1, 2, 1]));
        assert_eq!(order(&[vec![0]]), Err(vec![0, 0]));
    }

    #[test]
    fn a_cycle_of_500_does_not_overflow() {
        let needs: Vec<Vec<usize>> = (0..500).map(|step| vec![(step + 1) % 500]).collect();
        assert_eq!(order(&needs).unwrap_err().len(), 501);
    }

    #[test]
    fn behind_a_partial_join_only_what_all_needs_share_has_ended() {
        let needs = [vec![], vec![0], vec![0], vec![1, 2], vec![3]];
        let order = [0, 1, 2, 3, 4];
        assert_eq!(ended(&needs, &order, |step| step == 3)[3], BTreeSet::from([0]));
        assert_eq!(ended(&needs, &order, |step| step == 3)[4], BTreeSet::from([0, 3]));
        assert_eq!(ended(&needs, &order, |_| false), upstream(&needs, &order));
    }

    #[test]
    fn upstream_is_transitive() {
        let needs = [vec![], vec![0], vec![1]];
        assert_eq!(upstream(&needs, &[0, 1, 2])[2], BTreeSet::from([0, 1]));
    }
}
