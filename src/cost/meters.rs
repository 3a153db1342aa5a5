//! The closed list of integer meters that a simulation run ends in.
//!
//! Mechanisms count, nothing more: what a count costs is the affair of a price book (`book`) after the run. All meters
//! are whole numbers in one fixed quantum each, so that runs merge by addition and a bill is exact to the last digit.
//!
//! Units: megabytes are 2^20 bytes and a gigabyte has 1024 of them, which is how function platforms bill; milliseconds
//! are those that the service bills, after its own rounding (a mechanism rounds each invocation up before it adds).
//! Fractions of a processor, of a capacity unit and of an Aurora unit are counted in thousandths.

/// What a meter's quantum is made of; a price book needs it to translate a unit such as "GB-s" into quanta.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dimension {
    /// Things counted one by one: requests, messages, transitions.
    Count,
    /// Milliseconds in which one thing existed.
    Time,
    /// Milliseconds times thousandths of a unit (processor, capacity unit).
    MilliTime,
    /// Milliseconds times megabytes.
    SizeTime,
    /// Bytes moved or written.
    Bytes,
    /// Megabytes, not held over time but handled once (a restored snapshot).
    Megabytes,
    /// Microseconds of processor time really used.
    Micros,
}

/// How a meter grows from the measured stretch to a month, see the `bill` module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scaling {
    /// Caused by traffic: grows with the hours in which traffic flows.
    Work,
    /// There as long as the component is, with or without traffic: grows with all hours of the month.
    Standing,
}

macro_rules! meters {
    ($($(#[doc = $doc:literal])+ $variant:ident, $name:literal, $dimension:ident, $scaling:ident;)+) => {
        /// One kind of billable quantity. The docstring of each gives its quantum.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Meter {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Meter {
            /// Every meter, in the order of their numbers.
            pub const ALL: [Self; Self::COUNT] = [$(Self::$variant,)+];

            /// How many meters there are.
            pub const COUNT: usize = [$($name,)+].len();

            /// The meter's name in price files, CSV headers and messages: snake case, unit last.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// What the meter's quantum is made of.
            pub const fn dimension(self) -> Dimension {
                match self { $(Self::$variant => Dimension::$dimension,)+ }
            }

            /// Whether traffic causes this quantity or time alone does.
            pub const fn scaling(self) -> Scaling {
                match self { $(Self::$variant => Scaling::$scaling,)+ }
            }
        }
    };
}

meters! {
    /// Requests as the service meters them, chunks included: function invocations, gateway requests (per 512 KB on an
    /// HTTP API), queue API calls (per 64 KB), store operations. Unit: requests.
    Requests, "requests", Count, Work;
    /// On-demand function time: configured MB times ms, each invocation rounded up to the billed step. Unit: MB·ms.
    ComputeMbMs, "compute_mb_ms", SizeTime, Work;
    /// Billed initialisation of on-demand instances; same price as compute, apart so that a report can show it.
    /// Unit: MB·ms.
    InitMbMs, "init_mb_ms", SizeTime, Work;
    /// Invocations on provisioned instances, billed at a reduced price. Unit: MB·ms.
    ProvisionedComputeMbMs, "provisioned_compute_mb_ms", SizeTime, Work;
    /// Provisioned concurrency kept ready, used or not: configured MB times ms. Unit: MB·ms.
    ProvisionedMbMs, "provisioned_mb_ms", SizeTime, Standing;
    /// Scratch disk of on-demand invocations above the free 512 MB. Unit: MB·ms.
    EphemeralMbMs, "ephemeral_mb_ms", SizeTime, Work;
    /// Snapshots restored into new instances: configured memory of each. Unit: MB.
    SnapRestoreMb, "snap_restore_mb", Megabytes, Work;
    /// Cached snapshots of published versions. Unit: MB·ms.
    SnapCacheMbMs, "snap_cache_mb_ms", SizeTime, Standing;
    /// Pollers of an event source mapping in provisioned mode. Unit: poller·ms.
    PollerMs, "poller_ms", Time, Standing;
    /// Processor time really used, on platforms that bill it apart from waiting. Unit: µs.
    CpuUs, "cpu_us", Micros, Work;
    /// Processors of a container billed only while it serves a request. Unit: thousandths of a vCPU times ms.
    ActiveVcpuMs, "active_vcpu_ms", MilliTime, Work;
    /// Memory of a container billed only while it serves a request. Unit: MB·ms.
    ActiveMemoryMbMs, "active_memory_mb_ms", SizeTime, Work;
    /// Processors of containers billed for as long as they exist. Unit: thousandths of a vCPU times ms.
    VcpuMs, "vcpu_ms", MilliTime, Standing;
    /// Memory of containers billed for as long as they exist. Unit: MB·ms.
    MemoryMbMs, "memory_mb_ms", SizeTime, Standing;
    /// Machines, shards or cache nodes rented whole; which type is an attribute of the component. Unit: instance·ms.
    InstanceMs, "instance_ms", Time, Standing;
    /// Processor time of burstable machines beyond their earned credits. Unit: thousandths of a vCPU times ms.
    SurplusVcpuMs, "surplus_vcpu_ms", MilliTime, Work;
    /// Load balancers. Unit: balancer·ms.
    LoadBalancerMs, "load_balancer_ms", Time, Standing;
    /// Load balancer capacity units in use, the largest dimension over the whole run. Unit: thousandths of an LCU times
    /// ms.
    LcuMs, "lcu_ms", MilliTime, Work;
    /// Database servers; which class is an attribute of the component. Unit: server·ms.
    DatabaseMs, "database_ms", Time, Standing;
    /// Capacity of a serverless database. Unit: thousandths of an Aurora capacity unit times ms.
    AcuMs, "acu_ms", MilliTime, Standing;
    /// A connection proxy, billed by the processors of its database (at least the service's minimum).
    /// Unit: thousandths of a vCPU times ms.
    ProxyVcpuMs, "proxy_vcpu_ms", MilliTime, Standing;
    /// Data at rest: volumes, tables, logs, a container's extra disk. Unit: MB·ms.
    StorageMbMs, "storage_mb_ms", SizeTime, Standing;
    /// Reads and writes of a database's storage where these are billed. Unit: operations.
    StorageIos, "storage_ios", Count, Work;
    /// Read capacity used by a key-value store's requests. Unit: read request units.
    ReadUnits, "read_units", Count, Work;
    /// Write capacity used by a key-value store's requests. Unit: write request units.
    WriteUnits, "write_units", Count, Work;
    /// Read capacity of a key-value store kept ready, used or not. Unit: read capacity units times ms.
    ReadCapacityMs, "read_capacity_ms", Time, Standing;
    /// Write capacity of a key-value store kept ready, used or not. Unit: write capacity units times ms.
    WriteCapacityMs, "write_capacity_ms", Time, Standing;
    /// What calls of an external service are about, where it bills by that: tokens, images, messages. Unit: items.
    Items, "items", Count, Work;
    /// Messages published, put or delivered, as the service chunks them. Unit: messages.
    Messages, "messages", Count, Work;
    /// State transitions of a workflow, retries included. Unit: transitions.
    Transitions, "transitions", Count, Work;
    /// Connections opened. No provider prices these directly; proxies and capacity units are sized by them.
    /// Unit: connections.
    NewConnections, "new_connections", Count, Work;
    /// Client connections held open where that is billed. Unit: connection·ms.
    ConnectionMs, "connection_ms", Time, Work;
    /// Bytes taken in where that is billed (streams). Unit: bytes.
    BytesIn, "bytes_in", Bytes, Work;
    /// Bytes that consumers read where that is billed (streams). Unit: bytes.
    BytesRead, "bytes_read", Bytes, Work;
    /// Bytes sent to consumers with a read limit of their own (enhanced fan-out). Unit: bytes.
    EnhancedBytes, "enhanced_bytes", Bytes, Work;
    /// Shards that a consumer with a read limit of its own is registered with. Unit: shard·ms.
    ConsumerMs, "consumer_ms", Time, Standing;
    /// Bytes sent out to the internet. Unit: bytes.
    BytesOut, "bytes_out", Bytes, Work;
    /// Bytes sent between availability zones, counted once per direction. Unit: bytes.
    CrossZoneBytes, "cross_zone_bytes", Bytes, Work;
    /// Bytes through an address-translating gateway. Unit: bytes.
    NatBytes, "nat_bytes", Bytes, Work;
    /// Address-translating gateways. Unit: gateway·ms.
    NatGatewayMs, "nat_gateway_ms", Time, Standing;
    /// Public IPv4 addresses. Unit: address·ms.
    PublicIpv4Ms, "public_ipv4_ms", Time, Standing;
    /// Log text taken in. Unit: bytes.
    LogBytes, "log_bytes", Bytes, Work;
}

impl Meter {
    /// Whether the meter explains others and is not billed by itself, so that a book without a price for it is
    /// complete.
    pub const fn is_informative(self) -> bool {
        matches!(self, Self::NewConnections)
    }

    /// Whether the meter is one of several ways to measure the same use of machines: time, time by memory, processor
    /// time, by invocation or by instance. Mechanisms count by all of them; a provider charges by some, and a book that
    /// prices one of them for a service is complete without the others.
    pub const fn measures_machines(self) -> bool {
        matches!(
            self,
            Self::ComputeMbMs
                | Self::InitMbMs
                | Self::ProvisionedComputeMbMs
                | Self::ProvisionedMbMs
                | Self::EphemeralMbMs
                | Self::CpuUs
                | Self::ActiveVcpuMs
                | Self::ActiveMemoryMbMs
                | Self::VcpuMs
                | Self::MemoryMbMs
                | Self::InstanceMs
        )
    }

    /// The meter of that name, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|m| m.name() == name)
    }
}

/// What one component used in one run, or in several runs added up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MeterSet {
    /// The meters that counted something, in the order of their numbers: most components have a few of them. 128 bits,
    /// since months of gigabytes times milliseconds over all replications of a sweep come near the end of 64.
    quanta: Vec<(Meter, u128)>,
}

impl MeterSet {
    /// All meters at zero.
    pub const fn new() -> Self {
        Self { quanta: Vec::new() }
    }

    /// Counts `quanta` more on `meter`.
    pub fn add(&mut self, meter: Meter, quanta: u64) {
        self.count(meter, u128::from(quanta));
    }

    fn count(&mut self, meter: Meter, quanta: u128) {
        if quanta == 0 {
            return;
        }
        match self.place(meter) {
            Ok(place) => self.quanta[place].1 += quanta,
            Err(place) => self.quanta.insert(place, (meter, quanta)),
        }
    }

    fn place(&self, meter: Meter) -> Result<usize, usize> {
        self.quanta.binary_search_by_key(&meter, |counted| counted.0)
    }

    /// Counts `size` MB (or thousandths of a unit) held for `ms` milliseconds; the product may exceed 64 bits.
    pub fn add_product(&mut self, meter: Meter, size: u64, ms: u64) {
        self.count(meter, u128::from(size) * u128::from(ms));
    }

    /// The quanta counted on `meter`.
    pub fn get(&self, meter: Meter) -> u128 {
        self.place(meter).map_or(0, |place| self.quanta[place].1)
    }

    /// Adds all of `other` to this set: shards, replications, instances of one component.
    pub fn merge(&mut self, other: &Self) {
        for (meter, quanta) in other.iter() {
            self.count(meter, quanta);
        }
    }

    /// What is left without what `part` counted, which is part of it.
    #[must_use]
    pub fn without(&self, part: &Self) -> Self {
        self.map(|meter, quanta| quanta - part.get(meter))
    }

    /// The same meters with other quanta.
    #[must_use]
    pub fn map(&self, of: impl Fn(Meter, u128) -> u128) -> Self {
        let mut changed = Self::new();
        for meter in Meter::ALL {
            changed.count(meter, of(meter, self.get(meter)));
        }
        changed
    }

    /// The meters that counted something, in the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (Meter, u128)> + '_ {
        self.quanta.iter().copied()
    }

    /// Bytes of the memory it holds, beside itself.
    pub const fn held(&self) -> usize {
        self.quanta.capacity() * size_of::<(Meter, u128)>()
    }

    /// Whether nothing was counted at all.
    pub fn is_empty(&self) -> bool {
        self.quanta.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_are_one_to_one() {
        for (i, m) in Meter::ALL.into_iter().enumerate() {
            assert_eq!(m as usize, i);
            assert_eq!(Meter::from_name(m.name()), Some(m));
        }
        assert_eq!(Meter::from_name("compute"), None);
    }

    #[test]
    fn sets_add_and_merge() {
        let mut a = MeterSet::new();
        assert!(a.is_empty());
        a.add(Meter::Requests, 3);
        a.add_product(Meter::ComputeMbMs, u64::MAX, 2);
        let mut b = MeterSet::default();
        b.add(Meter::Requests, 4);
        a.merge(&b);
        assert_eq!(a.get(Meter::Requests), 7);
        assert_eq!(a.get(Meter::ComputeMbMs), 2 * u128::from(u64::MAX));
        let listed: Vec<_> = a.iter().map(|(m, _)| m).collect();
        assert_eq!(listed, [Meter::Requests, Meter::ComputeMbMs]);
        a.add(Meter::CpuUs, 0);
        assert_eq!(a.map(|_, quanta| quanta), a, "what counted nothing is not there");
        assert!(a.without(&a).is_empty());
    }
}
