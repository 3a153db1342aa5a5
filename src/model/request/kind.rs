//! The kinds of components, by number, and what each can do: what everybody may know of a mechanism that is not his.

/// What the components of a kind can do, as far as others ask.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "a list of what can be said of any kind, or not"
)]
pub struct Abilities {
    /// Requests may be offered to them.
    pub called: bool,
    /// They keep what is put into them until somebody fetches it, in batches of which they know who fails.
    pub keeps: bool,
    /// They answer that they have what was sent, not what comes of it.
    pub accepts: bool,
    /// They take events into a queue of their own when nobody waits for the answer.
    pub invoked: bool,
    /// They are reached over HTTP by whoever delivers messages.
    pub web: bool,
    /// Calls say which operation they want.
    pub operates: bool,
    /// Calls say how many items they are for.
    pub takes_items: bool,
}

macro_rules! kinds {
    ($($kind:ident $section:literal $what:literal $field:ident $($type:ident)::+ $told:literal [$($can:ident)*];)+) => {
        /// The kinds of components, as scenarios call them; [`crate::scenario::Target::kind`] is an index into this.
        pub const KINDS: &[&str] = &["accounts", $($section),+];

        /// Accounts, which belong to nobody and to all.
        pub const ACCOUNT: u8 = 0;
        $(
            #[doc = concat!("Components under `", $section, "`.")]
            pub const $kind: u8 = place($section);
        )+

        const ABILITIES: [Abilities; KINDS.len()] = [NONE, $(Abilities { $($can: true,)* ..NONE }),+];
    };
}

/// The number of the section of this name.
const fn place(section: &str) -> u8 {
    let mut kind = 0;
    while !is_same(KINDS[kind as usize].as_bytes(), section.as_bytes()) {
        kind += 1;
    }
    kind
}

const fn is_same(one: &[u8], other: &[u8]) -> bool {
    let (mut at, same) = (0, one.len() == other.len());
    while same && at < one.len() && one[at] == other[at] {
        at += 1;
    }
    same && at == one.len()
}

const NONE: Abilities = Abilities {
    called: false,
    keeps: false,
    accepts: false,
    invoked: false,
    web: false,
    operates: false,
    takes_items: false,
};

mechanisms!(kinds);

/// Nobody: the kind of who works on a request that nobody works on, or not any more.
pub const NOBODY: u8 = ACCOUNT;

/// What the components of a kind can do.
#[inline]
pub const fn abilities(kind: u8) -> Abilities {
    ABILITIES[kind as usize]
}

const fn count_called() -> usize {
    let (mut kind, mut count) = (0, 0);
    while kind < KINDS.len() {
        count += ABILITIES[kind].called as usize;
        kind += 1;
    }
    count
}

const fn with_called<const N: usize>(first: usize) -> [&'static str; N] {
    let mut sections = [KINDS[ACCOUNT as usize]; N];
    let (mut kind, mut place) = (0, first);
    while kind < KINDS.len() {
        if ABILITIES[kind].called {
            sections[place] = KINDS[kind];
            place += 1;
        }
        kind += 1;
    }
    sections
}

/// The sections whose components requests may be offered to.
pub const CALLABLE: &[&str] = &with_called::<{ count_called() }>(0);

/// The sections whose components can break: those that are called, and accounts.
pub const BREAKABLE: &[&str] = &with_called::<{ count_called() + 1 }>(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_called_can_break_and_accounts_besides() {
        assert!(CALLABLE.contains(&"functions") && !CALLABLE.contains(&"clients"));
        assert_eq!(BREAKABLE[0], "accounts");
        assert_eq!(BREAKABLE[1..], *CALLABLE);
        assert_eq!(KINDS[FUNCTION as usize], "functions");
        assert!(abilities(QUEUE).keeps && !abilities(TOPIC).keeps && abilities(TOPIC).accepts);
    }
}
