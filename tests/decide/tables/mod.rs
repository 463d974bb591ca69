//! What the engine promises, case by case, in the notation of [`crate::stage`].

mod failure;
mod lost;
mod outputs;
mod refused;
mod result;
mod retry;
mod run;
mod stopped;
mod stored;
mod timeout;
mod when;
