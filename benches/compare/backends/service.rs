//! The web service of the works that consume one: it tells from the power and the weight of a car how likely it is to be shifted by hand.
//!
//! The model has been fitted before the first call. Back ends differ in where it is kept meanwhile.

use anyhow::{Result, ensure};

/// R code that fits the model.
pub(super) const FIT: &str = "glm(am ~ hp + wt, binomial, mtcars)";
/// R code that predicts by `model` from `hp` and `wt`.
pub(super) const PREDICT: &str = "predict(model, data.frame(hp = hp, wt = wt), type = 'response')";
/// The inputs of all calls.
pub(super) const INPUTS: &[u8] = br#"{"hp":120,"wt":2.8}"#;
/// What the model predicts from them.
const PREDICTION: f64 = 0.641_812_5;

/// R code for an object of this size, which a service does not use: what it costs to have it. It is random, so that it does not compress.
pub(super) fn ballast(megabytes: usize) -> String {
    if megabytes == 0 { String::new() } else { format!("set.seed(1); ballast <- runif({megabytes} * 1e6 / 8)") }
}

/// Checks the answer to a call.
pub(super) fn check(prediction: f64) -> Result<()> {
    ensure!((prediction - PREDICTION).abs() < 1e-6, "the service answers {prediction}, and not {PREDICTION}");
    Ok(())
}
