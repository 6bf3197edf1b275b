//! The adapters and the functions' handlers on the real SDK clients: which calls they issue, in which order and with
//! which preconditions, and what they make of each answer. The clients retry for real, on a paused clock; only the
//! answers are made up.

mod alias;
mod deploying;
mod deployments;
mod elsewhere;
mod grouping;
mod handling;
mod hooks;
mod ledger;
mod lifecycle;
mod mishaps;
mod observing;
mod places;
mod preflight;
mod recorder;
mod registering;
mod rollback;
mod scene;
mod shifter;
mod taking;
mod validator;
mod widget;
