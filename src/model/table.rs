//! The table of mechanisms. A mechanism is its folder below `mechanism/` and one line here.
//!
//! From a line come its number and its tag among events, the section of scenarios that lists its components, its place
//! in the plan and in the world, and every call that the world makes to it ([`super::mechanism::Mechanism`]). Each
//! layer takes from the table what it may know: `request` the numbers and what kinds can do, `world` all of it.
//!
//! A line says: the constant, the section and what it lists, the field of plan and world, the type that holds all
//! components of the kind while a run goes on, where its figures stand among those of the others, and what its
//! components can do ([`super::request::kind::Abilities`]). The order of the lines is that of components in all output.

macro_rules! mechanisms {
    ($with:ident) => {
        $with! {
            CLIENT "clients" "Where requests come from."
                clients client::Clients 0 [];
            GATEWAY "gateways" "Gateways and load balancers."
                gateways gateway::Gateways 1 [called web];
            FUNCTION "functions" "Functions."
                functions function::Functions 2 [called invoked];
            QUEUE "queues" "Queues and their pollers."
                queues queue::Queues 10 [called keeps accepts];
            DATABASE "databases" "Databases."
                databases database::Databases 6 [called];
            PROXY "proxies" "Connection proxies."
                proxies database::proxy::Proxies 7 [called];
            FLEET "fleets" "EC2, ECS and Fargate services."
                fleets fleet::Fleets 5 [called web];
            STREAM "streams" "Streams of records and what reads them."
                streams stream::Streams 11 [called keeps accepts];
            WORKFLOW "workflows" "State machines that call other components."
                workflows workflow::Workflows 13 [called];
            STORE "stores" "Tables, object stores, caches and search clusters."
                stores store::Stores 8 [called operates takes_items];
            EXTERNAL "externals" "Managed and third-party services."
                externals external::Externals 9 [called takes_items];
            TOPIC "topics" "Topics, event buses, notifications of buckets."
                topics topic::Topics 3 [called accepts];
            SCHEDULE "schedules" "Cron and rate expressions, one-off jobs."
                schedules schedule::Schedules 4 [];
        }
    };
}
