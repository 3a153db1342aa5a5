//! The serverless world: one file per mechanism.
