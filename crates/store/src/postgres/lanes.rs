//! Calls of one kind that arrive while such a call is under way wait for it, and are then made together as one.
//!
//! A database on the network costs a round trip and the planning of statements for each transaction, whatever that does; this way the
//! cost is shared exactly when there are many calls, and a single call waits for nobody.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Jobs made together at most.
const GROUP: usize = 64;

/// Weight of the jobs made together at most, unless one alone weighs more. In bytes: a group is one message to the database.
const WEIGHT: usize = 8 << 20;

/// Jobs by what keeps them apart.
#[derive(Debug)]
pub(super) struct Lanes<K, J> {
    /// A lane is there as long as somebody serves it.
    waiting: Mutex<HashMap<K, VecDeque<(usize, J)>>>,
}

impl<K, J> Default for Lanes<K, J> {
    fn default() -> Self {
        Self { waiting: Mutex::default() }
    }
}

impl<K: Eq + Hash + Clone, J> Lanes<K, J> {
    /// Puts a job into its lane. Whoever finds nobody serving the lane gets the right, and the duty, to serve it.
    pub(super) fn join(&self, key: &K, weight: usize, job: J) -> bool {
        let mut waiting = self.lock();
        let serves = !waiting.contains_key(key);
        waiting.entry(key.clone()).or_default().push_back((weight, job));
        serves
    }

    /// Does what is in a lane, group by group, until it is empty.
    pub(super) async fn serve<F: Future<Output = ()>>(&self, key: &K, work: impl Fn(Vec<J>) -> F) {
        let mut close = Close { lanes: self, key, closed: false };
        while let Some(group) = self.take(key) {
            work(group).await;
        }
        close.closed = true;
    }

    /// The next group, the oldest first; `None` closes the lane.
    fn take(&self, key: &K) -> Option<Vec<J>> {
        let mut waiting = self.lock();
        let lane = waiting.get_mut(key)?;
        let (mut group, mut sum) = (Vec::new(), 0_usize);
        while group.len() < GROUP
            && let Some((weight, _)) = lane.front()
        {
            sum = sum.saturating_add(*weight);
            if sum > WEIGHT && !group.is_empty() {
                break;
            }
            group.extend(lane.pop_front().map(|(_, job)| job));
        }
        if group.is_empty() {
            waiting.remove(key);
            return None;
        }
        Some(group)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, VecDeque<(usize, J)>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A lane whose server went away, by a panic or with its runtime, is closed, and those who wait in it hear that nobody will answer.
struct Close<'l, K: Eq + Hash + Clone, J> {
    lanes: &'l Lanes<K, J>,
    key: &'l K,
    /// What is there under the key now is somebody else's.
    closed: bool,
}

impl<K: Eq + Hash + Clone, J> Drop for Close<'_, K, J> {
    fn drop(&mut self) {
        if !self.closed {
            self.lanes.lock().remove(self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    fn block<F: Future>(work: F) -> F::Output {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
    }

    #[test]
    fn what_waits_is_taken_together_in_its_order_and_the_lane_closes_behind_it() {
        let lanes = Lanes::default();
        assert!(lanes.join(&"a", 1, 0));
        assert!((1..100).all(|job| !lanes.join(&"a", 1, job)), "one serves");
        assert!(lanes.join(&"b", 1, 0), "lanes do not wait for each other");
        let groups = RefCell::new(Vec::new());
        block(lanes.serve(&"a", |group| {
            groups.borrow_mut().push(group);
            std::future::ready(())
        }));
        let groups = groups.into_inner();
        assert_eq!(groups.iter().map(Vec::len).collect::<Vec<_>>(), [GROUP, 100 - GROUP]);
        assert!(groups.into_iter().flatten().eq(0..100));
        assert!(lanes.join(&"a", 1, 0), "served anew");
    }

    #[test]
    fn heavy_jobs_go_alone() {
        let lanes = Lanes::default();
        for (job, weight) in [1, 1, usize::MAX, WEIGHT, 1, WEIGHT - 1, 1].into_iter().enumerate() {
            lanes.join(&(), weight, job);
        }
        let sizes: Vec<usize> = std::iter::from_fn(|| lanes.take(&())).map(|group| group.len()).collect();
        assert_eq!(sizes, [2, 1, 1, 2, 1]);
    }

    #[test]
    fn a_server_that_goes_away_leaves_no_lane_behind() {
        let lanes = Lanes::default();
        let (answer, answered) = std::sync::mpsc::channel::<()>();
        lanes.join(&(), 1, answer.clone());
        lanes.join(&(), usize::MAX, answer);
        let served = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            block(lanes.serve(&(), |_| async { panic!("as planned") }));
        }));
        assert!(served.is_err());
        assert!(answered.recv().is_err(), "nobody is left waiting");
        assert!(lanes.join(&(), 1, std::sync::mpsc::channel().0));
    }
}
