//! Which instances of a large fleet this process deals with.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use crate::discovery::Instance;

/// At most `most` of the instances: those that `of_process`, any number of this process's own, ranks highest (rendezvous
/// hashing; gRPC's A68 has the same aim). Other processes choose others, so that the whole fleet is used; and when one
/// instance comes or goes, at most one of the chosen changes.
pub(super) fn choose(instances: &[Instance], most: usize, of_process: u64) -> Vec<Instance> {
    let mut chosen: Vec<(u64, &Instance)> = instances
        .iter()
        .filter(|instance| instance.weight > 0)
        .map(|instance| (rank(instance, of_process), instance))
        .collect();
    let most = most.max(1);
    if chosen.len() > most {
        chosen.select_nth_unstable_by_key(most - 1, |(rank, _)| std::cmp::Reverse(*rank));
        chosen.truncate(most);
    }
    chosen.into_iter().map(|(_, instance)| instance.clone()).collect()
}

fn rank(instance: &Instance, of_process: u64) -> u64 {
    // Its keys are fixed, so that a process keeps its choice.
    let mut hasher = DefaultHasher::new();
    (of_process, &instance.id).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::net::SocketAddr;

    use super::*;

    fn fleet(size: u16) -> Vec<Instance> {
        (1..=size)
            .map(|port| Instance::new(port.to_string(), SocketAddr::from(([127, 0, 0, 1], port))))
            .collect()
    }

    fn ids(instances: &[Instance], of_process: u64) -> BTreeSet<String> {
        choose(instances, 10, of_process).iter().map(|chosen| chosen.id.to_string()).collect()
    }

    #[test]
    fn small_fleets_are_dealt_with_whole_except_for_those_that_want_no_calls() {
        let mut instances = fleet(10);
        assert_eq!(ids(&instances, 1).len(), 10);
        instances[3].weight = 0;
        assert_eq!(ids(&instances, 1).len(), 9);
        assert!(choose(&[], 10, 1).is_empty());
    }

    #[test]
    fn one_instance_more_or_less_changes_at_most_one_choice() {
        let instances = fleet(200);
        let before = ids(&instances, 7);
        for gone in 0..200 {
            let mut rest = instances.clone();
            rest.remove(gone);
            assert!(before.difference(&ids(&rest, 7)).count() <= 1);
        }
    }

    #[test]
    fn all_processes_together_use_the_whole_fleet_evenly() {
        let instances = fleet(100);
        let mut used = BTreeMap::<String, u32>::new();
        for process in 0..200 {
            for id in ids(&instances, process) {
                *used.entry(id).or_default() += 1;
            }
        }
        assert_eq!(used.len(), 100);
        // Twenty on average.
        assert!(used.values().all(|times| (5..=40).contains(times)), "{used:?}");
    }
}
