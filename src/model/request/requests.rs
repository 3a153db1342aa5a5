//! The requests in flight, and what they descend from: one cannot go without the other.

use super::entry::{Request, Status};
use super::lineage::journal::What;
use super::lineage::{End, Lineage, Lineages, Tag, Why};
use crate::kernel::{Instant, Key, Slab};
use std::ops::{Deref, DerefMut};

/// A slab of requests. What a request descends from is told when the request goes.
#[derive(Debug, Default)]
pub struct Requests {
    slab: Slab<Request>,
    /// What everything descends from.
    pub lineages: Lineages,
}

impl Deref for Requests {
    type Target = Slab<Request>;
    #[inline(always)]
    fn deref(&self) -> &Slab<Request> {
        &self.slab
    }
}

impl DerefMut for Requests {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut Slab<Request> {
        &mut self.slab
    }
}

impl Requests {
    /// None yet, of sources that are followed.
    pub fn new(sources: &[u32]) -> Self {
        Self {
            slab: Slab::default(),
            lineages: Lineages::new(sources),
        }
    }

    /// The requests, and what they descend from, each by itself.
    pub fn apart(&mut self) -> (&Slab<Request>, &mut Lineages) {
        (&self.slab, &mut self.lineages)
    }

    /// A request goes. It must be there.
    #[inline]
    pub fn remove(&mut self, key: Key) {
        if self.lineages.on {
            self.leave(key);
        }
        self.slab.remove(key);
    }

    fn leave(&mut self, key: Key) {
        let of = self.lineages.take(key).of;
        if of != Lineage::NONE {
            self.lineages.leave(of);
        }
    }

    /// A unit of work arrives with a request of a client.
    pub fn arrives(&mut self, key: Key, source: u32, now: Instant) {
        let of = self.lineages.arrive(source, now);
        self.lineages.put(key, Tag { of, ..Tag::default() });
    }

    /// A request of a client goes, which has heard how it ended.
    #[inline]
    pub fn remove_answered(&mut self, key: Key, source: u32) {
        if self.lineages.on {
            let entry = &self.slab[key];
            let (status, at) = (entry.status, entry.mark);
            let of = self.lineages.tag(key).of;
            if self.lineages.is_recorded() {
                self.lineages.step(of, at, source, What::Answered(status));
            }
            if status.is_ok() {
                // That it was answered does not mean that anything was done.
                self.lineages.touch(of, at);
            } else {
                self.lineages.note(of, at, End::of(status, source));
            }
        }
        self.remove(key);
    }

    /// A request goes for which nobody waits. What was sent, and not taken, is lost.
    #[inline]
    pub fn remove_unheard(&mut self, key: Key, now: Instant) {
        if self.lineages.on {
            self.unheard(key, now);
        }
        self.remove(key);
    }

    #[inline(never)]
    fn unheard(&mut self, key: Key, now: Instant) {
        let tag = self.lineages.tag(key);
        let Some(to) = tag.to else { return };
        match (self.slab[key].status, tag.dead) {
            (Status::Ok, _) => self.lineages.touch(tag.of, now),
            (_, Some(by)) => self.lineages.note(tag.of, now, End::lost(by, Why::DeadLettered)),
            (_, None) => self.lineages.note(tag.of, now, End::lost(to, Why::NotTaken)),
        }
    }

    /// Notes what became of a request.
    pub fn note(&mut self, key: Key, at: Instant, end: End) {
        if self.lineages.on {
            let tag = self.lineages.tag(key);
            self.lineages.note(tag.of, at, end);
        }
    }

    /// `child` descends from what `parent` does.
    #[inline]
    pub fn descends(&mut self, child: Key, parent: Key) {
        if self.lineages.on {
            let of = self.lineages.fork(self.lineages.tag(parent).of);
            self.lineages.put(child, Tag { of, ..Tag::default() });
        }
    }

    /// A request is there that descends from `of`.
    #[inline]
    pub fn descends_from(&mut self, key: Key, of: Lineage) {
        if self.lineages.on {
            let of = self.lineages.fork(of);
            self.lineages.put(key, Tag { of, ..Tag::default() });
        }
    }

    /// A request works on all of these, which go on by themselves.
    pub fn works_on(&mut self, key: Key, messages: impl Iterator<Item = Lineage>) {
        let of = self.lineages.join(messages);
        self.lineages.put(key, Tag { of, ..Tag::default() });
    }

    /// What `key`, which is about to be kept, descends from, once more; and who gave it up, if it is a dead letter.
    #[inline]
    pub fn keep(&mut self, key: Key) -> (Lineage, Option<u32>) {
        if !self.lineages.on {
            return (Lineage::NONE, None);
        }
        let tag = self.lineages.tag(key);
        (self.lineages.fork(tag.of), tag.dead)
    }

    /// A request, which was answered somewhere, did something for what it descends from.
    #[cold]
    pub fn record(&mut self, key: Key, at: Instant, place: u32, what: What) {
        let of = self.lineages.tag(key).of;
        self.lineages.step(of, at, place, what);
    }

    /// Takes what a request has with it, for whatever goes on in its stead.
    #[inline]
    pub fn hand_on(&mut self, from: Key) -> Tag {
        if self.lineages.on {
            self.lineages.take(from)
        } else {
            Tag::default()
        }
    }

    /// A request has with it what another one had that it is the next attempt of.
    #[inline]
    pub fn goes_on(&mut self, key: Key, tag: Tag) {
        if self.lineages.on {
            self.lineages.put(key, tag);
        }
    }

    /// The work on a request whose callers, `key`, gave up goes on without them.
    #[inline]
    pub fn part(&mut self, work: Key, callers: Key) {
        if self.lineages.on {
            let tag = self.lineages.tag(work);
            self.lineages.fork(tag.of);
            self.lineages.put(callers, tag);
            self.lineages.put(
                work,
                Tag {
                    of: tag.of,
                    ..Tag::default()
                },
            );
        }
    }
}
