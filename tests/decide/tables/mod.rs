//! What the engine promises, case by case, in the notation of [`crate::stage`].

mod child;
mod compiled;
mod failure;
mod flow;
mod fork;
mod handler;
mod http;
mod join;
mod lost;
mod outputs;
mod refused;
mod result;
mod retry;
mod run;
mod sealed;
mod stopped;
mod stored;
mod timeout;
mod when;
