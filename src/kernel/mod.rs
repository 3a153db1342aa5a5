//! Events, time and dice: the simulation kernel. It knows events and has never heard of a function.
