//! Memory for request bodies: a bound on what all of them together may take.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bodies up to this many bytes need no room: they weigh no more than the connection they came on.
pub(crate) const FREE_BYTES: usize = 16 << 10;

/// What a permit stands for: semaphores count in 32 bits, bodies may be longer than that.
const UNIT: usize = 1 << 10;

/// The room that is left.
#[derive(Debug)]
pub(crate) struct Rooms {
    units: Arc<Semaphore>,
}

/// The room that one body takes. It is given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Room {
    units: Arc<Semaphore>,
    taken: Mutex<Option<OwnedSemaphorePermit>>,
}

impl Rooms {
    /// Room for so many bytes.
    pub(crate) fn new(bytes: usize) -> Self {
        Self { units: Arc::new(Semaphore::new((bytes / UNIT).min(Semaphore::MAX_PERMITS))) }
    }

    /// Room for a body that has not come yet.
    pub(crate) fn enter(&self) -> Room {
        Room { units: Arc::clone(&self.units), taken: Mutex::default() }
    }
}

impl Room {
    /// Takes as much as `bytes` bytes need; says whether there was that much. Never waits: bodies that wait for each other would wait
    /// for ever.
    pub(crate) fn fits(&self, bytes: usize) -> bool {
        let needed = if bytes <= FREE_BYTES { 0 } else { bytes.div_ceil(UNIT) };
        // A panic while it was held cannot have left anything half done.
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let has = taken.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        if needed <= has {
            return true;
        }
        let more = u32::try_from(needed - has).ok();
        let Some(more) = more.and_then(|more| Arc::clone(&self.units).try_acquire_many_owned(more).ok()) else {
            return false;
        };
        match taken.as_mut() {
            Some(taken) => taken.merge(more),
            None => *taken = Some(more),
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_together_never_exceeds_the_bound() {
        let rooms = Rooms::new(100 * UNIT);
        let (one, two) = (rooms.enter(), rooms.enter());
        assert!(one.fits(60 * UNIT) && two.fits(40 * UNIT));
        assert!(one.fits(60 * UNIT), "it has that already");
        assert!(!one.fits(60 * UNIT + 1));
        assert!(rooms.enter().fits(FREE_BYTES), "small bodies need none");
        drop(two);
        assert!(one.fits(100 * UNIT));
        drop(one);
        assert_eq!(rooms.units.available_permits(), 100);
    }
}
