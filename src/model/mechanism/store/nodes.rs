//! The nodes of a store: threads that serve in the order of arrival, a bounded queue, a network card.
//!
//! All of it is known when an operation arrives: who comes later cannot overtake, so the time at which it starts and
//! the time at which it is done are computed at once, and nothing is put on the agenda in between.

use crate::kernel::number::fit;
use crate::kernel::{Duration, Instant};
use std::collections::VecDeque;

/// The nodes, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodesPlan {
    /// How many.
    pub count: u64,
    /// Operations that a node works on at once; `None` for any number.
    pub threads: Option<u64>,
    /// Operations that may wait at a node; `None` for any number.
    pub queue: Option<u64>,
    /// Bytes per second of a node's network card; `None` for no limit.
    pub bandwidth: Option<u64>,
    /// Whether operations go to the nodes in turn, instead of by key.
    pub in_turn: bool,
}

/// When an operation gets what it needs of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Service {
    /// A thread takes it.
    pub(super) starts: Instant,
    /// Its answer is on its way.
    pub(super) sent: Instant,
}

#[derive(Clone, Debug)]
struct Node {
    /// When each thread is free.
    threads: Vec<Instant>,
    /// When those that wait will start, first one first.
    starts: VecDeque<Instant>,
    /// When the network card is free.
    card: Instant,
}

/// The nodes of one store while the simulation runs.
#[derive(Clone, Debug)]
pub(super) struct Nodes {
    nodes: Vec<Node>,
    next: usize,
}

impl Nodes {
    pub(super) fn new(plan: &NodesPlan) -> Self {
        let node = Node {
            threads: vec![Instant::ZERO; fit(plan.threads.unwrap_or(0))],
            starts: VecDeque::new(),
            card: Instant::ZERO,
        };
        Self {
            nodes: vec![node; fit(plan.count)],
            next: 0,
        }
    }

    /// Work that threads have taken on and not done at this instant: each is busy from now on until it is free.
    pub(super) fn backlog_ns(&self, now: Instant) -> u128 {
        let threads = self.nodes.iter().flat_map(|node| &node.threads);
        let ahead = threads
            .filter(|free| **free > now)
            .map(|free| u128::from(free.since(now).0));
        ahead.sum()
    }

    /// Serves an operation of a key from `now` on: `work` on a thread, then so many bytes through the network card.
    /// `None` if there is no room in the queue. Says, too, how many wait then.
    pub(super) fn serve(
        &mut self,
        plan: &NodesPlan,
        now: Instant,
        hash: u64,
        work: Duration,
        bytes: u64,
    ) -> Option<(Service, usize)> {
        let count = self.nodes.len();
        let at = if plan.in_turn {
            self.next = (self.next + 1) % count;
            self.next
        } else {
            fit((u128::from(hash) * count as u128) >> 64)
        };
        let node = &mut self.nodes[at];
        while node.starts.front().is_some_and(|start| *start <= now) {
            node.starts.pop_front();
        }
        let mut starts = now;
        if let Some(free) = node.threads.iter_mut().min() {
            if *free > now {
                if plan.queue.is_some_and(|most| node.starts.len() as u64 >= most) {
                    return None;
                }
                starts = *free;
                node.starts.push_back(starts);
            }
            *free = starts + work;
        }
        let mut sent = starts + work;
        if let Some(bandwidth) = plan.bandwidth {
            let takes = Duration::from_secs_f64(bytes as f64 / bandwidth as f64);
            sent = sent.max(node.card) + takes;
            node.card = sent;
        }
        Some((Service { starts, sent }, node.starts.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: NodesPlan = NodesPlan {
        count: 1,
        threads: Some(2),
        queue: Some(1),
        bandwidth: None,
        in_turn: false,
    };

    fn serve(nodes: &mut Nodes, plan: &NodesPlan, now: u64, work: u64) -> Option<(u64, u64)> {
        let served = nodes.serve(plan, Instant(now), 0, Duration(work), 1000);
        served.map(|(service, _)| (service.starts.0, service.sent.0))
    }

    #[test]
    fn two_threads_and_one_place_to_wait() {
        let mut nodes = Nodes::new(&PLAN);
        assert_eq!(serve(&mut nodes, &PLAN, 0, 100), Some((0, 100)));
        assert_eq!(serve(&mut nodes, &PLAN, 10, 50), Some((10, 60)));
        assert_eq!(serve(&mut nodes, &PLAN, 20, 30), Some((60, 90)));
        assert_eq!(serve(&mut nodes, &PLAN, 30, 30), None, "one waits already");
        assert_eq!(serve(&mut nodes, &PLAN, 60, 30), Some((90, 120)), "nobody waits at 60");
    }

    #[test]
    fn answers_leave_one_after_the_other() {
        let plan = NodesPlan {
            threads: None,
            bandwidth: Some(1_000_000_000),
            ..PLAN
        };
        let mut nodes = Nodes::new(&plan);
        // 1,000 bytes take 1,000 ns; the second is done at 100 and waits for the first one to be sent.
        assert_eq!(serve(&mut nodes, &plan, 0, 100), Some((0, 1100)));
        assert_eq!(serve(&mut nodes, &plan, 0, 100), Some((0, 2100)));
        assert_eq!(serve(&mut nodes, &plan, 5000, 100), Some((5000, 6100)));
    }

    #[test]
    fn nodes_are_chosen_by_key_or_in_turn() {
        let plan = |in_turn| NodesPlan {
            count: 4,
            threads: Some(1),
            queue: Some(0),
            in_turn,
            ..PLAN
        };
        let served = |plan: NodesPlan| {
            let mut nodes = Nodes::new(&plan);
            let serve = |_: &u32| nodes.serve(&plan, Instant(0), u64::MAX / 2, Duration(9), 0).is_some();
            (0..8).filter(serve).count()
        };
        assert_eq!((served(plan(true)), served(plan(false))), (4, 1));
    }
}
