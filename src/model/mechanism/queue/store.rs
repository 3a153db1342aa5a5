//! Messages and the orders they are kept in: by age (retention, the oldest one), and by turn (who is received next).
//!
//! What became stale in the order of turns is skipped when it is met: a [`Key`] knows that its message is gone.

use crate::kernel::{Instant, Key, Luck, Slab};
use crate::model::request::lineage::Lineage;
use std::collections::VecDeque;

/// Where a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) enum State {
    /// Sent, not yet to be seen.
    #[default]
    Delayed,
    /// To be received.
    Visible,
    /// Received, and hidden until it is deleted or its visibility timeout ends.
    InFlight,
}

/// A message.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Message {
    /// When its sender's call took effect.
    pub sent: Instant,
    /// Since when it counts as old: a move to a dead-letter queue keeps this on standard queues, not on FIFO ones.
    pub enqueued: Instant,
    pub luck: Luck,
    pub group: u32,
    pub receives: u32,
    pub state: State,
    /// Fails whenever it is handled.
    pub poison: bool,
    /// A second copy of a message that is delivered twice.
    pub copy: bool,
    /// What it descends from.
    pub of: Lineage,
    /// Who gave it up, if it is a dead letter.
    pub dead: Option<u32>,
    /// The order of arrival in this queue.
    sequence: u64,
    older: Key,
    younger: Key,
}

impl Message {
    pub(super) fn new(now: Instant, luck: Luck) -> Self {
        Self {
            sent: now,
            enqueued: now,
            luck,
            group: 0,
            receives: 0,
            state: State::Delayed,
            poison: false,
            copy: false,
            of: Lineage::NONE,
            dead: None,
            sequence: 0,
            older: Key::NONE,
            younger: Key::NONE,
        }
    }
}

/// A message group of a FIFO queue.
#[derive(Clone, Debug, Default)]
struct Group {
    /// Its visible messages in the order of their arrival.
    waiting: VecDeque<Key>,
    /// While one of its messages is in flight, the others are locked.
    in_flight: u32,
    /// Whether it stands in the row of groups that can be received from.
    in_row: bool,
}

#[derive(Clone, Debug)]
enum Turns {
    Standard(VecDeque<Key>),
    Fifo { groups: Vec<Group>, row: VecDeque<u32> },
}

/// The messages of one queue.
#[derive(Clone, Debug)]
pub(super) struct Store {
    messages: Slab<Message>,
    turns: Turns,
    oldest: Key,
    youngest: Key,
    arrived: u64,
    visible: u64,
    in_flight: u64,
}

impl Store {
    /// No messages; a FIFO queue has `groups` message groups.
    pub(super) fn new(groups: Option<u32>) -> Self {
        let turns = match groups {
            None => Turns::Standard(VecDeque::new()),
            Some(groups) => Turns::Fifo {
                groups: vec![Group::default(); groups as usize],
                row: VecDeque::new(),
            },
        };
        Self {
            messages: Slab::default(),
            turns,
            oldest: Key::NONE,
            youngest: Key::NONE,
            arrived: 0,
            visible: 0,
            in_flight: 0,
        }
    }

    /// A new message, still hidden.
    pub(super) fn insert(&mut self, mut message: Message) -> Key {
        self.arrived += 1;
        message.sequence = self.arrived;
        message.state = State::Delayed;
        // Messages come in the order of their age, but for the few that a standard dead-letter queue gets.
        let mut older = self.youngest;
        while !older.is_none() && self.messages[older].enqueued > message.enqueued {
            older = self.messages[older].older;
        }
        let younger = if older.is_none() {
            self.oldest
        } else {
            self.messages[older].younger
        };
        (message.older, message.younger) = (older, younger);
        let key = self.messages.insert(message);
        self.link(older, key, younger);
        key
    }

    /// Makes `older`, `key` and `younger` neighbours.
    fn link(&mut self, older: Key, key: Key, younger: Key) {
        if older.is_none() {
            self.oldest = key;
        } else {
            self.messages[older].younger = key;
        }
        if younger.is_none() {
            self.youngest = key;
        } else {
            self.messages[younger].older = key;
        }
    }

    /// A hidden message can be received from now on.
    pub(super) fn show(&mut self, key: Key) {
        let message = &mut self.messages[key];
        let (was, group, sequence) = (message.state, message.group, message.sequence);
        message.state = State::Visible;
        self.visible += 1;
        self.in_flight -= u64::from(was == State::InFlight);
        match &mut self.turns {
            Turns::Standard(line) => line.push_back(key),
            Turns::Fifo { groups, .. } => {
                let members = &mut groups[group as usize];
                // What comes back takes its old place, which is at or near the front; what is new goes to the end.
                let is_before =
                    |other: &Key| !self.messages.contains(*other) || self.messages[*other].sequence < sequence;
                let place = if was == State::InFlight {
                    members.waiting.iter().take_while(|other| is_before(other)).count()
                } else {
                    members.waiting.len()
                };
                members.waiting.insert(place, key);
                members.in_flight -= u32::from(was == State::InFlight);
                self.line_up(group);
            }
        }
    }

    /// Puts a group that can be received from into the row.
    fn line_up(&mut self, group: u32) {
        if let Turns::Fifo { groups, row } = &mut self.turns {
            let members = &mut groups[group as usize];
            if members.in_flight == 0 && !members.in_row && !members.waiting.is_empty() {
                members.in_row = true;
                row.push_back(group);
            }
        }
    }

    /// The message whose turn it is. It has to be received or removed next.
    pub(super) fn next(&mut self) -> Option<Key> {
        let messages = &self.messages;
        match &mut self.turns {
            Turns::Standard(line) => {
                while let Some(key) = line.pop_front() {
                    if messages.contains(key) {
                        return Some(key);
                    }
                }
                None
            }
            Turns::Fifo { groups, row } => {
                while let Some(&group) = row.front() {
                    let members = &mut groups[group as usize];
                    while let Some(key) = members.waiting.pop_front() {
                        if messages.contains(key) {
                            return Some(key);
                        }
                    }
                    members.in_row = false;
                    row.pop_front();
                }
                None
            }
        }
    }

    /// A visible message is received; returns how often it has been by now.
    pub(super) fn receive(&mut self, key: Key) -> u32 {
        let message = &mut self.messages[key];
        debug_assert_eq!(message.state, State::Visible, "only what is visible is received");
        message.state = State::InFlight;
        message.receives += 1;
        self.visible -= 1;
        self.in_flight += 1;
        if let Turns::Fifo { groups, .. } = &mut self.turns {
            groups[message.group as usize].in_flight += 1;
        }
        message.receives
    }

    /// What made a message fail has been mended.
    pub(super) fn mend(&mut self, key: Key) {
        self.messages[key].poison = false;
    }

    /// A receive call is over: a group from which it took messages is locked.
    pub(super) fn end_receive(&mut self) {
        if let Turns::Fifo { groups, row } = &mut self.turns
            && let Some(&group) = row.front()
        {
            let members = &mut groups[group as usize];
            if members.in_flight > 0 || members.waiting.is_empty() {
                members.in_row = false;
                row.pop_front();
            }
        }
    }

    /// Takes a message out for good.
    pub(super) fn remove(&mut self, key: Key) -> Message {
        let message = self.messages[key];
        self.messages.remove(key);
        if message.older.is_none() {
            self.oldest = message.younger;
        } else {
            self.messages[message.older].younger = message.younger;
        }
        if message.younger.is_none() {
            self.youngest = message.older;
        } else {
            self.messages[message.younger].older = message.older;
        }
        match message.state {
            State::Delayed => {}
            State::Visible => self.visible -= 1,
            State::InFlight => {
                self.in_flight -= 1;
                if let Turns::Fifo { groups, .. } = &mut self.turns {
                    groups[message.group as usize].in_flight -= 1;
                    self.line_up(message.group);
                }
            }
        }
        message
    }

    /// The message, if it is still there.
    pub(super) fn get(&self, key: Key) -> Option<&Message> {
        self.messages.contains(key).then(|| &self.messages[key])
    }

    /// Whether a message is in flight from its `receives`-th receipt.
    pub(super) fn holds(&self, key: Key, receives: u32) -> bool {
        self.get(key)
            .is_some_and(|message| message.state == State::InFlight && message.receives == receives)
    }

    /// The message that has been here longest.
    pub(super) fn oldest(&self) -> Option<(Key, &Message)> {
        self.get(self.oldest).map(|message| (self.oldest, message))
    }

    /// Whether a receive call would bring something, as far as can be told without looking.
    pub(super) fn is_receivable(&self) -> bool {
        match &self.turns {
            Turns::Standard(_) => self.visible > 0,
            Turns::Fifo { row, .. } => !row.is_empty(),
        }
    }

    /// All messages, in no order that means anything.
    pub(super) fn all(&self) -> impl Iterator<Item = &Message> {
        self.messages.alive().into_iter().map(|key| &self.messages[key])
    }

    /// Messages that are there.
    pub(super) fn len(&self) -> u64 {
        self.messages.len() as u64
    }

    /// Messages in flight.
    pub(super) fn in_flight(&self) -> u64 {
        self.in_flight
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::number::{fit, place};
    use crate::kernel::stream::{below, chance};
    use crate::kernel::{Stream, StreamKey};

    fn filled(groups: Option<u32>, of: &[u32]) -> (Store, Vec<Key>) {
        let mut store = Store::new(groups);
        let keys = of
            .iter()
            .enumerate()
            .map(|(i, &group)| {
                let mut message = Message::new(Instant(i as u64), Luck(0));
                message.group = group;
                let key = store.insert(message);
                store.show(key);
                key
            })
            .collect();
        (store, keys)
    }

    fn take(store: &mut Store, most: usize) -> Vec<Key> {
        let mut taken = Vec::new();
        while taken.len() < most
            && let Some(key) = store.next()
        {
            store.receive(key);
            taken.push(key);
        }
        store.end_receive();
        taken
    }

    #[test]
    fn a_group_is_locked_while_one_of_its_messages_is_in_flight_and_keeps_its_order() {
        let (mut store, k) = filled(Some(2), &[0, 0, 1, 0]);
        assert_eq!(take(&mut store, 2), [k[0], k[1]], "as many of one group as fit");
        assert_eq!(take(&mut store, 10), [k[2]], "the fourth waits behind the first two");
        assert!(!store.is_receivable());
        store.remove(k[0]);
        assert!(!store.is_receivable(), "the second is still in flight");
        store.show(k[1]);
        assert_eq!(take(&mut store, 10), [k[1], k[3]], "it comes back before the later one");
        assert_eq!(store.in_flight(), 3);
    }

    #[test]
    fn several_that_come_back_keep_their_order() {
        let (mut store, k) = filled(Some(1), &[0, 0, 0, 0]);
        assert_eq!(take(&mut store, 3), k[..3]);
        for key in &k[..3] {
            store.show(*key);
        }
        assert_eq!(take(&mut store, 9), k);
    }

    #[test]
    fn groups_are_worked_off_in_order_whatever_fails_and_whenever() {
        // 500 messages of 7 groups; each receipt takes up to 10, then what is in flight is deleted or comes back at
        // random, a batch's messages in order and nothing behind a failed one of its group.
        let mut dice = Stream::new(3, 0, StreamKey::new("store", "order"));
        let of: Vec<u32> = (0..500).map(|_| fit(below(&mut dice, 7))).collect();
        let (mut store, keys) = filled(Some(7), &of);
        let mut done: Vec<Vec<u64>> = vec![Vec::new(); 7];
        let mut flying: Vec<Vec<Key>> = Vec::new();
        while store.len() > 0 {
            if chance(&mut dice, 0.5) || flying.is_empty() {
                let most = 1 + place(below(&mut dice, 10));
                let batch = take(&mut store, most);
                flying.extend((!batch.is_empty()).then_some(batch));
                continue;
            }
            let batch = flying.swap_remove(fit(below(&mut dice, flying.len() as u64)));
            let mut failed = Vec::new();
            for key in batch {
                let Message { group, enqueued, .. } = *store.get(key).unwrap();
                if failed.contains(&group) || chance(&mut dice, 0.3) {
                    failed.push(group);
                    store.show(key);
                } else {
                    done[group as usize].push(enqueued.0);
                    store.remove(key);
                }
            }
        }
        assert!(
            done.iter().all(|group| group.is_sorted()),
            "each group in the order of sending"
        );
        assert_eq!(done.iter().map(Vec::len).sum::<usize>(), keys.len());
    }

    #[test]
    fn the_oldest_is_found_after_moves_out_of_order() {
        let (mut store, k) = filled(None, &[0, 0, 0]);
        let mut moved = Message::new(Instant(1), Luck(0));
        moved.sent = Instant(0);
        let late = store.insert(moved);
        let ages = |store: &mut Store| {
            let mut ages = Vec::new();
            while let Some((key, message)) = store.oldest() {
                ages.push(message.enqueued.0);
                store.remove(key);
            }
            ages
        };
        store.remove(k[0]);
        assert!(store.get(late).is_some());
        assert_eq!(ages(&mut store), [1, 1, 2]);
        assert_eq!(take(&mut store, 9), [], "what was removed while visible is skipped");
    }
}
