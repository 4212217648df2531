//! Compressing slots before their turn, on processors that nobody uses.
//!
//! What compressing a slot gives is a function of the slot alone; what becomes of the slot also depends on those before it and is
//! decided in order, as ever. So helpers take slots in order from wherever the deciding thread is, and that thread takes up what they found.
//! With helpers and without, a plan is the same.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Slots with fewer bytes together are decided sooner than a thread is started.
const FROM_BYTES: usize = 64 << 10;

/// The processors of this machine, and how many are at work on plans.
#[derive(Debug)]
pub(crate) struct Processors {
    all: usize,
    at_work: AtomicUsize,
}

/// One who is at work, until this is dropped.
#[derive(Debug)]
pub(crate) struct AtWork<'a>(&'a Processors);

impl Processors {
    /// So many.
    pub(crate) const fn new(all: usize) -> Self {
        Self { all, at_work: AtomicUsize::new(0) }
    }

    /// Those that this process may use.
    pub(crate) fn of_this_machine() -> Self {
        Self::new(thread::available_parallelism().map_or(1, usize::from))
    }

    /// One for a plan, whether or not one is left: how many plans are made at once is for the door to say.
    pub(super) fn enter(&self) -> AtWork<'_> {
        self.at_work.fetch_add(1, Ordering::AcqRel);
        AtWork(self)
    }

    /// One that nobody uses.
    fn spare(&self) -> Option<AtWork<'_>> {
        let more = |at_work: usize| (at_work < self.all).then_some(at_work + 1);
        self.at_work.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).ok().map(|_| AtWork(self))
    }

    /// Whether a plan has begun for which none was left.
    fn are_wanted(&self) -> bool {
        self.at_work.load(Ordering::Acquire) > self.all
    }
}

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        self.0.at_work.fetch_sub(1, Ordering::AcqRel);
    }
}

/// What was found out about slots before their turn.
pub(super) struct Ahead<'a, T> {
    work: &'a (dyn Fn(usize) -> T + Sync),
    late: &'a (dyn Fn() -> bool + Sync),
    /// By slot, ascending.
    tasks: Mutex<Vec<(usize, State<T>)>>,
    finished: Condvar,
}

enum State<T> {
    Open,
    Begun,
    Done(Result<T, Box<dyn Any + Send>>),
    /// Nobody will ask for it any more.
    Past,
}

impl<'a, T: Send> Ahead<'a, T> {
    /// Decides with help: `slots` (index and bytes, ascending) may be worked on before they are asked for, as long as it is not late.
    pub(super) fn deciding<R>(
        processors: &Processors,
        slots: &[(usize, usize)],
        work: &'a (dyn Fn(usize) -> T + Sync),
        late: &'a (dyn Fn() -> bool + Sync),
        decide: impl FnOnce(&Self) -> R,
    ) -> R {
        let worth_it = slots.len() > 1 && slots.iter().map(|(_, bytes)| bytes).sum::<usize>() >= FROM_BYTES;
        let helpers: Vec<AtWork<'_>> = match worth_it {
            true => (1..slots.len()).map_while(|_| processors.spare()).collect(),
            false => Vec::new(),
        };
        let tasks = if helpers.is_empty() { &[] } else { slots };
        let tasks = Mutex::new(tasks.iter().map(|(slot, _)| (*slot, State::Open)).collect());
        let ahead = Self { work, late, tasks, finished: Condvar::new() };
        thread::scope(|scope| {
            for helper in helpers {
                // A thread that cannot be had is work that is done here.
                let _ = thread::Builder::new().spawn_scoped(scope, || {
                    let helper = helper;
                    ahead.help(&helper);
                });
            }
            let _nothing_more = OnDrop(|| ahead.dismiss());
            decide(&ahead)
        })
    }

    /// Whether a helper has taken a slot; if not, none will any more.
    pub(super) fn has(&self, slot: usize) -> bool {
        let mut tasks = self.lock();
        match tasks.iter_mut().find(|(task, _)| *task == slot) {
            Some((_, state @ State::Open)) => {
                *state = State::Past;
                false
            }
            Some((_, State::Begun | State::Done(_))) => true,
            Some((_, State::Past)) | None => false,
        }
    }

    /// What a helper finds out about a slot that it has taken; panics if the helper did. Does what is next meanwhile.
    pub(super) fn of(&self, slot: usize) -> T {
        let mut tasks = self.lock();
        loop {
            let state = tasks.iter_mut().find(|(task, _)| *task == slot).map(|(_, state)| state);
            match state {
                Some(state @ State::Done(_)) => match std::mem::replace(state, State::Past) {
                    State::Done(Ok(found)) => return found,
                    State::Done(Err(panic)) => {
                        drop(tasks);
                        resume_unwind(panic)
                    }
                    // It was matched above.
                    State::Open | State::Begun | State::Past => {}
                },
                Some(State::Begun) => {
                    let other = if (self.late)() { None } else { next(&mut tasks) };
                    tasks = match other {
                        Some(other) => {
                            drop(tasks);
                            self.finish(other);
                            self.lock()
                        }
                        None => self.finished.wait(tasks).unwrap_or_else(PoisonError::into_inner),
                    };
                }
                // Nobody has it.
                Some(State::Open | State::Past) | None => {
                    drop(tasks);
                    return (self.work)(slot);
                }
            }
        }
    }

    fn help(&self, helper: &AtWork<'_>) {
        while !helper.0.are_wanted() && !(self.late)() {
            let Some(slot) = next(&mut self.lock()) else { break };
            self.finish(slot);
        }
    }

    /// Works on a slot that was taken.
    fn finish(&self, slot: usize) {
        // What panics has changed nothing that outlives it.
        let done = catch_unwind(AssertUnwindSafe(|| (self.work)(slot)));
        if let Some((_, state)) = self.lock().iter_mut().find(|(task, _)| *task == slot) {
            *state = State::Done(done);
        }
        self.finished.notify_all();
    }

    /// Leaves nothing for helpers to take.
    fn dismiss(&self) {
        self.lock().retain(|(_, state)| !matches!(state, State::Open));
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(usize, State<T>)>> {
        // Nothing panics while it is held.
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes the next slot that nobody has taken.
fn next<T>(tasks: &mut [(usize, State<T>)]) -> Option<usize> {
    let (slot, state) = tasks.iter_mut().find(|(_, state)| matches!(state, State::Open))?;
    *state = State::Begun;
    Some(*slot)
}

/// Does something at the end, however that comes.
struct OnDrop<F: Fn()>(F);

impl<F: Fn()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}
